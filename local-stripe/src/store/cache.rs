//! Decoded rows that were used lately: at most so many bytes of them, as they are in the store.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// A cache of two generations: what is used comes into the young one, and when that is full, the old one goes.
#[derive(Debug)]
pub struct Cache<K, V> {
    young: HashMap<K, Held<V>>,
    old: HashMap<K, Held<V>>,
    young_bytes: usize,
    generation_bytes_max: usize,
}

#[derive(Debug)]
struct Held<V> {
    value: V,
    bytes: usize,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// An empty cache that holds up to so many bytes, as [`Cache::insert`] counts them.
    pub fn new(bytes_max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), young_bytes: 0, generation_bytes_max: bytes_max / 2 }
    }

    /// What is held for a key.
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

    /// Holds a value of a size in bytes.
    pub fn insert(&mut self, key: K, value: V, bytes: usize) {
        if self.young_bytes + bytes > self.generation_bytes_max {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        } else {
            self.old.remove(&key);
        }
        self.young_bytes += bytes;
        if let Some(before) = self.young.insert(key, Held { value, bytes }) {
            self.young_bytes -= before.bytes;
        }
    }

    /// Forgets a key.
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
    fn it_stays_within_its_bytes_and_keeps_what_is_used() {
        let mut cache = Cache::new(1_000);
        for n in 0..1_000 {
            cache.insert(n, n, 50);
            assert_eq!(cache.get(&0), Some(0), "used all the time, after {n}");
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
