//! Reads `tables.yml` and reports every mistake with its line.

use crate::tables::kind::{CLAIM, Kind, NAMES, RECORD, Type};
use crate::tables::path::{NoPath, Path};
use crate::tables::view::{Column, Condition, Lookup, Tables, View, Wanted};
use crate::yaml::bad_input::{BadInput, Mistakes, Place};
use crate::yaml::{Checked, Checker, Entry, Node, Tree};
use std::collections::BTreeSet;

/// Maximum length of a name in bytes, the same as in PostgreSQL.
const NAME_BYTES_MAX: usize = 63;
/// Prefix of the names that a schema reserves for itself.
const OWN: &str = "host_";
/// Maximum number of views, and of columns or conditions of a view.
const ENTRIES_MAX: usize = 100;

impl Tables {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// Fails with all mistakes.
    pub fn read(file: &Node) -> Result<Tables, Mistakes> {
        Checker::read(|check| read(check, file))
    }
}

/// Reads a file with one view per name.
fn read(check: &Checker, file: &Node) -> Checked<Tables> {
    let entries = check.map("tables.yml", file)?;
    check.at_most("tables.yml", file.place(), entries.len(), ENTRIES_MAX)?;
    let mut names = BTreeSet::new();
    check.every(entries, |entry| match names.insert(entry.key.to_ascii_lowercase()) {
        // SQLite does not distinguish the case of names.
        false => {
            Err(check.bad(entry.place(), format!("`{}` is already the name of a view", entry.key), "another name"))
        }
        true => Ok(()),
    })?;
    Ok(Tables { views: check.each(entries, |entry| read_view(check, entry))? })
}

fn read_view(check: &Checker, entry: &Entry) -> Checked<View> {
    let name = read_name(check, entry);
    let mut fields = check.fields(format!("`{}`", entry.key), &entry.value)?;
    let of = fields.need("of").and_then(|node| match read_kind(check, node)? {
        Kind::Claim(_) => {
            Err(check.bad(node.place(), "a view cannot be of claims", "another kind; claims can be in `with`"))
        }
        kind => Ok(kind),
    });
    let open_accounts = fields.optional("open_accounts", |node| check.truth("open_accounts", node));
    let (with, conditions, columns) = (fields.take("with"), fields.take_entry("where"), fields.need("columns"));
    fields.finish()?;
    let kind = of?;
    let lookups = match with {
        Some(with) => read_lookups(check, &kind, with)?,
        None => Vec::new(),
    };
    let rows = Rows { kind: &kind, lookups: &lookups };
    let read_conditions = conditions.map(|entry| read_conditions(check, &entry.value, &rows, None));
    let columns = columns.and_then(|node| read_columns(check, node, &rows));
    let conditions = read_conditions.transpose()?.unwrap_or_default();
    if kind == Kind::Effect && !conditions.iter().any(has_kind) {
        let problem = format!("`{}` is of effects of all kinds", entry.key);
        return Err(check.bad(entry.value.place(), problem, "a `where` with the texts of `kind`"));
    }
    Ok(View {
        name: name?,
        open_accounts: open_accounts?.unwrap_or_default(),
        conditions,
        columns: columns?,
        place: entry.place(),
        lookups,
        kind,
    })
}

fn has_kind(condition: &Condition) -> bool {
    condition.path.is_kind() && condition.wanted.iter().all(|wanted| matches!(wanted, Wanted::Text(_)))
}

/// Reads a name that is valid in SQL.
fn read_name(check: &Checker, entry: &Entry) -> Checked<String> {
    let name = &entry.key;
    let is_letter = |c: u8| c.is_ascii_alphabetic() || c == b'_';
    let is_name = name.bytes().next().is_some_and(is_letter)
        && name.bytes().all(|c| is_letter(c) || c.is_ascii_digit())
        && name.len() <= NAME_BYTES_MAX;
    match is_name && !name.starts_with(OWN) {
        true => Ok(name.clone()),
        false => {
            let expected =
                format!("at most {NAME_BYTES_MAX} letters, digits and `_`, not first a digit and not first `{OWN}`");
            Err(check.bad(entry.place(), format!("`{name}` cannot be a name"), expected))
        }
    }
}

