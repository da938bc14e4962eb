//! The executor over a store in memory, the scripted provider and an extension that does what its events say.
#![allow(clippy::unwrap_used)]

mod executor {
    #[path = "../../../engine/tests/processor/events.rs"]
    pub mod events;
    mod fate;
    mod host_kinds;
    mod ordering;
    mod recovery;
    mod time;
    #[path = "../../../engine/tests/processor/toy.rs"]
    pub mod toy;

    use events::{T0, command, lines};
    use host::processor::{Business, Processor};
    use host_executor::Executor;
    use host_providers::scripted::Scripted;
    use host_providers::{Answer, Registry};
    use host_store::{EffectRow, MemoryStore, Store};
    use products_contract::{EffectReport, RecordKey, Timestamp};
    use serde_json::{Value, json};

    /// An executor over `store` whose effects the scripted provider carries out.
    pub fn over(store: Box<dyn Store>, scripted: &Scripted) -> Executor {
        let business = Business { name: "toys".into(), ..Business::default() };
        let processor = Processor::new(store, Box::new(toy::Toy::new(1)), business).unwrap();
        Executor::new(processor, Registry::with_default(Box::new(scripted.clone())))
    }

    pub fn executor() -> (Executor, Scripted) {
        let scripted = Scripted::new();
        (over(Box::new(MemoryStore::new()), &scripted), scripted)
    }

    /// A command of account `a` that asks for these effects.
    pub fn ask(executor: &mut Executor, id: &str, effects: Value) {
        let reports = executor.accept(command(id, "a", T0, json!({"ask": effects})), Vec::new()).unwrap();
        assert_eq!(lines(&reports), [format!("{id}: applied")]);
    }

    pub fn run(executor: &mut Executor, now: Timestamp) -> Vec<String> {
        lines(&executor.run_until_quiet(now).unwrap())
    }

    pub fn advance(executor: &mut Executor, until: Timestamp) -> Vec<String> {
        lines(&executor.advance_to(until).unwrap())
    }

    /// What account `a` got as the end of an effect, by the id of the event.
    pub fn result(executor: &Executor, event_id: &str) -> EffectReport {
        let key = RecordKey { collection: toy::COLLECTION.into(), id: format!("result/{event_id}") };
        let processor = executor.processor();
        let record = processor.store().record(&processor.scope(events::user("a")), &key).unwrap();
        serde_json::from_str(&record.expect("a result").value).unwrap()
    }

    /// Effects of account `a` under a key, oldest generation first.
    pub fn effect(executor: &Executor, key: &str) -> Vec<EffectRow> {
        let processor = executor.processor();
        processor.store().effect(&processor.scope(events::user("a")), key).unwrap()
    }

    /// `key#attempt` of each call so far.
    pub fn calls(scripted: &Scripted) -> Vec<String> {
        let entry = |entry: &host_providers::scripted::Entry| format!("{}#{}", entry.call.key, entry.call.attempt);
        scripted.journal().iter().map(entry).collect()
    }

    pub fn retryable() -> Answer {
        Answer::Retryable { code: "throttled".into(), message: "too many requests".into() }
    }
}
