//! Conversions between the contract's types and the generated types.

use crate::wire;

extension_contract::crossing!();
