//! `object.sign`: a temporary address of a file, `http://127.0.0.1:PORT/objects/BUCKET/KEY?expires=…&signature=…`.
//!
//! The file is in one of the account's buckets or in one of the platform's. The latter is the folder `objects/BUCKET`, into which a person
//! puts the file. This machine has no registry, so an image is also a file: `objects/images/IMAGE.tar`, as written by `docker save`.

use crate::local::bucket;
use crate::local::error::LocalError;
use crate::local::store::{ResourceStore, SHARED};
use hmac::{Hmac, KeyInit, Mac};
use host_provider_api::url::encoded;
use host_provider_api::{Call, CallOutcome};
use serde_json::json;
use sha2::Sha256;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Prefix of the path of signed addresses.
pub(crate) const PATH: &str = "/objects/";
/// The bucket of images.
const IMAGES: &str = "images";
/// File of the signing key.
const KEY: &str = "objects.key";
/// Allowed lifetime of an address in seconds, as in S3.
const TTL_S: std::ops::RangeInclusive<u64> = 1..=604_800;

/// Creates an address for an object that the account may read.
pub(crate) fn sign(store: &ResourceStore, port: u16, call: &Call) -> Result<CallOutcome, LocalError> {
    let bad = |text: &str| Ok(CallOutcome::refused("bad-payload", text));
    let (bucket, key, code) = match call.text("image") {
        Some(image) => (IMAGES, format!("{image}.tar"), "no-registry"),
        None => match (call.text("bucket"), call.text("key").or(call.text("object"))) {
            (Some(bucket), Some(key)) => (bucket, key.to_owned(), "not-found"),
            _ => return bad("`bucket` and `key`: expected the names of an object"),
        },
    };
    let Some(ttl_s) = call.payload["ttl_s"].as_u64().filter(|ttl_s| TTL_S.contains(ttl_s)) else {
        return bad("`ttl_s`: expected a whole number of seconds from 1 to 604800");
    };
    let folder = match bucket::of(store, &call.scope, bucket)? {
        Some(own) => store.within(&bucket::files(store, &own.full_id())),
        None => match joined(Path::new(SHARED), bucket).filter(|_| !bucket.contains('/')) {
            Some(folder) => PathBuf::from(folder),
            None => return bad("`bucket`: expected the name of a folder"),
        },
    };
    let Some(path) = joined(&folder, &key) else { return bad("`key`: expected a path without `..`") };
    if !store.file(&path).is_file() {
        // The path is below the provider's folder, whose location does not belong in a message.
        let text = format!("there is no file `{path}` in the folder of the provider `local`: put it there");
        return Ok(CallOutcome::refused(code, text));
    }
    let expires = now_s().saturating_add(ttl_s);
    let signature = hex::encode(mac(&store.key_or_new(KEY)?, &path, expires).finalize().into_bytes());
    let url = format!("http://127.0.0.1:{port}{PATH}{}?expires={expires}&signature={signature}", encoded(&path, b"/"));
    Ok(CallOutcome::Done(json!({"url": url})))
}

/// The answer to a request for a signed address.
pub(crate) enum Read {
    /// The bytes of the file.
    File(Vec<u8>),
    /// The signature is wrong or has expired.
    Forbidden,
    /// There is no such file.
    Absent,
}

/// Reads the file of a signed address: the path without its prefix, and the query.
pub(crate) fn read(store: &ResourceStore, path: &str, query: &str) -> Result<Read, LocalError> {
    let Some(path) = decoded(path).filter(|path| joined(Path::new(""), path).is_some()) else {
        return Ok(Read::Absent);
    };
    let value = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let expires = value("expires").and_then(|text| text.parse::<u64>().ok());
    let given = value("signature").and_then(|text| hex::decode(text).ok());
    let (Some(expires), Some(given)) = (expires, given) else { return Ok(Read::Forbidden) };
    // The comparison takes the same time wherever the signatures differ.
    let is_signed = store.key(KEY)?.is_some_and(|key| mac(&key, &path, expires).verify_slice(&given).is_ok());
    if !is_signed || expires < now_s() {
        return Ok(Read::Forbidden);
    }
    match fs::read(store.file(&path)) {
        Ok(bytes) => Ok(Read::File(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Read::Absent),
        Err(error) => Err(LocalError::Io { path: store.file(&path), error }),
    }
}

/// Returns a path below a folder; none if it would leave the folder.
fn joined(folder: &Path, key: &str) -> Option<String> {
    let is_below = Path::new(key).components().all(|part| matches!(part, Component::Normal(_)));
    let path = folder.join(key);
    path.to_str().filter(|_| is_below && !key.is_empty()).map(str::to_owned)
}

fn mac(key: &[u8], path: &str, expires: u64) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.chain_update(format!("{expires}\n{path}"))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Decodes the path of an address; none if it is malformed.
fn decoded(path: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(path.len()), path.bytes());
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_in_its_folder_and_survives_its_address() {
        let folder = Path::new("objects/files");
        for key in ["a.pdf", "manuals/sample manual.pdf", "ü/%41?b#c"] {
            let path = joined(folder, key).expect(key);
            assert_eq!(decoded(&encoded(&path, b"/")), Some(path));
        }
        for key in ["", "..", "a/../../b", "/etc/passwd", "./a"] {
            assert_eq!(joined(folder, key), None, "{key}");
        }
        for wrong in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }
}
