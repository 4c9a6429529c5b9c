//! Everything a miner asks for apart from shares.

use std::{rc::Rc, sync::Arc};

use pool_domain::{
    difficulty::{Difficulty, DifficultyScale},
    ids::AlgorithmName,
    share::RejectReason,
    target::Target,
    units::TimeMs,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    protocol::{Authorised, End, Flow, Session},
    work::{Pace, job_version_mask},
};
use crate::{
    messages::{event::PoolEvent, share::WorkerIdentity},
    ports::personal::Wishes,
    stratum::{
        context::{Asides, Notices, Versions},
        dialect::SubscribeReply,
        prefixes::NoPrefix,
        wire::{
            CODE_BAD_PARAMS, Params, ReplyId, Request, push_display, push_error, push_hex, push_result,
            push_string, text_of,
        },
    },
};

/// Longest name of a miner that is kept.
const AGENT_LENGTH_MAX: usize = 64;
/// Workers of one connection (proxies have several).
const WORKERS_MAX: usize = 256;
/// Refused authorisations after which the connection is closed.
const FAILED_LOGINS_MAX: u8 = 5;
/// Extensions of one `mining.configure` that are looked at.
const EXTENSIONS_MAX: usize = 16;
/// What a password begins with that shows whose account it is (see `auth`, which makes them).
const CLAIM_PREFIX: &str = "claim-";
/// And what one begins with that lets a machine change what the account's owner is told.
const ALERTS_PREFIX: &str = "alerts-";
/// What `mining.configure_notifications` takes.
const NOTIFICATIONS_EXPECTED: &str = "Invalid params: expected [{\"worker_offline_minutes\":0 or 1-1440,\
    \"hashrate_drop_percent\":0 or 10-95,\"payout\":bool,\"block\":bool,\"show_message\":bool}]; \
    where an owner is told (mail, webhook, chat) is set on the page ACCOUNT";
/// Longer ones are none.
const CLAIM_LENGTH_MAX: usize = 64;
/// Functions of one `mining.multi_version` that are looked at.
const FUNCTIONS_MAX: usize = 16;
/// Version bits that may be rolled when no job says otherwise (BIP 320).
const VERSION_MASK: u32 = 0x1fff_e000;

impl Session {
    pub(super) fn subscribe(&mut self, request: &Request<'_>, now: TimeMs, out: &mut Vec<u8>) -> Flow {
        let Some(params) = self.params(request, out) else { return Flow::Next };
        if !self.subscribed {
            self.note_agent(params.text(0).as_deref());
        }
        if self.prefix.is_none() {
            match self.hub.shared.allocate_prefix(self.dialect.prefix_bytes, self.card.peer.ip(), now) {
                Ok(prefix) => self.prefix = Some(prefix),
                Err(error) => {
                    // One address that wants too many is its own business; a pool without any concerns the operator.
                    match error {
                        NoPrefix::PerAddress { .. } => tracing::debug!(peer = %self.card.peer, "{error}"),
                        NoPrefix::Exhausted => tracing::error!(
                            peer = %self.card.peer,
                            "a miner was turned away, no extranonce prefix is free: add a listener of a dialect with longer ones"
                        ),
                    }
                    push_error(out, &request.id, RejectReason::Other.code(), &error.to_string());
                    return Flow::End(End::Closed);
                }
            }
        }
        self.subscribed = true;
        let reply = self.subscribe_reply();
        push_result(out, &request.id, &reply);
        self.start_work(now, out);
        Flow::Next
    }

    fn subscribe_reply(&self) -> Vec<u8> {
        let mut prefix = Vec::new();
        push_hex(&mut prefix, self.prefix.as_ref().map_or(&[], |prefix| prefix.as_slice()));
        let (mut reply, size) = (Vec::with_capacity(96), self.dialect.extranonce2_bytes);
        match self.variant.subscribe {
            SubscribeReply::Subscriptions => {
                // Never eight hexadecimal digits: some miners would take that for the extranonce.
                let id = self.card.id.0;
                push_display(
                    &mut reply,
                    format_args!(
                        "[[[\"mining.set_difficulty\",\"s{id:x}\"],[\"mining.notify\",\"s{id:x}\"]],\""
                    ),
                );
            }
            SubscribeReply::EthereumStratum => return b"[true,\"EthereumStratum/1.0.0\"]".to_vec(),
            SubscribeReply::Bitmain => reply.extend_from_slice(b"[null,\""),
        }
        reply.extend_from_slice(&prefix);
        push_display(&mut reply, format_args!("\",{size}]"));
        reply
    }

