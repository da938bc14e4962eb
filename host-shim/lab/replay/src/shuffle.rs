//! Generates random orders that a seed reproduces.

use std::collections::BTreeMap;

/// A small random number generator (SplitMix64): the same seed gives the same order on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Returns a generator with this seed.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`. A `bound` of 0 counts as 1.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// Shuffles a list.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}

/// Restores the original order among entries with the same key. The host applies only the first of several events with
/// the same id, so their order matters.
pub fn keep_order_of_same<K: Ord>(list: &mut [usize], key: impl Fn(usize) -> K) {
    let mut places: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for (place, entry) in list.iter().enumerate() {
        places.entry(key(*entry)).or_default().push(place);
    }
    for places in places.values().filter(|places| places.len() > 1) {
        let mut entries: Vec<usize> = places.iter().map(|place| list[*place]).collect();
        entries.sort_unstable();
        for (place, entry) in places.iter().zip(entries) {
            list[*place] = entry;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_give_equal_orders_and_different_seeds_different_orders() {
        let order = |seed| {
            let mut list: Vec<u32> = (0..20).collect();
            Random::new(seed).shuffle(&mut list);
            list
        };
        assert_eq!(order(7), order(7));
        assert_ne!(order(7), order(8));
        let mut sorted = order(7);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn entries_with_the_same_key_keep_their_order() {
        let keys = ["a", "b", "a", "c", "a"];
        let mut list = [4, 3, 2, 1, 0];
        keep_order_of_same(&mut list, |at| keys[at]);
        assert_eq!(list, [0, 3, 2, 1, 4]);
    }
}
