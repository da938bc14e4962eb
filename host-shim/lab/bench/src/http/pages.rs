//! Measures the pages: the time to the first byte, and the time from a webhook until an open page shows the change.

use super::load::Load;
use super::process::Process;
use super::{STRIPE, Stream, percentile, start};
use crate::corpus;
use crate::setting::{Setting, scratch};
use crate::table::Table;
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Public pages.
const PUBLIC: [&str; 3] = ["/", "/pricing", "/login"];
/// Pages of a user.
const OWN: [&str; 4] = ["/dashboard", "/billing", "/instances/new", "/account"];
/// Pages of an operator.
const OPERATOR: [&str; 3] = ["/admin", "/admin/events", "/admin/accounts"];
/// Longest wait for an answer.
const WAIT: Duration = Duration::from_secs(10);
/// A header that a browser sends with a form from one of the server's pages.
const OF_A_PAGE: &str = "Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n";

/// A keep-alive connection.
struct Browser(BufReader<TcpStream>);

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
    first_byte: Duration,
}

impl Browser {
    fn open(address: &str) -> Result<Browser> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(WAIT))?;
        stream.set_nodelay(true)?;
        Ok(Browser(BufReader::new(stream)))
    }

    fn send(&mut self, line: &str, headers: &str, body: &[u8]) -> Result<()> {
        let head = format!("{line} HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        let stream = self.0.get_mut();
        stream.write_all(&[head.as_bytes(), body].concat())?;
        Ok(())
    }

    fn ask(&mut self, line: &str, headers: &str, body: &[u8]) -> Result<Answer> {
        let begun = Instant::now();
        self.send(line, headers, body)?;
        self.0.fill_buf()?;
        let first_byte = begun.elapsed();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            ensure!(self.0.read_line(&mut head)? > 0, "the server closed the connection: {head}");
        }
        let length = value(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).context("no status")?;
        Ok(Answer { status, head, body, first_byte })
    }

    /// Requests a page this many times. Returns the milliseconds to the first byte.
    fn first_bytes(&mut self, path: &str, headers: &str, times: usize) -> Result<Vec<f64>> {
        let once = |browser: &mut Browser| {
            let answer = browser.ask(&format!("GET {path}"), headers, b"")?;
            ensure!(answer.status == 200, "{path}: {}", answer.head);
            Ok(answer.first_byte.as_secs_f64() * 1_000.0)
        };
        // The first request picks up the changes that the preceding load made.
        once(self)?;
        (0..times).map(|_| once(self)).collect()
    }
}

fn value<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Measures the pages of a server with many accounts.
pub fn measure(setting: &Setting, server: &Path, table: &mut Table) -> Result<()> {
    let (customers, times) = (setting.pick(10_000, 1_000), setting.pick(500, 100));
    let start_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let data = scratch(&setting.disk)?;
    let process = start(setting, server, data.path(), None)?;
    let stream = Stream { start_s, customers };
    Load::new(&[&process.address], super::CONNECTIONS)?.send(stream.requests(STRIPE, 0)?)?;
    let mut browser = Browser::open(&process.address)?;
    let (cookie, user) = register(&mut browser)?;
    let mut keys = Command::new(server);
    keys.args(["keys", "make", super::BUSINESS, "--kind", "admin", "--subject", "root", "--data"]).arg(data.path());
    let key = String::from_utf8(keys.output()?.stdout)?;
    let operator = format!("Authorization: Bearer {}\r\n", key.trim());
    for (whose, paths, headers) in
        [("everybody", PUBLIC.as_slice(), ""), ("a user", &OWN, cookie.as_str()), ("an operator", &OPERATOR, &operator)]
    {
        let mut slowest = (0.0, "");
        for path in paths {
            let p99 = percentile(&mut browser.first_bytes(path, headers, times)?, 99);
            if p99 > slowest.0 {
                slowest = (p99, path);
            }
        }
        let note = format!("p99 of {}, the slowest of {} pages; {customers} accounts", slowest.1, paths.len());
        table.at_most(&format!("pages for {whose}: first byte"), slowest.0, 50.0, "ms", &note);
    }
    let mut updates = live(&process, &mut browser, &cookie, &user, start_s, times.min(200))?;
    let p50 = percentile(&mut updates, 50);
    let note = format!("p99 from the webhook until the page has arrived again; p50 {p50:.1} ms");
    table.at_most("pages: live update", percentile(&mut updates, 99), 200.0, "ms", &note);
    Ok(())
}

/// Registers a user. Returns the session header and the user's id.
fn register(browser: &mut Browser) -> Result<(String, String)> {
    let form = b"_page=/register&email=ada@example.com&password=correct+horse+battery&return_to=/dashboard";
    let answer = browser.ask("POST /do/register", OF_A_PAGE, form)?;
    let cookie = value(&answer.head, "set-cookie").and_then(|cookie| cookie.split(';').next());
    let cookie = format!("Cookie: {}\r\n", cookie.with_context(|| format!("no session: {}", answer.head))?);
    let me = browser.ask("GET /api/auth/me", &cookie, b"")?;
    let me: serde_json::Value = serde_json::from_slice(&me.body)?;
    let id = me["id"].as_str().with_context(|| format!("no id: {me}"))?;
    Ok((cookie, id.to_owned()))
}

/// Changes a user's plan through webhooks while a page is open. Returns the milliseconds from each webhook until the browser has been
/// notified and has reloaded the page.
fn live(
    process: &Process,
    browser: &mut Browser,
    cookie: &str,
    user: &str,
    start_s: i64,
    times: usize,
) -> Result<Vec<f64>> {
    // No other customer has this number.
    let customer = 99_999_999;
    let own = format!("u{customer:020}");
    let mut webhooks = Browser::open(&process.address)?;
    let mut deliver = |step: usize| {
        let body = String::from_utf8(corpus::body_since(start_s, customer, step)?)?.replace(&own, user);
        let now_s = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        let signature = host_intake::testing::sign(super::SECRET, now_s, body.as_bytes());
        let headers = format!("Stripe-Signature: {signature}\r\n");
        let answer = webhooks.ask("POST /api/webhooks/stripe", &headers, body.as_bytes())?;
        super::accepted(answer.status)
    };
    deliver(0)?;
    let mut stream = Browser::open(&process.address)?;
    stream.send("GET /api/events?unnamed=true", cookie, b"")?;
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        ensure!(stream.0.read_line(&mut line)? > 0, "the stream ended");
    }
    let mut updates = Vec::new();
    for step in 1..=times {
        let begun = Instant::now();
        deliver(step)?;
        let mut heard = String::new();
        while !heard.starts_with("data:") || !heard.contains("customer.subscription.updated") {
            heard.clear();
            ensure!(stream.0.read_line(&mut heard)? > 0, "the stream ended");
        }
        let answer = browser.ask("GET /dashboard", cookie, b"")?;
        ensure!(answer.status == 200, "the page: {}", answer.head);
        updates.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(updates)
}
