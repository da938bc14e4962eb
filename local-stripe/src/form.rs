//! Decodes forms: turns `a[b][]=c` into a tree. The decoder never panics, whatever the input, and all sizes are
//! limited.

use std::collections::BTreeMap;

use thiserror::Error;

/// The maximum number of key-value pairs in a request. The largest real requests to Stripe have a few hundred.
pub const PAIRS_MAX: usize = 2_000;
/// The maximum number of segments in a key: `a[b][]` has three segments, the last is empty. Stripe's deepest documented
/// parameter has six pairs of brackets.
pub const DEPTH_MAX: usize = 12;
/// The maximum length of a key in bytes.
pub const KEY_BYTES_MAX: usize = 512;

/// The reason why a form can't be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormError {
    /// More than [`PAIRS_MAX`] pairs.
    #[error("too many parameters")]
    TooMany,
    /// A key deeper than [`DEPTH_MAX`] or longer than [`KEY_BYTES_MAX`].
    #[error("a parameter's name is too long or too deeply nested")]
    TooDeep,
    /// An invalid percent sequence, or bytes that aren't UTF-8.
    #[error("invalid percent-encoding or UTF-8")]
    Encoding,
    /// Brackets that don't match.
    #[error("unmatched brackets in {0}")]
    Brackets(String),
    /// A name used both as a value and as a container.
    #[error("conflicting uses of {0}")]
    Conflict(String),
}

/// A decoded form value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A value.
    Text(String),
    /// Named or numbered members, such as `a[b]` and `a[0]`.
    Map(BTreeMap<String, Node>),
    /// Elements added with `[]`.
    List(Vec<Node>),
}

/// A decoded form.
pub type Form = BTreeMap<String, Node>;

/// Decodes `application/x-www-form-urlencoded` bytes.
///
/// If a plain name is repeated, the last value counts, as at Stripe.
///
/// # Errors
/// The form exceeds a limit, has an invalid encoding or invalid brackets, or uses a name in two ways.
pub fn decode(bytes: &[u8]) -> Result<Form, FormError> {
    let mut form = Form::new();
    for (count, pair) in bytes.split(|b| *b == b'&').filter(|p| !p.is_empty()).enumerate() {
        if count >= PAIRS_MAX {
            return Err(FormError::TooMany);
        }
        let mut halves = pair.splitn(2, |b| *b == b'=');
        let key = unescape(halves.next().unwrap_or_default())?;
        let value = unescape(halves.next().unwrap_or_default())?;
        if key.is_empty() {
            continue;
        }
        if key.len() > KEY_BYTES_MAX {
            return Err(FormError::TooDeep);
        }
        let segments = segments(&key)?;
        insert(&mut form, &segments, value, &key)?;
    }
    Ok(form)
}

fn unescape(bytes: &[u8]) -> Result<String, FormError> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'+' => out.push(b' '),
            b'%' => {
                let (hi, lo) = match tail {
                    [hi, lo, ..] => (hex_digit(*hi), hex_digit(*lo)),
                    _ => return Err(FormError::Encoding),
                };
                out.push(hi.ok_or(FormError::Encoding)? * 16 + lo.ok_or(FormError::Encoding)?);
                rest = &tail[2..];
            }
            other => out.push(*other),
        }
    }
    String::from_utf8(out).map_err(|_| FormError::Encoding)
}

fn hex_digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|d| d as u8)
}

/// Splits `a[b][]` into `["a", "b", ""]`.
fn segments(key: &str) -> Result<Vec<&str>, FormError> {
    let Some(open) = key.find('[') else {
        if key.contains(']') {
            return Err(FormError::Brackets(key.into()));
        }
        return Ok(vec![key]);
    };
    let (name, mut rest) = key.split_at(open);
    if name.is_empty() || name.contains(']') {
        return Err(FormError::Brackets(key.into()));
    }
    let mut out = vec![name];
    while !rest.is_empty() {
        let inner = rest.strip_prefix('[').ok_or_else(|| FormError::Brackets(key.into()))?;
        let close = inner.find(']').ok_or_else(|| FormError::Brackets(key.into()))?;
        let segment = &inner[..close];
        if segment.contains('[') {
            return Err(FormError::Brackets(key.into()));
        }
        out.push(segment);
        if out.len() > DEPTH_MAX {
            return Err(FormError::TooDeep);
        }
        rest = &inner[close + 1..];
    }
    Ok(out)
}

