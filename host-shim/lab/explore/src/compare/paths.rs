//! Runs scenarios and raw streams through two components.

use crate::compare::causes::Grouper;
use crate::compare::lockstep::{Lockstep, Side};
use crate::compare::moment::Moment;
use crate::compare::place::EventPlace;
use crate::compare::{Comparison, Options, Progress, Step, Story};
use extension_contract::Account;
use host_replay::inputs::{Input, RawInput, collect};
use host_replay::library::{Library, Ready};
use host_replay::play::{PlayOptions, play_watched};
use host_replay::rig::{Rig, RigSetup, StoreKind};
use host_replay::runners::Runners;
use host_scenario::business::{BusinessFolder, business_in};
use host_scenario::error::{Place, ReplayError};
use host_scenario::model::Scenario;
use host_scenario::prepare::Case;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Compares two components with all inputs in `paths`. All files are checked before the first event is applied.
///
/// # Errors
///
/// Fails if a path or a file is invalid, or OLD refuses a business. If only NEW refuses the business, that is a
/// difference.
pub fn compare(
    library: &mut Library<'_>,
    paths: &[PathBuf],
    options: &Options,
    progress: &mut Progress<'_>,
) -> Result<Comparison, ReplayError> {
    let inputs = collect(paths)?;
    if inputs.contains(&Input::Stdin) {
        return Err(ReplayError::Usage(
            "standard input can be read once only; compare needs files or --store".to_owned(),
        ));
    }
    let mut ready = Vec::with_capacity(inputs.len());
    for input in &inputs {
        let mut found = library.ready(input, &mut std::io::empty())?;
        if let Ready::Scenario(story) = &mut found {
            story.cases.retain(|case| options.only.is_empty() || options.only.contains(&case.version));
        }
        ready.push((input.source(), found));
    }
    let work = ready.iter().map(|(_, ready)| match ready {
        Ready::Scenario(story) => story.cases.len() as u64,
        Ready::Raw { .. } => 1,
    });
    let work = work.sum();
    if work == 0 {
        let only = options.only.join(", ");
        return Err(ReplayError::Usage(format!(
            "nothing is played in API version {only}; expected a version of the scenarios"
        )));
    }
    progress(Step::Of(work));
    let mut grouper = Grouper::new(&options.allow);
    let (mut stories, mut of_old) = (Vec::new(), BusinessesOfOld { options, known: BTreeMap::new() });
    for (source, ready) in ready {
        match ready {
            Ready::Scenario(ready) => {
                let [before, now] = of_old.both(&ready.business)?;
                for case in &ready.cases {
                    grouper.begin_case();
                    both(&ready.scenario, case, [&before, &now], options, &mut grouper)?;
                    if let Some((step, cause, _)) = grouper.first_of_case().cloned() {
                        let (scenario, version, business) =
                            ((*ready.scenario).clone(), Some(case.version.clone()), ready.business.clone());
                        stories.push(Story { scenario, version, business, step, cause });
                    }
                    progress(Step::Done(1));
                }
            }
            Ready::Raw { raw, business } => {
                grouper.begin_case();
                let [before, now] = of_old.both(&business)?;
                stream(&source, &raw, [&before, &now], options, &mut grouper)?;
                progress(Step::Done(1));
            }
        }
    }
    let (old, new) = (options.old.name().to_owned(), options.new.name().to_owned());
    let (causes, fuel, runs) = grouper.into_parts();
    Ok(Comparison { old, new, cases: work, runs, causes, fuel, record: None, stories })
}

/// The businesses as OLD reads them, each read once.
struct BusinessesOfOld<'o> {
    options: &'o Options,
    known: BTreeMap<String, Arc<BusinessFolder>>,
}

impl BusinessesOfOld<'_> {
    /// Returns a business as OLD and as NEW read it. Fails if OLD's folder does not have it, or a file there is invalid.
    fn both(&mut self, business: &Arc<BusinessFolder>) -> Result<[Arc<BusinessFolder>; 2], ReplayError> {
        let Some(folder) = &self.options.old_businesses else { return Ok([business.clone(), business.clone()]) };
        let old = match self.known.get(&business.name) {
            Some(known) => known.clone(),
            None => {
                let found = business_in(folder, &business.name)?;
                let folder = found.unwrap_or_else(|| folder.join(&business.name));
                let old = Arc::new(BusinessFolder::load(&folder)?);
                self.known.insert(business.name.clone(), old.clone());
                old
            }
        };
        Ok([old, business.clone()])
    }
}

