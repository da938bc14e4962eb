//! Reads `multipart/form-data`, which clients use to upload files. The other fields become a form.

use crate::error::ApiError;
use crate::model::file::Upload;
use crate::sandbox::escape;

/// The maximum number of parts in a request.
const PARTS_MAX: usize = 100;

/// Returns the boundary of a multipart body; `None` for another content type.
pub(super) fn boundary(content_type: &str) -> Option<&str> {
    let (kind, rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut parameters = rest.split(';').filter_map(|parameter| parameter.trim().split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    Some(value.trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

/// Reads a body. Returns its fields as a form, and its file.
///
/// # Errors
/// The body does not match the content type, a field is not UTF-8, or there are too many parts.
pub(super) fn read(body: &[u8], boundary: &str) -> Result<(String, Option<Upload>), ApiError> {
    let invalid = || ApiError::invalid("The request's multipart body can't be read.");
    let (mut form, mut file) = (String::new(), None);
    let first = format!("--{boundary}");
    let next = format!("\r\n--{boundary}");
    let mut rest = cut(body, first.as_bytes()).ok_or_else(invalid)?.1;
    for _ in 0..PARTS_MAX {
        if rest.starts_with(b"--") {
            return Ok((form, file));
        }
        let part = rest.strip_prefix(b"\r\n").ok_or_else(invalid)?;
        let (part, after) = cut(part, next.as_bytes()).ok_or_else(invalid)?;
        let (head, content) = cut(part, b"\r\n\r\n").ok_or_else(invalid)?;
        let head = std::str::from_utf8(head).map_err(|_| invalid())?;
        let name = parameter(head, "name").ok_or_else(invalid)?;
        match parameter(head, "filename") {
            Some(filename) => file = Some(Upload { filename: filename.to_owned(), content: content.to_vec() }),
            None => {
                let text = std::str::from_utf8(content).map_err(|_| invalid())?;
                form.push_str(&format!("&{}={}", escape(name), escape(text)));
            }
        }
        rest = after;
    }
    Err(invalid())
}

/// Splits bytes at the first occurrence of `mark`, which is part of neither half.
fn cut<'b>(bytes: &'b [u8], mark: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((&bytes[..at], &bytes[at + mark.len()..]))
}

/// Returns a parameter of the line `Content-Disposition`.
fn parameter<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let is_wanted = |line: &&str| line.to_ascii_lowercase().starts_with("content-disposition:");
    let line = head.split("\r\n").find(is_wanted)?;
    let found = line.split(';').filter_map(|part| part.trim().split_once('='));
    found.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim_matches('"')).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\na b\r\n--x\r\n\
        content-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n\xff--x\r\n\r\n--x--\r\n";

    #[test]
    fn fields_become_a_form_and_the_file_keeps_its_bytes() {
        let (form, file) = read(BODY, "x").unwrap();
        let file = file.unwrap();
        assert_eq!(
            (form.as_str(), file.filename.as_str(), file.content.as_slice()),
            ("&purpose=a%20b", "a.txt", b"\xff--x\r\n".as_slice())
        );
    }

    #[test]
    fn no_cut_off_body_is_accepted_and_none_panics() {
        for length in 0..BODY.len() - 4 {
            assert!(read(&BODY[..length], "x").is_err(), "{length}");
        }
        assert_eq!(boundary("multipart/form-data; boundary=\"x\""), Some("x"));
        assert_eq!((boundary("multipart/form-data"), boundary("text/plain; boundary=x")), (None, None));
    }
}
