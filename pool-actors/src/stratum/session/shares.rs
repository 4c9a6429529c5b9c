//! Shares: judged here by everything but their hash, then by their validator, then answered.

use std::{rc::Rc, sync::Arc};

use pool_domain::{
    ban_list::BanReason,
    dedup::Seen,
    ids::JobId,
    share::{LostReason, RejectCause, RejectReason, Solution, Verdict},
    units::TimeMs,
};

use super::{
    pending::{Guess, Pending},
    protocol::{End, Flow, SEEN_MAX, Session},
    work::{Pace, Terms, job_version_mask},
};
use crate::{
    messages::{event::PoolEvent, share::Share, stats::ShareCounts},
    runtime::ticket::{Resolved, Verdicts},
    stratum::{
        context::Bound,
        dialect::{
            submit::{SessionPart, job_number, solution},
            wire_id,
        },
        jobs::{JobBook, JobEntry, Label},
        wire::{CODE_BAD_PARAMS, Fields, Params, ReplyId, Request, push_error, push_result},
    },
    trace::ShareLife,
};

/// Why a share is answered at once.
enum Refused {
    /// With the reason's own words.
    Reason(RejectReason),
    /// Code 20, in other words.
    Words(String),
    /// No credit: not now.
    Stall,
}

/// What a share says.
struct Understood {
    worker: u16,
    guess: Option<Box<Guess>>,
    solution: Solution,
    bound: Rc<Bound>,
}

/// A share on its way to a validator.
struct Candidate {
    id: ReplyId,
    worker: u16,
    guess: Option<Box<Guess>>,
    solution: Solution,
    received_at: TimeMs,
}

impl Session {
    /// A share in an unusual form.
    pub(super) fn submit_request(&mut self, request: &Request<'_>, now: TimeMs, out: &mut Vec<u8>) -> Flow {
        let Some(params) = Params::parse(request.params) else {
            push_error(out, &request.id, CODE_BAD_PARAMS, "Invalid params: expected a list");
            return self.note_malformed().map_or(Flow::Next, Flow::End);
        };
        self.submit(request.id.clone(), &params, now, out)
    }

    /// A share: refused at once, or on its way to its validator.
    #[inline]
    pub(super) fn submit(
        &mut self,
        id: ReplyId,
        params: &impl Fields,
        now: TimeMs,
        out: &mut Vec<u8>,
    ) -> Flow {
        let hub = Rc::clone(&self.hub);
        let jobs = hub.jobs.borrow();
        let outcome = match self.understand(&jobs, params, now) {
            Ok((entry, understood)) => {
                let Understood { worker, guess, solution, bound } = understood;
                let candidate = Candidate { id, worker, guess, solution, received_at: now };
                self.forward(entry, bound, candidate, now)
            }
            Err(refused) => Err((refused, id)),
        };
        match outcome {
            Ok(()) => Flow::Next,
            Err((refused, id)) => {
                let label = self.label_named(&jobs, job_number(self.variant, params));
                match refused {
                    Refused::Words(words) => self.refuse(&id, RejectReason::Other, label, &words, out),
                    Refused::Reason(reason) => self.refuse(&id, reason, label, reason.message(), out),
                    Refused::Stall => Flow::Stall,
                }
            }
        }
    }

    /// Where a share is counted that is answered at once: by the job that it names, else by what this session works on.
    fn label_named(&self, jobs: &JobBook, number: Option<u64>) -> Option<Label> {
        let named = number.and_then(|number| jobs.find(wire_id::split(number).0));
        let function = || jobs.label_for(self.card.facts.borrow().function.as_deref(), self.card.id);
        named.map(|entry| entry.label(self.card.id)).or_else(function)
    }

