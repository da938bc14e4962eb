//! Finds where a request ends in the bytes of a connection. If a request has both `Content-Length` and
//! `Transfer-Encoding`, a proxy and a server may see different ends. hyper silently ignores the length, so such
//! requests are refused here, before they reach hyper.

/// The maximum number of headers of a request, hyper's own limit.
const HEADERS_MAX: usize = 100;
/// The maximum length in bytes of a request's head, and of a chunk's head. hyper would accept longer heads.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The current position within a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// Before a request or in its head.
    Head,
    /// In a body (`Body`), or in a chunk with its line end (`Chunk`), with the number of bytes left.
    Body(u64),
    Chunk(u64),
    /// In the line before a chunk.
    ChunkHead,
    /// In the trailers after the last chunk.
    Trailers,
    /// After a refusal: further bytes are ignored.
    Refused,
    /// No more checks: the connection changed to WebSocket, or hyper will refuse the request.
    Open,
}

/// Tracks the requests of a connection and decides which bytes may be passed on.
#[derive(Debug)]
pub(super) struct Framing {
    position: Position,
}

impl Framing {
    /// Starts at the first byte of a connection.
    pub(super) fn new() -> Self {
        Self { position: Position::Head }
    }

    /// Whether a request was refused. No more requests of this connection are accepted.
    pub(super) fn is_refused(&self) -> bool {
        self.position == Position::Refused
    }

    /// Whether a body has begun and is incomplete.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(self.position, Position::Body(_) | Position::Chunk(_) | Position::ChunkHead | Position::Trailers)
    }

    /// Returns how many of the first bytes may be passed on. Returns `None` if the next part is incomplete or refused.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Option<usize> {
        match self.position {
            Position::Head => self.pass_head(bytes),
            Position::Body(left) => Some(self.pass_body(bytes, left, Position::Body, Position::Head)),
            Position::Chunk(left) => Some(self.pass_body(bytes, left, Position::Chunk, Position::ChunkHead)),
            Position::ChunkHead => match httparse::parse_chunk_size(bytes) {
                Ok(httparse::Status::Complete((head, 0))) => self.go(Position::Trailers, head),
                // The two bytes of the line end after a chunk's data belong to the chunk.
                Ok(httparse::Status::Complete((head, size))) => self.go(Position::Chunk(size.saturating_add(2)), head),
                Ok(httparse::Status::Partial) => self.wait(bytes),
                Err(_) => self.refuse(),
            },
            Position::Trailers => match bytes.iter().position(|b| *b == b'\n') {
                Some(end) if bytes[..end].iter().all(|b| *b == b'\r') => self.go(Position::Head, end + 1),
                Some(end) => Some(end + 1),
                None => self.wait(bytes),
            },
            Position::Open => Some(bytes.len()),
            Position::Refused => None,
        }
    }

    fn pass_head(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let head = match request.parse(bytes) {
            Ok(httparse::Status::Complete(head)) => head,
            Ok(httparse::Status::Partial) => return self.wait(bytes),
            // hyper uses the same parser, so it will refuse the request itself.
            Err(_) => return self.go(Position::Open, bytes.len()),
        };
        let value = |name: &str| request.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value);
        let length = value("content-length");
        let next = match (value("transfer-encoding"), length) {
            (Some(_), Some(_)) => return self.refuse(),
            (Some(_), None) => Position::ChunkHead,
            (None, Some(length)) => match std::str::from_utf8(length).ok().and_then(|l| l.trim().parse().ok()) {
                Some(0) => Position::Head,
                Some(length) => Position::Body(length),
                None => Position::Open,
            },
            (None, None) if value("upgrade").is_some_and(|u| u.eq_ignore_ascii_case(b"websocket")) => Position::Open,
            (None, None) => Position::Head,
        };
        self.go(next, head)
    }

    fn pass_body(&mut self, bytes: &[u8], left: u64, more: impl Fn(u64) -> Position, next: Position) -> usize {
        let passed = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - passed as u64;
        self.position = if left == 0 { next } else { more(left) };
        passed
    }

    fn go(&mut self, position: Position, passed: usize) -> Option<usize> {
        self.position = position;
        Some(passed)
    }

    fn refuse(&mut self) -> Option<usize> {
        self.position = Position::Refused;
        None
    }

    /// Waits for the rest of an incomplete head. Refuses a head that reaches the maximum length.
    fn wait(&mut self, bytes: &[u8]) -> Option<usize> {
        if bytes.len() < HEAD_BYTES_MAX { None } else { self.refuse() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the bytes that are passed on if the text arrives in pieces of this size, and whether the rest is
    /// refused.
    fn passed(text: &str, piece: usize) -> (String, bool) {
        let (mut framing, mut held, mut passed) = (Framing::new(), Vec::new(), Vec::new());
        for piece in text.as_bytes().chunks(piece) {
            held.extend_from_slice(piece);
            while let Some(length) = framing.pass(&held).filter(|_| !held.is_empty()) {
                passed.extend(held.drain(..length));
            }
        }
        (String::from_utf8(passed).unwrap(), framing.is_refused())
    }

    const SIZED: &str = "POST / HTTP/1.1\r\ncontent-length: 34\r\n\r\nGET / HTTP/1.1\r\ncontent-length: 1\r\nTransfer";
    const CHUNKED: &str = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nGET /\r\n0\r\nA: b\r\n\r\n";
    const PLAIN: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    const BOTH: [&str; 3] = [
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nhost: a\r\ncontent-LENGTH: 5\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\nTransfer-Encoding: identity\nContent-Length: 0\n\n",
    ];

    #[test]
    fn complete_requests_pass_and_ambiguous_lengths_are_refused_in_any_pieces() {
        let good = [PLAIN, &SIZED[..SIZED.len() - 8], CHUNKED, PLAIN, CHUNKED].concat();
        for piece in [1, 2, 3, 7, 50, 10_000] {
            assert_eq!(passed(&good, piece), (good.clone(), false), "in pieces of {piece}");
            for both in BOTH {
                assert_eq!(
                    passed(&(good.clone() + both), piece),
                    (good.clone(), true),
                    "{both:?} in pieces of {piece}"
                );
            }
        }
    }

    #[test]
    fn endless_heads_and_invalid_chunks_are_refused() {
        assert!(passed(&("GET / HTTP/1.1\r\na: ".to_owned() + &"x".repeat(HEAD_BYTES_MAX)), 1_000).1);
        assert!(passed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", 1_000).1);
    }
}
