//! The program of an instance, `notes.zip`, runs under an emulator of Lambda's runtime API from the environment
//! alone that the provider `aws` gave to its function.

use crate::environment::{TWO_TENANTS, ask, configuration, environment, psql};
use crate::site::Site;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use counterparts::{Lambda, Postgres, apt, program, succeeds};
use end_to_end::acting::{failures, load_stories, played};
use end_to_end::world::root;
use host_provider_api::{Call, CallOutcome, Reply};
use host_providers::Opened;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const FIRST: &str = "solobase-first";
const SECOND: &str = "solobase-second";
/// Time limit to unpack the zip file.
const UNPACKED: Duration = Duration::from_secs(60);
/// Content of a file that is not text.
const FILE: &[u8] = b"\x89PNG\r\n\x00\xff";

/// Returns the zip file, which `cargo xtask test notes` puts beside the folder of this test program.
fn zip_file() -> Vec<u8> {
    let program = std::env::current_exe().expect("the path of this program");
    let path = program.ancestors().nth(3).expect("the folder that cargo builds into").join("notes.zip");
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run `cargo xtask test notes`", path.display()))
}

/// Unpacks the zip file as Lambda does. Returns the folder and the path of the program.
fn unpacked(zip: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("notes.zip");
    fs::write(&file, zip).expect("a zip file");
    let mut unzip = Command::new(apt("unzip", || program(&["/usr/bin/unzip"])));
    succeeds(unzip.arg("-q").arg(file).arg("-d").arg(folder.path()), UNPACKED);
    let program = folder.path().join("bootstrap");
    (folder, program)
}

/// Adds the variables that Lambda sets itself, and the address of the cloud, which stands for Lambda's network.
fn with_lambdas_own(mut variables: BTreeMap<String, String>, cloud: &str) -> BTreeMap<String, String> {
    for (name, value) in [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "of-the-role"),
        ("AWS_SECRET_ACCESS_KEY", "of-the-role"),
        ("AWS_SESSION_TOKEN", "of-the-role"),
        ("AWS_ENDPOINT_URL", cloud),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    variables
}

/// A file of text with a mark of its order of bytes, which is not UTF-8.
const TEXT: &[u8] = b"\xef\xbb\xbfname;\xe4\r\n\x00";
/// Time limit of a request.
const ANSWER: Duration = Duration::from_secs(60);

/// A client of a function's URL.
struct Visitor {
    agent: ureq::Agent,
    url: String,
}

impl Visitor {
    fn new(lambda: &Lambda, function: &str) -> Visitor {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(ANSWER));
        let agent = config.max_redirects(0).max_redirects_will_error(false).build().into();
        Visitor { agent, url: lambda.url(function) }
    }

    fn bytes(&self, path: &str) -> (u16, Vec<u8>) {
        let mut response = self.agent.get(format!("{}{path}", self.url)).call().expect("a response");
        (response.status().as_u16(), response.body_mut().read_to_vec().expect("a body"))
    }

    fn text(&self, path: &str) -> (u16, String) {
        let (status, body) = self.bytes(path);
        (status, String::from_utf8(body).expect("UTF-8"))
    }

    fn put(&self, path: &str, text: &str) -> u16 {
        self.agent.put(format!("{}{path}", self.url)).send(text).expect("a response").status().as_u16()
    }

    /// Sends the form of a new note with a file. Returns the response's status and body.
    fn form(&self, name: &str, text: &str, file: &[u8]) -> (u16, String) {
        self.form_of(name, text, "file; filename=\"picture.png\"", file)
    }

    fn form_of(&self, name: &str, text: &str, of_file: &str, file: &[u8]) -> (u16, String) {
        let mut body = Vec::new();
        for (head, content) in [("name", name.as_bytes()), ("text", text.as_bytes()), (of_file, file)] {
            body.extend(format!("--limit\r\nContent-Disposition: form-data; name={head}\r\n\r\n").into_bytes());
            body.extend_from_slice(content);
            body.extend(b"\r\n");
        }
        body.extend(b"--limit--\r\n");
        let request = self.agent.post(format!("{}/notes", self.url)).header("Sec-Fetch-Site", "same-origin");
        let request = request.header("Content-Type", "multipart/form-data; boundary=limit");
        let mut response = request.send(&body).expect("a response");
        (response.status().as_u16(), response.body_mut().read_to_string().expect("UTF-8"))
    }

    fn delete(&self, path: &str) -> u16 {
        self.agent.delete(format!("{}{path}", self.url)).call().expect("a response").status().as_u16()
    }
}

