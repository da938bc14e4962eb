//! Runs this repository's extension as a linked library instead of a component.
//!
//! Tests, benchmarks and `--native` use this crate. All other host crates take the extension as a component, so that
//! they do not link `instance-provisioner`, which is slow to compile.

use extension_contract::Extension;
use host_replay::runners::Runners;
use host_wasm_runner::native::NativeRunner;
use instance_provisioner::Provisioner;
use std::sync::Arc;

/// Makes runners that call the extension's library directly, without a component, fuel or limits.
pub fn runners() -> Runners {
    let declarations = Arc::new(Provisioner.declare());
    Runners::new("native", move || Ok(Box::new(NativeRunner::known(Box::new(Provisioner), declarations.clone()))))
}
