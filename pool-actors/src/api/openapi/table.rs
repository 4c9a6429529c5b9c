//! One line for each route: what it takes and what it answers.

use super::{Operation, operation};
use crate::api::{
    adjustments, admin, alerts, algorithms as swaps, books, claims, configuration, live, logs, mail_links,
    miningcore as miningcore_api, own_settings, pages, payouts, people as users, personal, pool as figures,
    shapes::{
        algorithms::{
            AlgorithmStatus, Algorithms, DeployAnswer, Deployment, DeploymentDetails, Plan, Staged,
        },
        miningcore as mc,
        money::{
            AdjustmentView, Asked, DryRun, Held, MinerPayouts, Payout, PayoutAct, PayoutDesk, PayoutDetails,
            Released, Threshold,
        },
        operate::{ConfigReloaded, ConfigView, LogLines},
        people::{
            Alert, AlertChannel, AlertRule, AlertsView, ApiToken, BackupCodes, ChannelTried, ClaimBegun,
            Claimed, Confirmed, LetterAsked, LogInAnswer, Me, MfaEnabled, MfaSetup, NewApiToken, OwnAddress,
            OwnSession, PersonalAlerts, PersonalAlertsSet, PersonalKey, PersonalTried, SessionLine,
            SilenceView, TokenPair, TrailEntry, User, UserDetails,
        },
        pool::{
            Announced, BanMade, BanView, Block, BlockDetails, Connections, Document, Earnings,
            HashrateHistory, KeptPage, Live, MinerDetails, MinersPage, Page, Proof, Ready, Statement, Stats,
            SystemView, Worker,
        },
    },
    sign_in, trail,
};

const HTML: &str = "text/html; charset=utf-8";

fn get(path: &'static str, tag: &'static str, summary: &'static str) -> Operation {
    operation("GET", path, tag, summary)
}

fn post(path: &'static str, tag: &'static str, summary: &'static str) -> Operation {
    operation("POST", path, tag, summary)
}

fn delete(path: &'static str, tag: &'static str, summary: &'static str) -> Operation {
    operation("DELETE", path, tag, summary)
}

/// All of them.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = public();
    all.extend(signing_in());
    all.extend(money());
    all.extend(algorithms());
    all.extend(alerting());
    all.extend(operating());
    all.extend(miningcore());
    all
}

fn public() -> Vec<Operation> {
    vec![
        get("/health/live", "operation", "Whether the process answers.").answers::<Live>(),
        get("/health/ready", "operation", "Whether miners can be given work and shares can be credited.")
            .answers::<Ready>()
            .with::<Ready>(503),
        get("/metrics", "operation", "Metrics in Prometheus' text format.")
            .text("text/plain; version=0.0.4; charset=utf-8"),
        get("/docs/errors", "operation", "What errors mean and what to do.").text(HTML),
        get("/docs/errors/{code}", "operation", "What an error means and what to do.").text(HTML),
        get("/api/openapi.json", "operation", "This description.").answers::<Document>(),
        get("/api/docs", "operation", "This description as a page.").text(HTML).refuses(&[404]),
        get("/api/stats", "pool", "Live figures of pool, network and ledger.").answers::<Stats>(),
        get(
            "/api/miners",
            "pool",
            "Accounts in the order of their address; with `sort` or `search` those that mine now.",
        )
        .query::<figures::MinersQuery>()
        .answers::<MinersPage>(),
        get("/api/miners/{account}", "pool", "An account with its workers and balance.")
            .answers::<MinerDetails>(),
        get("/api/miners/{account}/hashrate", "pool", "An account's hash rate by the hour.")
            .query::<figures::HashrateQuery>()
            .answers::<HashrateHistory>(),
        get("/api/miners/{account}/workers", "pool", "An account's workers by name.")
            .query::<pages::PageQuery>()
            .answers::<Page<Worker>>(),
        get("/api/miners/{account}/settings", "pool", "What an account is paid by.")
            .answers::<own_settings::AccountSettings>(),
        operation(
            "PATCH",
            "/api/miners/{account}/settings",
            "pool",
            "Sets the threshold of an address that one has claimed.",
        )
        .body::<own_settings::ChangeSettings>()
        .answers::<own_settings::AccountSettings>(),
        get("/api/miners/{account}/payouts", "pool", "An account's payouts, newest first, and its terms.")
            .query::<payouts::PageQuery>()
            .answers::<MinerPayouts>(),
        get(
            "/api/miners/{account}/earnings",
            "books",
            "An account's credits, newest first; with `format` all as a file.",
        )
        .query::<books::EarningsQuery>()
        .answers::<Earnings>()
        .text("text/csv; charset=utf-8"),
        get("/api/blocks", "pool", "Blocks of the pool, newest first.")
            .query::<figures::BlocksQuery>()
            .answers::<KeptPage<Block>>(),
        get(
            "/api/blocks/dag",
            "pool",
            "Blocks of the DAG, others' too, newest first, as far as the pool remembers.",
        )
        .query::<figures::DagQuery>()
        .answers::<Page<Block>>(),
        get("/api/blocks/{hash}", "pool", "A block and its life so far.").answers::<BlockDetails>(),
        get("/api/blocks/{hash}/statement", "books", "Who was paid for a block and by which shares.")
            .query::<books::StatementQuery>()
            .answers::<Statement>(),
        get("/api/blocks/{hash}/proof", "books", "An account's line of a block, to be checked by anybody.")
            .query::<books::ProofQuery>()
            .answers::<Proof>(),
        get("/api/live", "live", "A WebSocket with what happens; see the documentation of the feed.")
            .query::<live::Wish>()
            .nothing(101)
            .refuses(&[403]),
        get("/api/algorithms/status", "algorithms", "What is in force, staged and deployed.")
            .answers::<AlgorithmStatus>(),
    ]
}

