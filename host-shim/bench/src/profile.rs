//! Where the component's time goes: a flamegraph of its functions, and the same as a short list.

use crate::What;
use crate::event;
use crate::setting::{Extension, Setting};
use crate::story::{self, Story};
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

/// Customers of the story.
const CUSTOMERS: usize = 1000;
/// Functions on the list.
const LISTED: usize = 40;
/// Fewer looks than this say nothing.
const SAMPLES_MIN: u64 = 200;

/// Run what is measured with reused instances of the component, look at its stack meanwhile, and draw it.
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
        other => bail!("`{other:?}` can't be profiled, expected `event` or `story`"),
    }
    let stacks = samples.stacks();
    let seen: u64 = stacks.values().sum();
    ensure!(seen >= SAMPLES_MIN, "the stack was seen {seen} times, expected {SAMPLES_MIN}: leave `--quick` out");
    let stacks: BTreeMap<Vec<String>, u64> =
        stacks.into_iter().map(|(stack, times)| (stack.iter().map(|name| readable(name)).collect(), times)).collect();
    draw(&stacks, file)?;
    print!("{}", list(&stacks, seen));
    println!("{}", file.display());
    Ok(())
}

/// A function's name without the compiler's hash.
fn readable(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

fn draw(stacks: &BTreeMap<Vec<String>, u64>, file: &Path) -> Result<()> {
    let lines: Vec<String> = stacks.iter().map(|(stack, times)| format!("{} {times}", stack.join(";"))).collect();
    let mut options = inferno::flamegraph::Options::default();
    options.title = "The component, by samples of its stack".to_owned();
    options.count_name = "samples".to_owned();
    let out = File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    inferno::flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), out)
        .with_context(|| format!("cannot draw {}", file.display()))
}

/// The functions in which most of the time went by: with what they call, and alone.
fn list(stacks: &BTreeMap<Vec<String>, u64>, seen: u64) -> String {
    let (mut within, mut alone): (BTreeMap<&str, u64>, BTreeMap<&str, u64>) = Default::default();
    for (stack, times) in stacks {
        for name in stack.iter().map(String::as_str).collect::<BTreeSet<_>>() {
            *within.entry(name).or_default() += times;
        }
        if let Some(last) = stack.last() {
            *alone.entry(last).or_default() += times;
        }
    }
    let mut names: Vec<(&str, u64)> = within.into_iter().collect();
    names.sort_unstable_by_key(|(name, times)| (std::cmp::Reverse(*times), *name));
    let share = |times: u64| 100.0 * times as f64 / seen as f64;
    let mut out = format!("{seen} samples\n  with calls   alone\n");
    for (name, times) in names.into_iter().take(LISTED) {
        let own = share(alone.get(name).copied().unwrap_or(0));
        out.push_str(&format!("  {:8.1} % {own:4.1} %  {name}\n", share(times)));
    }
    out
}
