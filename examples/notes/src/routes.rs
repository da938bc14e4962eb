//! Turns each request into a response.

use crate::error::{Mistake, NotesError, TEXT_MAX};
use crate::form::{self, Form};
use crate::name::{NAME_MAX, is_name};
use crate::page::{self, Shown};
use crate::storage::{FileInfo, Note, Storage, StorageError};
use crate::{origin, reply};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use serde_json::json;

/// Maximum bytes of a request's body. Encoded as base64, it still fits into Lambda's limit for a request.
pub const BODY_MAX: usize = 4 * 1024 * 1024;
/// Notes on a page.
pub(crate) const PER_PAGE: u64 = 50;
/// Largest number of a page; a larger one is replaced by it.
const PAGE_MAX: u64 = 1_000_000;

const DATABASE_FULL: &str = "the database has reached the plan's limit";
const BUCKET_FULL: &str = "the bucket has reached the plan's limit";
const STYLE: &str = include_str!("pages/app.css");

/// The instance as the pages show it, and the time of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Name of the instance.
    pub name: String,
    /// Names and values of settings, for the customer to read.
    pub settings: Vec<(String, String)>,
    /// Time in seconds since 1970.
    pub now: i64,
}

/// Returns the response to a request. Without a storage there are no notes, and `/` shows the settings.
///
/// # Errors
///
/// Fails if the storage fails. Then [`failed`](crate::failed) is the response, and the error is for the log.
pub async fn respond<S: Storage>(
    site: &Site,
    storage: Option<&S>,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, NotesError> {
    let is_head = *request.method() == Method::HEAD;
    let responded = match storage {
        Some(storage) => App { site, storage }.respond(request).await,
        None => without_storage(site, &request),
    };
    let mut response = match responded {
        Err(NotesError::Storage(StorageError::Full)) => reply::text(StatusCode::INSUFFICIENT_STORAGE, DATABASE_FULL),
        other => other?,
    };
    if is_head {
        *response.body_mut() = Bytes::new();
    }
    Ok(response)
}

/// Returns the method, with `GET` for `HEAD`.
fn method(request: &Request<Bytes>) -> Method {
    match *request.method() {
        Method::HEAD => Method::GET,
        ref other => other.clone(),
    }
}

fn not_found() -> Response<Bytes> {
    reply::text(StatusCode::NOT_FOUND, "not found")
}

fn without_storage(site: &Site, request: &Request<Bytes>) -> Result<Response<Bytes>, NotesError> {
    Ok(match (method(request), request.uri().path()) {
        (Method::GET, "/") => reply::html(StatusCode::OK, page::settings(site)?),
        (Method::GET, "/app.css") => reply::css(STYLE),
        (Method::GET, "/health") => reply::json(&json!({"status": "ok", "name": site.name})),
        (_, "/" | "/app.css" | "/health") => reply::not_allowed("GET"),
        _ => not_found(),
    })
}

/// The site and its storage, for one request.
struct App<'a, S> {
    site: &'a Site,
    storage: &'a S,
}

