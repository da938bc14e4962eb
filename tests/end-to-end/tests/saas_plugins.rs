//! The plugin business as data: validity and ownership of tokens, and erasure.

mod saas_plugins {
    mod erasure;
    mod model;
    mod tokens;
}
