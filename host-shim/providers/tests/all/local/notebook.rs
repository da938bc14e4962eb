//! Tests the notebook of a function: notes with files through the HTTP server, and limits.

use crate::local::Machine;
use host_provider_api::{CallOutcome, Provider, names};
use serde_json::{Value, json};
use std::path::PathBuf;

const FORM: &str = "Content-Type: multipart/form-data; boundary=limit\r\nSec-Fetch-Site: same-origin\r\n";

impl Machine {
    /// Creates an instance with a bucket of `quota_gb`. Returns the function's host.
    fn instance_with_bucket(&self, user: &str, name: &str, quota_gb: u64) -> String {
        let host = self.instance(user, name);
        let payload = json!({"name": format!("files-{name}"), "quota_gb": quota_gb});
        self.done(user, &format!("inst_{name}/bucket/ensure"), "bucket.ensure", 1, payload);
        let payload = json!({"bucket": format!("files-{name}")});
        self.done(user, &format!("inst_{name}/compute/change"), "function.change", 2, payload);
        host
    }

    /// Sends the form of a new note. Returns the response's status and body.
    fn form(&self, host: &str, name: &str, text: &str, file: Option<&str>) -> (u16, String) {
        let part = |head: &str, content: &str| {
            format!("--limit\r\nContent-Disposition: form-data; name={head}\r\n\r\n{content}\r\n")
        };
        let file = file.map(|file| part("file; filename=\"list.txt\"", file)).unwrap_or_default();
        let body = [part("name", name), part("text", text), file, "--limit--\r\n".to_owned()].concat();
        let (status, _, body) = self.http_with("POST", host, "/notes", FORM, &body);
        (status, body)
    }

    /// Returns the folder of the only resource of this kind in the account.
    fn folder_of(&self, user: &str, resource: &str) -> PathBuf {
        let held = self.local.held().expect("an answer").expect("a list").into_iter();
        let mut own = held.filter(|it| it.id.resource == resource && it.id.scope.ends_with(&format!(":{user}")));
        let id = own.next().expect("a resource").id;
        assert!(own.next().is_none(), "one {resource}");
        self.folder().join("resources").join(names::letters(&id))
    }

    /// Changes the record of a resource, as a call can't.
    fn tamper(&self, user: &str, resource: &str, setting: &str, value: Value) {
        let path = self.folder_of(user, resource).join("resource.json");
        let text = std::fs::read_to_string(&path).expect("a record");
        let mut record: Value = serde_json::from_str(&text).expect("JSON");
        record["settings"][setting] = value;
        std::fs::write(path, record.to_string()).expect("written");
    }
}

#[test]
fn a_note_with_a_file_is_kept_shown_and_deleted() {
    let machine = Machine::new();
    let acme = machine.instance_with_bucket("u1", "acme", 1);
    assert_eq!(machine.form(&acme, "shopping", "for the week", Some("milk")).0, 303);
    let (status, page) = machine.http("GET", &acme, "/", "");
    assert!(status == 200 && page.contains("for the week") && page.contains("list.txt"), "{status} {page}");
    assert!(page.contains("Files: 4 bytes of 1 GB used") && page.contains("of 1 GB used"), "{page}");
    let (status, headers, file) = machine.http_with("GET", &acme, "/notes/shopping/file", "", "");
    assert_eq!((status, file.as_str()), (200, "milk"));
    assert!(headers.contains("content-disposition: attachment; filename*=utf-8''list.txt"), "{headers}");
    assert!(headers.contains("x-content-type-options: nosniff"), "{headers}");
    let health: Value = serde_json::from_str(&machine.http("GET", &acme, "/health", "").1).expect("JSON");
    assert_eq!((&health["status"], &health["notes"]), (&json!("ok"), &json!(1)));
    let folder = machine.folder_of("u1", "bucket").join("files/notes");
    let files = || std::fs::read_dir(&folder).map_or(0, Iterator::count);
    assert_eq!(files(), 1, "no temporary file stays");
    // Notes and files survive a restart.
    let machine = machine.restarted();
    assert_eq!(machine.http("GET", &acme, "/notes/shopping/file", "").1, "milk");
    assert_eq!(machine.http("POST", &acme, "/notes/shopping/delete", "").0, 303);
    assert_eq!(machine.http("GET", &acme, "/notes/shopping", "").0, 404);
    assert_eq!(files(), 0);
    for (name, text) in [("shopping", "milk"), ("Shopping", "bread")] {
        machine.form(&acme, name, "", Some(text));
    }
    assert_eq!((files(), machine.http("GET", &acme, "/notes/shopping/file", "").1.as_str()), (2, "milk"));
    machine.done("u1", "inst_acme/bucket/destroy", "bucket.destroy", 2, json!({}));
    assert_eq!(files(), 0, "the files go with the bucket");
    let (status, page) = machine.http("GET", &acme, "/", "");
    assert!(status == 200 && page.contains("shopping") && !page.contains("type=\"file\""), "{status} {page}");
}

