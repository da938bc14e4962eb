//! Which answer a call gets.

use super::ScriptedAnswer;
use std::collections::{BTreeMap, BTreeSet};

/// Lists of answers by pattern.
#[derive(Default)]
pub(super) struct Script {
    exact: BTreeMap<String, Vec<ScriptedAnswer>>,
    globs: Vec<(String, Vec<ScriptedAnswer>)>,
    /// Calls so far, by effect key.
    calls: BTreeMap<String, usize>,
    used: BTreeSet<String>,
}

impl Script {
    pub(super) fn set(&mut self, pattern: String, answers: Vec<ScriptedAnswer>) {
        if !pattern.contains('*') {
            self.exact.insert(pattern, answers);
        } else if let Some((_, list)) = self.globs.iter_mut().find(|(known, _)| *known == pattern) {
            *list = answers;
        } else {
            self.globs.push((pattern, answers));
        }
    }

    /// The answer of the next call for this key; none if the script does not say.
    pub(super) fn next(&mut self, key: &str) -> Option<ScriptedAnswer> {
        let (pattern, answers) = match self.exact.get_key_value(key) {
            Some((pattern, answers)) => (pattern, answers),
            None => {
                let (pattern, answers) = self.globs.iter().find(|(pattern, _)| fits(pattern, key))?;
                (pattern, answers)
            }
        };
        let calls = self.calls.entry(key.to_owned()).or_default();
        let answer = answers.get(*calls).or(answers.last()).cloned();
        *calls += 1;
        self.used.insert(pattern.clone());
        answer
    }

    pub(super) fn unused(&self) -> Vec<String> {
        let patterns = self.exact.keys().chain(self.globs.iter().map(|(pattern, _)| pattern));
        patterns.filter(|pattern| !self.used.contains(*pattern)).cloned().collect()
    }
}

/// True if `key` fits `pattern`, in which each `*` stands for any characters, also none.
fn fits(pattern: &str, key: &str) -> bool {
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
    fn a_list_is_used_up_call_by_call_and_its_last_answer_again() {
        let mut script = Script::default();
        script.set("db/*".into(), vec![ScriptedAnswer::Lost, ScriptedAnswer::Ok(json!({}))]);
        assert_eq!(script.next("db/a"), Some(ScriptedAnswer::Lost));
        assert_eq!(script.next("db/a"), Some(ScriptedAnswer::Ok(json!({}))));
        assert_eq!(script.next("db/a"), Some(ScriptedAnswer::Ok(json!({}))));
        assert_eq!(script.next("db/b"), Some(ScriptedAnswer::Lost), "another key begins anew");
        assert_eq!(script.next("cdn/b"), None);
    }

    #[test]
    fn an_exact_key_wins_and_what_was_not_used_is_told() {
        let mut script = Script::default();
        script.set("*".into(), vec![ScriptedAnswer::Lost]);
        script.set("k".into(), vec![ScriptedAnswer::Never]);
        script.set("other".into(), vec![ScriptedAnswer::Never]);
        assert_eq!(script.next("k"), Some(ScriptedAnswer::Never));
        assert_eq!(script.unused(), ["other", "*"]);
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, key) in [("*", ""), ("*", "a/b"), ("a*", "a"), ("*a", "ba"), ("a*b*c", "a-bb-c"), ("a*a", "aa")] {
            assert!(fits(pattern, key), "{pattern} {key}");
        }
        for (pattern, key) in [("a*a", "a"), ("a", "ab"), ("a*b", "a-c"), ("*ab*ab", "ab"), ("", "a")] {
            assert!(!fits(pattern, key), "{pattern} {key}");
        }
    }

    proptest! {
        #[test]
        fn a_key_fits_every_pattern_made_by_cutting_pieces_out_of_it(key in "[ab/]{0,12}", a in 0usize..12, b in 0usize..12) {
            let (from, to) = (a.min(b).min(key.len()), a.max(b).min(key.len()));
            let pattern = format!("{}*{}", &key[..from], &key[to..]);
            prop_assert!(fits(&pattern, &key));
        }
    }
}
