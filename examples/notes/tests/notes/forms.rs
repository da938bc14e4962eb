//! Tests the form of a new note: what is kept, and what is shown again with a mistake.

use crate::{Answer, MULTIPART, Memory, get, multipart, post, send};
use notes::{BODY_MAX, Room};

/// Asserts that the form is shown again: with a mistake at `field`, and with `typed`.
fn assert_again(answer: &Answer, status: u16, field: &str, mistake: &str, typed: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    let shown = format!("id=\"{field}-error\">{mistake}");
    let body = &answer.body;
    assert!(body.contains(&shown) && body.contains(&format!("{field}-error")), "expected `{shown}` in {body}");
    assert!(body.contains("aria-invalid=\"true\"") && body.contains(typed), "expected `{typed}` in {body}");
}

#[test]
fn a_note_with_a_file_is_kept_and_shown() {
    let memory = Memory::with_bucket();
    let file = ("file; filename=\"C:\\\\fakepath\\\\list.txt\"\r\nContent-Type: text/plain", "milk");
    let kept = post(&memory, &[("name", " shopping "), ("text", "first\r\nsecond"), file]);
    assert_eq!((kept.status, kept.header("location")), (303, "/"));
    assert_eq!(get(&memory, "/notes/shopping").body, "first\nsecond");
    let page = get(&memory, "/").body;
    assert!(page.contains("first\nsecond") && page.contains("2023-11-14 22:13 UTC"), "{page}");
    assert!(page.contains("<a href=\"/notes/shopping/file\">list.txt</a>") && page.contains("4 bytes"), "{page}");
    let deleted = send(&memory, "POST", "/notes/shopping/delete", &[], "");
    assert_eq!((deleted.status, deleted.header("location")), (303, "/"));
    assert_eq!(send(&memory, "POST", "/notes/shopping/delete", &[], "").status, 303, "once more");
    assert_eq!((memory.names(), memory.files()), (vec![], vec![]));
}

#[test]
fn mistakes_are_shown_at_their_fields_with_what_was_typed() {
    let memory = Memory::with_bucket();
    post(&memory, &[("name", "taken"), ("text", "kept")]);
    let again = post(&memory, &[("name", "a b"), ("text", "my <b>words</b>")]);
    assert_again(&again, 422, "name", "The name is “a b”: expected", "my &lt;b&gt;words&lt;&#x2f;b&gt;");
    let again = post(&memory, &[("name", "taken"), ("text", "other")]);
    assert_again(
        &again,
        422,
        "name",
        "The name is “taken”: expected a name that no other note has",
        "other</textarea>",
    );
    let again = post(&memory, &[("name", "empty"), ("text", ""), ("file; filename=\"\"", "")]);
    assert_again(&again, 422, "text", "The text is empty: expected a text or a file", "value=\"empty\"");
    let again = post(&memory, &[("name", "long"), ("text", &"x".repeat(64 * 1024 + 1))]);
    assert_again(&again, 422, "text", "The text has 65537 bytes: expected at most 65536", "value=\"long\"");
    let again = post(&memory, &[("name", "nul"), ("text", "a\0b")]);
    assert_again(&again, 422, "text", "The text contains the character NUL", "value=\"nul\"");
    let long = format!("file; filename=\"{}\"", "ü".repeat(201));
    let again = post(&memory, &[("name", "a"), ("text", ""), (&long, "x")]);
    assert_again(&again, 422, "file", "The file has a name of 201 characters", "Choose its file again.");
    let again = post(&memory, &[("name", "a"), ("text", ""), ("file; filename=\"\"", "x")]);
    assert_again(&again, 422, "file", "The file has no name", "Choose its file again.");
    let again = post(&memory, &[("name", "a"), ("text", "typed"), ("file; filename=f", &"x".repeat(BODY_MAX))]);
    assert_again(&again, 413, "file", "The file and the text have 41", "typed</textarea>");
    assert_eq!((memory.names(), memory.files()), (vec!["taken".to_owned()], vec![]));
    assert_eq!(get(&memory, "/notes/taken").body, "kept");
}

#[test]
fn files_need_a_bucket_with_room() {
    let file = ("file; filename=f", "12345");
    let again = post(&Memory::default(), &[("name", "a"), ("text", "x"), file]);
    assert_eq!(again.status, 422);
    assert!(again.body.contains("There is a file: expected none, since this instance has no bucket"), "{}", again.body);
    assert!(!again.body.contains("type=\"file\""), "{}", again.body);
    let room = |used| Some(Room { used, limit: Some(10), is_refused: false });
    let full = Memory { bucket: room(6), ..Memory::default() };
    let again = post(&full, &[("name", "a"), ("text", "x"), file]);
    assert_again(&again, 507, "file", "The file has 5 bytes: expected at most 4", "value=\"a\"");
    assert_eq!(post(&full, &[("name", "a"), ("text", "x")]).status, 303, "a note without a file");
    let fits = Memory { bucket: room(5), ..Memory::default() };
    assert_eq!(post(&fits, &[("name", "a"), ("text", "x"), file]).status, 303);
    assert_eq!((full.files(), fits.files()), (vec![], vec!["a".to_owned()]));
}

#[test]
fn what_is_no_form_of_a_note_is_refused() {
    let memory = Memory::with_bucket();
    let whole = multipart(&[("name", "a"), ("text", "x")]);
    let urlencoded = ("Content-Type", "application/x-www-form-urlencoded");
    assert_eq!(send(&memory, "POST", "/notes", &[urlencoded], "name=a&text=x").status, 415);
    assert_eq!(send(&memory, "POST", "/notes", &[], whole.clone()).status, 415);
    let cut = whole[..whole.len() - 12].to_owned();
    assert_eq!(send(&memory, "POST", "/notes", &[MULTIPART], cut).status, 400);
    let unknown = post(&memory, &[("name", "a"), ("text", "x"), ("role", "admin")]);
    let expected = "the form has the field `role`: expected `name`, `text` and `file`, each once";
    assert_eq!(unknown.status_and_body(), (400, expected));
    assert_eq!(post(&memory, &[("name", "a"), ("name", "b"), ("text", "x")]).status, 400);
    assert_eq!(memory.names(), [""; 0]);
}
