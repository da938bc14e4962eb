//! Faults of the API: what is done, and what a retry with the same idempotency key gets.

use crate::play::{Play, id, request};
use local_stripe::api_faults::LostAnswer;
use local_stripe::sandbox::{Response, json_of, own_request};
use serde_json::json;

fn pay(play: &mut Play, key: &str) -> Response {
    let form = "amount=1999&currency=usd&confirm=true&payment_method=pm_card_visa";
    let mut request = request("POST", "/v1/payment_intents", form);
    request.idempotency_key = Some(key.into());
    play.sandbox.handle(&request)
}

fn charged(play: &mut Play) -> usize {
    play.get("/v1/charges")["data"].as_array().unwrap().len()
}

fn fail(play: &mut Play, form: &str) {
    play.post("/_sandbox/api_faults", &format!("{form}&method=POST&path=/v1/payment_intents"));
}

#[test]
fn a_429_does_nothing_and_a_retry_is_carried_out() {
    let mut play = Play::new();
    fail(&mut play, "answer=429&times=2");
    for _ in 0..2 {
        let refused = pay(&mut play, "k");
        let error = json_of(&refused)["error"].clone();
        assert_eq!((refused.status, refused.lost, &error["code"]), (429, None, &json!("rate_limit")));
        assert_eq!(charged(&mut play), 0);
    }
    let paid = pay(&mut play, "k");
    assert_eq!((paid.status, paid.original_request.is_none(), charged(&mut play)), (200, true, 1));
}

#[test]
fn a_500_is_stored_under_the_key_whether_or_not_the_payment_was_made() {
    for (done, charges) in [(false, 0), (true, 1)] {
        let mut play = Play::new();
        fail(&mut play, &format!("answer=500&done={done}"));
        let failed = pay(&mut play, "k");
        assert_eq!((failed.status, &json_of(&failed)["error"]["type"]), (500, &json!("api_error")));
        let again = pay(&mut play, "k");
        assert_eq!((again.status, again.original_request), (500, Some(failed.request_id)));
        assert_eq!(charged(&mut play), charges, "done={done}");
        assert_eq!(play.get("/v1/events?type=charge.succeeded")["data"].as_array().unwrap().len(), charges);
        assert_eq!(pay(&mut play, "other").status, 200);
    }
}

#[test]
fn a_lost_answer_is_given_to_the_retry_if_the_payment_was_made() {
    for (answer, lost) in [("cut", LostAnswer::Cut), ("held", LostAnswer::Held)] {
        let mut play = Play::new();
        fail(&mut play, &format!("answer={answer}&done=true"));
        assert_eq!(pay(&mut play, "k").lost, Some(lost));
        let made = id(&play.get("/v1/payment_intents")["data"][0]);
        let again = pay(&mut play, "k");
        assert_eq!((again.status, again.lost, id(&json_of(&again))), (200, None, made));
        assert!(again.original_request.is_some());
        assert_eq!(charged(&mut play), 1);
    }
}

#[test]
fn a_request_that_is_lost_before_anything_is_done_is_carried_out_by_the_retry() {
    for answer in ["cut", "held"] {
        let mut play = Play::new();
        fail(&mut play, &format!("answer={answer}"));
        assert!(pay(&mut play, "k").lost.is_some());
        assert_eq!(charged(&mut play), 0);
        let again = pay(&mut play, "k");
        assert_eq!((again.status, again.original_request, charged(&mut play)), (200, None, 1));
    }
}

#[test]
fn faults_apply_to_matching_requests_of_clients_only() {
    let mut play = Play::new();
    play.post("/_sandbox/api_faults", "answer=500&path=/v1/customers/{id}&times=5");
    play.post("/_sandbox/api_faults", "answer=429&method=GET&path=/v1/refunds");
    let customer = id(&play.post("/v1/customers", ""));
    play.refused("GET", &format!("/v1/customers/{customer}"), "", 500);
    play.refused("DELETE", &format!("/v1/customers/{customer}"), "", 500);
    let own = own_request("GET", &format!("/v1/customers/{customer}"), &[]);
    assert_eq!(play.sandbox.handle(&own).status, 200);
    let faults = play.get("/_sandbox/api_faults")["faults"].clone();
    let first = json!({ "answer": "500", "done": false, "method": null, "path": "/v1/customers/{id}", "times": 3 });
    assert_eq!((&faults[0], faults.as_array().unwrap().len()), (&first, 2));
    play.ok("DELETE", "/_sandbox/api_faults", "");
    play.get("/v1/refunds");
    play.get(&format!("/v1/customers/{customer}"));
}

#[test]
fn a_fault_that_can_not_occur_is_refused() {
    let mut play = Play::new();
    for (form, param) in [
        ("", "answer"),
        ("answer=418", "answer"),
        ("answer=429&done=true", "done"),
        ("answer=500&path=/v1/costumers", "path"),
        ("answer=500&path=/_sandbox/clock", "path"),
        ("answer=500&path=/v1/refunds&method=DELETE", "path"),
        ("answer=500&times=0", "times"),
    ] {
        assert_eq!(play.refused("POST", "/_sandbox/api_faults", form, 400)["param"], param, "{form}");
    }
}
