//! The lives of shares, seen in samples: where their time goes. In a build with the feature `otel`; without it
//! [`ShareLife`] is nothing, takes no room and no time.
//!
//! A share's life begins when its session has taken it and ends when its verdict is on its way; whatever ends it, what it had
//! reached becomes a span with a child for each part: waiting for its validator, being hashed, being committed.
//! `stats::TraceWriter` takes the spans from here and brings them to their collector.

/// What it costs where nobody traces.
#[cfg(not(any(feature = "otel", test)))]
const _: () = assert!(size_of::<ShareLife>() == 0);

#[cfg(not(any(feature = "otel", test)))]
pub use off::ShareLife;
#[cfg(any(feature = "otel", test))]
pub use on::{ShareLife, begin_sampling, random_ids, take_spans};

#[cfg(not(any(feature = "otel", test)))]
mod off {
    /// The life of a share, of which nothing is kept.
    #[derive(Debug, Default)]
    pub struct ShareLife;

    impl ShareLife {
        /// A share was taken.
        #[inline(always)]
        #[must_use]
        pub const fn begin() -> Self {
            Self
        }

        /// Its batch was hashed, from `started` until now.
        #[inline(always)]
        pub fn hashed(&mut self, _: tokio::time::Instant) {}

        /// It was refused.
        #[inline(always)]
        pub fn refused(&mut self, _: &'static str) {}

        /// It is durable.
        #[inline(always)]
        pub fn committed(&mut self) {}
    }
}

#[cfg(any(feature = "otel", test))]
mod on {
    use std::sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    };

    use tokio::time::Instant;

    use crate::ports::spans::{Field, Span};

    /// Spans that wait to be taken; more are given up.
    const WAITING_MAX: usize = 8_192;

    struct Sampler {
        /// One share in so many.
        one_in: u64,
        seen: AtomicU64,
        begun: Instant,
        begun_ns: u64,
        spans: Mutex<Vec<Span>>,
        given_up: AtomicU64,
    }

    static SAMPLER: OnceLock<Sampler> = OnceLock::new();

    /// From now on, one share in so many is traced. The first call of a process counts.
    pub fn begin_sampling(one_in: u64, now_ns: u64) {
        SAMPLER.get_or_init(|| Sampler {
            one_in: one_in.max(1),
            seen: AtomicU64::new(0),
            begun: Instant::now(),
            begun_ns: now_ns,
            spans: Mutex::default(),
            given_up: AtomicU64::new(0),
        });
    }

