//! Checks the generated stories themselves: they are valid and reach many outcomes.

use super::support::{judged, played};
use end_to_end::moves::{Kind, Move, moves};
use end_to_end::people::{checked_story, story};
use end_to_end::story::VERSIONS;
use end_to_end::world::Setup;
use host_replay::line::{Line, StreamLine, Summary};
use host_replay::run::{ReplayOptions, Sink, replay};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;

/// If the events of a story arrive in order and on time, no event fails or waits at the end, no Stripe event is
/// rejected, and the oracle agrees. Together the stories reach all outcomes.
#[test]
fn stories_are_valid_and_reach_all_outcomes() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for index in 0..60 {
        let moves = moves(9).new_tree(&mut runner).expect("moves").current();
        let checked = checked_story("A", &moves);
        let world = judged(&Setup::default(), &checked, &checked.story.parts_in(VERSIONS[index % 2]));
        let world = world.unwrap_or_else(|broken| panic!("story {index}: {broken}\n{moves:#?}"));
        for row in world.store().inbox_after(None, 0, 100_000).expect("a readable inbox") {
            let outcome = row.outcome.as_ref().map_or("none", |outcome| outcome.name());
            let row_text =
                || format!("{} {} is {:?} {:?}\n{moves:#?}", row.event.id, row.event.kind, row.state, row.outcome);
            assert!(matches!(row.state, host_store::InboxState::Done), "{}", row_text());
            assert!(row.event.source != "stripe" || outcome != "rejected", "{}", row_text());
            *seen.entry(format!("{} {outcome}", row.event.kind)).or_default() += 1;
        }
        let document = world.document();
        let rows = document["accounts"].as_array().into_iter().flatten();
        for product in
            rows.filter(|rows| rows["account"] == "user:A").flat_map(|rows| rows["products"].as_array()).flatten()
        {
            *seen.entry(format!("instance {}", product["metadata"]["status"])).or_default() += 1;
        }
    }
    for (what, count) in &seen {
        println!("{count:6} {what}");
    }
    for what in [
        "charge.refunded applied",
        "checkout.session.completed applied",
        "customer.subscription.deleted applied",
        "customer.subscription.updated applied",
        "database.ensure applied",
        "instance.delete applied",
        "invoice.payment_failed applied",
        "product.create applied",
        "product.create rejected",
        "refund.failed applied",
        "subscription.cancel applied",
        "timer.at applied",
        "instance \"running\"",
        "instance \"terminated\"",
        "instance \"suspended\"",
    ] {
        assert!(seen.contains_key(what), "no story has `{what}`");
    }
}

/// Collects the outcome of each event.
#[derive(Default)]
struct Outcomes(Vec<(String, String)>);

impl Sink for Outcomes {
    fn line(&mut self, line: &Line) -> std::io::Result<()> {
        if let Line::Input(line) = line {
            self.0.push((line.event.clone(), line.outcome.to_owned()));
        }
        Ok(())
    }
    fn stream(&mut self, _: &StreamLine, _: &Summary) -> std::io::Result<()> {
        Ok(())
    }
    fn end(&mut self, _: &Summary) -> std::io::Result<()> {
        Ok(())
    }
}

/// A written story has the same outcomes in `provisioner replay` as here.
#[test]
fn a_written_story_can_be_replayed() {
    let a_move = |kind| Move::plain(kind, 1, 2);
    let story = story("A", &[a_move(Kind::Order), a_move(Kind::Buy), a_move(Kind::Renew), a_move(Kind::End)]);
    for (version, file) in VERSIONS.iter().zip(end_to_end::story::write(&story, "written")) {
        let parts = story.parts_in(version);
        let world = played(&Setup::default(), &parts);
        let inputs = parts.iter().flat_map(|part| part.events.iter().chain(&part.commands));
        let first = |id: &str| world.reports.iter().find(|report| report.event_id == id).map(|r| r.result.name());
        let expected: Vec<(String, String)> =
            inputs.map(|input| (input.id.clone(), first(&input.id).expect("a report").to_owned())).collect();
        assert!(expected.len() > 10, "{expected:?}");
        let options = ReplayOptions {
            business: Some("solobase".to_owned()),
            ..ReplayOptions::new(host_replay::native::runners())
        };
        let mut found = Outcomes::default();
        let finished = replay(&[file], &mut std::io::empty(), &options, &mut found).expect("a readable story");
        assert!(finished.held(), "{version}: {:?}", finished.cases);
        assert_eq!(found.0, expected, "{version}");
    }
}
