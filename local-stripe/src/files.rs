//! Uploaded files and the links to them. The bytes of a file are stored as a separate object, so that lists do not read them.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::model;
use crate::model::file::Upload;
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::state::State;

/// The purposes for which a client may upload files.
pub const PURPOSES: &[&str] = &[
    "account_requirement",
    "additional_verification",
    "business_icon",
    "business_logo",
    "customer_signature",
    "dispute_evidence",
    "identity_document",
    "issuing_regulatory_reporting",
    "pci_document",
    "platform_terms_of_service",
    "tax_document_user_upload",
    "terminal_android_apk",
    "terminal_reader_splashscreen",
    "terminal_wifi_certificate",
    "terminal_wifi_private_key",
];
/// The purposes for which a file may have links.
const LINKED: &[&str] = &[
    "business_icon",
    "business_logo",
    "customer_signature",
    "dispute_evidence",
    "issuing_regulatory_reporting",
    "pci_document",
    "tax_document_user_upload",
    "terminal_android_apk",
    "terminal_reader_splashscreen",
];

/// Stores the file of a request.
///
/// # Errors
/// The file is missing, or it can't have the requested link.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let Some(upload) = st.upload.take() else {
        let message = "Missing required param: file. Send the request as multipart/form-data.";
        return Err(ApiError::coded("parameter_missing", message).about("file"));
    };
    let (id, now_s) = (st.new_id("file"), st.clock_s());
    let url = format!("{}/v1/files/{id}/contents", st.settings.base_url);
    let mut file = model::file::file(id.clone(), now_s, args.text("purpose").unwrap_or_default(), url);
    file.set("filename", upload.filename.clone());
    file.set("size", upload.content.len());
    file.set("type", kind(&upload));
    let hex: String = upload.content.iter().map(|byte| format!("{byte:02x}")).collect();
    st.put(file);
    st.put(Object::of(json!({ "id": format!("sandbox.content_{id}"), "object": "sandbox.file_content", "hex": hex })));
    let link = args.map("file_link_data");
    if link.flag("create") == Some(true) {
        create_link(st, &id, &link)?;
    }
    Ok(st.find(&id)?.value())
}

/// Returns the type of a file, determined from its first bytes or otherwise from its name.
fn kind(upload: &Upload) -> Value {
    let known: [(&[u8], &str); 4] = [(b"%PDF", "pdf"), (b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif")];
    match known.iter().find(|(first, _)| upload.content.starts_with(first)) {
        Some((_, kind)) => json!(kind),
        None => upload.filename.rsplit_once('.').map_or(Value::Null, |(_, ending)| json!(ending.to_lowercase())),
    }
}

/// Returns the bytes of a file.
pub fn content(st: &State, id: &str) -> Option<Vec<u8>> {
    let stored = st.seek(&format!("sandbox.content_{id}"))?;
    let digits: Vec<u32> = stored.text("hex").chars().filter_map(|digit| digit.to_digit(16)).collect();
    Some(digits.chunks_exact(2).filter_map(|pair| u8::try_from(pair[0] * 16 + pair[1]).ok()).collect())
}

/// Creates a link to a file.
///
/// # Errors
/// The file is unknown or can't have links, or the expiry is in the past.
pub fn create_link(st: &mut State, file: &str, args: &Args) -> Result<Value, ApiError> {
    let owner = st.load("file", file, "file")?;
    if !LINKED.contains(&owner.text("purpose")) {
        let message = format!("A file with the purpose {} can't have a link.", owner.text("purpose"));
        return Err(ApiError::invalid(message).about("file"));
    }
    let (id, now_s) = (st.new_id("link"), st.clock_s());
    let url = format!("{}/_sandbox/files/{id}", st.settings.base_url);
    let mut link = model::file::link(id, now_s, file, url);
    set_expiry(&mut link, args, now_s)?;
    link.set("metadata", merge_metadata(&json!({}), args)?);
    let link = st.put(link);
    show_at_file(st, &link);
    Ok(link.value())
}

fn set_expiry(link: &mut Object, args: &Args, now_s: i64) -> Result<(), ApiError> {
    if !args.has("expires_at") {
        return Ok(());
    }
    let expires_s = if args.text("expires_at") == Some("now") { Some(now_s) } else { args.int("expires_at") };
    if expires_s.is_some_and(|at| at < now_s) {
        return Err(ApiError::invalid("`expires_at` must be in the future.").about("expires_at"));
    }
    link.set("expires_at", crate::state::time_or_null(expires_s));
    Ok(())
}

/// Changes a link.
///
/// # Errors
/// The link is unknown, or a parameter is invalid.
pub fn update_link(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let mut link = Object::clone(&*st.load("file_link", id, "id")?);
    set_expiry(&mut link, args, st.clock_s())?;
    link.set("metadata", merge_metadata(link.get("metadata"), args)?);
    let link = st.put(link);
    show_at_file(st, &link);
    Ok(shown(st, &link))
}

/// Returns a link, with the member `expired` at the current time.
pub fn shown(st: &State, link: &Object) -> Value {
    let mut link = link.clone();
    let is_expired = link.int_at("expires_at").is_some_and(|at| at <= st.clock_s());
    link.set("expired", is_expired);
    link.value()
}

/// Inserts a new or changed link into the list of its file.
fn show_at_file(st: &mut State, link: &Object) {
    let shown = shown(st, link);
    st.change(link.text("file"), |file| {
        let mut all = file.list_at("links").to_vec();
        all.retain(|other| other["id"] != shown["id"]);
        all.insert(0, shown);
        file.set_at("links.data", all);
    });
}
