//! Counts what each caller has open at the same time: requests in progress, or connections.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of open items per key. Keys with no open item are not kept.
#[derive(Debug)]
pub(crate) struct AtOnce<K>(Mutex<HashMap<K, usize>>);

/// An open item, which counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Held<K: Eq + Hash> {
    of: Arc<AtOnce<K>>,
    names: Vec<K>,
}

impl<K> Default for AtOnce<K> {
    fn default() -> Self {
        AtOnce(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash> AtOnce<K> {
    fn open(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an item as open for all of these keys, each with its own maximum. Returns none if one of them has reached its maximum.
    pub(crate) fn begin(self: &Arc<Self>, of: &[(K, usize)]) -> Option<Held<K>> {
        let mut open = self.open();
        if of.iter().any(|(name, most)| open.get(name).copied().unwrap_or_default() >= *most) {
            return None;
        }
        of.iter().for_each(|(name, _)| *open.entry(name.clone()).or_default() += 1);
        Some(Held { of: self.clone(), names: of.iter().map(|(name, _)| name.clone()).collect() })
    }
}

impl<K: Eq + Hash> Drop for Held<K> {
    fn drop(&mut self) {
        let mut open = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &self.names {
            let Some(number) = open.get_mut(name) else { continue };
            *number = number.saturating_sub(1);
            if *number == 0 {
                open.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_more_open_than_allowed_and_who_has_nothing_open_is_forgotten() {
        let at_once = Arc::new(AtOnce::default());
        let begin = |name: &'static str| at_once.begin(&[(name, 2), ("all", 3)]);
        let (first, second) = (begin("eve").expect("room"), begin("eve").expect("room"));
        assert!(begin("eve").is_none());
        let ada = begin("ada").expect("room for others");
        assert!(begin("bob").is_none(), "all together have three");
        drop(first);
        let bob = begin("bob").expect("one has ended");
        drop((second, ada, bob));
        assert!(at_once.open().is_empty());
    }
}
