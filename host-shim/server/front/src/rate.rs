//! How many requests may a key send, and how many may an address send without a valid key?
//!
//! Webhooks have no rate limit: their senders come in bursts, and a full queue answers them with 503.

use crate::problem::Problem;
use axum::http::HeaderMap;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Header in which a proxy appends the address of its client.
const FORWARDED: &str = "x-forwarded-for";
/// Number of remembered keys or addresses up to which none is forgotten.
const REMEMBERED: usize = 10_000;
/// Number of leading bits of an IPv6 address that one client has in common.
const IPV6_NETWORK_BITS: u32 = 64;

/// A rate: so many requests a second in the long run, and so many at once. 0 counts as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second.
    pub per_second: u32,
    /// Requests at once.
    pub burst: u32,
}

/// The peer of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The limiter of one kind of sender.
struct Limiter<K: Hash + Eq + Clone> {
    requests: DefaultKeyedRateLimiter<K>,
    /// Number of remembered senders at which those without a recent request are forgotten: twice as many as after the last
    /// time, so that the search costs little for each request.
    forgets_at: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(rate: Rate) -> Self {
        let [per_second, burst] = [rate.per_second, rate.burst].map(at_least_one);
        Limiter::of(Quota::per_second(per_second).allow_burst(burst))
    }

    fn of(quota: Quota) -> Self {
        let requests = RateLimiter::keyed(quota);
        Limiter { requests, forgets_at: AtomicUsize::new(REMEMBERED) }
    }

    /// Counts a request. Fails with the seconds after which the next may come.
    fn count(&self, sender: &K) -> Result<(), u64> {
        if self.requests.len() > self.forgets_at.load(Ordering::Relaxed) {
            self.requests.retain_recent();
            self.forgets_at.store((2 * self.requests.len()).max(REMEMBERED), Ordering::Relaxed);
        }
        let wait = |until: NotUntil<_>| until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
        self.requests.check_key(sender).map_err(wait)
    }
}

/// The rate limits of a server.
pub(crate) struct Rates {
    keys: Limiter<String>,
    strangers: Limiter<IpAddr>,
    logins_from: Limiter<IpAddr>,
    logins_of: Limiter<String>,
}

fn at_least_one(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

impl Rates {
    pub(crate) fn new(key: Rate, stranger: Rate, logins_a_minute: u32) -> Rates {
        let logins = Quota::per_minute(at_least_one(logins_a_minute));
        let (logins_from, logins_of) = (Limiter::of(logins), Limiter::of(logins));
        Rates { keys: Limiter::new(key), strangers: Limiter::new(stranger), logins_from, logins_of }
    }

    /// Counts a registration or a login from an address. One that does not come from a connection is not limited.
    pub(crate) fn login_from(&self, peer: Option<Peer>, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(address) = address(peer, headers) else { return Ok(()) };
        self.logins_from
            .count(&address)
            .map_err(|seconds| Problem::too_many("too many logins from this address", seconds))
    }

    /// Counts a login of a user, who may not exist.
    pub(crate) fn login_of(&self, user: &str) -> Result<(), Problem> {
        let problem = |seconds| Problem::too_many("too many logins of this user", seconds);
        self.logins_of.count(&user.to_owned()).map_err(problem)
    }

    /// Counts a request with a valid key.
    pub(crate) fn key(&self, id: &str) -> Result<(), Problem> {
        self.keys.count(&id.to_owned()).map_err(|seconds| Problem::too_many("the key sends too many requests", seconds))
    }

    /// Counts a request without a valid key. A request that does not come from a connection is not limited.
    pub(crate) fn stranger(&self, peer: Option<Peer>, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(address) = address(peer, headers) else { return Ok(()) };
        let problem = |seconds| Problem::too_many("too many requests without a valid key", seconds);
        self.strangers.count(&address).map_err(problem)
    }
}

/// Returns the address of a sender: that of the peer, or of the client that a proxy on this machine names. For IPv6, it is the
/// address of the network.
fn address(peer: Option<Peer>, headers: &HeaderMap) -> Option<IpAddr> {
    Some(match client(peer, headers)? {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - IPV6_NETWORK_BITS))))
        }
        v4 => v4,
    })
}

/// Returns the address of a sender: that of the peer, or of the client that a proxy on this machine names.
pub(crate) fn client(peer: Option<Peer>, headers: &HeaderMap) -> Option<IpAddr> {
    let peer = peer?.0.ip().to_canonical();
    // Only the entry that the proxy has appended is not the client's own claim.
    let forwarded = headers.get_all(FORWARDED).iter().next_back().and_then(|value| value.to_str().ok());
    let named = forwarded.and_then(|text| text.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    Some(named.filter(|_| peer.is_loopback()).unwrap_or(peer).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn of(peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for text in forwarded {
            headers.append(FORWARDED, HeaderValue::from_str(text).expect("text"));
        }
        address(Some(Peer(peer.parse().expect("an address"))), &headers).expect("an address").to_string()
    }

    //
    #[test]
    fn only_a_proxy_on_this_machine_names_its_client() {
        assert_eq!(of("192.0.2.1:5", &[]), "192.0.2.1");
        assert_eq!(of("192.0.2.1:5", &["198.51.100.7"]), "192.0.2.1", "anybody can send the header");
        assert_eq!(of("127.0.0.1:5", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(of("127.0.0.1:5", &["203.0.113.9, 198.51.100.7"]), "198.51.100.7", "the proxy appends");
        assert_eq!(of("127.0.0.1:5", &["203.0.113.9", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(of("127.0.0.1:5", &["unknown"]), "127.0.0.1");
        assert_eq!(of("[::1]:5", &["2001:db8:1:2:3:4:5:6"]), "2001:db8:1:2::", "one client has a network");
        assert_eq!(of("[::ffff:192.0.2.1]:5", &[]), "192.0.2.1");
    }

    #[test]
    fn a_sender_waits_after_a_burst_and_others_do_not() {
        let rate = Rate { per_second: 1, burst: 3 };
        let rates = Rates::new(rate, rate, 10);
        let sent: Vec<bool> = (0..5).map(|_| rates.key("a").is_ok()).collect();
        assert_eq!(sent, [true, true, true, false, false]);
        assert!(rates.key("b").is_ok());
    }

    // covers: PLG-72
    #[test]
    fn the_eleventh_login_in_a_minute_waits_by_address_and_by_user() {
        let rate = Rate { per_second: 1, burst: 1 };
        let rates = Rates::new(rate, rate, 10);
        let from =
            |peer: &str| rates.login_from(Some(Peer(peer.parse().expect("an address"))), &HeaderMap::new()).is_ok();
        assert!((0..10).all(|_| from("192.0.2.1:5")) && !from("192.0.2.1:6"), "the port does not matter");
        assert!(from("192.0.2.2:5"));
        assert!((0..10).all(|_| rates.login_of("ada").is_ok()) && rates.login_of("ada").is_err());
        assert!(rates.login_of("bob").is_ok());
    }

    #[test]
    fn senders_without_a_recent_request_are_forgotten() {
        let limiter = Limiter::new(Rate { per_second: u32::MAX, burst: u32::MAX });
        (0..3 * REMEMBERED).for_each(|sender| limiter.count(&sender).expect("no limit"));
        assert!(limiter.requests.len() <= REMEMBERED + 1, "{} remembered", limiter.requests.len());
    }
}
