//! Sending work: jobs, difficulties, extranonces, version masks, and what the hub tells the session to do.

use std::{rc::Rc, sync::Arc};

use pool_domain::{
    difficulty::Difficulty, extranonce::ExtranoncePrefix, ids::JobId, units::TimeMs, vardiff::Vardiff,
};

use super::{
    function::{Offer, Switch},
    protocol::{End, Session},
};
use crate::{
    messages::{event::PoolEvent, job::Job, session::SessionCommand},
    ports::node::HeaderForm,
    stratum::{
        context::{ArbiterContext, Bound},
        dialect::{AnnounceExtranonce, Login, render, wire_id},
        jobs::{JobBook, JobEntry},
        wire::{push_call, push_display, push_hex, push_notification, push_string},
    },
};

/// Longest silence on our side: some miners give up after 120 s.
const KEEPALIVE_MS: u64 = 50_000;
/// How often a session's pace is looked at while it is being searched.
const SEARCH_TICK_MS: u64 = 1_000;
/// For how long after connecting a search may take; an idle session is looked at less often after that.
const SEARCH_MS: u64 = 60_000;

/// How a session's difficulty is found.
#[derive(Debug)]
pub(super) enum Pace {
    /// No work was sent yet; what the miner asked for until then.
    Wanted {
        /// Difficulty to start with.
        start: Option<Difficulty>,
        /// BIP 310's minimum.
        minimum: Option<Difficulty>,
    },
    /// As configured or asked for; only the network's difficulty bounds it.
    Fixed(Difficulty),
    /// By the pace of its shares.
    Vardiff(Vardiff),
}

/// From which job number on which terms hold.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) from: u64,
    pub(super) bound: Rc<Bound>,
    pub(super) prefix: ExtranoncePrefix,
}

impl Session {
    /// One turn of the clock and of what the hub wants. `caught_up`: nothing unsent is left.
    pub fn attend(&mut self, now: TimeMs, caught_up: bool, out: &mut Vec<u8>) -> Option<End> {
        for command in self.card.take_commands() {
            if let Some(end) = self.obey(command, now, out) {
                return Some(end);
            }
        }
        if now >= self.card.due_at.get() {
            if let Some(end) = self.overdue(now) {
                return Some(end);
            }
            self.tick(now, caught_up, out);
        }
        let offered = caught_up && self.card.take_job();
        if offered {
            self.offer_work(now, out);
        }
        self.hub.note_turn(&self.card, now);
        None
    }

    fn tick(&mut self, now: TimeMs, caught_up: bool, out: &mut Vec<u8>) {
        let stranded = self.card.facts.borrow().stranded;
        let changed = match &mut self.pace {
            Pace::Vardiff(vardiff) if !stranded => vardiff.on_tick(now).is_some(),
            _ => false,
        };
        if changed && caught_up {
            self.offer_again(now, out);
        }
        if !caught_up || !out.is_empty() || now < self.keepalive_at() {
            return;
        }
        if stranded {
            self.say_why_there_is_no_work(out);
        }
        // Every miner knows this line, and it changes nothing.
        if out.is_empty()
            && let Some(terms) = self.terms.last()
        {
            render::push_set_difficulty(out, terms.bound.difficulty);
        }
    }

    pub(super) fn keepalive_at(&self) -> TimeMs {
        self.last_sent_at.plus_ms(KEEPALIVE_MS)
    }

    pub(super) fn pace_tick_ms(&self, now: TimeMs) -> u64 {
        match &self.pace {
            Pace::Vardiff(vardiff)
                if !vardiff.is_steady() && now.since(self.card.connected_at) < SEARCH_MS =>
            {
                SEARCH_TICK_MS
            }
            Pace::Vardiff(_) => self.listener().vardiff().target_interval_ms.max(SEARCH_TICK_MS),
            _ => KEEPALIVE_MS,
        }
    }

    fn obey(&mut self, command: SessionCommand, now: TimeMs, out: &mut Vec<u8>) -> Option<End> {
        match command {
            SessionCommand::ShowMessage(text) => self.show_message(&text, out),
            SessionCommand::Reconnect { host, port, wait_s } => {
                let mut params = vec![b'['];
                push_string(&mut params, &host);
                push_display(&mut params, format_args!(",{port},{wait_s}]"));
                push_notification(out, "client.reconnect", &params);
                return Some(End::Closed);
            }
            SessionCommand::AskVersion if self.authorised() => {
                push_call(out, b"\"version\"", "client.get_version", b"[]");
            }
            SessionCommand::RenewExtranonce if self.takes_extranonce || self.announces_extranonce() => {
                self.renew_extranonce(now, out);
            }
            SessionCommand::AskVersion | SessionCommand::RenewExtranonce => {}
            SessionCommand::Close => return Some(End::Closed),
        }
        None
    }

