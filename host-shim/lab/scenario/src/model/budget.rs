//! Limits of the resources that an event uses: `budget: {fuel: 300_000, memory: 4MiB, host_calls: 3}`.

use super::Scenario;
use crate::error::{BadInput, Place};
use crate::tree::{Checked, Checker, Node, Tree};
use host_engine::processor::Report;
use std::fmt;

/// A resource that an event uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Fuel of the component, about one unit per instruction; 0 if the extension runs natively.
    Fuel,
    /// Linear memory of the component, in bytes; 0 if the extension runs natively.
    Memory,
    /// Number of calls to the host's functions.
    HostCalls,
}

/// The resources with their names in a scenario.
const NAMES: [(Resource, &str); 3] =
    [(Resource::Fuel, "fuel"), (Resource::Memory, "memory"), (Resource::HostCalls, "host_calls")];

/// Units of memory, the largest first.
const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];

impl Resource {
    /// Returns the name of the resource in a scenario.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(resource, _)| *resource == self).map_or("", |(_, name)| name)
    }

    /// Returns the amount of this resource that a run used.
    pub fn used(self, report: &Report) -> u64 {
        match self {
            Resource::Fuel => report.fuel,
            Resource::Memory => report.memory_bytes,
            Resource::HostCalls => report.host_calls,
        }
    }

    /// Formats an amount of this resource for a scenario.
    pub fn text(self, amount: u64) -> String {
        match self {
            Resource::Memory => {
                let unit = UNITS.iter().find(|(unit, _)| amount > 0 && amount.is_multiple_of(*unit));
                unit.map_or_else(|| amount.to_string(), |(unit, name)| format!("{}{name}", amount / unit))
            }
            Resource::Fuel | Resource::HostCalls => grouped(amount),
        }
    }

    /// Returns the limit that `--bless` sets for the amount `used`. For memory and host calls, the limit is this
    /// amount. For fuel, it is a fifth more, rounded up to two digits, because every change of the extension changes
    /// its fuel.
    pub fn allowance(self, used: u64) -> u64 {
        if self != Resource::Fuel {
            return used;
        }
        let with_room = used.saturating_add(used / 5);
        let unit = 10u64.pow(with_room.checked_ilog10().unwrap_or_default().saturating_sub(1));
        with_room.div_ceil(unit).saturating_mul(unit)
    }
}

/// Formats a number with `_` between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// The limits for one event, or for each event of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// The limits: at least one, and at most one for each resource.
    pub limits: Vec<Limit>,
}

/// The limit of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The resource.
    pub resource: Resource,
    /// The maximum, in units of fuel, bytes or calls.
    pub max: u64,
    /// Line of the number, from 1.
    pub line: usize,
    /// Column of the number in characters, from 1.
    pub column: usize,
}

/// A limit that an event exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceededLimit {
    /// The limit.
    pub limit: Limit,
    /// The amount used.
    pub used: u64,
    /// Id of the event.
    pub event_id: String,
}

impl fmt::Display for ExceededLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ExceededLimit { limit, used, event_id } = self;
        let (resource, more) = (limit.resource, used.saturating_sub(limit.max));
        let [used, more, max] = [*used, more, limit.max].map(|amount| resource.text(amount));
        write!(f, "{event_id}.budget.{}: used {used}, {more} more than {max}", resource.name())
    }
}

impl Budget {
    /// Reads a budget.
    pub(super) fn read(check: &Checker, node: &Node) -> Checked<Budget> {
        let mut fields = check.fields("a budget", node)?;
        let read = |resource, node: &Node| {
            Ok(Limit { resource, max: amount(check, resource, node)?, line: node.line, column: node.column })
        };
        let limits = NAMES.map(|(resource, name)| fields.optional(name, |node| read(resource, node)));
        fields.finish()?;
        let limits = limits.into_iter().filter_map(Result::transpose).collect::<Checked<Vec<Limit>>>()?;
        match limits.is_empty() {
            true => Err(check.bad(node.place(), "a budget that limits nothing", "fuel, memory or host_calls")),
            false => Ok(Budget { limits }),
        }
    }

    /// Returns the budget in the format of a scenario file.
    pub(super) fn node(&self) -> Node {
        Node::map(self.limits.iter().map(|Limit { resource, max, .. }| {
            let value = match (resource, i64::try_from(*max)) {
                (Resource::Fuel | Resource::HostCalls, Ok(number)) => Tree::Int(number),
                (Resource::Memory, Ok(number)) if resource.text(*max) == number.to_string() => Tree::Int(number),
                _ => Tree::Text(resource.text(*max)),
            };
            (resource.name(), Node::of(value))
        }))
    }

