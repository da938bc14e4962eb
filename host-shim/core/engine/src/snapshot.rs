//! The view of the store that an extension has during a call: the event's account as it was before the event, and the
//! catalog.
//!
//! Places the event, and records all reads so that the commit can depend on them. Writes nothing. Owns the store during
//! the call, since a component instance cannot borrow it.

use crate::check;
use extension_contract::{
    Account, CONNECTED_ACCOUNT_CLAIMS, CatalogKey, CatalogQuery, CatalogRow, ClaimState, Here, ID_BYTES_MAX,
    IgnoreReason, ImportError, Imported, Imports, LogLevel, Mark, Opened, Page, Placement, Product, Reference, Refusal,
    RowKey, RowVersion, Selection, StoredRow, Timestamp,
};
use host_store::{
    ClaimRow, Declared, EffectRow, EffectState, OpenedRows, Partition, PlaceQuery, Read, Reader, Scope, Store,
};
use host_wasm_runner::runner::SharedImports;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// The part of the store that a call may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The account and the catalog.
    Account,
    /// Catalog and configuration only; for `validate`.
    CatalogOnly,
}

/// The context of a snapshot: partition, account and time.
#[derive(Clone, Debug)]
pub struct Context {
    /// Business and mode.
    pub partition: Partition,
    /// Account, if it is known without placement.
    pub account: Option<Account>,
    /// Connected account of the event at the payment source; part of its claim keys.
    pub connected_account: Option<String>,
    /// Id of the event, stored with its facts and effects.
    pub event_id: String,
    /// Time at which claims are evaluated: the event's `received_at`, in milliseconds since the epoch.
    pub now: Timestamp,
    /// The part of the store that the call may read.
    pub access: Access,
    /// Declarations of the extension, with the configuration of the host.
    pub declared: Arc<Declared>,
}

impl Context {
    /// Returns the full form of a short claim key.
    pub(crate) fn full_key(&self, key: &str) -> String {
        full_key(&self.partition, self.connected_account.as_deref(), key)
    }
}

/// The result of placing an event: its account, or the reason why it has none.
#[derive(Clone, Debug, PartialEq)]
pub enum PlacementResult {
    /// The event belongs to this account.
    Here(Account),
    /// No account yet: the event waits for one of these claims.
    Parked {
        /// Short keys of the claims.
        keys: Vec<String>,
        /// True if the event carries a mark of this host.
        marked: bool,
    },
    /// No account; the event is not for this business.
    Ignored(IgnoreReason),
    /// The event has no account and cannot get one.
    Refused(Refusal),
}

/// A log entry of the extension, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Severity.
    pub level: LogLevel,
    /// Message.
    pub message: String,
    /// Names and values of the fields.
    pub fields: Vec<(String, String)>,
}

/// The log of a snapshot's replies, without the rows.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Replies of `claims.take` in order, one line `KEY=mine|free|taken|blocked` each.
    pub claim_answers: String,
    /// Log entries, in order.
    pub logs: Vec<LogEntry>,
    /// The first `Unavailable` error of a call; the extension's decision is then discarded.
    pub unavailable: Option<String>,
}

/// A handle of a store, for the queries of a call.
pub trait Handle: Send {
    /// Returns the queries.
    fn queries(&self) -> &dyn Read;
}

impl Handle for Box<dyn Store> {
    fn queries(&self) -> &dyn Read {
        &**self
    }
}

impl Handle for Box<dyn Reader> {
    fn queries(&self) -> &dyn Read {
        &**self
    }
}

/// The imports of one extension call, over a store.
pub struct Snapshot<H = Box<dyn Store>> {
    store: H,
    context: Context,
    place: Option<PlacementResult>,
    /// Versions of the returned rows; 0 for a missing row.
    versions: HashMap<RowKey, RowVersion>,
    /// Claims that placed the event or that the extension read, by full key.
    claims: BTreeMap<String, Option<ClaimRow>>,
    /// Generations of the effects that the extension queried, by key.
    effects: BTreeMap<String, Vec<EffectRow>>,
    account_revision: Option<u64>,
    catalog_revision: Option<u64>,
    trace: Trace,
}