    /// Only after authorisation: before it, some miners give up on what they don't know.
    pub(super) fn show_message(&self, text: &str, out: &mut Vec<u8>) {
        if self.authorised() && self.dialect.shows_messages {
            let mut params = vec![b'['];
            push_string(&mut params, text);
            params.push(b']');
            push_notification(out, "client.show_message", &params);
        }
    }

    fn announces_extranonce(&self) -> bool {
        self.variant.extranonce != AnnounceExtranonce::WhenAsked
    }

    fn renew_extranonce(&mut self, now: TimeMs, out: &mut Vec<u8>) {
        let shared = &self.hub.shared;
        let ip = self.card.peer.ip();
        let Ok(fresh) = shared.allocate_prefix(self.dialect.prefix_bytes, ip, now) else { return };
        if let Some(old) = self.prefix.replace(fresh) {
            // It rests, so that shares of jobs sent with it stay this session's own.
            shared.release_prefix(old, ip, true);
        }
        if self.last_sent.is_some() {
            self.push_extranonce(out);
            self.offer_again(now, out);
        }
    }

    /// Announces the extranonce in the variant's form.
    pub(super) fn push_extranonce(&self, out: &mut Vec<u8>) {
        let Some(prefix) = self.prefix else { return };
        let mut params = b"[\"".to_vec();
        push_hex(&mut params, prefix.as_slice());
        params.push(b'"');
        if self.variant.extranonce != AnnounceExtranonce::Prefix {
            push_display(&mut params, format_args!(",{}", self.dialect.extranonce2_bytes));
        }
        params.push(b']');
        push_notification(out, "mining.set_extranonce", &params);
    }

    /// The first work, once the miner has both subscribed and authorised, in whichever order.
    pub(super) fn start_work(&mut self, now: TimeMs, out: &mut Vec<u8>) {
        if !self.subscribed || !self.authorised() || self.last_sent.is_some() {
            return;
        }
        if !std::mem::replace(&mut self.begun, true) && self.announces_extranonce() {
            self.push_extranonce(out);
        }
        // Flags raised before this moment are about work that is sent now.
        let _ = self.card.take_job();
        self.offer_work(now, out);
    }

    /// How the difficulty is found from the first job on: only that one says where its function begins, and it may come long
    /// after the miner.
    fn first_pace(
        &self,
        start: Option<Difficulty>,
        minimum: Option<Difficulty>,
        job: &Job,
        now: TimeMs,
    ) -> Pace {
        let listener = self.listener();
        let mut settings = listener.vardiff();
        if let Some(minimum) = minimum.filter(|minimum| *minimum > settings.minimum) {
            let minimum = minimum.min(settings.maximum);
            Arc::make_mut(&mut settings).minimum = minimum;
        }
        let start = start.unwrap_or_else(|| listener.start(Some(job))).max(settings.minimum);
        if listener.fixed {
            return Pace::Fixed(start.quantise());
        }
        Pace::Vardiff(Vardiff::new(settings, start, job.network_difficulty, now))
    }

    /// Sends the newest job of its function, if it is newer than what was sent last.
    pub(super) fn offer_work(&mut self, now: TimeMs, out: &mut Vec<u8>) {
        let hub = Rc::clone(&self.hub);
        let jobs = hub.jobs.borrow();
        if !self.begun || hub.paused.borrow().is_some() {
            return;
        }
        match self.offer(&jobs) {
            Offer::Job(entry) => {
                let first = wire_id::first(entry.job.id);
                if self.last_sent.is_some_and(|last| last >= first) {
                    return;
                }
                if let Pace::Wanted { start, minimum } = self.pace {
                    self.pace = self.first_pace(start, minimum, &entry.job, now);
                }
                self.send_job(&hub, &jobs, entry, first, now, out);
            }
            Offer::Nothing => return,
            Offer::Never => self.strand(out),
        }
        self.forget_what_is_over(&jobs);
    }

    /// Sends the job in force once more, under a new number, because its terms have changed.
    pub(super) fn offer_again(&mut self, now: TimeMs, out: &mut Vec<u8>) {
        let hub = Rc::clone(&self.hub);
        let jobs = hub.jobs.borrow();
        let (Offer::Job(entry), Some(last)) = (self.offer(&jobs), self.last_sent) else { return };
        let first = wire_id::first(entry.job.id);
        if hub.paused.borrow().is_some() || last >= first + wire_id::EPOCH_MAX {
            return;
        }
        self.send_job(&hub, &jobs, entry, first.max(last + 1), now, out);
    }

