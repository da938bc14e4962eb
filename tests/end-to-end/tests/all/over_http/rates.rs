//! A key, and an address without one, may send so many requests; webhooks have no such limit.

use super::server::{NOTHING, TestServer};
use super::webhooks::event;
use host_api::Rate;

/// Starts a server that takes one request a second, three at once. The test takes less than a second.
fn limited() -> TestServer {
    let slow = Rate { per_second: 1, burst: 3 };
    TestServer::of("solobase").limits(|limits| (limits.key, limits.stranger) = (slow, slow)).start()
}

#[test]
fn a_key_that_sends_too_much_waits_and_other_keys_do_not() {
    let served = limited();
    let (ada, bob) = (served.user("ada"), served.user("bob"));
    let ask = |key: &str| served.send("GET /api/entitlements", key, &NOTHING);
    let answers: Vec<u16> = (0..3).map(|_| ask(&ada).status).collect();
    assert_eq!(answers, [200; 3]);
    let refused = ask(&ada);
    assert_eq!((refused.status, refused.code()), (429, "too-many-requests"), "{refused:?}");
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|it| it > 0)));
    assert_eq!(ask(&bob).status, 200);
}

#[test]
fn an_address_that_guesses_keys_waits_and_valid_keys_and_webhooks_do_not() {
    let served = limited();
    let ada = served.user("ada");
    let ask = |key: &str, proxied: &str| {
        served.send_with("GET /api/entitlements", key, &[("X-Forwarded-For", proxied)], &NOTHING).status
    };
    let answers: Vec<u16> = (0..4).map(|_| ask("key_000000000000_00", "192.0.2.1")).collect();
    assert_eq!(answers, [401, 401, 401, 429]);
    assert_eq!(ask("key_000000000000_00", "192.0.2.2"), 401, "another client of the proxy");
    assert_eq!(ask(&ada, "192.0.2.1"), 200, "a valid key from the same address");
    for number in 0..10 {
        let body = event(&format!("evt_{number}"));
        let signature = served.signature(&body);
        let headers = [("Stripe-Signature", signature.as_str()), ("X-Forwarded-For", "192.0.2.1")];
        let answer = served.request("POST /api/webhooks/stripe", &headers, &body);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}
