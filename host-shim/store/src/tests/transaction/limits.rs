//! Sizes, numbers, JSON, and the configuration.

use super::*;
use crate::testing::{Faults, Moment, Then};
use crate::transaction::ConfigError;
use products_contract::{ConfigDecl, ConfigType, ConfigValue, FieldErrorCode, JSON_BYTES_MAX};
use std::collections::BTreeMap;

fn over<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::LimitExceeded(_))), "{answer:?}");
}

#[test]
fn what_is_too_long_or_too_many_is_refused() {
    let long = "x".repeat(256);
    let many = vec!["x".to_owned(); 257];
    let big = format!("{{\"a\":\"{}\"}}", "x".repeat(JSON_BYTES_MAX));
    let mut story = Story::new();
    story.event("user:A", 1, |tx| {
        for id in ["", &long] {
            over(tx.products_load(&texts(&[id])));
            over(tx.product_save(id, 0, &samples::product_values("plan")));
            over(tx.purchase_save(id, 0, &samples::purchase_values(None)));
            over(tx.purchase_save("p", 0, &samples::purchase_values(Some(id))));
            over(tx.subscription_save(id, 0, &samples::subscription("s").values));
            over(tx.records_save(&[put("things", id, 0, Some("{}"))]));
            over(tx.facts_note(&texts(&[id])));
            over(tx.claims_take(&texts(&[id]), None));
            over(tx.claims_release(&texts(&[id]), None));
            over(tx.effects_cancel(&texts(&[id])));
            assert!(tx.effects_enqueue(&[samples::effect("mail.send", id)]).is_err());
        }
        over(tx.products_load(&many));
        over(tx.prices_load(&many));
        over(tx.subscriptions_load(&many));
        over(tx.facts_note(&many));
        over(tx.claims_take(&many, None));
        over(tx.effects_cancel(&many));
        assert!(tx.config_load(&many).is_err());
        for limit in [0, 501] {
            over(tx.products_scan(false, None, &page(None, limit)));
            over(tx.purchases_scan(&page(None, limit)));
            over(tx.subscriptions_scan(&page(None, limit)));
            over(tx.records_scan("things", "", false, &page(None, limit)));
        }
        over(tx.records_save(&[put("things", "a", 0, Some(&big))]));
        let longest = "x".repeat(255);
        assert_eq!(tx.records_save(&[put("things", &longest, 0, Some("{}"))]), Ok(vec![1]));
        assert_eq!(tx.records_scan("things", "", false, &page(None, 500)).expect("scanned").len(), 1);
    });
}

#[test]
fn a_stored_value_is_a_json_object_that_can_be_read_back() {
    let deep = format!("{}{}", "{\"a\":".repeat(200), "1".to_owned() + &"}".repeat(200));
    let mut story = Story::new();
    story.event("user:A", 1, |tx| {
        let mut code = |value: &str| match tx.records_save(&[put("things", "a", 0, Some(value))]) {
            Err(StoreError::Invalid(errors)) => errors[0].code,
            other => panic!("{value}: {other:?}"),
        };
        for text in ["", "{", "{\"a\":1}x", "{a:1}", "{\"a\":1e999}", "{\"a\":\"\\ud800\"}", &deep] {
            assert_eq!(code(text), FieldErrorCode::BadFormat, "{text}");
        }
        for text in ["[]", "1", "\"x\"", "null"] {
            assert_eq!(code(text), FieldErrorCode::WrongType, "{text}");
        }
        assert_eq!(tx.records_save(&[put("things", "a", 0, Some(" {\"a\":[1, 2.5, true, null, {}]} "))]), Ok(vec![1]));
    });
}

#[test]
fn more_host_calls_than_allowed_set_a_flag_that_outlives_the_transaction() {
    let mut story = Story::new();
    let (_, trace) = story.run(Context { call_limit: 2, ..context("user:A", 1) }, |tx| {
        tx.log_write(products_contract::LogLevel::Info, "one", &[]);
        assert_eq!(tx.facts_note(&texts(&["f"])), Ok(vec![true]));
        assert!(!tx.trace().over_call_limit);
        assert!(matches!(tx.facts_note(&texts(&["g"])), Err(StoreError::Unavailable(_))));
        tx.log_write(products_contract::LogLevel::Info, "four", &[]);
    });
    assert!(trace.over_call_limit && trace.unavailable.is_some());
    assert_eq!((trace.calls, trace.logs.len()), (4, 1));
}

#[test]
fn a_store_that_failed_is_remembered_whatever_the_extension_makes_of_it() {
    let faults = Faults::new(Box::new(MemoryStore::new()));
    faults.fail_at(1, Moment::Before, Then::Dead);
    let mut store = faults.open();
    store.begin().expect_err("the fault");
    let mut tx = Transaction::begin(store, context("user:A", 1));
    assert!(matches!(tx.claims_mine(""), Err(StoreError::Unavailable(_))));
    let (_, trace) = tx.discard();
    assert!(trace.unavailable.is_some() && !trace.over_call_limit);
}

fn config(key: &str, value_type: ConfigType, required: bool, default_value: Option<&str>) -> ConfigDecl {
    ConfigDecl {
        key: key.into(),
        value_type,
        required,
        default_value: default_value.map(str::to_owned),
        env: None,
        description: String::new(),
    }
}

fn declared(given: &[(&str, &str)]) -> Result<Declared, ConfigError> {
    let config = vec![
        config("region", ConfigType::Text, true, None),
        config("days", ConfigType::Integer, false, Some("7")),
        config("strict", ConfigType::Boolean, false, None),
        config("token", ConfigType::Secret, false, None),
    ];
    let given: BTreeMap<String, String> =
        given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Declared::new(&Declarations { config, ..declarations() }, &given)
}

#[test]
fn configuration_has_its_declared_types_and_defaults() {
    let declared = declared(&[("region", "eu"), ("token", "hunter2")]).expect("declared");
    let context = Context { declared: Arc::new(declared), ..context("user:A", 1) };
    Story::new().run(context, |tx| {
        let values = tx.config_load(&texts(&["region", "days", "strict", "token"])).expect("declared");
        let secret = Some(ConfigValue::Secret("secret:config/token".into()));
        let text = Some(ConfigValue::Text("eu".into()));
        assert_eq!(values, [text, Some(ConfigValue::Integer(7)), None, secret], "a secret is a reference");
        assert_eq!(tx.config_load(&texts(&["days", "colour"])), Err("colour".into()));
    });
    let reference = self::declared(&[("region", "eu"), ("token", "secret:aws/key")]).expect("declared");
    assert_eq!(reference.config()["token"], Some(ConfigValue::Secret("secret:aws/key".into())));
}

#[test]
fn configuration_that_does_not_fit_is_named() {
    assert_eq!(declared(&[]), Err(ConfigError::Missing { key: "region".into() }));
    assert_eq!(declared(&[("region", "eu"), ("colour", "red")]), Err(ConfigError::Undeclared { key: "colour".into() }));
    let wrong = |key: &str, value: &str| match declared(&[("region", "eu"), (key, value)]) {
        Err(error @ ConfigError::WrongType { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(wrong("days", "7.5"), "configuration key `days`: `7.5` is not a whole number of at most 64 bits");
    assert_eq!(wrong("strict", "yes"), "configuration key `strict`: `yes` is not `true` or `false`");
}
