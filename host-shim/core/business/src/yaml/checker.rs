//! Reads a file and reports all of its mistakes. A [`Checker`] reads values and records each mistake with its position;
//! after a mistake, the caller continues with the other values.
//!
//! The files of businesses, scenarios and servers are read in this way. A catalog is checked by the extension, which
//! returns JSON Pointers; [`Node::place_at`] turns them into positions.

use crate::yaml::bad_input::{BadInput, Mistakes, Place};
use crate::yaml::guess::nearest;
use crate::yaml::node::{Entry, Node, Tree};
use std::borrow::Cow;
use std::cell::RefCell;

/// Marks a value that could not be read. Its mistake has been recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted(());

/// A value, or the mark that its mistake has been recorded.
pub type Checked<T> = Result<T, Noted>;

/// Reads values and collects the mistakes.
#[derive(Debug, Default)]
pub struct Checker {
    mistakes: RefCell<Vec<BadInput>>,
}

impl Checker {
    /// Creates a checker without mistakes.
    pub fn new() -> Checker {
        Checker::default()
    }

    /// Reads a document by means of a function.
    ///
    /// # Errors
    /// Fails with all mistakes that the function recorded, ordered by file and line, without duplicates.
    pub fn read<T>(read: impl FnOnce(&Checker) -> Checked<T>) -> Result<T, Mistakes> {
        let check = Checker::new();
        let value = read(&check);
        match (value, check.into_mistakes()) {
            (Ok(value), mistakes) if mistakes.is_empty() => Ok(value),
            (_, mistakes) => Err(Mistakes(mistakes)),
        }
    }

    /// Returns the mistakes ordered by file and line, without duplicates.
    pub fn into_mistakes(self) -> Vec<BadInput> {
        let mut mistakes = self.mistakes.into_inner();
        mistakes.sort_by(|a, b| (&a.place.file, a.place.line).cmp(&(&b.place.file, b.place.line)));
        mistakes.dedup();
        mistakes
    }

    /// Records a mistake.
    pub fn note(&self, bad: BadInput) -> Noted {
        self.mistakes.borrow_mut().push(bad);
        Noted(())
    }

    /// Records a mistake without a guess.
    pub fn bad(&self, place: Place, problem: impl Into<String>, expected: impl Into<String>) -> Noted {
        self.note(BadInput::new(place, problem, expected))
    }

    /// Records a mistake from another reader.
    ///
    /// # Errors
    /// Fails if there is a mistake.
    pub fn take<T>(&self, read: Result<T, BadInput>) -> Checked<T> {
        read.map_err(|bad| self.note(bad))
    }

    /// Records that a value has the wrong type.
    pub fn wrong(&self, what: &str, node: &Node, expected: impl Into<String>) -> Noted {
        self.bad(node.place(), format!("`{what}` is {}", node.kind()), expected)
    }

    /// Reads each item of a list, continuing after mistakes.
    ///
    /// # Errors
    /// Fails if an item could not be read.
    pub fn each<I, T, C: FromIterator<T>>(
        &self,
        items: impl IntoIterator<Item = I>,
        read: impl FnMut(I) -> Checked<T>,
    ) -> Checked<C> {
        let read: Vec<Checked<T>> = items.into_iter().map(read).collect();
        read.into_iter().collect()
    }

    /// Checks each item of a list, continuing after mistakes.
    ///
    /// # Errors
    /// Fails if an item is wrong.
    pub fn every<I>(&self, items: impl IntoIterator<Item = I>, check: impl FnMut(I) -> Checked<()>) -> Checked<()> {
        self.each(items, check)
    }

    /// Reads a string. Integers count as strings, since ids may look like numbers.
    ///
    /// # Errors
    /// Fails if the node is not a string.
    pub fn text(&self, what: &str, node: &Node) -> Checked<String> {
        match &node.value {
            Tree::Text(text) => Ok(text.clone()),
            Tree::Int(number) => Ok(number.to_string()),
            _ => Err(self.wrong(what, node, "a text")),
        }
    }

    /// Reads a string that is not empty. Integers and booleans count as strings.
    ///
    /// # Errors
    /// Fails if the node is not a string, or is empty.
    pub fn filled_text(&self, what: &str, node: &Node) -> Checked<String> {
        match node.scalar().filter(|text| !text.is_empty()) {
            Some(text) => Ok(text),
            None if node.scalar().is_some() => {
                Err(self.bad(node.place(), format!("`{what}` is empty"), "a text that is not empty"))
            }
            None => Err(self.wrong(what, node, "a text")),
        }
    }

