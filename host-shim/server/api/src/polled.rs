//! A body that gets its frames from a function.

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// The result of polling a body for a frame.
pub(crate) type Polling = Poll<Option<Result<Frame<Bytes>, axum::Error>>>;

/// Returns a body that calls `poll` on `body` for each frame.
pub(crate) fn polled<F>(body: Body, poll: F) -> Body
where
    F: FnMut(Pin<&mut Body>, &mut Context<'_>) -> Polling + Send + Unpin + 'static,
{
    Body::new(Polled { body, poll })
}

struct Polled<F> {
    body: Body,
    poll: F,
}

impl<F: FnMut(Pin<&mut Body>, &mut Context<'_>) -> Polling + Unpin> HttpBody for Polled<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Polling {
        let Polled { body, poll } = &mut *self;
        poll(Pin::new(body), context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
