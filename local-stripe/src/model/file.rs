//! Builders of files and file links, and the file in a request.

use serde_json::json;

use crate::object::{Object, list};

/// A file in a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upload {
    /// The name given by the client.
    pub filename: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// Builds an uploaded file.
pub fn file(id: String, created_s: i64, purpose: &str, url: String) -> Object {
    let links = list(&format!("/v1/file_links?file={id}"), Vec::new());
    Object::of(json!({
        "id": id,
        "object": "file",
        "created": created_s,
        "expires_at": null,
        "filename": null,
        "links": links,
        "purpose": purpose,
        "size": 0,
        "title": null,
        "type": null,
        "url": url,
    }))
}

/// Builds a link to a file.
pub fn link(id: String, created_s: i64, file: &str, url: String) -> Object {
    Object::of(json!({
        "id": id,
        "object": "file_link",
        "created": created_s,
        "expired": false,
        "expires_at": null,
        "file": file,
        "livemode": false,
        "metadata": {},
        "url": url,
    }))
}
