//! Where requests begin and end in what a client sends. A request with both `Content-Length` and `Transfer-Encoding`
//! may end elsewhere for a proxy than for a server; hyper drops the length without a word, so that it is looked for
//! here, before hyper gets it.

/// Headers of a request, hyper's own limit.
const HEADERS_MAX: usize = 100;
/// Bytes of a request's head and of a chunk's; hyper would take more.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Where in a request the client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a request or in its head.
    Head,
    /// Bytes of a body, or of a chunk with its line end, that are still to come.
    Body(u64),
    Chunk(u64),
    /// The line before a chunk.
    ChunkHead,
    /// What follows the last chunk.
    Trailers,
    /// After a refusal nothing more is heard.
    Refused,
    /// Another protocol took over, or hyper is about to refuse what comes.
    Open,
}

/// Follows the requests of a connection, and says up to where they may be passed on.
#[derive(Debug)]
pub(super) struct Framing {
    place: Place,
}

impl Framing {
    /// At the beginning of a connection.
    pub(super) fn new() -> Self {
        Self { place: Place::Head }
    }

    /// Whether what came last is refused, and with it the connection.
    pub(super) fn is_refused(&self) -> bool {
        self.place == Place::Refused
    }

    /// Whether a body began that isn't whole.
    pub(super) fn is_in_body(&self) -> bool {
        matches!(self.place, Place::Body(_) | Place::Chunk(_) | Place::ChunkHead | Place::Trailers)
    }

    /// How many of the first bytes may be passed on. None if the next part is incomplete or refused.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Option<usize> {
        match self.place {
            Place::Head => self.pass_head(bytes),
            Place::Body(left) => Some(self.pass_body(bytes, left, Place::Body, Place::Head)),
            Place::Chunk(left) => Some(self.pass_body(bytes, left, Place::Chunk, Place::ChunkHead)),
            Place::ChunkHead => match httparse::parse_chunk_size(bytes) {
                Ok(httparse::Status::Complete((head, 0))) => self.go(Place::Trailers, head),
                // The line end after a chunk's data belongs to it.
                Ok(httparse::Status::Complete((head, size))) => self.go(Place::Chunk(size.saturating_add(2)), head),
                Ok(httparse::Status::Partial) => self.wait(bytes),
                Err(_) => self.refuse(),
            },
            Place::Trailers => match bytes.iter().position(|b| *b == b'\n') {
                Some(end) if bytes[..end].iter().all(|b| *b == b'\r') => self.go(Place::Head, end + 1),
                Some(end) => Some(end + 1),
                None => self.wait(bytes),
            },
            Place::Open => Some(bytes.len()),
            Place::Refused => None,
        }
    }

    fn pass_head(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        let head = match request.parse(bytes) {
            Ok(httparse::Status::Complete(head)) => head,
            Ok(httparse::Status::Partial) => return self.wait(bytes),
            // Hyper says so by the same parser.
            Err(_) => return self.go(Place::Open, bytes.len()),
        };
        let value = |name: &str| request.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value);
        let length = value("content-length");
        let next = match (value("transfer-encoding"), length) {
            (Some(_), Some(_)) => return self.refuse(),
            (Some(_), None) => Place::ChunkHead,
            (None, Some(length)) => match std::str::from_utf8(length).ok().and_then(|l| l.trim().parse().ok()) {
                Some(0) => Place::Head,
                Some(length) => Place::Body(length),
                None => Place::Open,
            },
            (None, None) if value("upgrade").is_some_and(|u| u.eq_ignore_ascii_case(b"websocket")) => Place::Open,
            (None, None) => Place::Head,
        };
        self.go(next, head)
    }

    fn pass_body(&mut self, bytes: &[u8], left: u64, more: impl Fn(u64) -> Place, next: Place) -> usize {
        let passed = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - passed as u64;
        self.place = if left == 0 { next } else { more(left) };
        passed
    }

    fn go(&mut self, place: Place, passed: usize) -> Option<usize> {
        self.place = place;
        Some(passed)
    }

    fn refuse(&mut self) -> Option<usize> {
        self.place = Place::Refused;
        None
    }

    /// Waits for more of a part, but not for ever.
    fn wait(&mut self, bytes: &[u8]) -> Option<usize> {
        if bytes.len() < HEAD_BYTES_MAX { None } else { self.refuse() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is passed of bytes that come in pieces of a size, and whether the rest is refused.
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
    fn whole_requests_pass_and_one_with_both_lengths_does_not_wherever_it_is_cut() {
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
    fn an_endless_head_is_refused_and_a_wrong_chunk_too() {
        assert!(passed(&("GET / HTTP/1.1\r\na: ".to_owned() + &"x".repeat(HEAD_BYTES_MAX)), 1_000).1);
        assert!(passed("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", 1_000).1);
    }
}
