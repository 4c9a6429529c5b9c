//! `/api/openapi.json` and `/api/docs`: the API described (OpenAPI 3.1), made of its own types.
//!
//! Which routes there are and who may use them comes from the table in `routes`, what each takes from the types that its
//! handler reads, what it answers from `shapes`. `table` puts these together, one line for each route; tests see to it that no
//! route is without one.

mod table;

use std::{collections::BTreeSet, sync::OnceLock};

use actix_web::{HttpResponse, http::header, web};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    Api,
    errors::{ApiError, ErrorCode},
    routes::{Needs, ROUTES, Route},
    shapes::{
        people::ErrorAnswer,
        text::{AccountName, Hash},
    },
};

/// Makes a type's schema.
type Make = fn(&mut SchemaGenerator) -> Schema;

/// By reference, where the type has a name.
fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// In place.
fn plain<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    T::json_schema(generator)
}

/// What an answer holds.
enum Content {
    Json(Make),
    /// Of this media type.
    Other(&'static str),
    Nothing,
}

/// What a request holds.
struct Body {
    make: Make,
    /// A request without a body is one, too.
    optional: bool,
    /// Other media types that are taken.
    others: &'static [&'static str],
}

/// One route, described.
struct Operation {
    method: &'static str,
    path: &'static str,
    tag: &'static str,
    summary: &'static str,
    query: Option<Make>,
    body: Option<Body>,
    answers: Vec<(u16, Content)>,
    /// Refusals that do not follow from what it takes.
    refusals: Vec<u16>,
}

impl Operation {
    fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(plain::<T>);
        self
    }

    fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Body { make: schema::<T>, optional: false, others: &[] });
        self
    }

    /// A body that may be missing.
    fn maybe<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Body { make: schema::<T>, optional: true, others: &[] });
        self
    }

    /// Other media types of the body.
    fn also(mut self, others: &'static [&'static str]) -> Self {
        if let Some(body) = &mut self.body {
            body.others = others;
        }
        self
    }

    fn answers<T: JsonSchema>(self) -> Self {
        self.with::<T>(200)
    }

    fn with<T: JsonSchema>(mut self, status: u16) -> Self {
        self.answers.push((status, Content::Json(schema::<T>)));
        self
    }

    fn text(mut self, media: &'static str) -> Self {
        self.answers.push((200, Content::Other(media)));
        self
    }

    fn nothing(mut self, status: u16) -> Self {
        self.answers.push((status, Content::Nothing));
        self
    }

    fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend(statuses);
        self
    }
}

const fn operation(
    method: &'static str,
    path: &'static str,
    tag: &'static str,
    summary: &'static str,
) -> Operation {
    Operation {
        method,
        path,
        tag,
        summary,
        query: None,
        body: None,
        answers: Vec::new(),
        refusals: Vec::new(),
    }
}

/// Names of the parts of a path that stand for something.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// A part of a path.
fn path_parameter(path: &str, name: &str, generator: &mut SchemaGenerator) -> Value {
    let number = json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX, "examples": [1] });
    let text = |example: &str| json!({ "type": "string", "minLength": 1, "examples": [example] });
    let schema = match name {
        "account" | "address" if path.starts_with("/api/miners") || path.contains("/pools/") => {
            json!(schema::<AccountName>(generator))
        }
        "hash" => json!(schema::<Hash>(generator)),
        "id" if path.contains("/sessions/") || path.contains("/tokens/") => text("id"),
        "pool" => text("kas1"),
        "id" | "session" => number,
        "address" => text("192.0.2.7"),
        "action" => json!({ "type": "string", "enum": ["rollback", "pause", "resume", "advance"] }),
        other => text(other),
    };
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

/// What a query may say, from the type that reads it.
fn query_parameters(make: Make, generator: &mut SchemaGenerator) -> Vec<Value> {
    let schema = json!(make(generator));
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let line = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        // A parameter is there or not: it is never null.
        if let Some(kinds) = schema["type"].as_array() {
            let kinds: Vec<&Value> = kinds.iter().filter(|kind| *kind != "null").collect();
            if let [kind] = kinds[..] {
                schema["type"] = kind.clone();
            }
        }
        if let Some(choices) = schema["anyOf"].as_array() {
            let choices: Vec<&Value> = choices.iter().filter(|choice| choice["type"] != "null").collect();
            if let [choice] = choices[..] {
                schema = choice.clone();
            }
        }
        let mut line = json!({ "name": name, "in": "query", "required": required.contains(&name.as_str()) });
        if let Some(says) = schema.as_object_mut().and_then(|schema| schema.remove("description")) {
            line["description"] = says;
        }
        line["schema"] = schema;
        line
    };
    schema["properties"].as_object().into_iter().flatten().map(line).collect()
}

