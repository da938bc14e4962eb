//! Explores one story: runs it as written, runs its variants, counts them and collects findings.

use crate::law::{Breach, Laws, Reference};
use crate::plan::{Act, Plan};
use crate::shrink::shrink;
use crate::stage::{Mark, Stage};
use crate::tale::Tale;
use host_replay::shuffle::Random;
use host_scenario::error::ReplayError;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The kind of a variant: how its run differs from the written story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VariantKind {
    /// The written story itself.
    Written,
    /// Stripe events arrive in another order.
    Orders,
    /// An event is delivered again.
    Repeats,
    /// A Stripe event is lost and arrives at the end.
    Drops,
    /// A provider call fails, or its answer is lost or late.
    Failures,
    /// Two provider calls fail.
    Pairs,
    /// The host is killed at a write.
    Crashes,
    /// Something hostile happens after the last step: a card fails during a change, an invoice is voided, or a payment is disputed.
    Endings,
    /// The catalog is edited between two steps.
    Edits,
}

impl VariantKind {
    /// All kinds that a caller can select, in the order in which they run.
    pub const ALL: [VariantKind; 8] = [
        VariantKind::Orders,
        VariantKind::Repeats,
        VariantKind::Drops,
        VariantKind::Failures,
        VariantKind::Crashes,
        VariantKind::Endings,
        VariantKind::Edits,
        VariantKind::Pairs,
    ];
}

impl fmt::Display for VariantKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            VariantKind::Written => "written",
            VariantKind::Orders => "orders",
            VariantKind::Repeats => "repeats",
            VariantKind::Drops => "drops",
            VariantKind::Failures => "failures",
            VariantKind::Pairs => "pairs",
            VariantKind::Crashes => "crashes",
            VariantKind::Endings => "endings",
            VariantKind::Edits => "edits",
        })
    }
}

/// Numbers of variants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Number of checked variants. Variants that reached the same point are checked together.
    pub variants: u64,
    /// Number of runs that reached their end.
    pub runs: u64,
    /// Number of variants that broke a law.
    pub broken: u64,
}

/// A broken law with the shortest story that breaks it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Kind of the variant.
    pub kind: VariantKind,
    /// The broken law and the difference.
    pub breach: Breach,
    /// Description of the variant.
    pub variant: String,
    /// The shortest story that breaks the same law.
    pub plan: Plan,
    /// The reference story with which `plan` is compared.
    pub reference: Plan,
    /// The story to whose steps the plans refer. Endings and edits add steps to it.
    pub tale: Tale,
}

impl Finding {
    /// Number of the step at which the story breaks: the step with the kill, or otherwise the last step. None without steps.
    pub fn step(&self) -> Option<usize> {
        let acts = &self.plan.acts;
        acts.iter().find(|act| act.kill.is_some()).or(acts.last()).map(|act| act.step)
    }
}

/// Selects the variants to explore, and limits their number.
#[derive(Clone, Debug)]
pub struct ExploreLimits {
    /// Kinds of variants to run.
    pub kinds: Vec<VariantKind>,
    /// Seed of the sampled orders.
    pub seed: u64,
    /// Number of sampled orders for a segment with too many events to try all, and of sampled endings and edits.
    pub samples: usize,
    /// Largest number of events in a segment for which all orders are tried.
    pub all_orders_of: usize,
    /// Largest number of provider calls, and of writes, in a story for which each one is made to fail. Of more than that, a sample of this
    /// size fails.
    pub all_failures_of: usize,
    /// Maximum number of findings kept per kind and law.
    pub findings: usize,
}

impl ExploreLimits {
    /// Returns all members of a list, or an ordered sample if there are more than [`Self::all_failures_of`].
    pub(crate) fn sampled<T>(&self, list: Vec<T>) -> Vec<T> {
        self.sampled_of(list, self.all_failures_of)
    }

    /// Returns all members of a list, or an ordered sample of `most`.
    pub(crate) fn sampled_of<T>(&self, mut list: Vec<T>, most: usize) -> Vec<T> {
        if list.len() <= most {
            return list;
        }
        let mut places: Vec<usize> = (0..list.len()).collect();
        Random::new(self.seed).shuffle(&mut places);
        let chosen: BTreeSet<usize> = places.into_iter().take(most).collect();
        let mut place = 0;
        list.retain(|_| {
            place += 1;
            chosen.contains(&(place - 1))
        });
        list
    }
}

impl Default for ExploreLimits {
    fn default() -> Self {
        let kinds = VariantKind::ALL.into_iter().filter(|kind| *kind != VariantKind::Pairs).collect();
        ExploreLimits { kinds, seed: 1, samples: 720, all_orders_of: 6, all_failures_of: 720, findings: 1 }
    }
}

/// Receives progress and decides when to stop.
pub trait Watch: Sync {
    /// Receives the number of newly checked variants; returning false stops the exploration.
    fn goes_on(&self, variants: u64) -> bool;
}

/// A [`Watch`] that never stops.
pub struct ToTheEnd;

impl Watch for ToTheEnd {
    fn goes_on(&self, _: u64) -> bool {
        true
    }
}

/// The result of exploring one story.
#[derive(Clone, Debug)]
pub struct Explored {
    /// Name and API version.
    pub name: String,
    /// Counts by kind.
    pub counts: BTreeMap<VariantKind, Counts>,
    /// Number of decisions of the extension in all runs.
    pub decisions: u64,
    /// The broken laws, each with its shortest story.
    pub findings: Vec<Finding>,
    /// True if the exploration stopped before all variants were run.
    pub ended_early: bool,
}

