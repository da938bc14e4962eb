//! The queries of the store.

use crate::effects::{self, of};
use crate::events::{self, event_id};
use crate::query::Query;
use crate::record::{Record, Value};
use crate::rows::{
    ACCOUNT, account_id, bounded, catalog_row, claim, collection_of, fact_id, of_kind, ord, product, read, row_id,
    scope_of,
};
use crate::store::SolobaseStore;
use crate::tables::{CLAIMS, EFFECTS, EVENTS, FACTS, REPLIES, ROWS, WAITS};
use extension_contract::{
    Account, CatalogKey, CatalogQuery, CatalogRow, Product, Reference, Reply, RowKey, RowKind, Selection, StoredRow,
    Timestamp,
};
use host_store::implementation::json::{DEAD, DEFERRED, PARKED, PENDING, damaged, from_json, state_number};
use host_store::implementation::{prefix_end, scan_bounds};
use host_store::{
    ClaimRow, DueQuery, EFFECT_RESULTS, EffectRow, EffectState, InboxRow, OpenedRows, Partition, Read, Run, Scope,
    Stored,
};
use std::collections::BTreeSet;

impl SolobaseStore {
    fn rows(&self, query: &Query) -> Stored<Vec<StoredRow>> {
        self.group.select(query)?.iter().map(read).collect()
    }

    fn events(&self, query: &Query) -> Stored<Vec<InboxRow>> {
        self.group.select(query)?.iter().map(events::read).collect()
    }

    fn effects(&self, query: &Query) -> Stored<Vec<EffectRow>> {
        self.group.select(query)?.iter().map(effects::read).collect()
    }

    /// Returns the numbers of events in a state before a time, longest wait first.
    fn waiting(&self, partition: &Partition, state: i16, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        let query = in_state(partition, state).lt("at", before).sort("at").sort("seq").limit(limit);
        self.group.select(&query)?.iter().map(|row| row.number("seq")).collect()
    }
}

fn in_state(partition: &Partition, state: i16) -> Query {
    Query::of(&EVENTS).eq("space", partition.name()).eq("state", i64::from(state))
}

/// Adds the condition that a text in hex begins with a prefix.
fn with_prefix(query: Query, prefix: &str) -> Query {
    let query = query.gte("ord", ord(prefix));
    match prefix_end(prefix) {
        Some(end) => query.lt("ord", ord(&end)),
        None => query,
    }
}

impl Read for SolobaseStore {
    fn open(&self, scope: &Scope, named: &[Reference], facts: &[String]) -> Stored<OpenedRows> {
        self.group.open(scope, named, facts)
    }

    fn load(&self, scope: &Scope, keys: &[RowKey]) -> Stored<Vec<Option<StoredRow>>> {
        let ids: Vec<String> = keys.iter().map(|key| row_id(scope, key)).collect();
        self.group.find_all(&ROWS, &ids)?.iter().map(|row| row.as_ref().map(read).transpose()).collect()
    }

    fn more(&self, scope: &Scope, selection: &Selection, limit: usize) -> Stored<Vec<StoredRow>> {
        match selection {
            Selection::Listed(listing) => {
                let query = of_kind(scope, &listing.kind).eq("shown", true);
                let query = bounded(query, &listing.prefix, listing.descending, listing.after.as_deref());
                self.rows(&query.limit(limit))
            }
            Selection::Outdated(kind, fingerprint) => {
                let of_kind = of_kind(scope, kind).eq("shown", true).sort("written").sort("ord").limit(limit);
                // The service has no condition for another value.
                let mut rows = self.group.select(&of_kind.clone().lt("fingerprint", fingerprint.as_str()))?;
                rows.extend(self.group.select(&of_kind.gt("fingerprint", fingerprint.as_str()))?);
                let place = |row: &Record| (row.value("written").clone(), row.value("ord").clone());
                rows.sort_by_key(place);
                rows.iter().take(limit).map(read).collect()
            }
        }
    }

    fn rows_all(&self, scope: &Scope, kind: &RowKind, after: Option<&str>, limit: usize) -> Stored<Vec<StoredRow>> {
        self.rows(&bounded(of_kind(scope, kind), "", false, after).limit(limit))
    }

    fn collections(&self, scope: &Scope) -> Stored<Vec<String>> {
        let mut collections = Vec::new();
        let mut after = "r".to_owned();
        loop {
            // Only collections in hex lie between `r` and `rz`.
            let records = Query::of(&ROWS).eq("scope", scope.name()).gt("kind", after).lt("kind", "rz");
            let Some(row) = self.group.first(records.sort("kind"))? else { return Ok(collections) };
            after = row.text("kind")?.to_owned();
            collections.push(collection_of(&after)?);
        }
    }

    fn known(&self, scope: &Scope, facts: &[String]) -> Stored<Vec<bool>> {
        let ids: Vec<String> = facts.iter().map(|fact| fact_id(scope, fact)).collect();
        Ok(self.group.find_all(&FACTS, &ids)?.iter().map(Option::is_some).collect())
    }

