//! A function reaches its own database with nothing but its environment, and no other tenant's database.

use crate::site::Site;
use end_to_end::acting::{failures, load_stories, played};
use end_to_end::world::root;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};

/// A scenario in which two customers get an instance each.
pub const TWO_TENANTS: &str = "tests/end-to-end/tests/clouds/two-tenants.yml";

/// Asks a service of the cloud directly. Returns the response's status and body.
pub fn ask(site: &Site, method: &str, service: &str, path: &str) -> (u16, Vec<u8>) {
    let address = site.moto().server().address();
    let mut stream = TcpStream::connect(address).expect("moto listens");
    let credential = format!("test/20260101/us-east-1/{service}/aws4_request");
    let signed = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: {signed}\r\n\r\n")
        .expect("a request");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let head = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a body");
    let status = String::from_utf8_lossy(&answer[..head]).split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), answer.split_off(head + 4))
}

/// Returns the configuration of a function, from the cloud.
pub fn configuration(site: &Site, name: &str) -> Value {
    let (_, body) = ask(site, "GET", "lambda", &format!("/2015-03-31/functions/{name}"));
    let function: Value = serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {name}"));
    function["Configuration"].clone()
}

/// Returns the environment variables of a function, from the cloud.
pub fn environment(site: &Site, name: &str) -> BTreeMap<String, String> {
    let configuration = configuration(site, name);
    let variables = configuration["Environment"]["Variables"].as_object().expect("variables").clone();
    variables.into_iter().map(|(name, value)| (name, value.as_str().expect("a text").to_owned())).collect()
}

/// Runs a statement with psql as the function would connect, in the database with this name.
pub fn psql(site: &Site, environment: &BTreeMap<String, String>, database: &str, statement: &str) -> Output {
    let mut psql = Command::new(site.programs().join("psql"));
    psql.env_clear().env("PGPASSWORD", &environment["DATABASE_SECRET"]).env("PGCONNECT_TIMEOUT", "10");
    psql.args(["--no-psqlrc", "--no-password", "--tuples-only", "--no-align", "--dbname", database]);
    psql.args(["--host", &environment["DATABASE_HOST"], "--port", &environment["DATABASE_PORT"]]);
    psql.args(["--username", &environment["DATABASE_USER"], "--command", statement]).output().expect("psql runs")
}

#[test]
fn a_function_reaches_its_own_database_by_its_environment_and_no_other() {
    let site = Site::start();
    let (world, opened) = site.world();
    let story = load_stories(root().join(TWO_TENANTS), None).remove(0);
    assert_eq!(failures(&played(&story, &world, &host_replay::native::runners())), [""; 0]);
    let (first, second) = (environment(&site, "solobase-first"), environment(&site, "solobase-second"));
    for (own, other) in [(&first, &second), (&second, &first)] {
        let made = psql(&site, own, &own["DATABASE_NAME"], "CREATE TABLE notes (n int); SELECT current_database()");
        let text = String::from_utf8_lossy(&made.stdout);
        assert!(made.status.success() && text.contains(&own["DATABASE_NAME"]), "{made:?}");
        let refused = psql(&site, own, &other["DATABASE_NAME"], "SELECT 1");
        let problem = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && problem.contains("permission denied"), "{refused:?}");
    }
    drop(opened);
}
