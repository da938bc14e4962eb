//! Decides whether a component built against an old contract runs on a host of a new contract, and which version the
//! new contract needs.

use crate::wit_check::changes::{Change, changes};
use crate::wit_check::world::{Contract, lines};
use semver::Version;
use wit_parser::{PackageName, Resolve};

/// The result of comparing two contracts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The differences.
    pub changes: Vec<Change>,
    /// An incompatibility that only `wit-component` reports.
    pub objection: Option<String>,
    /// Version of the old contract.
    pub old: Option<Version>,
    /// Version of the new contract.
    pub new: Option<Version>,
}

impl Fit {
    /// Returns true if a component built against the old contract runs on a host of the new contract.
    pub fn fits(&self) -> bool {
        self.objection.is_none() && !self.changes.iter().any(|change| change.breaks)
    }

    /// Returns the lowest allowed version of the new contract; none if the old contract has no version. A breaking
    /// change raises the major number, an addition the minor number. In versions 0.x.y, a breaking change raises x, an
    /// addition y. A pre-release, such as `0.2.0-dev`, may change in any way and keep its version.
    pub fn needs(&self) -> Option<Version> {
        let old = self.old.as_ref()?;
        if !old.pre.is_empty() {
            return Some(old.clone());
        }
        let (major, minor, patch) = (old.major, old.minor, old.patch);
        Some(match (self.fits(), self.changes.is_empty(), major) {
            (true, true, _) => old.clone(),
            (true, false, 0) => Version::new(0, minor, patch + 1),
            (true, false, _) => Version::new(major, minor + 1, 0),
            (false, _, 0) => Version::new(0, minor + 1, 0),
            (false, _, _) => Version::new(major + 1, 0, 0),
        })
    }

    /// Returns true if the version of the new contract is high enough.
    pub fn is_version_right(&self) -> bool {
        self.needs().is_none_or(|needs| self.new.as_ref().is_some_and(|new| *new >= needs))
    }
}

/// Compares two contracts.
pub fn fit(old: &Contract, new: &Contract) -> Fit {
    let changes = changes(old, new);
    let breaks = changes.iter().any(|change| change.breaks);
    let objection = if breaks { None } else { objection(old, new) };
    Fit { changes, objection, old: old.version.clone(), new: new.version.clone() }
}

/// Returns the objection of `wit-component`; none if it has no objection or can't compare the contracts. It can compare
/// two WIT texts, or a component with a WIT text of the same version.
fn objection(old: &Contract, new: &Contract) -> Option<String> {
    match &old.component {
        Some(bytes) if old.version == new.version && new.component.is_none() => {
            wit_component::targets(&new.resolve, new.world, bytes).err().map(|error| lines(&error))
        }
        None if new.component.is_none() => {
            let mut together = new.resolve.clone();
            let remap = together.merge(apart(old)).ok()?;
            let world = remap.worlds.get(old.world.index()).copied().flatten()?;
            wit_component::semver_check(together, world, new.world).err().map(|error| lines(&error))
        }
        _ => None,
    }
}

/// Returns the old contract with its own version, so that the two contracts stay separate when they are merged.
fn apart(old: &Contract) -> Resolve {
    let mut resolve = old.resolve.clone();
    let version = Version { pre: semver::Prerelease::new("old").unwrap_or_default(), ..Version::new(0, 0, 0) };
    for (_, package) in resolve.packages.iter_mut() {
        package.name.version = Some(version.clone());
    }
    resolve.package_names =
        resolve.packages.iter().map(|(id, package)| (PackageName { ..package.name.clone() }, id)).collect();
    resolve
}
