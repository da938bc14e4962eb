//! Where the rows of each kind and their members are in a store.

use super::expression::Value;
use super::{Sql, measurement, text};
use crate::tables::kind::{Form, Kind, Type};
use crate::tables::path::{Path, Step};
use host_store::Partition;

/// The rows of a kind under an alias.
pub(super) struct Source<'k> {
    sql: Sql<'k>,
    kind: &'k Kind,
    alias: String,
    /// Alias of the scope: that of the row, or of the row that looks it up.
    scope: String,
    /// The text after FROM.
    pub(super) from: String,
    /// Conditions of the kind itself.
    pub(super) filters: Vec<String>,
}

/// Names of the states of an effect in a store, starting at 0.
const EFFECT_STATES: [&str; 4] = ["queued", "running", "finished", "cancelled"];

impl<'k> Source<'k> {
    /// Returns the rows of all accounts, or of the catalog.
    pub(super) fn all(sql: Sql<'k>, kind: &'k Kind) -> Source<'k> {
        let (alias, scope) = ("r".to_owned(), "s".to_owned());
        let mut filters = Vec::new();
        let of_business = of_partition(sql, "s");
        let from = match kind {
            Kind::Account => match sql {
                Sql::Sqlite(_) => {
                    filters.push(of_business);
                    "scopes AS s".to_owned()
                }
                Sql::Postgres(schema, _) => format!("{schema}.host_accounts AS s"),
            },
            Kind::Event => {
                filters.push(of_partition(sql, "r"));
                "events AS r".to_owned()
            }
            Kind::Effect => match sql {
                Sql::Sqlite(_) => {
                    filters.push(of_business);
                    "effects AS r JOIN effect_texts AS t ON t.seq = r.seq JOIN scopes AS s ON s.id = r.scope".to_owned()
                }
                Sql::Postgres(schema, _) => format!("{schema}.host_effects AS r JOIN scopes AS s ON s.id = r.scope"),
            },
            Kind::Measurement => {
                match sql {
                    Sql::Sqlite(_) => filters.push(of_business),
                    // The view itself contains only rows of the business.
                    Sql::Postgres(..) => {}
                }
                format!("{} AS r JOIN scopes AS s ON s.id = r.scope", measurement::rows(sql))
            }
            _ => {
                filters.push(of_business);
                format!("{} AS r JOIN scopes AS s ON s.id = r.scope", table(kind))
            }
        };
        match kind {
            Kind::Product => filters.push("s.account <> 'platform'".to_owned()),
            kind if kind.is_catalog() => filters.push("s.account = 'platform'".to_owned()),
            _ => {}
        }
        let mut source = Source { sql, kind, alias, scope, from, filters };
        source.filters.extend(source.of_kind());
        source
    }

    /// Returns the rows of the account of another row, or of the catalog. `scope` is the alias of the other row's scope.
    pub(super) fn looked_up(sql: Sql<'k>, kind: &'k Kind, alias: &str, scope: &str) -> Source<'k> {
        let of = match (kind.is_catalog(), sql) {
            (false, _) => format!("{alias}.scope = {scope}.id"),
            (true, Sql::Sqlite(_)) => format!(
                "{alias}.scope = (SELECT p.id FROM scopes AS p WHERE {} AND p.account = 'platform')",
                of_partition(sql, "p")
            ),
            (true, Sql::Postgres(schema, _)) => format!("{alias}.scope = {schema}.host_catalog()"),
        };
        let of = match (kind, sql) {
            (Kind::Claim(name), _) => {
                format!("{alias}.holder = {scope}.account AND {}", claim_keys(sql.partition(), name, alias))
            }
            _ => of,
        };
        let from = format!("{} AS {alias}", table(kind));
        let mut source =
            Source { sql, kind, alias: alias.to_owned(), scope: scope.to_owned(), from, filters: vec![of] };
        source.filters.extend(source.of_kind());
        source
    }

    /// Returns the condition that the account is not closed.
    pub(super) fn is_open(&self) -> String {
        let scope = &self.scope;
        format!("NOT EXISTS (SELECT 1 FROM rows AS c WHERE c.key = 'record:account:closed' AND c.scope = {scope}.id)")
    }

    /// Returns the order of rows, in which the most recently changed one comes first. Nobody knows when a claim was taken.
    pub(super) fn newest_first(&self) -> String {
        let alias = &self.alias;
        match self.kind {
            Kind::Claim(_) => format!("{alias}.key"),
            _ => format!("{alias}.written DESC, {alias}.key"),
        }
    }

    /// Returns the conditions that select the rows of the kind from their table.
    fn of_kind(&self) -> Vec<String> {
        match self.kind.is_row() {
            true => key_conditions(self.kind, &self.alias),
            false => Vec::new(),
        }
    }

    /// Returns the value of a path in the row.
    pub(super) fn value(&self, path: &Path) -> Value {
        let plain = |sql: String, own: Type| Value::Typed(sql, own);
        let alias = &self.alias;
        match (path.member.name, path.member.form) {
            ("account", _) => Value::Typed(self.part(&self.account(), &path.steps), Type::Text),
            ("id", Form::Parts(..)) => Value::Typed(self.part(&self.id(), &path.steps), Type::Text),
            ("key", _) => Value::Typed(self.key(), Type::Text),
            ("created_at" | "updated_at", _) => Value::Typed(self.time(path.member.name), Type::Timestamp),
            ("status", _) if *self.kind == Kind::Event => plain(self.status_of_event(), Type::Text),
            ("status", _) if *self.kind == Kind::Effect => {
                let names = (0..).zip(EFFECT_STATES).map(|(state, name)| format!("WHEN {state} THEN '{name}'"));
                plain(format!("CASE {alias}.state {} END", names.collect::<Vec<_>>().join(" ")), Type::Text)
            }
            ("attempts", _) if *self.kind == Kind::Event => plain(format!("{alias}.runs"), Type::Integer),
            ("processed_at", _) => plain(self.processed_at(), Type::Timestamp),
            ("payload", _) => match self.sql {
                Sql::Sqlite(_) => Value::Json("t.payload".to_owned(), path.steps.clone()),
                Sql::Postgres(..) => Value::Json(format!("{alias}.payload"), path.steps.clone()),
            },
            _ => self.member(path),
        }
    }

    /// Returns the value of one of the row's own members: in its body, or in a separate column.
    fn member(&self, path: &Path) -> Value {
        let (alias, name) = (&self.alias, path.member.name);
        let column = |name: &str| match self.sql {
            Sql::Sqlite(_) => format!("{alias}.{name}"),
            Sql::Postgres(..) => format!("({alias}.{name}::jsonb)"),
        };
        let json = |json: String| match path.is_sum {
            true => Value::Sum(json, path.steps.clone()),
            false => Value::Json(json, path.steps.clone()),
        };
        if !self.kind.is_row() {
            return match path.member.form {
                Form::Json => json(format!("{alias}.{name}")),
                Form::Pairs => Value::Pair(format!("{alias}.{name}"), path.first_step()),
                Form::Plain(_) | Form::Parts(..) | Form::Struct(_) => {
                    Value::Typed(format!("{alias}.{name}"), path.own_type())
                }
            };
        }
        // The extension's own text has a separate column; the values of most rows are in a member of the body.
        let in_body = match self.kind {
            Kind::CatalogPrice => vec![Step::Name(name.to_owned())],
            _ => ["values", name].map(|step| Step::Name(step.to_owned())).to_vec(),
        };
        match path.member.form {
            Form::Json if name != "items" => json(column("value")),
            Form::Json => json(self.sql.member(&column("body"), &in_body)),
            Form::Pairs => Value::Pair(self.sql.member(&column("body"), &in_body), path.first_step()),
            Form::Plain(_) | Form::Parts(..) | Form::Struct(_) => {
                let value = Value::Json(column("body"), [in_body, path.steps.clone()].concat());
                match path.own_type() {
                    // A time in a row is a number, and remains one until a column shows it.
                    Type::Timestamp => Value::Typed(self.sql.typed(&value, Type::Integer), Type::Timestamp),
                    _ => value,
                }
            }
        }
    }

    /// Returns the part of a text before or after its first colon, or the whole text. A text without a colon is both parts.
    fn part(&self, whole: &str, steps: &[Step]) -> String {
        match (steps.first(), self.sql) {
            (None, _) => whole.to_owned(),
            (Some(Step::Name(name)), Sql::Sqlite(_)) if name == "kind" => {
                format!("substr({whole}, 1, instr({whole} || ':', ':') - 1)")
            }
            (Some(Step::Name(name)), Sql::Postgres(..)) if name == "kind" => format!("split_part({whole}, ':', 1)"),
            (Some(_), Sql::Sqlite(_)) => format!("substr({whole}, instr({whole}, ':') + 1)"),
            (Some(_), Sql::Postgres(..)) => format!("substr({whole}, strpos({whole}, ':') + 1)"),
        }
    }

    fn account(&self) -> String {
        match self.kind {
            Kind::Event => format!("{}.account", self.alias),
            _ => format!("{}.account", self.scope),
        }
    }

    fn id(&self) -> String {
        let alias = &self.alias;
        match self.kind {
            Kind::Effect => format!("{alias}.key"),
            Kind::Claim(name) => {
                let prefix = format!("{}//{name}:", self.sql.partition().name());
                format!("substr({alias}.key, {})", prefix.chars().count() + 1)
            }
            kind if kind.is_row() => format!("substr({alias}.key, {})", key_prefix(kind).chars().count() + 1),
            _ => format!("{alias}.id"),
        }
    }

    /// Returns a text that is unique among the rows of the view.
    fn key(&self) -> String {
        let (account, id) = (self.account(), self.id());
        match self.kind {
            Kind::Event => format!("{0}.source || '/' || {0}.id", self.alias),
            Kind::Effect => format!("{account} || '/' || {id} || '/' || {}.generation", self.alias),
            Kind::Measurement => format!("{account} || '/' || {0}.meter || '/' || {0}.id", self.alias),
            _ => format!("{account} || '/' || {id}"),
        }
    }

    fn time(&self, name: &str) -> String {
        let alias = &self.alias;
        match (self.sql, self.kind, name) {
            (Sql::Sqlite(_), Kind::Account, name) => {
                let (which, scope) = (if name == "created_at" { "min" } else { "max" }, &self.scope);
                format!("(SELECT {which}(t.{name}) FROM rows AS t WHERE t.scope = {scope}.id)")
            }
            (Sql::Postgres(..), Kind::Account, name) => format!("{}.{name}", self.scope),
            (_, Kind::Event, "created_at") | (_, Kind::Measurement, _) => format!("{alias}.received_at"),
            (_, Kind::Event, _) => format!("coalesce({}, {alias}.received_at)", self.processed_at()),
            (_, _, name) => format!("{alias}.{name}"),
        }
    }

    fn processed_at(&self) -> String {
        match self.sql {
            Sql::Sqlite(_) => format!("({}.run ->> 'at')", self.alias),
            Sql::Postgres(..) => format!("({}.run ->> 'at')::bigint", self.alias),
        }
    }

    fn status_of_event(&self) -> String {
        let alias = &self.alias;
        let outcome = match self.sql {
            Sql::Sqlite(_) => format!("{alias}.outcome"),
            Sql::Postgres(..) => format!("{alias}.outcome::text"),
        };
        let is = |name: &str| format!("{outcome} LIKE '{{\"{name}\"%'");
        format!(
            "CASE {alias}.state WHEN 4 THEN 'failed' WHEN 3 THEN CASE WHEN {} THEN 'failed' WHEN {} OR {} OR {} THEN 'ignored' ELSE \
             'processed' END ELSE 'received' END",
            is("rejected"),
            is("ignored"),
            is("duplicate"),
            is("stale")
        )
    }
}