/// A snapshot after the end of the call.
pub struct FinishedSnapshot<H = Box<dyn Store>> {
    /// The store.
    pub store: H,
    /// Context of the call.
    pub context: Context,
    /// Result of the placement; none if the extension did not open an account.
    pub place: Option<PlacementResult>,
    /// Versions of the returned rows.
    pub versions: HashMap<RowKey, RowVersion>,
    /// Claims that placed the event or that the extension read, by full key.
    pub claims: BTreeMap<String, Option<ClaimRow>>,
    /// Generations of the effects that the extension queried, by key.
    pub effects: BTreeMap<String, Vec<EffectRow>>,
    /// Revision of the account, if it was read.
    pub account_revision: Option<u64>,
    /// Revision of the catalog, if it was read.
    pub catalog_revision: Option<u64>,
    /// Log of the replies.
    pub trace: Trace,
}

impl<H: Handle> Snapshot<H> {
    /// Creates a snapshot of the store in its current state.
    pub fn new(store: H, context: Context) -> Self {
        Snapshot {
            store,
            context,
            place: None,
            versions: HashMap::new(),
            claims: BTreeMap::new(),
            effects: BTreeMap::new(),
            account_revision: None,
            catalog_revision: None,
            trace: Trace::default(),
        }
    }

    /// Runs `body` with the snapshot as imports, and ends the call.
    pub fn call_with<T>(self, body: impl FnOnce(&SharedImports) -> T) -> (FinishedSnapshot<H>, T)
    where
        H: 'static,
    {
        let snapshot = Arc::new(Mutex::new(self));
        let imports: SharedImports = snapshot.clone();
        let value = body(&imports);
        drop(imports);
        let snapshot = Arc::into_inner(snapshot).expect("a runner keeps no imports beyond the call");
        (snapshot.into_inner().unwrap_or_else(PoisonError::into_inner).finish(), value)
    }

    /// Ends the call; returns the store and the recorded reads.
    pub fn finish(self) -> FinishedSnapshot<H> {
        let Snapshot { store, context, place, versions, claims, effects, account_revision, catalog_revision, trace } =
            self;
        FinishedSnapshot { store, context, place, versions, claims, effects, account_revision, catalog_revision, trace }
    }

    fn queries(&self) -> &dyn Read {
        self.store.queries()
    }

    /// Runs a host call and records a failure of the store.
    fn call<T>(&mut self, body: impl FnOnce(&mut Self) -> Imported<T>) -> Imported<T> {
        let answer = body(self);
        if let Err(ImportError::Unavailable(text)) = &answer {
            self.trace.unavailable.get_or_insert_with(|| text.clone());
        }
        answer
    }

    /// Returns the scope of the account that was opened.
    fn scope(&self) -> Imported<Scope> {
        match &self.place {
            Some(PlacementResult::Here(account)) => Ok(self.context.partition.scope(account.clone())),
            _ => Err(ImportError::Denied("no account is open".to_owned())),
        }
    }

    /// Places an event and reads its account, in one query of the store.
    fn place_of(&mut self, placement: &Placement, facts: &[String]) -> Imported<(PlacementResult, Option<OpenedRows>)> {
        let partition = &self.context.partition;
        if let Some(account) = &self.context.account {
            let opened = self.queries().open(&partition.scope(account.clone()), &placement.names, facts)?;
            return Ok((PlacementResult::Here(account.clone()), Some(opened)));
        }
        let full_keys: Vec<(&String, String)> = placement
            .keys
            .iter()
            .filter(|key| (1..=ID_BYTES_MAX).contains(&key.len()))
            .map(|key| (key, self.context.full_key(key)))
            .collect();
        let wanted: Vec<String> = full_keys.iter().map(|(_, full)| full.clone()).collect();
        let named = placement.account.as_ref().filter(|account| self.may_name(account) && is_account(account));
        let (now, names) = (self.context.now, &placement.names);
        let query = PlaceQuery { partition, claims: &wanted, now, otherwise: named, named: names, facts };
        let (claims, placed) = self.queries().place(&query)?;
        let result = self.placement(placement, &full_keys, claims)?;
        let opened = match &result {
            PlacementResult::Here(account) => placed.filter(|placed| placed.account == *account),
            _ => None,
        };
        Ok((result, opened.map(|placed| placed.rows)))
    }

