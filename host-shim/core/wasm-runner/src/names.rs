//! Detects whether a component has function names, which stripping removes.

use crate::inspect::InspectError;
use wasmparser::{BinaryReaderError, KnownCustom, Name, Parser, Payload};

/// Returns whether most functions of a component have a name. In a stripped component, only the functions of small
/// modules that the encoder adds may have names.
///
/// # Errors
/// [`InspectError`] if the bytes are not valid WebAssembly.
pub fn has_function_names(bytes: &[u8]) -> Result<bool, InspectError> {
    let malformed = |error: BinaryReaderError| InspectError::Malformed(error.to_string());
    let (mut functions, mut named) = (0, 0);
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(malformed)? {
            Payload::FunctionSection(section) => functions += section.count(),
            Payload::CustomSection(section) => {
                let KnownCustom::Name(names) = section.as_known() else { continue };
                for name in names {
                    if let Name::Function(map) = name.map_err(malformed)? {
                        named += map.count();
                    }
                }
            }
            _ => {}
        }
    }
    Ok(named > 0 && named >= functions / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(functions: &str) -> Vec<u8> {
        wat::parse_str(format!("(component (core module {functions}))")).expect("a component")
    }

    #[test]
    fn a_component_has_names_if_most_of_its_functions_have_one() {
        let named = component("(func $one) (func $two) (func)");
        assert!(has_function_names(&named).expect("read"));
        let stripped = component("(func $one) (func) (func) (func) (func)");
        assert!(!has_function_names(&stripped).expect("read"), "one of five");
        assert!(!has_function_names(&component("(func)")).expect("read"));
        assert!(!has_function_names(&component("")).expect("read"), "nothing to name");
        assert!(matches!(has_function_names(b"#!/bin/sh"), Err(InspectError::Malformed(_))));
    }
}
