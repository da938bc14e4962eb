//! Stories of every business, checked with the oracle after each part.

use super::support::{again, businesses, catalog, of_every_business, report_failure, world, world_on};
use end_to_end::cases::one_story_in;
use end_to_end::hosts::HostKind;
use end_to_end::judged::{holds, judge_end};
use end_to_end::moves::Move;
use end_to_end::play;
use end_to_end::story::VERSIONS;
use end_to_end::trade::{MoveKind, business_moves, possible_moves};
use end_to_end::traders::checked_story;
use host_provider_api::scripted::ScriptedAnswer;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Properties 3 and 7: at every point of a story, an account's entitlements are those it paid for, and cash equals
/// Stripe's books.
#[test]
fn entitlements_and_cash_of_every_business_equal_payments() {
    for kind in HostKind::each() {
        let count = if kind == HostKind::Quick { 24 } else { 2 };
        of_every_business(file!(), count, 14, |catalog, moves, version, _| {
            let checked = checked_story(catalog, "A", moves);
            let parts = checked.story.parts_in(VERSIONS[version]);
            report_failure("oracle", &checked.story, holds(&checked, &parts, &mut world_on(kind, &catalog.name), true))
        });
    }
}

/// The flags of a move that make its usage report late and set the delay.
const LATE: u16 = 0b11_1100;

/// Returns moves that buy a ware and use all meters for three months, with some late reports.
fn use_of(ware: usize) -> Vec<Move<MoveKind>> {
    let a_move = |kind, pick, flags, pause| Move { kind, pick, flags, pause };
    let mut moves = vec![a_move(MoveKind::Buy, ware as u8, 0b1000, 0)];
    for pause in [1, 5, 5] {
        for pick in 0..3 {
            // In the first month the credits cover the usage, later they do not.
            let many = if pause == 1 { 40 } else { 60_000 };
            moves.push(a_move(MoveKind::Use, pick, many + u16::from(pick), 1));
            moves.push(a_move(MoveKind::Count, pick, 0, 0));
            moves.push(a_move(MoveKind::Count, pick, !LATE, 0));
        }
        for (many, by) in [(40, 0), (60_000, 1), (60_000, 2), (60_000, 3)] {
            let late = 0b1100 | (by << 4);
            moves.push(a_move(MoveKind::Use, 0, (many & !LATE) | late, 0));
            moves.push(a_move(MoveKind::Count, 0, late, 0));
        }
        moves.push(a_move(MoveKind::Wait, 0, 0, pause));
    }
    moves
}

/// Given usage over three months, each use is counted once and within its allowance, credits pay first, and the rest of
/// each month is invoiced.
#[test]
fn usage_is_counted_paid_by_credits_and_invoiced() {
    for kind in HostKind::each() {
        let mut occurred: BTreeSet<String> = BTreeSet::new();
        for name in &businesses() {
            let catalog = catalog(name);
            if catalog.rates.is_empty() && catalog.monthly.is_empty() {
                continue;
            }
            // The shipped host is slow, so it plays a part of the stories.
            let step = if kind == HostKind::Shipped { one_story_in() } else { 1 };
            for (ware, version) in (0..catalog.wares.len()).zip(VERSIONS.iter().cycle()).step_by(step) {
                let checked = checked_story(&catalog, "A", &use_of(ware));
                let parts = checked.story.parts_in(version);
                let mut world = world_on(kind, name);
                let law = holds(&checked, &parts, &mut world, true).and_then(|()| {
                    parts.iter().flat_map(|part| &part.commands).try_for_each(|command| again(&mut world, command))?;
                    judge_end(&mut world, &checked)
                });
                report_failure("use", &checked.story, law)
                    .unwrap_or_else(|broken| panic!("{name}, ware {ware}: {broken}"));
                occurred.extend(world.reports.iter().map(|report| format!("{} {}", report.kind, report.result.name())));
            }
        }
        for what in
            ["usage applied", "usage.consume applied", "usage.consume rejected", "stripe.invoice.create applied"]
        {
            assert!(occurred.contains(what), "no story has `{what}`: {occurred:#?}");
        }
    }
}