    /// Returns whether an event may name its account. An event of a connected account may name only the platform.
    fn may_name(&self, account: &Account) -> bool {
        self.context.connected_account.is_none() || *account == Account::Platform
    }

    /// Returns the result of a placement by the claims of its keys.
    fn placement(
        &mut self,
        placement: &Placement,
        full_keys: &[(&String, String)],
        claims: Vec<Option<ClaimRow>>,
    ) -> Imported<PlacementResult> {
        let mut holder: Option<(&str, Account)> = None;
        for ((key, full), claim) in full_keys.iter().zip(claims) {
            // The placement depends on these claims, including those without a holder.
            self.claims.insert(full.clone(), claim.clone());
            let held = claim.filter(|row| row.until.is_none_or(|until| until > self.context.now));
            let Some(account) = held.and_then(|row| row.holder) else { continue };
            match &holder {
                None => holder = Some((key, account)),
                Some((_, first)) if *first == account => {}
                Some((first_key, _)) => {
                    let text = format!("{first_key} and {key} belong to two accounts");
                    return Ok(PlacementResult::Refused(Refusal::Inconsistent(text)));
                }
            }
        }
        if let Some((_, account)) = holder {
            return Ok(PlacementResult::Here(account));
        }
        if let Some(account) = placement.account.as_ref().filter(|account| self.may_name(account)) {
            return Ok(match is_account(account) {
                true => PlacementResult::Here(account.clone()),
                false => PlacementResult::Refused(Refusal::Malformed("/data/object/metadata".to_owned())),
            });
        }
        let marked = match placement.mark {
            Mark::Ours => true,
            Mark::Unknown => false,
            // The names may belong to a customer who will become ours later, so an unknown price only decides about the
            // mark.
            Mark::ByPrices => self.sells(&placement.names)?,
        };
        if full_keys.is_empty() && placement.mark == Mark::ByPrices && !marked {
            return Ok(PlacementResult::Ignored(IgnoreReason::NotOurs));
        }
        if full_keys.is_empty() {
            return Ok(PlacementResult::Refused(Refusal::Malformed("/data/object/id".to_owned())));
        }
        Ok(PlacementResult::Parked { keys: placement.keys.clone(), marked })
    }

    /// Returns true if the catalog contains one of these prices.
    fn sells(&self, names: &[Reference]) -> Imported<bool> {
        let prices = names.iter().filter_map(|name| match name {
            Reference::Catalog(key @ CatalogKey::Price(_)) => Some(key.clone()),
            _ => None,
        });
        let prices: Vec<CatalogKey> = prices.collect();
        Ok(self.queries().catalog_read(&self.context.partition, &prices)?.iter().any(Option::is_some))
    }

    fn remember(&mut self, rows: &[StoredRow]) {
        self.versions.reserve(rows.len());
        for stored in rows {
            self.versions.insert(stored.row.key(), stored.row.version());
        }
    }

    fn claim_state(&self, row: Option<&ClaimRow>, account: &Account) -> ClaimState {
        let now = self.context.now;
        let Some(row) = row else { return ClaimState::Free };
        match row.holder.as_ref().filter(|_| row.until.is_none_or(|until| until > now)) {
            Some(holder) if holder == account => ClaimState::Mine,
            Some(_) => ClaimState::Taken,
            None if row.blocked_until.is_some_and(|until| until > now) => ClaimState::Blocked,
            None => ClaimState::Free,
        }
    }