    /// Reads one of several words.
    ///
    /// # Errors
    /// Fails if the node is not one of the words.
    pub fn word<'w>(&self, what: &str, node: &Node, known: &[&'w str]) -> Checked<&'w str> {
        let text = self.text(what, node)?;
        known.iter().copied().find(|word| *word == text).ok_or_else(|| {
            let bad = BadInput::new(node.place(), format!("`{what}: {text}`"), one_of(known));
            self.note(bad.guessing(&text, known.iter().copied()))
        })
    }

    /// Reads a boolean.
    ///
    /// # Errors
    /// Fails if the node is not a boolean.
    pub fn truth(&self, what: &str, node: &Node) -> Checked<bool> {
        match node.value {
            Tree::Bool(value) => Ok(value),
            _ => Err(self.wrong(what, node, "true or false")),
        }
    }

    /// Reads a list.
    ///
    /// # Errors
    /// Fails if the node is not a list.
    pub fn list<'n>(&self, what: &str, node: &'n Node) -> Checked<&'n [Node]> {
        node.items().ok_or_else(|| self.wrong(what, node, "a list"))
    }

    /// Reads a list of strings.
    ///
    /// # Errors
    /// Fails if the node is not a list of strings.
    pub fn texts(&self, what: &str, node: &Node) -> Checked<Vec<String>> {
        self.each(self.list(what, node)?, |entry| self.text(what, entry))
    }

    /// Reads a mapping.
    ///
    /// # Errors
    /// Fails if the node is not a mapping.
    pub fn map<'n>(&self, what: &str, node: &'n Node) -> Checked<&'n [Entry]> {
        node.entries().ok_or_else(|| self.wrong(what, node, "a mapping"))
    }

    /// Reports a list or a mapping that has too many entries.
    ///
    /// # Errors
    /// Fails if there are more than `most` entries.
    pub fn at_most(&self, what: &str, place: Place, count: usize, most: usize) -> Checked<()> {
        match count > most {
            true => Err(self.bad(place, format!("`{what}` has {count} entries"), format!("at most {most}"))),
            false => Ok(()),
        }
    }

    /// Reports the fields of a mapping that are not in `known`. `of` is the name of the mapping.
    ///
    /// # Errors
    /// Fails if a field is unknown.
    pub fn only_known(&self, of: &str, entries: &[Entry], known: &[&str]) -> Checked<()> {
        let is_known = |entry: &&Entry| known.contains(&entry.key.as_str());
        self.every(entries.iter().filter(|entry| !is_known(entry)), |entry| Err(self.unknown_field(of, entry, known)))
    }

    fn unknown_field(&self, of: &str, entry: &Entry, known: &[&str]) -> Noted {
        let problem = format!("unknown field `{}` in {of}", entry.key);
        let bad = BadInput::new(entry.place(), problem, one_of(known));
        self.note(bad.guessing(&entry.key, known.iter().copied()))
    }

    /// Returns the fields of a mapping. The caller takes them one by one. `of` is the name of the mapping.
    ///
    /// # Errors
    /// Fails if the node is not a mapping.
    pub fn fields<'c, 'n>(&'c self, of: impl Into<Cow<'static, str>>, node: &'n Node) -> Checked<Fields<'c, 'n>> {
        let of = of.into();
        let Some(map) = node.entries() else {
            let name = if of.contains(' ') || of.contains('`') { of } else { format!("`{of}`").into() };
            return Err(self.bad(node.place(), format!("{name} is {}", node.kind()), "a mapping"));
        };
        Ok(Fields { check: self, of, place: node.place(), entries: map.iter().map(Some).collect(), known: Vec::new() })
    }
}

fn one_of(known: &[&str]) -> String {
    format!("one of {}", known.join(", "))
}

/// The fields of one mapping. [`Fields::finish`] refuses the fields that were not taken, and lists the known fields.
#[derive(Debug)]
pub struct Fields<'c, 'n> {
    check: &'c Checker,
    of: Cow<'static, str>,
    place: Place,
    entries: Vec<Option<&'n Entry>>,
    known: Vec<&'static str>,
}

