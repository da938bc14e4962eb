//! What keeps a component from running on this host, and what to do about it.

use crate::changes::changes;
use crate::world::Contract;

/// The contract that this host speaks.
const CONTRACT: &str = include_str!("../../../../wit/products.wit");
/// Its package, as it stands before the names of interfaces.
const PACKAGE: &str = "solobase:products/";
/// What the interfaces of operating systems begin with.
const SYSTEM: &str = "wasi:";

/// Something that is wrong with a component, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// What is wrong.
    pub problem: String,
    /// What helps.
    pub remedy: String,
}

/// What keeps a component from running on this host; nothing if its imports and exports are those of the contract.
///
/// # Errors
/// Why it is no component.
pub fn advice(component: &[u8]) -> Result<Vec<Advice>, String> {
    let component = Contract::of_component(component.to_vec())?;
    let host = Contract::of_text("wit/products.wit", CONTRACT)?;
    let (imports, exports) = (component.imports(), component.exports());
    let offered = host.imports();
    let mut found = Vec::new();
    let mut add = |problem: String, remedy: &str| found.push(Advice { problem, remedy: remedy.to_owned() });
    for name in imports.interfaces.keys().filter(|name| !offered.interfaces.contains_key(*name)) {
        let remedy = match () {
            () if name.starts_with(SYSTEM) => {
                "an extension has no system: build it for wasm32-unknown-unknown, and look for what uses files, clocks, environment or random numbers"
            }
            () if name.starts_with(PACKAGE) => "build it anew against wit/products.wit of this host",
            () => "leave it out: this host gives an extension its contract and nothing else",
        };
        add(format!("it imports `{name}`, which this host has not"), remedy);
    }
    for name in host.exports().interfaces.keys().filter(|name| !exports.interfaces.contains_key(*name)) {
        add(
            format!("it does not export `{name}`"),
            "implement the world `extension` of wit/products.wit, all of its interfaces, and build it anew",
        );
    }
    let others = imports.interfaces.iter().chain(&exports.interfaces);
    let mut versions: Vec<String> = others
        .filter(|(name, version)| name.starts_with(PACKAGE) && **version != host.version)
        .map(|(_, version)| version.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string))
        .collect();
    versions.sort();
    versions.dedup();
    if let (false, Some(own)) = (versions.is_empty(), &host.version) {
        add(
            format!("it speaks version {} of the contract, this host version {own}", versions.join(", ")),
            "build it anew against wit/products.wit of this host, or run it on a host of its version",
        );
    }
    let is_known = |place: &str| {
        let interface = place.rsplit_once('.').map_or(place, |(interface, _)| interface);
        offered.interfaces.contains_key(interface) || exports.interfaces.contains_key(interface)
    };
    for change in changes(&component, &host).into_iter().filter(|change| change.breaks && is_known(&change.place)) {
        add(
            format!("`{}`: between it and this host, {}", change.place, change.what),
            "build it anew against wit/products.wit of this host",
        );
    }
    Ok(found)
}
