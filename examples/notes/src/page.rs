//! Renders the HTML pages.

use crate::error::{FILE_NAME_MAX, Mistake, NotesError, TEXT_MAX};
use crate::form::Form;
use crate::name::{NAME_MAX, is_name};
use crate::routes::{BODY_MAX, PER_PAGE, Site};
use crate::storage::{Note, Room};
use jiff::Timestamp;
use minijinja::Environment;
use serde::Serialize;
use std::collections::BTreeMap;

/// Characters of a text on the page. The whole text has its own address.
const EXCERPT: usize = 2_000;

/// The part of the notebook that a page shows, and the form on it.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Number of the page, from 1.
    pub page: u64,
    /// The form as it was sent, if it is shown again.
    pub sent: Option<Form>,
    pub mistakes: Vec<Mistake>,
    /// A problem of no single field.
    pub problem: Option<&'static str>,
}

impl Default for Shown {
    fn default() -> Self {
        Shown { page: 1, sent: None, mistakes: Vec::new(), problem: None }
    }
}

#[derive(Serialize)]
struct NotesPage<'a> {
    title: &'a str,
    settings: &'a [(String, String)],
    notes: Vec<NoteView>,
    count: u64,
    rooms: Vec<RoomView>,
    is_full: bool,
    has_bucket: bool,
    problem: Option<&'static str>,
    name: &'a str,
    text: &'a str,
    had_file: bool,
    errors: BTreeMap<&'static str, String>,
    name_max: usize,
    text_max: usize,
    file_max: String,
    newer: Option<u64>,
    older: Option<u64>,
}

#[derive(Serialize)]
struct NoteView {
    name: String,
    /// True if the note has an address. A seed may have a name that no address may contain.
    has_address: bool,
    text: String,
    is_cut: bool,
    changed: String,
    changed_shown: String,
    file: Option<FileView>,
}

#[derive(Serialize)]
struct FileView {
    name: String,
    size: String,
}

#[derive(Serialize)]
struct RoomView {
    id: &'static str,
    label: &'static str,
    used: u64,
    limit: u64,
    used_shown: String,
    limit_shown: String,
}

/// Renders the page of notes.
///
/// # Errors
///
/// Fails if the template is broken.
pub(crate) fn notes(
    site: &Site,
    notes: Vec<Note>,
    count: u64,
    database: Room,
    files: Option<Room>,
    shown: Shown,
) -> Result<String, NotesError> {
    let has_bucket = files.is_some();
    let rooms = [Some(("room-database", "Notes", database)), files.map(|room| ("room-files", "Files", room))];
    let rooms = rooms.into_iter().flatten().filter_map(|(id, label, room)| RoomView::new(id, label, room)).collect();
    let mut errors = BTreeMap::new();
    for mistake in &shown.mistakes {
        errors.entry(mistake.field()).or_insert_with(|| mistake.to_string());
    }
    let name: String = shown.sent.iter().flat_map(|sent| sent.name.chars().take(FILE_NAME_MAX)).collect();
    let page = NotesPage {
        title: &site.name,
        settings: &site.settings,
        notes: notes.into_iter().map(|note| NoteView::new(note, has_bucket)).collect(),
        count,
        rooms,
        is_full: database.is_full(),
        has_bucket,
        problem: shown.problem,
        name: &name,
        // No browser sends a longer text, and Lambda refuses long responses.
        text: shown.sent.as_ref().filter(|sent| sent.text.len() <= 4 * TEXT_MAX).map_or("", |sent| &sent.text),
        had_file: shown.sent.as_ref().is_some_and(|sent| sent.file.is_some()),
        errors,
        name_max: NAME_MAX,
        text_max: TEXT_MAX,
        file_max: size(BODY_MAX as u64),
        newer: (shown.page > 1).then(|| shown.page - 1),
        older: (shown.page * PER_PAGE < count).then(|| shown.page + 1),
    };
    render("notes.html", include_str!("pages/notes.html"), &page)
}

/// Renders the page of an instance without a database.
///
/// # Errors
///
/// Fails if the template is broken.
pub(crate) fn settings(site: &Site) -> Result<String, NotesError> {
    let page = minijinja::context! { title => site.name, settings => site.settings };
    render("settings.html", include_str!("pages/settings.html"), &page)
}

/// Renders a template. Values are escaped, since its name ends with `.html`.
fn render(name: &'static str, source: &'static str, page: &impl Serialize) -> Result<String, NotesError> {
    let mut pages = Environment::new();
    pages.add_template(name, source)?;
    Ok(pages.get_template(name)?.render(page)?)
}

impl NoteView {
    fn new(note: Note, has_bucket: bool) -> NoteView {
        let time = Timestamp::from_second(note.changed).unwrap_or_default();
        let end = note.text.char_indices().nth(EXCERPT).map(|(end, _)| end);
        NoteView {
            has_address: is_name(&note.name),
            name: note.name,
            is_cut: end.is_some(),
            text: end.map(|end| note.text[..end].to_owned()).unwrap_or(note.text),
            changed: time.to_string(),
            changed_shown: time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            file: note.file.filter(|_| has_bucket).map(|file| FileView { name: file.name, size: size(file.bytes) }),
        }
    }
}

impl RoomView {
    fn new(id: &'static str, label: &'static str, room: Room) -> Option<RoomView> {
        let limit = room.limit?;
        let (used_shown, limit_shown) = (size(room.used), size(limit));
        Some(RoomView { id, label, used: room.used, limit, used_shown, limit_shown })
    }
}

/// Returns a size for a person, with one digit after the point, rounded down.
fn size(bytes: u64) -> String {
    let (mut unit, mut step) = ("bytes", 1_u64);
    for next in ["KB", "MB", "GB", "TB"] {
        if bytes / step < 1024 {
            break;
        }
        (unit, step) = (next, step * 1024);
    }
    match ((bytes / step), (bytes % step) * 10 / step) {
        (whole, 0) => format!("{whole} {unit}"),
        (whole, tenths) => format!("{whole}.{tenths} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        let sizes = [0, 1023, 1024, 1536, 4 << 20, (1 << 30) + (1 << 29), 5 << 40, u64::MAX];
        let shown = ["0 bytes", "1023 bytes", "1 KB", "1.5 KB", "4 MB", "1.5 GB", "5 TB", "16777215.9 TB"];
        assert_eq!(sizes.map(size), shown);
    }
}
