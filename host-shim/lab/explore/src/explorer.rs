//! One story, its written run, and what its variants showed.

use crate::law::{Breach, Laws, Reference};
use crate::plan::{Act, Plan};
use crate::shrink::shrink;
use crate::stage::{Mark, Stage};
use crate::tale::Tale;
use host_scenario::error::ReplayError;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// A way in which a run differs from the story as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VariantKind {
    /// Nothing differs.
    Written,
    /// Events of providers come in another order.
    Orders,
    /// An event comes again.
    Repeats,
    /// An event is lost and comes at the end.
    Drops,
    /// A call of a provider fails, or its answer is lost or late.
    Failures,
    /// Two calls do.
    Pairs,
    /// The host is killed at a write.
    Crashes,
}

impl VariantKind {
    /// All that a caller may ask for, in the order in which they are played.
    pub const ALL: [VariantKind; 6] = [
        VariantKind::Orders,
        VariantKind::Repeats,
        VariantKind::Drops,
        VariantKind::Failures,
        VariantKind::Crashes,
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
        })
    }
}

/// How many variants there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Variants that were judged, each by itself or together with others that came to the same point.
    pub variants: u64,
    /// Runs that were carried to an end of their own.
    pub runs: u64,
    /// Variants that broke a law.
    pub broken: u64,
}

/// A law that a variant broke, in its shortest form.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which kind of variant.
    pub kind: VariantKind,
    /// The law, and how it broke.
    pub breach: Breach,
    /// The variant, in words.
    pub variant: String,
    /// The shortest story that breaks the same law.
    pub plan: Plan,
    /// The story that it is held to.
    pub reference: Plan,
}

impl Finding {
    /// The step of the story at which it breaks: where the host is killed, else the last one that it takes. None if it takes
    /// no step.
    pub fn step(&self) -> Option<usize> {
        let acts = &self.plan.acts;
        acts.iter().find(|act| act.kill.is_some()).or(acts.last()).map(|act| act.step)
    }
}

/// What is explored, and how far.
#[derive(Clone, Debug)]
pub struct ExploreLimits {
    /// Which kinds.
    pub kinds: Vec<VariantKind>,
    /// Where sampled orders begin.
    pub seed: u64,
    /// Orders that are sampled where there are too many to try all.
    pub samples: usize,
    /// Events of which all orders are tried.
    pub all_orders_of: usize,
    /// Findings of a kind and a law that are kept.
    pub findings: usize,
}

impl Default for ExploreLimits {
    fn default() -> Self {
        let kinds = VariantKind::ALL.into_iter().filter(|kind| *kind != VariantKind::Pairs).collect();
        ExploreLimits { kinds, seed: 1, samples: 720, all_orders_of: 6, findings: 1 }
    }
}

/// Who is told how far it is, and says when to stop.
pub trait Watch: Sync {
    /// So many variants more were judged; false ends the exploration.
    fn goes_on(&self, variants: u64) -> bool;
}

/// Goes on to the end.
pub struct ToTheEnd;

impl Watch for ToTheEnd {
    fn goes_on(&self, _: u64) -> bool {
        true
    }
}

/// What came of one story.
#[derive(Clone, Debug)]
pub struct Explored {
    /// Name and API version.
    pub name: String,
    /// Counts by kind.
    pub counts: BTreeMap<VariantKind, Counts>,
    /// Decisions that were made.
    pub decisions: u64,
    /// What broke.
    pub findings: Vec<Finding>,
    /// True if it was ended before all variants were played.
    pub ended_early: bool,
}

/// The story as it is written: a point before each act, and the end.
pub(crate) struct Written {
    pub plan: Plan,
    /// Before each act, and after the last one.
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
    stopped: bool,
}

/// Plays the variants of a story.
pub fn explore(tale: &Tale, limits: &ExploreLimits, watch: &dyn Watch) -> Result<Explored, ReplayError> {
    let stage = Stage::start(tale)?;
    let start = stage.mark()?;
    let mut explorer =
        Explorer { stage, limits, watch, start, counts: BTreeMap::new(), findings: Vec::new(), stopped: false };
    let written = explorer.written(Plan::written(&tale.scenario, &tale.case))?;
    for kind in &limits.kinds {
        match kind {
            VariantKind::Orders => crate::orders::explore(&mut explorer, &written)?,
            VariantKind::Repeats => crate::repeats::explore(&mut explorer, &written)?,
            VariantKind::Drops => crate::drops::explore(&mut explorer, &written)?,
            VariantKind::Failures => crate::failures::explore(&mut explorer, &written, false)?,
            VariantKind::Pairs => crate::failures::explore(&mut explorer, &written, true)?,
            VariantKind::Crashes => crate::crashes::explore(&mut explorer, &written)?,
            VariantKind::Written => {}
        }
    }
    Ok(Explored {
        name: tale.name(),
        counts: explorer.counts,
        decisions: explorer.stage.decisions(),
        findings: explorer.findings,
        ended_early: explorer.stopped,
    })
}

impl Explorer<'_> {
    /// Plays a plan from the beginning and keeps its points.
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

    /// Goes back to before an act of the written story, or to its end before the rest.
    pub fn before(&mut self, written: &Written, act: usize) -> Result<(), ReplayError> {
        self.stage.go_to(&written.marks[act])
    }

    /// Plays acts from where the stage stands. A run that can't go on is a finding by its error.
    pub fn play(&mut self, acts: &[Act]) -> Result<(), ReplayError> {
        acts.iter().try_for_each(|act| self.stage.act(act))
    }

    /// So many variants were judged, by so many runs; false where the exploration is to end.
    pub fn judged(&mut self, kind: VariantKind, variants: u64, runs: u64) -> bool {
        let counts = self.counts.entry(kind).or_default();
        counts.variants += variants;
        counts.runs += runs;
        self.stopped |= !self.watch.goes_on(variants);
        !self.stopped
    }

    /// True once the exploration is to end.
    pub fn is_over(&self) -> bool {
        self.stopped
    }

    /// A variant broke a law: it is kept in its shortest form, unless there are enough of its kind.
    pub fn found(&mut self, kind: VariantKind, variant: String, case: Broken, laws: Laws) -> Result<(), ReplayError> {
        let Broken { breach, plan, reference } = case;
        self.counts.entry(kind).or_default().broken += 1;
        let alike = |finding: &&Finding| finding.kind == kind && finding.breach.law == breach.law;
        if self.findings.iter().filter(alike).count() >= self.limits.findings {
            return Ok(());
        }
        let (reference, plan, breach) = shrink(&mut self.stage, &self.start, (reference, plan, breach), laws)?;
        self.findings.push(Finding { kind, breach, variant, plan, reference });
        Ok(())
    }
}

/// A breach with the runs that show it.
pub(crate) struct Broken {
    pub breach: Breach,
    pub plan: Plan,
    pub reference: Plan,
}