fn signing_in() -> Vec<Operation> {
    vec![
        post("/api/auth/register", "sign-in", "Makes a user of the role miner.")
            .body::<sign_in::Register>()
            .with::<User>(201)
            .refuses(&[403, 409]),
        post(
            "/api/auth/login",
            "sign-in",
            "Signs in: a pair of tokens, or half a log-in that waits for its second factor.",
        )
        .body::<sign_in::LogIn>()
        .answers::<LogInAnswer>()
        .refuses(&[401, 403]),
        post("/api/auth/mfa/verify", "sign-in", "The second factor of a log-in.")
            .body::<sign_in::Verify>()
            .answers::<TokenPair>()
            .refuses(&[401]),
        post("/api/auth/refresh", "sign-in", "The next pair of tokens; each refresh token is good once.")
            .body::<sign_in::Refresh>()
            .answers::<TokenPair>()
            .refuses(&[401]),
        get("/api/auth/me", "sign-in", "Who the token stands for.").answers::<Me>(),
        post("/api/auth/logout", "sign-in", "Ends the session.").nothing(204).refuses(&[404]),
        post("/api/auth/mfa/setup", "sign-in", "A key for a second factor, not in force before `enable`.")
            .body::<sign_in::Password>()
            .answers::<MfaSetup>()
            .refuses(&[404, 409]),
        post("/api/auth/mfa/enable", "sign-in", "The second factor is in force; all other sessions end.")
            .body::<sign_in::Code>()
            .answers::<MfaEnabled>()
            .refuses(&[404, 409]),
        post("/api/auth/mfa/disable", "sign-in", "No second factor any more.")
            .body::<sign_in::Disable>()
            .nothing(204)
            .refuses(&[409]),
        post("/api/auth/mfa/backup-codes", "sign-in", "New backup codes in place of all others.")
            .body::<sign_in::Code>()
            .answers::<BackupCodes>()
            .refuses(&[409]),
        post("/api/auth/password", "sign-in", "Another password; all other sessions end.")
            .body::<sign_in::ChangePassword>()
            .nothing(204),
        post(
            "/api/auth/password/forgot",
            "sign-in",
            "Sends a link that sets another password, if anybody has the address.",
        )
        .body::<mail_links::Address>()
        .with::<LetterAsked>(202),
        post("/api/auth/password/reset", "sign-in", "Another password, by a mail's link; all sessions end.")
            .body::<mail_links::Reset>()
            .nothing(204),
        post("/api/auth/email/verify", "sign-in", "Confirms an address, by a mail's link.")
            .body::<mail_links::Secret>()
            .answers::<Confirmed>()
            .refuses(&[404]),
        post(
            "/api/auth/email/resend",
            "sign-in",
            "Sends the link that confirms an address once more, if anybody waits for it.",
        )
        .body::<mail_links::Address>()
        .with::<LetterAsked>(202),
        post(
            "/api/auth/email",
            "sign-in",
            "Another address, which counts once it is confirmed; null takes it away.",
        )
        .body::<mail_links::ChangeEmail>()
        .with::<User>(202)
        .refuses(&[404, 409]),
        get("/api/auth/accounts", "sign-in", "One's own payout addresses.")
            .answers::<Page<OwnAddress>>()
            .refuses(&[404]),
        post("/api/auth/accounts/claims", "sign-in", "Begins to show that a payout address is one's own.")
            .body::<claims::Begin>()
            .with::<ClaimBegun>(201)
            .refuses(&[404]),
        post(
            "/api/auth/accounts/claims/verify",
            "sign-in",
            "Shows it, by a signature or by the machines that mine for it.",
        )
        .body::<claims::Verify>()
        .answers::<Claimed>()
        .refuses(&[404, 409]),
        get("/api/auth/accounts/{account}/alerts", "sign-in", "What one hears of an address of one's own.")
            .answers::<PersonalAlerts>()
            .refuses(&[404]),
        post(
            "/api/auth/accounts/{account}/alerts",
            "sign-in",
            "Sets what one hears of it, and where; a code is sent to each new place.",
        )
        .body::<personal::Set>()
        .answers::<PersonalAlertsSet>()
        .refuses(&[404, 409]),
        post(
            "/api/auth/accounts/{account}/alerts/confirm",
            "sign-in",
            "Shows that one reads at a place, by the code that was sent there.",
        )
        .body::<personal::Confirm>()
        .answers::<PersonalAlerts>()
        .refuses(&[404]),
        post(
            "/api/auth/accounts/{account}/alerts/test",
            "sign-in",
            "Sends a test to each place, and says what came of it.",
        )
        .answers::<PersonalTried>()
        .refuses(&[404, 409]),
        post(
            "/api/auth/accounts/{account}/alerts/key",
            "sign-in",
            "A password by which machines may change what is told, shown once.",
        )
        .with::<PersonalKey>(201)
        .refuses(&[404, 409]),
        delete("/api/auth/accounts/{account}", "sign-in", "Gives a payout address back.").nothing(204),
        get("/api/auth/sessions", "sign-in", "One's own sessions.")
            .query::<pages::PageQuery>()
            .answers::<Page<OwnSession>>(),
        delete("/api/auth/sessions/{id}", "sign-in", "Ends one of one's own sessions.").nothing(204),
        get("/api/auth/tokens", "sign-in", "One's own tokens for scripts, newest first.")
            .query::<pages::PageQuery>()
            .answers::<Page<ApiToken>>(),
        post("/api/auth/tokens", "sign-in", "A new token for scripts, shown once.")
            .body::<sign_in::AddToken>()
            .with::<NewApiToken>(201)
            .refuses(&[409]),
        delete("/api/auth/tokens/{id}", "sign-in", "Takes a token for scripts back.").nothing(204),
    ]
}

