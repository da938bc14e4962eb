//! Tests of the start of a host: when the catalog is loaded, and which errors stop the start.
#![allow(clippy::unwrap_used)]

use crate::processor::{events, toy};

mod catalog;
mod manifest;
