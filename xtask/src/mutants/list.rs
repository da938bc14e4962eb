//! Reads `xtask/mutants.txt`: the mutants, and what must catch each of them. The beginning of the file explains its
//! format.

use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Path of the list in the workspace.
pub const FILE: &str = "xtask/mutants.txt";

/// A wrong version of one part of the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// Unique name.
    pub id: String,
    /// Path of the source file in the workspace.
    pub file: String,
    /// Text that occurs once in the file; `⟦` and `⟧` mark the replaced part.
    pub code: String,
    /// Replacement of the marked part.
    pub with: String,
    /// The scenarios or the test that must notice the mutant.
    pub verdict: Verdict,
}

/// The scenarios or the test that must notice a mutant, or the reason why none can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Each of these scenarios must fail. Contains their paths in the workspace.
    Scenarios(Vec<String>),
    /// A test must fail.
    Test(Test),
    /// The program behaves the same with the mutant, for this reason.
    Survives(String),
}

/// A test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Test {
    /// Package.
    pub package: String,
    /// `lib`, or the name of a test target.
    pub target: String,
    /// Path of the test within the target.
    pub name: String,
}

/// Reads the mutants of a workspace.
///
/// # Errors
///
/// Fails if the file can't be read or contains a mistake. The error gives the line.
pub fn read(root: &Path) -> Result<Vec<Mutant>> {
    let text = fs::read_to_string(root.join(FILE)).with_context(|| format!("cannot read {FILE}"))?;
    parse(&text)
}

/// The lines of a block read so far.
#[derive(Default)]
struct Block {
    line: usize,
    id: String,
    file: Option<String>,
    code: Option<String>,
    with: Option<String>,
    verdict: Option<Verdict>,
}

impl Block {
    fn finish(self) -> Result<Mutant> {
        let Block { line, id, file, code, with, verdict } = self;
        let missing = |member: &str| format!("{FILE}:{line}: `{id}` has no line `{member}: …`");
        Ok(Mutant {
            file: file.with_context(|| missing("file"))?,
            code: code.with_context(|| missing("code"))?,
            with: with.with_context(|| missing("with"))?,
            verdict: verdict
                .with_context(|| format!("{FILE}:{line}: `{id}` has no line `scenario`, `test` or `survives`"))?,
            id,
        })
    }
}

/// Reads the mutants of a text.
fn parse(text: &str) -> Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    let mut block: Option<Block> = None;
    for (at, line) in text.lines().enumerate() {
        let at = at + 1;
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(id) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            mutants.extend(block.take().map(Block::finish).transpose()?);
            block = Some(Block { line: at, id: id.to_owned(), ..Block::default() });
            continue;
        }
        let Some(block) = &mut block else { bail!("{FILE}:{at}: expected `[ID]` before `{line}`") };
        let (member, value) =
            line.split_once(':').with_context(|| format!("{FILE}:{at}: expected `MEMBER: TEXT`, found `{line}`"))?;
        let value = value.trim().to_owned();
        let is_new = match member {
            "file" => block.file.replace(value).is_none(),
            "code" => block.code.replace(value).is_none(),
            "with" => block.with.replace(value).is_none(),
            "scenario" => match &mut block.verdict {
                Some(Verdict::Scenarios(scenarios)) => {
                    scenarios.push(value);
                    true
                }
                verdict => verdict.replace(Verdict::Scenarios(vec![value])).is_none(),
            },
            "test" => {
                let test = parse_test(&value).with_context(|| format!("{FILE}:{at}"))?;
                block.verdict.replace(Verdict::Test(test)).is_none()
            }
            "survives" if value.is_empty() => bail!("{FILE}:{at}: expected the reason after `survives:`"),
            "survives" => block.verdict.replace(Verdict::Survives(value)).is_none(),
            other => {
                bail!("{FILE}:{at}: unknown member `{other}`: expected file, code, with, scenario, test or survives")
            }
        };
        if !is_new {
            bail!("{FILE}:{at}: `{}` has a second `{member}`", block.id);
        }
    }
    mutants.extend(block.map(Block::finish).transpose()?);
    let mut ids = BTreeSet::new();
    match mutants.iter().find(|mutant| !ids.insert(mutant.id.clone())) {
        Some(mutant) => bail!("{FILE}: two mutants have the id `{}`", mutant.id),
        None => Ok(mutants),
    }
}

fn parse_test(text: &str) -> Result<Test> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        [package, target, name] => {
            let [package, target, name] = [package, target, name].map(|word| (*word).to_owned());
            Ok(Test { package, target, name })
        }
        _ => bail!("expected `test: PACKAGE TARGET NAME`, found `test: {text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::{FILE, Verdict, parse};

    const ONE: &str = "[a]\nfile: x.rs\ncode: if ⟦b⟧ {\nwith: true\n";

    #[test]
    fn a_block_has_a_place_a_replacement_and_its_catchers() {
        let mutants = parse(&format!("# head\n\n{ONE}scenario: s.yml\nscenario: t.yml\n")).expect("a list");
        assert_eq!((mutants.len(), mutants[0].id.as_str(), mutants[0].with.as_str()), (1, "a", "true"));
        assert_eq!(mutants[0].verdict, Verdict::Scenarios(vec!["s.yml".into(), "t.yml".into()]));
    }

    #[test]
    fn mistakes_are_refused_with_their_line() {
        for (text, expected) in [
            (ONE.to_owned(), ":1: `a` has no line `scenario`, `test` or `survives`"),
            (format!("{ONE}with: 1\n"), ":5: `a` has a second `with`"),
            (format!("{ONE}when: 1\n"), ":5: unknown member `when`"),
            (format!("{ONE}survives:\n"), ":5: expected the reason after `survives:`"),
            (format!("{ONE}test: p lib\n"), ":5: expected `test: PACKAGE TARGET NAME`"),
            (format!("{ONE}test: p lib n\n").repeat(2), ": two mutants have the id `a`"),
            ("file: x\n".to_owned(), ":1: expected `[ID]` before `file: x`"),
        ] {
            let error = format!("{:#}", parse(&text).expect_err("a mistake"));
            assert!(error.starts_with(&format!("{FILE}{expected}")), "{error}");
        }
    }
}
