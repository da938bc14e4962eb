//! Differences of each field, and their reports.

use super::support::{by_paths, cause_lines, changed, options, podcasts, rewrite, with_fuel};
use extension_contract::{Decision, IgnoreReason, Outcome, Refusal, Reply};
use host_explore::compare::report::{github, human, json, junit};
use host_replay::runners::Runners;
use serde_json::{Value, json};

/// A component that refuses each instance with the name `Second`.
fn refuses() -> Runners {
    changed(|event, decision| {
        let is_second = matches!(&event.payload, extension_contract::Payload::Command(text) if text.contains("Second"));
        if event.kind == "instance.create" && is_second && decision.outcome == Outcome::Applied {
            *decision = Decision::of(Outcome::Rejected(Refusal::Malformed("/name".to_owned())));
        }
    })
}

#[test]
fn a_different_outcome_is_reported_once_and_later_differences_follow() {
    let options = options(refuses(), &[]);
    let found = by_paths(&[podcasts("add-on.yml")], &options);
    let causes = cause_lines(&found);
    assert!(causes[0].starts_with("outcome of instance.create: applied -> rejected("), "{causes:?}");
    let kinds: Vec<&str> = found.causes.iter().map(|cause| cause.key.kind.as_str()).collect();
    assert!(
        kinds.iter().all(|kind| *kind == "instance.create"),
        "later differences have no cause of their own: {causes:?}"
    );
    assert!(found.causes[0].follows > 0, "{:?}", found.causes[0]);
    let first = &found.causes[0].first;
    assert!(first.place.to_string().contains("add-on.yml:9 ("), "{}", first.place);
    assert_eq!(first.account.as_deref(), Some("user:ana"));
    assert!(first.diff.contains("-applied in user:ana") && first.diff.contains("+rejected("), "{}", first.diff);
    assert!(found.differs(&options));
    // Each API version has the same difference.
    assert_eq!(found.causes[0].count, found.cases);
}

#[test]
fn a_different_payload_of_an_effect_is_reported_by_its_path() {
    let new = changed(|_, decision| {
        for effect in decision.effects.iter_mut().filter(|effect| effect.kind == "mail.send") {
            effect.payload = effect.payload.replace("\"percent\":80", "\"percent\":81");
        }
    });
    let found = by_paths(&[podcasts("metered-limit.yml")], &options(new, &[]));
    assert_eq!(cause_lines(&found), ["effects of usage.consume: mail.send values.percent: # -> #"]);
    let diff = &found.causes[0].first.diff;
    assert!(diff.contains("-        \"percent\": 80") && diff.contains("+        \"percent\": 81"), "{diff}");
}

#[test]
fn a_missing_effect_is_reported_and_its_result_follows() {
    let new = changed(|event, decision| {
        if event.kind == "instance.create" {
            decision.effects.retain(|effect| effect.kind != "bucket.ensure");
        }
    });
    let found = by_paths(&[podcasts("show.yml")], &options(new, &[]));
    let causes = cause_lines(&found);
    assert_eq!(causes[0], "effects of instance.create: - bucket.ensure");
    assert!(
        causes.len() == 2 && causes[1].starts_with("state of instance.create: "),
        "and the state right after it: {causes:?}"
    );
    assert!(found.causes[0].follows >= 1, "its missing result follows: {:?}", found.causes[0]);
}

#[test]
fn a_different_ledger_amount_is_reported_as_money() {
    let new = changed(|_, decision| {
        rewrite(decision, "ledger", |entry| {
            for posting in entry["postings"].as_array_mut().into_iter().flatten() {
                posting["amount_minor"] = json!(posting["amount_minor"].as_i64().unwrap_or_default() * 2);
            }
        });
    });
    let found = by_paths(&[podcasts("shared-sale.yml")], &options(new, &[]));
    let causes = cause_lines(&found);
    let money: Vec<&String> =
        causes.iter().filter(|cause| cause.starts_with("money of checkout.session.completed")).collect();
    assert_eq!(money.len(), 1, "{causes:?}");
    assert!(money[0].contains("usd.revenue: # -> #"), "{causes:?}");
    assert!(!causes.iter().any(|cause| cause.contains("records/ledger")), "not reported as rows too: {causes:?}");
}

#[test]
fn a_different_reply_is_reported_and_nothing_follows() {
    let new = changed(|event, decision| {
        if event.kind == "usage.consume" && decision.outcome == Outcome::Applied {
            decision.reply = Some(Reply::Answer("{\"so\": true}".to_owned()));
        }
    });
    let found = by_paths(&[podcasts("metered-limit.yml")], &options(new, &[]));
    assert!(
        cause_lines(&found).iter().all(|cause| cause.starts_with("reply of usage.consume")),
        "{:?}",
        cause_lines(&found)
    );
    let counted: u64 = found.causes.iter().map(|cause| cause.count).sum();
    assert_eq!((counted, found.causes[0].follows), (3, 0), "one per applied event: {:?}", found.causes);
}

#[test]
fn a_different_row_is_reported_as_state() {
    let new = changed(|_, decision| {
        for change in &mut decision.changes {
            if let extension_contract::Write::Subscription(values) = &mut change.write {
                values.metadata = "{\"other\": true}".to_owned();
            }
        }
    });
    let found = by_paths(&[podcasts("plan.yml")], &options(new, &[]));
    let causes = cause_lines(&found);
    assert!(causes.iter().any(|cause| cause.starts_with("state of customer.subscription.created")), "{causes:?}");
}