    fn setting(&self, key: &str) -> Imported<Option<CatalogRow>> {
        match self.context.declared.config().get(key) {
            Some(value) => Ok(value.clone().map(CatalogRow::Setting)),
            None => Err(ImportError::Denied(format!("configuration key `{key}` is not declared"))),
        }
    }

    fn read_catalog_revision(&mut self) -> Imported<()> {
        if self.catalog_revision.is_none() {
            let catalog = self.context.partition.scope(Account::Platform);
            self.catalog_revision = Some(self.queries().account(&catalog)?.revision);
        }
        Ok(())
    }
}

/// Returns the full form of a short claim key: `business/mode/connected-account/key`. In the key of a claim on a
/// connected account itself, the part `connected-account` is empty, so that events of the connected account find the
/// claim of our own account.
pub(crate) fn full_key(partition: &Partition, connected: Option<&str>, key: &str) -> String {
    let connected = connected.filter(|_| !key.starts_with(CONNECTED_ACCOUNT_CLAIMS)).unwrap_or_default();
    format!("{}/{connected}/{key}", partition.name())
}

/// Returns true if the account's id has 1 to 255 bytes and no control characters.
fn is_account(account: &Account) -> bool {
    match account {
        Account::Platform => true,
        Account::User(id) | Account::Organization(id) => {
            (1..=ID_BYTES_MAX).contains(&id.len()) && !id.chars().any(char::is_control)
        }
    }
}

impl<H: Handle> Imports for Snapshot<H> {
    fn open(&mut self, placement: &Placement, facts: &[String]) -> Imported<Opened> {
        self.call(|snapshot| {
            check::bulk(&placement.keys)?;
            check::bulk(&placement.names)?;
            check::bulk(facts)?;
            if snapshot.context.access == Access::CatalogOnly || snapshot.place.is_some() {
                return Err(ImportError::Denied("an account is opened once, for an event or a question".to_owned()));
            }
            let (place, opened) = snapshot.place_of(placement, facts)?;
            snapshot.place = Some(place.clone());
            let (PlacementResult::Here(account), Some(opened)) = (place, opened) else { return Ok(Opened::Elsewhere) };
            snapshot.account_revision = Some(opened.account_revision);
            snapshot.catalog_revision = Some(opened.catalog_revision);
            snapshot.remember(&opened.rows);
            let mut catalog = opened.catalog;
            for name in &placement.names {
                if let Reference::Catalog(CatalogKey::Setting(key)) = name {
                    catalog.extend(snapshot.setting(key)?);
                }
            }
            Ok(Opened::Here(Box::new(Here { account, rows: opened.rows, catalog, facts: opened.facts })))
        })
    }

    fn load(&mut self, keys: &[RowKey]) -> Imported<Vec<Option<StoredRow>>> {
        self.call(|snapshot| {
            check::bulk(keys)?;
            for key in keys {
                check::id("row id", key.id())?;
            }
            let rows = snapshot.queries().load(&snapshot.scope()?, keys)?;
            for (key, row) in keys.iter().zip(&rows) {
                match row {
                    Some(stored) => snapshot.remember(std::slice::from_ref(stored)),
                    None => drop(snapshot.versions.insert(key.clone(), 0)),
                }
            }
            Ok(rows)
        })
    }

    fn more(&mut self, selection: &Selection, limit: u32) -> Imported<Vec<StoredRow>> {
        self.call(|snapshot| {
            let limit = check::page(&Page { after: None, limit })?;
            let rows = snapshot.queries().more(&snapshot.scope()?, selection, limit)?;
            snapshot.remember(&rows);
            Ok(rows)
        })
    }

    fn known(&mut self, facts: &[String]) -> Imported<Vec<bool>> {
        self.call(|snapshot| {
            check::bulk(facts)?;
            for fact in facts {
                check::id("fact", fact)?;
            }
            Ok(snapshot.queries().known(&snapshot.scope()?, facts)?)
        })
    }

