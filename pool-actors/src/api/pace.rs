//! When each live feed hears what happened: thousands of writes at one moment would hold up the miners' shares, which need the
//! same processor.
//!
//! Feeds are in lanes, [`SLICE`] in each until all lanes have so many: the first lane hears at once, each further one a step
//! later than the one before it, so that a second's figures reach the last within [`FIGURES_SPREAD`], and anything else
//! within [`SPREAD`]. One task ([`Pace::keep`]) moves all lanes on; a feed has no timer for that.
//!
//! A lane is the number of the newest event that its feeds may tell. So every feed hears in the order of the numbers: what
//! overtakes a second's figures takes them along. Events wait in the hub's channel, as they do for a feed that is slow.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::{Stream, stream};
use tokio::{
    sync::{
        broadcast::{self, error::RecvError, error::TryRecvError},
        watch,
    },
    time::{Instant, sleep_until},
};

use crate::messages::{
    event::PoolEvent,
    live::{Events, Numbered},
};

/// Lanes. An empty one takes no time.
const LANES: u32 = 256;
/// Feeds that one lane takes while another is empty: so few hear at the same moment, and a pool with no more notices nothing.
const SLICE: usize = 16;
/// From the first to the last lane, figures of a second.
const FIGURES_SPREAD: Duration = Duration::from_millis(800);
/// The same of all else.
const SPREAD: Duration = Duration::from_millis(200);
/// Waves on their way; the oldest ends early when there are more, before the hub's channel, which holds twice as many, drops it.
const WAVES_MAX: usize = 512;

/// What a feed hears.
pub(super) enum Told {
    /// An event.
    Event(Arc<Numbered>),
    /// The channel dropped events, because this feed was too slow.
    Lost,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Pace {
    lanes: Vec<watch::Sender<u64>>,
}

/// An event on its way over the lanes.
struct Wave {
    seq: u64,
    begun: Instant,
    /// From the first to past the last lane.
    spread: Duration,
    /// The lane that hears next.
    next: u32,
}

impl Wave {
    fn new(event: &Numbered, begun: Instant) -> Self {
        let figures = matches!(event.event, PoolEvent::Stats(_));
        let spread = if figures { FIGURES_SPREAD } else { SPREAD };
        Self { seq: event.seq, begun, spread, next: 0 }
    }

    fn due(&self) -> Instant {
        self.begun + self.spread * self.next / LANES
    }
}

impl Pace {
    /// Lanes without feeds. Nothing moves on before [`Self::keep`] runs.
    pub(super) fn new() -> Self {
        Self { lanes: (0..LANES).map(|_| watch::Sender::new(0)).collect() }
    }

    /// What a feed hears of `live`, and when. Its place in its lane ends with the stream.
    pub(super) fn paced(&self, live: broadcast::Receiver<Arc<Numbered>>) -> impl Stream<Item = Told> + use<> {
        stream::unfold((live, self.place(), None), |(mut live, mut lane, mut early)| async move {
            loop {
                let event: Arc<Numbered> = match early.take().map_or_else(|| live.try_recv(), Ok) {
                    Ok(event) => event,
                    Err(TryRecvError::Empty) => {
                        lane.changed().await.ok()?;
                        continue;
                    }
                    Err(TryRecvError::Lagged(_)) => return Some((Told::Lost, (live, lane, None))),
                    Err(TryRecvError::Closed) => return None,
                };
                if event.seq <= *lane.borrow_and_update() {
                    return Some((Told::Event(event), (live, lane, None)));
                }
                early = Some(event);
                lane.changed().await.ok()?;
            }
        })
    }

    /// A place in the first lane that has room, or in the emptiest.
    fn place(&self) -> watch::Receiver<u64> {
        let mut best = &self.lanes[0];
        for lane in &self.lanes {
            if best.receiver_count() < SLICE {
                break;
            }
            if lane.receiver_count() < best.receiver_count() {
                best = lane;
            }
        }
        best.subscribe()
    }

