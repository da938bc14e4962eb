//! A file that is not a component of this world is refused before it runs, and the error contains the reason.

#![allow(clippy::unwrap_used)]

use host_wasm_runner::wasm::{COMPONENT_BYTES_MAX, CallLimits, LoadError, LoadedComponent};

/// Loads a component from its text format.
fn load_text(text: &str) -> Result<LoadedComponent, LoadError> {
    LoadedComponent::load_quickly(&wat::parse_str(text).unwrap(), CallLimits::default(), None)
}

#[test]
fn imports_beyond_the_world_are_refused_by_name() {
    let text = r#"(component
        (import "wasi:cli/environment@0.2.0" (instance))
        (import "solobase:products/log@0.1.0" (instance))
        (import "solobase:products/secrets@0.2.0-dev" (instance))
        (import "solobase:products/catalog@0.2.0-dev" (instance)))"#;
    let imports = ["wasi:cli/environment@0.2.0", "solobase:products/log@0.1.0", "solobase:products/secrets@0.2.0-dev"];
    let expected = LoadError::ForeignImports { imports: imports.map(str::to_owned).to_vec() };
    assert_eq!(load_text(text).err(), Some(expected));
}

#[test]
fn an_import_with_another_type_is_reported_as_another_contract() {
    let text = r#"(component
        (import "solobase:products/log@0.2.0-dev" (instance (export "write" (func (param "text" string))))))"#;
    let error = load_text(text).err().unwrap();
    assert!(matches!(&error, LoadError::OtherContract(reason) if reason.contains("log@0.2.0")), "{error}");
}

#[test]
fn missing_exports_are_named() {
    let Err(LoadError::MissingExports { exports }) = load_text("(component)") else { panic!("it loads") };
    assert_eq!(exports.len(), 8);
    assert_eq!(exports[0], "solobase:products/manifest@0.2.0-dev#declare");
}

#[test]
fn files_that_are_not_components_are_refused() {
    assert_eq!(load_text("(module)").err(), Some(LoadError::CoreModule));
    let error = LoadedComponent::load_quickly(b"#!/bin/sh", CallLimits::default(), None).err().unwrap();
    assert!(matches!(error, LoadError::Malformed(_)), "{error}");
    let large = vec![0; COMPONENT_BYTES_MAX + 1];
    let error = LoadedComponent::load_quickly(&large, CallLimits::default(), None).err().unwrap();
    assert!(matches!(error, LoadError::TooLarge { .. }), "{error}");
}