impl<'n> Fields<'_, 'n> {
    /// Returns the position of the mapping.
    pub fn place(&self) -> Place {
        self.place.clone()
    }

    /// Takes the value of a field, if it exists.
    pub fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.take_entry(name).map(|entry| &entry.value)
    }

    /// Takes a field with its key, if it exists.
    pub fn take_entry(&mut self, name: &'static str) -> Option<&'n Entry> {
        self.known.push(name);
        self.entries.iter_mut().find(|e| e.is_some_and(|entry| entry.key == name)).and_then(Option::take)
    }

    /// Takes all fields `name@SUFFIX`, and returns each suffix with its value.
    pub fn take_suffixed(&mut self, name: &'static str) -> Vec<(&'n str, &'n Node)> {
        let mut found = Vec::new();
        for slot in &mut self.entries {
            let suffix = slot.and_then(|e| e.key.strip_prefix(name)).and_then(|rest| rest.strip_prefix('@'));
            if let (Some(suffix), Some(entry)) = (suffix, *slot) {
                found.push((suffix, &entry.value));
                *slot = None;
            }
        }
        found
    }

    /// Takes a required field.
    ///
    /// # Errors
    /// Fails if the field is missing; a field with a similar name is reported as a misspelling.
    pub fn need(&mut self, name: &'static str) -> Checked<&'n Node> {
        if let Some(node) = self.take(name) {
            return Ok(node);
        }
        let is_alike = |entry: &Option<&Entry>| entry.is_some_and(|entry| nearest(&entry.key, [name]).is_some());
        let misspelt = self.entries.iter_mut().find(|slot| is_alike(slot)).and_then(Option::take);
        Err(match misspelt {
            Some(entry) => {
                let problem = format!("unknown field `{}` in {}", entry.key, self.of);
                self.check.bad(entry.place(), problem, format!("`{name}`"))
            }
            None => {
                let problem = format!("{} has no `{name}`", self.of);
                self.check.bad(self.place(), problem, format!("the field `{name}`"))
            }
        })
    }

    /// Takes and reads a field, if it exists.
    ///
    /// # Errors
    /// Fails if the field could not be read.
    pub fn optional<T>(&mut self, name: &'static str, read: impl FnOnce(&'n Node) -> Checked<T>) -> Checked<Option<T>> {
        self.take(name).map(read).transpose()
    }

    /// Returns the remaining fields, which may have any name.
    pub fn rest(self) -> impl Iterator<Item = &'n Entry> {
        self.entries.into_iter().flatten()
    }

    /// Checks that all fields were taken.
    ///
    /// # Errors
    /// Fails if a field was not taken: its name is unknown.
    pub fn finish(self) -> Checked<()> {
        let Fields { check, of, entries, known, .. } = self;
        check.every(entries.into_iter().flatten(), |entry| Err(check.unknown_field(&of, entry, &known)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    type Person = (String, Option<bool>, Vec<String>);

    fn person(check: &Checker, node: &Node) -> Checked<Person> {
        let mut fields = check.fields("a person", node)?;
        let name = fields.need("name").and_then(|name| check.text("name", name));
        let admin = fields.optional("admin", |node| check.truth("admin", node));
        let tags = fields.optional("tags", |node| check.texts("tags", node));
        let finished = fields.finish();
        finished.and(Ok((name?, admin?, tags?.unwrap_or_default())))
    }

    fn read(text: &str) -> Result<Person, Vec<String>> {
        let node = Node::parse(Path::new("x.yml"), text).expect("valid YAML");
        Checker::read(|check| person(check, &node))
            .map_err(|Mistakes(mistakes)| mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_document_without_a_mistake_is_read() {
        let expected = ("Jo".to_owned(), Some(true), vec!["a".to_owned(), "7".to_owned()]);
        assert_eq!(read("name: Jo\nadmin: true\ntags: [a, 7]\n"), Ok(expected));
    }

    #[test]
    fn all_mistakes_are_told_in_the_order_of_their_lines() {
        let told = read("tags:\n  - [a]\n  - b\n  - {c: 1}\nadmni: true\nadmin: 3\nname: {}\nage: 7\n");
        let expected = [
            "x.yml:2: `tags` is a list; expected a text",
            "x.yml:4: `tags` is a mapping; expected a text",
            "x.yml:5: unknown field `admni` in a person; expected one of name, admin, tags; did you mean `admin`?",
            "x.yml:6: `admin` is a whole number; expected true or false",
            "x.yml:7: `name` is a mapping; expected a text",
            "x.yml:8: unknown field `age` in a person; expected one of name, admin, tags",
        ];
        assert_eq!(told, Err(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn a_misspelt_required_field_is_told_once() {
        let told = read("nmae: Jo\n");
        assert_eq!(told, Err(vec!["x.yml:1: unknown field `nmae` in a person; expected `name`".to_owned()]));
        assert_eq!(
            read("admin: true\n"),
            Err(vec!["x.yml:1: a person has no `name`; expected the field `name`".to_owned()])
        );
        assert_eq!(read("[]\n"), Err(vec!["x.yml:1: a person is a list; expected a mapping".to_owned()]));
    }

    #[test]
    fn a_word_that_is_unknown_is_told_with_a_guess() {
        let node = Node::parse(Path::new("x.yml"), "stadnard\n").expect("valid YAML");
        let told = Checker::read(|check| check.word("scheme", &node, &["standard", "hmac"])).expect_err("unknown");
        let expected = "x.yml:1: `scheme: stadnard`; expected one of standard, hmac; did you mean `standard`?";
        assert_eq!(told.to_string(), expected);
    }
}
