//! GitHub Actions annotations: an error for each failure, at its file and line, and a notice with the counts.

use super::{failures, missing_answers, needing};
use crate::run::Finished;
use host_scenario::error::BadInput;
use std::path::Path;

/// Returns the annotations of a replay, one per line.
pub fn github(finished: &Finished) -> String {
    let mut out = String::new();
    let told = failures(&finished.cases);
    for told in &told {
        let failure = &told.failure;
        let text = match failure.diff.is_empty() {
            true => failure.title.clone(),
            false => format!("{}\n{}", failure.title, failure.diff.trim_end()),
        };
        annotation(&mut out, Some((&failure.file, failure.line)), &told.heading(), &text);
    }
    for raw in &finished.raw {
        if raw.failed > 0 {
            let text = format!("{} of {} events ended without an outcome", raw.failed, raw.events);
            annotation(&mut out, Some((Path::new(&raw.source), 0)), "raw events", &text);
        }
        out.push_str(&raw.bad.iter().map(mistake).collect::<String>());
    }
    for case in finished.cases.iter().filter(|case| case.needs_answers()) {
        notice(&mut out, &case.name, &missing_answers(&case.passed_over));
    }
    let count = |status: &str| finished.cases.iter().filter(|case| case.status() == status).count();
    let mut parts = Vec::new();
    if !finished.cases.is_empty() {
        let (held, failed, known) = (count("held"), count("failed"), count("known"));
        let missing = match count("needs-answers") {
            0 => String::new(),
            number => format!(", {}", needing(number as u64)),
        };
        let all = finished.cases.len();
        parts.push(format!("{all} cases: {held} held, {failed} failed, {known} known to fail{missing}"));
    }
    let summary = &finished.summary;
    parts.push(format!("{} events, {} without outcome", summary.events, summary.failed));
    parts.push(format!("state {}", summary.state));
    notice(&mut out, "replay", &parts.join("; "));
    out
}

/// Returns the annotation of a mistake in a file, as one line.
pub fn mistake(bad: &BadInput) -> String {
    let mut out = String::new();
    let pointer = bad.place.pointer.as_ref().map_or_else(String::new, |pointer| format!("{pointer}: "));
    let guess = bad.guess.as_ref().map_or_else(String::new, |guess| format!("; did you mean `{guess}`?"));
    let text = format!("{pointer}{}; expected {}{guess}", bad.problem, bad.expected);
    annotation(&mut out, Some((&bad.place.file, bad.place.line)), "mistake", &text);
    out
}

/// Adds a notice, as one line.
pub fn notice(out: &mut String, title: &str, text: &str) {
    out.push_str(&format!("::notice title={}::{}\n", property(title), message(text)));
}

/// Adds an error, as one line. Line 0 in `place` means the whole file.
pub fn annotation(out: &mut String, place: Option<(&Path, usize)>, title: &str, text: &str) {
    let mut properties = Vec::new();
    if let Some((file, line)) = place {
        properties.push(format!("file={}", property(&file.display().to_string())));
        properties.extend((line > 0).then(|| format!("line={line}")));
    }
    properties.push(format!("title={}", property(title)));
    out.push_str(&format!("::error {}::{}\n", properties.join(","), message(text)));
}

/// Escapes the message of an annotation, which follows `::`.
fn message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of an annotation's property, which ends at a comma or colon.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_scenario::error::Place;

    #[test]
    fn separators_of_lines_and_properties_are_escaped() {
        let mut out = String::new();
        annotation(&mut out, Some((Path::new("a:b,c.yml"), 7)), "50 %, at 12:00", "100 %\r\n: a, b");
        assert_eq!(out, "::error file=a%3Ab%2Cc.yml,line=7,title=50 %25%2C at 12%3A00::100 %25%0D%0A: a, b\n");
        let mut out = String::new();
        annotation(&mut out, Some((Path::new("a.yml"), 0)), "t", "x");
        notice(&mut out, "a: b", "c");
        assert_eq!(out, "::error file=a.yml,title=t::x\n::notice title=a%3A b::c\n");
    }

    #[test]
    fn a_mistake_is_annotated_at_its_line() {
        let bad = BadInput::new(Place::line(Path::new("catalog.yml"), 12), "unknown field `grnats`", "one of a, b");
        assert_eq!(
            mistake(&bad),
            "::error file=catalog.yml,line=12,title=mistake::unknown field `grnats`; expected one of a, b\n"
        );
    }
}