/// Runs one case through both components, with the business as OLD and as NEW read it.
pub(crate) fn both(
    scenario: &Scenario,
    case: &Case,
    [of_old, of_new]: [&BusinessFolder; 2],
    options: &Options,
    grouper: &mut Grouper<'_>,
) -> Result<(), ReplayError> {
    let old = moments(scenario, case, of_old, &options.old)?;
    let place = |step: usize| {
        let line = scenario.steps.get(step).map_or(0, |step| step.line);
        EventPlace::Step { place: Place::line(&scenario.file, line), version: case.version.clone() }
    };
    let new = match moments(scenario, case, of_new, &options.new) {
        Ok(new) => new,
        Err(error @ (ReplayError::Store(_) | ReplayError::File { .. })) => return Err(error),
        Err(refused) => {
            grouper.refused(&place(0), &refused.messages().join("\n"));
            return Ok(());
        }
    };
    for ((step, old), (_, new)) in old.iter().zip(&new) {
        grouper.compare_moments(&place(*step), *step, old, new);
    }
    Ok(())
}

/// The moment after each step of a case.
pub(crate) fn moments(
    scenario: &Scenario,
    case: &Case,
    business: &BusinessFolder,
    runners: &Runners,
) -> Result<Vec<(usize, Moment)>, ReplayError> {
    let options = PlayOptions::new(runners.clone());
    // The catalog is loaded before the first step, so the platform is compared at the first step.
    let mut accounts = BTreeSet::from([Account::Platform]);
    let mut found = Vec::with_capacity(scenario.steps.len());
    play_watched(scenario, case, business, &options, &mut |stepped| {
        accounts.extend(stepped.reports.iter().filter_map(|report| report.account.clone()));
        let Some(step) = stepped.step else { return Ok(()) };
        found.push((step, Moment::of(stepped.host.processor(), stepped.reports, &accounts)?));
        if !stepped.reports.iter().any(|report| report.account == Some(Account::Platform)) {
            accounts.remove(&Account::Platform);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Runs a raw stream through both components. As in a replay, effects succeed and no timer fires.
fn stream(
    source: &str,
    raw: &RawInput,
    [of_old, of_new]: [&BusinessFolder; 2],
    options: &Options,
    grouper: &mut Grouper<'_>,
) -> Result<(), ReplayError> {
    let clock = raw.newest.unwrap_or(0);
    let mut modes: [Option<Lockstep<Rig>>; 2] = [None, None];
    for (number, event) in raw.events().enumerate() {
        let decoded = event?;
        let livemode = decoded.event.livemode == Some(true);
        let place = EventPlace::Raw { file: PathBuf::from(source), number: number + 1 };
        let mode = &mut modes[usize::from(livemode)];
        let lockstep = match mode {
            Some(lockstep) => lockstep,
            None => {
                let start = |runners: &Runners, business: &BusinessFolder| {
                    Side::new(runners, |runners| {
                        let config = Vec::new();
                        let (business, store) = (business.clone(), StoreKind::Memory);
                        let mut host =
                            Rig::start(RigSetup { business, livemode, config, runners, store, clock, live: None })?;
                        host.set_fire_timers(false);
                        Ok(host)
                    })
                };
                let old = start(&options.old, of_old)?;
                match start(&options.new, of_new) {
                    Ok(new) => mode.insert(Lockstep::new(old, new)),
                    Err(error @ (ReplayError::Store(_) | ReplayError::File { .. })) => return Err(error),
                    Err(refused) => {
                        grouper.refused(&place, &refused.messages().join("\n"));
                        return Ok(());
                    }
                }
            }
        };
        lockstep.step(&place, number, grouper, |host| {
            let delivered = host.deliver(decoded.clone(), clock)?;
            Ok([delivered.first].into_iter().chain(delivered.following).collect())
        })?;
    }
    Ok(())
}
