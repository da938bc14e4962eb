//! `provisioner drift --store STORE --providers NAMES`.

use crate::exit::ended;
use crate::location::{Location, existing};
use crate::world::WorldArgs;
use anyhow::Context;
use clap::Parser;
use host_engine::outbox::use_of;
use host_provider_api::{Held, ResourceId};
use host_providers::{Drift, Referrer, drift, not_compared, remove, settle, unreadable_secrets};
use host_replay::command::{EXIT_FAILED, refuse};
use host_replay::command::{Format, HUMAN, JSON, formats};
use host_replay::recorded::{recorded, recorded_secrets};
use host_scenario::error::ReplayError;
use host_store::{Reader, StoreError};
use host_store_postgres::small::Place;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;

/// Report differences between a store's record and the providers' resources
///
/// An orphan exists, and nothing in the store refers to it; an unsettled resource exists, and the result of the effect that refers to
/// it is not known; a lost resource is recorded but does not exist; a broken resource has a record that can't be read; a secret is in
/// a record, but not in the vault, which is compared with --world. Only the businesses and modes that the store has are compared.
/// Resources of which no provider has a list are counted and not compared. Changes nothing except with --destroy and --yes.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The SQLite file of `replay --store` or of a server, or the database of a server as env:DATABASE_URL
    #[arg(long, value_name = "STORE")]
    store: String,

    #[command(flatten)]
    world: WorldArgs,

    /// Show what would be destroyed with this orphan, named as in the report: bucket:inst_acme/bucket; repeatable
    #[arg(long, value_name = "RESOURCE:ID")]
    destroy: Vec<String>,

    /// Destroy the orphans of --destroy
    #[arg(long, requires = "destroy")]
    yes: bool,

    /// The report format; json prints one line per difference, then a summary
    #[arg(long, value_enum, value_parser = formats(&[HUMAN, JSON]), default_value_t = Format::Human)]
    format: Format,
}

const AFTER_HELP: &str = "Examples:
  provisioner replay --providers local --world w --store x.db my.yml
  provisioner drift --store x.db --providers local --world w
  provisioner drift --store x.db --providers local --world w --destroy bucket:inst_acme/bucket
  provisioner drift --store x.db --providers local --world w --destroy bucket:inst_acme/bucket --yes

Exit codes: 0 no difference, 1 a difference, or a provider can't list its resources, 2 bad usage or
input.";

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ended(try_run(args), false)
}

