//! The plugin business as data: validity and ownership of tokens, and erasure.

mod erasure;
mod model;
mod tokens;
