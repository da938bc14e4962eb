//! Checks which clauses of a catalog a scenario reaches.

use crate::coverage::support::{covered, holes, lines, podcasts, reached, report, section, write};
use std::path::Path;
use test_support::in_business;

#[test]
fn a_clause_is_a_hole_until_a_scenario_reaches_it() {
    let found = covered(podcasts(&["plan"]).path());
    let missing = holes(&found, "catalog");
    for hole in ["type show", "type credit_pack", "rate transcription", "show provisions/feed", "credit_pack on_paid"] {
        assert!(missing.contains(&hole), "{hole}: {missing:?}");
    }
    for touched in ["type plan", "plan grants/shows", "entitlement shows", "product prod_studio", "product prod_free"] {
        assert!(reached(&found, "catalog", touched) > 0, "{touched}");
    }
    let more = covered(podcasts(&["plan", "credits", "show"]).path());
    let filled = [
        "type credit_pack",
        "credit_pack on_paid",
        "credit_pack refund",
        "rate transcription",
        "rate transcription/en",
    ];
    for touched in
        filled.into_iter().chain(["type show", "show provisions/feed", "show consumes/shows", "show url/feed"])
    {
        assert_eq!(reached(&more, "catalog", touched), 1, "{touched}: by one scenario");
    }
    let missing = holes(&more, "catalog");
    assert!(missing.contains(&"rate transcription/de"), "no measurement in German: {missing:?}");
    assert!(missing.contains(&"theme split") && missing.contains(&"extra_show grants/shows"), "{missing:?}");
}

#[test]
fn a_hole_has_a_place_and_a_condition() {
    let found = covered(podcasts(&["plan"]).path());
    let catalog = std::fs::read_to_string(in_business("full-podcasts/catalog.yml")).expect("read");
    let line = |part: &str| 1 + catalog.lines().position(|line| line.contains(part)).expect("a line");
    let place = |name: &str| {
        let item = section(&found, "catalog").iter().find(|item| item.name == name).expect("an item");
        item.place.clone().expect("a place").rsplit(':').next().map(str::to_owned)
    };
    assert_eq!(place("type show"), Some(line("- name: show").to_string()));
    assert_eq!(place("rate transcription/de"), Some(line("micros: {en").to_string()));
    assert_eq!(place("show provisions/feed"), Some(line("- name: feed").to_string()));
    assert_eq!(place("product prod_credits"), Some(line("{id: prod_credits").to_string()));
    let text = report(&found, 0);
    assert!(
        text.contains(": show provisions/feed; reached when an effect of the resource or step is requested"),
        "{text}"
    );
    let item = lines(&found, 0).into_iter().find(|line| line["item"]["name"] == "type show").expect("its line");
    assert_eq!((&item["item"]["reached"], &item["item"]["section"]), (&0.into(), &section_name(&found).into()));
}

fn section_name(found: &host_explore::coverage::Coverage) -> String {
    let section = found.sections.iter().find(|section| section.name.starts_with("catalog of "));
    section.expect("a section").name.clone()
}

#[test]
fn all_scenarios_of_the_podcasts_leave_only_known_holes() {
    let found = covered(&in_business("full-podcasts"));
    assert_eq!(found.not_held, [] as [String; 0]);
    for touched in ["theme split", "theme buy", "theme grants/theme:{product.id}", "entitlement downloads/alerts"] {
        assert!(reached(&found, "catalog", touched) > 0, "{touched}");
    }
    assert_eq!(holes(&found, "catalog"), ["rate transcription/de"]);
}

#[test]
fn unpaid_purchases_and_refused_usage_reach_nothing() {
    let folder = podcasts(&[]);
    let story = "name: an unpaid purchase, and refused usage\ngiven: {account: user:ana}\nevents:\n\
         \x20 - {command: purchase.create, payload: {product_id: prod_credits}, expect: applied}\n\
         \x20 - {usage: {meter: transcription, quantity: 1, language: fr}, expect: rejected, unchanged: true}\n\
         expect: {entitlements: {shows: 1}}\n";
    write(&folder, "begun.yml", story);
    let found = covered(folder.path());
    assert_eq!(found.not_held, [] as [String; 0]);
    assert_eq!(reached(&found, "catalog", "type credit_pack"), 1, "started");
    let missing = holes(&found, "catalog");
    for hole in ["credit_pack on_paid", "credit_pack refund", "rate transcription"] {
        assert!(missing.contains(&hole), "{hole}: {missing:?}");
    }
}

#[test]
fn facts_reactions_templates_and_campaigns_are_clauses() {
    let found = covered(&in_business("saas-plugins"));
    assert_eq!(found.not_held, [] as [String; 0]);
    for touched in [
        "event user.registered",
        "reaction to user.registered: mail welcome",
        "reaction to user.registered: analytics.track",
        "template welcome",
        "campaigns",
        "software tokens/download",
        "software tokens/download/redeem",
    ] {
        assert!(reached(&found, "catalog of saas-plugins", touched) > 0, "{touched}");
    }
    assert!(reached(&found, "event kinds", "user.registered") > 0, "a fact of the business is declared");
    assert!(reached(&found, "effects", "registry.enrol") > 0, "so is an effect of its own resource");
}

#[test]
fn manual_steps_waits_and_ends_are_clauses() {
    let found = covered(&in_business("orchestra"));
    assert_eq!(found.not_held, [] as [String; 0]);
    for touched in [
        "orchestra provisions/database/or_manual",
        "orchestra provisions/database/backup",
        "orchestra provisions/welcome",
        "orchestra from_checkout",
        "orchestra views/phase/running",
        "orchestra lifecycle/idle",
        "orchestra expects/backups",
        "orchestra meters/logins",
        "orchestra url/database",
    ] {
        assert!(reached(&found, "catalog of orchestra", touched) > 0, "{touched}");
    }
}

#[test]
fn another_step_timer_meter_or_status_does_not_reach_a_clause() {
    let from = in_business("orchestra");
    for (story, holed) in [
        ("automatic", &["views/phase/error", "views/phase/provisioning", "views/database_status/terminated"][..]),
        ("manual", &["provisions/migrate/or_manual"]),
        ("idle", &["lifecycle/archive_after", "lifecycle/delete_after", "expects/backups", "meters/backups"]),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let copy = |from: &Path, to: &str| {
            std::fs::copy(from, folder.path().join(to)).expect("copied");
        };
        copy(&from.join("catalog.yml"), "catalog.yml");
        copy(&from.join("business.yml"), "business.yml");
        copy(&from.join(format!("scenarios/requirements/{story}.yml")), "story.yml");
        std::fs::create_dir(folder.path().join("templates")).expect("made");
        for template in std::fs::read_dir(from.join("templates")).expect("a folder") {
            let template = template.expect("a file");
            copy(&template.path(), &format!("templates/{}", template.file_name().to_str().expect("a name")));
        }
        let found = covered(folder.path());
        assert_eq!(found.not_held, [] as [String; 0], "{story}");
        let missing = holes(&found, "catalog");
        for hole in holed.iter().map(|hole| format!("orchestra {hole}")) {
            assert!(missing.contains(&hole.as_str()), "{story}: {hole}: {missing:?}");
        }
    }
}