    fn fact(&self, scope: &Scope, fact: &str) -> Stored<Option<String>> {
        let found = self.group.find(&FACTS, &fact_id(scope, fact))?;
        found.map(|row| row.text("event_id").map(str::to_owned)).transpose()
    }

    fn revision(&self, scope: &Scope) -> Stored<u64> {
        self.group.revision(scope)
    }

    fn reply(&self, scope: &Scope, caller: &str) -> Stored<Option<Reply>> {
        let found = self.group.find(&REPLIES, &fact_id(scope, caller))?;
        found.map(|row| from_json(row.text("body")?)).transpose()
    }

    fn newest_data_version(&self, scope: &Scope) -> Stored<Option<u32>> {
        let found = self.group.find(&ROWS, &account_id(scope))?;
        let version = found.map_or(Ok(None), |row| row.maybe_int("data_version"))?;
        version.map(u32::try_from).transpose().map_err(damaged)
    }

    fn claims(&self, full_keys: &[String]) -> Stored<Vec<Option<ClaimRow>>> {
        self.group.find_all(&CLAIMS, full_keys)?.iter().map(|row| row.as_ref().map(claim).transpose()).collect()
    }

    fn claims_held(&self, scope: &Scope, prefix: &str) -> Stored<Vec<String>> {
        let space = scope.partition().name() + "/";
        let held = Query::of(&CLAIMS).eq("holder", scope.account.to_string());
        let rows = self.group.select(&with_prefix(held, prefix).sort("ord"))?;
        Ok(rows.into_iter().map(|row| row.id).filter(|key| key.starts_with(&space)).collect())
    }

    fn claim_keys(&self, prefix: &str, after: Option<&str>, limit: usize) -> Stored<Vec<String>> {
        let (from, to) = scan_bounds(prefix, false, after);
        if to.as_ref().is_some_and(|to| *to <= from) {
            return Ok(Vec::new());
        }
        let rows = self.group.select(&bounded(Query::of(&CLAIMS), prefix, false, after).limit(limit))?;
        Ok(rows.into_iter().map(|row| row.id).collect())
    }

    fn claims_each(&self, partition: Option<&Partition>, visit: &mut dyn FnMut(&str, &ClaimRow)) -> Stored<()> {
        let prefix = partition.map_or_else(String::new, |partition| partition.name() + "/");
        for row in self.group.select(&with_prefix(Query::of(&CLAIMS), &prefix).sort("ord"))? {
            visit(&row.id, &claim(&row)?);
        }
        Ok(())
    }

    fn catalog_find(
        &self,
        partition: &Partition,
        query: &CatalogQuery,
        after: Option<&str>,
        limit: usize,
    ) -> Stored<Vec<Product>> {
        let scope = partition.scope(Account::Platform);
        let products = || {
            let products = of_kind(&scope, &RowKind::Product).eq("shown", true).sort("ord").limit(limit);
            after.map_or(products.clone(), |after| products.gt("ord", ord(after)))
        };
        match query {
            CatalogQuery::All => self.group.select(&products())?.iter().map(product).collect(),
            CatalogQuery::ProductType(name) => {
                self.group.select(&products().eq("product_type", name.as_str()))?.iter().map(product).collect()
            }
            CatalogQuery::Name(name) => {
                let target = Reference::Name(name.clone()).to_string();
                let first =
                    after.map_or_else(|| "product:".to_owned(), |id| RowKey::Product(id.to_owned()).to_string());
                let keys = self.group.referrers(&scope, &target, Some(&first), limit)?;
                let products = keys.iter().take_while(|key| key.starts_with("product:"));
                let ids: Vec<String> = products.map(|key| format!("{}|{key}", scope.name())).collect();
                self.group.find_all(&ROWS, &ids)?.iter().flatten().map(product).collect()
            }
        }
    }

    fn catalog_read(&self, partition: &Partition, keys: &[CatalogKey]) -> Stored<Vec<Option<CatalogRow>>> {
        let (_, rows) = self.group.catalog(&partition.scope(Account::Platform), keys.iter())?;
        rows.iter().map(|row| row.as_ref().map_or(Ok(None), catalog_row)).collect()
    }

    fn effect(&self, scope: &Scope, key: &str) -> Stored<Vec<EffectRow>> {
        self.group.generations(scope, key)?.iter().map(effects::read).collect()
    }

    fn effects_of(&self, scope: &Scope, after: u64, limit: usize) -> Stored<Vec<EffectRow>> {
        self.effects(&Query::of(&EFFECTS).eq("scope", scope.name()).gt("seq", after).sort("seq").limit(limit))
    }

    fn effects_due(&self, query: &DueQuery<'_>) -> Stored<Vec<EffectRow>> {
        self.group.due(query)
    }

    fn effects_running(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        self.effects(&of(partition).eq("state", i64::from(state_number(EffectState::Running))).sort("seq"))
    }