fn read_kind(check: &Checker, node: &Node) -> Checked<Kind> {
    let text = check.text("of", node)?;
    if let Some((word, name)) = text.split_once(' ').filter(|(word, _)| [CLAIM, RECORD].contains(word)) {
        let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"_-".contains(&c);
        return match (!name.is_empty() && name.bytes().all(is_name), word) {
            (true, RECORD) => Ok(Kind::Record(name.to_owned())),
            (true, _) => Ok(Kind::Claim(name.to_owned())),
            (false, _) => Err(check.bad(node.place(), format!("`of: {text}`"), format!("`{word} NAME`"))),
        };
    }
    let known = NAMES.iter().find(|(name, _)| *name == text).map(|(_, kind)| kind.clone());
    known.ok_or_else(|| {
        let expected =
            format!("one of {}, record COLLECTION, or in `with` claim KIND", NAMES.map(|(name, _)| name).join(", "));
        let bad = BadInput::new(node.place(), format!("`of: {text}`"), expected);
        check.note(bad.guessing(&text, NAMES.map(|(name, _)| name)))
    })
}

/// The rows to which paths may refer.
struct Rows<'r> {
    kind: &'r Kind,
    lookups: &'r [Lookup],
}

impl Rows<'_> {
    /// Reads a path into the view's row or a lookup's row.
    fn path(&self, check: &Checker, place: Place, text: &str) -> Checked<Path> {
        let named = text.split_once('.').and_then(|(first, rest)| {
            self.lookups.iter().find(|lookup| lookup.name == first).map(|lookup| (lookup, rest))
        });
        match named {
            Some((lookup, rest)) => read_path(check, place, Some(&lookup.name), &lookup.kind, rest, &[]),
            None => read_path(check, place, None, self.kind, text, self.lookups),
        }
    }
}

fn read_path(
    check: &Checker,
    place: Place,
    lookup: Option<&str>,
    kind: &Kind,
    text: &str,
    lookups: &[Lookup],
) -> Checked<Path> {
    Path::read(lookup, kind, text).map_err(|reason| {
        let problem = format!("`{text}` is not a member of the row");
        let parts = |names: Vec<&str>| {
            let first = text.split('.').next().unwrap_or_default();
            let paths: Vec<String> = names.iter().map(|name| format!("`{first}.{name}`")).collect();
            paths.join(" or ")
        };
        match reason {
            NoPath::Unknown(name) => {
                let members = kind.members().map(|member| member.name);
                let known: Vec<&str> = members.chain(lookups.iter().map(|lookup| lookup.name.as_str())).collect();
                check.note(BadInput::unknown_name(place, name, "not a member of the row", known))
            }
            NoPath::Characters => {
                check.bad(place, problem, "names of letters, digits, `_`, `-` and `:` with dots between")
            }
            NoPath::Plain => check.bad(place, problem, "a path that ends at the value"),
            NoPath::Other(names) | NoPath::Whole(names) => check.bad(place, problem, parts(names)),
            NoPath::Sum => check.bad(place, problem, "`.*` after a mapping of numbers in JSON"),
        }
    })
}

