//! Tests of the stored runs of an event.

use super::events::{T0, command, lines, webhook};
use super::{accept, processor};
use extension_contract::{Payload, Refusal};
use host_engine::processor::{Processor, RETRY_DELAYS_MS};
use host_intake::Decoded;
use host_store::InboxState;
use serde_json::json;

/// Returns time since `T0`, outcome and error of each run of an event.
fn runs(processor: &Processor, seq: u64) -> Vec<(i64, Option<&'static str>, Option<String>)> {
    let runs = processor.store().runs(seq).unwrap();
    runs.into_iter().map(|run| (run.at - T0, run.outcome.map(|outcome| outcome.name()), run.error)).collect()
}

#[test]
fn each_run_is_stored_as_a_separate_row() {
    let mut processor = processor();
    let failed = || Some("internal: told to fail".to_owned());
    accept(&mut processor, vec![command("c1", "a", T0, json!({"fail": 2}))]);
    assert_eq!(runs(&processor, 1), [(0, None, failed())]);
    let (second, third) = (RETRY_DELAYS_MS[0], RETRY_DELAYS_MS[0] + RETRY_DELAYS_MS[1]);
    processor.retry_due(T0 + second).unwrap();
    processor.retry_due(T0 + third).unwrap();
    assert_eq!(runs(&processor, 1), [(0, None, failed()), (second, None, failed()), (third, Some("applied"), None)]);
    let has_provenance: Vec<bool> =
        processor.store().runs(1).unwrap().into_iter().map(|run| run.provenance.is_some()).collect();
    assert_eq!(has_provenance, [false, false, true], "only an outcome has a provenance");
}

#[test]
fn a_deferral_and_a_wake_are_runs() {
    let mut processor = processor();
    accept(
        &mut processor,
        vec![
            webhook("e1", T0, json!({"keys": ["customer:1"], "needs_fact": "f"})),
            command("c1", "a", T0 + 1, json!({"take": ["customer:1"]})),
            command("c2", "a", T0 + 2, json!({"note": ["f"]})),
        ],
    );
    let expected = [(0, Some("deferred"), None), (1, Some("deferred"), None), (2, Some("applied"), None)];
    assert_eq!(runs(&processor, 1), expected);
}

#[test]
fn a_redrive_adds_a_run_and_a_duplicate_adds_none() {
    let mut processor = processor();
    let taking = |id, account| command(id, account, T0, json!({"take": ["name:x"]}));
    accept(&mut processor, vec![taking("c1", "a"), taking("c2", "b"), taking("c2", "b")]);
    processor.redrive(2, T0 + 5).unwrap();
    processor.redrive(1, T0 + 5).unwrap();
    accept(&mut processor, vec![command("c3", "a", T0 + 6, json!({"release": ["name:x"]}))]);
    assert_eq!(lines(&processor.redrive(2, T0 + 7).unwrap()), ["later c2: applied"]);
    assert_eq!(runs(&processor, 1), [(0, Some("applied"), None)]);
    let expected = [(0, Some("rejected"), None), (5, Some("rejected"), None), (7, Some("applied"), None)];
    assert_eq!(runs(&processor, 2), expected);
    let answers: Vec<String> =
        processor.store().runs(2).unwrap().into_iter().map(|run| run.provenance.unwrap().claim_answers).collect();
    assert_eq!(answers, ["name:x=taken\n", "name:x=taken\n", "name:x=free\n"]);
}

/// H3
#[test]
fn a_redrive_keeps_a_refusal_of_the_intake() {
    let mut processor = processor();
    // The extension would apply the event.
    let event = || webhook("e1", T0, json!({"account": "user:a", "note": ["f"]}));
    let refusal = Refusal::Malformed("/data/object/metadata".into());
    let refused = Decoded { refusal: Some(refusal.clone()), ..event().into() };
    let refused = processor.accept(refused, b"raw".to_vec()).unwrap();
    assert_eq!(lines(&refused), ["e1: rejected(malformed(/data/object/metadata))"]);
    assert!(refused[0].alert && !refused[0].later);
    let again = processor.redrive(refused[0].seq, T0 + 5).unwrap();
    assert_eq!(lines(&again), ["later e1: rejected(malformed(/data/object/metadata))"]);
    assert!(again[0].alert);
    assert_eq!(processor.store().scopes(None).unwrap(), []);
    assert_eq!(lines(&processor.accept(event(), Vec::new()).unwrap()), ["e1: duplicate(e1)"]);
    let row = processor.store().inbox(refused[0].seq).unwrap().unwrap();
    assert_eq!((row.state, row.raw), (InboxState::Done, b"raw".to_vec()));
    assert!(matches!(row.event.payload, Payload::Payment(_)));
    assert_eq!(runs(&processor, 1).len(), 1, "nothing ran");
}

#[test]
fn a_refused_event_of_another_mode_is_ignored() {
    let mut processor = processor();
    let mut live = webhook("e1", T0, json!({}));
    live.livemode = Some(true);
    let live = Decoded { refusal: Some(Refusal::Malformed("/data".into())), ..live.into() };
    let reports = processor.accept(live, Vec::new()).unwrap();
    assert_eq!((lines(&reports), reports[0].alert), (vec!["e1: ignored(wrong-mode)".into()], false));
}
