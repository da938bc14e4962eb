//! Replaces the bodies of functions that are not needed to read a component's declarations, because compiling them
//! takes most of the time to load a component.

use std::collections::BTreeSet;
use std::ops::Range;
use wasmparser::{
    ElementItems, ExternalKind, FunctionBody, Operator, Parser, Payload, TypeRef, Validator, WasmFeatures,
};

/// Separates interface and function in the name of an export.
const SEPARATOR: char = '#';
/// Suffix of the export names of `manifest.declare` and of the function that frees its result.
const DECLARE: &str = "#declare";
/// The instruction `unreachable`.
const UNREACHABLE: u8 = 0x00;
/// The instruction `nop`.
const NOP: u8 = 0x01;

/// Returns the component with a trap in place of each function that `manifest.declare` cannot call, neither directly
/// nor through a table. Its imports, exports, types and size are the same. Returns none if the component uses features
/// beyond WebAssembly 2.0 or is not valid.
pub(crate) fn with_stubs(bytes: &[u8]) -> Option<Vec<u8>> {
    // The host accepts more features than these. To check a component that uses other features, the caller compiles all
    // of it.
    let features = WasmFeatures::WASM2 | WasmFeatures::EXTENDED_CONST | WasmFeatures::COMPONENT_MODEL;
    Validator::new_with_features(features).validate_all(bytes).ok()?;
    let mut stubbed = bytes.to_vec();
    for body in unneeded(bytes).ok()? {
        stub(stubbed.get_mut(body)?);
    }
    Some(stubbed)
}

/// Replaces a body with a trap of the same size. A body of two bytes is empty and is left unchanged.
fn stub(body: &mut [u8]) {
    // A body consists of the count of its locals, its instructions, and the instruction `end`.
    if let [locals, first, others @ .., _] = body {
        (*locals, *first) = (0, UNREACHABLE);
        others.fill(NOP);
    }
}

/// Returns the byte ranges of the function bodies that `manifest.declare` does not need.
fn unneeded(bytes: &[u8]) -> wasmparser::Result<Vec<Range<usize>>> {
    let mut places = Vec::new();
    let mut module = Module::default();
    for payload in Parser::new(0).parse_all(bytes) {
        match payload? {
            Payload::Version { .. } => module = Module::default(),
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    module.imported += u32::from(matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)));
                }
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    let is_needed = !export.name.contains(SEPARATOR) || export.name.ends_with(DECLARE);
                    if export.kind == ExternalKind::Func && is_needed {
                        module.needed.push(export.index);
                    }
                }
            }
            Payload::ElementSection(elements) => {
                for element in elements {
                    // Functions that a table lists as expressions may become stubs; a call of a stub traps.
                    if let ElementItems::Functions(functions) = element?.items {
                        for function in functions {
                            module.needed.push(function?);
                        }
                    }
                }
            }
            Payload::StartSection { func, .. } => module.needed.push(func),
            Payload::CodeSectionEntry(body) => module.bodies.push(body),
            Payload::End(_) => places.extend(std::mem::take(&mut module).unneeded()?),
            _ => {}
        }
    }
    Ok(places)
}

/// The functions of a core module.
#[derive(Default)]
struct Module<'b> {
    /// Number of imported functions, whose indices come first.
    imported: u32,
    /// Indices of the functions that are needed although no needed function calls them: exports, the start function,
    /// and functions in tables.
    needed: Vec<u32>,
    bodies: Vec<FunctionBody<'b>>,
}

impl Module<'_> {
    /// Returns the byte ranges of the bodies of all functions that are not needed and that no needed function calls,
    /// directly or indirectly.
    fn unneeded(self) -> wasmparser::Result<Vec<Range<usize>>> {
        let (mut reached, mut waiting) = (BTreeSet::new(), self.needed);
        while let Some(function) = waiting.pop() {
            let Some(index) = function.checked_sub(self.imported) else { continue };
            let Some(body) = self.bodies.get(index as usize) else { continue };
            if !reached.insert(index as usize) {
                continue;
            }
            for operator in body.get_operators_reader()? {
                match operator? {
                    Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                        waiting.push(function_index);
                    }
                    _ => {}
                }
            }
        }
        let bodies = self.bodies.iter().enumerate();
        Ok(bodies.filter(|(index, _)| !reached.contains(index)).map(|(_, body)| body.range()).collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cache::ComponentCache;
    use crate::wasm::{CallLimits, LoadedComponent};

    /// Returns true for each function, in order, whose body is not a stub.
    fn kept(component: &[u8]) -> Vec<bool> {
        let bodies = Parser::new(0).parse_all(component).filter_map(|payload| match payload.unwrap() {
            Payload::CodeSectionEntry(body) => Some(!body.as_bytes().starts_with(&[0, UNREACHABLE])),
            _ => None,
        });
        bodies.collect()
    }

    #[test]
    fn only_functions_that_declare_can_call_keep_their_bodies() {
        let functions = r#"
            (import "host" "f" (func))
            (table funcref (elem $listed))
            (func $listed (result i32) (local i64) (i32.const 5))
            (func $called (result i32) (local i64) (i32.const 1))
            (func $uncalled (result i32) (local i64) (i32.const 2))
            (func (export "x#declare") (result i32) (call $called))
            (func (export "cabi_realloc") (result i32) (i32.const 3))
            (func (export "x#handle") (result i32) (call $uncalled))
            (func $empty)"#;
        let component = wat::parse_str(format!("(component (core module {functions}))")).unwrap();
        let stubbed = with_stubs(&component).unwrap();
        assert_eq!(kept(&component), [true; 7]);
        assert_eq!(kept(&stubbed), [true, true, false, true, true, false, true]);
        assert_eq!(stubbed.len(), component.len());
        assert!(Validator::new().validate_all(&stubbed).is_ok());
    }

    #[test]
    fn a_component_with_an_invalid_body_gets_no_stubs() {
        let wrong = r#"(component (core module (func (export "x#handle") (result i32) (i64.const 0))))"#;
        assert_eq!(with_stubs(&wat::parse_str(wrong).unwrap()), None);
    }

    #[test]
    fn the_instance_provisioner_returns_its_declarations_with_stubs() {
        let component = component_builder::build(component_builder::PROVISIONER).unwrap();
        let stubbed = with_stubs(&component).unwrap();
        let cache = ComponentCache::of_user();
        let loaded = LoadedComponent::load_quickly(&stubbed, CallLimits::default(), cache.as_ref()).unwrap();
        assert_eq!(loaded.declarations().name, "instance-provisioner");
    }
}
