//! A cache of recently used rows in decoded form. Its size is limited by the rows' stored size in bytes.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// A cache of two generations. A used entry moves to the young generation. When the young generation is full, it
/// becomes the old one, and the previous old generation is dropped.
#[derive(Debug)]
pub struct Cache<K, V> {
    young: HashMap<K, Entry<V>>,
    old: HashMap<K, Entry<V>>,
    young_bytes: usize,
    generation_bytes_max: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// Creates an empty cache for at most `bytes_max` bytes, as counted by [`Cache::insert`].
    pub fn new(bytes_max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), young_bytes: 0, generation_bytes_max: bytes_max / 2 }
    }

    /// Returns the value of a key and keeps the entry in the cache for longer.
    pub fn get<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(held) = self.young.get(key) {
            return Some(held.value.clone());
        }
        let (key, held) = self.old.remove_entry(key)?;
        let value = held.value.clone();
        self.insert(key, held.value, held.bytes);
        Some(value)
    }

    /// Inserts a value with its size in bytes.
    pub fn insert(&mut self, key: K, value: V, bytes: usize) {
        if self.young_bytes + bytes > self.generation_bytes_max {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        } else {
            self.old.remove(&key);
        }
        self.young_bytes += bytes;
        if let Some(before) = self.young.insert(key, Entry { value, bytes }) {
            self.young_bytes -= before.bytes;
        }
    }

    /// Removes a key.
    pub fn remove<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.old.remove(key);
        if let Some(held) = self.young.remove(key) {
            self.young_bytes -= held.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_stays_within_its_size_and_keeps_used_entries() {
        let mut cache = Cache::new(1_000);
        for n in 0..1_000 {
            cache.insert(n, n, 50);
            assert_eq!(cache.get(&0), Some(0), "used in every round, after {n}");
            let held: usize = cache.young.values().chain(cache.old.values()).map(|h| h.bytes).sum();
            assert!(held <= 1_000, "{held} bytes after {n}");
        }
        assert_eq!(cache.get(&1), None);
    }

    #[test]
    fn a_key_has_one_value() {
        let mut cache = Cache::new(100);
        cache.insert("a", 1, 40);
        cache.insert("b", 1, 40);
        cache.insert("a", 2, 40);
        assert_eq!(cache.get("a"), Some(2));
        cache.remove("a");
        assert_eq!((cache.get("a"), cache.get("b")), (None, Some(1)));
    }
}
