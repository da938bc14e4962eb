//! Tests the notebook on a storage in memory.

mod forms;
mod pages;
mod routes;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use notes::{Note, Room, Site, Storage, StorageError, respond};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Notes and files in memory.
#[derive(Default)]
struct Memory {
    notes: Mutex<BTreeMap<String, Note>>,
    files: Mutex<BTreeMap<String, Bytes>>,
    /// Limits of the database and of the bucket. No bucket without a limit.
    database: Room,
    bucket: Option<Room>,
    /// True if each use of the bucket fails.
    is_bucket_broken: bool,
}

impl Memory {
    fn with_bucket() -> Memory {
        Memory { bucket: Some(Room::default()), ..Memory::default() }
    }

    fn names(&self) -> Vec<String> {
        self.notes.lock().expect("no panic").keys().cloned().collect()
    }

    fn files(&self) -> Vec<String> {
        self.files.lock().expect("no panic").keys().cloned().collect()
    }

    fn of_bucket<T>(&self, value: T) -> Result<T, StorageError> {
        match self.is_bucket_broken {
            true => Err(StorageError::bucket("it is broken")),
            false => Ok(value),
        }
    }
}

impl Storage for Memory {
    async fn list(&self, skip: u64, count: u64) -> Result<Vec<Note>, StorageError> {
        let mut notes: Vec<Note> = self.notes.lock().expect("no panic").values().cloned().collect();
        notes.sort_by_key(|note| std::cmp::Reverse(note.changed));
        let (skip, count) = (skip.try_into().expect("a count"), count.try_into().expect("a count"));
        Ok(notes.into_iter().skip(skip).take(count).collect())
    }

    async fn count(&self) -> Result<u64, StorageError> {
        Ok(self.notes.lock().expect("no panic").len() as u64)
    }

    async fn get(&self, name: &str) -> Result<Option<Note>, StorageError> {
        Ok(self.notes.lock().expect("no panic").get(name).cloned())
    }

    async fn add(&self, note: &Note) -> Result<bool, StorageError> {
        let mut notes = self.notes.lock().expect("no panic");
        let is_new = !notes.contains_key(&note.name);
        if is_new {
            notes.insert(note.name.clone(), note.clone());
        }
        Ok(is_new)
    }

    async fn put(&self, name: &str, text: &str, changed: i64) -> Result<(), StorageError> {
        let mut notes = self.notes.lock().expect("no panic");
        let file = notes.get(name).and_then(|note| note.file.clone());
        notes.insert(name.to_owned(), Note { name: name.to_owned(), text: text.to_owned(), changed, file });
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<bool, StorageError> {
        Ok(self.notes.lock().expect("no panic").remove(name).is_some())
    }

    async fn room(&self) -> Result<Room, StorageError> {
        Ok(self.database)
    }

    fn has_bucket(&self) -> bool {
        self.bucket.is_some()
    }

    async fn room_of_files(&self) -> Result<Room, StorageError> {
        Ok(self.bucket.expect("a bucket"))
    }

    async fn put_file(&self, note: &str, _: &str, file: Bytes) -> Result<(), StorageError> {
        self.of_bucket(())?;
        self.files.lock().expect("no panic").insert(note.to_owned(), file);
        Ok(())
    }

    async fn file(&self, note: &str) -> Result<Option<Bytes>, StorageError> {
        self.of_bucket(self.files.lock().expect("no panic").get(note).cloned())
    }

    async fn delete_file(&self, note: &str) -> Result<(), StorageError> {
        self.of_bucket(())?;
        self.files.lock().expect("no panic").remove(note);
        Ok(())
    }
}

/// A response with its body as text.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn status_and_body(&self) -> (u16, &str) {
        (self.status, &self.body)
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn site() -> Site {
    let settings = vec![("tier".to_owned(), "<hobby>".to_owned())];
    Site { name: "acme".to_owned(), settings, now: 1_700_000_000 }
}

fn answer(response: Response<Bytes>) -> Answer {
    let (parts, body) = response.into_parts();
    let body = String::from_utf8_lossy(&body).into_owned();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// Sends a request with headers such as `Origin: null`.
fn send(memory: &Memory, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("Host", "acme.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.into()).expect("a request");
    answer(block_on(respond(&site(), Some(memory), request)).expect("a response"))
}

fn get(memory: &Memory, path: &str) -> Answer {
    send(memory, "GET", path, &[], "")
}

fn put(memory: &Memory, path: &str, text: &str) -> Answer {
    send(memory, "PUT", path, &[], text.to_owned())
}

/// A part of a form: its headers after `form-data; name=`, and its content.
type Part<'a> = (&'a str, &'a str);

fn multipart(parts: &[Part<'_>]) -> String {
    let part = |(head, content): &Part<'_>| {
        format!("--limit\r\nContent-Disposition: form-data; name={head}\r\n\r\n{content}\r\n")
    };
    format!("{}--limit--\r\n", parts.iter().map(part).collect::<String>())
}

const MULTIPART: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=limit");

/// Sends the form of a new note.
fn post(memory: &Memory, parts: &[Part<'_>]) -> Answer {
    send(memory, "POST", "/notes", &[MULTIPART, ("Sec-Fetch-Site", "same-origin")], multipart(parts))
}