fn money() -> Vec<Operation> {
    vec![
        get("/api/payouts", "payouts", "Payouts with all recipients, newest first.")
            .query::<payouts::PayoutsQuery>()
            .answers::<Page<Payout>>(),
        get("/api/payouts/{id}", "payouts", "A payout with its history and its transaction.")
            .answers::<PayoutDetails>(),
        get("/api/admin/payouts", "payouts", "How the dispatcher fares, who waits and why.")
            .answers::<PayoutDesk>(),
        get("/api/admin/payouts/audit", "payouts", "What operators did about payouts, newest first.")
            .query::<payouts::PageQuery>()
            .answers::<Page<PayoutAct>>(),
        get("/api/admin/payouts/dry-run", "payouts", "What would be paid now.")
            .answers::<DryRun>()
            .refuses(&[409]),
        post("/api/admin/payouts/run", "payouts", "Pays now.").with::<Asked>(202).refuses(&[409]),
        post("/api/admin/payouts/hold", "payouts", "Holds everything, a payout or an account.")
            .body::<payouts::HoldRequest>()
            .answers::<Held>()
            .refuses(&[404, 409]),
        post("/api/admin/payouts/release", "payouts", "Releases what is held.")
            .body::<payouts::HoldRequest>()
            .answers::<Released>()
            .refuses(&[404, 409]),
        post("/api/admin/payouts/threshold", "payouts", "Sets an account's own threshold.")
            .body::<payouts::ThresholdRequest>()
            .answers::<Threshold>()
            .refuses(&[404]),
        get("/api/admin/ledger/adjustments", "payouts", "Corrections of balances, newest first.")
            .query::<adjustments::AdjustmentsQuery>()
            .answers::<Page<AdjustmentView>>(),
        post(
            "/api/admin/ledger/adjustments",
            "payouts",
            "Corrects a confirmed balance; 200 if the very same was made before.",
        )
        .body::<adjustments::Decision>()
        .with::<AdjustmentView>(201)
        .answers::<AdjustmentView>()
        .refuses(&[404, 409, 422]),
    ]
}

