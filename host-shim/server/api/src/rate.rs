//! Limits the requests, logins and stored bytes of each sender: a key, a user, an address, or an IPv6 network.
//!
//! Each table keeps 16 bytes a sender, under a keyed hash, so its size does not depend on what is sent. Webhooks have no rate limit: their
//! senders come in bursts, and a full queue answers them with 503.

use crate::front::FrontLimits;
use crate::mail_rate::MailRates;
use crate::problem::Problem;
use axum::http::HeaderMap;
use host_business::routes::limits::{
    COMMAND_BYTES_LEAST, COMMAND_BYTES_PER_DAY, ENDPOINT_MESSAGES_PER_DAY, NETWORK_SHARE, ORGANIZATIONS_PER_DAY,
    REFUSED_BYTES_PER_DAY, SENDERS_MAX, UNPROVED_ADDRESS_BYTES_PER_DAY, UNPROVED_BYTES_PER_DAY,
};
use ipnet::IpNet;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Header in which a proxy appends the address of its client.
const FORWARDED: &str = "x-forwarded-for";
/// Number of leading bits of an IPv6 address that one client has in common.
const CLIENT_BITS: u32 = 64;
/// Number of leading bits that a provider gives to a customer.
pub(crate) const NETWORK_BITS: u32 = 48;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

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

/// Shares that refill with time (GCRA). Stores for each sender when its share will be full again, in nanoseconds since the start.
pub(crate) struct Shares {
    /// Time in which one unit comes back.
    unit_ns: u64,
    /// Time in which a whole share comes back.
    share_ns: u64,
    begun: Instant,
    hasher: RandomState,
    full_at: Mutex<HashMap<u64, u64>>,
    /// Number of senders at which some are forgotten.
    most: usize,
}

impl Shares {
    /// Every sender may use `share` at once, and gets `amount` of it back in a time.
    fn new(amount: u64, within: Duration, share: u64) -> Shares {
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

    fn of(rate: Rate) -> Shares {
        Shares::new(rate.per_second.into(), SECOND, rate.burst.into())
    }

    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn full_at(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses a part of the share. Fails with the seconds after which it is there.
    fn take(&self, sender: impl Hash, amount: u64) -> Result<(), u64> {
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

    /// Fails with the seconds after which something of the share is left.
    fn check(&self, sender: impl Hash) -> Result<(), u64> {
        let full = self.full_at().get(&self.hasher.hash_one(sender)).copied().unwrap_or_default();
        match full.saturating_sub(self.now()).checked_sub(self.share_ns) {
            None => Ok(()),
            Some(wait) => Err(wait / 1_000_000_000 + 1),
        }
    }

    /// Charges the share for something that has already happened, even if too little is left.
    fn spend(&self, sender: impl Hash, amount: u64) {
        let (now, sender, mut all) = (self.now(), self.hasher.hash_one(sender), self.full_at());
        let before = all.get(&sender).map_or(now, |full| now.max(*full));
        let most = now.saturating_add(self.share_ns.saturating_mul(2));
        let full = before.saturating_add(self.unit_ns.saturating_mul(amount)).min(most);
        self.note(&mut all, now, sender, full);
    }

    /// Gives back what was taken.
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

    /// Forgets the senders whose share is full, and the less active half of the others if the table is still more than half full. The next
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

/// Returns the networks for which an address counts, each with the times of a share that it has: an IPv4 address itself, and for IPv6 the
/// network of the client and that of its provider.
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

/// The share of an address, and for IPv6 that of its network.
struct Addresses {
    client: Shares,
    network: Shares,
}

impl Addresses {
    fn new(of: impl Fn(u32) -> Shares) -> Addresses {
        Addresses { client: of(1), network: of(NETWORK_SHARE) }
    }

    /// Returns the shares of an address.
    fn of(&self, address: IpAddr) -> impl Iterator<Item = (&Shares, IpAddr)> {
        networks(address).map(|(network, times)| (if times == 1 { &self.client } else { &self.network }, network))
    }

    fn take(&self, address: IpAddr, amount: u64) -> Result<(), u64> {
        self.of(address).try_for_each(|(shares, network)| shares.take(network, amount))
    }

    fn spend(&self, address: IpAddr, amount: u64) {
        self.of(address).for_each(|(shares, network)| shares.spend(network, amount));
    }

    fn give_back(&self, address: IpAddr, amount: u64) {
        self.of(address).for_each(|(shares, network)| shares.give_back(network, amount));
    }
}

pub(crate) fn beginning(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - bits)))
}

/// An attempt whose failures count for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tried<'t> {
    /// A login. Attempts from a browser that has logged in with this address before count separately.
    LogIn {
        /// Business, mode and address.
        user: (&'t str, &'t str),
        /// The known browser.
        browser: Option<&'t str>,
    },
    /// The password of a user who has logged in.
    Prove {
        /// Id of the user.
        user: &'t str,
    },
    /// An invitation by a user.
    Invite {
        /// Id of the user.
        user: &'t str,
    },
}