    /// Returns the limit of a resource.
    fn of(&self, resource: Resource) -> Option<&Limit> {
        self.limits.iter().find(|limit| limit.resource == resource)
    }
}

/// Returns the limits that a run exceeded; the step's limits override the scenario's.
pub fn over(of_step: Option<&Budget>, of_scenario: Option<&Budget>, report: &Report) -> Vec<ExceededLimit> {
    let mut found = Vec::new();
    for (resource, _) in NAMES {
        let limit = [of_step, of_scenario].into_iter().flatten().find_map(|budget| budget.of(resource));
        let used = resource.used(report);
        if let Some(limit) = limit.filter(|limit| used > limit.max) {
            found.push(ExceededLimit { limit: limit.clone(), used, event_id: report.event_id.clone() });
        }
    }
    found
}

fn amount(check: &Checker, resource: Resource, node: &Node) -> Checked<u64> {
    let (number, expected) = match resource {
        Resource::Memory => (memory(node), "bytes, or a whole number with KiB, MiB or GiB, such as 4MiB"),
        Resource::Fuel | Resource::HostCalls => (whole(node), "a whole number from 0, such as 300_000"),
    };
    number.ok_or_else(|| {
        let is = match &node.value {
            Tree::Text(text) => format!("`{text}`"),
            Tree::Int(number) => number.to_string(),
            _ => node.kind().to_owned(),
        };
        check.bad(node.place(), format!("`{}` is {is}", resource.name()), expected)
    })
}

fn whole(node: &Node) -> Option<u64> {
    match node.value {
        Tree::Int(number) => u64::try_from(number).ok(),
        _ => None,
    }
}

fn memory(node: &Node) -> Option<u64> {
    let Tree::Text(text) = &node.value else { return whole(node) };
    let (unit, number) = UNITS.iter().find_map(|(unit, name)| Some((unit, text.strip_suffix(name)?)))?;
    number.parse::<u64>().ok()?.checked_mul(*unit)
}

/// A limit that [`raise`] raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaisedLimit {
    /// The position of the number.
    pub place: Place,
    /// The old limit, and the event that exceeded it most.
    pub over: ExceededLimit,
    /// The new maximum.
    pub max: u64,
}

impl fmt::Display for RaisedLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = self.over.limit.resource;
        let [old, new, used] = [self.over.limit.max, self.max, self.over.used].map(|amount| resource.text(amount));
        write!(f, "{}: budget.{}: {old} -> {new} ({} used {used})", self.place, resource.name(), self.over.event_id)
    }
}

/// Raises the limits that events exceeded. `text` is the text of the scenario's file. Returns this text with only the
/// numbers of these limits replaced, together with the raised limits.
///
/// # Errors
///
/// Fails if the number of a limit can't be replaced, for example because it is in quotes.
pub fn raise(scenario: &Scenario, text: &str, over: &[ExceededLimit]) -> Result<(String, Vec<RaisedLimit>), BadInput> {
    let mut worst: Vec<&ExceededLimit> = Vec::new();
    for one in over {
        match worst.iter_mut().find(|known| known.limit == one.limit) {
            Some(known) if known.used < one.used => *known = one,
            Some(_) => {}
            None => worst.push(one),
        }
    }
    // Replaces the last number first, so that the positions of the others stay valid.
    worst.sort_by_key(|over| std::cmp::Reverse((over.limit.line, over.limit.column)));
    let (mut changed, mut raised) = (text.to_owned(), Vec::new());
    for over in worst {
        let Limit { resource, line, column, .. } = over.limit;
        let max = resource.allowance(over.used);
        let place = Place::line(&scenario.file, line);
        let Some(span) = number_at(&changed, line, column) else {
            let text = resource.text(max);
            return Err(BadInput::new(place, "the number of a budget can't be replaced here", format!("`{text}`")));
        };
        changed.replace_range(span, &resource.text(max));
        raised.push(RaisedLimit { place, over: over.clone(), max });
    }
    raised.reverse();
    Ok((changed, raised))
}

