//! A server whose files cannot grow: it tells its callers to come again, loses nothing that it acknowledged, and goes on without
//! a restart when there is room.

use super::{
    CLIENTS, Customers, Running, SECRET, assert_nothing_is_lost, command_of, exchange, log_of, now_s, wait_until_quiet,
};
use crate::run::{copy_folder, subscription};
use extension_contract::Account;
use host_intake::testing::sign;
use host_store::{Partition, Read as _, SqliteStore};
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

/// Number of events that are acknowledged before the disk is full, and again after there is room.
const ACKNOWLEDGED: usize = 30;
/// Number of requests that are refused while it is full.
const REFUSED: usize = 50;
/// Longest wait for these numbers.
const LONGEST: Duration = Duration::from_secs(60);

/// Runs a program with a limit for the size of its files. The signal of the limit would end it, a full disk sends none.
const WITH_A_LIMIT: &str = r#"trap "" XFSZ; exec "$0" "$@""#;
/// Size of the file system in the test of a full one.
const DISK: &str = "16m";

/// Waits until a number has grown by `more`.
fn wait_for(what: &str, more: usize, number: impl Fn() -> usize) {
    let (before, began) = (number(), Instant::now());
    while number() < before + more {
        assert!(began.elapsed() < LONGEST, "{what}: {} of {more}", number() - before);
        thread::sleep(Duration::from_millis(5));
    }
}

/// Customers buy and order while the disk is full for a time. `kept` returns the data folder of the stopped server.
fn nothing_is_lost_on_a_full_disk(
    server: Running,
    fill: impl Fn(&Running),
    free: impl Fn(&Running),
    kept: impl FnOnce() -> PathBuf,
) {
    let customers = Customers::default();
    let refused = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|_| scope.spawn(|| customers.play(&server.address, &server.key))).collect();
        let acknowledged = || customers.acknowledged.lock().expect("no panic").0.len();
        let refused = || customers.refused.lock().expect("no panic").0.len();
        wait_for("acknowledged events", ACKNOWLEDGED, acknowledged);
        fill(&server);
        wait_for("refused events", REFUSED, refused);
        let body = subscription("evt_of_the_full_disk").to_string();
        let signature = format!("Stripe-Signature: {}\r\n", sign(SECRET, now_s(), body.as_bytes()));
        assert_is_told_to_come_again(&server, "POST /api/webhooks/stripe", &signature, &body);
        let authorized = format!("Authorization: Bearer {}\r\n", server.key);
        let register = "POST /api/commands/account.register?account=user:full";
        assert_is_told_to_come_again(&server, register, &authorized, r#"{"name": "Ada"}"#);
        let (status, health) = server.send("GET /health", "", "").expect("an answer");
        assert!(status == 503 && health.contains("writes"), "{status} {health}");
        assert!(server.get("/api/operator/accounts?limit=1")["accounts"].is_array(), "questions are still answered");
        free(&server);
        wait_for("acknowledged events after the disk was full", ACKNOWLEDGED, acknowledged);
        customers.is_over.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().expect("no panic"));
        customers.refused.lock().expect("no panic").clone()
    });
    wait_until_quiet(&server);
    let acknowledged = customers.acknowledged.into_inner().expect("no panic");
    server.stop();
    let data = kept();
    let store = SqliteStore::open(data.join("store.db")).expect("the store");
    let partition = Partition { business: "solobase".to_owned(), livemode: false };
    for id in refused.0.iter().map(String::as_str).chain(["evt_of_the_full_disk"]) {
        assert!(store.event(&partition, "stripe", id).expect("read").is_none(), "{id} was refused and is stored");
    }
    for id in &refused.1 {
        let scope = partition.scope(Account::User(id.replace("inst_app", "u")));
        assert_eq!(
            host_engine::read::product(&store, &scope, id).expect("read"),
            None,
            "{id} was refused and is stored"
        );
    }
    drop(store);
    assert_nothing_is_lost(&data, &acknowledged);
}

fn assert_is_told_to_come_again(server: &Running, line: &str, headers: &str, body: &str) {
    let headers = format!("Host: x\r\n{headers}");
    let (head, body) = exchange(&server.address, line, &headers, body).expect("an answer");
    assert!(head.starts_with("http/1.1 503") && head.contains("\r\nretry-after: "), "{line}: {head} {body}");
}

#[test]
fn a_server_whose_files_cannot_grow_refuses_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Running::spawn(command_of(&["sh", "-c", WITH_A_LIMIT], &data, &[]), &log_of(&data), |_| data.clone());
    let limit = |server: &Running, bytes: &str| {
        let (pid, limit) = (server.child.id().to_string(), format!("--fsize={bytes}:unlimited"));
        let set = Command::new("prlimit").args(["--pid", &pid, &limit]).status().expect("prlimit, of util-linux");
        assert!(set.success());
    };
    nothing_is_lost_on_a_full_disk(server, |it| limit(it, "0"), |it| limit(it, "unlimited"), || data.clone());
}

#[test]
#[ignore = "mounts a small file system; `cargo xtask test full-host` runs it"]
fn a_server_on_a_full_file_system_refuses_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).expect("a folder");
    // The server alone sees the mount, which ends with it.
    let mount = format!(r#"mount -t tmpfs -o size={DISK} tmpfs {} && exec "$0" "$@""#, disk.display());
    let is_root = fs::metadata("/proc/self").is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0);
    let own: &[&str] = if is_root { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
    let wrapper = [&["unshare"], own, &["sh", "-c", &mount]].concat();
    let allowed = Command::new(wrapper[0]).args(&wrapper[1..]).arg("true").status();
    assert!(
        allowed.is_ok_and(|status| status.success()),
        "this test mounts a tmpfs: it needs `unshare` of util-linux, and root or user namespaces for everybody"
    );
    let data = disk.join("data");
    let seen = |child: &Child| {
        let root = Path::new("/proc").join(child.id().to_string()).join("root");
        root.join(data.strip_prefix("/").expect("an absolute path"))
    };
    let mut server = Running::spawn_without_key(command_of(&wrapper, &data, &[]), &folder.path().join("log"));
    // A key is made where the mount is seen.
    let user: &[&str] = if is_root { &[] } else { &["--user", "--preserve-credentials"] };
    let make = ["keys", "make", "solobase", "--kind", "admin", "--subject", "root", "--data"];
    let made = Command::new("nsenter")
        .args(["--target", &server.child.id().to_string(), "--mount"])
        .args(user)
        .args(["--", env!("CARGO_BIN_EXE_provisioner")])
        .args(make)
        .arg(&data)
        .output()
        .expect("nsenter, of util-linux");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    server.key = String::from_utf8(made.stdout).expect("a key").trim().to_owned();
    // The open folder keeps the file system after the end of the server.
    let held = File::open(seen(&server.child)).expect("the data folder");
    let inside = Path::new("/proc/self/fd").join(held.as_raw_fd().to_string());
    let filler = inside.join("filler");
    let fill = |_: &Running| {
        let mut file = File::create(&filler).expect("a file");
        let mut size = 1 << 20;
        while size > 0 {
            if file.write_all(&vec![0; size]).is_err() {
                size /= 2;
            }
        }
    };
    let free = |_: &Running| fs::remove_file(&filler).expect("removed");
    let copy = folder.path().join("copy");
    nothing_is_lost_on_a_full_disk(server, fill, free, || {
        copy_folder(&inside, &copy);
        copy.clone()
    });
}
