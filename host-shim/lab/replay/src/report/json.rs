//! JSON lines: the contract of `--format json`.

use crate::line::{CaseLine, Line, StreamLine, Summary};
use crate::play::CaseReport;
use crate::run::Sink;
use host_scenario::model::Scenario;
use serde::Serialize;
use std::io::{self, Write};

/// A sink that writes one JSON object per line.
#[derive(Debug)]
pub struct Json<W> {
    out: W,
}

#[derive(Serialize)]
struct Case {
    case: CaseLine,
}

#[derive(Serialize)]
struct Stream<'a> {
    stream: &'a StreamLine,
}

#[derive(Serialize)]
struct End<'a> {
    summary: &'a Summary,
}

impl<W: Write> Json<W> {
    /// Returns a sink for a writer, which should be buffered.
    pub fn new(out: W) -> Self {
        Json { out }
    }

    fn write(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }
}

impl<W: Write> Sink for Json<W> {
    fn line(&mut self, line: &Line) -> io::Result<()> {
        self.write(line)
    }

    fn durable(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn cases(&mut self, scenario: &Scenario, reports: &[CaseReport]) -> io::Result<()> {
        reports.iter().try_for_each(|report| self.write(&Case { case: CaseLine::of(scenario, report) }))
    }

    fn stream(&mut self, stream: &StreamLine, _: &Summary) -> io::Result<()> {
        self.write(&Stream { stream })
    }

    fn end(&mut self, summary: &Summary) -> io::Result<()> {
        self.write(&End { summary })?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_match_the_contract() {
        let mut out = Vec::new();
        let mut json = Json::new(&mut out);
        let stream = StreamLine { source: "a.jsonl".into(), state: "ab".into() };
        json.stream(&stream, &Summary::default()).expect("written");
        json.end(&Summary { events: 1, applied: 1, state: "cd".into(), ..Summary::default() }).expect("written");
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            "{\"stream\":{\"source\":\"a.jsonl\",\"state\":\"ab\"}}\n{\"summary\":{\"events\":1,\"applied\":1,\"duplicate\":0,\
             \"stale\":0,\"ignored\":0,\"deferred\":0,\"rejected\":0,\"failed\":0,\"state\":\"cd\"}}\n"
        );
    }
}
