//! Events as they happen: server-sent events, resumed where the client left off.

use super::server::{NOTHING, TestServer};
use host_provider_api::scripted::ScriptedAnswer;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An open stream.
pub struct Stream {
    connection: TcpStream,
    pub read: String,
}

impl Stream {
    fn open(served: &TestServer, key: &str, headers: &str) -> Stream {
        Stream::open_at(served.address(), "/api/events", key, headers)
    }

    pub fn open_at(address: &str, path: &str, key: &str, headers: &str) -> Stream {
        let mut connection = TcpStream::connect(address).expect("a connection");
        connection.set_read_timeout(Some(Duration::from_secs(15))).expect("set");
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{headers}\r\n");
        connection.write_all(head.as_bytes()).expect("sent");
        let mut stream = Stream { connection, read: String::new() };
        stream.until("\r\n\r\n");
        assert!(stream.read.starts_with("HTTP/1.1 200"), "{}", stream.read);
        assert!(stream.read.contains("text/event-stream"), "{}", stream.read);
        stream
    }

    /// Reads until the text has come, or returns false at the end of the stream.
    pub fn until(&mut self, wanted: &str) -> bool {
        let mut bytes = [0; 4096];
        while !self.read.contains(wanted) {
            // The server sends an empty comment when nothing has happened for some time.
            assert!(self.read.matches("\n:\n\n").count() < 2, "nothing comes and nothing ends: {}", self.read);
            match self.connection.read(&mut bytes).expect("a stream that goes on") {
                0 => return false,
                count => self.read.push_str(&String::from_utf8_lossy(&bytes[..count])),
            }
        }
        true
    }
}

/// Subscribes an account to campaigns; returns the number of the event.
fn subscribe(served: &TestServer, admin: &str, user: &str) -> u64 {
    let line = format!("POST /api/commands/mail.subscribe?account=user:{user}");
    assert_eq!(served.send(&line, admin, &NOTHING).status, 200);
    served.with_host(|host| host.processor().store().inbox_newest().expect("read"))
}

#[test]
fn a_stream_has_the_events_of_the_keys_accounts_and_no_others() {
    let served = TestServer::start("solobase");
    let admin = served.operator();
    let ada = served.user("ada");
    let before = subscribe(&served, &admin, "ada");
    let mut stream = Stream::open(&served, &ada, "");
    let others = subscribe(&served, &admin, "bob");
    let own = subscribe(&served, &admin, "ada");
    assert!(stream.until(&format!("id: {own}\n")), "{}", stream.read);
    assert!(stream.until("event: mail.subscribe\n"));
    for (number, why) in [(before, "the stream began after it"), (others, "it is another account's")] {
        assert!(!stream.read.contains(&format!("id: {number}\n")), "{why}: {}", stream.read);
    }
    assert!(!stream.read.contains("bob"), "{}", stream.read);
    let mut all = Stream::open(&served, &admin, "");
    let last = subscribe(&served, &admin, "bob");
    assert!(all.until(&format!("id: {last}\n")), "an operator sees all accounts: {}", all.read);
}

#[test]
fn a_stream_is_resumed_after_the_last_event_that_the_client_has() {
    let served = TestServer::start("solobase");
    let admin = served.operator();
    let ada = served.user("ada");
    let [first, second, third] = [(); 3].map(|()| subscribe(&served, &admin, "ada"));
    let mut stream = Stream::open(&served, &ada, &format!("Last-Event-ID: {first}\r\n"));
    assert!(stream.until(&format!("id: {third}\n")), "{}", stream.read);
    assert!(stream.read.contains(&format!("id: {second}\n")) && !stream.read.contains(&format!("id: {first}\n")));
    let wrong = served.send_with("GET /api/events", &ada, &[("Last-Event-ID", "x")], &NOTHING);
    assert_eq!((wrong.status, wrong.code()), (400, "last-event-id"));
    assert_eq!(served.send("GET /api/events", "key_0", &NOTHING).status, 401);
}

#[test]
fn a_stream_whose_last_event_is_not_in_the_store_says_so_and_goes_on() {
    let served = TestServer::start("solobase");
    let admin = served.operator();
    let newest = subscribe(&served, &admin, "ada");
    let mut stream = Stream::open(&served, &admin, &format!("Last-Event-ID: {}\r\n", newest + 1000));
    assert!(stream.until("event: stream.reset\n"), "{}", stream.read);
    assert!(stream.until(&format!("id: {newest}\n")), "the client goes on from there: {}", stream.read);
    let next = subscribe(&served, &admin, "ada");
    assert!(stream.until(&format!("id: {next}\n")), "{}", stream.read);
}

#[test]
fn the_pages_of_operators_are_told_of_a_failed_attempt_and_those_of_users_are_not() {
    let api = TestServer::start("solobase");
    let busy = || ScriptedAnswer::Retryable { code: "busy".to_owned(), message: "later".to_owned() };
    api.script("account-customer:*", vec![busy(), busy()]);
    api.ok("POST /api/commands/account.register?account=user:ada", &api.operator(), &json!({"email": "ada@x.example"}));
    api.settle();
    let path = "/api/events?unnamed=true";
    let mut of_operator = Stream::open_at(api.address(), path, &api.operator(), "");
    let mut of_ada = Stream::open_at(api.address(), path, &api.user("ada"), "");
    api.advance_to(api.now() + 600_000);
    api.settle();
    assert!(of_operator.until("data: {}\n"), "{}", of_operator.read);
    api.ok("POST /api/commands/mail.subscribe?account=user:ada", &api.operator(), &json!({}));
    assert!(of_ada.until("mail.subscribe") && !of_ada.read.contains("data: {}\n"), "{}", of_ada.read);
}

#[test]
fn a_stopping_server_ends_its_streams() {
    let mut served = TestServer::start("solobase");
    let admin = served.operator();
    let mut stream = Stream::open(&served, &admin, "");
    served.ask_to_stop();
    assert!(!stream.until("never"), "the stream ends");
    drop(served.stop());
}
