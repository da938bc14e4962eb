//! Places an event by its claims, and reads everything that it needs from its account.
//!
//! Most events need only the live rows, and catalog rows that earlier events have needed. For these, one short statement is enough. If
//! an event may need more, the function `open_account` follows the references of rows.

use crate::catalog;
use crate::decode::{self, get, number, stored};
use crate::store::PostgresStore;
use crate::wire::Params;
use extension_contract::{Account, CatalogKey, CatalogRow, REFERENCES_MAX, Reference};
use host_store::{ClaimRow, OpenedRows, Partition, PlaceQuery, Placed, Stored};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use tokio_postgres::Row;

/// The parts of `open_account` without the catalog rows and the list of references, since each row contains its own. The account has
/// `more` if one of the named rows is stored and not live, or has referrers.
macro_rules! open {
    () => {
        "
WITH held AS MATERIALIZED (
    SELECT c.* FROM unnest($3::text[]) k, LATERAL (
        SELECT c.key, c.holder, c.until, c.blocked_until FROM claims c WHERE c.key = k OFFSET 0) c
), place AS MATERIALIZED (
    SELECT h.account, s.id, s.revision, a.revision AS catalog FROM (
        SELECT CASE WHEN min(holder) IS DISTINCT FROM max(holder) THEN NULL ELSE coalesce(min(holder), $5) END AS account
        FROM held WHERE holder IS NOT NULL AND (until IS NULL OR until > $4)
    ) h LEFT JOIN partitions p ON p.business = $1 AND p.livemode = $2
        LEFT JOIN scopes a ON a.partition = p.id AND a.account = 'platform'
        LEFT JOIN scopes s ON s.partition = p.id AND s.account = h.account
    WHERE h.account IS NOT NULL
)
SELECT 'l', h.key, h.until, h.blocked_until, h.holder, NULL::text, NULL::text[] FROM held h
UNION ALL SELECT 'a', p.account, coalesce(p.revision, 0), coalesce(p.catalog, 0), CASE WHEN EXISTS (
        SELECT FROM unnest($6::text[]) n
        WHERE EXISTS (SELECT FROM refs f WHERE f.scope = p.id AND f.target = n)
            OR EXISTS (SELECT FROM rows r WHERE r.scope = p.id AND r.key = substr(n, 5) AND NOT (r.live AND r.shown))
    ) THEN 'more' END, NULL, NULL FROM place p
UNION ALL SELECT 'r', r.key, r.data_version, NULL, r.body::text, r.value::text, r.refs
    FROM rows r WHERE r.scope = (SELECT id FROM place) AND r.live AND r.shown"
    };
}

/// Most events ask for no facts.
const OPEN: &str = open!();
const OPEN_WITH_FACTS: &str = concat!(
    open!(),
    " UNION ALL SELECT 'f', f.fact, NULL, NULL, NULL, NULL, NULL FROM facts f \
     WHERE f.scope = (SELECT id FROM place) AND f.fact = ANY ($7)"
);

/// All parts, with catalog rows, but without the references of rows.
const OPEN_ACCOUNT: &str =
    "SELECT part, key, first, second, body, value, NULL::text[] FROM open_account($1, $2, $3, $4, $5, $6, $7, $8)";

/// The columns of the answer.
#[derive(Default)]
struct Answer {
    claims: HashMap<String, ClaimRow>,
    account: Option<Account>,
    opened: OpenedRows,
    catalog: BTreeMap<String, CatalogRow>,
    facts: HashSet<String>,
    /// References of the rows to the catalog.
    references: BTreeSet<String>,
    /// True if the event may need rows that are not part of the answer.
    has_more: bool,
}

impl PostgresStore {
    /// Places an event, and opens its account.
    pub(crate) fn open_placed(&self, query: &PlaceQuery<'_>) -> Stored<(Vec<Option<ClaimRow>>, Option<Placed>)> {
        let PlaceQuery { partition, claims, otherwise, .. } = *query;
        let is_written = |account: Option<&Account>| {
            let scope = account.map(|account| partition.scope(account.clone()));
            self.waits(|batch| batch.has_claim(claims) || scope.is_some_and(|scope| batch.has_scope(&scope)))
        };
        if is_written(otherwise) {
            self.settle_held()?;
        }
        let mut answer = self.ask(query)?;
        if is_written(answer.account.as_ref()) {
            self.settle_held()?;
            answer = self.ask(query)?;
        }
        Ok(answer.into_opened(query))
    }

