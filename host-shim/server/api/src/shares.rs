//! Shares of senders that refill over time. Each table keeps 16 bytes per sender, under a keyed hash, so its size does not depend on what
//! is sent.

use crate::limits::Rate;
use host_business::routes::limits::{NETWORK_SHARE, SENDERS_MAX};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Length of the IPv6 prefix that belongs to one client.
const CLIENT_BITS: u32 = 64;
/// Length of the prefix that a provider assigns to a customer.
pub(crate) const NETWORK_BITS: u32 = 48;
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// The peer of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Shares that refill over time (GCRA). Stores for each sender when its share will be full again, in nanoseconds since the start.
pub(crate) struct Shares {
    /// Time in which one unit is refilled.
    unit_ns: u64,
    /// Time in which a whole share is refilled.
    share_ns: u64,
    begun: Instant,
    hasher: RandomState,
    full_at: Mutex<HashMap<u64, u64>>,
    /// Number of senders at which some are dropped.
    most: usize,
}

impl Shares {
    /// Every sender may use `share` at once, and regains `amount` of it per period.
    pub(crate) fn new(amount: u64, within: Duration, share: u64) -> Shares {
        let within = u64::try_from(within.as_nanos()).unwrap_or(u64::MAX);
        let unit_ns = within / amount.max(1);
        Shares {
            unit_ns,
            share_ns: unit_ns.saturating_mul(share.max(1)),
            begun: Instant::now(),
            hasher: RandomState::new(),
            full_at: Mutex::default(),
            most: SENDERS_MAX,
        }
    }

    pub(crate) fn per(amount: u32, within: Duration) -> Shares {
        Shares::new(amount.into(), within, amount.into())
    }

    pub(crate) fn of(rate: Rate) -> Shares {
        Shares::new(rate.per_second.into(), SECOND, rate.burst.into())
    }

    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn full_at(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a part of the share. Fails with the seconds after which it will be available.
    pub(crate) fn take(&self, sender: impl Hash, amount: u64) -> Result<(), u64> {
        self.take_at(self.now(), sender, amount)
    }

    pub(crate) fn take_at(&self, now: u64, sender: impl Hash, amount: u64) -> Result<(), u64> {
        let (sender, mut all) = (self.hasher.hash_one(sender), self.full_at());
        let before = all.get(&sender).map_or(now, |full| now.max(*full));
        let full = before.saturating_add(self.unit_ns.saturating_mul(amount));
        match (full - now).checked_sub(self.share_ns) {
            None | Some(0) => {}
            Some(wait) => return Err(wait / 1_000_000_000 + 1),
        }
        self.note(&mut all, now, sender, full);
        Ok(())
    }

    /// Fails with the seconds after which some of the share will be available.
    pub(crate) fn check(&self, sender: impl Hash) -> Result<(), u64> {
        let full = self.full_at().get(&self.hasher.hash_one(sender)).copied().unwrap_or_default();
        match full.saturating_sub(self.now()).checked_sub(self.share_ns) {
            None => Ok(()),
            Some(wait) => Err(wait / 1_000_000_000 + 1),
        }
    }

    /// Charges the share for something that has already happened, even if too little is left.
    pub(crate) fn spend(&self, sender: impl Hash, amount: u64) {
        let (now, sender, mut all) = (self.now(), self.hasher.hash_one(sender), self.full_at());
        let before = all.get(&sender).map_or(now, |full| now.max(*full));
        let most = now.saturating_add(self.share_ns.saturating_mul(2));
        let full = before.saturating_add(self.unit_ns.saturating_mul(amount)).min(most);
        self.note(&mut all, now, sender, full);
    }

    /// Gives back what has been taken.
    pub(crate) fn give_back(&self, sender: impl Hash, amount: u64) {
        if let Some(full) = self.full_at().get_mut(&self.hasher.hash_one(sender)) {
            *full = full.saturating_sub(self.unit_ns.saturating_mul(amount));
        }
    }

    fn note(&self, all: &mut HashMap<u64, u64>, now: u64, sender: u64, full: u64) {
        if all.len() >= self.most && !all.contains_key(&sender) {
            self.forget(all, now);
        }
        all.insert(sender, full);
    }

    /// Drops the senders whose share is full, and the less active half of the others if the table is still more than half full. The next
    /// call is therefore at least half a table of new senders away.
    fn forget(&self, all: &mut HashMap<u64, u64>, now: u64) {
        all.retain(|_, full| *full > now);
        if all.len() > self.most / 2 {
            let mut used: Vec<u64> = all.values().copied().collect();
            let (_, median, _) = used.select_nth_unstable(all.len() / 2);
            let median = *median;
            all.retain(|_, full| *full > median);
        }
    }
}

/// Returns the networks against which an address counts, each with the number of shares that it has: an IPv4 address itself, and for IPv6
/// the network of the client and that of its provider.
pub(crate) fn networks(address: IpAddr) -> impl Iterator<Item = (IpAddr, u32)> {
    let (client, network) = match address {
        IpAddr::V4(_) => (address, None),
        IpAddr::V6(v6) => {
            let [client, network] = [CLIENT_BITS, NETWORK_BITS].map(|bits| IpAddr::from(beginning(v6, bits)));
            (client, Some((network, NETWORK_SHARE)))
        }
    };
    std::iter::once((client, 1)).chain(network)
}

pub(crate) fn beginning(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - bits)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;

    #[test]
    fn a_share_comes_back_with_time_and_a_success_is_given_back() {
        let shares = Shares::new(10, SECOND * 10, 3);
        let take = |second: u64| shares.take_at(second * SECOND_NS, "a", 1);
        assert_eq!([take(0), take(0), take(0)], [Ok(()); 3]);
        assert_eq!((take(0), take(1), take(1)), (Err(2), Ok(()), Err(2)));
        shares.give_back("a", 2);
        assert_eq!([take(1), take(1), take(1)], [Ok(()), Ok(()), Err(2)]);
        assert_eq!(shares.take_at(100 * SECOND_NS, "a", 4), Err(2), "more than a share");
    }

    /// Whatever is sent, the table stays within its number of 16-byte entries and remembers the senders that use most.
    #[test]
    fn the_senders_that_use_least_are_forgotten_beyond_the_limit() {
        let shares = Shares { most: 1_000, ..Shares::per(10, HOUR) };
        assert!((0..10).all(|_| shares.take("busy", 1).is_ok()));
        for number in 0..50_000 {
            shares.take(format!("{number}{}", "x".repeat(1_000)), 1).expect("a new sender");
            assert!(shares.full_at().len() <= 1_000, "at {number}");
        }
        assert!(shares.take("busy", 1).is_err(), "it is still known");
        let at_end = shares.now() + HOUR.as_nanos() as u64;
        shares.forget(&mut shares.full_at(), at_end);
        assert_eq!(shares.full_at().len(), 0, "nobody who has the whole share again is remembered");
    }
}