/// Returns the range of bytes of the number that begins at a line and column, both from 1.
fn number_at(text: &str, line: usize, column: usize) -> Option<std::ops::Range<usize>> {
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let line = text.get(before..)?.lines().next()?;
    let (at, _) = line.char_indices().nth(column.checked_sub(1)?)?;
    let rest = &line[at..];
    let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    (rest.starts_with(|c: char| c.is_ascii_digit())).then_some(before + at..before + at + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn scenario(text: &str) -> Scenario {
        Scenario::parse(Path::new("x.yml"), text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn mistake(budget: &str) -> String {
        let text = format!("name: x\nbudget: {budget}\nevents:\n  - raw: x\n");
        Scenario::parse(Path::new("x.yml"), &text).expect_err(budget).to_string()
    }

    #[test]
    fn amounts_are_read_and_written_in_the_same_format() {
        let scenario = scenario(
            "name: x\nbudget: {fuel: 300_000, memory: 4MiB}\nevents:\n  - raw: x\n    budget: {memory: 65, host_calls: 3}\n",
        );
        let all = [&scenario.budget, &scenario.steps[0].budget].map(|budget| budget.clone().expect("a budget").limits);
        let read = all.concat().into_iter().map(|limit| (limit.resource, limit.max, limit.line, limit.column));
        let expected = [
            (Resource::Fuel, 300_000, 2, 16),
            (Resource::Memory, 4 << 20, 2, 33),
            (Resource::Memory, 65, 5, 22),
            (Resource::HostCalls, 3, 5, 38),
        ];
        assert_eq!(read.collect::<Vec<_>>(), expected);
        for (resource, amount, text) in [
            (Resource::Fuel, 1_234_567, "1_234_567"),
            (Resource::HostCalls, 3, "3"),
            (Resource::Memory, 4 << 20, "4MiB"),
            (Resource::Memory, 192 << 10, "192KiB"),
            (Resource::Memory, 1_000, "1000"),
            (Resource::Memory, 0, "0"),
        ] {
            assert_eq!(resource.text(amount), text);
        }
    }

    #[test]
    fn a_malformed_budget_is_refused_with_its_line() {
        let of = |name: &str, is: &str, expected: &str| format!("x.yml:2: `{name}` is {is}; expected {expected}");
        let number = "a whole number from 0, such as 300_000";
        assert_eq!(mistake("{fuel: -1}"), of("fuel", "-1", number));
        assert_eq!(mistake("{host_calls: 1.5}"), of("host_calls", "a number", number));
        let memory = "bytes, or a whole number with KiB, MiB or GiB, such as 4MiB";
        assert_eq!(mistake("{memory: 4MB}"), of("memory", "`4MB`", memory));
        assert_eq!(mistake("{}"), "x.yml:2: a budget that limits nothing; expected fuel, memory or host_calls");
        assert!(mistake("{feul: 1}").contains("did you mean `fuel`?"), "{}", mistake("{feul: 1}"));
    }

    #[test]
    fn raise_replaces_only_the_numbers_by_the_highest_use() {
        let text = "# ä {fuel: 1}\nname: x\nbudget: {host_calls: 2, fuel: 1_000}  # of each\nevents:\n  - raw: 'fuel: 1_000'\n    \
                    budget:\n      memory: 64KiB # ü\n";
        let scenario = scenario(text);
        let limit = |of_step: bool, resource: Resource| {
            let budget = if of_step { &scenario.steps[0].budget } else { &scenario.budget };
            budget.as_ref().and_then(|budget| budget.of(resource)).expect("a limit").clone()
        };
        let over = |limit: Limit, used: u64, event: &str| ExceededLimit { limit, used, event_id: event.to_owned() };
        let all = [
            over(limit(true, Resource::Memory), 3 << 16, "a"),
            over(limit(false, Resource::Fuel), 2_000, "a"),
            over(limit(false, Resource::Fuel), 12_345, "b"),
            over(limit(false, Resource::HostCalls), 4, "a"),
        ];
        let (changed, raised) = raise(&scenario, text, &all).expect("raised");
        let expected =
            text.replace("{host_calls: 2, fuel: 1_000}", "{host_calls: 4, fuel: 15_000}").replace("64KiB", "192KiB");
        assert_eq!(changed, expected);
        let lines: Vec<String> = raised.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "x.yml:3: budget.host_calls: 2 -> 4 (a used 4)",
                "x.yml:3: budget.fuel: 1_000 -> 15_000 (b used 12_345)",
                "x.yml:7: budget.memory: 64KiB -> 192KiB (a used 192KiB)",
            ]
        );
        assert_eq!(all[2].to_string(), "b.budget.fuel: used 12_345, 11_345 more than 1_000");
        let quoted = "name: x\nbudget: {memory: '64KiB'}\nevents:\n  - raw: x\n";
        let scenario = self::scenario(quoted);
        let limit = scenario.budget.as_ref().expect("a budget").limits[0].clone();
        let error = raise(&scenario, quoted, &[over(limit, 1 << 20, "a")]).expect_err("a number in quotes");
        assert_eq!(error.to_string(), "x.yml:2: the number of a budget can't be replaced here; expected `1MiB`");
    }
}
