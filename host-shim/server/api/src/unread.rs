//! Tells whether the body of a request was read to its end. A connection on which a part of a body is left cannot have another
//! request, so its answer says that it closes: a client would send the next request into it otherwise.

use crate::polled::polled;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use hyper::body::Body as HttpBody;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, ready};

/// Whether the body of a request is still unread in part.
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
    /// Lets the answer say that the connection closes, if a part of the body is left.
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
        // Given a body that nobody reads, one that was read, and none.
        let (_request, unread) = watch(Request::new(Body::from("{}")));
        assert!(told(&unread));
        let (request, unread) = watch(Request::new(Body::from("{}")));
        assert_eq!(request.into_body().collect().await.expect("a body").to_bytes(), "{}");
        assert!(!told(&unread));
        let (_request, unread) = watch(Request::new(Body::empty()));
        assert!(!told(&unread));
    }
}
