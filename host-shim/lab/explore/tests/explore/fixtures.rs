//! Explores every story of the fixtures in other orders and with repeats, and some businesses with provider failures.
//! `known.txt` lists the laws that break.

use super::support::fixture;
use host_explore::{ExploreLimits, Tale, ToTheEnd, VariantKind, explore_every};
use host_replay::library::{Sources, stories};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Number of sampled orders of more than four events; `host-shim explore fixtures` samples more.
const SAMPLES: usize = 12;
/// Businesses explored with provider failures.
const FAILING: [&str; 4] = ["families-and-add-ons", "orchestra", "podcasts", "seats"];

fn known_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explore/known.txt")
}

fn tales(business: &str) -> Vec<Tale> {
    let runners = host_native::runners();
    let found = stories(&[fixture(business)], Sources::default(), &runners).expect("scenarios");
    let held = found.into_iter().filter(|story| story.scenario.known_to_fail.is_none());
    held.map(|story| {
        let case = story.cases.into_iter().next().expect("a version");
        Tale { scenario: story.scenario, case, business: story.business, runners: runners.clone() }
    })
    .collect()
}

/// The broken laws of a business, as `business/story kind: law`, and the number of variants.
fn broken(business: &str, kinds: &[VariantKind]) -> (BTreeSet<String>, u64) {
    let limits =
        ExploreLimits { kinds: kinds.to_vec(), samples: SAMPLES, all_orders_of: 4, ..ExploreLimits::default() };
    let tales = tales(business);
    let explored = explore_every(&tales, &limits, 2, &ToTheEnd).expect("playable stories");
    let (mut found, mut variants) = (BTreeSet::new(), 0);
    for (tale, explored) in tales.iter().zip(explored) {
        let explored = explored.expect("a complete exploration");
        variants += explored.counts.values().map(|counts| counts.variants).sum::<u64>();
        let story = tale.scenario.file.file_stem().expect("a name").to_string_lossy().into_owned();
        let named =
            explored.findings.iter().map(|found| format!("{business}/{story} {}: {}", found.kind, found.breach.law));
        found.extend(named);
    }
    (found, variants)
}

/// `UPDATE_GOLDEN=1` rewrites `known.txt`. A new line in this file is a new fault.
#[test]
fn the_broken_laws_of_the_fixtures_are_those_listed() {
    let businesses = std::fs::read_dir(fixture("")).expect("the fixtures");
    let mut names: Vec<String> = businesses
        .map(|entry| entry.expect("an entry").path())
        .filter(|folder| folder.join("catalog.yml").is_file())
        .map(|folder| folder.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    let (mut found, mut variants) = (BTreeSet::new(), 0);
    for business in names.iter().filter(|name| fixture(name).join("scenarios").is_dir()) {
        let mut kinds = vec![VariantKind::Orders, VariantKind::Repeats];
        kinds.extend(FAILING.contains(&business.as_str()).then_some(VariantKind::Failures));
        let (broken, played) = broken(business, &kinds);
        found.extend(broken);
        variants += played;
    }
    assert!(variants > 5_000, "{variants} variants");
    let text = std::fs::read_to_string(known_file()).expect("the list");
    let header: Vec<&str> = text.lines().filter(|line| line.starts_with('#') || line.is_empty()).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let lines: Vec<&str> = header.into_iter().chain(found.iter().map(String::as_str)).collect();
        std::fs::write(known_file(), lines.join("\n") + "\n").expect("written");
        return;
    }
    let known: BTreeSet<String> =
        text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect();
    let new: Vec<&String> = found.difference(&known).collect();
    let fixed: Vec<&String> = known.difference(&found).collect();
    assert!(new.is_empty() && fixed.is_empty(), "new: {new:#?}\nfixed, remove from the list: {fixed:#?}");
}
