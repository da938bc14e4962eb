//! The frames in which the platform calls a block, in their first version: JSON, with bytes as lists of numbers.

use crate::http::{BODY_BYTES_MAX, Request, Response};
use serde::Deserialize;
use serde_json::{Value, json};

/// The message of a call.
#[derive(Deserialize)]
struct Message {
    kind: String,
    #[serde(default)]
    meta: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    key: String,
    value: String,
}

/// The reason why a frame is not a call.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The frame has a different form.
    #[error("the call is not `[message, bytes]`: {0}")]
    Form(String),
    /// The body is too long.
    #[error("the body has more than {BODY_BYTES_MAX} bytes")]
    TooLarge,
}

fn form(text: impl std::fmt::Display) -> FrameError {
    FrameError::Form(text.to_string())
}

/// Reads a call: `[{"kind", "meta"}, [byte, …]]`.
///
/// # Errors
/// Fails with [`FrameError`] if the form is different or the body is too long.
pub fn read(frame: &[u8]) -> Result<Request, FrameError> {
    let rest = frame.trim_ascii_start().strip_prefix(b"[").ok_or_else(|| form("no list"))?;
    let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Message>();
    let message = values.next().ok_or_else(|| form("no message"))?.map_err(form)?;
    let rest = &rest[values.byte_offset()..];
    let rest = rest.trim_ascii_start().strip_prefix(b",").ok_or_else(|| form("no bytes"))?;
    let (body, rest) = bytes(rest)?;
    match rest.trim_ascii() {
        b"]" => Ok(Request {
            kind: message.kind,
            meta: message.meta.into_iter().map(|Entry { key, value }| (key, value)).collect(),
            body,
        }),
        _ => Err(form("more than two parts")),
    }
}

/// Reads a list of bytes; returns the bytes and the rest. A JSON parser would need several times the fuel.
fn bytes(text: &[u8]) -> Result<(Vec<u8>, &[u8]), FrameError> {
    let text = text.trim_ascii_start().strip_prefix(b"[").ok_or_else(|| form("no list of bytes"))?;
    let mut found = Vec::with_capacity((text.len() / 3).min(BODY_BYTES_MAX + 1));
    let (mut number, mut digits) = (0_u32, 0);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' if digits < 3 => {
                number = number * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b',' | b']' => {
                let is_end = *byte == b']';
                if digits > 0 {
                    found.push(u8::try_from(number).map_err(form)?);
                } else if !(is_end && found.is_empty()) {
                    return Err(form("a byte is missing"));
                }
                if is_end {
                    return Ok((found, &text[at + 1..]));
                }
                if found.len() > BODY_BYTES_MAX {
                    return Err(FrameError::TooLarge);
                }
                (number, digits) = (0, 0);
            }
            b' ' | b'\n' | b'\r' | b'\t' => {}
            other => return Err(form(format!("`{}` in a list of bytes", other.escape_ascii()))),
        }
    }
    Err(form("the list of bytes has no end"))
}

/// Writes the response of a call.
pub fn response(response: &Response) -> Vec<u8> {
    let mut meta = vec![
        json!({"key": "resp.status", "value": response.status.to_string()}),
        json!({"key": "resp.content_type", "value": "application/json"}),
    ];
    for (name, value) in &response.headers {
        meta.push(json!({"key": format!("resp.header.{name}"), "value": value}));
    }
    let body = response.body.to_string();
    let mut frame = br#"{"action":"Respond","error":null,"message":null,"response":{"meta":"#.to_vec();
    frame.extend_from_slice(Value::Array(meta).to_string().as_bytes());
    frame.extend_from_slice(br#","data":["#);
    for (at, byte) in body.bytes().enumerate() {
        if at > 0 {
            frame.push(b',');
        }
        push_number(&mut frame, byte);
    }
    frame.extend_from_slice(b"]}}");
    frame
}

/// Adds a number as text.
fn push_number(frame: &mut Vec<u8>, byte: u8) {
    if byte >= 100 {
        frame.push(b'0' + byte / 100);
    }
    if byte >= 10 {
        frame.push(b'0' + byte / 10 % 10);
    }
    frame.push(b'0' + byte % 10);
}

/// The event of a lifecycle call.
///
/// # Errors
/// Fails with [`FrameError`] if the form is different.
pub fn lifecycle(frame: &[u8]) -> Result<String, FrameError> {
    #[derive(Deserialize)]
    struct Lifecycle {
        event_type: String,
    }
    serde_json::from_slice::<Lifecycle>(frame).map(|event| event.event_type).map_err(form)
}

/// Writes the result of a lifecycle call.
pub fn lifecycle_result(result: Result<(), String>) -> Vec<u8> {
    let value = match result {
        Ok(()) => json!({"Ok": null}),
        Err(message) => json!({"Err": {"code": "FailedPrecondition", "message": message, "meta": []}}),
    };
    value.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_a_message_and_bytes() {
        let frame = br#" [{"kind":"POST:/b/x/y","meta":[{"key":"http.method","value":"POST"}]}, [ 0, 65,255 ] ] "#;
        let request = read(frame).expect("a call");
        assert_eq!((request.kind.as_str(), request.body.as_slice()), ("POST:/b/x/y", &[0_u8, 65, 255][..]));
        assert_eq!((request.method(), request.path()), ("POST", "/y"));
        assert_eq!(read(br#"[{"kind":"GET:/b/x"},[]]"#).expect("a call").path(), "");
    }

    #[test]
    fn another_form_is_refused() {
        for frame in [
            &b"{}"[..],
            b"[]",
            br#"[{"kind":"a"}]"#,
            br#"[{"kind":"a"},[256]]"#,
            br#"[{"kind":"a"},[1,]]"#,
            br#"[{"kind":"a"},[,1]]"#,
            br#"[{"kind":"a"},[1"#,
            br#"[{"kind":"a"},[-1]]"#,
            br#"[{"kind":"a"},[1],2]"#,
            br#"[{"kind":"a"},[1000]]"#,
        ] {
            assert!(matches!(read(frame), Err(FrameError::Form(_))), "{}", frame.escape_ascii());
        }
    }

    #[test]
    fn a_body_over_the_limit_is_refused() {
        let of = |length: usize| format!(r#"[{{"kind":"a"}},[{}]]"#, vec!["7"; length].join(","));
        assert_eq!(read(of(BODY_BYTES_MAX).as_bytes()).expect("a call").body.len(), BODY_BYTES_MAX);
        assert_eq!(read(of(BODY_BYTES_MAX + 2).as_bytes()).expect_err("too long"), FrameError::TooLarge);
    }

    #[test]
    fn a_response_is_a_list_of_numbers() {
        let frame = response(&Response::of(404, json!({"a": "\u{e9}"})));
        let value: Value = serde_json::from_slice(&frame).expect("JSON");
        let bytes: Vec<u8> = serde_json::from_value(value["response"]["data"].clone()).expect("bytes");
        assert_eq!(bytes, "{\"a\":\"\u{e9}\"}".as_bytes());
        assert_eq!(value["response"]["meta"][0], json!({"key": "resp.status", "value": "404"}));
    }
}
