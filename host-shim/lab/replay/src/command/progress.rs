//! Progress bars on standard error. They draw only on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Returns a bar with one step; the caller sets the number of steps later.
pub fn bar() -> ProgressBar {
    drawn(Some(1), "{bar:40} {pos}/{len} {elapsed}")
}

/// Returns a bar with a known number of steps and their name.
pub fn bar_of(steps: u64, name: &str) -> ProgressBar {
    drawn(Some(steps), &format!("{{bar:40}} {{pos}}/{{len}} {name} {{elapsed}}"))
}

/// Returns a spinner that counts steps, for a number of steps that is unknown beforehand. A message may follow the name.
pub fn count_of(name: &str) -> ProgressBar {
    drawn(None, &format!("{{spinner}} {{pos}} {name} {{msg}} {{elapsed}}"))
}

/// Returns a spinner that turns on its own.
pub fn spinner() -> ProgressBar {
    let spinner = drawn(None, "{spinner}");
    spinner.enable_steady_tick(std::time::Duration::from_millis(100));
    spinner
}

fn drawn(steps: Option<u64>, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(steps, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
