//! Plans the order, number and times of an endpoint's deliveries. Without faults, each event is delivered once, in
//! order and immediately.

use crate::ids;
use crate::settings::Faults;

/// The held-back deliveries of one endpoint. The same seed, events and faults give the same deliveries.
#[derive(Debug)]
pub struct Plan<T> {
    seed: u64,
    held: Vec<T>,
    seen: u64,
}

impl<T: Clone> Plan<T> {
    /// Creates a plan for an endpoint; the seed determines the order of shuffled events.
    pub fn new(seed: u64) -> Self {
        Self { seed, held: Vec::new(), seen: 0 }
    }

    /// Adds an event and returns the deliveries that are due now.
    pub fn push(&mut self, event: T, faults: &Faults) -> Vec<T> {
        self.seen += 1;
        let lost = faults.lose > 0 && self.seen.is_multiple_of(faults.lose);
        if !lost {
            self.held.push(event.clone());
            if faults.duplicates {
                self.held.push(event);
            }
        }
        let group = faults.shuffle.max(faults.burst).max(1);
        if self.held.len() < group { Vec::new() } else { self.release(faults) }
    }

    /// Returns all held-back deliveries, even if their group is incomplete.
    pub fn release(&mut self, faults: &Faults) -> Vec<T> {
        let mut out = std::mem::take(&mut self.held);
        if faults.shuffle > 1 {
            // A Fisher–Yates shuffle with random numbers from the seed and the number of events so far.
            for index in (1..out.len()).rev() {
                let draw = ids::mix(self.seed ^ ids::mix(self.seen ^ ((index as u64) << 32)));
                out.swap(index, (draw % (index as u64 + 1)) as usize);
            }
        }
        out
    }

    /// Whether deliveries are held back.
    pub fn holds(&self) -> bool {
        !self.held.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(faults: &str, count: u32) -> Vec<u32> {
        let faults: Faults = faults.parse().unwrap();
        let mut plan = Plan::new(7);
        let mut out: Vec<u32> = (1..=count).flat_map(|n| plan.push(n, &faults)).collect();
        out.extend(plan.release(&faults));
        out
    }

    #[test]
    fn without_faults_each_event_is_delivered_once_in_order() {
        assert_eq!(run("", 5), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn duplicates_losses_and_bursts_change_the_deliveries() {
        assert_eq!(run("duplicates", 2), [1, 1, 2, 2]);
        assert_eq!(run("lose=2", 5), [1, 3, 5]);
        let mut plan = Plan::new(7);
        let faults: Faults = "burst=3".parse().unwrap();
        assert!(plan.push(1, &faults).is_empty() && plan.push(2, &faults).is_empty() && plan.holds());
        assert_eq!(plan.push(3, &faults), [1, 2, 3]);
    }

    #[test]
    fn shuffling_is_repeatable_and_only_changes_the_order() {
        let shuffled = run("shuffle=8", 40);
        assert_ne!(shuffled, (1..=40).collect::<Vec<_>>());
        assert_eq!(shuffled, run("shuffle=8", 40));
        let mut sorted = shuffled;
        sorted.sort_unstable();
        assert_eq!(sorted, (1..=40).collect::<Vec<_>>());
    }
}
