//! An extension with a fault is found out: the law is named, the story is short, and what is written fails until it is mended.

use super::support::{changed, explored, fixture, tale};
use extension_contract::{Decision, Event, Payload, RowKey, Write};
use host_explore::{Finding, Law, Tale, VariantKind, failing_scenario};
use host_replay::run::{ReplayOptions, Silent, replay};
use host_replay::runners::Runners;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whether what was written holds with an extension.
fn holds(text: &str, tale: &Tale, runners: &Runners) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("found.yml");
    std::fs::write(&file, text).expect("written");
    let options = ReplayOptions {
        business: Some(tale.business.folder.display().to_string()),
        fixtures: Some(fixture("")),
        ..ReplayOptions::new(runners.clone())
    };
    let finished = replay(&[file], &mut std::io::empty(), &options, &mut Silent).expect("it can be read");
    finished.held()
}

/// What is written fails with the fault, and holds without.
fn is_proven(tale: &Tale, finding: &Finding) {
    let text = failing_scenario(tale, finding, "host-shim explore x.yml").expect("it can be told");
    assert!(!holds(&text, tale, &tale.runners), "it does not fail:\n{text}");
    assert!(holds(&text, tale, &host_native::runners()), "it fails without the fault, too:\n{text}");
}

#[test]
fn a_state_that_keeps_the_last_event_is_shrunk_to_the_few_that_show_it() {
    // Given an extension that remembers of each object's events the one that came last.
    let runners = changed(|event: &Event, decision: &mut Decision| {
        if !matches!(event.payload, Payload::Provider(_)) {
            return;
        }
        for change in &mut decision.changes {
            if let (RowKey::Record(key), Write::Record(text)) = (&change.key, &mut change.write)
                && key.collection == "billing"
            {
                let mut value: serde_json::Value = serde_json::from_str(text).expect("a record is JSON");
                value["last_event"] = serde_json::json!(event.id);
                *text = value.to_string();
            }
        }
    });
    let tale = tale(&fixture("solobase/scenarios/requirements/billing-history.yml"), &runners);
    let found = explored(&tale, &[VariantKind::Orders]);
    let finding = found.findings.iter().find(|finding| finding.breach.law == Law::SameState).expect("it is found");
    assert!(finding.breach.what.contains("evt_"), "{}", finding.breach.what);
    let events = finding.plan.acts.iter().filter(|act| tale.scenario.steps[act.step].action.is_provider_event());
    assert!(events.count() <= 3, "{:?}", finding.plan);
    let text = failing_scenario(&tale, finding, "host-shim explore x.yml").expect("it can be told");
    assert!(!holds(&text, &tale, &tale.runners), "it does not fail:\n{text}");
}

#[test]
fn a_failure_that_nobody_takes_in_is_told() {
    // Given an extension that traps where a call was refused.
    let runners = Runners::new("trapping", || {
        let inner = host_native::runners().make()?;
        Ok(Box::new(host_wasm_runner::around::Around::new(inner, |inner, imports, event| match &event.payload {
            Payload::EffectResult(report) if report.answer.is_err() => {
                Err(host_wasm_runner::runner::RunError::Trap("unreachable".to_owned()))
            }
            _ => inner.handle(imports, event),
        })))
    });
    let tale = tale(&fixture("solobase/scenarios/requirements/delete-by-customer.yml"), &runners);
    let found = explored(&tale, &[VariantKind::Failures]);
    let finding = found.findings.iter().find(|finding| finding.breach.law == Law::Outcome).expect("it is found");
    assert!(finding.variant.contains("is refused"), "{}", finding.variant);
    is_proven(&tale, finding);
}

#[test]
fn keys_that_are_others_after_a_crash_are_told() {
    // Given an extension that counts its decisions, and puts the number into keys of effects.
    let count = Arc::new(AtomicU64::new(0));
    let runners = changed(move |_, decision| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        for effect in decision.effects.iter_mut().filter(|effect| !effect.kind.starts_with("timer")) {
            effect.key = format!("{}#{number}", effect.key);
        }
    });
    let tale = tale(&fixture("solobase/scenarios/requirements/subscribe-hobby.yml"), &runners);
    let found = explored(&tale, &[VariantKind::Crashes]);
    let finding = found.findings.iter().find(|finding| finding.breach.law == Law::SameEffects);
    assert!(finding.is_some_and(|finding| finding.variant.starts_with("killed ")), "{:?}", found.findings);
}
