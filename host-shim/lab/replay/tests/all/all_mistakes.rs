//! A check reports all mistakes of a catalog, and no mistake that is only a consequence of another mistake.

use crate::catalogs;

use catalogs::{BROKEN, WHOLE, folder_with};
use host_replay::check::check;
use host_replay::library::Sources;
use host_scenario::error::BadInput;
use std::fs;

/// Returns the mistakes that a check of a catalog reports.
fn check_mistakes(catalog: &str) -> Vec<BadInput> {
    let folder = folder_with(catalog);
    check(&[folder.path().to_owned()], Sources::default(), &host_replay::native::runners(), None)
        .expect("it can be checked")
        .mistakes
}

/// Returns the pointer and the problem of each mistake. Lines and allowed values depend on other mistakes.
fn without_lines(mistakes: &[BadInput]) -> Vec<(Option<String>, String)> {
    mistakes.iter().map(|bad| (bad.place.pointer.as_deref().map(str::to_owned), bad.problem.clone())).collect()
}

#[test]
fn a_check_of_two_mistakes_reports_no_other_mistake() {
    let single: Vec<_> =
        BROKEN.iter().map(|(good, bad)| without_lines(&check_mistakes(&WHOLE.replace(good, bad)))).collect();
    for ((good, bad), found) in BROKEN.iter().zip(&single) {
        assert_eq!(found.len(), 1, "{bad} in place of {good}: {found:?}");
    }
    // The test tries one pair of each group of this size.
    let share = test_support::count("ONE_PAIR_IN", 12);
    let (mut both, mut pairs, mut others) = (0, 0, 0);
    for (a, first) in BROKEN.iter().enumerate() {
        for (b, second) in BROKEN.iter().enumerate().skip(a + 1) {
            let text = WHOLE.replace(first.0, first.1);
            // Tries only a share of the pairs, to save time, and only pairs whose places do not overlap.
            if !(a + b).is_multiple_of(share) || text.matches(second.0).count() != 1 {
                continue;
            }
            let found = without_lines(&check_mistakes(&text.replace(second.0, second.1)));
            let known = |one: &(Option<String>, String)| single[a].contains(one) || single[b].contains(one);
            // Two mistakes together may be a correct catalog or a third mistake. Such a pair is not checked.
            if !found.first().is_some_and(known) {
                others += 1;
                continue;
            }
            assert!(found.iter().all(known), "{} and {}: {found:#?}", first.1, second.1);
            both += usize::from(found.len() == 2);
            pairs += 1;
        }
    }
    println!("{both} of {pairs} pairs report both mistakes; {others} pairs are a different mistake");
    assert!(
        pairs * share > 900 && others * share < 60 && both * 10 > pairs * 6,
        "{both} of {pairs} pairs report both mistakes; {others} pairs are a different mistake"
    );
}

#[test]
fn mistakes_in_all_clauses_are_reported_with_their_lines() {
    let mut text = WHOLE.to_owned();
    let wrong = [
        ("grace: 7d", "grace: -7d"),
        ("alerts: [80, 100]", "alerts: [80, 101]"),
        ("micros: {large: 12}", "micros: {large: -12}"),
        ("type: milli", "type: mili"),
        ("at_most: {count: 1", "at_mots: {count: 1"),
        ("on_archive: keep", "on_archive: kepe"),
        ("{meter: visits, of: calls}", "{meter: visits, fo: calls}"),
    ];
    let mut lines = Vec::new();
    for (good, bad) in wrong {
        assert_eq!(text.matches(good).count(), 1, "{good}");
        lines.push(1 + text[..text.find(good).expect("it is there")].matches('\n').count());
        text = text.replace(good, bad);
    }
    let mut found: Vec<usize> = check_mistakes(&text).iter().map(|bad| bad.place.line).collect();
    found.sort_unstable();
    assert_eq!(found, lines);
}

#[test]
fn mistakes_of_business_yml_have_their_own_file_and_line() {
    let catalog = WHOLE.replace("micros: {large: 12}", "micros: {large: -12}");
    let folder = folder_with(&catalog);
    let roles = "may:\n  list: [owner]\n  lits: [owner]\n  usage.cosnume: [owner]\nretry:\n  databsae: [1s]\n  mail.sned: [1s]\n\
                 webhooks:\n  idp:\n    scheme: standard\n    secret: stripe_secret\n    events:\n      - {event: user.left, account: \"user:{id}\"}\npolicies: {erase_after: 90d, suspend_on_pause: [void]}\n";
    fs::write(folder.path().join("business.yml"), roles).expect("written");
    let checked = check(&[folder.path().to_owned()], Sources::default(), &host_replay::native::runners(), None)
        .expect("it can be checked");
    let places = checked.mistakes.iter().map(|bad| {
        (bad.place.file.file_name().and_then(|name| name.to_str()), bad.place.line, bad.place.pointer.as_deref())
    });
    let line = 1 + catalog[..catalog.find("micros").expect("it is there")].matches('\n').count();
    let expected = [
        (Some("business.yml"), 6, Some("/retry/databsae")),
        (Some("business.yml"), 7, Some("/retry/mail.sned")),
        (Some("business.yml"), 11, Some("/webhooks/idp/secret")),
        (Some("business.yml"), 13, Some("/webhooks/idp/events/0/event")),
        (Some("business.yml"), 3, Some("/may/lits")),
        (Some("business.yml"), 4, Some("/may/usage.cosnume")),
        (Some("catalog.yml"), line, Some("/rates/tokens/micros/large")),
    ];
    assert_eq!(places.collect::<Vec<_>>(), expected);
}

#[test]
fn several_mistakes_of_one_check_keep_their_places() {
    let products = "  - {id: prod_c, product_type: tier, name: C, metadata: {slg: c, rnk: 1}}\n  - {id: prod_d, product_type: tier, \
                    name: D, metadata: {slug: d, rnk: 1, siez: s}}\n";
    let found = check_mistakes(&format!("{WHOLE}{products}"));
    let pointers: Vec<&str> = found.iter().filter_map(|bad| bad.place.pointer.as_deref()).collect();
    let of = |product: usize, field: &str| format!("/products/{product}/metadata/{field}");
    let expected = [of(2, "rnk"), of(2, "slg"), of(2, "slug"), of(3, "rnk"), of(3, "siez")];
    let mut sorted = pointers.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected, "{found:#?}");
}

#[test]
fn at_most_a_hundred_mistakes_are_reported_and_a_line_that_there_are_more() {
    for (wrong, reported) in [(100, 100), (130, 101)] {
        let product = |number: usize| {
            format!("  - {{id: prod_{number}, product_type: tier, name: N, active: 7, metadata: {{slug: s}}}}\n")
        };
        let text = format!("{WHOLE}{}", (0..wrong).map(product).collect::<String>());
        let found = check_mistakes(&text);
        assert_eq!(found.len(), reported);
        let pointers: Vec<String> = (2..102).map(|index| format!("/products/{index}/active")).collect();
        assert_eq!(found.iter().filter_map(|bad| bad.place.pointer.as_deref()).collect::<Vec<_>>(), pointers);
        let last = found.last().map(ToString::to_string).unwrap_or_default();
        let more = "catalog.yml: more is wrong than these 100 mistakes; expected these to be corrected first";
        assert_eq!(last.ends_with(more), wrong > 100, "{last}");
    }
}
