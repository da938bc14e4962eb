//! Limits the mails that requests cause: to one mailbox, from one sender, and from one sender to one mailbox.
//!
//! Password resets are counted separately from other mails, so nobody can use up somebody else's resets with invitations. Each limit on
//! resets lets another one through before the last link has expired, so whoever gets no new link has one that works. For this reason, the
//! number of mailboxes per sender is limited only for other mails; an address that requests resets is subject to the login limit.

use crate::limits::MailLimits;
use crate::shares::{DAY, HOUR, NETWORK_BITS, Shares, beginning};
use std::net::IpAddr;

/// Who causes a mail with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum MailSender<'m> {
    /// A user with a session.
    User(&'m str),
    /// Somebody without a session, by address, or by network for IPv6.
    Stranger(IpAddr),
}

impl MailSender<'_> {
    /// Returns a sender without a session.
    pub(crate) fn at(address: IpAddr) -> MailSender<'static> {
        MailSender::Stranger(match address {
            IpAddr::V6(v6) => IpAddr::V6(beginning(v6, NETWORK_BITS)),
            v4 => v4,
        })
    }
}

/// A mailbox, in which password resets are counted separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mailbox<'m> {
    /// Name of the business and its mode.
    pub(crate) business: &'m str,
    /// Address.
    pub(crate) address: &'m str,
    /// True for a password reset.
    pub(crate) is_reset: bool,
}

/// What a share of a limit belongs to.
#[derive(Clone, Copy, Hash)]
struct Counted<'m>(Option<MailSender<'m>>, Option<Mailbox<'m>>);

/// The mail limits and how much of them is used.
pub(crate) struct MailRates {
    to_one: Shares,
    of_one: Shares,
    hour: Shares,
    day: Shares,
}

impl MailRates {
    pub(crate) fn new(limits: MailLimits) -> MailRates {
        MailRates {
            to_one: Shares::per(limits.to_one_per_hour, HOUR),
            of_one: Shares::per(limits.of_one_per_hour, HOUR),
            hour: Shares::per(limits.per_hour, HOUR),
            day: Shares::per(limits.per_day, DAY),
        }
    }

    /// Counts a mail. If a limit is reached, counts nothing and fails with the seconds after which the next mail may be sent. A mail
    /// without a sender counts against its mailbox only.
    pub(crate) fn take(&self, sender: Option<MailSender<'_>>, to: Mailbox<'_>) -> Result<(), u64> {
        self.take_at(self.day.now(), sender, to)
    }

    fn take_at(&self, now: u64, sender: Option<MailSender<'_>>, to: Mailbox<'_>) -> Result<(), u64> {
        let of_sender = [(&self.to_one, Counted(sender, Some(to))), (&self.of_one, Counted(sender, None))];
        let of_mailbox = [(&self.hour, Counted(None, Some(to))), (&self.day, Counted(None, Some(to)))];
        let of_sender = of_sender.into_iter().take(if to.is_reset { 1 } else { 2 }).filter(|_| sender.is_some());
        let mut taken = Vec::new();
        for (shares, counted) in of_sender.chain(of_mailbox) {
            if let Err(wait) = shares.take_at(now, counted, 1) {
                taken.iter().for_each(|(shares, counted): &(&Shares, Counted<'_>)| shares.give_back(counted, 1));
                return Err(wait);
            }
            taken.push((shares, counted));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_business::routes::limits::{MAILS_OF_ONE_PER_HOUR, MAILS_PER_DAY, MAILS_PER_HOUR, MAILS_TO_ONE_PER_HOUR};
    use proptest::prelude::*;

    const MINUTE_NS: u64 = 60_000_000_000;
    /// How long the link of a reset works.
    const LINK_MINUTES: u64 = 60;

    fn mailbox(address: &str, is_reset: bool) -> Mailbox<'_> {
        Mailbox { business: "shop/test", address, is_reset }
    }

    fn stranger(number: u32) -> Option<MailSender<'static>> {
        Some(MailSender::at(IpAddr::from(number.to_be_bytes())))
    }

    /// Returns how many of the given number of mails are sent.
    fn sent(count: u32, take: impl Fn(u32) -> Result<(), u64>) -> u32 {
        (0..count).map(|number| u32::from(take(number).is_ok())).sum()
    }

    #[test]
    fn a_mailbox_gets_few_mails_of_one_sender_and_some_of_all() {
        let rates = MailRates::new(MailLimits::default());
        let to = |address: &'static str| mailbox(address, false);
        assert_eq!(sent(50, |_| rates.take_at(0, Some(MailSender::User("eve")), to("ada"))), MAILS_TO_ONE_PER_HOUR);
        let of_others = sent(50, |number| rates.take_at(0, stranger(number), to("ada")));
        assert_eq!(of_others, MAILS_PER_HOUR - MAILS_TO_ONE_PER_HOUR);
        assert!(rates.take_at(0, stranger(1), to("bob")).is_ok(), "another mailbox");
        assert!(rates.take_at(0, stranger(1), mailbox("ada", true)).is_ok(), "a reset counts apart");
        let of_day: u32 =
            (1..=24).map(|hour| sent(50, |from| rates.take_at(hour * 60 * MINUTE_NS, stranger(from), to("ada")))).sum();
        assert!(of_day <= 2 * MAILS_PER_DAY, "{of_day} in a day");
    }

    #[test]
    fn one_sender_writes_to_a_limited_number_of_mailboxes() {
        let rates = MailRates::new(MailLimits::default());
        let addresses: Vec<String> = (0..500).map(|number| number.to_string()).collect();
        let of = |sender| addresses.iter().filter(|to| rates.take_at(0, sender, mailbox(to, false)).is_ok()).count();
        assert_eq!(of(Some(MailSender::User("eve"))), MAILS_OF_ONE_PER_HOUR as usize);
        let network = ["2001:db8:1:2::3", "2001:db8:1:9::3"].map(|at| MailSender::at(at.parse().expect("an address")));
        assert_eq!(network[0], network[1], "an IPv6 network of 48 bits is one sender");
    }

    proptest! {
        /// However many strangers ask, whoever gets no link has one that works.
        #[test]
        fn a_reset_that_is_not_sent_leaves_a_link_that_works(asked in prop::collection::vec((0..12_u64, 0..30_u32), 1..400)) {
            let rates = MailRates::new(MailLimits::default());
            let (mut minute, mut last) = (0, None);
            for (wait, number) in asked {
                minute += wait;
                match rates.take_at(minute * MINUTE_NS, stranger(number), mailbox("ada", true)) {
                    Ok(()) => last = Some(minute),
                    Err(_) => prop_assert!(last.is_some_and(|last| minute < last + LINK_MINUTES), "{minute} {last:?}"),
                }
            }
        }
    }
}