/// Whose budgets of stored bytes a command uses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storing<'s> {
    /// The user, or the account of a token.
    pub(crate) whose: &'s str,
    /// True for a user who has not proved the address. Anybody can be such a user many times, so these also share budgets by address.
    pub(crate) is_unproved: bool,
    /// The address that sends the request.
    pub(crate) address: Option<IpAddr>,
}

/// The rate limits of a server.
pub(crate) struct Rates {
    keys: Shares,
    strangers: Addresses,
    logins_from: Addresses,
    failures: Shares,
    /// The mails that requests cause.
    pub(crate) mails: MailRates,
    endpoints: Shares,
    commands: Shares,
    refused: Shares,
    /// Bytes of users who have not proved their addresses.
    unproved: Shares,
    unproved_from: Addresses,
    registrations: Addresses,
    organizations: Shares,
    /// The proxies that name their clients.
    proxies: Vec<IpNet>,
}

impl Rates {
    pub(crate) fn new(limits: &FrontLimits, proxies: Vec<IpNet>) -> Rates {
        let FrontLimits { key, stranger, logins, registrations, mails, .. } = *limits;
        let bytes = |a_day: u64| Shares::new(a_day, DAY, a_day);
        let times = |rate: Rate, times: u32| Rate {
            per_second: rate.per_second.saturating_mul(times),
            burst: rate.burst.saturating_mul(times),
        };
        Rates {
            keys: Shares::of(key),
            strangers: Addresses::new(|share| Shares::of(times(stranger, share))),
            logins_from: Addresses::new(|share| Shares::per(logins.saturating_mul(share), MINUTE)),
            failures: Shares::per(logins, MINUTE),
            mails: MailRates::new(mails),
            endpoints: Shares::per(ENDPOINT_MESSAGES_PER_DAY, DAY),
            commands: bytes(COMMAND_BYTES_PER_DAY),
            refused: bytes(REFUSED_BYTES_PER_DAY),
            unproved: bytes(UNPROVED_BYTES_PER_DAY),
            unproved_from: Addresses::new(|share| bytes(UNPROVED_ADDRESS_BYTES_PER_DAY * u64::from(share))),
            registrations: Addresses::new(|share| Shares::per(registrations.saturating_mul(share), DAY)),
            organizations: Shares::per(ORGANIZATIONS_PER_DAY, DAY),
            proxies,
        }
    }

    /// Counts a registration or a login from an address. One that does not come from a connection is not limited.
    pub(crate) fn login_from(&self, peer: Option<Peer>, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(address) = self.client(peer, headers) else { return Ok(()) };
        let problem = |seconds| Problem::too_many("too many logins from this address", seconds);
        self.logins_from.take(address, 1).map_err(problem)
    }

    /// Counts an attempt of a user, who may not exist. [`Rates::succeeded`] takes it back.
    pub(crate) fn tries(&self, tried: Tried<'_>) -> Result<(), Problem> {
        let problem = |seconds| Problem::too_many("too many attempts of this user have failed", seconds);
        self.failures.take(tried, 1).map_err(problem)
    }

    /// Takes back an attempt that has not failed.
    pub(crate) fn succeeded(&self, tried: Tried<'_>) {
        self.failures.give_back(tried, 1);
    }

    /// Counts a request with a valid key.
    pub(crate) fn key(&self, id: &str) -> Result<(), Problem> {
        self.keys.take(id, 1).map_err(|seconds| Problem::too_many("the key sends too many requests", seconds))
    }

    /// Counts a request without a valid key. A request that does not come from a connection is not limited.
    pub(crate) fn stranger(&self, peer: Option<Peer>, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(address) = self.client(peer, headers) else { return Ok(()) };
        let problem = |seconds| Problem::too_many("too many requests without a valid key", seconds);
        self.strangers.take(address, 1).map_err(problem)
    }

    /// Counts a message that somebody sends by hand to the endpoints of an account, or of the whole business.
    pub(crate) fn endpoint_message(&self, business: &str, account: Option<&str>) -> Result<(), Problem> {
        let problem = |seconds| Problem::too_many("too many messages were sent to endpoints by hand", seconds);
        self.endpoints.take((business, account), 1).map_err(problem)
    }

