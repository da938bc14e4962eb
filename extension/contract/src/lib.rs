//! The contract of wit/ as plain Rust: the types that cross it and the two traits on its sides.
