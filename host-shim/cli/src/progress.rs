//! How far long work is, on the error stream.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of one step, until it is told how many there are. On anything but a terminal it draws nothing.
pub(crate) fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    bar
}
