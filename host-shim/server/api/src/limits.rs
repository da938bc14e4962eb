//! The request limits with which a server is configured.

use host_business::routes::limits::{
    ADDRESS_IN_PROGRESS, BODY_S_MAX, KEY_AT_ONCE, KEY_PER_SECOND, LOGINS_PER_MINUTE, MAILS_OF_ONE_PER_HOUR,
    MAILS_PER_DAY, MAILS_PER_HOUR, MAILS_TO_ONE_PER_HOUR, PROGRAM_IN_PROGRESS, RECHECK_S, REGISTRATIONS_PER_DAY,
    REPLY_S_MAX, STRANGER_AT_ONCE, STRANGER_PER_SECOND, USER_IN_PROGRESS,
};
use std::time::Duration;

/// A rate: this many requests a second in the long run, and this many at once. 0 counts as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second.
    pub per_second: u32,
    /// Requests at once.
    pub burst: u32,
}

/// Limits on the number of mails that requests may cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailLimits {
    /// To one mailbox per hour.
    pub per_hour: u32,
    /// To one mailbox per day.
    pub per_day: u32,
    /// From one sender to one mailbox per hour.
    pub to_one_per_hour: u32,
    /// From one sender per hour, not counting resets.
    pub of_one_per_hour: u32,
}

impl Default for MailLimits {
    /// The limits of [`host_business::routes::limits`].
    fn default() -> Self {
        MailLimits {
            per_hour: MAILS_PER_HOUR,
            per_day: MAILS_PER_DAY,
            to_one_per_hour: MAILS_TO_ONE_PER_HOUR,
            of_one_per_hour: MAILS_OF_ONE_PER_HOUR,
        }
    }
}

/// The request limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontLimits {
    /// Time in which a body must arrive.
    pub body: Duration,
    /// How long a caller waits for a reply that needs the result of an effect.
    pub reply: Duration,
    /// Requests with one key.
    pub key: Rate,
    /// Requests without a valid key from one address.
    pub stranger: Rate,
    /// Registrations and logins per minute from one address, and failed logins of one user.
    pub logins: u32,
    /// Registrations with a password per day from one address.
    pub registrations: u32,
    /// Concurrent requests of a user, or of the bearer of a token.
    pub user_at_once: usize,
    /// Concurrent requests of a service or an operator.
    pub program_at_once: usize,
    /// Concurrent requests from an address, not counting those of services, operators and providers.
    pub address_at_once: usize,
    /// Mails that requests cause.
    pub mails: MailLimits,
    /// How often the caller of an open stream is checked again.
    pub recheck: Duration,
}

impl Default for FrontLimits {
    /// The limits of [`host_business::routes::limits`].
    fn default() -> Self {
        FrontLimits {
            body: Duration::from_secs(BODY_S_MAX),
            reply: Duration::from_secs(REPLY_S_MAX),
            key: Rate { per_second: KEY_PER_SECOND, burst: KEY_AT_ONCE },
            stranger: Rate { per_second: STRANGER_PER_SECOND, burst: STRANGER_AT_ONCE },
            logins: LOGINS_PER_MINUTE,
            registrations: REGISTRATIONS_PER_DAY,
            user_at_once: USER_IN_PROGRESS,
            program_at_once: PROGRAM_IN_PROGRESS,
            address_at_once: ADDRESS_IN_PROGRESS,
            mails: MailLimits::default(),
            recheck: Duration::from_secs(RECHECK_S),
        }
    }
}