/// Reads the clause `with`.
fn read_lookups(check: &Checker, kind: &Kind, clause: &Node) -> Checked<Vec<Lookup>> {
    let mut lookups: Vec<Lookup> = Vec::new();
    for entry in check.map("with", clause)? {
        let name = read_name(check, entry)?;
        if kind.members().any(|member| member.name == name) {
            let problem = format!("`{name}` is already a member of the row");
            return Err(check.bad(entry.place(), problem, "another name"));
        }
        let mut fields = check.fields(format!("`{name}`"), &entry.value)?;
        let of = fields.need("of").and_then(|node| {
            let kind = read_kind(check, node)?;
            match kind.is_looked_up() {
                true => Ok(kind),
                false => Err(check.bad(
                    node.place(),
                    "only rows of an account or the catalog can be looked up",
                    "another kind",
                )),
            }
        });
        let condition_lines = fields.take("where");
        fields.finish()?;
        let of = of?;
        let outer = Rows { kind, lookups: &lookups };
        let own = Rows { kind: &of, lookups: &[] };
        let conditions = condition_lines.map(|lines| read_conditions(check, lines, &own, Some(&outer)));
        let conditions = conditions.transpose()?.unwrap_or_default();
        lookups.push(Lookup { name, kind: of, conditions });
    }
    Ok(lookups)
}

/// Reads a clause `where`. Values may be members of `outer`, in braces.
fn read_conditions(
    check: &Checker,
    clause: &Node,
    rows: &Rows<'_>,
    outer: Option<&Rows<'_>>,
) -> Checked<Vec<Condition>> {
    let entries = check.map("where", clause)?;
    check.at_most("where", clause.place(), entries.len(), ENTRIES_MAX)?;
    check.each(entries, |entry| {
        let path = rows.path(check, entry.place(), &entry.key);
        let wanted = match &entry.value.value {
            Tree::List(items) if items.is_empty() => {
                Err(check.bad(entry.value.place(), format!("`{}` has no values", entry.key), "at least one value"))
            }
            Tree::List(items) => check.each(items, |item| read_wanted(check, &entry.key, item, outer)),
            _ => read_wanted(check, &entry.key, &entry.value, outer).map(|wanted| vec![wanted]),
        };
        Ok(Condition { path: path?, wanted: wanted? })
    })
}

fn read_wanted(check: &Checker, what: &str, node: &Node, outer: Option<&Rows<'_>>) -> Checked<Wanted> {
    match &node.value {
        Tree::Null => Ok(Wanted::Null),
        Tree::Bool(value) => Ok(Wanted::Boolean(*value)),
        Tree::Int(value) => Ok(Wanted::Integer(*value)),
        Tree::Text(text) if text.contains('\0') => {
            Err(check.bad(node.place(), format!("`{what}` contains a NUL"), "a text"))
        }
        Tree::Text(text) => match (text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')), outer) {
            (Some(path), Some(outer)) => outer.path(check, node.place(), path).map(Wanted::Member),
            (Some(_), None) => {
                Err(check.bad(node.place(), format!("`{what}: {text}`"), "a value; only `with` compares members"))
            }
            (None, _) => Ok(Wanted::Text(text.clone())),
        },
        Tree::Float(_) | Tree::List(_) | Tree::Map(_) => {
            Err(check.wrong(what, node, "a text, a whole number, true, false or null"))
        }
    }
}

fn read_columns(check: &Checker, clause: &Node, rows: &Rows<'_>) -> Checked<Vec<Column>> {
    let entries = check.map("columns", clause)?;
    check.at_most("columns", clause.place(), entries.len(), ENTRIES_MAX)?;
    if entries.is_empty() {
        return Err(check.bad(clause.place(), "the view has no columns", "at least one"));
    }
    let mut names = BTreeSet::new();
    check.each(entries, |entry| {
        if !names.insert(entry.key.to_ascii_lowercase()) {
            return Err(check.bad(entry.place(), format!("`{}` is already a column", entry.key), "another name"));
        }
        read_column(check, entry, rows)
    })
}

