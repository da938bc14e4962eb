//! Runs scenarios, and counts the items that they reach.

use crate::coverage::account_state::{AccountState, CatalogProducts};
use crate::coverage::clause::{Clause, clauses_of};
use crate::coverage::items::{Clauses, Coverage, Item, OUTCOMES, Section};
use crate::coverage::reached::Reached;
use extension_contract::{Account, Declarations, Payload, Refusal};
use host_business::folder::BusinessFolder;
use host_replay::line::{Line, StreamLine, Summary};
use host_replay::live::StripeOfScenario;
use host_replay::play::{CaseReport, Stepped};
use host_replay::rig::Rig;
use host_replay::run::{Finished, ReplayOptions, Sink, replay};
use host_replay::runners::Runners;
use host_scenario::error::{Place, ReplayError};
use host_scenario::model::Scenario;
use host_store::{OF_HOST, Stored};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

/// Name of the extension whose catalog language this crate knows: the `name` in `manifest.yml` (a test compares them).
const KNOWN_EXTENSION: &str = "instance-provisioner";

/// The options of [`cover`].
#[derive(Clone, Debug)]
pub struct CoverOptions {
    /// Name or folder of the business; None for the business of the input's folder.
    pub business: Option<String>,
    /// Folder of the fixtures. If None, it is searched for above the inputs, the working folder and the program.
    pub fixtures: Option<PathBuf>,
    /// The extension.
    pub runners: Runners,
    /// Starts a local Stripe for each scenario that needs one.
    pub stripe: Option<StripeOfScenario>,
}

/// Runs all inputs in `paths`, and counts the items that they reach. Streams of raw events count for event kinds,
/// outcomes, refusals and effects; only scenarios count for ids and clauses. `progress` receives the number of inputs,
/// then 0 after each.
///
/// # Errors
///
/// Fails if an input can't be read or run.
pub fn cover(
    paths: &[PathBuf],
    stdin: &mut dyn Read,
    options: &CoverOptions,
    progress: &mut dyn FnMut(usize),
) -> Result<Coverage, ReplayError> {
    let declarations = options.runners.make()?.declarations().clone();
    let of_replay = ReplayOptions {
        business: options.business.clone(),
        fixtures: options.fixtures.clone(),
        trace: true,
        stripe: options.stripe.clone(),
        ..ReplayOptions::new(options.runners.clone())
    };
    let known = KNOWN_EXTENSION.to_owned();
    let mut collector = Collector::new(declarations.name == known, progress);
    let finished = replay(paths, stdin, &of_replay, &mut collector)?;
    if let Some(bad) = finished.bad() {
        return Err(bad.clone().into());
    }
    Ok(collector.coverage(&finished, &declarations, known))
}

/// A business whose scenarios were run.
struct Business {
    folder: BusinessFolder,
    clauses: Vec<Clause>,
    /// Number of scenarios that reach each clause.
    touched: Vec<u64>,
}

/// The items that the current scenario has reached.
#[derive(Default)]
struct CurrentScenario {
    business: PathBuf,
    touched: BTreeSet<usize>,
    effects: BTreeSet<String>,
    sold: CatalogProducts,
    /// The [`signature`] of the host at the last check. Clauses are not checked again until it changes.
    last: (usize, u64, u64),
}

/// Collects coverage during a replay.
struct Collector<'p> {
    /// True if the catalogs are in the known language.
    knows_catalogs: bool,
    progress: &'p mut dyn FnMut(usize),
    businesses: BTreeMap<PathBuf, Business>,
    playing: CurrentScenario,
    reached: Reached,
    /// Lines of the raw stream being replayed.
    lines: Vec<Line>,
    /// Covered ids: number of scenarios that pass, and the first place that mentions the id.
    ids: BTreeMap<String, (u64, Place)>,
    held: usize,
    known: usize,
    not_held: Vec<String>,
    /// True while a scenario runs.
    is_scenario: bool,
    /// True if the last finished input was a scenario.
    was_scenario: bool,
    /// True if there are several inputs, in which case the end of each input is reported.
    several: bool,
    /// The counts of each raw stream.
    streams: Vec<Reached>,
}

impl<'p> Collector<'p> {
    fn new(knows_catalogs: bool, progress: &'p mut dyn FnMut(usize)) -> Self {
        Collector {
            knows_catalogs,
            progress,
            businesses: BTreeMap::new(),
            playing: CurrentScenario::default(),
            reached: Reached::default(),
            lines: Vec::new(),
            ids: BTreeMap::new(),
            held: 0,
            known: 0,
            not_held: Vec::new(),
            is_scenario: false,
            was_scenario: false,
            several: false,
            streams: Vec::new(),
        }
    }

