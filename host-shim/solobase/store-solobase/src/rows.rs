//! The rows of accounts, their references, facts, replies and claims.

use crate::group::Group;
use crate::query::Query;
use crate::record::Record;
use crate::tables::{CLAIMS, FACTS, REFS, REPLIES, ROWS};
use extension_contract::{Account, CatalogRow, Product, Reference, Reply, Row, RowKey, RowKind, StoredRow, Timestamp};
use host_store::implementation::json::{Content, RowParts, damaged, from_json, stored, to_json};
use host_store::implementation::{reference, scan_bounds};
use host_store::{ClaimRow, RowWrite, Scope, Stored};
use std::collections::BTreeSet;

/// Kind of the row of an account itself.
pub(crate) const ACCOUNT: &str = "account";

/// A row with its references.
pub(crate) struct LoadedRow {
    pub(crate) stored: StoredRow,
    pub(crate) references: Vec<Reference>,
}

/// Returns a text whose order is the byte order of the given text, whatever the collation.
pub(crate) fn ord(text: &str) -> String {
    hex::encode(text)
}

/// Returns the column of a row's kind.
pub(crate) fn kind_of(kind: &RowKind) -> String {
    match kind {
        RowKind::Product => "product".to_owned(),
        RowKind::Price => "price".to_owned(),
        RowKind::Purchase => "purchase".to_owned(),
        RowKind::Subscription => "subscription".to_owned(),
        RowKind::Record(collection) => format!("r{}", ord(collection)),
    }
}

/// Returns the collection of a record's kind.
pub(crate) fn collection_of(kind: &str) -> Stored<String> {
    let bytes = kind.strip_prefix('r').and_then(|text| hex::decode(text).ok()).ok_or_else(|| damaged(kind))?;
    String::from_utf8(bytes).map_err(damaged)
}

pub(crate) fn row_id(scope: &Scope, key: &RowKey) -> String {
    format!("{}|{key}", scope.name())
}

pub(crate) fn account_id(scope: &Scope) -> String {
    format!("{}|", scope.name())
}

pub(crate) fn fact_id(scope: &Scope, fact: &str) -> String {
    format!("{}|{fact}", scope.name())
}

/// Reads a row of an account.
pub(crate) fn read(row: &Record) -> Stored<StoredRow> {
    let key = row.id.strip_prefix(row.text("scope")?).and_then(|rest| rest.strip_prefix('|'));
    let key = key.ok_or_else(|| damaged(&row.id))?;
    stored(key, row.int("data_version")?, row.text("body")?, row.text("value")?.to_owned())
}

pub(crate) fn read_with_references(row: &Record) -> Stored<LoadedRow> {
    Ok(LoadedRow { stored: read(row)?, references: references(row)? })
}

/// Reads the references of a row.
pub(crate) fn references(row: &Record) -> Stored<Vec<Reference>> {
    let Some(texts) = row.maybe_text("refs")? else { return Ok(Vec::new()) };
    let texts: Vec<String> = from_json(texts)?;
    texts.iter().map(|text| reference(text).ok_or_else(|| damaged(text))).collect()
}

/// Reads a product.
pub(crate) fn product(row: &Record) -> Stored<Product> {
    match read(row)?.row {
        Row::Product(product) => Ok(product),
        other => Err(damaged(format!("`{}` is not a product", other.id()))),
    }
}

/// Reads a row of the catalog; none for a row that is not part of it.
pub(crate) fn catalog_row(row: &Record) -> Stored<Option<CatalogRow>> {
    Ok(CatalogRow::of(read(row)?.row))
}

/// Selects the rows of a kind, in the order of their ids.
pub(crate) fn of_kind(scope: &Scope, kind: &RowKind) -> Query {
    Query::of(&ROWS).eq("scope", scope.name()).eq("kind", kind_of(kind))
}

/// Adds the bounds of ids with a prefix to a query.
pub(crate) fn bounded(query: Query, prefix: &str, descending: bool, after: Option<&str>) -> Query {
    let (from, to) = scan_bounds(prefix, descending, after);
    let query = query.gte("ord", ord(&from));
    let query = to.map_or(query.clone(), |to| query.lt("ord", ord(&to)));
    if descending { query.sort_down("ord") } else { query.sort("ord") }
}

/// Reads the row of an account.
pub(crate) fn scope_of(row: &Record) -> Stored<Scope> {
    let (business, livemode, account): (String, bool, String) = from_json(row.text("body")?)?;
    let account: Account = account.parse().map_err(damaged)?;
    Ok(Scope { business, livemode, account })
}

