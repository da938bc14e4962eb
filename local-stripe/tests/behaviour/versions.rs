//! The effects of a request's API version, except on the shapes of objects.

use crate::play::{Play, id, request};
use local_stripe::sandbox::json_of;

#[test]
fn an_unknown_version_is_refused() {
    let mut play = Play::new();
    for (version, status) in [
        ("2030-01-01", 400),
        ("2025-03-30.basil", 400),
        ("2025-03-31", 400),
        ("2025-03-31.basil", 200),
        ("2025-03-31.preview", 200),
        ("2023-10-16", 200),
    ] {
        let mut asked = request("POST", "/v1/customers", "");
        asked.version = Some(version.into());
        let answer = play.sandbox.handle(&asked);
        assert_eq!(answer.status, status, "{version}: {}", answer.body);
        if status == 400 {
            assert_eq!(json_of(&answer)["error"]["message"], format!("Invalid Stripe API version: {version}"));
        }
    }
    assert_eq!(play.get("/v1/customers")["data"].as_array().unwrap().len(), 3);
}

#[test]
fn a_removed_endpoint_is_refused_from_the_removing_version_on() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, ""));
    for (version, status) in
        [("2020-08-27", 200), ("2024-09-30.acacia", 200), ("2025-03-31.basil", 404), ("2026-10-28.endive", 404)]
    {
        let mut asked = request("GET", "/v1/invoices/upcoming", &format!("subscription={sub}"));
        asked.version = Some(version.into());
        let answer = play.sandbox.handle(&asked);
        assert_eq!(answer.status, status, "{version}: {}", answer.body);
        if status == 404 {
            let message = json_of(&answer)["error"]["message"].as_str().unwrap().to_owned();
            assert!(message.contains("create_preview"), "{message}");
        }
    }
    // An endpoint that Stripe added later is accepted in older versions, too.
    let mut asked = request("GET", "/v1/invoice_payments", "");
    asked.version = Some("2020-08-27".into());
    assert_eq!(play.sandbox.handle(&asked).status, 200);
}