    fn note_agent(&mut self, agent: Option<&str>) {
        let Some(agent) = agent else { return };
        let agent: String = agent.chars().filter(|char| !char.is_control()).take(AGENT_LENGTH_MAX).collect();
        self.variant = self.dialect.variant(&agent);
        let mut facts = self.card.facts.borrow_mut();
        facts.variant = self.variant.name;
        facts.agent = (!agent.is_empty()).then(|| agent.into_boxed_str());
    }

    /// The answer to `client.get_version`.
    pub(super) fn response(&mut self, result: Option<&RawValue>) {
        if let Some(agent) = result.and_then(text_of) {
            let agent: String =
                agent.chars().filter(|char| !char.is_control()).take(AGENT_LENGTH_MAX).collect();
            self.card.facts.borrow_mut().agent = Some(agent.into_boxed_str());
        }
    }

    pub(super) fn authorize(&mut self, request: &Request<'_>, now: TimeMs, out: &mut Vec<u8>) -> Flow {
        let Some(params) = self.params(request, out) else { return Flow::Next };
        let Some(user) = params.text(0) else {
            push_error(out, &request.id, CODE_BAD_PARAMS, "Invalid params: expected [user, password]");
            return self.failed_login();
        };
        let password = params.text(1).unwrap_or_default();
        if self.workers.iter().any(|worker| worker.is(&user)) {
            push_result(out, &request.id, b"true");
            return Flow::Next;
        }
        if self.workers.len() >= WORKERS_MAX {
            push_error(
                out,
                &request.id,
                RejectReason::Unauthorized.code(),
                "Too many workers on one connection",
            );
            return Flow::Next;
        }
        match (self.hub.shared.accounts)(&self.login_name(&user, &password)) {
            Ok((account, worker)) => {
                push_result(out, &request.id, b"true");
                self.enrol(&user, WorkerIdentity { account, worker });
                self.note_claim(&password);
                self.read_options(&password);
                self.start_work(now, out);
                Flow::Next
            }
            Err(why) => {
                push_error(
                    out,
                    &request.id,
                    RejectReason::Unauthorized.code(),
                    &format!("Unauthorized worker: {why}"),
                );
                self.failed_login()
            }
        }
    }

    fn failed_login(&mut self) -> Flow {
        self.failed_logins = self.failed_logins.saturating_add(1);
        if self.failed_logins >= FAILED_LOGINS_MAX { Flow::End(End::Closed) } else { Flow::Next }
    }

    fn enrol(&mut self, user: &str, identity: WorkerIdentity) {
        let identity = Arc::new(identity);
        let first = self.workers.is_empty();
        self.workers.push(Authorised::new(user, Arc::clone(&identity)));
        if first {
            self.permit.authorise();
            self.card.facts.borrow_mut().identity = Some(identity);
            self.hub.shared.publish(PoolEvent::MinerConnected(self.card.seen()));
        }
    }

    /// A password that shows a claim of the account: of the connection's first worker, whose account it is known by.
    fn note_claim(&mut self, password: &str) {
        if self.workers.len() != 1 {
            return;
        }
        let named = |prefix: &str| {
            let found = password.split([',', ';', ' ']).find(|part| part.starts_with(prefix));
            found.filter(|found| found.len() <= CLAIM_LENGTH_MAX).map(Box::from)
        };
        let (claim, key) = (named(CLAIM_PREFIX), named(ALERTS_PREFIX));
        if claim.is_some() || key.is_some() {
            let notices = None;
            self.card.facts.borrow_mut().asides = Some(Box::new(Asides { claim, key, notices }));
        }
    }

