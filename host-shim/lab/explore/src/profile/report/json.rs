//! JSON lines: one per item, then a summary. The fields and their order are a contract.

use super::human::by_fuel;
use crate::profile::difference::ratio;
use crate::profile::meter::Spent;
use crate::profile::run::Profile;
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Item<'a> {
    Kind(Kind<'a>),
    Function(Function<'a>),
    Summary(Summary<'a>),
}

#[derive(Serialize)]
struct Kind<'a> {
    name: &'a str,
    calls: u64,
    fuel: u64,
    failed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<OldKind>,
}

#[derive(Serialize)]
struct OldKind {
    calls: u64,
    fuel: u64,
    failed: u64,
    ratio: Option<f64>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    /// Fuel including callees.
    fuel: u64,
    alone: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<OldFunction>,
}

#[derive(Serialize)]
struct OldFunction {
    fuel: u64,
    alone: u64,
    ratio: Option<f64>,
}

#[derive(Serialize)]
struct Summary<'a> {
    component: Component<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Component<'a>>,
    rounds: u32,
    inputs: usize,
    not_held: &'a [String],
}

#[derive(Serialize)]
struct Component<'a> {
    file: &'a str,
    hash: &'a str,
    named: bool,
    samples: u64,
    /// Fuel of one round, including the start of the host.
    fuel: u64,
}

impl<'a> Component<'a> {
    fn of(measured: &'a crate::profile::Measured) -> Component<'a> {
        let fuel = measured.kinds.values().map(|spent| spent.fuel).sum();
        let (file, hash) = (measured.file.as_str(), measured.hash.as_str());
        Component { file, hash, named: measured.named, samples: measured.samples, fuel }
    }
}

/// Writes a profile: one line per event kind, one per function, then the summary.
///
/// # Errors
///
/// Fails if writing to `out` fails.
pub fn json(profile: &Profile, out: &mut dyn Write) -> io::Result<()> {
    let mut write = |item: Item<'_>| -> io::Result<()> {
        serde_json::to_writer(&mut *out, &item)?;
        out.write_all(b"\n")
    };
    let kind = |name, spent: Spent, old| Kind { name, calls: spent.calls, fuel: spent.fuel, failed: spent.failed, old };
    match profile.difference() {
        None => {
            for (name, spent) in by_fuel(&profile.component) {
                write(Item::Kind(kind(name, spent, None)))?;
            }
            for of in &profile.component.functions(&profile.only) {
                write(Item::Function(Function { name: &of.name, fuel: of.within, alone: of.alone, old: None }))?;
            }
        }
        Some(difference) => {
            for of in &difference.kinds {
                let (Spent { calls, fuel, failed }, ratio) = (of.old, ratio((of.old.fuel, of.new.fuel)));
                write(Item::Kind(kind(&of.kind, of.new, Some(OldKind { calls, fuel, failed, ratio }))))?;
            }
            for of in &difference.functions {
                let old = OldFunction { fuel: of.within.0, alone: of.alone.0, ratio: ratio(of.alone) };
                let (fuel, alone) = (of.within.1, of.alone.1);
                write(Item::Function(Function { name: &of.name, fuel, alone, old: Some(old) }))?;
            }
        }
    }
    write(Item::Summary(Summary {
        component: Component::of(&profile.component),
        against: profile.against.as_ref().map(Component::of),
        rounds: profile.rounds,
        inputs: profile.inputs,
        not_held: &profile.not_held,
    }))?;
    out.flush()
}