    /// Counts a registration with a password from an address. [`Rates::not_registered`] takes it back.
    pub(crate) fn registers(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        let problem = |seconds| Problem::too_many("too many users were registered from this address", seconds);
        address.map_or(Ok(()), |address| self.registrations.take(address, 1).map_err(problem))
    }

    /// Takes back a registration that was refused.
    pub(crate) fn not_registered(&self, address: Option<IpAddr>) {
        address.inspect(|address| self.registrations.give_back(*address, 1));
    }

    /// Counts an organization that a user makes or dissolves.
    pub(crate) fn organization(&self, user: &str) -> Result<(), Problem> {
        let problem = |seconds| Problem::too_many("you make and dissolve too many organizations", seconds);
        self.organizations.take(user, 1).map_err(problem)
    }

    /// Counts a command of a user before it is stored.
    pub(crate) fn command(&self, of: Storing<'_>, payload: &str) -> Result<(), Problem> {
        let problem = |seconds| Problem::too_many("too many bytes of commands were stored for this user", seconds);
        self.refused.check(of.whose).map_err(problem)?;
        if of.is_unproved {
            let detail = "too many bytes of commands were stored for users who have not proved their addresses";
            let problem = |seconds| Problem::too_many(detail, seconds);
            self.unproved.take(of.whose, stored(payload)).map_err(problem)?;
            let shared = of.address.map(|address| self.unproved_from.take(address, stored(payload)));
            shared.transpose().map_err(problem)?;
        }
        self.commands.take(of.whose, stored(payload)).map_err(problem)
    }

    /// Counts the reply to a command of a user, which is stored as well. It may be longer than the command.
    pub(crate) fn reply(&self, of: Storing<'_>, reply: &str) {
        let bytes = reply.len() as u64;
        if of.is_unproved {
            self.unproved.spend(of.whose, bytes);
            of.address.inspect(|address| self.unproved_from.spend(*address, bytes));
        }
        self.commands.spend(of.whose, bytes);
    }

    /// Counts a command of a user that was stored and refused.
    pub(crate) fn refused_command(&self, of: Storing<'_>, payload: &str) {
        self.refused.spend(of.whose, stored(payload));
    }

    /// Returns the address of a sender: that of the peer, or of the client that a trusted proxy names.
    pub(crate) fn client(&self, peer: Option<Peer>, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer?.0.ip().to_canonical();
        // Each proxy appends the address of its client. Entries before the first untrusted one are claims of that client.
        let lines = headers.get_all(FORWARDED).iter().rev().filter_map(|value| value.to_str().ok());
        let mut named = lines.flat_map(|line| line.rsplit(',')).map(|text| text.trim().parse::<IpAddr>());
        while self.trusts(client) {
            let Some(Ok(address)) = named.next() else { break };
            client = address.to_canonical();
        }
        Some(client)
    }

    /// Returns true for a proxy that names its clients.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&address))
    }
}

fn stored(payload: &str) -> u64 {
    COMMAND_BYTES_LEAST.max(payload.len() as u64)
}

