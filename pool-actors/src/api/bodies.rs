//! Bodies of requests: as they are, and in time.
//!
//! A compressed body would be unpacked before anybody knows how large it is: 2 KB of brotli can be 3 GB. No route needs one. And
//! a body that never ends keeps its connection, of which there is a bounded number: it must come at a least rate, as in
//! Apache's `RequestReadTimeout body=10,MinRate=16384`.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    rc::Rc,
    time::Duration,
};

use actix_web::{
    HttpMessage as _,
    dev::{Payload, ServiceRequest},
    error::PayloadError,
    http::header,
    web::Bytes,
};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::errors::{ApiError, ErrorCode};

/// Any body may take so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// And a second for so many bytes that have come.
const BYTES_A_SECOND: u64 = 16_384;

/// The body of the request that a connection is at. It belongs to the connection, not to the request: of one that was dropped
/// the library would read and forget whatever still comes, in chunks without end, instead of closing after the answer.
#[derive(Clone)]
pub(super) struct Unread(Rc<RefCell<Payload>>);

impl Default for Unread {
    fn default() -> Self {
        Self(Rc::new(RefCell::new(Payload::None)))
    }
}

/// Whether a body took too long.
#[derive(Debug, Clone, Default)]
pub(super) struct Late(Rc<Cell<bool>>);

impl Late {
    /// What is answered instead of what the handler made of half a body.
    pub(super) fn refusal(&self) -> Option<ApiError> {
        if !self.0.get() {
            return None;
        }
        let known =
            [("bytes_a_second", BYTES_A_SECOND.to_string()), ("wait_s", PATIENCE.as_secs().to_string())];
        let known = known.each_ref().map(|(name, value)| (*name, value.as_str()));
        Some(ApiError::of(ErrorCode::RequestTimeout, &known))
    }
}

/// Sees to the body of a request before anybody reads it.
///
/// # Errors
/// When it is compressed.
pub(super) fn bound(request: &mut ServiceRequest) -> Result<Late, ApiError> {
    let encoding = request.headers().get(header::CONTENT_ENCODING);
    if let Some(encoding) = encoding.filter(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        let encoding = String::from_utf8_lossy(encoding.as_bytes());
        return Err(ApiError::of(ErrorCode::UnsupportedEncoding, &[("encoding", &encoding)]));
    }
    let late = Late::default();
    // What comes after it is a feed's frames, which have rules of their own.
    if !request.headers().contains_key(header::UPGRADE) {
        let unread = request.conn_data::<Unread>().cloned().unwrap_or_default();
        unread.0.replace(request.take_payload());
        let body = timed(unread, late.clone());
        request.set_payload(Payload::Stream { payload: Box::pin(body) });
    }
    Ok(late)
}

fn timed(Unread(body): Unread, late: Late) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    let begun = Instant::now();
    stream::unfold(0_u64, move |had| {
        let (body, late) = (Rc::clone(&body), late.clone());
        async move {
            let deadline =
                begun + PATIENCE + Duration::from_millis(had.saturating_mul(1_000) / BYTES_A_SECOND);
            let next = poll_fn(|context| body.borrow_mut().poll_next_unpin(context));
            let chunk = match timeout_at(deadline, next).await {
                Ok(chunk) => chunk?,
                Err(_) => {
                    late.0.set(true);
                    Err(PayloadError::Io(io::ErrorKind::TimedOut.into()))
                }
            };
            let had = had + chunk.as_ref().map_or(0, |chunk| u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            Some((chunk, had))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body whose parts come every so often, and their sizes.
    fn body(every: Duration, parts: usize, bytes: usize) -> Payload {
        let parts = stream::iter(0..parts).then(move |_| async move {
            tokio::time::sleep(every).await;
            Ok(Bytes::from(vec![b'x'; bytes]))
        });
        Payload::Stream { payload: Box::pin(parts) }
    }

    async fn read(body: Payload) -> (usize, Option<ApiError>) {
        let (late, mut had) = (Late::default(), 0);
        let mut body = Box::pin(timed(Unread(Rc::new(RefCell::new(body))), late.clone()));
        while let Some(Ok(chunk)) = body.next().await {
            had += chunk.len();
        }
        (had, late.refusal())
    }

    #[actix_rt::test]
    async fn a_body_comes_at_a_least_rate() {
        tokio::time::pause();
        let second = Duration::from_secs(1);
        let (had, refusal) = read(body(second, 60, 16_384)).await;
        assert_eq!((had, refusal.is_none()), (60 * 16_384, true), "a minute, but fast enough");
        let (had, refusal) = read(body(second, 60, 10)).await;
        assert!(had < 200, "{had} bytes");
        assert!(refusal.unwrap().to_string().contains("in time: 10 s"));
        assert!(read(body(Duration::from_secs(9), 1, 10)).await.1.is_none(), "small ones have ten seconds");
    }
}
