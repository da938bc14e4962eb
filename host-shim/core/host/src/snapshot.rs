//! What an extension sees: the account that the event belongs to, as it is before the event, and the catalog.
//!
//! It reads and remembers what it answered; it writes nothing. It owns its store while it lives, since an
//! instance of a component can't borrow one.

use crate::check;
use extension_contract::{
    Account, CONNECTED_ACCOUNT_CLAIMS, CatalogKey, CatalogQuery, CatalogRow, ClaimState, Here, ID_BYTES_MAX,
    IgnoreReason, Imports, LogLevel, Mark, Opened, Page, Placement, Product, Reference, Refusal, RowKey, RowVersion,
    Selection, StoreError, Stored, StoredRow, Timestamp,
};
use host_store::{ClaimRow, Declared, LogEntry, Partition, Scope, Store};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How much of the store a call may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The account and the catalog.
    Account,
    /// Catalog and configuration: `validate`.
    CatalogOnly,
}

/// Whom a snapshot is for, as of when.
#[derive(Clone, Debug)]
pub struct Context {
    /// Business and mode.
    pub partition: Partition,
    /// The account, where it is known without placing.
    pub account: Option<Account>,
    /// Connected account of the event's provider; part of its claim keys.
    pub connected_account: Option<String>,
    /// Id of the event, kept beside facts and effects.
    pub event_id: String,
    /// Time that claims are judged by: the event's `received_at`, in milliseconds since the epoch.
    pub now: Timestamp,
    /// What it may read.
    pub access: Access,
    /// What the extension declared, with the host's configuration.
    pub declared: Arc<Declared>,
}

impl Context {
    /// The full form of a short claim key.
    pub(crate) fn full_key(&self, key: &str) -> String {
        full_key(&self.partition, self.connected_account.as_deref(), key)
    }
}

/// Where an event was found to belong.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// To this account.
    Here(Account),
    /// To nobody yet: it waits for one of these claims, by their short keys.
    Parked {
        /// Short keys.
        keys: Vec<String>,
        /// True if it bears a mark of ours.
        marked: bool,
    },
    /// To nobody, and it is not our concern.
    Ignored(IgnoreReason),
    /// To nobody, and it never will.
    Refused(Refusal),
}

/// What a snapshot answered, beside the rows.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Answers of `claims.take` in order: a line `KEY=mine|free|taken|blocked` each.
    pub claim_answers: String,
    /// Log entries, in order.
    pub logs: Vec<LogEntry>,
    /// The first `Unavailable` that a call answered: whatever the extension returns, it is not kept.
    pub unavailable: Option<String>,
}

/// One event's sight of a store.
pub struct Snapshot {
    store: Box<dyn Store>,
    context: Context,
    place: Option<Place>,
    /// Versions of the rows that were given; 0 for one that is not there.
    versions: HashMap<RowKey, RowVersion>,
    /// Claims that the event was placed by or that were asked for, by their full keys.
    claims: BTreeMap<String, Option<ClaimRow>>,
    account_revision: Option<u64>,
    catalog_revision: Option<u64>,
    trace: Trace,
}

/// What is left of a snapshot when the call is over.
pub struct Seen {
    /// The store.
    pub store: Box<dyn Store>,
    /// Whom it was for.
    pub context: Context,
    /// Where the event belongs; none if the extension did not ask.
    pub place: Option<Place>,
    /// Versions of the rows that were given.
    pub versions: HashMap<RowKey, RowVersion>,
    /// Claims that the event was placed by or that were asked for, by their full keys.
    pub claims: BTreeMap<String, Option<ClaimRow>>,
    /// Revision of the account that was read; none if it was not.
    pub account_revision: Option<u64>,
    /// Revision of the catalog that was read; none if it was not.
    pub catalog_revision: Option<u64>,
    /// What it answered.
    pub trace: Trace,
}

impl Snapshot {
    /// The store as it is now.
    pub fn new(store: Box<dyn Store>, context: Context) -> Self {
        Snapshot {
            store,
            context,
            place: None,
            versions: HashMap::new(),
            claims: BTreeMap::new(),
            account_revision: None,
            catalog_revision: None,
            trace: Trace::default(),
        }
    }

    /// End the call.
    pub fn finish(self) -> Seen {
        let Snapshot { store, context, place, versions, claims, account_revision, catalog_revision, trace } = self;
        Seen { store, context, place, versions, claims, account_revision, catalog_revision, trace }
    }

    /// Run a host call, and remember a store that failed.
    fn call<T>(&mut self, body: impl FnOnce(&mut Self) -> Stored<T>) -> Stored<T> {
        let answer = body(self);
        if let Err(StoreError::Unavailable(text)) = &answer {
            self.trace.unavailable.get_or_insert_with(|| text.clone());
        }
        answer
    }

