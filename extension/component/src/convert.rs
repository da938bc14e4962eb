//! The contract's types and the generated ones, moved into each other.

use crate::wire;

products_contract::crossing!();
