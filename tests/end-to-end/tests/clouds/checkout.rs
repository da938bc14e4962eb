//! A plan is bought at a checkout of the local Stripe, which sends signed webhooks; an instance is created, suspended,
//! archived, restored and destroyed. After each step the servers must have the state that the scenario expects. `cargo
//! xtask live` runs these tests.

use crate::site::{Site, address};
use counterparts::{chromium, succeeds};
use end_to_end::acting::{failures, load_stories, played};
use end_to_end::hosts::component;
use end_to_end::world::root;
use host_provider_api::ProviderName;
use host_providers::{Options, Span, chart, open};
use host_replay::library::Story;
use host_replay::line::Line;
use host_replay::live::LiveProviders;
use host_replay::play::{CaseReport, PlayOptions, Stepped, play_watched};
use host_replay::runners::Runners;
use host_replay::stripe::LocalStripe;
use host_scenario::model::Action;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// Timeout of a browser for a page.
const PAGE: Duration = Duration::from_secs(60);

fn story() -> Story {
    load_stories(root().join("examples/checkout-to-the-end.yml"), None).remove(0)
}

fn through_the_component() -> Runners {
    Runners::loaded("component", component().clone(), false)
}

fn stripe() -> Arc<LocalStripe> {
    Arc::new(LocalStripe::start().expect("a local Stripe"))
}

/// Asserts two purchases and payments, received as events of Stripe.
fn assert_bought(report: &CaseReport, spans: &[Span]) {
    let is = |line: &&Line, kind: &str| matches!(line, Line::Input(input) if input.kind == kind);
    let received = |kind: &str| report.lines.iter().filter(|line| is(line, kind)).count();
    assert_eq!(received("checkout.session.completed"), 2, "{:?}", report.lines);
    assert!(
        received("invoice.payment_failed") > 0 && received("customer.subscription.deleted") == 1,
        "{:?}",
        report.lines
    );
    let called = |kind: &str| spans.iter().filter(|span| span.kind == kind).count();
    assert_eq!((called("stripe.checkout.create"), called("database.ensure"), called("database.restore")), (2, 2, 1));
    assert!(spans.iter().all(|span| span.ended == "done"), "{spans:?}");
    println!("{}", chart(spans));
}

#[test]
fn a_signed_checkout_leads_to_an_instance_on_moto_and_postgresql_and_to_its_end() {
    let (site, stripe) = (Site::start(), stripe());
    let (world, opened) = site.world_with(&stripe);
    let report = played(&story(), &world, &through_the_component());
    assert_eq!(failures(&report), [""; 0]);
    assert_eq!(site.is_empty(&opened), [""; 0]);
    assert_bought(&report, &opened.journal.spans());
}

#[test]
fn a_signed_checkout_leads_to_an_instance_on_this_machine_that_a_browser_opens() {
    let stripe = stripe();
    let local_stripe = Some(address(&stripe));
    let names = vec![ProviderName::Local, ProviderName::Stripe];
    let opened = open(&Options { names, local_stripe, ..Options::default() }).expect("a folder");
    let live = LiveProviders::new(opened.registry.clone()).with_stripe(stripe);
    let port = opened.serves.expect("`local` serves").port();
    let story = story();
    let checks: Vec<usize> = (0..story.scenario.steps.len())
        .filter(|at| matches!(story.scenario.steps[*at].action, Action::Check(_)))
        .collect();
    let mut shown = Vec::new();
    let mut look = |stepped: Stepped<'_>| {
        if stepped.step.is_some_and(|step| checks.contains(&step)) {
            shown.push(page(&format!("http://solobase-myapp.localhost:{port}/")));
        }
        Ok(())
    };
    let options = PlayOptions { live: Some(live), ..PlayOptions::new(through_the_component()) };
    let case = story.cases.first().expect("a story has a version");
    let report = play_watched(&story.scenario, case, &story.business, &options, &mut look).expect("a story");
    assert_eq!(failures(&report), [""; 0]);
    assert_bought(&report, &opened.journal.spans());
    let words = ["no function", "New note", "suspended", "no function", "New note"];
    for (page, words) in shown.iter().zip(words) {
        assert!(page.contains(words), "expected `{words}` in {page}");
    }
    assert_eq!(shown.len(), words.len());
}

/// The page that a browser shows.
fn page(url: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let mut browser = Command::new(chromium());
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"]);
    succeeds(browser.arg(format!("--user-data-dir={}", folder.path().display())).arg(url), PAGE)
}
