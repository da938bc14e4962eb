//! Checks that failures, retries and late or lost answers are exported, with their delays.

use crate::record::common::{Played, SALT, played, played_text};
use extension_contract::Account;
use host_explore::record::Verdict;
use host_scenario::model::Scenario;

fn story(answers: &str) -> Played {
    let text = format!(
        "name: x
given: {{account: user:A, answers: {{{answers}}}}}
events:
  - {{stripe: customer.subscription.created, set: {{metadata: {{user_id: A}}, price: price_xyz789}}}}
  - {{command: instance.create, payload: {{name: Acme, metadata: {{subdomain: acme}}}}}}
  - advance: 3d
"
    );
    played_text(&text, "solobase")
}

/// Exports the account and checks that the scenario replays to the same state.
fn exported(played: &Played) -> Scenario {
    let scopes = played.scopes();
    let scope = scopes.iter().find(|scope| scope.account == Account::User("A".into())).expect("the account");
    let exported = played.export(scope, None);
    assert_eq!(exported.verdict, Verdict::Same, "{}", exported.text);
    let replaced = played.export(scope, Some(SALT)).verdict;
    assert!(matches!(replaced, Verdict::Same | Verdict::SameButReplaced(_)), "{replaced:?}");
    Scenario::parse(std::path::Path::new("x.yml"), &exported.text).expect("a scenario")
}

/// Returns the answers as text.
fn answers(scenario: &Scenario) -> String {
    format!("{:?}", scenario.given.answers)
}

#[test]
fn a_final_failure_is_exported_with_its_code() {
    let found = answers(&exported(&story(r#""inst_acme/compute@lambda/*": {final: quota-exceeded, message: no}"#)));
    assert!(found.contains("Final { code: \"quota-exceeded\", message: \"no\" }"), "{found}");
}

#[test]
fn the_number_of_retries_is_exported() {
    let found = answers(&exported(&story(r#""inst_acme/compute@lambda/*": [retryable a, retryable b, ok]"#)));
    assert_eq!(found.matches("Retryable {").count(), 2, "{found}");
}

#[test]
fn a_late_answer_is_exported_with_its_delay() {
    let found = answers(&exported(&story(r#""inst_acme/compute@lambda/*": late 90s"#)));
    assert!(found.contains("Late { after_ms: 90000"), "{found}");
}

#[test]
fn a_lost_answer_is_exported_as_a_retried_call() {
    let found = answers(&exported(&story(r#""inst_acme/compute@lambda/*": [lost, ok]"#)));
    assert!(found.contains("Retryable {"), "{found}");
    let found = answers(&exported(&story(r#""inst_acme/compute@lambda/*": lost"#)));
    assert!(found.contains("Lost"), "{found}");
}

#[test]
fn a_missing_answer_is_exported_as_never() {
    let found = answers(&exported(&story(r#""inst_acme/compute@lambda/*": never"#)));
    assert!(found.contains("Never"), "{found}");
}

#[test]
fn a_scenario_with_only_successes_has_no_answers() {
    assert_eq!(answers(&exported(&story(""))), "[]");
}

#[test]
fn claims_of_others_are_exported() {
    let text = "name: x
given: {account: user:A}
events:
  - {stripe: customer.subscription.created, id: evt_b, set: {id: sub_B, customer: cus_B, metadata: {user_id: B}, price: price_xyz789}}
  - {command: instance.create, account: user:B, payload: {name: Acme, metadata: {subdomain: acme}}, expect: applied}
  - {stripe: customer.subscription.created, set: {metadata: {user_id: A}, price: price_xyz789}}
  - {command: instance.create, payload: {name: Acme, metadata: {subdomain: acme}}, expect: rejected}
";
    let scenario = exported(&played_text(text, "solobase"));
    let claims: Vec<&str> = scenario.given.claims.iter().map(|(key, _)| key.as_str()).collect();
    assert!(claims.iter().any(|key| key.ends_with(":acme")), "{claims:?}");
    assert!(scenario.steps.iter().all(|step| !format!("{step:?}").contains("sub_B")));
}

#[test]
fn a_timer_that_did_not_fire_is_held_in_the_export() {
    let story = "name: x
given: {account: user:A}
events:
  - {stripe: customer.subscription.created, set: {metadata: {user_id: A}, price: price_xyz789}}
  - {command: instance.create, payload: {name: Acme, metadata: {subdomain: acme}}}
  - {stripe: invoice.payment_failed, at: +1h, set: {subscription: sub_1, price: price_xyz789}}
  - timers: false
  - advance: 60d
  - {stripe: customer.subscription.updated, set: {status: past_due, metadata: {user_id: A}, price: price_xyz789}}
  - timers: true
  - advance: 1d
";
    let scenario = Scenario::parse(std::path::Path::new("x.yml"), story).expect("a scenario");
    let played = played(&scenario, crate::record::common::business("solobase"), host_replay::native::runners());
    exported(&played);
}

#[test]
fn an_account_without_events_can_be_exported() {
    let text = "name: x
given: {account: user:A, claims: {name:a: user:B}}
events:
  - {command: instance.list, expect: rejected}
";
    let played = played_text(text, "solobase");
    let scopes = played.scopes();
    let other =
        scopes.iter().find(|scope| scope.account == Account::User("B".into())).expect("the holder of the claim");
    let exported = played.export(other, None);
    assert_eq!(exported.verdict, Verdict::Same, "{}", exported.text);
    assert!(exported.text.contains("name:a: user:B"), "{}", exported.text);
}