/// Given a provider that refuses once, loses answers or answers late, entitlements and balances are unaffected.
#[test]
fn provider_failures_do_not_change_entitlements_or_balances() {
    of_every_business(file!(), 6, 10, |catalog, moves, version, seed| {
        let checked = checked_story(catalog, "A", moves);
        let mut world = world(&catalog.name);
        let done = || ScriptedAnswer::Ok(Value::Null);
        let throttled = ScriptedAnswer::Retryable { code: "throttled".to_owned(), message: String::new() };
        let answers = match seed % 3 {
            0 => vec![throttled, done()],
            1 => vec![ScriptedAnswer::Lost, done()],
            _ => vec![ScriptedAnswer::Late { after_ms: 7_200_000, then: Box::new(done()) }],
        };
        // Keys of resources and steps begin with the instance and a slash.
        world.scripted().script("*/*", answers);
        report_failure(
            "failures",
            &checked.story,
            holds(&checked, &checked.story.parts_in(VERSIONS[version]), &mut world, false),
        )
    });
}

/// The generated stories of a business reach every outcome that its catalog allows.
/// Maximum number of stories of a business that must reach all outcomes.
const STORIES: usize = 60;

#[test]
fn stories_of_every_business_reach_all_outcomes() {
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
    for name in &businesses() {
        let catalog = catalog(name);
        let mut runner = TestRunner::deterministic();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let once = catalog.wares.iter().filter(|ware| ware.offer.interval.is_none()).count();
        let occasion = |move_kind: MoveKind| possible_moves(&catalog).iter().any(|(_, known)| *known == move_kind);
        let expected = [
            (true, "checkout.session.completed applied"),
            (true, "purchase.create applied"),
            (true, "charge.refunded applied"),
            (true, "customer.subscription.deleted applied"),
            (true, "invoice.payment_failed applied"),
            (once * 2 >= catalog.wares.len(), "charge.dispute.closed applied"),
            (occasion(MoveKind::Make), "product.create applied"),
            (occasion(MoveKind::Make), "product.create rejected"),
            (occasion(MoveKind::ByHand), "step.complete applied"),
            (occasion(MoveKind::Use), "usage applied"),
            (occasion(MoveKind::Count), "usage.consume applied"),
            (occasion(MoveKind::Count), "usage.consume rejected"),
            (occasion(MoveKind::Issue), "token.issue applied"),
            (occasion(MoveKind::Issue), "token.issue rejected"),
            (occasion(MoveKind::Redeem), "token.redeem applied"),
            (occasion(MoveKind::Redeem), "token.redeem rejected"),
            (occasion(MoveKind::Revoke), "token.revoke applied"),
            (occasion(MoveKind::Campaign), "campaign.send applied"),
            (catalog.rates.iter().any(|rate| rate.invoiced_from.is_some()), "stripe.invoice.create applied"),
            (catalog.wares.iter().any(|ware| ware.share.is_some()), "account.send applied"),
        ];
        for index in 0..STORIES {
            let is_missing = |(must, what): &(bool, &str)| *must && !seen.contains_key(*what);
            if index * one_story_in() >= STORIES && !expected.iter().any(is_missing) {
                break;
            }
            let moves = business_moves(&catalog, 14).new_tree(&mut runner).expect("moves").current();
            let checked = checked_story(&catalog, "A", &moves);
            let mut world = world(name);
            play::whole(&mut world, &checked.story.parts_in(VERSIONS[index % 2]));
            for report in &world.reports {
                *seen.entry(format!("{} {}", report.kind, report.result.name())).or_default() += 1;
            }
        }
        for (_, what) in expected.iter().filter(|(must, _)| *must) {
            assert!(seen.contains_key(*what), "no story of {name} has `{what}`: {seen:#?}");
        }
        all.extend(seen);
    }
    for what in ["instance.delete applied", "refund.failed applied", "subscription.cancel applied"] {
        assert!(all.contains_key(what), "no story has `{what}`");
    }
}