fn try_run(args: &Args) -> anyhow::Result<ExitCode> {
    let usage = |problem: String| Ok(refuse(&ReplayError::Usage(problem)));
    let location = match existing("--store", &args.store) {
        Ok(location) => location,
        Err(problem) => return usage(problem),
    };
    if !args.world.has_providers() {
        return usage(
            "no providers selected; expected --providers NAME,… with providers that list their resources".to_owned(),
        );
    }
    let mut store = location.reader()?;
    let secrets = match location {
        Location::Postgres(settings) if args.world.is_named() => {
            let businesses = businesses(&mut *store)?;
            let [owner] = &businesses[..] else {
                let names = businesses.join(", ");
                return usage(format!(
                    "--world: the database has the secrets of several businesses ({names}); leave it out"
                ));
            };
            Some(Place::Postgres { settings, owner: owner.clone() })
        }
        _ => None,
    };
    let Some(opened) = args.world.open_beside(secrets)? else { return usage("no providers".to_owned()) };
    let listed = opened.registry.held()?;
    let lists = |resource: &str| opened.registry.lists(&listed, resource);
    // The store is read last: whatever exists by then was requested before.
    store.begin()?;
    let spaces: BTreeSet<String> =
        store.scopes(None)?.iter().map(|scope| format!("{}/", scope.partition().name())).collect();
    let (held, foreign): (Vec<Held>, Vec<Held>) =
        listed.held.iter().cloned().partition(|held| spaces.iter().any(|space| held.id.scope.starts_with(space)));
    let unreadable = opened.registry.unreadable()?;
    let recorded: Vec<_> = recorded(&*store, None)?.into_iter().map(|it| (it.id, it.state)).collect();
    let found = drift(&recorded, &held, &unreadable, lists);
    let mut found = settle(found, |id| -> Result<_, StoreError> {
        Ok(use_of(&*store, id)?.map(|used| match used.state.is_open() {
            true => Referrer::Open,
            false => Referrer::Ended(used.to_string()),
        }))
    })?;
    if args.world.is_named() {
        found.extend(unreadable_secrets(&opened.vault, &recorded_secrets(&*store)?));
    }
    let orphans = named(&found, &args.destroy, |name| {
        let of_name = held.iter().filter(|held| held.id.to_string() == name);
        let used = of_name.map(|held| use_of(&*store, &held.id)).find_map(Result::transpose);
        Ok(used.transpose()?.map(|used| used.to_string()))
    })?;
    store.end()?;
    let mut out = io::stdout().lock();
    for one in &orphans {
        if !args.yes {
            eprintln!(
                "would destroy {}  {}  {}; nothing refers to it; --yes destroys it",
                one.id, one.id.scope, one.name
            );
            continue;
        }
        remove(&opened.registry, one, args.world.patience()).with_context(|| one.id.to_string())?;
        eprintln!("destroyed {}  {}  {}", one.id, one.id.scope, one.name);
    }
    let gone: &[Held] = if args.yes { &orphans } else { &[] };
    let is_there = |one: &&Drift| !matches!(one, Drift::Orphan(held) if gone.contains(held));
    let found: Vec<&Drift> = found.iter().filter(is_there).collect();
    for one in &found {
        match args.format {
            Format::Json => writeln!(out, "{}", line(one)),
            _ => writeln!(out, "{}", human(one)),
        }
        .context("the report can't be written")?;
    }
    let there = held.len() - gone.len();
    let not_compared = not_compared(&recorded, lists);
    for (resource, count) in &not_compared {
        eprintln!("not compared: {count} of {resource}, of which no provider has a list");
    }
    if !foreign.is_empty() {
        eprintln!("{} more belong to a business or mode that this store does not have", foreign.len());
    }
    match args.format {
        Format::Json => writeln!(
            out,
            "{}",
            json!({"summary": {
                "recorded": recorded.len(), "there": there, "differences": found.len(), "not_compared": not_compared,
            }})
        ),
        _ => {
            writeln!(out, "{} recorded, {there} there, {} differences", recorded.len(), found.len())
        }
    }
    .context("the report can't be written")?;
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// Returns the names of the businesses of a store.
fn businesses(store: &mut dyn Reader) -> anyhow::Result<Vec<String>> {
    store.begin()?;
    let scopes = store.scopes(None)?;
    store.end()?;
    let names: BTreeSet<String> = scopes.iter().map(|scope| scope.partition().business).collect();
    Ok(names.into_iter().collect())
}

/// Returns the orphans with these names, without duplicates. `used_by` describes what refers to the existing resources with a name.
fn named(
    found: &[Drift],
    names: &[String],
    used_by: impl Fn(&str) -> Result<Option<String>, StoreError>,
) -> Result<Vec<Held>, ReplayError> {
    let orphans: Vec<&Held> = found.iter().filter_map(Drift::orphan).collect();
    let mut wanted: Vec<Held> = Vec::new();
    for name in names {
        let mut of_name = orphans.iter().filter(|held| held.id.to_string() == *name);
        let Some(orphan) = of_name.next() else {
            let known: Vec<String> = orphans.iter().map(|held| held.id.to_string()).collect();
            let problem = match used_by(name)? {
                Some(by) => format!("`{name}` is in use, by {by}; delete its instance instead"),
                None if known.is_empty() => format!("`{name}` is not an orphan; there are no orphans"),
                None => format!("`{name}` is not an orphan; expected one of {}", known.join(", ")),
            };
            return Err(ReplayError::Usage(problem));
        };
        if of_name.next().is_some() {
            let problem = format!("several accounts have an orphan `{name}`; destroy it at its provider");
            return Err(ReplayError::Usage(problem));
        }
        if !wanted.contains(orphan) {
            wanted.push((*orphan).clone());
        }
    }
    Ok(wanted)
}

/// The parts of a difference.
#[derive(Default)]
struct DriftParts<'d> {
    what: &'static str,
    /// None if the resource's record can't be read and no recorded resource has its name.
    id: Option<&'d ResourceId>,
    /// Name in the remote system.
    name: Option<&'d str>,
    /// State in the remote system.
    is: Option<&'d str>,
    recorded: Option<&'d str>,
    problem: Option<&'d str>,
}

