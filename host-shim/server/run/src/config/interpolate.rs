//! Substitutes variables in a YAML file. `${NAME}` is the value of a variable, `${NAME:-DEFAULT}` provides a default for a
//! missing variable, and `$$` is a dollar sign.

use crate::config::dotenv::is_name;
use crate::config::environment::Environment;
use crate::config::secrets::{literal_secret, without_secrets};
use host_business::yaml::bad_input::{BadInput, Mistakes, Place, read_text};
use host_business::yaml::{Checked, Checker, Node, Tree};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// Maximum size of a configuration file in bytes.
const BYTES_MAX: u64 = 256 * 1024;

/// A part of a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'t> {
    /// Literal text.
    Text(&'t str),
    /// A variable, and its default value.
    Variable(&'t str, Option<&'t str>),
}

/// Returns the parts of a text, or the mistake if a placeholder is malformed.
pub(crate) fn parts(text: &str) -> Result<Vec<Part<'_>>, String> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find('$') {
        let (before, found) = rest.split_at(at);
        parts.push(Part::Text(before));
        if let Some(after) = found.strip_prefix("$$") {
            parts.push(Part::Text("$"));
            rest = after;
        } else if let Some(after) = found.strip_prefix("${") {
            let closed = after.split_once('}');
            let (inner, after) = closed.ok_or_else(|| "a placeholder has no closing brace".to_owned())?;
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inner, None),
            };
            if !is_name(name) {
                return Err(format!("`{}` is not a name of a variable", without_secrets(name)));
            }
            parts.push(Part::Variable(name, default));
            rest = after;
        } else {
            parts.push(Part::Text("$"));
            rest = &found[1..];
        }
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// Returns the variable of a text that consists of exactly one variable.
pub(crate) fn only_variable(text: &str) -> Option<&str> {
    let parts = parts(text).ok()?;
    let mut parts = parts.into_iter().filter(|part| *part != Part::Text(""));
    match (parts.next(), parts.next()) {
        (Some(Part::Variable(name, None)), None) => Some(name),
        _ => None,
    }
}

/// Substitutes the variables in a text. `what` identifies the value in faults.
pub(crate) fn fill(
    text: &str,
    what: &str,
    place: &Place,
    environment: &Environment,
    check: &Checker,
) -> Checked<String> {
    let parts = match parts(text) {
        Ok(parts) => parts,
        Err(problem) => {
            return Err(check.bad(place.clone(), format!("`{what}`: {problem}"), "`${NAME}`, or `$$` for a dollar"));
        }
    };
    let filled: Vec<&str> = check.each(&parts, |part| match part {
        Part::Text(text) => Ok(*text),
        Part::Variable(name, default) => environment.get(name).or(*default).ok_or_else(|| {
            let problem = format!("`{what}`: the variable `{name}` is missing or empty");
            check.bad(place.clone(), problem, format!("`{name}` {}", environment.places()))
        }),
    })?;
    Ok(filled.concat())
}

/// Reads a YAML file without substituting variables. Reports the faults of the whole file: literal secrets anywhere, and
/// syntax errors.
pub(crate) fn read(check: &Checker, file: &Path) -> Checked<Node> {
    let whole = |problem: String, expected: String| Err(check.bad(Place::file(file), problem, expected));
    match file.metadata() {
        Err(error) => return whole(error.to_string(), "a file that can be read".to_owned()),
        Ok(metadata) if metadata.len() > BYTES_MAX => {
            return whole(format!("the file has {} bytes", metadata.len()), format!("at most {BYTES_MAX} bytes"));
        }
        Ok(_) => {}
    }
    let text = check.take(read_text(file))?;
    for (at, line) in text.lines().enumerate() {
        if let Some(secret) = literal_secret(line) {
            let expected = "`${NAME}`, with the secret in the environment or in `.env`";
            check.bad(Place::line(file, at + 1), format!("a literal secret, `{secret}…`"), expected);
        }
    }
    let parsed = Node::parse(file, &text);
    check.take(parsed.map_err(|bad| BadInput { problem: without_secrets(&bad.problem), ..bad }))
}

/// A YAML file with and without its variables substituted.
#[derive(Clone)]
pub struct Interpolated {
    /// The values as written in the file.
    pub written: Node,
    /// The values with variables substituted; a substituted value is a string.
    pub filled: Node,
    /// Names of the variables.
    pub variables: BTreeSet<String>,
}

/// Omits the values.
impl fmt::Debug for Interpolated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interpolated").field("variables", &self.variables).finish_non_exhaustive()
    }
}

/// Reads a YAML file and substitutes its variables.
///
/// # Errors
/// Fails with all faults: literal secrets, missing variables and syntax errors.
pub fn interpolated(file: &Path, environment: &Environment) -> Result<Interpolated, Mistakes> {
    Checker::read(|check| {
        let written = read(check, file)?;
        let mut filled = written.clone();
        fill_node(&mut filled, "", environment, check);
        let mut variables = BTreeSet::new();
        collect(&written, &mut variables);
        Ok(Interpolated { written, filled, variables })
    })
}

/// Collects the variables that a document uses.
pub(crate) fn collect(node: &Node, names: &mut BTreeSet<String>) {
    match &node.value {
        Tree::Map(map) => map.iter().for_each(|entry| collect(&entry.value, names)),
        Tree::List(list) => list.iter().for_each(|item| collect(item, names)),
        Tree::Text(text) => {
            let found = parts(text).unwrap_or_default();
            names.extend(found.iter().filter_map(|part| match part {
                Part::Variable(name, _) => Some((*name).to_owned()),
                Part::Text(_) => None,
            }));
        }
        Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) => {}
    }
}

fn fill_node(node: &mut Node, path: &str, environment: &Environment, check: &Checker) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let place = node.place();
    match &mut node.value {
        Tree::Map(map) => {
            for entry in map {
                fill_node(&mut entry.value, &below(&entry.key), environment, check);
            }
        }
        Tree::List(list) => {
            for (at, item) in list.iter_mut().enumerate() {
                fill_node(item, &below(&at.to_string()), environment, check);
            }
        }
        Tree::Text(text) => {
            if let Ok(filled) = fill(text, path, &place, environment, check) {
                *text = filled;
            }
        }
        Tree::Null | Tree::Bool(_) | Tree::Int(_) | Tree::Float(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_variables_with_and_without_a_default() {
        let environment = Environment::of([("A".to_owned(), "1${B}".to_owned())]);
        let place = Place::file(Path::new("x.yml"));
        let fill = |text: &str| {
            let check = Checker::new();
            let filled = fill(text, "a.b", &place, &environment, &check);
            (filled.ok(), check.into_mistakes().iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        for (text, expected) in
            [("a", "a"), ("${A}", "1${B}"), ("x${A}y${B:-2}z", "x1${B}y2z"), ("$$5 $A ${B:-}", "$5 $A "), ("", "")]
        {
            assert_eq!(fill(text), (Some(expected.to_owned()), Vec::new()), "{text}");
        }
        let (filled, faults) = fill("${B} ${C}");
        assert_eq!(filled, None);
        assert!(faults.len() == 2 && faults[0].contains("`B` is missing") && faults[1].contains("`C`"), "{faults:?}");
        for wrong in ["${A", "${}", "${1}", "${a b}"] {
            assert_eq!((fill(wrong).0, fill(wrong).1.len()), (None, 1), "{wrong}");
        }
        assert_eq!((only_variable("${A}"), only_variable("x${A}"), only_variable("${A:-1}")), (Some("A"), None, None));
    }
}