    fn ask(&self, query: &PlaceQuery<'_>) -> Stored<Answer> {
        let PlaceQuery { partition, claims, now, otherwise, named, facts } = query;
        let account = otherwise.map(ToString::to_string);
        let rows: Vec<String> =
            named.iter().filter(|name| matches!(name, Reference::Row(_))).map(ToString::to_string).collect();
        let params: Params<'_> = &[&partition.business, &partition.livemode, claims, now, &account, &rows, facts];
        let (sql, params) = if facts.is_empty() { (OPEN, &params[..6]) } else { (OPEN_WITH_FACTS, params) };
        let mut answer = Answer::read(&self.query_now(sql, params)?)?;
        let catalog = named
            .iter()
            .filter(|name| matches!(name, Reference::Catalog(CatalogKey::Product(_) | CatalogKey::Price(_))));
        answer.references.extend(catalog.map(ToString::to_string));
        if answer.account.is_none() || (!answer.has_more && self.add_catalog(partition, &mut answer)?) {
            return Ok(answer);
        }
        let names: Vec<String> = named.iter().map(ToString::to_string).collect();
        let others = i32::try_from(REFERENCES_MAX).unwrap_or(i32::MAX);
        let params: Params<'_> =
            &[&partition.business, &partition.livemode, claims, now, &account, &names, facts, &others];
        Answer::read(&self.query_now(OPEN_ACCOUNT, params)?)
    }

    /// Adds the catalog rows to which an answer refers. Returns false if the catalog has changed in the meantime.
    fn add_catalog(&self, partition: &Partition, answer: &mut Answer) -> Stored<bool> {
        let keys: Vec<&str> = answer.references.iter().filter_map(|name| name.strip_prefix(CATALOG)).collect();
        let revision = answer.opened.catalog_revision;
        match catalog::rows(self, partition, revision, &keys)? {
            Some(rows) => answer.catalog = rows,
            None => return Ok(false),
        }
        Ok(true)
    }
}

/// Prefix of a row's key in a reference to the catalog.
const CATALOG: &str = "catalog:catalog-";

impl Answer {
    fn read(rows: &[Row]) -> Stored<Answer> {
        let mut answer = Answer::default();
        for row in rows {
            let key: &str = get(row, 1)?;
            match get::<&str>(row, 0)? {
                "l" => {
                    let holder = get::<Option<&str>>(row, 4)?.map(decode::account).transpose()?;
                    let claim = ClaimRow { holder, until: get(row, 2)?, blocked_until: get(row, 3)? };
                    answer.claims.insert(key.to_owned(), claim);
                }
                "a" => {
                    answer.account = Some(decode::account(key)?);
                    answer.opened.account_revision = number(row, 2)?;
                    answer.opened.catalog_revision = number(row, 3)?;
                    answer.has_more |= get::<Option<&str>>(row, 4)?.is_some();
                }
                "r" => {
                    answer.opened.rows.push(stored(key, get(row, 2)?, get(row, 4)?, get(row, 5)?)?);
                    for reference in get::<Option<Vec<&str>>>(row, 6)?.unwrap_or_default() {
                        answer.has_more |= reference.starts_with("row:");
                        if reference.starts_with("catalog:catalog-product:")
                            || reference.starts_with("catalog:catalog-price:")
                        {
                            answer.references.insert(reference.to_owned());
                        }
                    }
                }
                "c" => {
                    let row = decode::catalog_row(key, get(row, 4)?, get(row, 5)?)?;
                    answer.catalog.extend(row.map(|row| (key.to_owned(), row)));
                }
                _ => drop(answer.facts.insert(key.to_owned())),
            }
        }
        Ok(answer)
    }

    fn into_opened(self, query: &PlaceQuery<'_>) -> (Vec<Option<ClaimRow>>, Option<Placed>) {
        let Answer { claims, account, mut opened, catalog, facts, .. } = self;
        opened.rows.sort_by_cached_key(|stored| stored.row.key());
        // Products precede prices, as in the order of keys.
        let (products, prices): (Vec<_>, Vec<_>) =
            catalog.into_values().partition(|row| matches!(row, CatalogRow::Product(_)));
        opened.catalog = products.into_iter().chain(prices).collect();
        opened.facts = query.facts.iter().map(|fact| facts.contains(fact)).collect();
        let claims = query.claims.iter().map(|key| claims.get(key).cloned()).collect();
        (claims, account.map(|account| Placed { account, rows: opened }))
    }
}
