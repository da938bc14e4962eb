//! `replay` of scenarios with `at_stripe` steps: each has a local Stripe of its own, also among other scenarios of a folder.

use crate::run::{fixtures, run};
use std::fs;
use std::path::Path;

/// A business that compares its subscriptions with Stripe after a day without an event.
const CATALOG: &str = "entitlements: {crews: {kind: limit}}
product_types:
  - name: plan
    catalog: true
    family: plan
    infer_by: slug
    buy: {quantity: {at_most: 50}}
    fields: [{name: slug, type: string, required: true}]
    grants: {crews: 1}
products:
  - {id: prod_standard, product_type: plan, name: Standard, prices: {year: {amount: 120000, id: price_y}}, metadata: {slug: standard}}
";
const BUSINESS: &str = "policies: {compare_after: 1d, success_url: https://crews.example/paid, cancel_url: https://crews.example/plans, \
                        origins: [https://crews.example]}\n";

/// The subscription is retrieved two days after it began, and canceled afterwards.
const COMPARED: &str = r#"name: A change at Stripe after a comparison counts
given: {account: "organization:acme"}
events:
  - {at_stripe: POST /_sandbox/prices/price_y, form: {currency: usd, unit_amount: 120000, product_data: {name: Standard}, recurring: {interval: year}}}
  - {at_stripe: POST /v1/customers, form: {metadata: {organization_id: acme}, payment_method: pm_card_visa, invoice_settings: {default_payment_method: pm_card_visa}}}
  - {at_stripe: POST /v1/subscriptions, form: {customer: "{customer}", items: {"0": {price: price_y, quantity: 20}}, metadata: {organization_id: acme}}}
  - advance: 2d
  - {at_stripe: "POST /v1/subscriptions/{subscription}", form: {cancel_at_period_end: "true"}}
expect: {entitlements: {crews: {allowed: 20, ends_at: "2027-01-01T00:00:00Z"}}}
"#;
/// Stripe refuses the checkout after it delivered another event.
const REFUSED: &str = r#"name: A checkout whose price Stripe does not have is refused, also after a call of somebody else
given: {account: "user:ana"}
events:
  - {at_stripe: POST /v1/products, form: {name: a}}
  - {command: purchase.create, payload: {plan_id: prod_standard}, expect: applied, reply: {refused: {code: any, detail: any}}}
"#;
/// Needs no Stripe.
const ALONE: &str = "name: An account begins without crews
given: {account: \"user:bob\"}
events:
  - {command: mail.subscribe, payload: {}}
expect: {entitlements: {crews: {absent: true}}}
";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("catalog.yml", CATALOG);
    write("business.yml", BUSINESS);
    fs::create_dir(folder.path().join("scenarios")).expect("made");
    for (name, text) in [("compared", COMPARED), ("refused", REFUSED), ("alone", ALONE)] {
        write(&format!("scenarios/{name}.yml"), text);
    }
    folder
}

fn replayed(path: &Path, options: &[&str]) -> (i32, String) {
    let (path, fixtures) = (path.display().to_string(), fixtures().display().to_string());
    let ran = run(&[&["replay", "--native", "--verbose", "--fixtures", &fixtures], options, &[&path]].concat(), b"");
    (ran.code, ran.stdout + &ran.stderr)
}

#[test]
fn a_folder_with_scenarios_of_both_kinds_is_played() {
    let folder = folder();
    let (code, out) = replayed(folder.path(), &[]);
    assert_eq!(code, 0, "{out}");
    for name in ["A change at Stripe", "A checkout whose price", "An account begins"] {
        assert!(out.contains(name), "{name}: {out}");
    }
}

#[test]
fn every_scenario_of_a_folder_can_have_a_local_stripe() {
    let folder = folder();
    let (code, out) = replayed(folder.path(), &["--local-stripe", "--patience", "60"]);
    assert_eq!(code, 0, "{out}");
    let (code, out) = replayed(folder.path(), &["--local-stripe", "--shuffle", "7"]);
    assert!(code == 2 && out.contains("expected no --shuffle"), "{code}: {out}");
}

#[test]
fn explore_leaves_out_scenarios_with_a_local_stripe() {
    let folder = folder();
    let (path, fixtures) = (folder.path().display().to_string(), fixtures().display().to_string());
    let ran = run(&["explore", "--native", "--only", "orders", "--fixtures", &fixtures, &path], b"");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("2 scenarios with `at_stripe` steps are not explored"), "{}", ran.stderr);
}

#[test]
fn stories_of_payments_at_stripe_hold() {
    let stories = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/stories");
    let (code, out) = replayed(&stories, &["--local-stripe", "--patience", "60"]);
    assert_eq!(code, 0, "{out}");
    let files = |folder: &Path| -> Vec<_> {
        std::fs::read_dir(folder).expect("the stories").map(|entry| entry.expect("a story").path()).collect()
    };
    let (folders, own): (Vec<_>, Vec<_>) = files(&stories).into_iter().partition(|path| path.is_dir());
    let all = own.len() + folders.iter().map(|folder| files(folder).len()).sum::<usize>();
    assert!(out.contains(&format!("{all} of {all} cases held")), "{out}");
}
