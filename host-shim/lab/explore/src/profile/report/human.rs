//! The human-readable report.

use crate::profile::difference::{Difference, more, ratio};
use crate::profile::measured::Measured;
use crate::profile::meter::{START, Spent};
use crate::profile::run::Profile;
use host_replay::report::printable;
use std::io::{self, Write};

/// Advice for a component without function names.
const BUILD_NAMED: &str = "build it with names: `cargo xtask build --named`, or `strip = false` in its build profile";

/// Writes a profile: event kinds with their fuel, then the first `top` functions.
///
/// # Errors
///
/// Fails if writing to `out` fails.
pub fn human(profile: &Profile, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let rounds = if profile.rounds == 1 { "1 round".to_owned() } else { format!("{} rounds", profile.rounds) };
    let inputs = if profile.inputs == 1 { "1 input".to_owned() } else { format!("{} inputs", profile.inputs) };
    for (word, measured) in [("", Some(&profile.component)), ("against ", profile.against.as_ref())] {
        let Some(measured) = measured else { continue };
        let (file, hash) = (printable(&measured.file), measured.hash.get(..12).unwrap_or_default());
        writeln!(out, "{word}{file} ({hash}), {rounds} of {inputs}, {} stack samples", grouped(measured.samples))?;
        if !measured.named {
            writeln!(out, "  it has no function names; {BUILD_NAMED}")?;
        }
    }
    match profile.difference() {
        None => alone(profile, top, out)?,
        Some(difference) => against(&difference, top, out)?,
    }
    if !profile.not_held.is_empty() {
        writeln!(out, "\ndid not hold; `provisioner replay` shows why:")?;
        profile.not_held.iter().try_for_each(|what| writeln!(out, "  {}", printable(what)))?;
    }
    out.flush()
}

fn alone(profile: &Profile, top: usize, out: &mut dyn Write) -> io::Result<()> {
    let measured = &profile.component;
    let counted = measured.kinds.iter().filter(|(kind, _)| *kind != START);
    let all: u64 = counted.map(|(_, spent)| spent.fuel).sum();
    writeln!(out, "\nfuel of a round by event kind (exact; shares without the host's start)")?;
    writeln!(out, "{:>16} {:>7} {:>8} {:>12}  kind", "fuel", "share", "calls", "fuel a call")?;
    for (kind, spent) in by_fuel(measured) {
        let share = if kind == START { "-".to_owned() } else { share(spent.fuel, all) };
        let failed = if spent.failed > 0 { format!(" ({} more failed)", spent.failed) } else { String::new() };
        let (fuel, each) = (grouped(spent.fuel), grouped(spent.fuel / spent.calls.max(1)));
        writeln!(out, "{fuel:>16} {share:>7} {:>8} {each:>12}  {}{failed}", spent.calls, printable(kind))?;
    }
    let functions = measured.functions(&profile.only);
    let all: u64 = measured.stacks_of(&profile.only).values().sum();
    writeln!(out, "\nfuel of a round by function (estimated: the fuel of each kind, divided by its stack samples)")?;
    writeln!(out, "{:>16} {:>7} {:>7}  function", "with calls", "share", "alone")?;
    for function in functions.iter().take(top) {
        let (fuel, within, own) = (grouped(function.within), share(function.within, all), share(function.alone, all));
        writeln!(out, "{fuel:>16} {within:>7} {own:>7}  {}", printable(&function.name))?;
    }
    left_out(functions.len(), top, out)
}

fn against(difference: &Difference, top: usize, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\nfuel of a round by event kind (exact), the greatest difference first")?;
    writeln!(out, "{:>16} {:>16} {:>16} {:>8}  kind", "old", "new", "difference", "ratio")?;
    for kind in &difference.kinds {
        let of = (kind.old.fuel, kind.new.fuel);
        let calls = match (kind.old.calls, kind.new.calls) {
            (old, new) if old == new => String::new(),
            (old, new) => format!(" ({old} calls, then {new})"),
        };
        writeln!(out, "{}  {}{calls}", both(of), printable(&kind.kind))?;
    }
    writeln!(out, "\nfuel of a round by function alone (estimated), the greatest difference first")?;
    writeln!(out, "{:>16} {:>16} {:>16} {:>8}  function (with calls)", "old", "new", "difference", "ratio")?;
    for function in difference.functions.iter().take(top) {
        let (old, new) = function.within;
        let within = format!("({} to {})", grouped(old), grouped(new));
        writeln!(out, "{}  {} {within}", both(function.alone), printable(&function.name))?;
    }
    left_out(difference.functions.len(), top, out)
}

