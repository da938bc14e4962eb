//! A price that is not in the catalog is reported as one mistake.

use crate::run::{Ran, fixtures, in_business, replay};
use std::fs;

const STORY: &str = "name: a site is ordered
given: {account: \"user:ana\", claims: {\"stripe-customer:cus_A\": \"user:ana\"}}
events:
  - stripe: customer.subscription.created
    set:
      price: price_basic_monthly
    expect: applied
  - command: product.create
    payload: {product_type: site, name: Blog, metadata: {name_label: ana-blog}}
    expect: applied
expect:
  entitlements: {sites: 1}
";

/// Replays a scenario of the business `example-sites` and returns the lines of standard error, without the folder.
fn failures(story: &str, args: &[&str]) -> (Ran, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(in_business("example-sites/catalog.yml"), folder.path().join("catalog.yml")).expect("copied");
    fs::write(folder.path().join("story.yml"), story).expect("written");
    let (path, fixtures) = (folder.path().display().to_string(), fixtures().display().to_string());
    let mut all = vec!["--format", "json", "--fixtures", &fixtures];
    all.extend(args);
    all.push(&path);
    let ran = replay(&all, b"");
    let canonical = folder.path().canonicalize().expect("a folder").display().to_string();
    let lines = ran.stderr.replace(&format!("{canonical}/"), "").replace(&format!("{path}/"), "");
    (ran, lines.lines().map(str::to_owned).collect())
}

#[test]
fn the_failures_that_follow_from_a_missing_price_are_one_line() {
    assert_eq!(failures(STORY, &[]).1, [""; 0]);
    let (ran, lines) = failures(&STORY.replace("price: price_basic_monthly", "price: price_basic_montly"), &[]);
    assert_eq!(ran.code, 1);
    let expected = "story.yml:6: a site is ordered (2020-08-27, 2025-03-31.basil): no price `price_basic_montly` among the prices \
                    of the products in catalog.yml (price_basic_monthly of prod_basic by the month, price_studio_monthly of prod_studio by the \
                    month); did you mean `price_basic_monthly`?";
    assert_eq!(lines, [expected]);
    // The price is also reported if the scenario does not assert the outcome.
    let silent =
        STORY.replace("      price: price_basic_monthly\n    expect: applied", "      price: price_of_another");
    let (_, lines) = failures(&silent, &[]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("no price `price_of_another`") && !lines[0].contains("did you mean"), "{lines:?}");
}

#[test]
fn a_missing_price_of_a_base_body_is_reported_with_a_hint_to_set_another() {
    let story = STORY.replace("    set:\n      price: price_basic_monthly\n", "");
    let (_, lines) = failures(&story, &[]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].starts_with("story.yml:4: ") && lines[0].contains("no price `price_professional_monthly`"),
        "{lines:?}"
    );
    assert!(lines[0].ends_with("; the base body names it: set another with `set: {price: …}`"), "{lines:?}");
}

#[test]
fn an_expected_refusal_hides_no_failure() {
    let story = STORY.replace("price: price_basic_monthly\n    expect: applied", "price: none\n    expect: rejected");
    let (_, lines) = failures(&story, &[]);
    assert_eq!(lines.len(), 2, "the command and the entitlement, once for both versions: {lines:?}");
    assert!(lines.iter().all(|line| !line.contains("no price")), "{lines:?}");
    // A failure before the missing price is reported, too.
    let before = STORY.replace("events:\n", "events:\n  - check: {entitlements: {sites: 7}}\n");
    let (_, lines) = failures(&before.replace("price: price_basic", "price: prices_basic"), &[]);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("expected {allowed: 7}") && lines[1].contains("no price"), "{lines:?}");
}