    /// `[{"worker_offline_minutes":10,...}]`: what of its account is told on this miner; and, if it showed the password for it,
    /// what the account's owner is told from now on. Where owners are told is never set here: whoever mines for an address
    /// shows by it that he pays its owner, and no more.
    pub(super) fn configure_notifications(&mut self, request: &Request<'_>, out: &mut Vec<u8>) {
        let Some(params) = self.params(request, out) else { return };
        if !self.authorised() {
            let code = RejectReason::Unauthorized.code();
            push_error(out, &request.id, code, "Unauthorized: authorize first, it is about your account");
            return;
        }
        if !self.hub.shared.notices {
            push_error(out, &request.id, RejectReason::Other.code(), "This pool offers no notifications");
            return;
        }
        // A list would be taken for an object without names.
        let wanted = params.raw(0).filter(|raw| params.len() == 1 && raw.get().starts_with('{'));
        let wanted = wanted.and_then(|raw| serde_json::from_str::<Wanted>(raw.get()).ok());
        let Some(wanted) = wanted else {
            push_error(out, &request.id, CODE_BAD_PARAMS, NOTIFICATIONS_EXPECTED);
            return;
        };
        let Wanted { worker_offline_minutes, hashrate_drop_percent, payout, block, show_message } = wanted;
        let wishes = Wishes { worker_offline_minutes, hashrate_drop_percent, payout, block };
        if let Err((field, expected)) = wishes.check() {
            let text = format!("Invalid params: {field} must be {expected}");
            push_error(out, &request.id, CODE_BAD_PARAMS, &text);
            return;
        }
        let shows = show_message && self.dialect.shows_messages;
        let mut facts = self.card.facts.borrow_mut();
        let asides = facts.asides.get_or_insert_default();
        let asks = asides.key.is_some();
        asides.notices = Some(Notices { wishes, shows, asks });
        drop(facts);
        let account = if asks { "asked" } else { "unchanged" };
        let mut reply = Vec::new();
        push_display(
            &mut reply,
            format_args!(
                "{{\"worker_offline_minutes\":{worker_offline_minutes},\"hashrate_drop_percent\":{hashrate_drop_percent},\
                 \"payout\":{payout},\"block\":{block},\"show_message\":{shows},\"account\":\"{account}\"}}"
            ),
        );
        push_result(out, &request.id, &reply);
    }

    /// Options in the password: `d=512`, `difficulty=0.5`, `diff=1`, apart by commas, semicolons or spaces.
    fn read_options(&mut self, password: &str) {
        let Pace::Wanted { start, .. } = &mut self.pace else { return };
        for option in password.split([',', ';', ' ']) {
            let Some((key, value)) = option.split_once('=') else { continue };
            if matches!(key.trim().to_ascii_lowercase().as_str(), "d" | "diff" | "difficulty")
                && let Ok(difficulty) = Difficulty::parse(value.trim())
            {
                *start = Some(self.hub.shared.admissible(self.card.listener(), difficulty));
            }
        }
    }

    pub(super) fn suggest_difficulty(&mut self, request: &Request<'_>, now: TimeMs, out: &mut Vec<u8>) {
        let Some(params) = self.params(request, out) else { return };
        match params.scalar(0).map(|text| Difficulty::parse(&text)) {
            Some(Ok(difficulty)) => self.suggest(difficulty, &request.id, now, out),
            Some(Err(error)) => {
                push_error(out, &request.id, CODE_BAD_PARAMS, &format!("Invalid params: {error}"));
            }
            None => push_error(out, &request.id, CODE_BAD_PARAMS, "Invalid params: expected [difficulty]"),
        }
    }

    pub(super) fn suggest_target(&mut self, request: &Request<'_>, now: TimeMs, out: &mut Vec<u8>) {
        let Some(params) = self.params(request, out) else { return };
        let target = params.text(0).and_then(|text| Target::from_be_hex(&text).ok());
        let Some(target) = target else {
            push_error(out, &request.id, CODE_BAD_PARAMS, "Invalid params: expected [64 hexadecimal digits]");
            return;
        };
        let hub = Rc::clone(&self.hub);
        let scale =
            self.entry_in_force(&hub.jobs.borrow()).map_or(DifficultyScale::SHA256D, |entry| entry.scale);
        self.suggest(scale.difficulty_of(target), &request.id, now, out);
    }

    fn suggest(&mut self, difficulty: Difficulty, id: &ReplyId, now: TimeMs, out: &mut Vec<u8>) {
        push_result(out, id, b"true");
        let difficulty = self.hub.shared.admissible(self.card.listener(), difficulty);
        let fixed = self.listener().fixed;
        let changed = match &mut self.pace {
            Pace::Vardiff(vardiff) => vardiff.suggest(difficulty, now).is_some(),
            Pace::Fixed(current) if !fixed => std::mem::replace(current, difficulty) != difficulty,
            Pace::Fixed(_) => false,
            Pace::Wanted { start, .. } => {
                *start = Some(difficulty);
                false
            }
        };
        if changed {
            self.offer_again(now, out);
        }
    }

