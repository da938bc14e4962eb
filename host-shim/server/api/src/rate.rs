//! Limits the requests, logins and stored bytes of each sender: a key, a user, an address, or an IPv6 network.
//!
//! Each table keeps 16 bytes per sender, under a keyed hash, so its size does not depend on what is sent. Webhooks have no rate limit:
//! they arrive in bursts, and a full queue answers them with 503.

use crate::limits::{FrontLimits, Rate};
use crate::mail_rate::MailRates;
use crate::problem::Problem;
use crate::shares::{DAY, MINUTE, Peer, Shares, networks};
use axum::http::HeaderMap;
use host_business::routes::limits::{
    COMMAND_BYTES_LEAST, COMMAND_BYTES_PER_DAY, ENDPOINT_MESSAGES_PER_DAY, NETWORK_SHARE, ORGANIZATIONS_PER_DAY,
    REFUSED_BYTES_PER_DAY, UNPROVED_ADDRESS_BYTES_PER_DAY, UNPROVED_BYTES_PER_DAY,
};
use ipnet::IpNet;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};

/// The header to which a proxy appends the address of its client.
const FORWARDED: &str = "x-forwarded-for";

/// The share of an address and, for IPv6, that of its network.
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

/// An attempt whose failures count against a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tried<'t> {
    /// A login. Attempts from a browser that has logged in with this address before are counted separately.
    LogIn {
        /// Business, mode and address.
        user: (&'t str, &'t str),
        /// The known browser.
        browser: Option<&'t str>,
    },
    /// Entering the password of a user who is logged in.
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

/// Whose budgets of stored bytes are charged for a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Storing<'s> {
    /// The user, or the account of a token.
    pub(crate) whose: &'s str,
    /// True for a user who has not verified the mail address. Anybody can register many such users, so these users also share budgets
    /// by network address.
    pub(crate) is_unproved: bool,
    /// The network address that sent the request.
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
    /// Bytes stored by users who have not verified their addresses.
    unproved: Shares,
    unproved_from: Addresses,
    registrations: Addresses,
    organizations: Shares,
    /// The proxies that report their clients.
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

    /// Counts an attempt of a user, who may not exist. [`Rates::succeeded`] undoes it.
    pub(crate) fn tries(&self, tried: Tried<'_>) -> Result<(), Problem> {
        let problem = |seconds| Problem::too_many("too many attempts of this user have failed", seconds);
        self.failures.take(tried, 1).map_err(problem)
    }

    /// Undoes the count of an attempt that has not failed.
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

    /// Counts a message that somebody sends manually to the endpoints of an account or of the whole business.
    pub(crate) fn endpoint_message(&self, business: &str, account: Option<&str>) -> Result<(), Problem> {
        let problem = |seconds| Problem::too_many("too many messages were sent to endpoints by hand", seconds);
        self.endpoints.take((business, account), 1).map_err(problem)
    }

    /// Counts a registration with a password from an address. [`Rates::not_registered`] undoes it.
    pub(crate) fn registers(&self, address: Option<IpAddr>) -> Result<(), Problem> {
        let problem = |seconds| Problem::too_many("too many users were registered from this address", seconds);
        address.map_or(Ok(()), |address| self.registrations.take(address, 1).map_err(problem))
    }

    /// Undoes the count of a registration that was refused.
    pub(crate) fn not_registered(&self, address: Option<IpAddr>) {
        address.inspect(|address| self.registrations.give_back(*address, 1));
    }

    /// Counts an organization that a user creates or closes.
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

    /// Counts the reply to a user's command, which is stored as well. It may be longer than the command.
    pub(crate) fn reply(&self, of: Storing<'_>, reply: &str) {
        let bytes = reply.len() as u64;
        if of.is_unproved {
            self.unproved.spend(of.whose, bytes);
            of.address.inspect(|address| self.unproved_from.spend(*address, bytes));
        }
        self.commands.spend(of.whose, bytes);
    }

    /// Counts a user's command that was stored and refused.
    pub(crate) fn refused_command(&self, of: Storing<'_>, payload: &str) {
        self.refused.spend(of.whose, stored(payload));
    }

    /// Returns the address of a sender: that of the peer, or of the client reported by a trusted proxy.
    pub(crate) fn client(&self, peer: Option<Peer>, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer?.0.ip().to_canonical();
        // Each proxy appends the address of its client. Entries before the first untrusted one are mere claims of that client.
        let lines = headers.get_all(FORWARDED).iter().rev().filter_map(|value| value.to_str().ok());
        let mut named = lines.flat_map(|line| line.rsplit(',')).map(|text| text.trim().parse::<IpAddr>());
        while self.trusts(client) {
            let Some(Ok(address)) = named.next() else { break };
            client = address.to_canonical();
        }
        Some(client)
    }

    /// Returns true for a proxy that reports its clients.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&address))
    }
}

fn stored(payload: &str) -> u64 {
    COMMAND_BYTES_LEAST.max(payload.len() as u64)
}

/// Returns the default proxies: those on this machine.
pub(crate) fn usual_proxies() -> Vec<IpNet> {
    let loopback = [(IpAddr::from([127, 0, 0, 0]), 8), (IpAddr::V6(Ipv6Addr::LOCALHOST), 128)];
    loopback.into_iter().filter_map(|(address, bits)| IpNet::new(address, bits).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

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

    /// A successful login restores no other budget: nobody can use a login of their own to try another user's passwords.
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
}