fn parts(one: &Drift) -> DriftParts<'_> {
    let parts = match one {
        Drift::Orphan(held) | Drift::Twice(held) => held_parts(held),
        Drift::Unsettled { held, by } => DriftParts { problem: Some(by), ..held_parts(held) },
        Drift::Lost { state, .. } => DriftParts { recorded: Some(state), ..DriftParts::default() },
        Drift::Otherwise { held, recorded } => DriftParts { recorded: Some(recorded), ..held_parts(held) },
        Drift::Broken { found, .. } => {
            DriftParts { name: Some(&found.name), problem: Some(&found.problem), ..DriftParts::default() }
        }
        Drift::Secret { reference, problem, .. } => {
            DriftParts { name: Some(reference), problem: Some(problem), ..DriftParts::default() }
        }
    };
    DriftParts { what: one.kind(), id: one.id(), ..parts }
}

fn held_parts(held: &Held) -> DriftParts<'_> {
    DriftParts { name: Some(&held.name), is: Some(&held.state), ..DriftParts::default() }
}

fn human(one: &Drift) -> String {
    let DriftParts { what, id, name, is, recorded, problem } = parts(one);
    let id = id.map(|id| format!("  {id}  {}", id.scope)).unwrap_or_default();
    let name = name.map(|name| format!("  {name}")).unwrap_or_default();
    let states = match (is, recorded) {
        (Some(is), Some(recorded)) => format!("  {is}, recorded as {recorded}"),
        (Some(state), None) | (None, Some(state)) => format!("  {state}"),
        (None, None) => String::new(),
    };
    let problem = problem.map(|problem| format!("  {problem}")).unwrap_or_default();
    format!("{what:9}{id}{name}{states}{problem}")
}

fn line(one: &Drift) -> serde_json::Value {
    let DriftParts { what, id, name, is, recorded, problem } = parts(one);
    json!({
        "drift": what, "resource": id.map(|id| &id.resource), "id": id.map(|id| &id.id), "scope": id.map(|id| &id.scope),
        "name": name, "is": is, "recorded": recorded, "problem": problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orphan(user: &str) -> Drift {
        let id = ResourceId {
            scope: format!("solobase/test/user:{user}"),
            resource: "bucket".to_owned(),
            id: "inst_1/bucket".to_owned(),
        };
        Drift::Orphan(Held { id, name: "a-bucket".to_owned(), state: "running".to_owned() })
    }

    #[test]
    fn an_orphan_name_of_two_accounts_is_refused() {
        let names = ["bucket:inst_1/bucket".to_owned()];
        let refused = named(&[orphan("u1"), orphan("u2")], &names, |_| Ok(None)).expect_err("one of two");
        assert!(refused.to_string().contains("several accounts"), "{refused}");
        let twice = [names[0].clone(), names[0].clone()];
        let found = named(&[orphan("u1")], &twice, |_| Ok(None)).expect("an orphan");
        assert_eq!(found.len(), 1, "it is destroyed once");
    }
}
