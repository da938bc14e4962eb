//! Compares our validation of product metadata with a standard JSON Schema validator on the exported schemas.

use end_to_end::world::{START_MS, Setup, World, solobase, tesslate, twobot};
use extension_contract::{ActorKind, Candidate, Problem, ProductValues, Refusal};
use host_business::folder::BusinessFolder;
use host_engine::processor::{AskError, Questions};
use instance_provisioner::schema::{Field, FieldType, Format, TypeDecl};
use jsonschema::Validator;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use std::cell::RefCell;

/// The product types of a catalog, including fields added by clauses.
fn types_of(business: &BusinessFolder) -> Vec<TypeDecl> {
    let entries = business.catalog["product_types"].as_array().cloned().unwrap_or_default();
    let read = |entry: Value| serde_json::from_value::<TypeDecl>(entry).expect("a product type").complete();
    entries.into_iter().map(read).collect()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(schema).expect("a valid schema")
}

/// Values for a field in the form in which they are stored: the intake changes texts to lowercase and removes nulls,
/// but the schema does not. No number has a fraction.
fn value_of(field: &Field) -> BoxedStrategy<Value> {
    let mut good: Vec<Value> = field.options.iter().chain(&field.reserved).map(|text| json!(text)).collect();
    let (min, max) = (field.min.unwrap_or(-2), field.max.unwrap_or(1_000));
    good.extend([min - 1, min, min + 1, max, max + 1, 0, -1].map(|number| json!(number)));
    if field.format == Some(Format::DateTime) {
        good.extend(["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5+02:00", "yesterday"].map(|text| json!(text)));
    }
    if field.format == Some(Format::Account) {
        good.extend(["user:c", "organization:a b", "user:", "platform", "user"].map(|text| json!(text)));
    }
    let length = field.max_length.unwrap_or(12) as usize;
    let around = prop_oneof![0..=field.min_length.unwrap_or(1) as usize + 1, length.saturating_sub(1)..=length + 1];
    let texts = match field.format {
        Some(Format::DateTime) => Just(json!("2026-12-31T23:59:59Z")).boxed(),
        _ => prop_oneof![
            "[a-z0-9]{1,5}(-[a-z0-9]{1,4}){0,3}".prop_map(|text| json!(text)),
            "[a-z0-9 é-]{0,8}".prop_map(|text| json!(text)),
            around.prop_map(|length| json!("a".repeat(length))),
            Just(json!("secret:x")),
            Just(json!("secret:")),
        ]
        .boxed(),
    };
    let lists = proptest::collection::vec(prop_oneof![Just(json!("a")), Just(json!(1))], 0..3).prop_map(Value::from);
    prop_oneof![
        4 => texts,
        4 => proptest::sample::select(good),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => lists,
        1 => Just(json!({})),
        1 => Just(json!({"a": {"b": [1, null]}})),
    ]
    .boxed()
}

/// A valid value of a field, so that generated objects are often valid.
fn fitting(field: &Field) -> Value {
    match field.field_type {
        FieldType::Enum => {
            let free = field.options.iter().find(|option| !field.reserved.contains(option));
            json!(free.expect("an option that is not reserved"))
        }
        FieldType::Int | FieldType::Money => json!(field.min.unwrap_or(1).max(0)),
        FieldType::Milli => json!("0.5"),
        FieldType::Bool => json!(true),
        FieldType::Object => json!({}),
        FieldType::List => json!([]),
        FieldType::SecretRef => json!("secret:x"),
        FieldType::String if field.format == Some(Format::DateTime) => json!("2026-01-01T00:00:00Z"),
        FieldType::String if field.format == Some(Format::Account) => json!("user:c"),
        FieldType::String => json!("a".repeat(field.min_length.unwrap_or(1).max(1) as usize)),
    }
}

fn metadata_of(decl: &TypeDecl) -> impl Strategy<Value = Map<String, Value>> + use<> {
    let fields: Vec<_> = decl
        .fields
        .iter()
        .map(|field| {
            let name = field.name.clone();
            // 0: no value; 1 and 2: any value; otherwise a valid value.
            (0..14u8, Just(fitting(field)), value_of(field)).prop_map(move |(which, fits, any)| match which {
                0 => None,
                1 | 2 => Some((name.clone(), any)),
                _ => Some((name.clone(), fits)),
            })
        })
        .collect();
    let stranger = prop_oneof![9 => Just(None), 1 => Just(Some(("stranger".to_owned(), json!(1))))];
    (fields, stranger).prop_map(|(fields, stranger)| fields.into_iter().chain([stranger]).flatten().collect())
}

/// Returns the mistake that `schemas.validate` finds in the metadata.
fn takes(world: &mut World, decl: &TypeDecl, metadata: &Map<String, Value>) -> Result<(), String> {
    let proposed = ProductValues {
        product_type: decl.name.clone(),
        name: "x".to_owned(),
        description: String::new(),
        active: true,
        price: None,
        interval: None,
        filters: Vec::new(),
        metadata: Value::Object(metadata.clone()).to_string(),
    };
    // A service may set every field. The schema does not contain permissions.
    let candidate = Candidate { by: ActorKind::Service, current: None, proposed };
    match world.processor_mut().validate(&candidate, START_MS) {
        Ok(_) => Ok(()),
        Err(AskError::Problem(Problem::Refused(Refusal::Invalid(errors)))) => Err(format!("{errors:?}")),
        Err(other) => panic!("{other}"),
    }
}

fn agree(world: &mut World, types: &[TypeDecl]) {
    for decl in types {
        let schema = decl.json_schema();
        let validator = validator(&schema);
        let (mut taken, mut refused) = (0, 0);
        let cases = if std::env::var("PROPTEST_CASES").is_ok() { Config::default().cases } else { 400 };
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let shared = RefCell::new(&mut *world);
        let counted = runner.run(&metadata_of(decl), |metadata| {
            let ours = takes(&mut shared.borrow_mut(), decl, &metadata);
            let document = Value::Object(metadata);
            let standard = validator.validate(&document);
            prop_assert_eq!(ours.is_ok(), standard.is_ok(), "{}: {:?} against {:?}", decl.name, ours, standard);
            Ok(())
        });
        counted.unwrap_or_else(|broken| panic!("{broken}"));
        let mut runner = TestRunner::deterministic();
        for _ in 0..400 {
            let metadata = metadata_of(decl).new_tree(&mut runner).expect("values").current();
            *if takes(world, decl, &metadata).is_ok() { &mut taken } else { &mut refused } += 1;
        }
        assert!(taken > 10 && refused > 10, "{}: too few values: {taken} accepted and {refused} refused", decl.name);
    }
}

// covers: SOL-02
#[test]
fn validation_agrees_with_the_exported_schemas() {
    for business in [solobase(), twobot(), tesslate()] {
        let mut world = World::start(Setup { business, ..Setup::default() });
        let types = types_of(business);
        assert!(types.len() > 1, "{}", business.name);
        agree(&mut world, &types);
    }
}
