//! A price that is not in the catalog is one mistake, and told as one.

use crate::run::{Ran, fixtures, replay};
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

/// What is told of a story of the business with the sites, in lines, without the folder.
fn failures(story: &str, args: &[&str]) -> (Ran, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(fixtures().join("example-sites/catalog.yml"), folder.path().join("catalog.yml")).expect("copied");
    fs::write(folder.path().join("story.yml"), story).expect("written");
    let (path, fixtures) = (folder.path().display().to_string(), fixtures().display().to_string());
    let mut all = vec!["--format", "json", "--fixtures", &fixtures];
    all.extend(args);
    all.push(&path);
    let ran = replay(&all, b"");
    let canonical = folder.path().canonicalize().expect("a folder").display().to_string();
    let told = ran.stderr.replace(&format!("{canonical}/"), "").replace(&format!("{path}/"), "");
    (ran, told.lines().map(str::to_owned).collect())
}

#[test]
fn what_follows_from_a_missing_price_is_one_line() {
    assert_eq!(failures(STORY, &[]).1, [""; 0]);
    let (ran, told) = failures(&STORY.replace("price: price_basic_monthly", "price: price_basic_montly"), &[]);
    assert_eq!(ran.code, 1);
    let expected = "story.yml:6: a site is ordered (2020-08-27, 2025-03-31.basil): no price `price_basic_montly` among those \
                    of the products in catalog.yml (price_basic_monthly, price_studio_monthly); did you mean \
                    `price_basic_monthly`?";
    assert_eq!(told, [expected]);
    // Also where nobody asserts the outcome.
    let silent =
        STORY.replace("      price: price_basic_monthly\n    expect: applied", "      price: price_of_another");
    let (_, told) = failures(&silent, &[]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("no price `price_of_another`") && !told[0].contains("did you mean"), "{told:?}");
}

#[test]
fn a_base_bodys_price_is_told_as_such_with_the_way_to_name_another() {
    let story = STORY.replace("    set:\n      price: price_basic_monthly\n", "");
    let (_, told) = failures(&story, &[]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("story.yml:4: ") && told[0].contains("no price `price_professional_monthly`"),
        "{told:?}"
    );
    assert!(told[0].ends_with("; the base body names it: set another with `set: {price: …}`"), "{told:?}");
}

#[test]
fn a_refusal_that_the_scenario_speaks_of_hides_nothing() {
    let story = STORY.replace("price: price_basic_monthly\n    expect: applied", "price: none\n    expect: rejected");
    let (_, told) = failures(&story, &[]);
    assert_eq!(told.len(), 2, "the command and the entitlement, once for both versions: {told:?}");
    assert!(told.iter().all(|line| !line.contains("no price")), "{told:?}");
    // What did not hold before it is told, too.
    let before = STORY.replace("events:\n", "events:\n  - check: {entitlements: {sites: 7}}\n");
    let (_, told) = failures(&before.replace("price: price_basic", "price: prices_basic"), &[]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("expected {allowed: 7}") && told[1].contains("no price"), "{told:?}");
}