fn read_column(check: &Checker, entry: &Entry, rows: &Rows<'_>) -> Checked<Column> {
    let name = read_name(check, entry);
    let path = |node: &Node| rows.path(check, node.place(), &check.text(&entry.key, node)?);
    if let Tree::Text(_) = &entry.value.value {
        let from = path(&entry.value)?;
        let column_type = from.own_type();
        let (name, from) = (name?, Some(from));
        return Ok(Column { name, from, minus: Vec::new(), is: None, present: None, column_type, default: None });
    }
    let mut fields = check.fields(format!("`{}`", entry.key), &entry.value)?;
    let from = fields.optional("from", path);
    let minus = fields.optional("minus", |node| match node.items() {
        Some(items) => check.each(items, path),
        None => path(node).map(|one| vec![one]),
    });
    let is = fields.optional("is", |node| check.filled_text("is", node));
    let present = fields.optional("present", |node| check.filled_text("present", node));
    let said = fields.optional("type", |node| {
        let word = check.word("type", node, &Type::NAMES.map(|(_, name)| name))?;
        let known = Type::NAMES.iter().find(|(_, name)| *name == word).map(|(known, _)| *known);
        known.ok_or_else(|| check.wrong("type", node, "a type"))
    });
    let default = fields.optional("default", |node| match read_wanted(check, "default", node, None)? {
        Wanted::Null => Err(check.bad(node.place(), "`default` is null", "a value")),
        value => Ok((value, node.place())),
    });
    fields.finish()?;
    let (from, minus, is, said, default) = (from?, minus?.unwrap_or_default(), is?, said?, default?);
    let present = present?;
    let place = || entry.place();
    if present.is_some() && (is.is_some() || !minus.is_empty() || said.is_some_and(|said| said != Type::Text)) {
        return Err(check.bad(place(), "`present` gives a text", "neither `is`, `minus` nor another `type`"));
    }
    let column_type = match (&from, minus.is_empty(), &is, said) {
        (None, true, ..) => return Err(check.bad(place(), format!("`{}` has no `from`", entry.key), "a member")),
        (None, false, Some(_), _) | (Some(_), false, Some(_), _) => {
            return Err(check.bad(place(), "`is` compares a member, and `minus` is a number", "one of them"));
        }
        (_, _, Some(_), None | Some(Type::Boolean)) => Type::Boolean,
        (_, false, _, None | Some(Type::Integer)) => Type::Integer,
        (Some(_), true, None, None) if present.is_some() => Type::Text,
        (Some(from), true, None, said) => said.unwrap_or_else(|| from.own_type()),
        (_, _, _, Some(_)) => {
            return Err(check.bad(place(), "`is` gives a boolean, and `minus` an integer", "no other `type`"));
        }
    };
    let default = match default {
        Some((value, place)) => match (&value, column_type) {
            (Wanted::Text(_), Type::Text)
            | (Wanted::Integer(_), Type::Integer)
            | (Wanted::Boolean(_), Type::Boolean) => Some(value),
            _ => {
                return Err(check.bad(
                    place,
                    format!("`default` of `{}` has another type", entry.key),
                    "the column's type",
                ));
            }
        },
        None => None,
    };
    Ok(Column { name: name?, from, minus, is, present, column_type, default })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Tables, Vec<String>> {
        let node = Node::parse(std::path::Path::new("tables.yml"), text).expect("valid YAML");
        Tables::read(&node).map_err(|Mistakes(told)| told.iter().map(ToString::to_string).collect())
    }

    fn view(clauses: &str) -> Result<Tables, Vec<String>> {
        read_text(&format!("a:\n  {{{clauses}}}\n"))
    }

    #[test]
    fn a_view_is_read_with_everything_that_it_has() {
        let tables = view(
            "of: record items, open_accounts: true, with: {plan: {of: catalog_product, where: {id: \"{value.product_id}\"}}, \
             own: {of: claim stripe-customer}}, where: {account.kind: user, value.n: [1, true, null, x]}, columns: {a: id, \
             b: {from: value.at, type: timestamp}, c: {from: value.n, minus: [value.m, value.back.*], default: 7}, \
             d: {from: plan.metadata.x, is: y}, e: own.id, f: {minus: value.m}}",
        );
        let tables = tables.expect("a view");
        let [view] = tables.views.as_slice() else { panic!("{tables:?}") };
        assert_eq!(
            (view.kind.clone(), view.open_accounts, view.lookups.len()),
            (Kind::Record("items".into()), true, 2)
        );
        assert_eq!(view.conditions.iter().map(|condition| condition.wanted.len()).collect::<Vec<_>>(), [1, 4]);
        let types: Vec<Type> = view.columns.iter().map(|column| column.column_type).collect();
        assert_eq!(types, [Type::Text, Type::Timestamp, Type::Integer, Type::Boolean, Type::Text, Type::Integer]);
        assert_eq!((view.columns[2].minus.len(), view.columns[2].default.clone()), (2, Some(Wanted::Integer(7))));
        let own =
            super::super::Tables::read(&Node::parse(std::path::Path::new("x"), "{}").expect("YAML")).expect("no views");
        assert_eq!(own, Tables::default());
    }

    #[test]
    fn every_mistake_is_told_with_its_line() {
        for (clauses, told) in [
            ("columns: {a: id}", "has no `of`"),
            ("of: purchase", "has no `columns`"),
            ("of: purchases, columns: {a: id}", "did you mean `purchase`?"),
            ("of: record, columns: {a: id}", "`of: record`"),
            ("of: \"record a; b\", columns: {a: id}", "`record NAME`"),
            ("of: claim stripe-customer, columns: {a: id}", "cannot be of claims"),
            ("of: effect, columns: {a: id}", "effects of all kinds"),
            ("of: effect, where: {kind: [x, null]}, columns: {a: id}", "effects of all kinds"),
            ("of: purchase, columns: {}", "no columns"),
            ("of: purchase, columns: {a: statuss}", "did you mean `status`?"),
            ("of: purchase, columns: {a: status.x}", "ends at the value"),
            ("of: purchase, columns: {a: total}", "`total.amount_minor` or `total.currency`"),
            ("of: purchase, columns: {a: total.amount}", "`total.amount_minor`"),
            ("of: purchase, columns: {a: account.name}", "`account.kind` or `account.id`"),
            ("of: purchase, columns: {a: total.*}", "after a mapping of numbers"),
            ("of: purchase, columns: {a: \"metadata.it's\"}", "letters, digits"),
            ("of: purchase, columns: {a: metadata..x}", "letters, digits"),
            ("of: catalog_product, columns: {a: filters}", "`filters.NAME`"),
            ("of: account, columns: {a: id}", "`id` is not a member"),
            ("of: purchase, columns: {\"a b\": id}", "cannot be a name"),
            ("of: purchase, columns: {1a: id}", "cannot be a name"),
            ("of: purchase, columns: {host_a: id}", "cannot be a name"),
            ("of: purchase, columns: {a: id, A: id}", "already a column"),
            ("of: purchase, columns: {a: {type: text}}", "has no `from`"),
            ("of: purchase, columns: {a: {from: id, type: txt}}", "did you mean `text`?"),
            ("of: purchase, columns: {a: {from: id, default: 1}}", "another type"),
            ("of: purchase, columns: {a: {from: id, default: null}}", "`default` is null"),
            ("of: purchase, columns: {a: {from: id, is: x, minus: id}}", "one of them"),
            ("of: purchase, columns: {a: {from: id, is: x, type: text}}", "no other `type`"),
            ("of: purchase, columns: {a: {from: id, form: x}}", "unknown field `form`"),
            ("of: purchase, wher: {}, columns: {a: id}", "did you mean `where`?"),
            ("of: purchase, where: {id: []}, columns: {a: id}", "no values"),
            ("of: purchase, where: {id: 1.5}, columns: {a: id}", "a whole number"),
            ("of: purchase, where: {id: \"{status}\"}, columns: {a: id}", "only `with` compares members"),
            ("of: purchase, with: {id: {of: price}}, columns: {a: id}", "already a member"),
            ("of: purchase, with: {x: {of: event}}, columns: {a: id}", "can be looked up"),
            (
                "of: purchase, with: {x: {of: purchase, where: {id: \"{y.id}\"}}}, columns: {a: id}",
                "`y` is not a member",
            ),
            ("of: purchase, with: {x: {of: purchase}}, columns: {a: y.id}", "expected one of id"),
        ] {
            let mistakes = view(clauses).expect_err(clauses);
            assert!(mistakes.iter().any(|mistake| mistake.contains(told)), "{clauses}: {mistakes:?}");
            assert!(mistakes.iter().all(|mistake| mistake.starts_with("tables.yml:2")), "{mistakes:?}");
        }
        let twice = read_text("a: {of: purchase, columns: {a: id}}\nA: {of: purchase, columns: {a: id}}\n");
        assert!(twice.expect_err("one name")[0].contains("tables.yml:2: `A` is already the name"));
        let both =
            read_text("a: {of: x, columns: {a: id}}\nb: {of: purchase, columns: {a: x}}\n").expect_err("two mistakes");
        assert_eq!(both.len(), 2, "{both:?}");
    }

    #[test]
    fn values_are_quoted_and_compared() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        drop(host_store::SqliteStore::open(&path).expect("a store"));
        let mut connection = rusqlite::Connection::open(&path).expect("opened");
        let odd = host_store::Partition { business: "o'hara */ --".to_owned(), livemode: true };
        let value = r#"{"a": "it's \"; DROP TABLE records; --", "n": 2, "t": true, "x": null, "l": [{"y": 5}], "s": {"p": 1, "q": 2}}"#;
        let rows = "INSERT INTO partitions (id, business, livemode) VALUES (1, 'o''hara */ --', 1); \
                    INSERT INTO scopes (id, partition, account, revision) VALUES (1, 1, 'user:A:b', 1);";
        connection.execute_batch(rows).expect("a scope");
        let columns = "scope, key, body, value, data_version, live, shown, written";
        let row = format!("INSERT INTO rows ({columns}) VALUES (1, 'record:c:plain', '{{}}', ?1, 1, 0, 1, 1)");
        connection.execute(&row, [value]).expect("a record");
        for (condition, count) in [
            ("value.a: \"it's \\\"; DROP TABLE records; --\"", 1),
            ("value.a: \"it's\"", 0),
            ("value.n: 2", 1),
            ("value.n: \"2\"", 1),
            ("value.n: [1, 3]", 0),
            ("value.t: true", 1),
            ("value.t: false", 0),
            ("value.x: null", 1),
            ("value.z: null", 1),
            ("value.n: null", 0),
            ("value.l.0.y: 5", 1),
            ("value.l.1.y: null", 1),
            ("account.kind: user", 1),
            ("account.id: \"A:b\"", 1),
            ("id.kind: plain", 1),
            ("id.name: plain", 1),
        ] {
            let tables = view(&format!(
                "of: record c, where: {{{condition}}}, columns: {{a: key, s: value.s.*, n: {{from: value.a, type: integer}}}}"
            ));
            crate::tables::sqlite::apply(&mut connection, &tables.expect(condition), &odd).expect(condition);
            let name = crate::tables::sqlite::view_name(&odd, "a");
            let found: Vec<(String, i64, Option<i64>)> = {
                let mut all = connection.prepare(&format!("SELECT * FROM {name}")).expect(condition);
                let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect(condition);
                rows.collect::<Result<_, _>>().expect(condition)
            };
            assert_eq!(found, vec![("user:A:b/plain".to_owned(), 3, None); count], "{condition}");
        }
        assert_eq!(crate::tables::sqlite::remove(&mut connection, &odd), Ok(1));
    }
}
