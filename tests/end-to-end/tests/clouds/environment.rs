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
const TWO_TENANTS: &str = "tests/end-to-end/tests/clouds/two-tenants.yml";

/// Returns the environment variables of a function, from the cloud.
fn environment(site: &Site, name: &str) -> BTreeMap<String, String> {
    let address = site.moto().server().address();
    let mut stream = TcpStream::connect(address).expect("moto listens");
    let signed =
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0";
    write!(stream, "GET /2015-03-31/functions/{name} HTTP/1.0\r\nHost: {address}\r\nAuthorization: {signed}\r\n\r\n")
        .expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let function: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let variables = function["Configuration"]["Environment"]["Variables"].as_object().expect("variables").clone();
    variables.into_iter().map(|(name, value)| (name, value.as_str().expect("a text").to_owned())).collect()
}

/// Runs a statement with psql as the function would connect, in the database with this name.
fn psql(site: &Site, environment: &BTreeMap<String, String>, database: &str, statement: &str) -> Output {
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
    assert_eq!(failures(&played(&story, &world, &host_native::runners())), [""; 0]);
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
