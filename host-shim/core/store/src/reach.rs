//! Finds the rows of an account that are reachable through references, for every store.

use crate::error::Stored;
use extension_contract::{CatalogKey, REFERENCES_MAX, Reference, RowKey};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Maximum number of referrers per look-up.
const PAGE: usize = 64;

/// The rows of an account as a graph of their references.
pub trait Graph {
    /// A row with its references.
    type Row;
    /// Returns a row by its key.
    fn row(&self, key: &RowKey) -> Stored<Option<Self::Row>>;
    /// Returns the references of a row, in its own order.
    fn references<'a>(&self, row: &'a Self::Row) -> &'a [Reference];
    /// Returns the rows that refer to a row, in byte order of their key texts, after the key text `after`. Omits
    /// soft-deleted products.
    fn referrers(&self, key: &RowKey, after: Option<&str>, limit: usize) -> Stored<Vec<(String, RowKey)>>;
}

/// Rows by key.
pub type Rows<R> = BTreeMap<Arc<RowKey>, R>;

/// Returns the live rows and the rows that `Read::open` adds to them.
pub fn reach<G: Graph>(graph: &G, live: Rows<G::Row>, named: &[Reference]) -> Stored<Rows<G::Row>> {
    let mut walk = Walk { graph, live: live.keys().cloned().collect(), found: live, room: REFERENCES_MAX };
    walk.walk_from_named(named)?;
    walk.walk_from_live()?;
    Ok(walk.found)
}

/// Returns the catalog keys among these references, each once, without settings.
pub fn catalog_keys<'a>(references: impl Iterator<Item = &'a Reference>) -> BTreeSet<&'a CatalogKey> {
    references
        .filter_map(|reference| match reference {
            Reference::Catalog(key @ (CatalogKey::Product(_) | CatalogKey::Price(_))) => Some(key),
            _ => None,
        })
        .collect()
}

struct Walk<'g, G: Graph> {
    graph: &'g G,
    live: Vec<Arc<RowKey>>,
    found: Rows<G::Row>,
    /// Number of further non-live rows that may be added.
    room: usize,
}

/// Queue of rows to visit, each once.
#[derive(Default)]
struct Frontier {
    seen: BTreeSet<Arc<RowKey>>,
    queue: VecDeque<Arc<RowKey>>,
}

impl Frontier {
    fn add(&mut self, key: Arc<RowKey>) {
        if self.seen.insert(key.clone()) {
            self.queue.push_back(key);
        }
    }
}

impl<G: Graph> Walk<'_, G> {
    fn walk_from_named(&mut self, named: &[Reference]) -> Stored<()> {
        let mut frontier = Frontier::default();
        for key in named.iter().filter_map(row_key) {
            self.visit(key, &mut frontier)?;
            // The referrers of a named row also concern the event if the row does not exist yet.
            frontier.add(Arc::new(key.clone()));
        }
        while let Some(key) = frontier.queue.pop_front() {
            self.follow(&key, &mut frontier)?;
            let mut after: Option<String> = None;
            // Once the limit is reached, the walk could only reach rows that it has already found.
            while self.room > 0 {
                let page = self.graph.referrers(&key, after.as_deref(), PAGE)?;
                for (_, referrer) in &page {
                    self.visit(referrer, &mut frontier)?;
                }
                match page.into_iter().nth(PAGE - 1) {
                    Some((last, _)) => after = Some(last),
                    None => break,
                }
            }
        }
        Ok(())
    }

    fn walk_from_live(&mut self) -> Stored<()> {
        let mut frontier = Frontier::default();
        for key in std::mem::take(&mut self.live) {
            // Most live rows refer to no row, and so lead nowhere.
            let row = self.found.get(&key);
            if row.is_some_and(|row| self.graph.references(row).iter().any(|reference| row_key(reference).is_some())) {
                frontier.add(key);
            }
        }
        while self.room > 0
            && let Some(key) = frontier.queue.pop_front()
        {
            self.follow(&key, &mut frontier)?;
        }
        Ok(())
    }

    /// Adds the references of a found row.
    fn follow(&mut self, key: &RowKey, frontier: &mut Frontier) -> Stored<()> {
        let Some(row) = self.found.get(key) else { return Ok(()) };
        let references: Vec<RowKey> = self.graph.references(row).iter().filter_map(row_key).cloned().collect();
        references.iter().try_for_each(|key| self.visit(key, frontier))
    }

    /// Adds a row to the result and the queue, if it exists and the limit is not reached.
    fn visit(&mut self, key: &RowKey, frontier: &mut Frontier) -> Stored<()> {
        if let Some((key, _)) = self.found.get_key_value(key) {
            frontier.add(key.clone());
            return Ok(());
        }
        if self.room == 0 {
            return Ok(());
        }
        if let Some(row) = self.graph.row(key)? {
            let key = Arc::new(key.clone());
            self.found.insert(key.clone(), row);
            self.room -= 1;
            frontier.add(key);
        }
        Ok(())
    }
}

fn row_key(reference: &Reference) -> Option<&RowKey> {
    match reference {
        Reference::Row(key) => Some(key),
        Reference::Catalog(_) | Reference::Name(_) => None,
    }
}
