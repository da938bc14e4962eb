//! Measures the figures of the documentation: `cargo run --release -p local-stripe --example figures`. Cold start,
//! calls per second, ordered delivery. Run it on an otherwise idle machine; it prints its measurements and fails only
//! if an event is not delivered. `… --example figures -- soak` makes a million calls and prints the peak memory; with a
//! path, the state is a file there, which needs some gigabytes.

/// The command's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::Router;
use axum::body::Body;
use axum::http;
use http_body_util::BodyExt;
use local_stripe::sandbox::{Request, Sandbox, json_of, own_request};
use local_stripe::server::{Options, Server};
use local_stripe::settings::Settings;
use local_stripe::webhook::deliver::client;
use local_stripe::webhook::trust;

const CALLS: usize = 20_000;
const CONNECTIONS: usize = 8;
const EVENTS: usize = 10_000;
const STARTS: usize = 11;
/// The size of the state file of a cold start, in bytes.
const STATE_BYTES: u64 = 100_000_000;
/// The number of metered customers, and of meter events for each.
const METERED: (usize, usize) = (200, 500);
const SOAK_CALLS: usize = 1_000_000;
/// The number of customers in the soak.
const SOAK_CUSTOMERS: usize = 1_000;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (mode, path) = (arguments.next(), arguments.next().map(PathBuf::from));
    match (mode.as_deref(), path) {
        (Some("serve"), state) => return serve(state),
        (Some("fill"), Some(state)) => return fill(&state),
        (Some("soak"), state) => return soak(state),
        _ => {}
    }
    println!("cold start to the first line: {:?} (median of {STARTS})", cold_start(None)?);
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    // Killed while it writes, so that a part is in the log.
    first_line(Command::new(std::env::current_exe()?).arg("fill").arg(&state))?;
    let bytes: u64 = ["", "-wal"].iter().map(|s| size(&state, s)).sum();
    println!("cold start with {} MB of state: {:?} (median of {STARTS})", bytes / 1_000_000, cold_start(Some(&state))?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(calls(Options::default(), "in memory"))?;
    let state = folder.path().join("calls");
    runtime.block_on(calls(Options { state: Some(state), ..Options::default() }, "with --state"))?;
    runtime.block_on(delivery())?;
    metered()
}

/// Measures the renewal of metered subscriptions among many meter events of all customers.
fn metered() -> anyhow::Result<()> {
    let mut sandbox = Sandbox::new(Settings::default());
    let mut post = |path: &str, form: &[(&str, &str)]| {
        let answer = sandbox.handle(&own_request("POST", path, form));
        ensure!(answer.status == 200, "{}", answer.body);
        Ok(json_of(&answer)["id"].as_str().unwrap_or_default().to_owned())
    };
    let meter = post(
        "/v1/billing/meters",
        &[("display_name", "Calls"), ("event_name", "calls"), ("default_aggregation[formula]", "sum")],
    )?;
    let price = post(
        "/v1/prices",
        &[
            ("product_data[name]", "Calls"),
            ("currency", "usd"),
            ("unit_amount", "1"),
            ("recurring[interval]", "month"),
            ("recurring[usage_type]", "metered"),
            ("recurring[meter]", &meter),
        ],
    )?;
    let (customers, events) = METERED;
    for _ in 0..customers {
        let card = "pm_card_visa";
        let form = [("payment_method", card), ("invoice_settings[default_payment_method]", card)];
        let customer = post("/v1/customers", &form)?;
        post("/v1/subscriptions", &[("customer", &customer), ("items[0][price]", &price)])?;
        for _ in 0..events {
            let form =
                [("event_name", "calls"), ("payload[stripe_customer_id]", customer.as_str()), ("payload[value]", "1")];
            post("/v1/billing/meter_events", &form)?;
        }
    }
    let start = Instant::now();
    post("/_sandbox/clock", &[("advance_by", "2595600")])?;
    println!(
        "{customers} metered renewals, each over {events} of {} meter events: {:?}",
        customers * events,
        start.elapsed()
    );
    Ok(())
}

fn size(state: &Path, suffix: &str) -> u64 {
    std::fs::metadata(format!("{}{suffix}", state.display())).map_or(0, |found| found.len())
}

fn serve(state: Option<PathBuf>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::start(Options { state, ..Options::default() }).await?;
        println!("listening on {}", server.url());
        server.wait().await;
        Ok(())
    })
}

/// Creates paid intents in a state file until it has the size for a cold start.
fn fill(state: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let server = runtime.block_on(Server::start(Options { state: Some(state.to_owned()), ..Options::default() }))?;
    while size(state, "") < STATE_BYTES {
        let made = server.handle(&paid());
        ensure!(made.status == 200, "{}", made.body);
    }
    // The delivery progress is stored a moment later.
    std::thread::sleep(Duration::from_secs(1));
    println!("filled");
    // Waits to be killed.
    std::thread::park();
    Ok(())
}

