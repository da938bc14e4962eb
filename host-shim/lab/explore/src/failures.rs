//! Failures: makes each provider call fail in every way, alone or (pairs) together with a later call. Calls that undo
//! earlier effects are made to fail as well. After transient failures, the standing must equal that of the written
//! story.

use crate::explorer::{Broken, Explorer, VariantKind, Written};
use crate::law::Laws;
use crate::plan::{Fault, Plan};
use crate::stage::Mark;
use host_provider_api::Call;
use host_provider_api::scripted::{Entry, ScriptedAnswer};
use host_scenario::error::ReplayError;
use serde_json::Value;

/// Time that passes after the end, so that retries and their effects can finish: three days, in milliseconds.
const REST_MS: i64 = 3 * 24 * 3_600_000;
/// Delay of a late answer: one hour, in milliseconds.
const LATE_MS: i64 = 3_600_000;
/// A number of lost answers that exceeds every retry schedule.
const LOST_FOR_GOOD: usize = 12;

/// How a call fails.
struct FailureMode {
    name: &'static str,
    answer: fn() -> ScriptedAnswer,
    /// True if a retry succeeds.
    passes: bool,
    /// Number of consecutive calls that fail.
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

const FAILURE_MODES: [FailureMode; 6] = [
    FailureMode { name: "fails once", answer: throttled, passes: true, calls: 1 },
    FailureMode { name: "is refused", answer: refused, passes: false, calls: 1 },
    FailureMode { name: "succeeds, its answer is lost", answer: || ScriptedAnswer::Lost, passes: true, calls: 1 },
    FailureMode {
        name: "succeeds, every answer is lost",
        answer: || ScriptedAnswer::Lost,
        passes: false,
        calls: LOST_FOR_GOOD,
    },
    FailureMode {
        name: "is answered one hour late",
        answer: || late(ScriptedAnswer::Ok(Value::Null)),
        passes: true,
        calls: 1,
    },
    FailureMode { name: "is refused one hour late", answer: || late(refused()), passes: false, calls: 1 },
];

/// A provider call of a run: its act, the effect's key, and the number of the call for that key, from 0.
struct ProviderCall {
    act: usize,
    key: String,
    call: usize,
    /// False if a late answer would arrive after the deadline.
    waits: bool,
}

impl ProviderCall {
    /// True if a retry or waiting succeeds.
    fn passes(&self, mode: &FailureMode) -> bool {
        mode.passes && (self.waits || !matches!((mode.answer)(), ScriptedAnswer::Late { .. }))
    }
}

pub(crate) fn explore(explorer: &mut Explorer<'_>, written: &Written, pairs: bool) -> Result<(), ReplayError> {
    let plan = Plan { rest_ms: REST_MS, ..written.plan.clone() };
    let rested = explorer.written(plan)?;
    let calls = explorer.limits.sampled(calls_of(explorer, &rested)?);
    // Two delays together can move a call that fails in the written story ahead of something that it depends on.
    let comparable = !pairs || !fails(explorer, &rested)?;
    for call in &calls {
        for mode in &FAILURE_MODES {
            let faults = faults(call, mode);
            let goes_on = match pairs {
                false => single_failure(explorer, &rested, call, faults, mode)?,
                true => failure_pairs(explorer, &rested, call, (&faults, mode), comparable)?,
            };
            if !goes_on {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn faults(call: &ProviderCall, mode: &FailureMode) -> Vec<Fault> {
    let fault = |nth| Fault { key: call.key.clone(), call: call.call + nth, name: mode.name, answer: (mode.answer)() };
    (0..mode.calls).map(fault).collect()
}

/// The successful calls of a run, in order. Leaves out calls that fail in the written story. The `act` of calls after
/// the last act is the number of acts.
fn calls_of(explorer: &mut Explorer<'_>, run: &Written) -> Result<Vec<ProviderCall>, ReplayError> {
    explorer.stage.go_to(run.end.mark())?;
    let journal = explorer.stage.host().scripted().journal();
    Ok((0..journal.len()).filter_map(|number| provider_call(&journal, number, &run.marks, 0)).collect())
}

/// Returns whether a call in a run is refused, or an answer is lost.
fn fails(explorer: &mut Explorer<'_>, run: &Written) -> Result<bool, ReplayError> {
    explorer.stage.go_to(run.end.mark())?;
    let journal = explorer.stage.host().scripted().journal();
    let has_failed = |entry: &Entry| matches!(entry.answer, ScriptedAnswer::Final { .. } | ScriptedAnswer::Lost);
    Ok(journal.iter().any(has_failed))
}

/// The call of journal entry `number`; None if the call failed or repeats a finished call. `marks` are the marks before
/// the acts, beginning with act number `from`, and the mark after the last act.
fn provider_call(journal: &[Entry], number: usize, marks: &[Mark], from: usize) -> Option<ProviderCall> {
    let Entry { call: Call { key, generation, deadline, .. }, answer: ScriptedAnswer::Ok(_) } = &journal[number] else {
        return None;
    };
    // A repeated call of a finished operation (after a crash or a lost answer) finds the result and can't be refused.
    let is_again = |before: &Entry| {
        let same = before.call.key == *key && before.call.generation == *generation;
        same && !matches!(before.answer, ScriptedAnswer::Retryable { .. } | ScriptedAnswer::Final { .. })
    };
    if journal[..number].iter().any(is_again) {
        return None;
    }
    let at = marks.iter().rposition(|mark| mark.calls() <= number)?;
    let late = marks[at].clock().saturating_add(2 * LATE_MS);
    Some(ProviderCall {
        act: from + at,
        key: key.clone(),
        call: journal[..number].iter().filter(|before| before.call.key == *key).count(),
        waits: deadline.is_none_or(|deadline| late < deadline),
    })
}

fn single_failure(
    explorer: &mut Explorer<'_>,
    rested: &Written,
    call: &ProviderCall,
    faults: Vec<Fault>,
    mode: &FailureMode,
) -> Result<bool, ReplayError> {
    explorer.before(rested, call.act)?;
    faults.iter().for_each(|fault| explorer.stage.fault(fault));
    explorer.play(&rested.plan.acts[call.act..])?;
    explorer.stage.rest(rested.plan.rest_ms)?;
    judge(explorer, rested, faults, call.passes(mode), VariantKind::Failures)
}

/// Makes each call after the failed first call fail as well, one at a time.
fn failure_pairs(
    explorer: &mut Explorer<'_>,
    rested: &Written,
    first: &ProviderCall,
    (faults_of_first, mode): (&[Fault], &FailureMode),
    comparable: bool,
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
        let Some(second) = provider_call(&journal, number, &marks, first.act) else { continue };
        // A call that already fails because of the first failure is not a second failure.
        if faults_of_first.iter().any(|fault| fault.key == second.key && fault.call == second.call) {
            continue;
        }
        for other in &FAILURE_MODES {
            let more = faults(&second, other);
            explorer.stage.go_to(&marks[second.act - first.act])?;
            more.iter().for_each(|fault| explorer.stage.fault(fault));
            explorer.play(&plan.acts[second.act..])?;
            explorer.stage.rest(plan.rest_ms)?;
            let both = [faults_of_first, &more].concat();
            let passes = comparable && first.passes(mode) && second.passes(other);
            if !judge(explorer, rested, both, passes, VariantKind::Pairs)? {
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
    // A command sent during the delay may rightly have had a different outcome.
    let same_acts = explorer.stage.watched().outcomes == rested.end.mark().watched().outcomes;
    let laws = Laws { standing: passes && same_acts, names: true, ..Laws::default() };
    if let Some(breach) = rested.end.judge(&mut explorer.stage, laws)? {
        let mut descriptions: Vec<String> =
            faults.iter().map(|fault| format!("{} {}", fault.key, fault.name)).collect();
        descriptions.dedup();
        let plan = Plan { faults, ..rested.plan.clone() };
        let reference = rested.plan.clone();
        explorer.record_breach(kind, descriptions.join(", and "), Broken { breach, plan, reference }, laws)?;
    }
    Ok(explorer.count_variants(kind, 1, 1))
}
