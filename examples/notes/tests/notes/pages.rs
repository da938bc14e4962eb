//! Tests the page of notes: escaping, sizes, and pages of many notes.

use crate::{Memory, get, post, put};
use notes::{Note, Room, Site, respond};

#[test]
fn what_customers_type_is_escaped() {
    let memory = Memory::with_bucket();
    let script = "<script>alert('x')</script>";
    let file = "file; filename=\"<script>alert(1).txt\"";
    assert_eq!(post(&memory, &[("name", "a"), ("text", script), (file, "x")]).status, 303);
    let again = post(&memory, &[("name", "\"><script>"), ("text", "</textarea><script>")]);
    for page in [get(&memory, "/"), again] {
        assert!(!page.body.contains("<script") && page.body.contains("&lt;script&gt;"), "{}", page.body);
        assert!(page.body.contains("<td>&lt;hobby&gt;</td>"), "{}", page.body);
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; form-action 'self'"), "{policy}");
    }
    let sheet = get(&memory, "/app.css");
    assert_eq!((sheet.status, sheet.header("content-type")), (200, "text/css; charset=utf-8"));
}

#[test]
fn the_page_shows_how_much_room_is_used_if_there_is_a_limit() {
    assert!(!get(&Memory::with_bucket(), "/").body.contains("<meter"));
    let database = Room { used: 20 << 10, limit: Some(1 << 30), is_refused: false };
    let bucket = Some(Room { used: (1 << 20) + (1 << 19), limit: Some(2 << 30), is_refused: false });
    let page = get(&Memory { database, bucket, ..Memory::default() }, "/").body;
    assert!(page.contains("Notes: 20 KB of 1 GB used") && page.contains("Files: 1.5 MB of 2 GB used"), "{page}");
    assert!(page.contains("max=\"1073741824\" value=\"20480\""), "{page}");
}

#[test]
fn many_notes_have_several_pages_with_the_newest_first() {
    let memory = Memory::default();
    for number in 0..101 {
        let note = Note { name: format!("n{number}"), text: "x".to_owned(), changed: number, file: None };
        memory.notes.lock().expect("no panic").insert(note.name.clone(), note);
    }
    let shown = |path: &str| get(&memory, path).body;
    let (first, second, third) = (shown("/"), shown("/?page=2"), shown("/?x=1&page=3"));
    assert!(first.contains(">n100<") && first.contains(">n51<") && !first.contains(">n50<"), "{first}");
    assert!(first.contains("/?page=2") && !first.contains("Newer notes"), "{first}");
    assert!(second.contains(">n50<") && second.contains("/?page=1") && second.contains("/?page=3"), "{second}");
    assert!(third.contains(">n0<") && !third.contains(">n1<") && !third.contains("Older notes"), "{third}");
    for odd in ["/?page=0", "/?page=x", "/?page="] {
        assert_eq!(shown(odd), first, "{odd}");
    }
    assert!(shown("/?page=99999999999999999999999").contains(">n100<"));
    assert!(shown("/?page=18446744073709551615").contains("There are no notes"));
}

#[test]
fn a_long_text_is_cut_on_the_page_and_has_its_own_address() {
    let memory = Memory::default();
    put(&memory, "/notes/long", &format!("{}END", "ü".repeat(2_000)));
    put(&memory, "/notes/short", &format!("{}!", "ü".repeat(1_999)));
    let page = get(&memory, "/").body;
    assert!(!page.contains("END") && page.matches("ü…").count() == 1 && page.contains("ü!"), "{page}");
    assert!(get(&memory, "/notes/long").body.ends_with("END"));
}

#[test]
fn a_seed_with_another_name_is_shown_without_an_address() {
    let memory = Memory::default();
    let note = Note { name: "admin.mail".to_owned(), text: "a@example.com".to_owned(), changed: 0, file: None };
    memory.notes.lock().expect("no panic").insert(note.name.clone(), note);
    let page = get(&memory, "/").body;
    assert!(page.contains("admin.mail") && !page.contains("/notes/admin"), "{page}");
    let request = http::Request::get("/").body("".into()).expect("a request");
    let page = crate::block_on(respond(&Site::default(), Some(&memory), request)).expect("a page");
    assert!(!String::from_utf8_lossy(page.body()).contains("Settings of this instance"));
}