    /// The scope of the account that was opened.
    fn scope(&self) -> Stored<Scope> {
        match &self.place {
            Some(Place::Here(account)) => Ok(self.context.partition.scope(account.clone())),
            _ => Err(StoreError::Denied("no account is open".to_owned())),
        }
    }

    fn place_of(&mut self, placement: &Placement) -> Stored<Place> {
        if let Some(account) = &self.context.account {
            return Ok(Place::Here(account.clone()));
        }
        let full_keys: Vec<(&String, String)> = placement
            .keys
            .iter()
            .filter(|key| (1..=ID_BYTES_MAX).contains(&key.len()))
            .map(|key| (key, self.context.full_key(key)))
            .collect();
        let wanted: Vec<String> = full_keys.iter().map(|(_, full)| full.clone()).collect();
        let mut holder: Option<(&str, Account)> = None;
        for ((key, full), claim) in full_keys.iter().zip(self.store.claims(&wanted)?) {
            // Where an event belongs is decided from these, also where nobody holds them.
            self.claims.insert(full.clone(), claim.clone());
            let held = claim.filter(|row| row.until.is_none_or(|until| until > self.context.now));
            let Some(account) = held.and_then(|row| row.holder) else { continue };
            match &holder {
                None => holder = Some((key, account)),
                Some((_, first)) if *first == account => {}
                Some((first_key, _)) => {
                    let text = format!("{first_key} and {key} belong to two accounts");
                    return Ok(Place::Refused(Refusal::Inconsistent(text)));
                }
            }
        }
        if let Some((_, account)) = holder {
            return Ok(Place::Here(account));
        }
        if let Some(account) = &placement.account
            && (self.context.connected_account.is_none() || *account == Account::Platform)
        {
            return Ok(match is_account(account) {
                true => Place::Here(account.clone()),
                false => Place::Refused(Refusal::Malformed("/data/object/metadata".to_owned())),
            });
        }
        let marked = match placement.mark {
            Mark::Ours => true,
            Mark::Unknown => false,
            Mark::ByPrices => {
                if !self.sells(&placement.names)? {
                    return Ok(Place::Ignored(IgnoreReason::NotOurs));
                }
                true
            }
        };
        if full_keys.is_empty() {
            return Ok(Place::Refused(Refusal::Malformed("/data/object/id".to_owned())));
        }
        Ok(Place::Parked { keys: placement.keys.clone(), marked })
    }

    /// Whether the catalog has one of the named prices.
    fn sells(&self, names: &[Reference]) -> Stored<bool> {
        let prices = names.iter().filter_map(|name| match name {
            Reference::Catalog(key @ CatalogKey::Price(_)) => Some(key.clone()),
            _ => None,
        });
        let prices: Vec<CatalogKey> = prices.collect();
        Ok(self.store.catalog_read(&self.context.partition, &prices)?.iter().any(Option::is_some))
    }

    fn remember(&mut self, rows: &[StoredRow]) {
        for stored in rows {
            self.versions.insert(stored.row.key(), stored.row.version());
        }
    }

    fn judge(&self, row: Option<&ClaimRow>, account: &Account) -> ClaimState {
        let now = self.context.now;
        let Some(row) = row else { return ClaimState::Free };
        match row.holder.as_ref().filter(|_| row.until.is_none_or(|until| until > now)) {
            Some(holder) if holder == account => ClaimState::Mine,
            Some(_) => ClaimState::Taken,
            None if row.blocked_until.is_some_and(|until| until > now) => ClaimState::Blocked,
            None => ClaimState::Free,
        }
    }

    fn setting(&self, key: &str) -> Stored<Option<CatalogRow>> {
        match self.context.declared.config().get(key) {
            Some(value) => Ok(value.clone().map(CatalogRow::Setting)),
            None => Err(StoreError::Denied(format!("configuration key `{key}` is not declared"))),
        }
    }

    fn read_catalog_revision(&mut self) -> Stored<()> {
        if self.catalog_revision.is_none() {
            let catalog = self.context.partition.scope(Account::Platform);
            self.catalog_revision = Some(self.store.revision(&catalog)?);
        }
        Ok(())
    }
}

/// The full form of a short claim key, whose first part, `business/mode`, is the partition. Who has a connected account
/// is known by our own account, so that the events of the connected one find it.
pub(crate) fn full_key(partition: &Partition, connected: Option<&str>, key: &str) -> String {
    let connected = connected.filter(|_| !key.starts_with(CONNECTED_ACCOUNT_CLAIMS)).unwrap_or_default();
    format!("{}/{connected}/{key}", partition.name())
}

/// An account's name has 1 to 255 bytes and no control characters.
fn is_account(account: &Account) -> bool {
    match account {
        Account::Platform => true,
        Account::User(id) | Account::Organization(id) => {
            (1..=ID_BYTES_MAX).contains(&id.len()) && !id.chars().any(char::is_control)
        }
    }
}