/// A run of a plan.
pub(crate) struct Written {
    pub plan: Plan,
    /// One mark before each act, and one after the last act.
    pub marks: Vec<Mark>,
    pub end: Reference,
}

/// Explores one story.
pub(crate) struct Explorer<'e> {
    pub stage: Stage<'e>,
    pub limits: &'e ExploreLimits,
    watch: &'e dyn Watch,
    start: Mark,
    counts: BTreeMap<VariantKind, Counts>,
    findings: Vec<Finding>,
    /// Decisions on stages other than `stage`.
    elsewhere: u64,
    stopped: bool,
}

/// Runs the variants of a story.
///
/// # Errors
///
/// Fails if the story can't be run as written, or a variant can't be run.
pub fn explore(tale: &Tale, limits: &ExploreLimits, watch: &dyn Watch) -> Result<Explored, ReplayError> {
    let stage = Stage::start(tale)?;
    let start = stage.mark()?;
    let mut explorer = Explorer {
        stage,
        limits,
        watch,
        start,
        counts: BTreeMap::new(),
        findings: Vec::new(),
        elsewhere: 0,
        stopped: false,
    };
    let written = explorer.written(Plan::written(&tale.scenario, &tale.case))?;
    if let Some(breach) = written.end.breach().cloned() {
        explorer.counts.insert(VariantKind::Written, Counts { variants: 1, runs: 1, broken: 1 });
        let (plan, variant) = (written.plan.clone(), "as it is written".to_owned());
        let (reference, tale) = (plan.clone(), tale.clone());
        explorer.findings.push(Finding { kind: VariantKind::Written, breach, variant, reference, plan, tale });
    }
    for kind in &limits.kinds {
        match kind {
            VariantKind::Orders => crate::orders::explore(&mut explorer, &written)?,
            VariantKind::Repeats => crate::repeats::explore(&mut explorer, &written)?,
            VariantKind::Drops => crate::drops::explore(&mut explorer, &written)?,
            VariantKind::Failures => crate::failures::explore(&mut explorer, &written, false)?,
            VariantKind::Pairs => crate::failures::explore(&mut explorer, &written, true)?,
            VariantKind::Crashes => crate::crashes::explore(&mut explorer, &written)?,
            VariantKind::Endings => crate::endings::explore(&mut explorer, &written)?,
            VariantKind::Edits => crate::edits::explore(&mut explorer, &written)?,
            VariantKind::Written => {}
        }
    }
    Ok(Explored {
        name: tale.name(),
        counts: explorer.counts,
        decisions: explorer.stage.decisions() + explorer.elsewhere,
        findings: explorer.findings,
        ended_early: explorer.stopped,
    })
}

impl Explorer<'_> {
    /// Runs a plan from the beginning and marks the point before each act.
    pub fn written(&mut self, plan: Plan) -> Result<Written, ReplayError> {
        self.stage.go_to(&self.start)?;
        let mut marks = Vec::with_capacity(plan.acts.len() + 1);
        for act in &plan.acts {
            marks.push(self.stage.mark()?);
            self.stage.act(act)?;
        }
        marks.push(self.stage.mark()?);
        self.stage.rest(plan.rest_ms)?;
        let end = Reference::here(&mut self.stage)?;
        Ok(Written { plan, marks, end })
    }

    /// Goes back to the point before an act of the written story (or, after the last act, before the rest).
    pub fn before(&mut self, written: &Written, act: usize) -> Result<(), ReplayError> {
        self.stage.go_to(&written.marks[act])
    }

    /// Runs acts from the current point of the stage.
    pub fn play(&mut self, acts: &[Act]) -> Result<(), ReplayError> {
        acts.iter().try_for_each(|act| self.stage.act(act))
    }

    /// Counts checked variants and their runs. Returns false if the exploration should stop.
    pub fn count_variants(&mut self, kind: VariantKind, variants: u64, runs: u64) -> bool {
        let counts = self.counts.entry(kind).or_default();
        counts.variants += variants;
        counts.runs += runs;
        self.stopped |= !self.watch.goes_on(variants);
        !self.stopped
    }

    /// Counts decisions on another stage.
    pub fn count_decisions(&mut self, decisions: u64) {
        self.elsewhere += decisions;
    }

    /// True once the exploration should stop.
    pub fn is_over(&self) -> bool {
        self.stopped
    }

    /// Shrinks a breach to its shortest story and records it, unless enough breaches of this kind and law are already recorded.
    pub fn record_breach(
        &mut self,
        kind: VariantKind,
        variant: String,
        case: Broken,
        laws: Laws,
    ) -> Result<(), ReplayError> {
        let Broken { breach, plan, reference } = case;
        self.counts.entry(kind).or_default().broken += 1;
        if !self.keeps(kind, &breach) {
            return Ok(());
        }
        let (reference, plan, breach) = shrink(&mut self.stage, &self.start, (reference, plan, breach), laws)?;
        let tale = self.stage.tale.clone();
        self.findings.push(Finding { kind, breach, variant, plan, reference, tale });
        Ok(())
    }

    /// Records a finding as it is, unless enough breaches of its kind and law are already recorded.
    pub fn record_finding(&mut self, finding: Finding) {
        self.counts.entry(finding.kind).or_default().broken += 1;
        if self.keeps(finding.kind, &finding.breach) {
            self.findings.push(finding);
        }
    }

    fn keeps(&self, kind: VariantKind, breach: &Breach) -> bool {
        let alike = |finding: &&Finding| finding.kind == kind && finding.breach.law == breach.law;
        self.findings.iter().filter(alike).count() < self.limits.findings
    }
}

/// A breach with the runs that show it.
pub(crate) struct Broken {
    pub breach: Breach,
    pub plan: Plan,
    pub reference: Plan,
}