/// What is said about a status that an answer is refused with.
const REFUSALS: &[(u16, &str)] = &[
    (400, "The request is not as described: `details.parameter` names what is wrong."),
    (401, "No token, or none that is good."),
    (403, "The token is good, and not for this."),
    (404, "There is no such thing."),
    (405, "The route does not know this method."),
    (409, "It does not fit what there is."),
    (408, "The body came too slowly."),
    (413, "The body is too large."),
    (415, "The body is compressed."),
    (422, "It can't be done as it is wanted."),
    (426, "A WebSocket is wanted."),
    (429, "Too many requests: `Retry-After` says when to come again."),
    (500, "Something is broken, or being started again."),
    (503, "Something that is needed is away; `Retry-After` says when to come again."),
];

/// The statuses that a route may refuse with.
fn refusals(operation: &Operation, needs: Needs) -> BTreeSet<u16> {
    let mut statuses: BTreeSet<u16> = operation.refusals.iter().copied().collect();
    let is_api = operation.path.starts_with("/api/");
    if operation.query.is_some() || operation.body.is_some() || parts(operation.path).next().is_some() {
        statuses.insert(400);
    }
    if parts(operation.path).next().is_some() {
        statuses.insert(404);
    }
    if operation.body.is_some() {
        statuses.extend([408, 413, 415]);
    }
    if needs != Needs::Anybody {
        statuses.extend([401, 403]);
    }
    if is_api {
        statuses.extend([429, 500, 503]);
    }
    statuses
}

fn needs_in_words(needs: Needs) -> String {
    match needs {
        Needs::Anybody => "Public.".to_owned(),
        Needs::Known => "Needs a token of any kind.".to_owned(),
        Needs::Session => "Needs the access token of somebody who signed in.".to_owned(),
        Needs::Role(role, scope) => {
            format!("Needs the role {role} or above; of a token for scripts the scope `{}`.", scope.as_str())
        }
    }
}

/// `GET /api/miners/{account}` is `getMinersAccount`.
fn operation_id(operation: &Operation) -> String {
    let mut id = operation.method.to_ascii_lowercase();
    let words = operation
        .path
        .split(['/', '-', '_', '.', '{', '}'])
        .filter(|word| !word.is_empty() && *word != "api");
    for word in words {
        let (first, rest) = word.split_at(1);
        id.push_str(&first.to_ascii_uppercase());
        id.push_str(rest);
    }
    id
}