/// Creates the row of an account.
pub(crate) fn account_row(scope: &Scope, revision: u64, data_version: Option<u32>) -> Stored<Record> {
    let body = to_json(&(&scope.business, scope.livemode, scope.account.to_string()))?;
    Ok(Record::new(account_id(scope))
        .with("scope", scope.name())
        .with("kind", ACCOUNT)
        .with("ord", "")
        .with("live", true)
        .with("shown", true)
        .with("written", revision)
        .with("data_version", data_version.map(i64::from))
        .with("body", body))
}

/// The revision of the account at a write, and the times of a row's first and last writes.
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) revision: u64,
    pub(crate) made_at: Option<Timestamp>,
    pub(crate) changed_at: Option<Timestamp>,
}

impl Group {
    /// Writes or deletes a row, and the index of its references.
    pub(crate) fn put_row(&self, scope: &Scope, write: &RowWrite, stamp: Stamp) -> Stored<()> {
        let id = row_id(scope, &write.key);
        let old = self.find(&ROWS, &id)?;
        let before = match &old {
            Some(row) if row.truth("shown")? => targets(&references(row)?),
            _ => BTreeSet::new(),
        };
        let RowParts { shown, targets, product_type, session_id, payment_intent_id } = RowParts::of(write);
        for target in before.difference(&targets) {
            self.put(&REFS, &ref_id(scope, target, &write.key), None)?;
        }
        for target in targets.difference(&before) {
            let key = write.key.to_string();
            let row = Record::new(ref_id(scope, target, &write.key))
                .with("scope", scope.name())
                .with("target", target.as_str())
                .with("ord", ord(&key))
                .with("row_key", key);
            self.set(&REFS, row)?;
        }
        let Some(row) = &write.row else { return self.put(&ROWS, &id, None) };
        let refs: Vec<String> = write.references.iter().map(ToString::to_string).collect();
        let refs = (!refs.is_empty()).then(|| to_json(&refs)).transpose()?;
        let Content { body, value } = Content::of(row)?;
        let made_at = match &old {
            Some(row) => row.maybe_int("made_at")?,
            None => stamp.made_at,
        };
        let record = Record::new(id)
            .with("scope", scope.name())
            .with("kind", kind_of(&write.key.kind()))
            .with("ord", ord(write.key.id()))
            .with("live", write.live && shown)
            .with("shown", shown)
            .with("fingerprint", write.fingerprint.as_deref())
            .with("written", stamp.revision)
            .with("data_version", i64::from(write.data_version))
            .with("session_id", session_id)
            .with("payment_intent_id", payment_intent_id)
            .with("product_type", product_type)
            .with("refs", refs)
            .with("body", body)
            .with("value", value)
            .with("made_at", made_at)
            .with("changed_at", stamp.changed_at)
            // A row that is soft-deleted or not live keeps what it was written with.
            .with("wanted_live", write.live);
        self.set(&ROWS, record)
    }

    /// Writes a fact.
    pub(crate) fn put_fact(&self, scope: &Scope, fact: &str, event_id: &str) -> Stored<()> {
        let row = Record::new(fact_id(scope, fact))
            .with("scope", scope.name())
            .with("ord", ord(fact))
            .with("fact", fact)
            .with("event_id", event_id);
        self.set(&FACTS, row)
    }

    /// Writes the last reply to a caller.
    pub(crate) fn put_reply(&self, scope: &Scope, caller: &str, reply: &Reply) -> Stored<()> {
        let row = Record::new(fact_id(scope, caller))
            .with("scope", scope.name())
            .with("ord", ord(caller))
            .with("caller", caller)
            .with("body", to_json(reply)?);
        self.set(&REPLIES, row)
    }

    /// Writes or removes a claim.
    pub(crate) fn put_claim(&self, key: &str, claim: Option<&ClaimRow>) -> Stored<()> {
        let row = claim.map(|claim| {
            Record::new(key.to_owned())
                .with("ord", ord(key))
                .with("holder", claim.holder.as_ref().map(ToString::to_string))
                .with("until", claim.until)
                .with("blocked_until", claim.blocked_until)
        });
        self.put(&CLAIMS, key, row)
    }
}

/// Reads a claim.
pub(crate) fn claim(row: &Record) -> Stored<ClaimRow> {
    let holder = row.maybe_text("holder")?.map(|text| text.parse().map_err(damaged)).transpose()?;
    Ok(ClaimRow { holder, until: row.maybe_int("until")?, blocked_until: row.maybe_int("blocked_until")? })
}

fn ref_id(scope: &Scope, target: &str, key: &RowKey) -> String {
    format!("{}|{target}|{key}", scope.name())
}

/// Returns the texts of the references by which a row is found.
fn targets(references: &[Reference]) -> BTreeSet<String> {
    references.iter().filter(|it| !matches!(it, Reference::Catalog(_))).map(ToString::to_string).collect()
}