    /// The spans that are complete, and how many were given up since there was no room; they are here no longer.
    #[must_use]
    pub fn take_spans() -> (Vec<Span>, u64) {
        let Some(sampler) = SAMPLER.get() else { return Default::default() };
        let mut spans = sampler.spans.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut *spans), sampler.given_up.swap(0, Ordering::Relaxed))
    }

    /// A number for a life, and for a part of it.
    #[must_use]
    pub fn random_ids() -> (u128, u64) {
        (rand::random::<u128>() | 1, rand::random::<u64>() | 1)
    }

    impl Sampler {
        fn at(&self, moment: Instant) -> u64 {
            let since = moment.saturating_duration_since(self.begun).as_nanos();
            self.begun_ns.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
        }
    }

    #[derive(Debug)]
    struct Marks {
        begun: Instant,
        hashing: Option<(Instant, Instant)>,
        committed: Option<Instant>,
        refused: Option<&'static str>,
    }

    /// The life of a share: nothing, if it is not in the sample.
    #[derive(Debug, Default)]
    pub struct ShareLife(Option<Box<Marks>>);

    impl ShareLife {
        /// A share was taken.
        #[must_use]
        pub fn begin() -> Self {
            let Some(sampler) = SAMPLER.get() else { return Self(None) };
            if sampler.seen.fetch_add(1, Ordering::Relaxed) % sampler.one_in != 0 {
                return Self(None);
            }
            let marks = Marks { begun: Instant::now(), hashing: None, committed: None, refused: None };
            Self(Some(Box::new(marks)))
        }

        /// Its batch was hashed, from `started` until now.
        pub fn hashed(&mut self, started: Instant) {
            if let Some(marks) = &mut self.0 {
                marks.hashing = Some((started, Instant::now()));
            }
        }

        /// It was refused.
        pub fn refused(&mut self, reason: &'static str) {
            if let Some(marks) = &mut self.0 {
                marks.refused = Some(reason);
            }
        }

        /// It is durable.
        pub fn committed(&mut self) {
            if let Some(marks) = &mut self.0 {
                marks.committed = Some(Instant::now());
            }
        }
    }

    impl Drop for ShareLife {
        fn drop(&mut self) {
            let (Some(marks), Some(sampler)) = (self.0.take(), SAMPLER.get()) else { return };
            let spans = spans(&marks, Instant::now(), |moment| sampler.at(moment));
            let mut waiting = sampler.spans.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() + spans.len() > WAITING_MAX {
                sampler.given_up.fetch_add(spans.len() as u64, Ordering::Relaxed);
            } else {
                waiting.extend(spans);
            }
        }
    }

    fn spans(marks: &Marks, ended: Instant, at: impl Fn(Instant) -> u64) -> Vec<Span> {
        let (trace_id, whole) = random_ids();
        let outcome = match (marks.committed, marks.refused) {
            (Some(_), _) => "accepted",
            (None, Some(reason)) => reason,
            (None, None) => "lost",
        };
        let part = |name, from: Instant, to: Instant| Span {
            trace_id,
            span_id: random_ids().1,
            parent_id: whole,
            name,
            start_ns: at(from),
            end_ns: at(to),
            attributes: Vec::new(),
            ok: true,
        };
        let mut spans = vec![Span {
            span_id: whole,
            parent_id: 0,
            attributes: vec![("dagpool.outcome", Field::Text(outcome.to_owned()))],
            // A share that is refused is an answer, too; one that is lost is none.
            ok: outcome != "lost",
            ..part("share", marks.begun, marks.committed.unwrap_or(ended))
        }];
        if let Some((started, hashed)) = marks.hashing {
            spans.push(part("wait for validator", marks.begun, started));
            spans.push(part("hash", started, hashed));
            if let Some(committed) = marks.committed {
                spans.push(part("commit", hashed, committed));
            }
        }
        spans
    }

    #[cfg(test)]
    mod tests {
        use std::time::Duration;

        use super::*;

        #[test]
        fn a_life_is_told_by_its_parts() {
            let begun = Instant::now();
            let after = |ms: u64| begun + Duration::from_millis(ms);
            let marks = Marks {
                begun,
                hashing: Some((after(1), after(3))),
                committed: Some(after(7)),
                refused: None,
            };
            let at = |moment: Instant| u64::try_from((moment - begun).as_millis()).unwrap();
            let whole = spans(&marks, after(9), at);
            let told: Vec<_> = whole.iter().map(|span| (span.name, span.start_ns, span.end_ns)).collect();
            assert_eq!(
                told,
                [("share", 0, 7), ("wait for validator", 0, 1), ("hash", 1, 3), ("commit", 3, 7)]
            );
            assert!(whole.iter().all(|span| span.trace_id == whole[0].trace_id && span.span_id != 0));
            assert!(whole[1..].iter().all(|span| span.parent_id == whole[0].span_id));
            assert_eq!(whole[0].parent_id, 0);
            assert_eq!(whole[0].attributes[0].1, Field::Text("accepted".into()));

            let refused = Marks { committed: None, refused: Some("stale"), ..marks };
            let told = spans(&refused, after(4), at);
            assert_eq!((told.len(), told[0].end_ns, told[0].ok), (3, 4, true));
            let lost = Marks { begun, hashing: None, committed: None, refused: None };
            let told = spans(&lost, after(5), at);
            assert_eq!((told.len(), told[0].end_ns, told[0].ok), (1, 5, false));
        }

        /// One test, since a process samples once.
        #[test]
        fn one_in_three_is_sampled_and_what_is_taken_is_gone() {
            begin_sampling(3, 1_700_000_000_000_000_000);
            for number in 0..9 {
                let mut life = ShareLife::begin();
                life.hashed(Instant::now());
                if number % 2 == 0 { life.committed() } else { life.refused("stale") }
            }
            let (spans, given_up) = take_spans();
            let whole: Vec<_> = spans.iter().filter(|span| span.parent_id == 0).collect();
            assert_eq!((whole.len(), given_up), (3, 0), "{spans:?}");
            assert!(whole[0].start_ns >= 1_700_000_000_000_000_000);
            assert!(take_spans().0.is_empty());
            for _ in 0..3 * WAITING_MAX {
                drop(ShareLife::begin());
            }
            let (spans, given_up) = take_spans();
            assert_eq!((spans.len(), given_up), (WAITING_MAX, 0));
            for _ in 0..3 * (WAITING_MAX + 5) {
                drop(ShareLife::begin());
            }
            let (spans, given_up) = take_spans();
            assert_eq!((spans.len(), given_up), (WAITING_MAX, 5));
        }
    }
}
