//! A list of endpoints of one chain: which one is in use, when a failed one is tried again, and the way back to the
//! preferred one. Shared by the node adapters; knows no protocol.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use pool_domain::ids::TemplateId;
use rand::Rng as _;
use tokio::{sync::watch, time::Instant};

use crate::{
    metrics::NODE_RPC_SECONDS,
    ports::node::{NodeError, NodeHealth},
};

/// First pause after a failure; doubled by each further one up to [`BACKOFF_MAX`], and shortened at random by up to a
/// half, so that several pools do not return to a node in step.
const BACKOFF_FIRST: Duration = Duration::from_millis(250);
/// Longest pause.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// The pause before try number `failures + 1`.
pub(super) fn backoff(failures: u32) -> Duration {
    let full = BACKOFF_FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(BACKOFF_MAX);
    full.mul_f64(rand::rng().random_range(0.5..=1.0))
}

/// A number for a template, unique for the life of the process.
pub(super) fn next_template_id() -> TemplateId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    TemplateId(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Records a call to a node.
pub(super) fn observe_call(method: &'static str, took: Duration, error: Option<&NodeError>) {
    let outcome = match error {
        None => "ok",
        Some(NodeError::Unreachable { .. }) => "unreachable",
        Some(NodeError::Protocol { .. }) => "protocol",
        Some(NodeError::Rpc { .. }) => "refused",
        Some(NodeError::NotReady { .. }) => "not_ready",
        Some(NodeError::WrongChain { .. }) => "wrong_chain",
    };
    metrics::histogram!(NODE_RPC_SECONDS, "method" => method, "outcome" => outcome)
        .record(took.as_secs_f64());
}

#[derive(Clone, Copy)]
struct EndpointState {
    failures: u32,
    retry_at: Option<Instant>,
}

struct State {
    current: usize,
    endpoints: Vec<EndpointState>,
}

/// The endpoints by index, in the order of the configuration: the first is preferred.
pub(super) struct Endpoints {
    state: Mutex<State>,
    current: watch::Sender<usize>,
}

impl Endpoints {
    /// `count` endpoints, at least 1; the first is in use.
    pub(super) fn new(count: usize) -> Self {
        let fresh = EndpointState { failures: 0, retry_at: None };
        let state = State { current: 0, endpoints: vec![fresh; count.max(1)] };
        Self { state: Mutex::new(state), current: watch::Sender::new(0) }
    }

    /// Index of the endpoint in use.
    #[cfg(test)]
    pub(super) fn current(&self) -> usize {
        *self.current.borrow()
    }

    /// Follows the index of the endpoint in use.
    pub(super) fn watch_current(&self) -> watch::Receiver<usize> {
        self.current.subscribe()
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        // The state is plain numbers: no panic can leave it half changed.
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes a failure: the endpoint is not preferred again before its pause is over.
    pub(super) fn failed(&self, index: usize) {
        let now = Instant::now();
        self.with(|state| {
            let endpoint = &mut state.endpoints[index];
            endpoint.failures = endpoint.failures.saturating_add(1);
            endpoint.retry_at = Some(now + backoff(endpoint.failures));
        });
    }

    /// Notes a success and makes the endpoint the one in use.
    pub(super) fn worked(&self, index: usize) {
        self.with(|state| {
            state.endpoints[index] = EndpointState { failures: 0, retry_at: None };
            state.current = index;
        });
        self.current.send_if_modified(|current| std::mem::replace(current, index) != index);
    }

    /// Order of calls: the endpoint in use, then the others whose pause is over, then the rest.
    fn call_order(&self) -> Vec<usize> {
        let now = Instant::now();
        self.with(|state| {
            let mut order: Vec<usize> = (0..state.endpoints.len()).collect();
            order.sort_by_key(|&index| {
                let pausing = state.endpoints[index].retry_at.is_some_and(|at| at > now);
                (index != state.current, pausing, index)
            });
            order
        })
    }

    /// Order of health checks: preferred ones whose pause is over, the one in use, then all others.
    fn health_order(&self) -> Vec<usize> {
        let now = Instant::now();
        self.with(|state| {
            let mut order: Vec<usize> = (0..state.endpoints.len()).collect();
            order.sort_by_key(|&index| {
                let due = state.endpoints[index].retry_at.is_none_or(|at| at <= now);
                let rank = match index {
                    _ if index == state.current => 1,
                    _ if index < state.current && due => 0,
                    _ => 2,
                };
                (rank, index)
            });
            order
        })
    }

    /// Calls the endpoint in use, and the others in turn when it can't do its work. An answer of the node's own
    /// ([`NodeError::Rpc`]) is an answer: no other endpoint is asked.
    ///
    /// # Errors
    /// That of the endpoint that was in use, when none works.
    pub(super) async fn first_working<'a, T>(
        &self,
        call: impl Fn(usize) -> BoxFuture<'a, Result<T, NodeError>> + Send,
    ) -> Result<T, NodeError> {
        let mut first_error = None;
        for index in self.call_order() {
            match call(index).await {
                Ok(value) => {
                    self.worked(index);
                    return Ok(value);
                }
                Err(error @ NodeError::Rpc { .. }) => return Err(error),
                Err(error) => {
                    self.failed(index);
                    first_error.get_or_insert(error);
                }
            }
        }
        Err(first_error.expect("there is at least one endpoint"))
    }

    /// Finds the most preferred endpoint that is ready and puts it in use; this is also the way back to the first one.
    ///
    /// # Errors
    /// The first error met, when no endpoint gave an answer; an endpoint that answered "not ready" is `Ok`.
    pub(super) async fn healthiest<'a>(
        &self,
        check: impl Fn(usize) -> BoxFuture<'a, Result<NodeHealth, NodeError>> + Send,
    ) -> Result<NodeHealth, NodeError> {
        let mut not_ready = None;
        let mut first_error = None;
        for index in self.health_order() {
            match check(index).await {
                Ok(health) if health.ready => {
                    self.worked(index);
                    return Ok(health);
                }
                Ok(health) => {
                    self.failed(index);
                    not_ready.get_or_insert(health);
                }
                Err(error) => {
                    self.failed(index);
                    first_error.get_or_insert(error);
                }
            }
        }
        match (not_ready, first_error) {
            (Some(health), _) => Ok(health),
            (None, Some(error)) => Err(error),
            (None, None) => unreachable!("there is at least one endpoint"),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn down(index: usize) -> NodeError {
        NodeError::Unreachable { endpoint: index.to_string(), what: "down".to_owned() }
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        for failures in 1..40 {
            let pause = backoff(failures);
            assert!(pause >= BACKOFF_FIRST / 2 && pause <= BACKOFF_MAX, "{failures}: {pause:?}");
        }
        assert!(backoff(30) >= BACKOFF_MAX / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn falls_over_and_back() {
        let endpoints = Endpoints::new(3);
        let answer = |works: &'static [usize]| {
            move |index: usize| {
                async move { if works.contains(&index) { Ok(index) } else { Err(down(index)) } }.boxed()
            }
        };
        assert_eq!(endpoints.first_working(answer(&[1, 2])).await, Ok(1));
        assert_eq!(endpoints.current(), 1);
        assert_eq!(endpoints.first_working(answer(&[0, 1, 2])).await, Ok(1), "calls stay where they work");
        assert_eq!(endpoints.first_working(answer(&[])).await, Err(down(1)), "the one in use tells why");
        let check = |index: usize| {
            async move {
                Ok::<_, NodeError>(NodeHealth {
                    ready: true,
                    peers: u32::try_from(index).ok(),
                    ..NodeHealth::default()
                })
            }
            .boxed()
        };
        tokio::time::advance(BACKOFF_MAX * 2).await;
        assert_eq!(endpoints.healthiest(check).await.map(|health| health.peers), Ok(Some(0)), "the way back");
        assert_eq!(endpoints.current(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_is_not_ready_gives_way_to_one_that_is() {
        let endpoints = Endpoints::new(2);
        let check = |ready: usize| {
            move |index: usize| {
                async move {
                    Ok(NodeHealth {
                        ready: index == ready,
                        reason: format!("{index}"),
                        ..NodeHealth::default()
                    })
                }
                .boxed()
            }
        };
        assert!(endpoints.healthiest(check(1)).await.unwrap().ready);
        assert_eq!(endpoints.current(), 1);
        let none = endpoints.healthiest(check(9)).await.unwrap();
        assert_eq!((none.ready, none.reason.as_str()), (false, "1"));
        let refused = NodeError::Rpc { endpoint: "1".into(), code: -32000, message: "no".into() };
        let call = |_: usize| {
            let refused = refused.clone();
            async move { Err::<(), _>(refused) }.boxed()
        };
        assert_eq!(endpoints.first_working(call).await, Err(refused.clone()), "an answer is an answer");
    }
}