    fn send_job(
        &mut self,
        hub: &ArbiterContext,
        jobs: &JobBook,
        entry: &JobEntry,
        number: u64,
        now: TimeMs,
        out: &mut Vec<u8>,
    ) {
        let Some(prefix) = self.prefix else { return };
        let line = render::notify(self.variant, &entry.job);
        if line.is_empty() {
            tracing::error!(
                dialect = self.dialect.name,
                listener = self.card.listener(),
                "this listener's dialect can't carry the chain's work: change `dialect` of [[stratum.listener]]"
            );
            return;
        }
        let switch = self.switch_to(&entry.job, now, out);
        let difficulty = self.difficulty_for(entry.job.network_difficulty, now);
        self.push_version_mask(entry.job.header(), out);
        self.bind(hub, number, (difficulty, switch == Switch::Other), prefix, entry.scale, out);
        let last = self.last_sent.map(|last| wire_id::split(last).0);
        let clean = switch != Switch::None || jobs.is_clean_since(last, &entry.job.algorithm);
        if number == wire_id::first(entry.job.id) && clean == entry.job.clean {
            out.extend_from_slice(line);
        } else {
            render::push_renumbered(out, line, self.variant.job_id, number, clean);
        }
        self.last_sent = Some(number);
    }

    /// The difficulty of the next job: never above the network's.
    fn difficulty_for(&mut self, network: Difficulty, now: TimeMs) -> Difficulty {
        match &mut self.pace {
            Pace::Vardiff(vardiff) => {
                vardiff.set_network(network, now);
                vardiff.current()
            }
            Pace::Fixed(difficulty) => (*difficulty).min(network).quantise(),
            Pace::Wanted { .. } => self.listener().start(None).min(network).quantise(),
        }
    }

    /// Binds the terms of a job number; announces its difficulty if it is another one, or means another thing.
    fn bind(
        &mut self,
        hub: &ArbiterContext,
        number: u64,
        (difficulty, another_function): (Difficulty, bool),
        prefix: ExtranoncePrefix,
        scale: pool_domain::difficulty::DifficultyScale,
        out: &mut Vec<u8>,
    ) {
        let last = self.terms.last();
        let announced = last.map(|terms| terms.bound.difficulty);
        if announced != Some(difficulty) || another_function {
            render::push_set_difficulty(out, difficulty);
            if announced.is_some() {
                self.publish_difficulty(difficulty);
            }
        }
        let same = last.is_some_and(|last| {
            last.bound.difficulty == difficulty && last.bound.scale == scale && last.prefix == prefix
        });
        // A number of its own must be known as one that was really sent.
        if !same || wire_id::split(number).1 > 0 {
            let bound = hub.bound(difficulty, scale);
            self.card.facts.borrow_mut().bound = Some(Rc::clone(&bound));
            self.terms.push(Terms { from: number, bound, prefix });
        }
    }

    fn publish_difficulty(&self, difficulty: Difficulty) {
        if let Some(first) = self.workers.first() {
            self.hub.shared.publish(PoolEvent::DifficultyAdjusted {
                session: self.card.id,
                account: first.identity.account.to_string(),
                worker: first.identity.worker.to_string(),
                difficulty,
            });
        }
    }

    /// BIP 310: told with the first work, and whenever a job allows other bits than the last one.
    fn push_version_mask(&mut self, header: &HeaderForm, out: &mut Vec<u8>) {
        if self.version_mask == 0 {
            return;
        }
        let mask = self.version_mask & job_version_mask(header);
        if self.version_mask_sent != Some(mask) {
            self.version_mask_sent = Some(mask);
            push_notification(out, "mining.set_version_mask", format!("[\"{mask:08x}\"]").as_bytes());
        }
    }

    /// The terms of a job number; `None` if it was never sent.
    pub(super) fn terms_of(&self, number: u64) -> Option<&Terms> {
        let terms = self.terms.iter().rev().find(|terms| terms.from <= number)?;
        (wire_id::split(number).1 == 0 || terms.from == number).then_some(terms)
    }

    /// Forgets terms and shares of jobs that nobody can be paid for any more.
    fn forget_what_is_over(&mut self, jobs: &JobBook) {
        let oldest = wire_id::first(jobs.oldest().unwrap_or(JobId(0)));
        let needed = self.terms.iter().rposition(|terms| terms.from <= oldest).unwrap_or(0);
        self.terms.drain(..needed);
        if self.seen.spaces() > 1 {
            self.seen.retain(|space| jobs.has_space(space));
        }
    }

    /// `account.worker`, from what the dialect's miners send.
    pub(super) fn login_name(&self, user: &str, password: &str) -> String {
        match self.dialect.login {
            Login::PasswordIsWorker
                if !password.is_empty() && !password.contains('=') && !user.contains('.') =>
            {
                format!("{user}.{password}")
            }
            _ => user.to_owned(),
        }
    }
}

/// Bits that a job lets miners roll.
pub(super) fn job_version_mask(header: &HeaderForm) -> u32 {
    match header {
        HeaderForm::Coinbase { version_mask, .. } => *version_mask,
        HeaderForm::BdagMining { .. } | HeaderForm::PrePow { .. } => 0,
    }
}