impl<S: Storage> App<'_, S> {
    async fn respond(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NotesError> {
        let method = method(&request);
        if method != Method::GET && origin::is_foreign(request.headers()) {
            let message = "the request comes from a page of another site: expected a request from a page of this site";
            return Ok(reply::text(StatusCode::FORBIDDEN, message));
        }
        let is_too_large = request.body().len() > BODY_MAX;
        let path = request.uri().path().to_owned();
        if let Some(rest) = path.strip_prefix("/notes/") {
            return match is_too_large {
                true => Ok(reply::too_large(BODY_MAX)),
                false => self.note(&method, rest, request.body()).await,
            };
        }
        match (method, path.as_str()) {
            (Method::GET, "/") => {
                let page = page_of(request.uri().query().unwrap_or_default());
                self.page(StatusCode::OK, Shown { page, ..Shown::default() }).await
            }
            (Method::GET, "/app.css") => Ok(reply::css(STYLE)),
            (Method::GET, "/health") => self.health().await,
            (Method::POST, "/notes") => self.add(request).await,
            (_, "/" | "/app.css" | "/health") => Ok(reply::not_allowed("GET")),
            (_, "/notes") => Ok(reply::not_allowed("POST")),
            _ => Ok(not_found()),
        }
    }

    async fn health(&self) -> Result<Response<Bytes>, NotesError> {
        let (room, notes) = (self.storage.room().await?, self.storage.count().await?);
        let name = &self.site.name;
        Ok(reply::json(&json!({"status": "ok", "name": name, "database_bytes": room.used, "notes": notes})))
    }

    /// Responds with the page of notes.
    async fn page(&self, status: StatusCode, shown: Shown) -> Result<Response<Bytes>, NotesError> {
        let first = (shown.page - 1) * PER_PAGE;
        let (notes, count) = (self.storage.list(first, PER_PAGE).await?, self.storage.count().await?);
        let database = self.storage.room().await?;
        let files = match self.storage.has_bucket() {
            true => Some(self.storage.room_of_files().await?),
            false => None,
        };
        Ok(reply::html(status, page::notes(self.site, notes, count, database, files, shown)?))
    }

    /// Responds to `/notes/NAME`, `/notes/NAME/delete` and `/notes/NAME/file`.
    async fn note(&self, method: &Method, path: &str, body: &Bytes) -> Result<Response<Bytes>, NotesError> {
        let (name, part) = path.split_once('/').map_or((path, None), |(name, part)| (name, Some(part)));
        if !is_name(name) {
            let message = format!("expected a name of 1 to {NAME_MAX} letters, digits, - and _");
            return Ok(reply::text(StatusCode::BAD_REQUEST, message));
        }
        match (part, method) {
            (None, &Method::GET) => Ok(match self.storage.get(name).await? {
                Some(note) => reply::text(StatusCode::OK, note.text),
                None => no_note(),
            }),
            (None, &Method::PUT) => self.put(name, body).await,
            (None, &Method::DELETE) => Ok(match self.delete(name).await? {
                true => reply::text(StatusCode::OK, "deleted"),
                false => no_note(),
            }),
            (None, _) => Ok(reply::not_allowed("GET, PUT or DELETE")),
            (Some("delete"), &Method::POST) => {
                self.delete(name).await?;
                Ok(reply::see_all())
            }
            (Some("delete"), _) => Ok(reply::not_allowed("POST")),
            (Some("file"), &Method::GET) => self.file(name).await,
            (Some("file"), _) => Ok(reply::not_allowed("GET")),
            _ => Ok(not_found()),
        }
    }

    async fn put(&self, name: &str, body: &Bytes) -> Result<Response<Bytes>, NotesError> {
        let Ok(text) = std::str::from_utf8(body) else {
            return Ok(reply::text(StatusCode::BAD_REQUEST, "the text is not UTF-8: expected UTF-8"));
        };
        match form::text_mistake(text) {
            Some(Mistake::TextLong(_)) => return Ok(reply::too_large(TEXT_MAX)),
            Some(other) => return Ok(reply::text(StatusCode::BAD_REQUEST, other.to_string())),
            None => {}
        }
        if self.storage.room().await?.is_full() {
            return Ok(reply::text(StatusCode::INSUFFICIENT_STORAGE, DATABASE_FULL));
        }
        self.storage.put(name, text, self.site.now).await?;
        Ok(reply::text(StatusCode::OK, "saved"))
    }

    /// Deletes a note with its file. The file is deleted first: after a failure the note is there, to be deleted again.
    async fn delete(&self, name: &str) -> Result<bool, NotesError> {
        if self.storage.has_bucket() {
            self.storage.delete_file(name).await?;
        }
        Ok(self.storage.delete(name).await?)
    }

    async fn file(&self, name: &str) -> Result<Response<Bytes>, NotesError> {
        let Some(note) = self.storage.get(name).await? else { return Ok(no_note()) };
        let content = match note.file.is_some() && self.storage.has_bucket() {
            true => self.storage.file(name).await?,
            false => None,
        };
        Ok(match (note.file, content) {
            (Some(info), Some(content)) => reply::attachment(content, &info.kind, &info.name),
            _ => reply::text(StatusCode::NOT_FOUND, "this note has no file"),
        })
    }

    /// Adds the note of a form. A mistake shows the page again with the form as it was sent.
    async fn add(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NotesError> {
        let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let (kind, bytes) = (kind.to_owned(), request.body().len());
        let sent = match form::read(&kind, request.into_body()).await {
            Ok(form) => form,
            Err(error @ form::FormError::Kind(_)) => {
                return Ok(reply::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_string()));
            }
            Err(error) => return Ok(reply::text(StatusCode::BAD_REQUEST, error.to_string())),
        };
        if bytes > BODY_MAX {
            return self.again(StatusCode::PAYLOAD_TOO_LARGE, sent, vec![Mistake::BodyLarge(bytes)], None).await;
        }
        let mistakes = sent.mistakes(self.storage.has_bucket());
        if !mistakes.is_empty() {
            return self.again(StatusCode::UNPROCESSABLE_ENTITY, sent, mistakes, None).await;
        }
        if self.storage.room().await?.is_full() {
            return self.again(StatusCode::INSUFFICIENT_STORAGE, sent, Vec::new(), Some(DATABASE_FULL)).await;
        }
        if let Some(file) = &sent.file {
            let room = self.storage.room_of_files().await?;
            let (bytes, free) = (file.content.len() as u64, room.free());
            if room.is_refused {
                return self.again(StatusCode::INSUFFICIENT_STORAGE, sent, Vec::new(), Some(BUCKET_FULL)).await;
            }
            if bytes > free {
                let mistakes = vec![Mistake::FilesFull { bytes, free }];
                return self.again(StatusCode::INSUFFICIENT_STORAGE, sent, mistakes, None).await;
            }
        }
        let info = sent.file.as_ref().map(|file| FileInfo {
            name: file.name.clone(),
            kind: file.kind.clone(),
            bytes: file.content.len() as u64,
        });
        let note = Note { name: sent.name.clone(), text: sent.text.clone(), changed: self.site.now, file: info };
        let is_new = match self.storage.add(&note).await {
            Err(StorageError::Full) => {
                return self.again(StatusCode::INSUFFICIENT_STORAGE, sent, Vec::new(), Some(DATABASE_FULL)).await;
            }
            other => other?,
        };
        if !is_new {
            let mistakes = vec![Mistake::NameTaken(sent.name.clone())];
            return self.again(StatusCode::UNPROCESSABLE_ENTITY, sent, mistakes, None).await;
        }
        if let Some(file) = &sent.file
            && let Err(error) = self.storage.put_file(&note.name, &file.kind, file.content.clone()).await
        {
            // The customer gets an error and sends the form again, so the name must be free.
            let freed = self.storage.delete(&note.name).await;
            return match error {
                StorageError::BucketFull if freed.is_ok() => {
                    self.again(StatusCode::INSUFFICIENT_STORAGE, sent, Vec::new(), Some(BUCKET_FULL)).await
                }
                other => Err(other.into()),
            };
        }
        Ok(reply::see_all())
    }

    async fn again(
        &self,
        status: StatusCode,
        sent: Form,
        mistakes: Vec<Mistake>,
        problem: Option<&'static str>,
    ) -> Result<Response<Bytes>, NotesError> {
        self.page(status, Shown { page: 1, sent: Some(sent), mistakes, problem }).await
    }
}

fn no_note() -> Response<Bytes> {
    reply::text(StatusCode::NOT_FOUND, "there is no note with this name")
}

/// Returns the number of the page in a query such as `page=2`.
fn page_of(query: &str) -> u64 {
    let number = query.split('&').find_map(|part| part.strip_prefix("page=")?.parse::<u64>().ok());
    number.unwrap_or(1).clamp(1, PAGE_MAX)
}
