//! Finds the positions of mutants in a source file, and puts a switch at each of them. A run of white space in a mutant's text stands
//! for any run of white space, so that a mutant stays valid when rustfmt wraps a line between two words.

use super::Mutant;
use anyhow::{Result, bail};
use std::ops::Range;

const BEGIN: char = '⟦';
const END: char = '⟧';

/// Returns the marked part of a mutant's text in a source.
///
/// # Errors
///
/// Fails if the text has no marks, or if the source does not contain it exactly once.
pub fn find(mutant: &Mutant, source: &str) -> Result<Range<usize>> {
    let parts: Vec<&str> = mutant.code.split([BEGIN, END]).collect();
    let [before, marked, after] = parts.as_slice() else {
        bail!("mutant `{}`: expected `{BEGIN}` and `{END}` once each in `{}`", mutant.id, mutant.code);
    };
    let (text, places) = collapse(source);
    let (before, _) = collapse(before);
    let (marked, _) = collapse(marked);
    let whole = format!("{before}{marked}{}", collapse(after).0);
    let mut found = text.match_indices(&whole);
    match (found.next(), found.next()) {
        (Some((at, _)), None) => {
            let start = at + before.len();
            Ok(places[start]..places[start + marked.len() - 1] + 1)
        }
        (None, _) => bail!("mutant `{}`: {} does not contain `{whole}`", mutant.id, mutant.file),
        (Some(_), Some(_)) => bail!("mutant `{}`: {} contains `{whole}` more than once", mutant.id, mutant.file),
    }
}

/// Replaces each run of white space with one space. Also returns the position in `text` of each byte of the result.
fn collapse(text: &str) -> (String, Vec<usize>) {
    let (mut out, mut places) = (String::with_capacity(text.len()), Vec::with_capacity(text.len()));
    for (at, char) in text.char_indices() {
        if !char.is_whitespace() {
            out.push(char);
            places.extend(at..at + char.len_utf8());
        } else if !out.ends_with(' ') {
            out.push(' ');
            places.push(at);
        }
    }
    (out, places)
}

/// Returns a source with a switch at the position of each mutant. A marked text that ends with a semicolon is a statement; any other
/// is an expression.
///
/// # Errors
///
/// Fails if a position is not found exactly once, or if two positions overlap without one containing the other.
pub fn switch(mutants: &[&Mutant], source: &str) -> Result<String> {
    let mut places = Vec::new();
    for mutant in mutants {
        places.push((find(mutant, source)?, *mutant));
    }
    // An outer position comes before the positions that it contains.
    places.sort_by_key(|(place, mutant)| (place.start, std::cmp::Reverse(place.end), mutant.id.clone()));
    let mut out = String::with_capacity(source.len() * 2);
    let mut at = 0;
    let mut open: Vec<(usize, &str, &str)> = Vec::new();
    for (place, mutant) in &places {
        close(&mut open, place.start, source, &mut at, &mut out);
        if let Some((_, _, other)) = open.last().filter(|(end, ..)| *end < place.end) {
            bail!("mutants `{other}` and `{}` overlap", mutant.id);
        }
        out.push_str(&source[at..place.start]);
        at = place.start;
        let is_statement = source[place.clone()].ends_with(';');
        let (begin, end) = if is_statement { ("", " }") } else { ("(", " })") };
        let (id, with) = (&mutant.id, &mutant.with);
        out.push_str(&format!("{begin}if crate::hand_mutant::is_on(\"{id}\") {{ {with} }} else {{ "));
        open.push((place.end, end, id));
    }
    close(&mut open, source.len(), source, &mut at, &mut out);
    out.push_str(&source[at..]);
    Ok(out)
}

/// Closes the switches that end at or before `until`.
fn close(open: &mut Vec<(usize, &str, &str)>, until: usize, source: &str, at: &mut usize, out: &mut String) {
    while let Some((end, text, _)) = open.pop_if(|(end, ..)| *end <= until) {
        out.push_str(&source[*at..end]);
        out.push_str(text);
        *at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::{Mutant, find, switch};

    fn mutant(id: &str, code: &str, with: &str) -> Mutant {
        let [id, code, with] = [id, code, with].map(str::to_owned);
        Mutant { id, file: "x.rs".to_owned(), code, with, verdict: Verdict::Survives("no reason".to_owned()) }
    }

    #[test]
    fn white_space_in_a_mutant_stands_for_any_white_space() {
        let source = "let é = 1;\nif a\n        && b {\n";
        let place = find(&mutant("m", "if ⟦a && b⟧ {", "true"), source).expect("a place");
        assert_eq!(&source[place], "a\n        && b");
    }

    #[test]
    fn a_place_must_occur_once() {
        let error = |code: &str| find(&mutant("m", code, ""), "x + x").expect_err("no place").to_string();
        assert_eq!(error("⟦x⟧"), "mutant `m`: x.rs contains `x` more than once");
        assert_eq!(error("⟦y⟧"), "mutant `m`: x.rs does not contain `y`");
        assert_eq!(error("x"), "mutant `m`: expected `⟦` and `⟧` once each in `x`");
    }

    #[test]
    fn places_get_switches_and_may_contain_each_other() {
        let (outer, inner) = (mutant("o", "if ⟦a && b⟧", "true"), mutant("i", "if a && ⟦b⟧", "c"));
        let removed = mutant("r", "⟦stop();⟧", "");
        let on = |id: &str| format!("if crate::hand_mutant::is_on(\"{id}\")");
        let text = switch(&[&inner, &removed, &outer], "if a && b { stop(); }").expect("switches");
        let inner = format!("({} {{ c }} else {{ b }})", on("i"));
        let expected =
            format!("if ({} {{ true }} else {{ a && {inner} }}) {{ {} {{  }} else {{ stop(); }} }}", on("o"), on("r"));
        assert_eq!(text, expected);
        let (one, two) = (mutant("1", "⟦a && b⟧", ""), mutant("2", "⟦b { stop⟧", ""));
        let error = switch(&[&one, &two], "if a && b { stop(); }").expect_err("an overlap");
        assert_eq!(error.to_string(), "mutants `1` and `2` overlap");
    }
}