fn paid() -> Request {
    let form = [("amount", "500"), ("currency", "usd"), ("confirm", "true"), ("payment_method", "pm_card_visa")];
    own_request("POST", "/v1/payment_intents", &form)
}

/// Returns the median time of several starts.
fn cold_start(state: Option<&Path>) -> anyhow::Result<Duration> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("serve").args(state);
    let mut starts = (0..STARTS).map(|_| first_line(&mut command)).collect::<anyhow::Result<Vec<_>>>()?;
    starts.sort();
    Ok(starts[STARTS / 2])
}

/// Starts a command and kills it after its first line of output; returns the time to that line.
fn first_line(command: &mut Command) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("a pipe")?).read_line(&mut line)?;
    let took = start.elapsed();
    child.kill()?;
    child.wait()?;
    ensure!(!line.is_empty(), "it said nothing");
    Ok(took)
}

/// Makes a million calls: three updates of a customer, then a paid intent, repeatedly. Every call creates events.
fn soak(state: Option<PathBuf>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let server = runtime.block_on(Server::start(Options { state, ..Options::default() }))?;
    let call = |request: &Request| {
        let answer = server.handle(request);
        ensure!(answer.status == 200, "{}", answer.body);
        Ok(json_of(&answer))
    };
    let mut customers = Vec::new();
    for _ in 0..SOAK_CUSTOMERS {
        let made = call(&own_request("POST", "/v1/customers", &[("name", "a")]))?;
        customers.push(format!("/v1/customers/{}", made["id"].as_str().context("an id")?));
    }
    let start = Instant::now();
    for n in 1..=SOAK_CALLS {
        if n % 4 == 0 {
            call(&paid())?;
        } else {
            call(&own_request("POST", &customers[n % SOAK_CUSTOMERS], &[("name", &n.to_string())]))?;
        }
        if n % (SOAK_CALLS / 10) == 0 {
            println!("{n} calls in {:.0?}: {}", start.elapsed(), peak_memory()?);
        }
    }
    Ok(())
}

/// Returns the peak memory of the process, as reported by Linux.
fn peak_memory() -> anyhow::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status").context("only Linux tells how much memory it was")?;
    Ok(status.lines().find(|line| line.starts_with("VmHWM")).context("VmHWM")?.to_owned())
}

async fn calls(options: Options, what: &str) -> anyhow::Result<()> {
    let server = Server::start(options).await?;
    let caller = client(trust::config(None)?);
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (caller, url) = (caller.clone(), server.url());
        tasks.push(tokio::spawn(async move {
            for n in 0..CALLS / CONNECTIONS {
                // Half of the calls write, half read one object.
                let (method, path, body) = if n % 2 == 0 {
                    ("POST", "/v1/customers", "name=a&email=a%40example.com")
                } else {
                    ("GET", "/v1/customers?limit=1", "")
                };
                let request = http::Request::builder()
                    .method(method)
                    .uri(format!("{url}{path}"))
                    .header("authorization", "Bearer sk_test_x")
                    .body(Body::from(body))?;
                let response = caller.request(request).await?;
                ensure!(response.status() == 200, "{method} {path}: {}", response.status());
                response.into_body().collect().await?;
            }
            Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    println!(
        "calls a second, {what}, {CONNECTIONS} connections, half writes: {:.0}",
        CALLS as f64 / start.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn delivery() -> anyhow::Result<()> {
    let (count, in_order) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let (counted, ordered) = (Arc::clone(&count), Arc::clone(&in_order));
    let app = Router::new().fallback(move |body: String| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        if !body.contains(&format!("\"name\": \"n{number}\"")) {
            ordered.store(false, Ordering::SeqCst);
        }
        std::future::ready(())
    });
    tokio::spawn(async move { axum::serve(listener, app).await });
    let server = Server::start(Options::default()).await?;
    server.handle(&own_request(
        "POST",
        "/v1/webhook_endpoints",
        &[("url", &url), ("enabled_events[]", "customer.created")],
    ));
    let start = Instant::now();
    for n in 0..EVENTS {
        let made = server.handle(&own_request("POST", "/v1/customers", &[("name", &format!("n{n}"))]));
        ensure!(made.status == 200, "{}", made.body);
    }
    while count.load(Ordering::SeqCst) < EVENTS {
        ensure!(start.elapsed() < Duration::from_secs(60), "only {} arrived", count.load(Ordering::SeqCst));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    ensure!(in_order.load(Ordering::SeqCst), "they arrived in another order");
    println!("{EVENTS} events made and delivered in order: {:?}", start.elapsed());
    Ok(())
}
