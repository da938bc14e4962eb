//! Conversions between the types of `extension-contract` and the types that the binding generator makes from the WIT.

use crate::wire;

extension_contract::crossing!();