/// Returns the proxies of a server without a setting: those on this machine.
pub(crate) fn usual_proxies() -> Vec<IpNet> {
    let loopback = [(IpAddr::from([127, 0, 0, 0]), 8), (IpAddr::V6(Ipv6Addr::LOCALHOST), 128)];
    loopback.into_iter().filter_map(|(address, bits)| IpNet::new(address, bits).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const SECOND_NS: u64 = 1_000_000_000;

    fn rates(rate: Rate, logins: u32) -> Rates {
        let limits = FrontLimits { key: rate, stranger: rate, logins, ..FrontLimits::default() };
        Rates::new(&limits, usual_proxies())
    }

    fn proved(whose: &str) -> Storing<'_> {
        Storing { whose, is_unproved: false, address: None }
    }

    fn peer(text: &str) -> Option<Peer> {
        Some(Peer(text.parse().expect("an address")))
    }

    fn client_of(rates: &Rates, peer_text: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for text in forwarded {
            headers.append(FORWARDED, HeaderValue::from_str(text).expect("text"));
        }
        rates.client(peer(peer_text), &headers).expect("an address").to_string()
    }

    //
    #[test]
    fn only_a_trusted_proxy_names_its_client() {
        let usual = rates(Rate { per_second: 1, burst: 1 }, 10);
        let of = |peer: &str, forwarded: &[&str]| client_of(&usual, peer, forwarded);
        assert_eq!(of("192.0.2.1:5", &[]), "192.0.2.1");
        assert_eq!(of("192.0.2.1:5", &["198.51.100.7"]), "192.0.2.1", "anybody can send the header");
        assert_eq!(of("127.0.0.1:5", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(of("127.0.0.1:5", &["203.0.113.9, 198.51.100.7"]), "198.51.100.7", "the proxy appends");
        assert_eq!(of("127.0.0.1:5", &["203.0.113.9", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(of("127.0.0.1:5", &["unknown"]), "127.0.0.1");
        assert_eq!(of("[::ffff:192.0.2.1]:5", &[]), "192.0.2.1");
        let proxies = ["10.1.0.0/16", "2001:db8::7/128"].map(|text| text.parse().expect("a network")).to_vec();
        let two = Rates::new(&FrontLimits::default(), proxies);
        let of = |peer: &str, forwarded: &[&str]| client_of(&two, peer, forwarded);
        assert_eq!(of("127.0.0.1:5", &["198.51.100.7"]), "127.0.0.1", "the setting replaces this machine");
        assert_eq!(of("10.2.0.1:5", &["198.51.100.7"]), "10.2.0.1", "a neighbour of the proxies");
        assert_eq!(
            of("[2001:db8::7]:5", &["203.0.113.9, 198.51.100.7, 10.1.2.3"]),
            "198.51.100.7",
            "two proxies in a row"
        );
    }

    #[test]
    fn a_sender_waits_after_a_burst_and_others_do_not() {
        let rates = rates(Rate { per_second: 1, burst: 3 }, 10);
        let sent: Vec<bool> = (0..5).map(|_| rates.key("a").is_ok()).collect();
        assert_eq!(sent, [true, true, true, false, false]);
        assert!(rates.key("b").is_ok());
    }

    // covers: PLG-72
    #[test]
    fn the_eleventh_login_in_a_minute_waits_by_address_and_the_eleventh_failure_by_user() {
        let rates = rates(Rate { per_second: 1, burst: 1 }, 10);
        let from = |text: &str| rates.login_from(peer(text), &HeaderMap::new()).is_ok();
        assert!((0..10).all(|_| from("192.0.2.1:5")) && !from("192.0.2.1:6"), "the port does not matter");
        assert!(from("192.0.2.2:5"));
        let log_in = |email, browser| Tried::LogIn { user: ("shop/test", email), browser };
        assert!((0..10).all(|_| rates.tries(log_in("ada", None)).is_ok()));
        assert!(rates.tries(log_in("ada", None)).is_err(), "a stranger has failed ten times");
        assert!(rates.tries(log_in("bob", None)).is_ok());
        let known = log_in("ada", Some("browser"));
        for _ in 0..100 {
            assert!(rates.tries(known).is_ok(), "a browser from which ada has logged in before");
            rates.succeeded(known);
        }
        assert!((0..10).all(|_| rates.tries(known).is_ok()) && rates.tries(known).is_err(), "its failures count, too");
    }

    #[test]
    fn an_ipv6_sender_counts_with_its_client_network_and_with_that_of_its_provider() {
        let rates = rates(Rate { per_second: 1, burst: 1 }, 10);
        let from = |text: String| rates.login_from(peer(&text), &HeaderMap::new()).is_ok();
        let passed = (0..200).filter(|at| from(format!("[2001:db8:1:2::{at:x}]:5"))).count();
        assert_eq!(passed, 10, "one client has 64 bits");
        let passed = (0..200).filter(|at| from(format!("[2001:db8:1:{:x}::1]:5", 0x100 + at))).count();
        assert_eq!(passed as u32, 10 * NETWORK_SHARE - 10, "one customer has 48 bits");
        assert!(from("[2001:db8:2::1]:5".to_owned()));
    }

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

    #[test]
    fn refused_commands_have_a_budget_and_accepted_ones_a_larger_one() {
        let rates = rates(Rate { per_second: 1, burst: 1 }, 10);
        let payload = "x".repeat(256 * 1024);
        let is_refused = |of: Storing<'_>| {
            let taken = rates.command(of, &payload);
            taken.is_ok().then(|| rates.refused_command(of, &payload)).is_none()
        };
        let stored = (0..1_000).take_while(|_| !is_refused(proved("ada"))).count();
        assert!((16..=17).contains(&stored), "{stored} commands of 256 KiB in 4 MiB");
        let accepted = (0..1_000).take_while(|_| rates.command(proved("bob"), &payload).is_ok()).count();
        assert_eq!(accepted, 256, "64 MiB");
        assert_eq!(super::stored("{}"), COMMAND_BYTES_LEAST, "a row has bytes of its own");
    }

    #[test]
    fn a_short_command_counts_with_its_long_reply() {
        let rates = rates(Rate { per_second: 1, burst: 1 }, 10);
        let reply = "x".repeat(256 * 1024 - COMMAND_BYTES_LEAST as usize);
        let is_taken =
            |_: &u32| rates.command(proved("ada"), "{}").map(|()| rates.reply(proved("ada"), &reply)).is_ok();
        assert_eq!((0..1_000).take_while(is_taken).count(), 256, "64 MiB");
        assert!(rates.command(proved("bob"), "{}").is_ok());
    }

    #[test]
    fn users_who_have_not_proved_their_addresses_share_a_small_budget_by_address() {
        let rates = rates(Rate { per_second: 1, burst: 1 }, 10);
        let payload = "x".repeat(64 * 1024);
        let stored = |user: &str, address: &str| {
            let of = Storing { is_unproved: true, address: address.parse().ok(), ..proved(user) };
            (0..1_000).take_while(|_| rates.command(of, &payload).is_ok()).count()
        };
        let of_one = (UNPROVED_BYTES_PER_DAY / payload.len() as u64) as usize;
        let of_all = (UNPROVED_ADDRESS_BYTES_PER_DAY / payload.len() as u64) as usize;
        assert_eq!(stored("eve", "192.0.2.1"), of_one);
        let sum: usize = (0..50).map(|at| stored(&format!("eve {at}"), "192.0.2.1")).sum();
        assert_eq!(sum, of_all - of_one, "many users of one address have no more");
        assert_eq!(stored("ada", "192.0.2.2"), of_one);
        let sum: usize = (0..50).map(|at| stored(&format!("six {at}"), &format!("2001:db8:1:2::{at:x}"))).sum();
        assert_eq!(sum, of_all, "one client has 64 bits");
        assert!(rates.command(proved("eve"), &payload).is_ok(), "a proof gives the usual budget");
        let reply = "x".repeat(UNPROVED_BYTES_PER_DAY as usize);
        let bob = Storing { is_unproved: true, address: None, ..proved("bob") };
        rates.command(bob, "{}").expect("a budget");
        rates.reply(bob, &reply);
        assert!(rates.command(bob, "{}").is_err(), "replies count");
    }

    #[test]
    fn registrations_of_an_address_have_a_limit_and_refused_ones_do_not_count() {
        let limits = FrontLimits { registrations: 3, ..FrontLimits::default() };
        let rates = Rates::new(&limits, usual_proxies());
        let registers = |address: &str| rates.registers(address.parse().ok());
        for _ in 0..10 {
            registers("192.0.2.1").expect("it is given back");
            rates.not_registered("192.0.2.1".parse().ok());
        }
        assert_eq!((0..10).filter(|_| registers("192.0.2.1").is_ok()).count(), 3);
        assert!(registers("192.0.2.2").is_ok());
        let of_network = (0..100).filter(|at| registers(&format!("2001:db8:1:{at:x}::1")).is_ok()).count();
        assert_eq!(of_network as u32, 3 * NETWORK_SHARE);
    }

    #[test]
    fn a_user_makes_and_dissolves_twenty_organizations_a_day() {
        let rates = rates(Rate { per_second: 1, burst: 1 }, 10);
        assert_eq!((0..50).filter(|_| rates.organization("ada").is_ok()).count(), 20);
        assert!(rates.organization("bob").is_ok());
    }

    /// A 429 is no success: nobody tries passwords with the success of somebody else.
    #[test]
    fn a_success_takes_back_neither_the_logins_of_its_address_nor_the_failures_of_other_users() {
        let rates = rates(Rate { per_second: 1, burst: 1 }, 10);
        let from = || rates.login_from(peer("192.0.2.1:5"), &HeaderMap::new()).is_ok();
        let log_in = |email| Tried::LogIn { user: ("shop/test", email), browser: None };
        assert!((0..10).all(|_| from() && rates.tries(log_in("ada")).is_ok()));
        assert!(!from() && rates.tries(log_in("ada")).is_err());
        for _ in 0..20 {
            rates.tries(log_in("eve")).expect("an attempt");
            rates.succeeded(log_in("eve"));
        }
        assert!(!from(), "the address has used up its logins");
        assert!(rates.tries(log_in("ada")).is_err(), "the failures of another user stay");
    }

    /// Whatever is sent, the table keeps its number of entries of 16 bytes, and those who use most are remembered.
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
