//! GitHub annotations: an error per cause that is not allowed, at its first event, and a notice with the counts.

use super::human::{heading, verdict};
use crate::compare::{Comparison, Options};
use host_replay::report::github::{annotation, notice};

/// Returns the annotations, one per line. A difference in a log has no file.
pub fn github(comparison: &Comparison, options: &Options) -> String {
    let mut out = String::new();
    for cause in comparison.causes.iter().filter(|cause| !cause.allowed) {
        let first = &cause.first;
        let of = first.account.as_ref().map(|account| format!(" of {account}")).unwrap_or_default();
        let text = format!("{}\n{}{of}, {}\n{}", heading(cause), first.event, first.place, first.diff.trim_end());
        let title = format!("{} of {}", cause.key.field, cause.key.kind);
        annotation(&mut out, first.place.file(), &title, &text);
    }
    let (total, beyond) = (comparison.fuel.total(), comparison.fuel.beyond(options));
    if !beyond.is_empty() {
        let text = format!("{} -> {} ({}): too much for {}", total.old, total.new, total.more(), beyond.join(", "));
        annotation(&mut out, None, "fuel", &text);
    }
    notice(&mut out, "compare", &format!("{} -> {}: {}", comparison.old, comparison.new, verdict(comparison)));
    out
}