fn left_out(functions: usize, top: usize, out: &mut dyn Write) -> io::Result<()> {
    match functions.saturating_sub(top) {
        0 => Ok(()),
        more => writeln!(out, "{:>16}  {more} more functions; --top shows them", ""),
    }
}

/// Event kinds, the most fuel first.
pub(super) fn by_fuel(measured: &Measured) -> Vec<(&str, Spent)> {
    let mut kinds: Vec<(&str, Spent)> = measured.kinds.iter().map(|(kind, spent)| (kind.as_str(), *spent)).collect();
    kinds.sort_by_key(|(kind, spent)| (std::cmp::Reverse(spent.fuel), *kind));
    kinds
}

fn both((old, new): (u64, u64)) -> String {
    let more = more((old, new));
    let sign = if more < 0 { "-" } else { "+" };
    let apart = u64::try_from(more.unsigned_abs()).unwrap_or(u64::MAX);
    let more = if more == 0 { "0".to_owned() } else { format!("{sign}{}", grouped(apart)) };
    let ratio = ratio((old, new)).map_or_else(|| "new".to_owned(), |ratio| format!("{ratio:.3}"));
    format!("{:>16} {:>16} {more:>16} {ratio:>8}", grouped(old), grouped(new))
}

fn share(part: u64, all: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / all.max(1) as f64)
}

/// A number with commas between groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn measured(paid: u64) -> Measured {
        let kinds = [
            ("made", Spent { calls: 2, fuel: 1_000, failed: 0 }),
            ("paid", Spent { calls: 4, fuel: paid, failed: 1 }),
            (START, Spent { calls: 1, fuel: 96_000, failed: 0 }),
        ];
        let kinds: BTreeMap<_, _> = kinds.map(|(kind, spent)| (kind.to_owned(), spent)).into();
        let seen = [("paid;a;b", 3), ("paid;a", 1), ("made;c", 1), ("the host's start;d", 5)];
        let seen = seen.map(|(stack, times)| (stack.split(';').map(str::to_owned).collect(), times));
        Measured::new(("x.wasm".into(), "ab".into(), true), 1, kinds, seen.into())
    }

    fn report(against: Option<Measured>, only: &[&str], top: usize) -> Vec<String> {
        let only = only.iter().map(|kind| (*kind).to_owned()).collect();
        let (component, not_held) = (measured(3_000), Vec::new());
        let profile = Profile { component, against, rounds: 1, inputs: 1, not_held, only };
        let mut out = Vec::new();
        human(&profile, top, &mut out).expect("written");
        let text = String::from_utf8(out).expect("UTF-8");
        text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    /// The lines below a heading.
    fn below<'t>(lines: &'t [String], heading: &str) -> &'t [String] {
        let at = lines.iter().position(|line| line.ends_with(heading)).expect("the heading") + 1;
        lines[at..].split(String::is_empty).next().unwrap_or_default()
    }

    #[test]
    fn the_start_has_no_share_and_functions_beyond_the_top_are_counted() {
        let all = report(None, &[], 2);
        let kinds = [
            "96,000 - 1 96,000 the host's start",
            "3,000 75.0 % 4 750 paid (1 more failed)",
            "1,000 25.0 % 2 500 made",
        ];
        assert_eq!(below(&all, "kind"), kinds, "the most fuel first");
        let functions = ["3,000 75.0 % 18.8 % a", "2,250 56.2 % 56.2 % b", "1 more functions; --top shows them"];
        assert_eq!(below(&all, " function"), functions, "without the start's");
        assert_eq!(below(&report(None, &[], 3), " function").len(), 3, "all functions");
        assert_eq!(
            below(&report(None, &[START], 2), " function"),
            ["96,000 100.0 % 100.0 % d"],
            "unless it is selected"
        );
    }

    #[test]
    fn the_component_given_as_against_is_the_old_one() {
        let lines = report(Some(measured(2_000)), &["paid"], 1);
        let kinds = below(&lines, "ratio kind");
        assert_eq!(kinds[0], "2,000 3,000 +1,000 1.500 paid");
        let functions = ["1,500 2,250 +750 1.500 b (1,500 to 2,250)", "1 more functions; --top shows them"];
        assert_eq!(below(&lines, "function (with calls)"), functions);
    }

    #[test]
    fn numbers_are_grouped_and_differences_have_signs() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        let words = |of| both(of).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words((2_000, 1_000)), ["2,000", "1,000", "-1,000", "0.500"]);
        assert_eq!(words((0, 1_000)), ["0", "1,000", "+1,000", "new"]);
        assert_eq!(words((7, 7)), ["7", "7", "0", "1.000"]);
    }
}
