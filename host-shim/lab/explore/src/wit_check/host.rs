//! Lists the reasons why a component can't run on this host, with remedies.

use crate::wit_check::changes::changes;
use crate::wit_check::world::Contract;

/// The contract of this host.
const CONTRACT: &str = include_str!("../../../../../wit/products.wit");
/// Prefix of the contract's interfaces: their package.
const PACKAGE: &str = "solobase:products/";
/// Prefix of the system interfaces.
const SYSTEM: &str = "wasi:";

/// A problem of a component and its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The problem.
    pub problem: String,
    /// The remedy.
    pub remedy: String,
}

/// Returns the problems that keep a component from running on this host. The list is empty if the component's imports
/// and exports fit the contract.
///
/// # Errors
///
/// Fails if the bytes are not a component.
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
                "an extension has no system interfaces: build it for wasm32-unknown-unknown, and remove uses of files, clocks, environment and random numbers"
            }
            () if name.starts_with(PACKAGE) => "rebuild it against wit/products.wit of this host",
            () => "remove it: this host provides only the interfaces of its contract",
        };
        add(format!("it imports `{name}`, which this host does not provide"), remedy);
    }
    for name in host.exports().interfaces.keys().filter(|name| !exports.interfaces.contains_key(*name)) {
        add(
            format!("it does not export `{name}`"),
            "implement all interfaces of the world `extension` of wit/products.wit, and rebuild it",
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
            format!("it uses version {} of the contract, this host uses version {own}", versions.join(", ")),
            "rebuild it against wit/products.wit of this host, or run it on a host with its version",
        );
    }
    let is_known = |place: &str| {
        let interface = place.rsplit_once('.').map_or(place, |(interface, _)| interface);
        offered.interfaces.contains_key(interface) || exports.interfaces.contains_key(interface)
    };
    for change in changes(&component, &host).into_iter().filter(|change| change.breaks && is_known(&change.place)) {
        add(
            format!("`{}` differs from this host: {}", change.place, change.what),
            "rebuild it against wit/products.wit of this host",
        );
    }
    Ok(found)
}
