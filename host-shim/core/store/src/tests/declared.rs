//! Tests of declarations with a configuration.

use crate::declared::{ConfigError, Declared};
use extension_contract::{ConfigDecl, ConfigType, ConfigValue, Declarations, EffectDecl, RetryPolicy};
use std::collections::BTreeMap;

const DELAYS_MS: [u32; 2] = [100, 200];

fn declarations(config: &[(&str, ConfigType, bool, Option<&str>)]) -> Declarations {
    Declarations {
        name: "test".into(),
        version: "0.1.0".into(),
        data_version: 1,
        product_types: Vec::new(),
        collections: vec!["things".into()],
        payment_kinds: Vec::new(),
        commands: Vec::new(),
        effects: vec![EffectDecl {
            kind: "mail.send".into(),
            payload_schema: "{}".into(),
            result_schema: "{}".into(),
            retry: RetryPolicy { delays_ms: DELAYS_MS.to_vec() },
        }],
        config: config
            .iter()
            .map(|(key, value_type, required, default)| ConfigDecl {
                key: (*key).into(),
                value_type: *value_type,
                required: *required,
                default_value: default.map(str::to_owned),
                env: None,
                description: String::new(),
            })
            .collect(),
    }
}

fn given(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn declared_collections_and_effects_are_found() {
    let declared = Declared::new(&declarations(&[]), &given(&[])).expect("nothing to configure");
    assert!(declared.collections().contains("things") && !declared.collections().contains("others"));
    assert_eq!(declared.retry("mail.send").map(|retry| retry.delays_ms.as_slice()), Some(&DELAYS_MS[..]));
    assert_eq!(declared.retry("timer.at"), None);
    assert!(declared.declares_effect("mail.send") && !declared.declares_effect("timer.at"));
    assert_eq!(declared.effects().len(), 1);
}

// covers: SOL-46
#[test]
fn values_are_read_as_declared_and_secrets_become_references() {
    let declarations = declarations(&[
        ("region", ConfigType::Text, false, Some("eu")),
        ("count", ConfigType::Integer, true, None),
        ("on", ConfigType::Boolean, false, None),
        ("plain", ConfigType::Secret, true, None),
        ("reference", ConfigType::Secret, true, None),
    ]);
    let values = given(&[("count", "-5"), ("plain", "hunter2"), ("reference", "secret:vault/x")]);
    let declared = Declared::new(&declarations, &values).expect("fits");
    let config = declared.config();
    assert_eq!(config["region"], Some(ConfigValue::Text("eu".into())));
    assert_eq!(config["count"], Some(ConfigValue::Integer(-5)));
    assert_eq!(config["on"], None);
    assert_eq!(config["plain"], Some(ConfigValue::Secret("secret:config/plain".into())));
    assert_eq!(config["reference"], Some(ConfigValue::Secret("secret:vault/x".into())));
}

// covers: SOL-46
#[test]
fn a_configuration_that_differs_from_its_declaration_is_refused() {
    let declarations =
        declarations(&[("count", ConfigType::Integer, true, None), ("on", ConfigType::Boolean, false, None)]);
    let refused = |values: &[(&str, &str)]| Declared::new(&declarations, &given(values)).expect_err("does not fit");
    assert_eq!(refused(&[("count", "1"), ("cuont", "1")]), ConfigError::Undeclared { key: "cuont".into() });
    assert_eq!(refused(&[]), ConfigError::Missing { key: "count".into() });
    assert!(refused(&[]).to_string().contains("`count`"), "{}", refused(&[]));
    assert!(matches!(refused(&[("count", "one")]), ConfigError::WrongType { .. }));
    assert!(matches!(refused(&[("count", "1"), ("on", "yes")]), ConfigError::WrongType { .. }));
}
