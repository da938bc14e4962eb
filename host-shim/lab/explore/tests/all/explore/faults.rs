//! Explores extensions with a fault: the report names the law, the story is short, and the written scenario fails until
//! the fault is fixed.

use super::support::{changed, explored, tale};
use extension_contract::{Decision, Event, Payload, RowKey, Write};
use host_explore::{Finding, Law, Tale, VariantKind, failing_scenario};
use host_replay::run::{ReplayOptions, Silent, replay};
use host_replay::runners::Runners;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use test_support::{fixtures, in_business};

/// True if the scenario in `text` holds with the extension of `runners`.
fn holds(text: &str, tale: &Tale, runners: &Runners) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("found.yml");
    std::fs::write(&file, text).expect("written");
    let options = ReplayOptions {
        business: Some(tale.business.folder.display().to_string()),
        fixtures: Some(fixtures()),
        ..ReplayOptions::new(runners.clone())
    };
    let finished = replay(&[file], &mut std::io::empty(), &options, &mut Silent).expect("a readable scenario");
    finished.held()
}

/// Asserts that the written scenario fails with the fault and holds without it.
fn assert_reproduces(tale: &Tale, finding: &Finding) {
    let text = failing_scenario(finding, None, "provisioner explore x.yml").expect("a scenario");
    assert!(!holds(&text, tale, &tale.runners), "it should fail:\n{text}");
    assert!(holds(&text, tale, &host_replay::native::runners()), "it fails without the fault:\n{text}");
}

#[test]
fn a_state_that_depends_on_the_order_is_shrunk_to_a_few_events() {
    // Given an extension that records the last event of each object.
    let runners = changed(|event: &Event, decision: &mut Decision| {
        if !matches!(event.payload, Payload::Payment(_)) {
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
    let tale = tale(&in_business("solobase/scenarios/requirements/billing-history.yml"), &runners);
    let found = explored(&tale, &[VariantKind::Orders]);
    let finding = found.findings.iter().find(|finding| finding.breach.law == Law::SameState).expect("a finding");
    assert!(finding.breach.what.contains("evt_"), "{}", finding.breach.what);
    let events = finding.plan.acts.iter().filter(|act| tale.scenario.steps[act.step].action.is_payment_event());
    assert!(events.count() <= 3, "{:?}", finding.plan);
    let text = failing_scenario(finding, None, "provisioner explore x.yml").expect("a scenario");
    assert!(!holds(&text, &tale, &tale.runners), "it should fail:\n{text}");
}

#[test]
fn a_trap_on_a_refused_call_breaks_the_outcome_law() {
    // Given an extension that traps on a refused call.
    let runners = Runners::new("trapping", || {
        let inner = host_replay::native::runners().make()?;
        Ok(Box::new(host_wasm_runner::around::Around::new(inner, |inner, imports, event| match &event.payload {
            Payload::EffectResult(report) if report.answer.is_err() => {
                Err(host_wasm_runner::runner::RunError::Trap("unreachable".to_owned()))
            }
            _ => inner.handle(imports, event),
        })))
    });
    let tale = tale(&in_business("solobase/scenarios/requirements/delete-by-customer.yml"), &runners);
    let found = explored(&tale, &[VariantKind::Failures]);
    let finding = found.findings.iter().find(|finding| finding.breach.law == Law::Outcome).expect("a finding");
    assert!(finding.variant.contains("is refused"), "{}", finding.variant);
    assert_reproduces(&tale, finding);
}

#[test]
fn effect_keys_that_change_after_a_crash_break_the_effects_law() {
    // Given an extension that puts a count of its decisions into the keys of effects.
    let count = Arc::new(AtomicU64::new(0));
    let runners = changed(move |_, decision| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        for effect in decision.effects.iter_mut().filter(|effect| !effect.kind.starts_with("timer")) {
            effect.key = format!("{}#{number}", effect.key);
        }
    });
    let tale = tale(&in_business("solobase/scenarios/requirements/subscribe-hobby.yml"), &runners);
    let found = explored(&tale, &[VariantKind::Crashes]);
    let finding = found.findings.iter().find(|finding| finding.breach.law == Law::SameEffects);
    assert!(finding.is_some_and(|finding| finding.variant.starts_with("killed ")), "{:?}", found.findings);
}

/// Our extension, which reads each unpaid invoice as paid.
fn trusting() -> Runners {
    Runners::new("trusting", || {
        let inner = host_replay::native::runners().make()?;
        Ok(Box::new(host_wasm_runner::around::Around::new(inner, |inner, imports, event| {
            let mut event = event.clone();
            if let Payload::Payment(bytes) = &mut event.payload
                && event.kind.starts_with("invoice.")
            {
                let body = String::from_utf8(bytes.clone()).expect("JSON");
                *bytes = body.replace("\"status\": \"open\"", "\"status\": \"paid\"").into_bytes();
            }
            inner.handle(imports, &event)
        })))
    })
}

#[test]
fn an_unpaid_change_that_gives_something_breaks_the_law_of_payments() {
    let tale = tale(&in_business("seats/scenarios/seats-are-bought.yml"), &trusting());
    let found = explored(&tale, &[VariantKind::Endings]);
    let finding = found.findings.iter().find(|finding| finding.breach.law == Law::Paid).expect("a finding");
    assert!(finding.variant.contains("the card fails"), "{}", finding.variant);
    assert_reproduces(&finding.tale.clone(), finding);
}

#[test]
fn a_change_of_what_its_command_does_not_name_breaks_a_law_as_it_is_written() {
    // Given an extension that orders one seat, whatever was asked for.
    let runners = changed(|_, decision| {
        for effect in decision.effects.iter_mut().filter(|effect| effect.kind == "stripe.subscription.update") {
            let mut payload: serde_json::Value = serde_json::from_str(&effect.payload).expect("JSON");
            payload["quantity"] = serde_json::json!(1);
            effect.payload = payload.to_string();
        }
    });
    let tale = tale(&in_business("seats/scenarios/change-keeps-the-seats.yml"), &runners);
    let found = explored(&tale, &[]);
    let finding = found.findings.iter().find(|finding| finding.kind == VariantKind::Written).expect("a finding");
    assert_eq!(
        (finding.breach.law, finding.breach.what.as_str()),
        (Law::Unnamed, "cmd_1 names no quantity, and 4 become 1")
    );
}

#[test]
fn a_credit_beyond_what_was_received_breaks_a_law_as_it_is_written() {
    // Given an extension that credits a hundredfold.
    let runners = changed(|_, decision| {
        for effect in decision.effects.iter_mut().filter(|effect| effect.kind == "stripe.credit.create") {
            let mut payload: serde_json::Value = serde_json::from_str(&effect.payload).expect("JSON");
            payload["amount_minor"] = serde_json::json!(payload["amount_minor"].as_i64().unwrap_or(0) * 100);
            effect.payload = payload.to_string();
        }
    });
    let tale = tale(&in_business("solobase/scenarios/requirements/fail-credit-after-day.yml"), &runners);
    let found = explored(&tale, &[]);
    let finding = found.findings.first().expect("a finding");
    assert_eq!(
        (finding.breach.law, finding.breach.what.as_str()),
        (Law::Received, "4800 goes back or is credited of 500 received")
    );
}
