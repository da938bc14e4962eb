//! A checkout of Orchestra's own site, which names no user, at a running server: from Stripe's event to the mail and the claimed
//! account.

use super::{Running, SECRET, args, environment, now_s};
use crate::run::invoice;
use host_intake::testing::sign;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// The event of the site's checkout, as Stripe sends it.
fn paid() -> Value {
    json!({
        "id": "evt_paid", "object": "event", "type": "checkout.session.completed", "api_version": "2025-03-31.basil",
        "created": now_s(), "livemode": false, "data": {"object": {
            "id": "cs_1", "object": "checkout.session", "mode": "subscription", "payment_status": "paid", "status": "complete",
            "customer": "cus_1", "subscription": "sub_1", "payment_intent": null, "currency": "usd", "amount_total": 4900,
            "customer_email": "office@city.example",
            "metadata": {"orchestraName": "City Philharmonic", "subdomain": "city", "plan": "pro"},
        }},
    })
}

/// Delivers an event of Stripe.
fn deliver(server: &Running, event: &Value) {
    let event = event.to_string();
    let signature = format!("Stripe-Signature: {}\r\n", sign(SECRET, now_s(), event.as_bytes()));
    let (status, answer) = server.send("POST /api/webhooks/stripe", &signature, &event).expect("an answer");
    assert_eq!(status, 200, "{answer}");
}

/// Waits for a mail to the buyer that has these words, and returns it with the soft line breaks of its encoding removed.
fn mail_with(folder: &Path, words: &str) -> String {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let mails = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let texts = mails.filter_map(|mail| std::fs::read_to_string(mail.path()).ok());
        let mut texts = texts.map(|text| text.replace("=\r\n", "").replace("=3D", "="));
        if let Some(found) = texts.find(|text| text.contains("To: office@city.example") && text.contains(words)) {
            return found;
        }
        assert!(Instant::now() < until, "no mail with `{words}` in {}", folder.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Returns the link of the welcome mail in the folder.
fn link_in_mail(folder: &Path) -> String {
    const BEFORE: &str = "Open your account: ";
    let welcome = mail_with(folder, BEFORE);
    let after = welcome.split_once(BEFORE).map_or("", |(_, after)| after);
    after.lines().next().unwrap_or_default().trim().to_owned()
}

// covers: ORC-01, ORC-02, ORC-03, ORC-19
#[test]
fn who_pays_without_an_account_claims_it_by_the_link_of_the_welcome_mail() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    // With a token of Supabase, no person makes the database; the provider `local` makes it here.
    let environment = [&environment()[..], &[("SUPABASE_ACCESS_TOKEN", "sbp_test")]].concat();
    let more = ["--providers", "local", "--simulate"];
    let server = Running::start_args(&args("orchestra", &data, &more), &environment, &folder.path().join("log"));
    deliver(&server, &paid());
    let link = link_in_mail(&data.join("providers").join("mails"));
    let token = link.strip_prefix("https://stagesub.com/auth/claim?token=").unwrap_or_else(|| panic!("{link}"));
    let body = json!({"token": token, "password": "correct horse battery"}).to_string();
    let (status, claimed) = server.send("POST /api/auth/password", "", &body).expect("an answer");
    assert_eq!(status, 200, "{claimed}");
    let claimed: Value = serde_json::from_str(&claimed).expect("JSON");
    assert_eq!(claimed["user"]["email"], json!("office@city.example"));
    let authorization = format!("Authorization: Bearer {}\r\n", claimed["token"].as_str().expect("a token"));
    let (status, products) = server.send("GET /api/queries/list?kind=products", &authorization, "").expect("an answer");
    assert_eq!((status, products.contains("\"orch_city\"")), (200, true), "{products}");
    assert_eq!(server.send("POST /api/auth/password", "", &body).expect("an answer").0, 410, "the link works once");
    server.stop();
    let log = std::fs::read_to_string(folder.path().join("log")).expect("the log");
    assert!(!log.contains(token), "the log has no token");
}

#[test]
fn the_first_receipt_reaches_the_buyer_before_the_account_has_a_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    // Without a token of Supabase, the database waits for a person, and so does the step that makes the link.
    let more = ["--providers", "local", "--simulate"];
    let server = Running::start_args(&args("orchestra", &data, &more), &environment(), &folder.path().join("log"));
    deliver(&server, &paid());
    let mut first = invoice("evt_invoice");
    // The business sends no mail about what is long ago.
    first["created"] = json!(now_s());
    first["data"]["object"]["customer"] = json!("cus_1");
    first["data"]["object"]["lines"]["data"][0]["pricing"]["price_details"]["price"] = json!("price_orchestra_pro");
    deliver(&server, &first);
    mail_with(&data.join("providers").join("mails"), "Subject: Your receipt from");
    server.stop();
}