fn algorithms() -> Vec<Operation> {
    vec![
        get("/api/algorithms", "algorithms", "What hashes, and what could.").answers::<Algorithms>(),
        get("/api/algorithms/plan", "algorithms", "What a deployment of the staged package would do.")
            .query::<swaps::DeployConfig>()
            .answers::<Plan>()
            .refuses(&[404, 409, 422]),
        post("/api/algorithms/plan", "algorithms", "The same for the body of a deployment.")
            .maybe::<swaps::DeployRequest>()
            .answers::<Plan>()
            .refuses(&[404, 409, 422]),
        post("/api/algorithms/stage", "algorithms", "Takes a package in and checks it.")
            .query::<swaps::StageQuery>()
            .body::<swaps::ByPath>()
            .also(&["multipart/form-data", "application/zip"])
            .answers::<Staged>()
            .refuses(&[409, 422]),
        post("/api/algorithms/deploy", "algorithms", "Begins to deploy what is staged.")
            .maybe::<swaps::DeployRequest>()
            .with::<DeployAnswer>(202)
            .refuses(&[404, 409, 422]),
        get("/api/deployments", "algorithms", "Deployments, newest first.")
            .query::<swaps::Page>()
            .answers::<Page<Deployment>>(),
        get("/api/deployments/{id}", "algorithms", "A deployment with its trail.")
            .answers::<DeploymentDetails>(),
        post(
            "/api/deployments/{id}/{action}",
            "algorithms",
            "Pauses, resumes, advances or rolls a deployment back.",
        )
        .maybe::<swaps::Reason>()
        .answers::<Deployment>()
        .refuses(&[409]),
    ]
}

fn alerting() -> Vec<Operation> {
    vec![
        get("/api/alerts", "alerts", "What fires, and what is over, newest first.")
            .query::<alerts::HistoryQuery>()
            .answers::<AlertsView>(),
        get("/api/alerts/rules", "alerts", "What is watched.").answers::<Page<AlertRule>>(),
        get("/api/alerts/channels", "alerts", "How the channels fare.").answers::<Page<AlertChannel>>(),
        post("/api/alerts/channels/{name}/test", "alerts", "Tries a channel.").answers::<ChannelTried>(),
        post("/api/alerts/silences", "alerts", "Keeps a rule quiet for a while.")
            .body::<alerts::Quiet>()
            .with::<SilenceView>(201),
        delete("/api/alerts/silences/{id}", "alerts", "Ends a silence.").nothing(204),
        post("/api/alerts/{id}/acknowledge", "alerts", "Somebody takes care of it.")
            .maybe::<alerts::Note>()
            .answers::<Alert>(),
    ]
}

fn operating() -> Vec<Operation> {
    vec![
        get("/api/admin/system", "operation", "Every supervised actor and its state.")
            .answers::<SystemView>(),
        get("/api/admin/connections", "operation", "Miners' sessions.")
            .query::<admin::Wanted>()
            .answers::<Connections>(),
        delete("/api/admin/connections/{session}", "operation", "Closes a session.")
            .nothing(204)
            .refuses(&[404]),
        post("/api/admin/bans", "operation", "Bans an address, at all pools that share their bans.")
            .body::<admin::NewBan>()
            .with::<BanMade>(201),
        get("/api/admin/config", "operation", "The configuration in force, without its secrets.")
            .answers::<ConfigView>(),
        post(
            "/api/admin/config/reload",
            "operation",
            "Reads the configuration again, or says what that would change.",
        )
        .maybe::<configuration::ReloadOrder>()
        .answers::<ConfigReloaded>()
        .refuses(&[422]),
        get("/api/admin/logs", "operation", "The last lines of the log, or those to come.")
            .query::<logs::Wanted>()
            .answers::<LogLines>(),
        get("/api/admin/bans", "operation", "Who may not connect.")
            .query::<pages::PageQuery>()
            .answers::<Page<BanView>>(),
        delete("/api/admin/bans/{address}", "operation", "Lifts a ban, at all pools that share them.")
            .nothing(204),
        post("/api/admin/announce", "operation", "Shows a text on all miners that can show one.")
            .body::<admin::Announcement>()
            .answers::<Announced>(),
        get("/api/users", "people", "A user by name, with open sessions.")
            .query::<users::NameQuery>()
            .answers::<UserDetails>()
            .refuses(&[404]),
        get("/api/admin/users", "people", "Users by name.")
            .query::<users::PageQuery>()
            .answers::<Page<User>>(),
        post("/api/admin/users", "people", "Makes a user.")
            .body::<users::AddUser>()
            .with::<User>(201)
            .refuses(&[409]),
        get("/api/admin/users/{name}", "people", "A user with open sessions.").answers::<UserDetails>(),
        operation(
            "PATCH",
            "/api/admin/users/{name}",
            "people",
            "Changes one thing of a user, whose sessions end.",
        )
        .body::<users::ChangeUser>()
        .answers::<User>()
        .refuses(&[409]),
        get("/api/admin/sessions", "people", "Everybody's sessions, newest first.")
            .query::<pages::PageQuery>()
            .answers::<Page<SessionLine>>(),
        delete("/api/admin/sessions/{id}", "people", "Ends a session.").nothing(204),
        get("/api/admin/audit", "people", "Who did what, newest first.")
            .query::<trail::TrailQuery>()
            .answers::<Page<TrailEntry>>(),
    ]
}

