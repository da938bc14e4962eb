//! Failures: each call of a provider goes wrong in each way, by itself or with a second one of those that follow, what is undone
//! included. What passes leaves the standing as it would have been.

use crate::explorer::{Broken, Explorer, VariantKind, Written};
use crate::law::Laws;
use crate::plan::{Fault, Plan};
use crate::stage::Mark;
use host_provider_api::Call;
use host_provider_api::scripted::{Entry, ScriptedAnswer};
use host_scenario::error::ReplayError;
use serde_json::Value;

/// How long time goes on after the end, in milliseconds, so that retries and what follows from them come to their end: three days.
const REST_MS: i64 = 3 * 24 * 3_600_000;
/// How late a late answer is, in milliseconds: an hour.
const LATE_MS: i64 = 3_600_000;
/// Answers in a row that are lost for good: more than any list of retries is long.
const LOST_FOR_GOOD: usize = 12;

/// A way in which a call goes wrong.
struct Way {
    name: &'static str,
    answer: fn() -> ScriptedAnswer,
    /// True if trying again brings it about.
    passes: bool,
    /// Calls in a row that go wrong so.
    calls: usize,
}

fn throttled() -> ScriptedAnswer {
    ScriptedAnswer::Retryable { code: "throttled".to_owned(), message: "too many requests".to_owned() }
}

fn refused() -> ScriptedAnswer {
    ScriptedAnswer::failed("refused", "the provider refused it")
}

fn late(then: ScriptedAnswer) -> ScriptedAnswer {
    ScriptedAnswer::Late { after_ms: LATE_MS, then: Box::new(then) }
}

const WAYS: [Way; 6] = [
    Way { name: "fails once", answer: throttled, passes: true, calls: 1 },
    Way { name: "is refused", answer: refused, passes: false, calls: 1 },
    Way { name: "is done, its answer lost", answer: || ScriptedAnswer::Lost, passes: true, calls: 1 },
    Way { name: "is done, every answer lost", answer: || ScriptedAnswer::Lost, passes: false, calls: LOST_FOR_GOOD },
    Way { name: "is answered an hour late", answer: || late(ScriptedAnswer::Ok(Value::Null)), passes: true, calls: 1 },
    Way { name: "is refused an hour late", answer: || late(refused()), passes: false, calls: 1 },
];

/// A call of the provider: in which act it was made, for which key, the how manieth for it.
struct Made {
    act: usize,
    key: String,
    call: usize,
    /// False where an answer that is late comes after the deadline.
    waits: bool,
}

impl Made {
    /// True where trying again, or waiting, brings it about.
    fn passes(&self, way: &Way) -> bool {
        way.passes && (self.waits || !matches!((way.answer)(), ScriptedAnswer::Late { .. }))
    }
}

