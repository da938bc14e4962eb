//! async-stripe must deserialize every kind of object and every event.

use std::process::Command;
use std::time::Duration;

use local_stripe::server::Options;
use local_stripe::settings::{START_S, Settings};

use crate::{call, install, runtime, start, succeeds};

/// The time limit of the client: its first build takes two minutes on two quiet cores.
const LIMIT: Duration = Duration::from_secs(3_600);

#[test]
#[ignore = "compiles the client for minutes; `cargo xtask test async-stripe` runs it"]
fn async_stripe() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    // The library's webhook types accept only the version that they were generated for.
    let settings = Settings { version: "2026-09-30.endive".into(), ..Settings::default() };
    let server = start(&runtime, Options { events: Some(folder.path().to_owned()), settings, ..Options::default() });
    let post = |path: &str, form: &[(&str, &str)]| {
        call(&server, "POST", path, form)["id"].as_str().unwrap_or_default().to_owned()
    };
    post("/v1/webhook_endpoints", &[("url", "http://127.0.0.1:9/"), ("enabled_events[]", "price.created")]);
    // A test clock has at most three customers.
    let start = START_S.to_string();
    let clocks = [(); 2].map(|()| post("/v1/test_helpers/test_clocks", &[("frozen_time", &start)]));
    let product = post("/v1/products", &[("name", "Pro")]);
    let monthly = |amount: &str| {
        post(
            "/v1/prices",
            &[("product", &product), ("currency", "usd"), ("unit_amount", amount), ("recurring[interval]", "month")],
        )
    };
    let (pro, team) = (monthly("2000"), monthly("5000"));
    for (clock, card, trial) in [
        (&clocks[0], "pm_card_visa", "0"),
        (&clocks[0], "pm_card_visa", "10"),
        (&clocks[0], "pm_card_chargeCustomerFail", "0"),
        (&clocks[1], "pm_card_authenticationRequired", "0"),
    ] {
        let customer = post(
            "/v1/customers",
            &[("test_clock", clock), ("payment_method", card), ("invoice_settings[default_payment_method]", card)],
        );
        post("/v1/invoiceitems", &[("customer", &customer), ("amount", "500"), ("currency", "usd")]);
        let sub = call(
            &server,
            "POST",
            "/v1/subscriptions",
            &[("customer", &customer), ("items[0][price]", &pro), ("trial_period_days", trial)],
        );
        let item = sub["items"]["data"][0]["id"].as_str().unwrap();
        post(
            &format!("/v1/subscriptions/{}", sub["id"].as_str().unwrap()),
            &[("items[0][id]", item), ("items[0][price]", &team), ("proration_behavior", "always_invoice")],
        );
    }
    for card in local_stripe::cards::TEST_CARDS {
        post(
            "/v1/payment_intents",
            &[
                ("amount", "1000"),
                ("currency", "usd"),
                ("confirm", "true"),
                ("payment_method", &format!("pm_card_{}", card.name)),
            ],
        );
    }
    let paid = post(
        "/v1/payment_intents",
        &[("amount", "1000"), ("currency", "usd"), ("confirm", "true"), ("payment_method", "pm_card_visa")],
    );
    post("/v1/refunds", &[("payment_intent", &paid), ("amount", "100")]);
    let session = post(
        "/v1/checkout/sessions",
        &[
            ("mode", "subscription"),
            ("line_items[0][price]", &pro),
            ("line_items[0][quantity]", "1"),
            ("success_url", "http://x.test"),
        ],
    );
    post(&format!("/v1/payment_pages/{session}/confirm"), &[("payment_method", "pm_card_visa")]);
    post(
        "/v1/checkout/sessions",
        &[
            ("mode", "subscription"),
            ("line_items[0][price]", &pro),
            ("line_items[0][quantity]", "1"),
            ("success_url", "http://x.test"),
        ],
    );
    // A test clock advances by at most two months at once.
    for days in [40, 70] {
        let later = (START_S + days * 86_400).to_string();
        for clock in &clocks {
            post(&format!("/v1/test_helpers/test_clocks/{clock}/advance"), &[("frozen_time", &later)]);
        }
        post("/_sandbox/clock", &[("advance_to", &later)]);
    }
    let mut command = Command::new("cargo");
    command
        .args(["run", "--quiet", "--locked", "--manifest-path"])
        .arg(install::clients().join("async-stripe/Cargo.toml"));
    command
        .arg("--target-dir")
        .arg(counterparts::folder().join("async-stripe"))
        .arg("--")
        .arg(server.url())
        .arg(folder.path());
    // Cargo sets these variables for this test. They would change the build of the client.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_TARGET_DIR", "RUSTFLAGS"] {
        command.env_remove(name);
    }
    let out = succeeds(&mut command, LIMIT);
    print!("{out}");
    assert!(out.contains("events of the folder"), "{out}");
}