#[test]
fn allowed_differences_are_counted_and_do_not_fail() {
    let ignores = || {
        changed(|event, decision| {
            if event.kind == "instance.create" {
                *decision = Decision::of(Outcome::Ignored(IgnoreReason::NoChange));
            }
        })
    };
    let path = [podcasts("show.yml")];
    let differing = by_paths(&path, &options(ignores(), &[]));
    let fields: Vec<String> = differing.causes.iter().map(|cause| cause.key.field.to_string()).collect();
    assert!(fields.len() > 2, "{fields:?}");
    let all: Vec<String> = fields.iter().map(|field| format!("{field}:instance.create")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let allowed = options(ignores(), &all);
    let found = by_paths(&path, &allowed);
    assert!(!found.differs(&allowed) && found.causes.iter().all(|cause| cause.allowed), "{:?}", cause_lines(&found));
    assert_eq!(found.causes.len(), differing.causes.len(), "allowed causes are counted");
    let some = options(ignores(), &all[1..]);
    assert!(by_paths(&path, &some).differs(&some), "{} is not allowed", all[0]);
    let of_others = options(ignores(), &["outcome:usage.consume", "reply", "effects", "state", "money"]);
    assert!(by_paths(&path, &of_others).differs(&of_others));
    assert!("effect".parse::<host_explore::compare::allow::Allowed>().is_err());
    assert!("effects:".parse::<host_explore::compare::allow::Allowed>().is_err());
}

#[test]
fn more_fuel_fails_only_beyond_the_limit() {
    let path = [podcasts("plan.yml")];
    let of = |percent: Option<u32>, allow: &[&str]| {
        let options = host_explore::compare::Options {
            old: with_fuel("old", 1_000),
            fuel_within: percent,
            ..options(with_fuel("new", 1_200), allow)
        };
        let found = by_paths(&path, &options);
        assert_eq!(found.causes, []);
        assert_eq!(found.fuel.total().more(), "+20.0 %");
        found.differs(&options)
    };
    assert!(!of(None, &[]), "reported, and no failure");
    assert!(of(Some(19), &[]));
    assert!(!of(Some(20), &[]));
    assert!(!of(Some(19), &["fuel"]), "allowed for every kind");
    assert!(of(Some(19), &["fuel:invoice.paid"]), "another kind");
}

#[test]
fn reports_contain_cause_count_and_first_example() {
    let options = options(refuses(), &["state"]);
    let found = by_paths(&[podcasts("add-on.yml")], &options);
    let mut text = Vec::new();
    human(&mut text, &found, &options, false).expect("written");
    let text = String::from_utf8(text).expect("UTF-8");
    for part in
        ["OLD native\nNEW changed\n", "DIFFERS outcome of instance.create", "first: cmd_3 of user:ana", "--- OLD\n"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let mut lines = Vec::new();
    json(&mut lines, &found, &options).expect("written");
    let lines: Vec<Value> = String::from_utf8(lines)
        .expect("UTF-8")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect();
    assert_eq!(lines.len(), found.causes.len() + 1);
    assert_eq!(
        (&lines[0]["cause"]["field"], &lines[0]["cause"]["kind"]),
        (&json!("outcome"), &json!("instance.create"))
    );
    assert_eq!(lines.last().expect("a summary")["summary"]["differs"], true);
    let xml = junit(&found, &options).expect("XML");
    assert!(xml.contains("<failure") && xml.contains("outcome of instance.create"), "{xml}");
}

#[test]
fn annotations_are_at_the_differing_step() {
    let allowed = options(refuses(), &["state"]);
    let path = podcasts("add-on.yml");
    let found = by_paths(std::slice::from_ref(&path), &allowed);
    let text = github(&found, &allowed);
    let lines: Vec<&str> = text.lines().collect();
    let failing = found.causes.iter().filter(|cause| !cause.allowed).count();
    assert_eq!(lines.len(), failing + 1, "one per cause that is not allowed, and the counts: {text}");
    let begin = format!(
        "::error file={},line=9,title=outcome of instance.create::outcome of instance.create ×{}: applied -> rejected(",
        path.display(),
        found.cases
    );
    assert!(lines[0].starts_with(&begin), "{text}");
    assert!(lines[0].contains("%0Acmd_3 of user:ana, ") && lines[0].contains("%0A-applied in user:ana%0A+rejected("));
    let end = "::notice title=compare::native -> changed: ";
    assert!(lines[failing].starts_with(end) && lines[failing].contains(" differences of "), "{text}");
    let all_allowed = options(refuses(), &["outcome", "reply", "effects", "money", "state"]);
    let text = github(&by_paths(&[path], &all_allowed), &all_allowed);
    assert!(text.starts_with(end) && text.contains("all of them allowed"), "{text}");
}

#[test]
fn too_much_fuel_is_an_annotation_without_file() {
    let path = [podcasts("plan.yml")];
    let old = with_fuel("old", 1_000);
    let text = |percent| {
        let options = host_explore::compare::Options {
            fuel_within: Some(percent),
            old: old.clone(),
            ..options(with_fuel("new", 1_200), &[])
        };
        github(&by_paths(&path, &options), &options)
    };
    assert!(
        text(19).starts_with("::error title=fuel::") && text(19).contains("(+20.0 %25): too much for "),
        "{}",
        text(19)
    );
    assert!(text(20).starts_with("::notice title=compare::old -> new: no difference in "), "{}", text(20));
}