    fn begun(&mut self, effects: &[String]) -> Imported<Vec<bool>> {
        self.call(|snapshot| {
            check::bulk(effects)?;
            let scope = snapshot.scope()?;
            effects
                .iter()
                .map(|key| {
                    check::id("effect key", key)?;
                    let generations = snapshot.queries().effect(&scope, key)?;
                    let has_begun = has_begun(&generations);
                    snapshot.effects.insert(key.clone(), generations);
                    Ok(has_begun)
                })
                .collect()
        })
    }

    fn claims_take(&mut self, keys: &[String]) -> Imported<Vec<ClaimState>> {
        self.call(|snapshot| {
            check::bulk(keys)?;
            for key in keys {
                check::id("claim key", key)?;
            }
            let account = snapshot.scope()?.account;
            let full: Vec<String> = keys.iter().map(|key| snapshot.context.full_key(key)).collect();
            let rows = snapshot.queries().claims(&full)?;
            let mut states = Vec::with_capacity(keys.len());
            for ((key, full), row) in keys.iter().zip(full).zip(rows) {
                let state = snapshot.claim_state(row.as_ref(), &account);
                let answer = match state {
                    ClaimState::Mine => "mine",
                    ClaimState::Free => "free",
                    ClaimState::Taken => "taken",
                    ClaimState::Blocked => "blocked",
                };
                let text = &mut snapshot.trace.claim_answers;
                text.reserve(key.len() + answer.len() + 2);
                text.push_str(key);
                text.push('=');
                text.push_str(answer);
                text.push('\n');
                snapshot.claims.insert(full, row);
                states.push(state);
            }
            Ok(states)
        })
    }

    fn claims_mine(&mut self, prefix: &str) -> Imported<Vec<String>> {
        self.call(|snapshot| {
            let scope = snapshot.scope()?;
            let full_prefix = snapshot.context.full_key(prefix);
            let cut = full_prefix.len() - prefix.len();
            let mut held = snapshot.queries().claims_held(&scope, &full_prefix)?;
            let rows = snapshot.queries().claims(&held)?;
            let mut rows = rows.into_iter();
            // An expired claim has no holder, although its row exists.
            held.retain(|_| {
                let row = rows.next().flatten();
                snapshot.claim_state(row.as_ref(), &scope.account) == ClaimState::Mine
            });
            Ok(held.into_iter().map(|mut full| full.split_off(cut)).collect())
        })
    }

    fn catalog_read(&mut self, keys: &[CatalogKey]) -> Imported<Vec<Option<CatalogRow>>> {
        self.call(|snapshot| {
            check::bulk(keys)?;
            snapshot.read_catalog_revision()?;
            let mut rows = snapshot.queries().catalog_read(&snapshot.context.partition, keys)?;
            for (key, row) in keys.iter().zip(&mut rows) {
                if let CatalogKey::Setting(key) = key {
                    *row = snapshot.setting(key)?;
                }
            }
            Ok(rows)
        })
    }

    fn catalog_find(&mut self, query: &CatalogQuery, page: &Page) -> Imported<Vec<Product>> {
        self.call(|snapshot| {
            let limit = check::page(page)?;
            snapshot.read_catalog_revision()?;
            Ok(snapshot.queries().catalog_find(&snapshot.context.partition, query, page.after.as_deref(), limit)?)
        })
    }

    fn log_write(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        let (message, fields) = (message.to_owned(), fields.to_vec());
        self.trace.logs.push(LogEntry { level, message, fields });
    }
}

/// Returns true if an effect with these generations, oldest first, can no longer be cancelled.
fn has_begun(generations: &[EffectRow]) -> bool {
    let begun = |row: &EffectRow| match row.state {
        EffectState::Running => true,
        EffectState::Queued => row.attempts > 0,
        EffectState::Finished | EffectState::Cancelled => false,
    };
    generations.iter().any(begun) || generations.last().is_some_and(|row| row.state == EffectState::Finished)
}