#[test]
fn the_quota_of_the_bucket_limits_files() {
    let machine = Machine::new();
    let acme = machine.instance_with_bucket("u1", "acme", 0);
    let (status, page) = machine.form(&acme, "a", "typed", Some("milk"));
    assert!(status == 507 && page.contains("typed"), "{status} {page}");
    assert!(page.contains("The file has 4 bytes: expected at most 0, the rest of the plan&#x27;s limit"), "{page}");
    assert_eq!(machine.http("GET", &acme, "/notes/a", "").0, 404);
    assert_eq!(machine.form(&acme, "a", "typed", None).0, 303, "a note needs no room in the bucket");
    machine.done("u1", "inst_acme/bucket/change", "bucket.change", 2, json!({"quota_gb": 1, "writes": "refused"}));
    let (status, page) = machine.form(&acme, "b", "typed", Some("milk"));
    assert!(status == 507 && page.contains("the bucket has reached the plan"), "{status} {page}");
    machine.done("u1", "inst_acme/bucket/change", "bucket.change", 3, json!({"writes": "allowed"}));
    assert_eq!(machine.form(&acme, "b", "typed", Some("milk")).0, 303);
    // A sparse file of 1 GiB fills the bucket.
    let large = std::fs::File::create(machine.folder_of("u1", "bucket").join("files/large")).expect("a file");
    large.set_len((1 << 30) - 8).expect("a length");
    assert_eq!(machine.form(&acme, "c", "typed", Some("milk and")).0, 507);
    assert_eq!(machine.form(&acme, "c", "typed", Some("milk")).0, 303);
}

#[test]
fn a_body_of_more_than_4_mib_is_refused() {
    let machine = Machine::new();
    let acme = machine.instance_with_bucket("u1", "acme", 1);
    let (status, page) = machine.form(&acme, "a", "typed", Some(&"x".repeat(4 << 20)));
    assert!(status == 413 && page.contains("expected at most 4194304") && page.contains("typed"), "{status} {page}");
    assert_eq!(machine.form(&acme, "a", "", Some(&"x".repeat(3 << 20))).0, 303);
    assert_eq!(machine.http("GET", &acme, "/notes/a/file", "").1.len(), 3 << 20);
}

#[test]
fn seeds_are_notes_and_seeding_again_keeps_files() {
    let machine = Machine::new();
    let acme = machine.instance_with_bucket("u1", "acme", 1);
    let database = machine.done("u1", "inst_acme/database/ensure", "database.ensure", 1, json!({}));
    let payload = json!({
        "database": database["endpoint"], "secret": database["secret_ref"],
        "admin": "a@example.com", "welcome": "Welcome to <Acme>",
    });
    assert_eq!(machine.form(&acme, "welcome", "mine", Some("milk")).0, 303);
    for kind in ["migrate", "seed"] {
        machine.done("u1", &format!("inst_acme/{kind}"), &format!("database.{kind}"), 1, payload.clone());
    }
    let (_, page) = machine.http("GET", &acme, "/", "");
    assert!(page.contains(">admin</a>") && page.contains("a@example.com"), "{page}");
    assert!(page.contains("Welcome to &lt;Acme&gt;") && page.contains("list.txt"), "{page}");
    assert_eq!(machine.http("GET", &acme, "/notes/welcome/file", "").1, "milk");
}

#[test]
fn a_function_can_not_use_another_accounts_bucket() {
    let machine = Machine::new();
    let acme = machine.instance_with_bucket("u1", "acme", 1);
    let other = machine.instance("u2", "other");
    machine.form(&acme, "a", "of acme", Some("canary"));
    for (key, verb) in [("inst_other/compute/change", "change"), ("inst_new/compute/ensure", "ensure")] {
        let payload = json!({"name": "new", "bucket": "files-acme"});
        let answer = machine.call("u2", key, &format!("function.{verb}"), 2, payload);
        let is_refused = matches!(&answer, CallOutcome::Refused { code, .. } if code == "no-bucket");
        assert!(is_refused, "{verb}: {answer:?}");
    }
    // The server does not use such a bucket even if a function's record names it.
    machine.tamper("u2", "function", "bucket", json!("files-acme"));
    assert!(!machine.http("GET", &other, "/", "").1.contains("type=\"file\""));
    assert_eq!(machine.form(&other, "a", "of other", Some("overwritten")).0, 422);
    assert_eq!(machine.form(&other, "a", "of other", None).0, 303);
    assert_eq!(machine.http("GET", &other, "/notes/a/file", "").0, 404);
    assert_eq!(machine.http("GET", &acme, "/notes/a/file", ""), (200, "canary".to_owned()));
}

#[test]
fn a_page_of_another_instance_can_not_change_a_note() {
    let machine = Machine::new();
    let (acme, other) = (machine.instance("u1", "acme"), machine.instance("u2", "other"));
    machine.http("PUT", &acme, "/notes/a", "mine");
    for headers in ["Sec-Fetch-Site: same-site\r\n".to_owned(), format!("Origin: http://{other}\r\n")] {
        let (status, ..) = machine.http_with("POST", &acme, "/notes/a/delete", &headers, "");
        assert_eq!(status, 403, "{headers}");
    }
    assert_eq!(machine.http("GET", &acme, "/notes/a", ""), (200, "mine".to_owned()));
    let own = format!("Origin: http://{acme}\r\n");
    assert_eq!(machine.http_with("POST", &acme, "/notes/a/delete", &own, "").0, 303);
}