fn described(
    operation: &Operation,
    route: &Route,
    reads: &mut SchemaGenerator,
    writes: &mut SchemaGenerator,
) -> Value {
    let mut parameters: Vec<Value> =
        parts(operation.path).map(|name| path_parameter(operation.path, name, reads)).collect();
    parameters.extend(operation.query.into_iter().flat_map(|make| query_parameters(make, reads)));
    let id = json!({ "X-Request-Id": { "$ref": "#/components/headers/RequestId" } });
    let mut responses = Map::new();
    for (status, content) in &operation.answers {
        let says = match status {
            101 => "The WebSocket is open.",
            201 => "Made.",
            202 => "Begun.",
            204 => "Done.",
            _ => "The answer.",
        };
        let mut answer = json!({ "description": says, "headers": id });
        let entry = responses.entry(status.to_string());
        match content {
            Content::Json(make) => {
                answer["content"] = json!({ "application/json": { "schema": make(writes) } });
            }
            Content::Other(media) => {
                answer["content"] = json!({ *media: { "schema": { "type": "string" } } });
            }
            Content::Nothing => {}
        }
        match entry {
            serde_json::map::Entry::Vacant(entry) => {
                entry.insert(answer);
            }
            serde_json::map::Entry::Occupied(mut entry) => {
                let more = answer["content"].as_object_mut().map(std::mem::take).unwrap_or_default();
                if let Some(content) = entry.get_mut()["content"].as_object_mut() {
                    content.extend(more);
                }
            }
        }
    }
    if route.is_tagged() {
        let headers =
            json!({ "ETag": { "$ref": "#/components/headers/ETag" }, "X-Request-Id": id["X-Request-Id"] });
        responses.insert("304".to_owned(), json!({ "description": "It is as it was.", "headers": headers }));
        if let Some(answer) = responses.get_mut("200") {
            answer["headers"]["ETag"] = json!({ "$ref": "#/components/headers/ETag" });
        }
    }
    for status in refusals(operation, route.needs) {
        responses
            .entry(status.to_string())
            .or_insert_with(|| json!({ "$ref": format!("#/components/responses/Refused{status}") }));
    }
    let mut told = json!({
        "operationId": operation_id(operation),
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": needs_in_words(route.needs),
        "responses": responses,
    });
    if !parameters.is_empty() {
        told["parameters"] = json!(parameters);
    }
    if let Some(body) = &operation.body {
        let mut content = Map::new();
        content.insert("application/json".to_owned(), json!({ "schema": (body.make)(reads) }));
        for media in body.others {
            let schema = if *media == "multipart/form-data" {
                json!({
                    "type": "object", "required": ["package"],
                    "properties": { "package": { "type": "string", "contentMediaType": "application/zip" } },
                })
            } else {
                json!({ "type": "string", "contentMediaType": media })
            };
            content.insert((*media).to_owned(), json!({ "schema": schema }));
        }
        told["requestBody"] = json!({ "required": !body.optional, "content": content });
    }
    match route.needs {
        Needs::Anybody => {}
        Needs::Role(role, scope) => {
            told["security"] = json!([{ "bearer": [] }]);
            told["x-role"] = json!(role);
            told["x-scope"] = json!(scope.as_str());
        }
        Needs::Known | Needs::Session => told["security"] = json!([{ "bearer": [] }]),
    }
    told
}

const TAGS: &[(&str, &str)] = &[
    ("pool", "Figures, miners, blocks: public."),
    ("books", "Statements, proofs, earnings: public."),
    ("live", "What happens, as it happens."),
    (
        "miningcore",
        "Routes of Miningcore's API, so that front ends written for it work. Amounts are JSON numbers in coins.",
    ),
    ("sign-in", "One's own signing in."),
    ("payouts", "Payouts and corrections."),
    ("algorithms", "Algorithms and deployments."),
    ("alerts", "What is wrong, and who is told."),
    ("operation", "The pool's own health."),
    ("people", "Who may do what."),
];

const ABOUT: &str = "Money and work are decimal texts, hash rates JSON numbers in H/s, times RFC 3339 in UTC, hashes lower-case \
     hexadecimal. Lists are paged: `next` is the `cursor` of the next page, null on the last. Every answer has the header \
     `X-Request-Id`; every error has the same shape and a code that `/docs/errors/CODE` explains. `HEAD` works wherever `GET` \
     does. Public lists have an `ETag`: with `If-None-Match` an unchanged one is answered 304.";

/// The whole description.
#[must_use]
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(make)
}

fn make() -> Value {
    let settings = || {
        SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
    };
    let mut reads = settings().into_generator();
    let mut writes = settings().for_serialize().into_generator();
    let refusal = json!(schema::<ErrorAnswer>(&mut writes));
    let mut paths = Map::new();
    for operation in table::operations() {
        let route =
            ROUTES.iter().find(|route| route.path == operation.path && route.method == operation.method);
        // A description without a route is found by a test; it is not served.
        let Some(route) = route else { continue };
        let told = described(&operation, route, &mut reads, &mut writes);
        paths.entry(operation.path).or_insert_with(|| json!({}))[operation.method.to_ascii_lowercase()] =
            told;
    }
    let mut schemas = reads.take_definitions(true);
    schemas.extend(writes.take_definitions(true));
    let mut schemas: Vec<(String, Value)> = schemas.into_iter().collect();
    schemas.sort_by(|one, other| one.0.cmp(&other.0));
    let responses: Map<String, Value> = REFUSALS
        .iter()
        .map(|(status, says)| {
            let mut headers = json!({ "X-Request-Id": { "$ref": "#/components/headers/RequestId" } });
            if matches!(status, 429 | 503) {
                headers["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" });
            }
            let content = json!({ "application/json": { "schema": refusal } });
            let told = json!({ "description": says, "headers": headers, "content": content });
            (format!("Refused{status}"), told)
        })
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "BlockDAG Pool", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": TAGS.iter().map(|(name, says)| json!({ "name": name, "description": says })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": Map::from_iter(schemas),
            "responses": responses,
            "headers": {
                "RequestId": { "description": "What the log is searched for.", "schema": { "type": "string", "pattern": "^[0-9a-f]{32}$" } },
                "ETag": { "description": "For `If-None-Match`.", "schema": { "type": "string" } },
                "RetryAfter": { "description": "Seconds.", "schema": { "type": "integer", "minimum": 0 } },
            },
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "An access token (15 minutes), a token for scripts (`bdp_...`), or the pool's admin token." },
            },
        },
    })
}

