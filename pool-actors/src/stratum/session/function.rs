//! Which function a session works on: moving to another one in a migration, and having none that it can do.

use std::rc::Rc;

use pool_domain::{ids::AlgorithmName, units::TimeMs, vardiff::Vardiff};

use super::{protocol::Session, work::Pace};
use crate::{
    messages::job::Job,
    stratum::{
        dialect::wire_id,
        jobs::{JobBook, JobEntry},
        wire::{push_notification, push_string},
    },
};

/// What there is for a session to do.
pub(super) enum Offer<'a> {
    /// This.
    Job(&'a JobEntry),
    /// Nothing yet.
    Nothing,
    /// Nothing that it can do is mined (any more).
    Never,
}

/// Whether a job is of another function than the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    /// It is not.
    None,
    /// It is not, but the miner is told for the first time what it works on.
    Named,
    /// It is.
    Other,
}

impl Session {
    /// The newest job of the function that this session is to work on.
    pub(super) fn offer<'a>(&self, jobs: &'a JobBook) -> Offer<'a> {
        let Some(functions) = jobs.functions() else { return Offer::Nothing };
        let facts = self.card.facts.borrow();
        let able = facts.versions.as_ref().map(|versions| &versions.able[..]);
        let on = facts.function.as_deref();
        let Some(assigned) = functions.assigned(self.card.id, able, on) else { return Offer::Never };
        // Numbers on the wire rise: an older job of the function it is to move to is not sent, the next one is.
        let last = self.last_sent.map(|last| wire_id::split(last).0);
        let sendable = |entry: &&JobEntry| last.is_none_or(|last| entry.job.id >= last);
        if let Some(entry) = jobs.newest_of(assigned).filter(sendable) {
            return Offer::Job(entry);
        }
        // No work of it yet: what it works on goes on.
        let stay = on.unwrap_or(&functions.main);
        match jobs.newest_of(stay).filter(|entry| functions.includes(&entry.job.algorithm)) {
            Some(entry) if able.is_none_or(|able| able.contains(stay)) => Offer::Job(entry),
            _ => Offer::Nothing,
        }
    }

    /// The job in force for this session, if there is one.
    pub(super) fn entry_in_force<'a>(&self, jobs: &'a JobBook) -> Option<&'a JobEntry> {
        match self.offer(jobs) {
            Offer::Job(entry) => Some(entry),
            Offer::Nothing | Offer::Never => None,
        }
    }

    /// The next job is `job`: if it is of another function, tells who asked for it (`mining.set_algorithm`), and begins the search for the
    /// difficulty anew if it is another one, since a hash of it costs something else.
    pub(super) fn switch_to(&mut self, job: &Job, now: TimeMs, out: &mut Vec<u8>) -> Switch {
        let function = &job.algorithm;
        let mut facts = self.card.facts.borrow_mut();
        facts.stranded = false;
        let other = facts.function.as_deref().is_some_and(|on| on != function);
        if facts.function.as_deref() != Some(function) {
            facts.function = Some(self.hub.function(function));
        }
        let mut named = false;
        if let Some(versions) = &mut facts.versions
            && versions.told.as_ref() != Some(function)
        {
            versions.told = Some(function.clone());
            named = true;
            let mut params = vec![b'['];
            push_string(&mut params, function.as_str());
            params.push(b']');
            push_notification(out, "mining.set_algorithm", &params);
        }
        drop(facts);
        if other {
            let hub = Rc::clone(&self.hub);
            let listener = &hub.shared.listeners[self.card.listener()];
            let start = listener.start(Some(job));
            match self.pace {
                Pace::Vardiff(_) => {
                    let vardiff = Vardiff::new(listener.vardiff(), start, job.network_difficulty, now);
                    self.pace = Pace::Vardiff(vardiff);
                }
                Pace::Fixed(_) if listener.fixed && !listener.explicit => self.pace = Pace::Fixed(start),
                Pace::Fixed(_) | Pace::Wanted { .. } => {}
            }
        }
        match (other, named) {
            (true, _) => Switch::Other,
            (false, true) => Switch::Named,
            (false, false) => Switch::None,
        }
    }

    /// The miner has said what it can do: it is told what its work is of from now on, which may be another function.
    pub(super) fn say_what_it_works_on(&mut self, now: TimeMs, out: &mut Vec<u8>) {
        if !self.authorised() {
            // With its first work.
            return;
        }
        let before = self.last_sent;
        self.offer_work(now, out);
        if self.last_sent.is_some() && self.last_sent == before {
            self.offer_again(now, out);
        }
    }

    /// Nothing that this miner can do is mined (any more): it stays, and is told why.
    pub(super) fn strand(&mut self, out: &mut Vec<u8>) {
        let before = std::mem::replace(&mut self.card.facts.borrow_mut().stranded, true);
        if !before {
            self.say_why_there_is_no_work(out);
        }
    }

    pub(super) fn say_why_there_is_no_work(&self, out: &mut Vec<u8>) {
        let jobs = self.hub.jobs.borrow();
        let Some(functions) = jobs.functions() else { return };
        let main = &functions.main;
        let facts = self.card.facts.borrow();
        let able = match (&facts.versions, &facts.function) {
            (Some(versions), _) => {
                let names: Vec<&str> = versions.able.iter().map(AlgorithmName::as_str).collect();
                format!("this miner said that it can do {}", names.join(", "))
            }
            (None, Some(on)) => format!("this miner works on {on} and did not say that it can switch"),
            (None, None) => "this miner can't do that".to_owned(),
        };
        self.show_message(
            &format!("No work: the pool mines {main} now; {able}. Restart it with {main}."),
            out,
        );
    }
}