    /// `[["blake2s","blake3"]]`: what the miner can do. From then on it is told what its work is of, and may be moved.
    pub(super) fn multi_version(&mut self, request: &Request<'_>, now: TimeMs, out: &mut Vec<u8>) {
        let Some(params) = self.params(request, out) else { return };
        let names = Params::parse(params.raw(0)).filter(|_| params.raw(0).is_some());
        let Some(names) = names else {
            let expected = "Invalid params: expected [[names of hash functions]]";
            push_error(out, &request.id, CODE_BAD_PARAMS, expected);
            return;
        };
        let named = |index| AlgorithmName::new(&names.text(index)?).ok();
        let able = (0..names.len().min(FUNCTIONS_MAX)).filter_map(named).collect();
        push_result(out, &request.id, b"true");
        self.card.facts.borrow_mut().versions = Some(Box::new(Versions { able, told: None }));
        self.say_what_it_works_on(now, out);
    }

    /// BIP 310.
    pub(super) fn configure(&mut self, request: &Request<'_>, now: TimeMs, out: &mut Vec<u8>) {
        let Some(params) = self.params(request, out) else { return };
        let extensions = Params::parse(params.raw(0)).filter(|_| params.raw(0).is_some());
        let Some(extensions) = extensions else {
            push_error(
                out,
                &request.id,
                CODE_BAD_PARAMS,
                "Invalid params: expected [[extensions], {options}]",
            );
            return;
        };
        let options: Options<'_> =
            params.raw(1).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let mut reply = vec![b'{'];
        for index in 0..extensions.len().min(EXTENSIONS_MAX) {
            let Some(name) = extensions.text(index) else { continue };
            if reply.len() > 1 {
                reply.push(b',');
            }
            push_string(&mut reply, &name);
            reply.push(b':');
            match &*name {
                "version-rolling" => self.configure_version_rolling(&options, &mut reply),
                "minimum-difficulty" => self.configure_minimum(&options, now, &mut reply),
                "subscribe-extranonce" => {
                    self.takes_extranonce = true;
                    reply.extend_from_slice(b"true");
                }
                "info" => {
                    if let Some(agent) = options.software.and_then(text_of) {
                        self.note_agent(Some(&agent));
                    }
                    reply.extend_from_slice(b"true");
                }
                _ => reply.extend_from_slice(b"false"),
            }
        }
        reply.push(b'}');
        push_result(out, &request.id, &reply);
    }

    fn configure_version_rolling(&mut self, options: &Options<'_>, reply: &mut Vec<u8>) {
        let wanted = match options.mask.and_then(text_of) {
            None => Some(u32::MAX),
            Some(text) if text.len() <= 8 && !text.starts_with('+') => u32::from_str_radix(&text, 16).ok(),
            Some(_) => None,
        };
        let allowed = self
            .entry_in_force(&self.hub.jobs.borrow())
            .map_or(VERSION_MASK, |entry| job_version_mask(entry.job.header()));
        match wanted.map(|wanted| wanted & allowed) {
            Some(mask) if mask != 0 => {
                // Only what later jobs allow of it counts; the miner is told with its work.
                self.version_mask = wanted.unwrap_or(0);
                self.version_mask_sent = None;
                push_display(reply, format_args!("true,\"version-rolling.mask\":\"{mask:08x}\""));
            }
            _ => reply.extend_from_slice(b"false"),
        }
    }

    fn configure_minimum(&mut self, options: &Options<'_>, now: TimeMs, reply: &mut Vec<u8>) {
        let value = options.minimum.and_then(|raw| Difficulty::parse(raw.get()).ok());
        reply.extend_from_slice(if value.is_some() { b"true" } else { b"false" });
        let Some(minimum) = value else { return };
        let minimum = self.hub.shared.admissible(self.card.listener(), minimum);
        match &mut self.pace {
            // The change goes out with the next job.
            Pace::Vardiff(vardiff) => {
                vardiff.set_minimum(minimum, now);
            }
            Pace::Fixed(_) => {}
            Pace::Wanted { minimum: wanted, .. } => *wanted = Some(minimum),
        }
    }

    /// The parameters, or the error that says why there are none.
    pub(super) fn params<'a>(&mut self, request: &Request<'a>, out: &mut Vec<u8>) -> Option<Params<'a>> {
        let params = Params::parse(request.params);
        if params.is_none() {
            push_error(out, &request.id, CODE_BAD_PARAMS, "Invalid params: expected a list");
        }
        params
    }
}

/// What a miner wants to be told.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    worker_offline_minutes: u32,
    #[serde(default)]
    hashrate_drop_percent: u32,
    #[serde(default)]
    payout: bool,
    #[serde(default)]
    block: bool,
    #[serde(default = "yes")]
    show_message: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Default, Deserialize)]
struct Options<'a> {
    #[serde(borrow, default, rename = "version-rolling.mask")]
    mask: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "minimum-difficulty.value")]
    minimum: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "info.sw")]
    software: Option<&'a RawValue>,
}