/// Lets the provider refuse or allow writes to the first tenant's database.
fn change_writes(opened: &Opened, generation: u32, writes: &str) {
    let held = opened.registry.held().expect("a list").held;
    let is_it = |id: &str| id.starts_with("inst_first/");
    let id =
        held.into_iter().map(|it| it.id).find(|id| id.resource == "database" && is_it(&id.id)).expect("a database");
    let call = Call {
        kind: "database.change".to_owned(),
        scope: id.scope.clone(),
        key: format!("{}/change", id.id),
        generation,
        attempt: 1,
        payload: json!({ "writes": writes }),
        lease: 1,
        secrets: opened.registry.secret_access(),
        ..Call::default()
    };
    let reply = opened.registry.call(&call);
    assert!(matches!(reply, Reply::Answer(CallOutcome::Done(_))), "{reply:?}");
}

#[test]
fn the_program_of_an_instance_serves_its_tenant_from_the_functions_environment_alone() {
    let zip = zip_file();
    let site = Site::with_code(&zip);
    let (world, opened) = site.world();
    let story = load_stories(root().join(TWO_TENANTS), None).remove(0);
    assert_eq!(failures(&played(&story, &world, &host_replay::native::runners())), [""; 0]);
    let code = BASE64_STANDARD.encode(Sha256::digest(&zip));
    assert_eq!(configuration(&site, FIRST)["CodeSha256"], json!(code), "the function has the zip");

    let (_folder, program) = unpacked(&zip);
    let (first, second) = (environment(&site, FIRST), environment(&site, SECOND));
    for bucket in [&first["BUCKET"], &second["BUCKET"]] {
        // The policy denies requests without TLS, and moto has no TLS.
        assert_eq!(ask(&site, "DELETE", "s3", &format!("/{bucket}?policy")).0, 204, "{bucket}");
    }
    let mut lambda = Lambda::start(&[FIRST, SECOND]);
    lambda.run(FIRST, &program, &with_lambdas_own(first.clone(), &site.moto().url()));
    lambda.run(SECOND, &program, &with_lambdas_own(second.clone(), &site.moto().url()));
    let (own, other) = (Visitor::new(&lambda, FIRST), Visitor::new(&lambda, SECOND));

    let (status, page) = own.text("/");
    assert!(status == 200 && page.contains("There are no notes yet."), "{status} {page}\n{}", lambda.logs());
    assert!(page.contains("type=\"file\""), "{page}");
    let (status, page) = own.form("shopping", "milk & \u{fc}", FILE);
    assert_eq!(status, 303, "{page}\n{}", lambda.logs());
    let (status, page) = own.text("/");
    assert!(status == 200 && page.contains("milk &amp; \u{fc}") && page.contains("picture.png"), "{status} {page}");
    assert_eq!(own.text("/notes/shopping"), (200, "milk & \u{fc}".to_owned()));
    assert_eq!(own.bytes("/notes/shopping/file"), (200, FILE.to_vec()));
    // A file of text that is not UTF-8 comes back byte by byte.
    let text_file = "file; filename=\"table.csv\"\r\nContent-Type: text/csv; charset=latin1";
    assert_eq!(own.form_of("table", "", text_file, TEXT).0, 303, "{}", lambda.logs());
    assert_eq!(own.bytes("/notes/table/file"), (200, TEXT.to_vec()));
    assert_eq!(own.delete("/notes/table"), 200);
    let (status, page) = own.form("shopping", "again", FILE);
    assert!(status == 422 && page.contains("expected a name that no other note has"), "{status} {page}");

    // The row is in the tenant's database, and the object in its bucket.
    let row = psql(&site, &first, &first["DATABASE_NAME"], "SELECT name, text, file_name, file_bytes FROM notes");
    let row = String::from_utf8_lossy(&row.stdout).into_owned();
    assert_eq!(row, format!("shopping|milk & \u{fc}|picture.png|{}\n", FILE.len()));
    let object = |variables: &BTreeMap<String, String>, name: &str| {
        ask(&site, "GET", "s3", &format!("/{}/notes/{name}", variables["BUCKET"]))
    };
    assert_eq!(object(&first, "shopping"), (200, FILE.to_vec()));

    // The other tenant sees nothing of it, and can use the same name.
    assert_eq!(other.bytes("/notes/shopping").0, 404);
    assert_eq!(other.bytes("/notes/shopping/file").0, 404);
    assert_eq!(object(&second, "shopping").0, 404);
    assert_eq!(other.put("/notes/shopping", "of the second"), 200);
    assert_eq!(own.text("/notes/shopping").1, "milk & \u{fc}");
    for (visitor, name) in [(&own, FIRST), (&other, SECOND)] {
        let health: Value = serde_json::from_str(&visitor.text("/health").1).expect("JSON");
        assert_eq!((&health["status"], &health["name"], &health["notes"]), (&json!("ok"), &json!(name), &json!(1)));
        assert!(health["database_bytes"].as_u64().is_some_and(|bytes| bytes > 1_000_000), "{health}");
    }

    // Beyond the plan's limit customers can read and delete, until writes are allowed again.
    change_writes(&opened, 98, "refused");
    assert_eq!(own.put("/notes/more", "x"), 507, "{}", lambda.logs());
    let (status, page) = own.form("more", "typed", FILE);
    assert!(status == 507 && page.contains("typed"), "{status} {page}");
    assert_eq!(own.bytes("/notes/shopping/file"), (200, FILE.to_vec()));
    // A new connection has the settings of a role whose writes are refused.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'notes'";
    assert_eq!(site.administer(end).lines().collect::<Vec<_>>(), ["t", "t"], "both programs kept a connection");
    // A session ends a moment after it was told to, and may still take a request in between.
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'notes'";
    let mut looks = 0;
    while site.administer(sessions).trim() != "0" {
        looks += 1;
        assert!(looks < 100, "the sessions have not ended");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(own.text("/notes/shopping").0, 200, "the connection is made again: {}", lambda.logs());
    assert_eq!(own.delete("/notes/shopping"), 200, "{}", lambda.logs());
    assert_eq!((own.bytes("/notes/shopping").0, object(&first, "shopping").0), (404, 404));
    change_writes(&opened, 99, "allowed");
    assert_eq!(own.put("/notes/more", "x"), 200, "{}", lambda.logs());

    let logs = lambda.logs();
    for variables in [&first, &second] {
        assert!(!logs.contains(&variables["DATABASE_SECRET"]), "a password is in the log");
    }
    assert!(!logs.contains("of-the-role"), "{logs}");
    drop(opened);
}

#[test]
fn a_server_whose_authority_is_unknown_is_refused_until_the_operator_names_the_authority() {
    let (_folder, program) = unpacked(&zip_file());
    let server = Postgres::with_tls(&["localhost"]);
    let variables = |more: &[(&str, String)]| {
        let all = [
            ("DATABASE_HOST", "localhost".to_owned()),
            ("DATABASE_PORT", server.port().to_string()),
            ("DATABASE_NAME", "postgres".to_owned()),
            ("DATABASE_USER", "postgres".to_owned()),
            ("DATABASE_SECRET", server.password().to_owned()),
        ];
        let all = all.iter().chain(more).map(|(name, value)| ((*name).to_owned(), value.clone()));
        with_lambdas_own(all.collect(), "http://127.0.0.1:1")
    };
    let mut lambda = Lambda::start(&[FIRST, SECOND]);
    lambda.run(FIRST, &program, &variables(&[]));
    assert_eq!(Visitor::new(&lambda, FIRST).text("/"), (500, "the function failed".to_owned()));
    let log = lambda.logs();
    assert!(log.contains("can't connect to localhost:") && log.contains("set `DATABASE_CA` to the path"), "{log}");
    assert!(!log.contains(server.password()), "{log}");

    let authority = ("DATABASE_CA", server.authority().display().to_string());
    lambda.run(SECOND, &program, &variables(&[authority]));
    let visitor = Visitor::new(&lambda, SECOND);
    assert_eq!(visitor.put("/notes/a", "by TLS"), 200, "{}", lambda.logs());
    assert_eq!(visitor.text("/notes/a"), (200, "by TLS".to_owned()));
    let (_, page) = visitor.text("/");
    assert!(!page.contains("type=\"file\""), "without a bucket: {page}");
    let used = server.sql(
        "postgres",
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'notes'",
    );
    assert_eq!(used.trim(), "t");
}