    /// Checks the clauses against every account, if the host has changed since the last check.
    fn look_at_accounts(&mut self, host: &mut Rig) -> Result<(), ReplayError> {
        let now = signature(host)?;
        if std::mem::replace(&mut self.playing.last, now) == now {
            return Ok(());
        }
        let Some(business) = self.businesses.get(&self.playing.business) else { return Ok(()) };
        self.playing.sold = CatalogProducts::read(host.processor())?;
        for account in accounts(host)? {
            let state = AccountState::look(host, &account, &self.playing.sold)?;
            let clauses = business.clauses.iter().enumerate();
            let touched =
                clauses.filter(|(at, clause)| !self.playing.touched.contains(at) && clause.is_touched(&state));
            let touched: Vec<usize> = touched.map(|(at, _)| at).collect();
            self.playing.touched.extend(touched);
        }
        Ok(())
    }

    fn coverage(mut self, finished: &Finished, declarations: &Declarations, known: String) -> Coverage {
        // A stream counts if each of its events has an outcome.
        for (raw, reached) in finished.raw.iter().zip(std::mem::take(&mut self.streams)) {
            if raw.failed > 0 {
                self.not_held.push(raw.source.clone());
            } else {
                self.held += 1;
                self.reached.add(reached);
            }
        }
        let (mut kinds, mut effects): (BTreeSet<String>, BTreeSet<String>) = Default::default();
        effects.extend(OF_HOST.map(str::to_owned));
        let mut declare = |declared: &Declarations| {
            kinds.extend(declared.payment_kinds.iter().cloned());
            kinds.extend(declared.commands.iter().map(|command| command.kind.clone()));
            effects.extend(declared.effects.iter().map(|effect| effect.kind.clone()));
        };
        declare(declarations);
        self.businesses.values().for_each(|business| declare(&business.folder.own.beside(declarations)));
        if self.knows_catalogs {
            let facts = self.businesses.values().filter_map(|business| business.folder.catalog["events"].as_object());
            kinds.extend(facts.flatten().map(|(fact, _)| fact.clone()));
        }
        let reached = &self.reached;
        let plain = |name: &str, reached: u64| Item { name: name.to_owned(), reached, place: None, when: None };
        let section = |name: &str, items: Vec<Item>| Section { name: name.to_owned(), items };
        let ids =
            self.ids.iter().map(|(id, (shown, place))| Item { place: Some(place.to_string()), ..plain(id, *shown) });
        let mut sections = vec![
            section("ids", ids.collect()),
            section("event kinds", kinds.iter().map(|kind| plain(kind, reached.kind(kind))).collect()),
            section("outcomes", OUTCOMES.map(|outcome| plain(outcome, reached.outcome(outcome))).to_vec()),
            section("refusals", Refusal::CODES.map(|code| plain(code, reached.refusal(code))).to_vec()),
            section("effects", effects.iter().map(|kind| plain(kind, reached.effect(kind))).collect()),
        ];
        let clauses = match self.knows_catalogs {
            true => Clauses::Measured,
            false => Clauses::Unknown { extension: declarations.name.clone(), known },
        };
        for business in self.businesses.values().filter(|_| self.knows_catalogs) {
            let clauses = business.clauses.iter().zip(&business.touched);
            let mut clauses: Vec<_> =
                clauses.map(|(clause, touched)| (clause.place(&business.folder), clause, *touched)).collect();
            // The sort is stable: clauses on one line keep the order of the language.
            clauses.sort_by(|(a, ..), (b, ..)| (&a.file, a.line).cmp(&(&b.file, b.line)));
            let items = clauses.into_iter().map(|(place, clause, touched)| Item {
                place: Some(place.to_string()),
                when: Some(clause.touched),
                ..plain(&clause.name, touched)
            });
            sections.push(section(&format!("catalog of {}", business.folder.name), items.collect()));
        }
        let kinds = self.reached.rows(&kinds);
        Coverage { held: self.held, not_held: self.not_held, known: self.known, kinds, sections, clauses }
    }
}

