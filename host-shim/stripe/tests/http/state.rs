//! The state file: what was acknowledged is there after a kill, and nothing half.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use local_stripe::journal::Journal;
use local_stripe::sandbox::own_request;
use local_stripe::settings::Settings;

use crate::client::{Client, id};
use crate::sink::Sink;

/// The command, as cargo builds it beside the tests.
fn command() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join("local-stripe")
}

struct Running {
    child: Child,
    client: Client,
}

fn start(state: &Path) -> Running {
    let mut child = Command::new(command())
        .args(["--port", "0", "--seed", "5", "--state"])
        .arg(state)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
    Running { child, client: Client::new(&url) }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGKILL: the process gets no chance to write anything more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes customers until the server is gone; gives those that were acknowledged.
async fn make_customers(client: Client) -> Vec<String> {
    let mut acknowledged = Vec::new();
    while let Some(answer) =
        client.try_send("POST", "/v1/customers", &[("authorization", "Bearer sk_test_x")], "name=a").await
    {
        acknowledged.push(id(&answer.json()));
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill_in_the_middle_of_things() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut acknowledged = Vec::new();
    for round in 1..=3 {
        let running = start(&state);
        let busy: Vec<_> = (0..4).map(|_| tokio::spawn(make_customers(running.client.clone()))).collect();
        // Not a wait for anything: the kill comes at no particular moment.
        tokio::time::sleep(std::time::Duration::from_millis(40 * round)).await;
        drop(running);
        for task in busy {
            acknowledged.extend(task.await.unwrap());
        }
    }
    assert!(acknowledged.len() > 10, "only {} calls were made", acknowledged.len());
    let running = start(&state);
    for customer in &acknowledged {
        running.client.get(&format!("/v1/customers/{customer}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_is_not_delivered_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let sink = Sink::start(&[]).await;
    {
        let running = start(&state);
        running.client.post("/v1/webhook_endpoints", &format!("url={}&enabled_events[]=*", sink.url)).await;
        running.client.post("/v1/products", "name=a").await;
        sink.wait_for(1).await;
        let written = async {
            while !std::fs::read_to_string(&state).unwrap().contains("delivered") {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), written).await.unwrap();
    }
    let running = start(&state);
    running.client.post("/v1/products", "name=b").await;
    let names: Vec<String> = sink
        .wait_for(2)
        .await
        .iter()
        .map(|d| d.event()["data"]["object"]["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn a_journal_gives_the_same_account_and_a_torn_end_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut opened = Journal::open(&path, Settings { seed: 9, ..Settings::default() }).unwrap();
    let calls = [
        own_request("POST", "/v1/customers", &[("name", "a"), ("payment_method", "pm_card_visa")]),
        own_request("GET", "/v1/customers", &[]),
        own_request(
            "POST",
            "/v1/payment_intents",
            &[
                ("amount", "500"),
                ("currency", "usd"),
                ("confirm", "true"),
                ("payment_method", "pm_card_chargeDeclined"),
            ],
        ),
        own_request("POST", "/v1/customers", &[("nonsense", "a")]),
        own_request("POST", "/_sandbox/clock", &[("advance_by", "100")]),
    ];
    for call in &calls {
        let response = opened.sandbox.handle(call);
        if response.changed {
            opened.journal.request(opened.sandbox.requests(), call).unwrap();
        }
    }
    let events = |sandbox: &local_stripe::sandbox::Sandbox| -> Vec<String> {
        sandbox.state().events().iter().map(|e| e.render(&sandbox.state().settings.version).to_string()).collect()
    };
    let before = (events(&opened.sandbox), opened.sandbox.state().clock_s());
    drop(opened.journal);
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"request\":[6,{\"meth").unwrap();
    let again = Journal::open(&path, Settings::default()).unwrap();
    assert_eq!((events(&again.sandbox), again.sandbox.state().clock_s()), before);
    drop(again);
    assert!(std::fs::read_to_string(&path).unwrap().ends_with('\n'));
    std::fs::write(&path, "{\"local_stripe\":0}\n").unwrap();
    assert!(Journal::open(&path, Settings::default()).is_err());
}
