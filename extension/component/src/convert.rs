//! The contract's types and the generated ones, moved into each other.

use crate::wire;

extension_contract::crossing!();