impl Sink for Collector<'_> {
    fn begin(&mut self, inputs: usize) {
        (self.progress)(inputs);
    }

    fn line(&mut self, line: &Line) -> std::io::Result<()> {
        // The reports of a scenario's cases contain its lines again.
        if !self.is_scenario {
            self.lines.push(line.clone());
        }
        Ok(())
    }

    fn watches(&self) -> bool {
        true
    }

    fn look(&mut self, Stepped { step, host, .. }: Stepped<'_>) -> Result<(), ReplayError> {
        let folder = &host.setup().business;
        if step.is_none() {
            self.is_scenario = true;
            self.playing.last = Default::default();
            self.playing.business.clone_from(&folder.folder);
            if !self.businesses.contains_key(&folder.folder) {
                let clauses = if self.knows_catalogs { clauses_of(folder) } else { Vec::new() };
                let touched = vec![0; clauses.len()];
                let business = Business { folder: folder.clone(), clauses, touched };
                self.businesses.insert(folder.folder.clone(), business);
            }
        }
        // The effects of loading the catalog are not reported on any line.
        self.playing.effects.extend(ended_effects(host)?);
        if self.knows_catalogs { self.look_at_accounts(host) } else { Ok(()) }
    }

    fn cases(&mut self, scenario: &Scenario, reports: &[CaseReport]) -> std::io::Result<()> {
        (self.is_scenario, self.was_scenario) = (false, true);
        let playing = std::mem::take(&mut self.playing);
        let held = reports.iter().all(CaseReport::held);
        for (id, line) in &scenario.covers {
            let place = Place::line(&scenario.file, *line);
            self.ids.entry(id.clone()).or_insert((0, place)).0 += u64::from(held);
        }
        if held {
            self.held += 1;
            let mut reached = Reached::default();
            reports.iter().for_each(|report| reached.add(Reached::of(&report.lines)));
            let unreported = playing.effects.iter().filter(|kind| reached.effect(kind) == 0);
            let unreported: Vec<&String> = unreported.collect();
            unreported.into_iter().for_each(|kind| reached.add_effect(kind));
            self.reached.add(reached);
            if let Some(business) = self.businesses.get_mut(&playing.business) {
                playing.touched.iter().for_each(|at| business.touched[*at] += 1);
            }
        } else {
            self.known += usize::from(!reports.iter().any(CaseReport::failed));
            self.not_held.push(scenario.file.display().to_string());
        }
        (self.progress)(0);
        Ok(())
    }

    fn stream(&mut self, _: &StreamLine, _: &Summary) -> std::io::Result<()> {
        self.several = true;
        if !std::mem::take(&mut self.was_scenario) {
            self.end_stream();
        }
        Ok(())
    }

    fn end(&mut self, _: &Summary) -> std::io::Result<()> {
        // For a single input, only the end of all inputs is reported.
        if !self.several && !self.was_scenario {
            self.end_stream();
        }
        Ok(())
    }
}

impl Collector<'_> {
    fn end_stream(&mut self) {
        self.streams.push(Reached::of(&std::mem::take(&mut self.lines)));
        (self.progress)(0);
    }
}

/// A value that changes with every event, requested effect and revision.
fn signature(host: &Rig) -> Stored<(usize, u64, u64)> {
    let store = host.store();
    let mut revisions = 0;
    for scope in store.scopes(None)? {
        revisions += store.account(&scope)?.revision;
    }
    let events = inbox(host)?.last().map_or(0, |row| row.seq);
    Ok((host.asked().count(), revisions, events))
}

/// Accounts of the business and mode, including the platform.
fn accounts(host: &Rig) -> Stored<Vec<Account>> {
    let scopes = host.store().scopes(None)?.into_iter();
    Ok(scopes.filter(|s| s.partition() == *host.processor().partition()).map(|s| s.account).collect())
}

/// Kinds of effects with a result in the inbox.
fn ended_effects(host: &Rig) -> Stored<BTreeSet<String>> {
    let rows = inbox(host)?.into_iter();
    let ended = rows.filter(|row| matches!(row.event.payload, Payload::EffectResult(_)));
    Ok(ended.map(|row| row.event.kind).collect())
}

/// All rows of the inbox.
fn inbox(host: &Rig) -> Stored<Vec<host_store::InboxRow>> {
    const PAGE: usize = 500;
    let mut found: Vec<host_store::InboxRow> = Vec::new();
    loop {
        let page = host.processor().inbox_after(found.last().map_or(0, |row| row.seq), PAGE)?;
        if page.is_empty() {
            return Ok(found);
        }
        found.extend(page);
    }
}
