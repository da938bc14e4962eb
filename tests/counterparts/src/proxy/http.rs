//! Forwards one exchange of HTTP/1.1, on its own connection.

use super::{Fault, Shared, reset};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;

/// Maximum size of a request or a response, in bytes.
const BYTES_MAX: usize = 64 * 1024 * 1024;

pub(super) fn exchange(mut client: &TcpStream, upstream: SocketAddr, shared: &Shared) -> io::Result<()> {
    let Some(request) = message(client)? else { return Ok(()) };
    let fault = shared.strike(&request);
    match fault {
        Some(Fault::Refuse | Fault::ResetBefore) => {
            reset(client);
            return Ok(());
        }
        Some(Fault::Status(status, retry_after)) => {
            let hint = retry_after.map(|seconds| format!("Retry-After: {seconds}\r\n")).unwrap_or_default();
            let answer = format!("HTTP/1.1 {status} Fault\r\n{hint}Content-Length: 0\r\nConnection: close\r\n\r\n");
            return client.write_all(answer.as_bytes());
        }
        Some(Fault::ResetAfter | Fault::Delay(_) | Fault::Truncate) | None => {}
    }
    let mut server = TcpStream::connect(upstream)?;
    server.write_all(&closing(&request))?;
    let mut answer = Vec::new();
    Read::by_ref(&mut server).take(BYTES_MAX as u64).read_to_end(&mut answer)?;
    match fault {
        Some(Fault::ResetAfter) => reset(client),
        Some(Fault::Truncate) => {
            // At least the whole head is sent, so that the client has begun to read a response.
            let head = end_of_head(&answer).unwrap_or(answer.len());
            client.write_all(&answer[..head + (answer.len() - head) / 2])?;
            client.shutdown(Shutdown::Both)?;
        }
        Some(Fault::Delay(wait)) => {
            thread::sleep(wait);
            client.write_all(&answer)?;
        }
        _ => client.write_all(&answer)?,
    }
    Ok(())
}

/// Reads one whole request. Returns `None` if the connection ends before the request does, or the request is longer
/// than [`BYTES_MAX`].
fn message(mut from: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let (mut bytes, mut buffer, mut continued) = (Vec::new(), [0; 16 * 1024], false);
    loop {
        if let Some(head) = end_of_head(&bytes) {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            let header =
                |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
            let length: Option<usize> = header("content-length").and_then(|length| length.parse().ok());
            let is_whole = match length {
                Some(length) => bytes.len() >= head + length,
                None if header("transfer-encoding") == Some("chunked") => bytes.ends_with(b"\r\n0\r\n\r\n"),
                None => true,
            };
            if is_whole {
                return Ok(Some(bytes));
            }
            if header("expect") == Some("100-continue") && !continued {
                from.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
                continued = true;
            }
        }
        let read = from.read(&mut buffer)?;
        if read == 0 || bytes.len() > BYTES_MAX {
            return Ok(None);
        }
        bytes.extend_from_slice(&buffer[..read]);
    }
}

/// Returns the position of the body, or `None` if the head is incomplete.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// Changes a request so that the server closes the connection, and removes `Expect`, which the proxy has handled.
fn closing(request: &[u8]) -> Vec<u8> {
    let head = end_of_head(request).unwrap_or(request.len());
    let mut out = Vec::with_capacity(request.len() + 32);
    for (index, line) in request[..head].split_inclusive(|byte| *byte == b'\n').enumerate() {
        let lower = line.to_ascii_lowercase();
        if line == b"\r\n" {
            out.extend_from_slice(b"Connection: close\r\n\r\n");
        } else if index == 0 || !(lower.starts_with(b"connection:") || lower.starts_with(b"expect:")) {
            out.extend_from_slice(line);
        }
    }
    out.extend_from_slice(&request[head..]);
    out
}
