//! The figures: `cargo run --release -p local-stripe --example figures`. Cold start, calls a second, ordered delivery.
//! Run it on an otherwise idle machine; it prints what it measured and fails only if something isn't delivered.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use local_stripe::sandbox::own_request;
use local_stripe::server::{Options, Server};
use local_stripe::webhook::deliver::client;
use local_stripe::webhook::trust;

const CALLS: usize = 20_000;
const CONNECTIONS: usize = 8;
const EVENTS: usize = 10_000;
const STARTS: usize = 11;

fn main() -> anyhow::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return serve();
    }
    let mut starts = (0..STARTS).map(|_| cold_start()).collect::<anyhow::Result<Vec<_>>>()?;
    starts.sort();
    println!("cold start to the first line: {:?} (median of {STARTS})", starts[STARTS / 2]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(calls(Options::default(), "in memory"))?;
    let file = std::env::temp_dir().join(format!("local-stripe-figures-{}", std::process::id()));
    runtime.block_on(calls(Options { state: Some(file.clone()), ..Options::default() }, "with --state"))?;
    std::fs::remove_file(file)?;
    runtime.block_on(delivery())
}

fn serve() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::start(Options::default()).await?;
        println!("listening on {}", server.url());
        server.wait().await;
        Ok(())
    })
}

fn cold_start() -> anyhow::Result<Duration> {
    let start = Instant::now();
    let mut child = Command::new(std::env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("a pipe")?).read_line(&mut line)?;
    let took = start.elapsed();
    child.kill()?;
    child.wait()?;
    ensure!(line.starts_with("listening on"), "it said {line:?}");
    Ok(took)
}

async fn calls(options: Options, what: &str) -> anyhow::Result<()> {
    let server = Server::start(options).await?;
    let http = client(trust::config(None)?);
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (http, url) = (http.clone(), server.url());
        tasks.push(tokio::spawn(async move {
            for n in 0..CALLS / CONNECTIONS {
                // Half writes, half reads of one object.
                let (method, path, body) = if n % 2 == 0 {
                    ("POST", "/v1/customers", "name=a&email=a%40example.com")
                } else {
                    ("GET", "/v1/customers?limit=1", "")
                };
                let request = Request::builder()
                    .method(method)
                    .uri(format!("{url}{path}"))
                    .header("authorization", "Bearer sk_test_x")
                    .body(Body::from(body))?;
                let response = http.request(request).await?;
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