    fn effects_awaited(&self, partition: &Partition) -> Stored<Vec<EffectRow>> {
        self.effects(&of(partition).eq("awaited", true).sort("seq"))
    }

    fn effects_open(&self, partition: &Partition, account: Option<&Account>) -> Stored<Vec<EffectRow>> {
        let open = match account {
            None => of(partition),
            Some(account) => Query::of(&EFFECTS).eq("scope", partition.scope(account.clone()).name()),
        };
        self.effects(&open.eq("open", true).sort("seq"))
    }

    fn effects_open_after(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<EffectRow>> {
        self.effects(&of(partition).eq("open", true).gt("seq", after).sort("seq").limit(limit))
    }

    fn effect_at(&self, seq: u64) -> Stored<Option<EffectRow>> {
        self.group.first(Query::of(&EFFECTS).eq("seq", seq))?.map(|row| effects::read(&row)).transpose()
    }

    fn next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        self.group.next_due(partition, now)
    }

    fn event(&self, partition: &Partition, source: &str, id: &str) -> Stored<Option<InboxRow>> {
        let found = self.group.find(&EVENTS, &event_id(partition, source, id))?;
        found.map(|row| events::read(&row)).transpose()
    }

    fn inbox(&self, seq: u64) -> Stored<Option<InboxRow>> {
        self.group.event_row(seq)?.map(|row| events::read(&row)).transpose()
    }

    fn inbox_after(&self, partition: Option<&Partition>, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        let all = Query::of(&EVENTS);
        let of = partition.map_or(all.clone(), |partition| all.eq("space", partition.name()));
        self.events(&of.gt("seq", after).sort("seq").limit(limit))
    }

    fn inbox_of(&self, scope: &Scope, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        let own = Query::of(&EVENTS).eq("space", scope.partition().name()).eq("account", scope.account.to_string());
        self.events(&own.gt("seq", after).sort("seq").limit(limit))
    }

    fn effect_results_after(&self, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        self.events(&Query::of(&EVENTS).eq("source", EFFECT_RESULTS).gt("seq", after).sort("seq").limit(limit))
    }

    fn inbox_newest(&self) -> Stored<u64> {
        match self.group.is_open {
            true => Ok(self.group.head.events.unsigned_abs()),
            false => Ok(self.group.current()?.events.unsigned_abs()),
        }
    }

    fn runs(&self, seq: u64) -> Stored<Vec<Run>> {
        self.group.event_row(seq)?.map_or(Ok(Vec::new()), |row| events::runs(&row))
    }

    fn inbox_due(&self, partition: &Partition, now: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        let due = in_state(partition, PENDING).lte("at", now).sort("seq").limit(limit);
        self.group.select(&due)?.iter().map(|row| row.number("seq")).collect()
    }

    fn inbox_next_due(&self, partition: &Partition, now: Timestamp) -> Stored<Option<Timestamp>> {
        let next = self.group.first(in_state(partition, PENDING).gt("at", now).sort("at"))?;
        next.map(|row| row.int("at")).transpose()
    }

    fn woken_by(&self, keys: &[String]) -> Stored<Vec<u64>> {
        let mut woken = BTreeSet::new();
        for part in keys.chunks(100) {
            let values = part.iter().map(|key| Value::from(key.as_str())).collect();
            for row in self.group.select(&Query::of(&WAITS).among("wait_key", values).sort("seq"))? {
                woken.insert(row.number("seq")?);
            }
        }
        Ok(woken.into_iter().collect())
    }

    fn parked_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.waiting(partition, PARKED, before, limit)
    }

    fn deferred_before(&self, partition: &Partition, before: Timestamp, limit: usize) -> Stored<Vec<u64>> {
        self.waiting(partition, DEFERRED, before, limit)
    }

    fn parked_count(&self, partition: &Partition) -> Stored<u64> {
        self.group.count(&in_state(partition, PARKED))
    }

    fn dead(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        self.events(&in_state(partition, DEAD).gt("seq", after).sort("seq").limit(limit))
    }

    fn failed(&self, partition: &Partition, after: u64, limit: usize) -> Stored<Vec<InboxRow>> {
        let states = vec![Value::Int(i64::from(PENDING)), Value::Int(i64::from(DEAD))];
        let failed = Query::of(&EVENTS).eq("space", partition.name()).among("state", states);
        self.events(&failed.gt("seq", after).sort("seq").limit(limit))
    }

    fn scopes(&self, partition: Option<&Partition>) -> Stored<Vec<Scope>> {
        let rows = self.group.select(&Query::of(&ROWS).eq("kind", ACCOUNT).sort("scope"))?;
        let mut scopes: Vec<Scope> = rows.iter().map(scope_of).collect::<Stored<_>>()?;
        scopes.retain(|scope| partition.is_none_or(|partition| scope.partition() == *partition));
        scopes.sort_by_cached_key(|scope| (scope.business.clone(), scope.livemode, scope.account.to_string()));
        Ok(scopes)
    }
}