    /// Moves the lanes on for whatever happens from this call on.
    pub(super) fn keep(self: Arc<Self>, events: &Events) -> impl Future<Output = ()> + use<> {
        let mut live = events.subscribe(None).live;
        async move {
            let mut waves = VecDeque::new();
            loop {
                let next = waves.iter().map(Wave::due).min();
                let due = async {
                    match next {
                        Some(due) => sleep_until(due).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    event = live.recv() => match event {
                        Ok(event) => waves.push_back(Wave::new(&event, Instant::now())),
                        // Those that still come have higher numbers.
                        Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => return,
                    },
                    () = due => {}
                }
                let all_at_once = waves.len().saturating_sub(WAVES_MAX);
                for (number, wave) in waves.iter_mut().enumerate() {
                    self.advance(wave, Instant::now(), number < all_at_once);
                }
                waves.retain(|wave| wave.next < LANES);
            }
        }
    }

    fn advance(&self, wave: &mut Wave, now: Instant, all: bool) {
        while let Some(lane) = self.lanes.get(wave.next as usize) {
            if !all && wave.due() > now && lane.receiver_count() > 0 {
                return;
            }
            lane.send_if_modified(|newest| {
                let is_news = *newest < wave.seq;
                *newest = wave.seq.max(*newest);
                is_news
            });
            wave.next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use futures_util::StreamExt as _;
    use pool_domain::units::TimeMs;

    use super::*;
    use crate::messages::live::PoolSnapshot;

    /// What each feed heard, and how long after the start.
    type Heard = Rc<RefCell<Vec<Vec<(u64, Duration)>>>>;

    struct Rig {
        events: Events,
        pace: Arc<Pace>,
        begun: Instant,
        heard: Heard,
    }

    fn rig(feeds: usize) -> Rig {
        tokio::time::pause();
        let (events, pace) = (Events::new(), Arc::new(Pace::new()));
        actix_rt::spawn(Arc::clone(&pace).keep(&events));
        let rig = Rig { events, pace, begun: Instant::now(), heard: Heard::default() };
        (0..feeds).for_each(|_| drop(rig.listen()));
        rig
    }

    impl Rig {
        fn listen(&self) -> actix_rt::task::JoinHandle<()> {
            let told = self.pace.paced(self.events.subscribe(None).live);
            let (heard, begun) = (Rc::clone(&self.heard), self.begun);
            let number = heard.borrow().len();
            heard.borrow_mut().push(Vec::new());
            actix_rt::spawn(told.for_each(move |told| {
                let Told::Event(event) = told else { panic!("too slow") };
                heard.borrow_mut()[number].push((event.seq, begun.elapsed()));
                std::future::ready(())
            }))
        }

        fn figures(&self) {
            self.events.publish(TimeMs(1), PoolEvent::Stats(PoolSnapshot::default().into()));
        }

        fn event(&self) {
            self.events.publish(TimeMs(1), PoolEvent::NodeState { ready: true, reason: String::new() });
        }
    }

    /// The clock runs in whole milliseconds.
    const MS: Duration = Duration::from_millis(1);

    #[actix_rt::test]
    async fn thousands_do_not_hear_at_one_moment() {
        let rig = rig(5_000);
        rig.figures();
        tokio::time::sleep(Duration::from_secs(1)).await;
        rig.event();
        tokio::time::sleep(Duration::from_secs(1)).await;
        for (seq, spread, most) in [(1, FIGURES_SPREAD, 100), (2, SPREAD, 100)] {
            let heard = rig.heard.borrow();
            let published = Duration::from_secs(seq - 1);
            let mut when: Vec<Duration> =
                heard.iter().map(|one| one[usize::try_from(seq).unwrap() - 1].1 - published).collect();
            when.sort();
            assert_eq!(when.len(), 5_000);
            assert!(when[0] <= MS && when[4_999] <= spread + MS, "{:?} to {:?}", when[0], when[4_999]);
            assert!(when[4_999] > spread * 9 / 10, "they have {spread:?}, and took {:?}", when[4_999]);
            let at_once = when.chunk_by(|a, b| a == b).map(<[_]>::len).max().unwrap();
            assert!(at_once <= most, "{at_once} at one moment");
        }
    }

    #[actix_rt::test]
    async fn each_feed_hears_in_order_and_an_event_does_not_wait_for_figures() {
        let rig = rig(600);
        rig.figures();
        tokio::time::sleep(40 * MS).await;
        rig.event();
        rig.event();
        tokio::time::sleep(SPREAD + MS).await;
        let early = rig.heard.borrow().iter().filter(|one| one[0].1 <= 41 * MS).count();
        for one in rig.heard.borrow().iter() {
            let seqs: Vec<u64> = one.iter().map(|(seq, _)| *seq).collect();
            assert_eq!(seqs, [1, 2, 3]);
        }
        assert!((100..300).contains(&early), "{early} heard the figures before the events");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(rig.heard.borrow().iter().all(|one| one.len() == 3), "nothing twice");
    }

    #[actix_rt::test]
    async fn a_few_hear_at_once_and_places_come_back() {
        let rig = rig(0);
        for _ in 0..1_000 {
            rig.listen().abort();
            tokio::task::yield_now().await;
        }
        rig.heard.borrow_mut().clear();
        (0..SLICE).for_each(|_| drop(rig.listen()));
        rig.figures();
        rig.event();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(rig.heard.borrow().iter().all(|one| one.len() == 2), "{:?}", rig.heard);
        // The next one is in the second lane, and hears what happened since it came.
        drop(rig.listen());
        rig.figures();
        tokio::time::sleep(FIGURES_SPREAD / LANES + MS).await;
        assert_eq!(rig.heard.borrow()[SLICE].len(), 1);
    }

    #[actix_rt::test]
    async fn a_flood_does_not_wait_for_the_lanes() {
        let rig = rig(3 * SLICE);
        let seen = rig.pace.paced(rig.events.subscribe(None).live);
        for _ in 0..4 * WAVES_MAX {
            rig.event();
            tokio::task::yield_now().await;
        }
        // All but the newest were let go, though no time has passed.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let heard = rig.heard.borrow().iter().map(Vec::len).min().unwrap();
        assert!(heard >= 3 * WAVES_MAX - 1, "{heard} heard of {}", 4 * WAVES_MAX);
        // Who takes nothing meanwhile is told so.
        let mut seen = std::pin::pin!(seen);
        assert!(matches!(seen.next().await, Some(Told::Lost)));
        assert!(matches!(seen.next().await, Some(Told::Event(_))));
    }

    #[actix_rt::test]
    async fn a_feed_ends_with_the_lanes() {
        let (events, pace) = (Events::new(), Pace::new());
        let told = actix_rt::spawn(pace.paced(events.subscribe(None).live).count());
        tokio::task::yield_now().await;
        assert!(!told.is_finished());
        drop(pace);
        assert_eq!(told.await.unwrap(), 0);
    }
}
