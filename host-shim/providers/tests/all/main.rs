//! Tests the providers that need nothing but this machine.

mod litellm;
mod local;
mod registry;
