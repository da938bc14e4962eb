//! The guide to testing with Stripe: its links exist, its scenarios hold, its cards are those of the local Stripe, and
//! its commands exist.

use crate::run::{fixtures, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/start")
}

fn guide() -> String {
    fs::read_to_string(docs().join("testing-with-stripe.md")).expect("the guide")
}

/// Returns the part of the guide under a heading.
fn part<'g>(guide: &'g str, heading: &str) -> &'g str {
    let after = guide.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no part `{heading}`")).1;
    after.split("\n## ").next().unwrap_or(after)
}

/// Returns the rows of a part's tables as cells, without headers.
fn rows(part: &str) -> Vec<Vec<&str>> {
    let is_row = |line: &&str| line.starts_with("| ") && !line.ends_with("| file |") && !line.starts_with("| number |");
    part.lines().filter(is_row).map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// Returns the link targets of a text, without the part after `#`.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.map(|target| target.split('#').next().unwrap_or(target)).collect()
}

// covers: TES-101
#[test]
fn each_scenario_of_the_guide_is_a_file_that_holds() {
    let guide = guide();
    let scenarios = part(&guide, "Scenarios");
    let listed: BTreeSet<&str> = rows(scenarios).iter().map(|row| row[0]).collect();
    for wanted in [
        "Registration",
        "Upgrade",
        "Cancel",
        "Renewal",
        "Failed payment",
        "Credits",
        "Agent, monthly",
        "Agent, one-time",
        "Deploy slot",
        "Usage sync",
        "Usage invoice",
    ] {
        assert!(listed.contains(wanted), "{wanted}: {listed:?}");
    }
    for (name, least) in [("Setup", 1), ("Test cards", 1), ("Webhooks", 5), ("Troubleshooting", 0), ("Going live", 0)] {
        assert!(links(part(&guide, name)).len() >= least, "{name}");
    }
    let files: BTreeSet<PathBuf> = links(&guide).into_iter().map(|link| docs().join(link)).collect();
    let missing: Vec<&PathBuf> = files.iter().filter(|file| !file.is_file()).collect();
    assert!(missing.is_empty(), "no such files: {missing:?}");
    let played: Vec<String> = files
        .iter()
        .filter(|file| file.extension().is_some_and(|ext| ext == "yml"))
        .map(|f| f.display().to_string())
        .collect();
    let linked = rows(scenarios).len() + rows(part(&guide, "Webhooks")).len();
    assert_eq!((played.len(), linked), (19, 19), "each row has a file of its own");
    let fixtures = fixtures().display().to_string();
    let mut args = vec!["replay", "--native", "--format", "json", "--fixtures", &fixtures];
    args.extend(played.iter().map(String::as_str));
    let ran = run(&args, b"");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lines = ran.lines();
    let cases: Vec<&Value> = lines.iter().map(|line| &line["case"]).filter(|case| case.is_object()).collect();
    assert!(cases.iter().all(|case| case["status"] == "held"), "none is known to fail");
    let held: BTreeSet<&str> = cases.iter().filter_map(|case| case["file"].as_str()).collect();
    assert_eq!(held, played.iter().map(String::as_str).collect());
}

#[test]
fn the_business_of_the_guide_has_no_mistake() {
    let guide = guide();
    let (_, setup) = part(&guide, "Setup").split_once("```sh\n").expect("commands");
    let (commands, _) = setup.split_once("```").expect("an end");
    let folder = tempfile::tempdir().expect("a folder");
    let business = folder.path().join("my-studio").display().to_string();
    for line in commands.replace("my-studio", &business).lines() {
        if let Some(arguments) = line.strip_prefix("provisioner ") {
            let ran = run(&arguments.split(' ').chain(["--native"]).collect::<Vec<_>>(), b"");
            assert_eq!(ran.code, 0, "{line}: {}{}", ran.stdout, ran.stderr);
            continue;
        }
        let done = Command::new("sh").args(["-c", line]).current_dir(docs().join("../..")).status();
        assert!(done.expect("a shell").success(), "{line}");
    }
    assert!(fs::exists(format!("{business}/business.yml")).expect("a folder"), "{commands}");
}

#[test]
fn the_cards_of_the_guide_are_those_of_the_local_stripe() {
    let (guide, local) = (guide(), fs::read_to_string(docs().join("../../local-stripe/README.md")).expect("the page"));
    let cards = rows(part(&guide, "Test cards"));
    assert!(cards.len() > 5, "{cards:?}");
    for card in cards {
        assert!(local.contains(&format!("| {} | {} |", card[0], card[1])), "{card:?}");
    }
}

#[test]
fn the_commands_of_the_guide_exist() {
    let guide = guide();
    let boxes = guide.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let inline = guide.split('`').skip(1).step_by(2).filter(|text| text.starts_with("provisioner "));
    let lines: Vec<&str> =
        boxes.flat_map(str::lines).chain(inline).filter(|line| line.starts_with("provisioner ")).collect();
    let mut seen = BTreeSet::new();
    for line in &lines {
        let mut words = line.split_whitespace().skip(1);
        let command = words.next().expect("a command");
        seen.insert(command);
        // The tested program may lack the local Stripe.
        let help = match command {
            "stripe" => fs::read_to_string(docs().join("../../local-stripe/README.md")).expect("the page"),
            _ => {
                let ran = run(&[command, "--help"], b"");
                assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
                ran.stdout
            }
        };
        for option in words.filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{option} of `{line}`");
        }
    }
    assert_eq!(seen, BTreeSet::from(["check", "replay", "stripe"]));
    assert!(lines.len() > 8, "{lines:?}");
}
