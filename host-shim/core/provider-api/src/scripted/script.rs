//! Selects the scripted answer or the fault that a call gets.

use super::ScriptedAnswer;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The answers by pattern, the faults by call, and the number of calls so far.
#[derive(Clone, Default)]
pub(super) struct Script {
    exact: Arc<BTreeMap<String, Vec<ScriptedAnswer>>>,
    globs: Arc<Vec<(String, Vec<ScriptedAnswer>)>>,
    /// Faults of single calls, by effect key and number of the call, from 0.
    faults: Arc<BTreeMap<(String, usize), ScriptedAnswer>>,
    /// Number of calls so far, by effect key.
    made: BTreeMap<String, usize>,
    /// Number of calls that consumed a scripted answer, by effect key.
    calls: BTreeMap<String, usize>,
    used: BTreeSet<String>,
}

impl Script {
    /// Sets the answers of a pattern. The next call for each of its keys gets the first of them.
    pub(super) fn set(&mut self, pattern: String, answers: Vec<ScriptedAnswer>) {
        if !pattern.contains('*') {
            self.calls.remove(&pattern);
            Arc::make_mut(&mut self.exact).insert(pattern, answers);
            return;
        }
        let globs = Arc::make_mut(&mut self.globs);
        match globs.iter_mut().find(|(known, _)| *known == pattern) {
            Some((_, list)) => *list = answers,
            None => globs.push((pattern.clone(), answers)),
        }
        let mut calls = std::mem::take(&mut self.calls);
        calls.retain(|key, _| self.pattern_for(key) != Some(&pattern));
        self.calls = calls;
    }

    pub(super) fn fault(&mut self, key: String, call: usize, answer: ScriptedAnswer) {
        Arc::make_mut(&mut self.faults).insert((key, call), answer);
    }

    /// Counts the next call for this key and returns its fault, if any.
    pub(super) fn next_fault(&mut self, key: &str) -> Option<ScriptedAnswer> {
        let made = self.made.entry(key.to_owned()).or_default();
        let call = *made;
        *made += 1;
        match self.faults.is_empty() {
            true => None,
            false => self.faults.get(&(key.to_owned(), call)).cloned(),
        }
    }

    /// Returns the scripted answer of the next call for this key, and consumes it if `use_up`; none without a script.
    pub(super) fn next(&mut self, key: &str, use_up: bool) -> Option<ScriptedAnswer> {
        let pattern = self.pattern_for(key)?.to_owned();
        let answers = match self.exact.get(&pattern) {
            Some(answers) => answers,
            None => self.globs.iter().find(|(known, _)| *known == pattern).map(|(_, answers)| answers)?,
        };
        let calls = self.calls.entry(key.to_owned()).or_default();
        let answer = answers.get(*calls).or(answers.last()).cloned();
        *calls += usize::from(use_up);
        self.used.insert(pattern);
        answer
    }

    /// Returns the pattern whose answers a call for this key gets; none without a script.
    pub(super) fn pattern_for(&self, key: &str) -> Option<&str> {
        match self.exact.get_key_value(key) {
            Some((exact, _)) => Some(exact),
            None => {
                self.globs.iter().map(|(pattern, _)| pattern.as_str()).find(|pattern| matches_pattern(pattern, key))
            }
        }
    }

    pub(super) fn unused(&self) -> Vec<String> {
        let patterns = self.exact.keys().chain(self.globs.iter().map(|(pattern, _)| pattern));
        patterns.filter(|pattern| !self.used.contains(*pattern)).cloned().collect()
    }
}

/// Returns true if `key` matches `pattern`, in which each `*` stands for zero or more characters.
fn matches_pattern(pattern: &str, key: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = key.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn each_call_consumes_one_answer_and_the_last_answer_repeats() {
        let mut script = Script::default();
        script.set("db/*".into(), vec![ScriptedAnswer::Lost, ScriptedAnswer::Ok(json!({}))]);
        assert_eq!(script.next("db/a", true), Some(ScriptedAnswer::Lost));
        assert_eq!(script.next("db/a", true), Some(ScriptedAnswer::Ok(json!({}))));
        assert_eq!(script.next("db/a", true), Some(ScriptedAnswer::Ok(json!({}))));
        assert_eq!(script.next("db/b", true), Some(ScriptedAnswer::Lost), "another key starts at the first answer");
        assert_eq!(script.next("cdn/b", true), None);
    }

    #[test]
    fn replaced_answers_begin_with_the_first() {
        let ok = |n| ScriptedAnswer::Ok(json!(n));
        for (pattern, other) in [("db/*", "db/b"), ("db/a", "db/b")] {
            let mut script = Script::default();
            script.set(pattern.into(), vec![ok(2), ok(3)]);
            script.set("*".into(), vec![ok(0), ok(1)]);
            let before = (script.next("db/a", true), script.next(other, true), script.next("cdn/a", true));
            assert_eq!((before.0, before.2), (Some(ok(2)), Some(ok(0))), "{pattern}");
            script.set(pattern.into(), vec![ok(4), ok(5)]);
            assert_eq!((script.next("db/a", true), script.next("db/a", true)), (Some(ok(4)), Some(ok(5))), "{pattern}");
            assert_eq!(script.next("cdn/a", true), Some(ok(1)), "a key of another pattern keeps its position");
        }
    }

    #[test]
    fn a_fault_hits_one_call_and_may_leave_the_answer_for_the_next() {
        let mut script = Script::default();
        let ok = |n| Some(ScriptedAnswer::Ok(json!(n)));
        script.set("db/*".into(), vec![ScriptedAnswer::Ok(json!(1)), ScriptedAnswer::Ok(json!(2))]);
        script.fault("db/a".into(), 1, ScriptedAnswer::Lost);
        let faults: Vec<_> = (0..3).map(|_| script.next_fault("db/a")).collect();
        assert_eq!(faults, [None, Some(ScriptedAnswer::Lost), None]);
        assert_eq!(script.next_fault("db/b"), None);
        assert_eq!(
            (script.next("db/a", false), script.next("db/a", true), script.next("db/a", true)),
            (ok(1), ok(1), ok(2))
        );
    }

    #[test]
    fn an_exact_key_wins_and_unused_patterns_are_listed() {
        let mut script = Script::default();
        script.set("*".into(), vec![ScriptedAnswer::Lost]);
        script.set("k".into(), vec![ScriptedAnswer::Never]);
        script.set("other".into(), vec![ScriptedAnswer::Never]);
        assert_eq!(script.next("k", true), Some(ScriptedAnswer::Never));
        assert_eq!(script.unused(), ["other", "*"]);
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, key) in [("*", ""), ("*", "a/b"), ("a*", "a"), ("*a", "ba"), ("a*b*c", "a-bb-c"), ("a*a", "aa")] {
            assert!(matches_pattern(pattern, key), "{pattern} {key}");
        }
        for (pattern, key) in [("a*a", "a"), ("a", "ab"), ("a*b", "a-c"), ("*ab*ab", "ab"), ("", "a")] {
            assert!(!matches_pattern(pattern, key), "{pattern} {key}");
        }
    }

    proptest! {
        #[test]
        fn a_key_matches_each_pattern_in_which_a_star_replaces_a_part_of_the_key(key in "[ab/]{0,12}", a in 0usize..12, b in 0usize..12) {
            let (from, to) = (a.min(b).min(key.len()), a.max(b).min(key.len()));
            let pattern = format!("{}*{}", &key[..from], &key[to..]);
            prop_assert!(matches_pattern(&pattern, &key));
        }
    }
}
