//! Runs this repository's extension as a linked library instead of a component.
//!
//! Tests, benchmarks and `--native` use it, with the feature `native`. Everything else uses the extension as a component, to avoid linking
//! `instance-provisioner`, which is slow to compile.

use crate::runners::Runners;
use extension_contract::Extension;
use host_wasm_runner::native::NativeRunner;
use instance_provisioner::Provisioner;
use std::sync::Arc;

/// Creates runners that call the extension's library directly, without a component, fuel or limits.
pub fn runners() -> Runners {
    let declarations = Arc::new(Provisioner.declare());
    Runners::new("native", move || Ok(Box::new(NativeRunner::known(Box::new(Provisioner), declarations.clone()))))
}