/// As it is served and kept in the repository.
#[must_use]
pub fn document_text() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    // What was made of JSON values can be written.
    TEXT.get_or_init(|| serde_json::to_string_pretty(document()).unwrap_or_default() + "\n")
}

/// `GET /api/openapi.json`.
pub(super) async fn json() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(document_text())
}

/// `GET /api/docs`: a page that shows the description, and tries it out.
pub(super) async fn docs(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let page = api.assets.find("/api-docs.html").ok_or_else(|| {
        ApiError::new(
            ErrorCode::NotFound,
            "this build has no dashboard: the description is at /api/openapi.json",
        )
    })?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, page.content_type))
        .body(page.bytes.into_owned()))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_route_is_described_once_and_no_description_is_without_a_route() {
        let name = |method: &str, path: &str| format!("{method} {path}");
        let routes: BTreeSet<String> = ROUTES.iter().map(|route| name(route.method, route.path)).collect();
        let told: Vec<String> =
            table::operations().iter().map(|operation| name(operation.method, operation.path)).collect();
        let unique: BTreeSet<String> = told.iter().cloned().collect();
        assert_eq!(unique.len(), told.len(), "a route is described twice");
        let differ: Vec<&String> = routes.symmetric_difference(&unique).collect();
        assert!(differ.is_empty(), "routes and descriptions (api/openapi/table.rs) differ: {differ:#?}");
    }

    #[test]
    fn descriptions_say_what_they_must() {
        let mut ids = BTreeSet::new();
        for operation in table::operations() {
            let what = format!("{} {}", operation.method, operation.path);
            assert!(!operation.answers.is_empty(), "{what}: what does it answer?");
            assert!(TAGS.iter().any(|(tag, _)| *tag == operation.tag), "{what}: no tag {}", operation.tag);
            assert!(operation.summary.ends_with('.'), "{what}: the summary is a sentence");
            assert!(ids.insert(operation_id(&operation)), "{what}: its id is taken");
            for status in &operation.refusals {
                assert!(REFUSALS.iter().any(|(known, _)| known == status), "{what}: what is {status}?");
            }
        }
    }

    #[test]
    fn references_lead_somewhere() {
        fn look(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(map) => {
                    if let Some(to) = map.get("$ref").and_then(Value::as_str) {
                        found.insert(to.to_owned());
                    }
                    map.values().for_each(|value| look(value, found));
                }
                Value::Array(list) => list.iter().for_each(|value| look(value, found)),
                _ => {}
            }
        }
        let mut found = BTreeSet::new();
        look(document(), &mut found);
        assert!(found.len() > 50, "{found:?}");
        for to in found {
            let pointer = to.strip_prefix('#').unwrap();
            assert!(document().pointer(pointer).is_some(), "{to} leads nowhere");
        }
    }

    /// `DAGPOOL_WRITE_OPENAPI=1` writes it.
    #[test]
    fn what_is_kept_in_the_repository_is_what_is_served() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboard/openapi.json");
        if std::env::var_os("DAGPOOL_WRITE_OPENAPI").is_some() {
            fs::write(&file, document_text()).unwrap();
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept == document_text(),
            "dashboard/openapi.json is not of these types: `make openapi` makes it anew"
        );
    }
}
