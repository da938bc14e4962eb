//! Which rows of an account are reached over references, for every store alike.

use extension_contract::{CatalogKey, REFERENCES_MAX, Reference, RowKey, Stored};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Referring rows that one look-up brings.
const PAGE: usize = 64;

/// The rows of an account as a graph of their references.
pub(crate) trait Graph {
    /// A row with its references.
    type Row;
    /// A row by its key.
    fn row(&self, key: &RowKey) -> Stored<Option<Self::Row>>;
    /// What a row refers to, in its own order.
    fn references<'a>(&self, row: &'a Self::Row) -> &'a [Reference];
    /// Rows that refer to one, in byte order of their texts, after a text; without soft-deleted products.
    fn referrers(&self, key: &RowKey, after: Option<&str>, limit: usize) -> Stored<Vec<(String, RowKey)>>;
}

/// Rows by their keys.
pub(crate) type Rows<R> = BTreeMap<Arc<RowKey>, R>;

/// The live rows and what `Store::open` gives beside them.
pub(crate) fn reach<G: Graph>(graph: &G, live: Rows<G::Row>, named: &[Reference]) -> Stored<Rows<G::Row>> {
    let mut walk = Walk { graph, live: live.keys().cloned().collect(), found: live, room: REFERENCES_MAX };
    walk.go_from_named(named)?;
    walk.go_from_live()?;
    Ok(walk.found)
}

/// Parts of the catalog that these references name, each once, without settings.
pub(crate) fn catalog_keys<'a>(references: impl Iterator<Item = &'a Reference>) -> BTreeSet<&'a CatalogKey> {
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
    /// Rows that may come in beside the live ones.
    room: usize,
}

/// Rows to go on from, each once.
#[derive(Default)]
struct Ahead {
    seen: BTreeSet<Arc<RowKey>>,
    queue: VecDeque<Arc<RowKey>>,
}

impl Ahead {
    fn add(&mut self, key: Arc<RowKey>) {
        if self.seen.insert(key.clone()) {
            self.queue.push_back(key);
        }
    }
}

impl<G: Graph> Walk<'_, G> {
    fn go_from_named(&mut self, named: &[Reference]) -> Stored<()> {
        let mut ahead = Ahead::default();
        for key in named.iter().filter_map(row_of) {
            self.enter(key, &mut ahead)?;
            // What refers to a row that is not there yet is about the event all the same.
            ahead.add(Arc::new(key.clone()));
        }
        while let Some(key) = ahead.queue.pop_front() {
            self.follow(&key, &mut ahead)?;
            let mut after: Option<String> = None;
            // Without room only rows that are found already could come, and nothing from them.
            while self.room > 0 {
                let page = self.graph.referrers(&key, after.as_deref(), PAGE)?;
                for (_, referrer) in &page {
                    self.enter(referrer, &mut ahead)?;
                }
                match page.into_iter().nth(PAGE - 1) {
                    Some((last, _)) => after = Some(last),
                    None => break,
                }
            }
        }
        Ok(())
    }

    fn go_from_live(&mut self) -> Stored<()> {
        let mut ahead = Ahead::default();
        std::mem::take(&mut self.live).into_iter().for_each(|key| ahead.add(key));
        while self.room > 0
            && let Some(key) = ahead.queue.pop_front()
        {
            self.follow(&key, &mut ahead)?;
        }
        Ok(())
    }

    /// Enter what a found row refers to.
    fn follow(&mut self, key: &RowKey, ahead: &mut Ahead) -> Stored<()> {
        let Some(row) = self.found.get(key) else { return Ok(()) };
        let references: Vec<RowKey> = self.graph.references(row).iter().filter_map(row_of).cloned().collect();
        references.iter().try_for_each(|key| self.enter(key, ahead))
    }

    /// Find a row, if there is one and room for it, to go on from it.
    fn enter(&mut self, key: &RowKey, ahead: &mut Ahead) -> Stored<()> {
        if let Some((key, _)) = self.found.get_key_value(key) {
            ahead.add(key.clone());
            return Ok(());
        }
        if self.room == 0 {
            return Ok(());
        }
        if let Some(row) = self.graph.row(key)? {
            let key = Arc::new(key.clone());
            self.found.insert(key.clone(), row);
            self.room -= 1;
            ahead.add(key);
        }
        Ok(())
    }
}

fn row_of(reference: &Reference) -> Option<&RowKey> {
    match reference {
        Reference::Row(key) => Some(key),
        Reference::Catalog(_) | Reference::Name(_) => None,
    }
}
