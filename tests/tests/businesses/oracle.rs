use super::support::{businesses, catalog, judge, of_every_business, told, world};
use end_to_end::oracle::{Expected, Verdict};
use end_to_end::play;
use end_to_end::story::VERSIONS;
use end_to_end::trade::{Deed, deeds, occasions};
use end_to_end::traders::{Tale, tale};
use end_to_end::world::World;
use host_providers::scripted::ScriptedAnswer;
use products_contract::Account;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What commands came to is what they must come to.
fn verdicts(world: &World, tale: &Tale) -> Result<(), String> {
    for report in &world.reports {
        let (name, reason) = (report.result.name(), report.result.reason().unwrap_or_default());
        if name == "failed" {
            return Err(format!("{} {} failed: {reason}", report.kind, report.event_id));
        }
        if report.source == "stripe" && name == "rejected" {
            return Err(format!("{} {} is rejected: {reason}", report.kind, report.event_id));
        }
        let Some(verdict) = tale.verdicts.get(&report.event_id).filter(|_| !report.later && name != "duplicate") else {
            continue;
        };
        let expected = if *verdict == Verdict::Applied { "applied" } else { "rejected" };
        if name != expected {
            return Err(format!("{} {} is {name} ({reason}), expected {expected}", report.kind, report.event_id));
        }
    }
    Ok(())
}

/// Plays a tale and holds it to all that must be, where the provider carries out what is asked for.
fn holds(tale: &Tale, version: &str, mut world: World, is_prompt: bool) -> Result<(), String> {
    let account: Account = tale.story.account.parse().expect("an account");
    for (index, part) in tale.story.told_in(version).iter().enumerate() {
        play::part(&mut world, part).expect("the store has no fault");
        verdicts(&world, tale)?;
        let Some(expected) = tale.checks.get(&index) else { continue };
        let at = host_replay::time::text(part.clock);
        let expected = match is_prompt {
            true => expected.clone(),
            false => Expected { running: BTreeSet::new(), ..expected.clone() },
        };
        judge(&mut world, &account, &expected).map_err(|problem| format!("part {index}, {at}: {problem}"))?;
    }
    Ok(())
}

/// Properties 3 and 7: whenever a story is stopped, an account may use what is paid for and no more, and the money is
/// where Stripe says it is.
#[test]
fn every_business_does_what_was_paid_for() {
    of_every_business(file!(), 24, 14, |catalog, moves, version, _| {
        let tale = tale(catalog, "A", moves);
        told("oracle", &tale.story, holds(&tale, VERSIONS[version], world(&catalog.name), true))
    });
}

/// Resources that are made at the second attempt, late, or without a word change nothing of what anybody may use or owes.
#[test]
fn a_provider_that_fails_costs_nobody_anything() {
    of_every_business(file!(), 6, 10, |catalog, moves, version, seed| {
        let tale = tale(catalog, "A", moves);
        let world = world(&catalog.name);
        let done = || ScriptedAnswer::Ok(Value::Null);
        let throttled = ScriptedAnswer::Retryable { code: "throttled".to_owned(), message: String::new() };
        let answers = match seed % 3 {
            0 => vec![throttled, done()],
            1 => vec![ScriptedAnswer::Lost, done()],
            _ => vec![ScriptedAnswer::Late { after_ms: 7_200_000, then: Box::new(done()) }],
        };
        // Keys of resources and steps have their instance before a slash.
        world.scripted().script("*/*", answers);
        told("failures", &tale.story, holds(&tale, VERSIONS[version], world, false))
    });
}

/// Over some stories of a business everything comes to pass for which its catalog gives an occasion.
#[test]
fn stories_of_every_business_are_full_of_life() {
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
    for name in &businesses() {
        let catalog = catalog(name);
        let mut runner = TestRunner::deterministic();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for index in 0..60 {
            let moves = deeds(&catalog, 14).new_tree(&mut runner).expect("moves can always be made").current();
            let tale = tale(&catalog, "A", &moves);
            let mut world = world(name);
            play::whole(&mut world, &tale.story.told_in(VERSIONS[index % 2]));
            for report in &world.reports {
                *seen.entry(format!("{} {}", report.kind, report.result.name())).or_default() += 1;
            }
        }
        let once = catalog.wares.iter().filter(|ware| ware.offer.interval.is_none()).count();
        let occasion = |deed: Deed| occasions(&catalog).iter().any(|(_, known)| *known == deed);
        let expected = [
            (true, "checkout.session.completed applied"),
            (true, "purchase.create applied"),
            (true, "charge.refunded applied"),
            (true, "customer.subscription.deleted applied"),
            (true, "invoice.payment_failed applied"),
            (once * 2 >= catalog.wares.len(), "charge.dispute.closed applied"),
            (occasion(Deed::Make), "product.create applied"),
            (occasion(Deed::Make), "product.create rejected"),
            (occasion(Deed::ByHand), "step.complete applied"),
            (occasion(Deed::Use), "usage applied"),
            (occasion(Deed::Count), "usage.consume applied"),
            (occasion(Deed::Count), "usage.consume rejected"),
            (occasion(Deed::Issue), "token.issue applied"),
            (occasion(Deed::Issue), "token.issue rejected"),
            (occasion(Deed::Redeem), "token.redeem applied"),
            (occasion(Deed::Redeem), "token.redeem rejected"),
            (occasion(Deed::Revoke), "token.revoke applied"),
            (occasion(Deed::Campaign), "campaign.send applied"),
            (catalog.rates.iter().any(|rate| rate.invoiced_from.is_some()), "stripe.invoice.create applied"),
            (catalog.wares.iter().any(|ware| ware.share.is_some()), "account.send applied"),
        ];
        for (_, what) in expected.iter().filter(|(must, _)| *must) {
            assert!(seen.contains_key(*what), "no story of {name} has `{what}`: {seen:#?}");
        }
        all.extend(seen);
    }
    for what in ["instance.delete applied", "refund.failed applied", "subscription.cancel applied"] {
        assert!(all.contains_key(what), "no story has `{what}`");
    }
}