impl Imports for Snapshot {
    fn open(&mut self, placement: &Placement, facts: &[String]) -> Stored<Opened> {
        self.call(|snapshot| {
            check::bulk(&placement.keys)?;
            check::bulk(&placement.names)?;
            check::bulk(facts)?;
            if snapshot.context.access == Access::CatalogOnly || snapshot.place.is_some() {
                return Err(StoreError::Denied("an account is opened once, for an event or a question".to_owned()));
            }
            let place = snapshot.place_of(placement)?;
            snapshot.place = Some(place.clone());
            let Place::Here(account) = place else { return Ok(Opened::Elsewhere) };
            let scope = snapshot.context.partition.scope(account.clone());
            let opened = snapshot.store.open(&scope, &placement.names, facts)?;
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

    fn load(&mut self, keys: &[RowKey]) -> Stored<Vec<Option<StoredRow>>> {
        self.call(|snapshot| {
            check::bulk(keys)?;
            for key in keys {
                check::id("row id", key.id())?;
            }
            let rows = snapshot.store.load(&snapshot.scope()?, keys)?;
            for (key, row) in keys.iter().zip(&rows) {
                match row {
                    Some(stored) => snapshot.remember(std::slice::from_ref(stored)),
                    None => drop(snapshot.versions.insert(key.clone(), 0)),
                }
            }
            Ok(rows)
        })
    }

    fn more(&mut self, selection: &Selection, limit: u32) -> Stored<Vec<StoredRow>> {
        self.call(|snapshot| {
            let limit = check::page(&Page { after: None, limit })?;
            let rows = snapshot.store.more(&snapshot.scope()?, selection, limit)?;
            snapshot.remember(&rows);
            Ok(rows)
        })
    }

    fn known(&mut self, facts: &[String]) -> Stored<Vec<bool>> {
        self.call(|snapshot| {
            check::bulk(facts)?;
            for fact in facts {
                check::id("fact", fact)?;
            }
            snapshot.store.known(&snapshot.scope()?, facts)
        })
    }

    fn begun(&mut self, effects: &[String]) -> Stored<Vec<bool>> {
        self.call(|snapshot| {
            check::bulk(effects)?;
            let scope = snapshot.scope()?;
            effects
                .iter()
                .map(|key| {
                    check::id("effect key", key)?;
                    Ok(crate::decision::has_begun(&snapshot.store.effect(&scope, key)?))
                })
                .collect()
        })
    }

    fn claims_take(&mut self, keys: &[String]) -> Stored<Vec<ClaimState>> {
        self.call(|snapshot| {
            check::bulk(keys)?;
            for key in keys {
                check::id("claim key", key)?;
            }
            let account = snapshot.scope()?.account;
            let full: Vec<String> = keys.iter().map(|key| snapshot.context.full_key(key)).collect();
            let rows = snapshot.store.claims(&full)?;
            let mut states = Vec::with_capacity(keys.len());
            for ((key, full), row) in keys.iter().zip(full).zip(rows) {
                let state = snapshot.judge(row.as_ref(), &account);
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

    fn claims_mine(&mut self, prefix: &str) -> Stored<Vec<String>> {
        self.call(|snapshot| {
            let scope = snapshot.scope()?;
            let full_prefix = snapshot.context.full_key(prefix);
            let cut = full_prefix.len() - prefix.len();
            let mut held = snapshot.store.claims_held(&scope, &full_prefix)?;
            let rows = snapshot.store.claims(&held)?;
            let mut rows = rows.into_iter();
            // A claim that has run out is nobody's, although its row is there.
            held.retain(|_| {
                let row = rows.next().flatten();
                snapshot.judge(row.as_ref(), &scope.account) == ClaimState::Mine
            });
            Ok(held.into_iter().map(|mut full| full.split_off(cut)).collect())
        })
    }

    fn catalog_read(&mut self, keys: &[CatalogKey]) -> Stored<Vec<Option<CatalogRow>>> {
        self.call(|snapshot| {
            check::bulk(keys)?;
            snapshot.read_catalog_revision()?;
            let mut rows = snapshot.store.catalog_read(&snapshot.context.partition, keys)?;
            for (key, row) in keys.iter().zip(&mut rows) {
                if let CatalogKey::Setting(key) = key {
                    *row = snapshot.setting(key)?;
                }
            }
            Ok(rows)
        })
    }

    fn catalog_find(&mut self, query: &CatalogQuery, page: &Page) -> Stored<Vec<Product>> {
        self.call(|snapshot| {
            let limit = check::page(page)?;
            snapshot.read_catalog_revision()?;
            snapshot.store.catalog_find(&snapshot.context.partition, query, page.after.as_deref(), limit)
        })
    }

    fn log_write(&mut self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        let (message, fields) = (message.to_owned(), fields.to_vec());
        self.trace.logs.push(LogEntry { level, message, fields });
    }
}
