//! Loads stories of the fixtures, and makes extensions with changed decisions.

use extension_contract::{Decision, Event};
use host_explore::{ExploreLimits, Explored, Tale, ToTheEnd, VariantKind, explore};
use host_replay::library::{Sources, Story, stories};
use host_replay::runners::Runners;
use host_wasm_runner::around::Around;
use std::path::Path;
use std::sync::Arc;

/// A scenario in its first API version, with the extension of `runners`.
pub fn tale(file: &Path, runners: &Runners) -> Tale {
    let mut found = stories(&[file.to_owned()], Sources::default(), runners).expect("a scenario");
    let Story { scenario, mut cases, business } = found.remove(0);
    Tale { scenario, case: cases.remove(0), business, runners: runners.clone() }
}

pub fn explored(tale: &Tale, kinds: &[VariantKind]) -> Explored {
    let limits = ExploreLimits { kinds: kinds.to_vec(), ..ExploreLimits::default() };
    explore(tale, &limits, &ToTheEnd).expect("a playable story")
}

/// Our extension with its decisions changed by `change`.
pub fn changed(change: impl Fn(&Event, &mut Decision) + Send + Sync + 'static) -> Runners {
    let change = Arc::new(change);
    Runners::new("changed", move || {
        let change = change.clone();
        Ok(Box::new(Around::new(host_replay::native::runners().make()?, move |inner, imports, event| {
            let (mut decision, used) = inner.handle(imports, event)?;
            change(event, &mut decision);
            Ok((decision, used))
        })))
    })
}
