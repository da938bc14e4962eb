//! Signed addresses of objects: who may get one, and what it gives.

use super::Machine;
use host_provider_api::CallOutcome;
use serde_json::{Value, json};

/// Returns the host and the path of the address of a signed object.
fn address(outputs: &Value) -> (String, String) {
    let url = outputs["url"].as_str().expect("an address").strip_prefix("http://").expect("http");
    let (host, path) = url.split_once('/').expect("a path");
    (host.to_owned(), format!("/{path}"))
}

fn code(outcome: &CallOutcome) -> &str {
    match outcome {
        CallOutcome::Refused { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_address_gives_a_file_of_the_platform_until_its_time_is_over() {
    let machine = Machine::new();
    let files = machine.folder().join("objects/manuals/de");
    std::fs::create_dir_all(&files).expect("a folder");
    std::fs::write(files.join("first steps.pdf"), "the manual").expect("written");
    let sign = |key: &str, ttl_s: u64| {
        machine.call("ada", "tok/sign", "object.sign", 1, json!({"bucket": "manuals", "key": key, "ttl_s": ttl_s}))
    };
    let CallOutcome::Done(outputs) = sign("de/first steps.pdf", 60) else { panic!("not signed") };
    let (host, path) = address(&outputs);
    assert_eq!(machine.http("GET", &host, &path, ""), (200, "the manual".to_owned()));
    let expired = path.replace("expires=", "expires=1");
    for wrong in [
        expired.as_str(),
        &path.replace("first", "last"),
        path.split('?').next().unwrap_or_default(),
        "/objects/resources/x?expires=99999999999&signature=00",
    ] {
        assert_eq!(machine.http("GET", &host, wrong, "").0, 403, "{wrong}");
    }
    assert_eq!(machine.http("GET", &host, "/objects/../port.json?expires=99999999999&signature=00", "").0, 404);
    let CallOutcome::Refused { code, message } = sign("de/nothing.pdf", 60) else { panic!("there is no such file") };
    assert_eq!(code, "not-found");
    assert!(message.contains("`objects/manuals/de/nothing.pdf`"), "the message names the place: {message}");
    let CallOutcome::Done(short) = sign("de/first steps.pdf", 1) else { panic!("not signed") };
    std::thread::sleep(std::time::Duration::from_millis(2_100));
    assert_eq!(machine.http("GET", &host, &address(&short).1, "").0, 403, "its time is over");
    // The address works after a restart.
    let machine = machine.restarted();
    assert_eq!(machine.http("GET", &host, &path, ""), (200, "the manual".to_owned()));
}

#[test]
fn an_account_gets_addresses_of_its_own_buckets_and_of_the_platforms() {
    let machine = Machine::new();
    machine.done("ada", "inst_1/bucket/ensure", "bucket.ensure", 1, json!({"name": "of-ada"}));
    let sign = |user: &str, payload: Value| machine.call(user, "tok/sign", "object.sign", 1, payload);
    let of_ada = json!({"bucket": "of-ada", "key": "a", "ttl_s": 60});
    let files = machine.folder().join("resources").read_dir().expect("the bucket").next().expect("one").expect("read");
    std::fs::write(files.path().join("files/a"), "hers").expect("written");
    assert!(matches!(sign("ada", of_ada.clone()), CallOutcome::Done(_)));
    assert_eq!(code(&sign("bob", of_ada)), "not-found", "a bucket of another account is like none");
    assert_eq!(code(&sign("ada", json!({"bucket": "nothing", "key": "a", "ttl_s": 60}))), "not-found");
    assert_eq!(code(&sign("ada", json!({"bucket": "..", "key": "port.json", "ttl_s": 60}))), "bad-payload");
    assert_eq!(code(&sign("ada", json!({"bucket": "of-ada", "key": "../resource.json", "ttl_s": 60}))), "bad-payload");
    assert_eq!(code(&sign("ada", json!({"bucket": "of-ada", "key": "a", "ttl_s": 0}))), "bad-payload");
}

#[test]
fn an_image_is_a_file_that_a_person_puts_into_the_folder() {
    let machine = Machine::new();
    let sign = || {
        machine.call("ada", "tok/sign", "object.sign", 1, json!({"image": "registry.example/editor:1", "ttl_s": 60}))
    };
    let CallOutcome::Refused { code, message } = sign() else { panic!("there is no image") };
    assert_eq!(code, "no-registry");
    assert!(message.contains("`objects/images/registry.example/editor:1.tar`"), "{message}");
    let images = machine.folder().join("objects/images/registry.example");
    std::fs::create_dir_all(&images).expect("a folder");
    std::fs::write(images.join("editor:1.tar"), "layers").expect("written");
    let CallOutcome::Done(outputs) = sign() else { panic!("the image is there") };
    let (host, path) = address(&outputs);
    assert_eq!(machine.http("GET", &host, &path, ""), (200, "layers".to_owned()));
}