/// Miningcore's; its lists are in v2, too, in an envelope.
fn miningcore() -> Vec<Operation> {
    let mc = |path, summary| get(path, "miningcore", summary);
    vec![
        mc("/api/pools", "The pools of this host: one.").answers::<mc::Pools>(),
        mc("/api/pools/{pool}", "The pool.").answers::<mc::PoolAnswer>(),
        mc("/api/pools/{pool}/performance", "The pool's last 30 minutes.").answers::<mc::PoolSamples>(),
        mc("/api/pools/{pool}/miners", "Miners that mine now, the fastest first.")
            .query::<miningcore_api::PageQuery>()
            .answers::<Vec<mc::Miner>>(),
        mc("/api/v2/pools/{pool}/miners", "Miners that mine now, the fastest first, in an envelope.")
            .query::<miningcore_api::PageQuery>()
            .answers::<mc::Paged<mc::Miner>>(),
        mc("/api/pools/{pool}/blocks", "Blocks, newest first.")
            .query::<miningcore_api::BlocksQuery>()
            .answers::<Vec<mc::Block>>(),
        mc("/api/v2/pools/{pool}/blocks", "Blocks, newest first, in an envelope.")
            .query::<miningcore_api::BlocksQuery>()
            .answers::<mc::Paged<mc::Block>>(),
        mc("/api/pools/{pool}/payments", "Payments, newest first.")
            .query::<miningcore_api::PageQuery>()
            .answers::<Vec<mc::Payment>>(),
        mc("/api/v2/pools/{pool}/payments", "Payments, newest first, in an envelope.")
            .query::<miningcore_api::PageQuery>()
            .answers::<mc::Paged<mc::Payment>>(),
        mc("/api/pools/{pool}/miners/{address}/payments", "An account's payments, newest first.")
            .query::<miningcore_api::PageQuery>()
            .answers::<Vec<mc::Payment>>(),
        mc(
            "/api/v2/pools/{pool}/miners/{address}/payments",
            "An account's payments, newest first, in an envelope.",
        )
        .query::<miningcore_api::PageQuery>()
        .answers::<mc::Paged<mc::Payment>>(),
        mc(
            "/api/pools/{pool}/miners/{address}/balancechanges",
            "What changed an account's balance, newest first.",
        )
        .query::<miningcore_api::PageQuery>()
        .answers::<Vec<mc::BalanceChange>>(),
        mc(
            "/api/v2/pools/{pool}/miners/{address}/balancechanges",
            "What changed an account's balance, newest first, in an envelope.",
        )
        .query::<miningcore_api::PageQuery>()
        .answers::<mc::Paged<mc::BalanceChange>>(),
        mc(
            "/api/pools/{pool}/miners/{address}/earnings/daily",
            "What an account was paid by the day, newest first.",
        )
        .query::<miningcore_api::PageQuery>()
        .answers::<Vec<mc::Day>>(),
        mc(
            "/api/v2/pools/{pool}/miners/{address}/earnings/daily",
            "What an account was paid by the day, newest first, in an envelope.",
        )
        .query::<miningcore_api::PageQuery>()
        .answers::<mc::Paged<mc::Day>>(),
        mc("/api/pools/{pool}/miners/{address}", "An account.")
            .query::<miningcore_api::PerfModeQuery>()
            .answers::<mc::MinerStats>(),
        mc("/api/pools/{pool}/miners/{address}/performance", "An account's hash rate by the hour or day.")
            .query::<miningcore_api::ModeQuery>()
            .answers::<Vec<mc::Workers>>(),
        mc("/api/pools/{pool}/miners/{address}/settings", "An account's own terms.")
            .answers::<mc::MinerSettings>(),
        mc("/notifications", "A WebSocket with what Miningcore tells of.")
            .nothing(101)
            .refuses(&[400, 403, 503]),
    ]
}
