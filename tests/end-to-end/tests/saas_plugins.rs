//! The plugin business as data: what tokens are good for, and for whom.

mod saas_plugins {
    mod erasure;
    mod model;
    mod tokens;
}