    /// What a share says: by whom, for which job, and on which terms.
    #[inline]
    fn understand<'a>(
        &self,
        jobs: &'a JobBook,
        params: &impl Fields,
        now: TimeMs,
    ) -> Result<(&'a JobEntry, Understood), Refused> {
        if !self.subscribed {
            return Err(Refused::Reason(RejectReason::NotSubscribed));
        }
        let user = params.text(0).ok_or(Refused::Reason(RejectReason::Unauthorized))?;
        let worker = self.workers.iter().position(|worker| worker.is(&user));
        let worker = worker.ok_or(Refused::Reason(RejectReason::Unauthorized))?;
        let worker = u16::try_from(worker).map_err(|_| Refused::Reason(RejectReason::Unauthorized))?;
        let number = job_number(self.variant, params);
        let (entry, terms) = self.named_job(jobs, number).ok_or(Refused::Reason(RejectReason::StaleJob))?;
        let part = SessionPart {
            prefix: terms.prefix.as_slice(),
            extranonce2_bytes: self.dialect.extranonce2_bytes,
            version_mask: self.version_mask & job_version_mask(entry.job.header()),
            now,
        };
        let solution = solution(self.variant.submit, params, entry.job.header(), &part)
            .map_err(|malformed| Refused::Words(malformed.to_string()))?;
        let guess = (self.variant.recent_jobs_tried > 0).then(|| {
            let left = self.variant.recent_jobs_tried;
            Box::new(Guess { solution, named: entry.job.id, tried: None, left })
        });
        let bound = self.bound_by(terms, entry);
        Ok((entry, Understood { worker, guess, solution, bound }))
    }

    /// The job that a share names, with the terms under its number. Firmware that names wrong jobs is given the newest one.
    fn named_job<'a>(&self, jobs: &'a JobBook, number: Option<u64>) -> Option<(&'a JobEntry, &Terms)> {
        let named = number.and_then(|number| {
            let entry = jobs.find(wire_id::split(number).0)?;
            Some((entry, self.terms_of(number)?))
        });
        if named.is_some() || self.variant.recent_jobs_tried == 0 {
            return named;
        }
        let entry = self.entry_in_force(jobs)?;
        Some((entry, self.terms_of(wire_id::first(entry.job.id))?))
    }

    fn bound_by(&self, terms: &Terms, entry: &JobEntry) -> Rc<Bound> {
        let bound = &terms.bound;
        // A job that this session skipped may be of another algorithm.
        if bound.scale == entry.scale {
            Rc::clone(bound)
        } else {
            self.hub.bound(bound.difficulty, entry.scale)
        }
    }

    /// Duplicate check, ticket, batch.
    fn forward(
        &mut self,
        entry: &JobEntry,
        bound: Rc<Bound>,
        candidate: Candidate,
        now: TimeMs,
    ) -> Result<(), (Refused, ReplyId)> {
        if self.office.credit() == 0 {
            return Err((Refused::Stall, candidate.id));
        }
        let fingerprint = entry.fingerprints.of(&candidate.solution);
        self.seen.expect(entry.space, fingerprint);
        let header = entry.layout.assemble(&candidate.solution);
        match self.seen.check(entry.space, fingerprint, SEEN_MAX) {
            Seen::New => {}
            Seen::Duplicate => return Err((Refused::Reason(RejectReason::Duplicate), candidate.id)),
            Seen::Full => {
                let words = "Too many shares on one block: wait for a higher difficulty".to_owned();
                return Err((Refused::Words(words), candidate.id));
            }
        }
        let Candidate { id, worker, guess, solution, received_at } = candidate;
        let (target, work) = (bound.target, bound.work);
        let label = entry.label(self.card.id);
        let token = self.pending.insert(Pending { id, bound, received_at, worker, label, guess });
        let Some(ticket) = self.office.issue(token) else {
            let id = self.pending.take(token).map_or_else(ReplyId::null, |pending| pending.id);
            return Err((Refused::Stall, id));
        };
        self.card.note_nonce(solution.nonce);
        let share = Share {
            ticket,
            header,
            job: Arc::clone(&entry.job),
            target,
            work,
            worker: Arc::clone(&self.workers[usize::from(worker)].identity),
            solution,
            late: entry.is_late(now, self.hub.shared.job_grace_ms),
            received_at: self.hub.date_at(now),
            validations: 0,
            life: ShareLife::begin(),
        };
        self.hub.intake.put(entry.job.split.route(self.card.id), share);
        Ok(())
    }

    /// Answers the shares that were judged.
    pub fn verdicts(
        &mut self,
        verdicts: &mut Verdicts,
        now: TimeMs,
        caught_up: bool,
        out: &mut Vec<u8>,
    ) -> Option<End> {
        let mut retarget = false;
        let mut end = None;
        for Resolved { token, verdict } in verdicts.0.drain(..) {
            let Some(mut pending) = self.pending.take(token) else { continue };
            match verdict {
                Verdict::Accepted => {
                    push_result(out, &pending.id, b"true");
                    self.hub.note_acknowledged(pending.received_at, now);
                    retarget |= self.credit(&pending, now);
                }
                Verdict::Rejected(RejectReason::LowDifficulty) if pending.guess.is_some() => {
                    let id = pending.id.clone();
                    if let Err(reason) = self.guess_again(&mut pending, now) {
                        end = end.or(self.refuse_judged(&id, reason, pending.label, out));
                    }
                }
                Verdict::Rejected(reason) => {
                    end = end.or(self.refuse_judged(&pending.id, reason, pending.label, out));
                }
                Verdict::Lost(reason) => {
                    self.count_reject(RejectCause::Invalid, Some(pending.label));
                    push_error(out, &pending.id, RejectReason::Other.code(), &reason.to_string());
                    if reason == LostReason::AlgorithmPanicked {
                        end = end.or(Some(self.poison()));
                    }
                }
            }
        }
        self.forgive();
        if retarget && caught_up {
            self.offer_again(now, out);
        }
        end
    }

    /// Books an accepted share. True if the difficulty is to change.
    fn credit(&mut self, pending: &Pending, now: TimeMs) -> bool {
        self.judged += 1;
        let date = self.hub.date_at(now);
        self.hub.credit(&self.card, pending.label, pending.bound.work, date);
        match &mut self.pace {
            Pace::Vardiff(vardiff) => vardiff.on_share(now, pending.bound.difficulty).is_some(),
            _ => false,
        }
    }

    /// Tries the next recent job with the same nonce.
    fn guess_again(&mut self, pending: &mut Pending, now: TimeMs) -> Result<(), RejectReason> {
        let hub = Rc::clone(&self.hub);
        let jobs = hub.jobs.borrow();
        let Some(mut guess) = pending.guess.take() else { return Err(RejectReason::LowDifficulty) };
        let next = |tried: Option<JobId>| match tried {
            None => self.entry_in_force(&jobs),
            Some(tried) => jobs.before(tried),
        };
        let mut entry = next(guess.tried);
        if entry.is_some_and(|entry| entry.job.id == guess.named) {
            entry = next(Some(guess.named));
        }
        let Some(entry) = entry.filter(|_| guess.left > 0) else { return Err(RejectReason::LowDifficulty) };
        guess.left -= 1;
        guess.tried = Some(entry.job.id);
        let terms = self.terms_of(wire_id::first(entry.job.id)).ok_or(RejectReason::LowDifficulty)?;
        let bound = self.bound_by(terms, entry);
        let solution = guess.solution;
        let candidate = Candidate {
            id: pending.id.clone(),
            worker: pending.worker,
            guess: Some(guess),
            solution,
            received_at: pending.received_at,
        };
        self.forward(entry, bound, candidate, now).map_err(|(refused, _)| match refused {
            Refused::Reason(reason) => reason,
            Refused::Words(_) | Refused::Stall => RejectReason::LowDifficulty,
        })
    }

    fn refuse(
        &mut self,
        id: &ReplyId,
        reason: RejectReason,
        label: Option<Label>,
        words: &str,
        out: &mut Vec<u8>,
    ) -> Flow {
        push_error(out, id, reason.code(), words);
        self.count_reject(reason.cause(), label);
        self.suspect(reason).map_or(Flow::Next, Flow::End)
    }

    fn refuse_judged(
        &mut self,
        id: &ReplyId,
        reason: RejectReason,
        label: Label,
        out: &mut Vec<u8>,
    ) -> Option<End> {
        push_error(out, id, reason.code(), reason.message());
        self.count_reject(reason.cause(), Some(label));
        self.suspect(reason)
    }

    /// Bans who sends little but invalid shares. Late ones are no offence.
    fn suspect(&mut self, reason: RejectReason) -> Option<End> {
        if reason == RejectReason::StaleJob {
            return None;
        }
        self.judged += 1;
        self.invalid += 1;
        let banning = self.hub.shared.banning();
        let guilty = self.judged >= banning.invalid_min.max(1)
            && u64::from(self.invalid) * 10_000
                > u64::from(self.judged) * u64::from(banning.invalid_basis_points_max);
        self.forgive();
        guilty.then(|| self.ban(BanReason::InvalidShares))
    }

    /// Ends the session of a share that the algorithm panicked on; a miner that is no enemy comes back with other shares.
    fn poison(&mut self) -> End {
        let strikes = self.permit.strike(self.hub.date());
        self.hub.shared.publish(PoolEvent::SecurityEvent {
            code: "POISONOUS_SHARE".to_owned(),
            message: format!("{}: the algorithm panicked on a share, number {strikes}", self.card.peer.ip()),
        });
        if strikes >= self.hub.shared.banning().poisonous_max {
            return self.ban(BanReason::PoisonousShares);
        }
        End::Poison
    }

    /// The rule looks at windows, not at all of a session's life.
    fn forgive(&mut self) {
        if self.judged >= self.hub.shared.banning().invalid_min.max(1) {
            (self.judged, self.invalid) = (0, 0);
        }
    }

    fn count_reject(&self, cause: RejectCause, label: Option<Label>) {
        let mut counts = ShareCounts { rejected: 1, ..ShareCounts::default() };
        match cause {
            RejectCause::Stale => counts.stale = 1,
            RejectCause::Duplicate => counts.duplicate = 1,
            RejectCause::LowDifficulty => counts.low_difficulty = 1,
            RejectCause::Invalid => counts.invalid = 1,
        }
        if self.authorised() {
            self.hub.count(&self.card, label, &counts);
        } else {
            self.hub.count_anonymous(&counts);
        }
    }
}