pub(crate) fn explore(explorer: &mut Explorer<'_>, written: &Written, pairs: bool) -> Result<(), ReplayError> {
    let plan = Plan { rest_ms: REST_MS, ..written.plan.clone() };
    let rested = explorer.written(plan)?;
    let made = calls_of(explorer, &rested)?;
    for call in &made {
        for way in &WAYS {
            let faults = faults(call, way);
            let goes_on = match pairs {
                false => one(explorer, &rested, call, faults, way)?,
                true => two(explorer, &rested, call, &faults, way)?,
            };
            if !goes_on {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn faults(call: &Made, way: &Way) -> Vec<Fault> {
    let fault = |nth| Fault { key: call.key.clone(), call: call.call + nth, name: way.name, answer: (way.answer)() };
    (0..way.calls).map(fault).collect()
}

/// The calls of a run that succeeded, in order: what the story has fail fails in its own way. Those of the time after its last act
/// are made in an act behind it.
fn calls_of(explorer: &mut Explorer<'_>, run: &Written) -> Result<Vec<Made>, ReplayError> {
    explorer.stage.go_to(run.end.mark())?;
    let journal = explorer.stage.host().scripted().journal();
    Ok((0..journal.len()).filter_map(|number| made(&journal, number, &run.marks, 0)).collect())
}

/// A call of a journal that succeeded. The marks are those before the acts from one on, and that behind the last one.
fn made(journal: &[Entry], number: usize, marks: &[Mark], from: usize) -> Option<Made> {
    let Entry { call: Call { key, generation, deadline, .. }, answer: ScriptedAnswer::Ok(_) } = &journal[number] else {
        return None;
    };
    // What was done before a crash, or without being heard, is found again and not refused.
    let is_again = |before: &Entry| {
        let same = before.call.key == *key && before.call.generation == *generation;
        same && !matches!(before.answer, ScriptedAnswer::Retryable { .. } | ScriptedAnswer::Final { .. })
    };
    if journal[..number].iter().any(is_again) {
        return None;
    }
    let at = marks.iter().rposition(|mark| mark.calls() <= number)?;
    let late = marks[at].clock().saturating_add(2 * LATE_MS);
    Some(Made {
        act: from + at,
        key: key.clone(),
        call: journal[..number].iter().filter(|before| before.call.key == *key).count(),
        waits: deadline.is_none_or(|deadline| late < deadline),
    })
}

fn one(
    explorer: &mut Explorer<'_>,
    rested: &Written,
    call: &Made,
    faults: Vec<Fault>,
    way: &Way,
) -> Result<bool, ReplayError> {
    explorer.before(rested, call.act)?;
    faults.iter().for_each(|fault| explorer.stage.fault(fault));
    explorer.play(&rested.plan.acts[call.act..])?;
    explorer.stage.rest(rested.plan.rest_ms)?;
    judge(explorer, rested, faults, call.passes(way), VariantKind::Failures)
}

/// Every second call that goes wrong once the first one has.
fn two(
    explorer: &mut Explorer<'_>,
    rested: &Written,
    first: &Made,
    faults_of_first: &[Fault],
    way: &Way,
) -> Result<bool, ReplayError> {
    let plan = Plan { faults: faults_of_first.to_vec(), ..rested.plan.clone() };
    explorer.before(rested, first.act)?;
    faults_of_first.iter().for_each(|fault| explorer.stage.fault(fault));
    let mut marks = Vec::new();
    for act in &plan.acts[first.act..] {
        marks.push(explorer.stage.mark()?);
        explorer.stage.act(act)?;
    }
    marks.push(explorer.stage.mark()?);
    let at_first = rested.marks[first.act].calls();
    explorer.stage.rest(plan.rest_ms)?;
    let journal = explorer.stage.host().scripted().journal();
    for number in at_first..journal.len() {
        let Some(second) = made(&journal, number, &marks, first.act) else { continue };
        // What of the first one's own calls goes wrong anyway is no second fault.
        if faults_of_first.iter().any(|fault| fault.key == second.key && fault.call == second.call) {
            continue;
        }
        for other in &WAYS {
            let more = faults(&second, other);
            explorer.stage.go_to(&marks[second.act - first.act])?;
            more.iter().for_each(|fault| explorer.stage.fault(fault));
            explorer.play(&plan.acts[second.act..])?;
            explorer.stage.rest(plan.rest_ms)?;
            let both = [faults_of_first, &more].concat();
            if !judge(explorer, rested, both, first.passes(way) && second.passes(other), VariantKind::Pairs)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn judge(
    explorer: &mut Explorer<'_>,
    rested: &Written,
    faults: Vec<Fault>,
    passes: bool,
    kind: VariantKind,
) -> Result<bool, ReplayError> {
    // Who gave a command while something was late may have been told otherwise.
    let same_acts = explorer.stage.watched().outcomes == rested.end.mark().watched().outcomes;
    let laws = Laws { standing: passes && same_acts, names: true, ..Laws::default() };
    if let Some(breach) = rested.end.judge(&mut explorer.stage, laws)? {
        let mut told: Vec<String> = faults.iter().map(|fault| format!("{} {}", fault.key, fault.name)).collect();
        told.dedup();
        let plan = Plan { faults, ..rested.plan.clone() };
        let reference = rested.plan.clone();
        explorer.found(kind, told.join(", and "), Broken { breach, plan, reference }, laws)?;
    }
    Ok(explorer.judged(kind, 1, 1))
}