/// Returns the condition that a row belongs to a business in a mode.
fn of_partition(sql: Sql<'_>, alias: &str) -> String {
    match sql {
        Sql::Sqlite(Partition { business, livemode }) => format!(
            "{alias}.partition = (SELECT id FROM partitions WHERE business = {} AND livemode = {})",
            text(business),
            u8::from(*livemode)
        ),
        Sql::Postgres(schema, _) => format!("{alias}.partition = {schema}.host_partition()"),
    }
}

/// Returns the condition that a claim is of a kind, as a range of keys, because that can use an index.
pub(crate) fn claim_keys(partition: &Partition, kind: &str, alias: &str) -> String {
    let key = |end: &str| text(&format!("{}//{kind}{end}", partition.name()));
    format!("{alias}.key >= {} AND {alias}.key < {}", key(":"), key(";"))
}

/// Returns the table that contains the rows of a kind.
fn table(kind: &Kind) -> &'static str {
    match kind {
        Kind::Claim(_) => "claims",
        _ => "rows",
    }
}

/// Returns the common prefix of the keys of a kind of rows.
fn key_prefix(kind: &Kind) -> String {
    match kind {
        Kind::CatalogPrice => "price:".to_owned(),
        Kind::Purchase => "purchase:".to_owned(),
        Kind::Subscription => "subscription:".to_owned(),
        Kind::Record(collection) => format!("record:{collection}:"),
        _ => "product:".to_owned(),
    }
}

/// Returns the conditions that select the rows of a kind, as a range of keys, because that can use an index.
pub(crate) fn key_conditions(kind: &Kind, alias: &str) -> Vec<String> {
    let prefix = key_prefix(kind);
    let end = format!("{};", prefix.strip_suffix(':').unwrap_or(&prefix));
    let mut conditions = vec![format!("{alias}.key >= {} AND {alias}.key < {}", text(&prefix), text(&end))];
    if matches!(kind, Kind::CatalogProduct | Kind::Product) {
        conditions.push(format!("{alias}.shown"));
    }
    if *kind == Kind::CatalogProduct {
        conditions.push(format!("{alias}.key NOT LIKE 'product:type:%'"));
    }
    conditions
}
