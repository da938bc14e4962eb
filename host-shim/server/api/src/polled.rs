//! A body whose frames a function asks for.

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a body answers if it is asked for a frame.
pub(crate) type Polling = Poll<Option<Result<Frame<Bytes>, axum::Error>>>;

/// Returns a body of which `poll` asks `body` for each frame.
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
