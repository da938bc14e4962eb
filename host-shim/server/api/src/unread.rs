//! Determines whether the body of a request was read to its end. If a part of it is left, the connection cannot carry another
//! request, so the answer must say that it closes; otherwise a client would send the next request over it.

use crate::polled::polled;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use hyper::body::Body as HttpBody;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};

/// Whether some of a request's body is still unread.
pub(crate) struct Unread(Arc<AtomicBool>);

/// Watches the body of a request.
pub(crate) fn watch(request: Request<Body>) -> (Request<Body>, Unread) {
    let (parts, body) = request.into_parts();
    let is_left = Arc::new(AtomicBool::new(!body.is_end_stream()));
    let unread = Unread(is_left.clone());
    let body = polled(body, move |mut body, context| {
        let frame = ready!(body.as_mut().poll_frame(context));
        if frame.is_none() || body.is_end_stream() {
            is_left.store(false, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    });
    (Request::from_parts(parts, body), unread)
}

impl Unread {
    /// Adds to the answer that the connection closes, if some of the body is left.
    pub(crate) fn tell<T>(&self, answer: &mut Response<T>) {
        if self.0.load(Ordering::Relaxed) {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::StatusCode;
    use http_body_util::BodyExt;

    fn told(unread: &Unread) -> bool {
        let mut answer = Response::builder().status(StatusCode::OK).body(()).expect("an answer");
        unread.tell(&mut answer);
        answer.headers().get(header::CONNECTION).is_some_and(|value| value == "close")
    }

    #[tokio::test]
    async fn the_connection_closes_unless_the_body_was_read_to_its_end() {
        // Tested with a body that nobody reads, with one that was read, and without one.
        let (_request, unread) = watch(Request::new(Body::from("{}")));
        assert!(told(&unread));
        let (request, unread) = watch(Request::new(Body::from("{}")));
        assert_eq!(request.into_body().collect().await.expect("a body").to_bytes(), "{}");
        assert!(!told(&unread));
        let (_request, unread) = watch(Request::new(Body::empty()));
        assert!(!told(&unread));
    }
}
