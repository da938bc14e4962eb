//! Profiles the component: a flamegraph and a list of its functions.

use crate::What;
use crate::account;
use crate::event;
use crate::setting::{Extension, Setting};
use crate::story::{self, Story};
use anyhow::{Context, Result, bail, ensure};
use host_explore::profile::flamegraph::draw;
use host_explore::profile::stacks::{Stacks, functions, readable};
use std::fs::File;
use std::path::Path;

/// Number of customers in the story.
const CUSTOMERS: usize = 1000;
/// Number of listed functions.
const LISTED: usize = 40;
/// Minimum number of samples.
const SAMPLES_MIN: u64 = 200;

/// Runs a measurement with reused component instances, samples the stack, and draws a flamegraph.
pub fn run(setting: &Setting, what: What, file: &Path) -> Result<()> {
    let (setting, samples) = setting.sampled()?;
    eprintln!("profiling: {what:?} ({})", setting.component.display());
    match what {
        What::Event => {
            event::parts(&setting, Extension::Reused)?;
        }
        What::Story => {
            let story = Story::load(&setting.fixtures)?;
            story::play(&setting, Extension::Reused, &story, setting.pick(CUSTOMERS, CUSTOMERS / 4))?;
        }
        What::Account => account::large(&setting)?,
        other => bail!("`{other:?}` can't be profiled, expected `event`, `account` or `story`"),
    }
    let stacks = samples.stacks();
    let seen: u64 = stacks.values().sum();
    ensure!(seen >= SAMPLES_MIN, "{seen} stack samples, expected at least {SAMPLES_MIN}: run without `--quick`");
    let stacks = readable(stacks);
    let out = File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    draw(&stacks, "The component, by samples of its stack", "samples", out)
        .with_context(|| format!("cannot draw {}", file.display()))?;
    print!("{}", list(&stacks, seen));
    println!("{}", file.display());
    Ok(())
}

/// The functions with the most samples, with and without their callees.
fn list(stacks: &Stacks, seen: u64) -> String {
    let share = |times: u64| 100.0 * times as f64 / seen as f64;
    let mut out = format!("{seen} samples\n  with calls   alone\n");
    for function in functions(stacks, 0).into_iter().take(LISTED) {
        out.push_str(&format!(
            "  {:8.1} % {:4.1} %  {}\n",
            share(function.within),
            share(function.alone),
            function.name
        ));
    }
    out
}
