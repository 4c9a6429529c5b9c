//! `/api/miners/{account}/workers` and `/settings`: the parts of an account by themselves, and what whoever has claimed it may
//! set.

use actix_web::{HttpResponse, web};
use pool_domain::units::Amount;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Api,
    access::changed,
    errors::{ApiError, ErrorCode},
    pages::{PageQuery, paged},
    pool::{account_named, details_of},
    shapes::text,
    sign_in::Who,
    wire::Object,
};
use crate::ports::payouts::AccountTerms;

/// `GET /api/miners/{account}/workers`: as in `/api/miners/{account}`, in pages.
pub(super) async fn workers(
    api: web::Data<Api>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse, ApiError> {
    let account = account_named(&path, "account")?;
    let mut details = details_of(&api, &account).await?;
    let workers = details["workers"].as_array_mut().map(std::mem::take).unwrap_or_default();
    let name = |worker: &Value| worker["name"].as_str().unwrap_or_default().to_owned();
    // A worker may have no name, a cursor may not be empty.
    let cursor = (|text: &str| text.strip_prefix('=').map(str::to_owned), |name: &String| format!("={name}"));
    Ok(HttpResponse::Ok().json(paged(workers, &query, name, cursor, Clone::clone)?))
}

/// What an account is paid by.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AccountSettings {
    #[schemars(with = "text::AccountName")]
    account: String,
    /// Its own; null = the pool's.
    #[schemars(with = "Option<text::Amount>")]
    threshold: Option<Amount>,
    /// The pool's, which its own can't be below; null where nothing is paid out.
    #[schemars(with = "Option<text::Amount>")]
    pool_threshold: Option<Amount>,
    /// Why nothing is paid to it.
    held: Option<String>,
    /// Why the chain refuses the address.
    set_aside: Option<String>,
}

fn pool_threshold(api: &Api) -> Option<Amount> {
    api.payout_doors.as_ref().map(|doors| doors.rules.get().threshold)
}

/// `GET /api/miners/{account}/settings`: public, like the balance.
pub(super) async fn settings(api: web::Data<Api>, path: web::Path<String>) -> Result<HttpResponse, ApiError> {
    let account = account_named(&path, "account")?;
    let AccountTerms { threshold, hold, set_aside } = api.payouts.terms(account.clone()).await?;
    let pool_threshold = pool_threshold(&api);
    let account = account.to_string();
    let settings = AccountSettings { account, threshold, pool_threshold, held: hold, set_aside };
    Ok(HttpResponse::Ok().json(settings))
}

/// Body of a change of an account's settings.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeSettings {
    /// In the smallest unit; null = the pool's.
    #[schemars(with = "Option<text::Amount>")]
    threshold: Option<Amount>,
}

/// `PATCH /api/miners/{account}/settings`: by whoever has claimed the address.
pub(super) async fn change(
    api: web::Data<Api>,
    who: Who,
    path: web::Path<String>,
    body: web::Json<Object<ChangeSettings>>,
) -> Result<HttpResponse, ApiError> {
    let account = account_named(&path, "account")?;
    let Object(ChangeSettings { threshold }) = body.into_inner();
    if !api.auth.accounts(&who).await?.iter().any(|own| own.account == account.as_str()) {
        let known = [("path", path.as_str()), ("what", "somebody who has claimed the address")];
        return Err(ApiError::of(ErrorCode::Forbidden, &known));
    }
    let least = pool_threshold(&api).unwrap_or(Amount(1)).max(Amount(1));
    if threshold.is_some_and(|wanted| wanted < least) {
        // Each payout costs the network's fee: many small ones are not for one miner to choose.
        let wanted = format!("threshold must be at least the pool's, {}, or null", least.0);
        return Err(ApiError::bad_request(wanted).with(json!({ "parameter": "threshold" })));
    }
    let before = json!({ "threshold": api.payouts.terms(account.clone()).await?.threshold });
    api.payouts.set_threshold(api.clock.now(), account, threshold, who.actor.clone()).await?;
    let answer = settings(api, path).await?;
    Ok(changed(answer, before, json!({ "threshold": threshold })))
}

#[cfg(test)]
mod tests {
    use actix_web::{http::StatusCode, test::TestRequest};

    use super::{super::tests::Rig, *};
    use crate::ports::users::Role;

    fn get(path: &str) -> TestRequest {
        TestRequest::get().uri(path)
    }

    #[actix_rt::test]
    async fn workers_come_in_pages() {
        let rig = Rig::new().await;
        let (_, whole) = rig.ask(get("/api/miners/alice")).await;
        let (status, page) = rig.ask(get("/api/miners/alice/workers")).await;
        assert_eq!(
            (status, &page["items"], &page["next"]),
            (StatusCode::OK, &whole["workers"], &Value::Null)
        );
        let (_, first) = rig.ask(get("/api/miners/alice/workers?limit=1")).await;
        assert_eq!(first["items"][0], whole["workers"][0]);
        let cursor = first["next"].as_str().map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let (_, second) = rig.ask(get(&format!("/api/miners/alice/workers?limit=1{cursor}"))).await;
        assert_eq!(second["items"][0], whole["workers"][usize::from(!cursor.is_empty())]);
        rig.refused(get("/api/miners/nobody/workers"), StatusCode::NOT_FOUND, "NOT_FOUND").await;
    }

    #[actix_rt::test]
    async fn whoever_has_claimed_an_address_sets_its_threshold_and_nobody_else() {
        let rig = Rig::new().await;
        let path = "/api/miners/alice/settings";
        let (status, open) = rig.ask(get(path)).await;
        assert_eq!((status, &open["threshold"]), (StatusCode::OK, &Value::Null), "{open}");
        let user = rig.auth.add("ann", None, "tuna fence orbit".into(), Role::Miner).await.unwrap();
        let login = json!({ "username": "ann", "password": "tuna fence orbit" });
        let (_, session) = rig.ask(TestRequest::post().uri("/api/auth/login").set_json(login)).await;
        let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
        let change = |threshold: Value| {
            let request = TestRequest::patch().uri(path).insert_header(("authorization", bearer.as_str()));
            request.set_json(json!({ "threshold": threshold }))
        };
        rig.refused(change(json!("5000000")), StatusCode::FORBIDDEN, "FORBIDDEN").await;
        rig.claim("alice", &user.id).await;
        let (status, set) = rig.ask(change(json!("5000000"))).await;
        assert_eq!((status, set["threshold"].as_str()), (StatusCode::OK, Some("5000000")), "{set}");
        assert_eq!(rig.ask(get(path)).await.1, set);
        for wrong in [json!("0"), json!("-1"), json!(1.5), json!("x"), json!([])] {
            rig.refused(change(wrong), StatusCode::BAD_REQUEST, "BAD_REQUEST").await;
        }
        let (_, back) = rig.ask(change(Value::Null)).await;
        assert_eq!(back, open);
    }
}