fn insert(map: &mut Form, segments: &[&str], value: String, key: &str) -> Result<(), FormError> {
    let conflict = || FormError::Conflict(key.into());
    let (name, rest) = segments.split_first().ok_or_else(conflict)?;
    let Some((next, _)) = rest.split_first() else {
        return match map.get(*name) {
            Some(Node::Map(_) | Node::List(_)) => Err(conflict()),
            _ => {
                map.insert((*name).into(), Node::Text(value));
                Ok(())
            }
        };
    };
    let fresh = if next.is_empty() { Node::List(Vec::new()) } else { Node::Map(BTreeMap::new()) };
    match map.entry((*name).to_owned()).or_insert(fresh) {
        Node::Map(inner) if !next.is_empty() => insert(inner, rest, value, key),
        Node::List(list) if next.is_empty() => push(list, &rest[1..], value, key),
        _ => Err(conflict()),
    }
}

/// Adds a value to the last element of a list: `a[][b]=1&a[][c]=2` is one element with two members. A repeated name
/// starts the next element.
fn push(list: &mut Vec<Node>, rest: &[&str], value: String, key: &str) -> Result<(), FormError> {
    let Some(name) = rest.first() else {
        list.push(Node::Text(value));
        return Ok(());
    };
    if name.is_empty() {
        return Err(FormError::Conflict(key.into()));
    }
    let begins = match list.last() {
        Some(Node::Map(last)) => rest.len() == 1 && last.contains_key(*name),
        _ => true,
    };
    if begins {
        list.push(Node::Map(BTreeMap::new()));
    }
    match list.last_mut() {
        Some(Node::Map(last)) => insert(last, rest, value, key),
        _ => Err(FormError::Conflict(key.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(s: &str) -> Node {
        Node::Text(s.into())
    }

    #[test]
    fn nested_and_repeated_names_are_decoded() {
        let form = decode(b"a=1&a=2&m[k]=v&l[]=x&l[]=y&i[0][p]=q&h%5Bz%5D=%C3%A9+b").unwrap();
        assert_eq!(form["a"], text("2"));
        assert_eq!(form["m"], Node::Map([("k".into(), text("v"))].into()));
        assert_eq!(form["l"], Node::List(vec![text("x"), text("y")]));
        assert_eq!(form["h"], Node::Map([("z".into(), text("é b"))].into()));
    }

    #[test]
    fn a_repeated_name_starts_the_next_list_member() {
        let form = decode(b"i[][p]=1&i[][q]=2&i[][p]=3").unwrap();
        let Node::List(list) = &form["i"] else { panic!("a list") };
        assert_eq!(list.len(), 2);
    }

    #[test]
    fn refuses_invalid_forms() {
        assert_eq!(decode(b"a=%zz"), Err(FormError::Encoding));
        assert_eq!(decode(b"a=%ff"), Err(FormError::Encoding));
        assert_eq!(decode(b"a=%4"), Err(FormError::Encoding));
        assert!(matches!(decode(b"a[b=1"), Err(FormError::Brackets(_))));
        assert!(matches!(decode(b"a[[b]]=1"), Err(FormError::Brackets(_))));
        assert!(matches!(decode(b"[b]=1"), Err(FormError::Brackets(_))));
        assert!(matches!(decode(b"a=1&a[b]=1"), Err(FormError::Conflict(_))));
        assert!(matches!(decode(b"a[]=1&a[b]=1"), Err(FormError::Conflict(_))));
        let deep = format!("a{}=1", "[b]".repeat(DEPTH_MAX));
        assert_eq!(decode(deep.as_bytes()), Err(FormError::TooDeep));
        let many = "a=1&".repeat(PAIRS_MAX + 1);
        assert_eq!(decode(many.as_bytes()), Err(FormError::TooMany));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn any_brackets_are_decoded_or_refused(parts in proptest::collection::vec("(a|b|\\[|\\]|\\[\\]|\\[0\\]|=|&|%5B|%5D|%)", 0..80)) {
            let _ = decode(parts.concat().as_bytes());
        }

        #[test]
        fn encoded_pairs_are_decoded(pairs in proptest::collection::btree_map("[a-z]{1,8}", ".{0,20}", 1..8)) {
            let encoded: Vec<String> = pairs
                .iter()
                .map(|(k, v)| format!("m[{k}]={}", v.bytes().map(|b| format!("%{b:02X}")).collect::<String>()))
                .collect();
            let form = decode(encoded.join("&").as_bytes()).unwrap();
            let expected = pairs.into_iter().map(|(k, v)| (k, Node::Text(v))).collect();
            prop_assert_eq!(&form["m"], &Node::Map(expected));
        }
    }
}
