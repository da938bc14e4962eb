//! Keys of timers.

use extension_contract::Timestamp;
use std::fmt;

/// Declares the keys of timers: each entry has the word with which its key begins. The due time follows, after the
/// object or instance of the timer.
macro_rules! timers {
    (
        account { $($(#[$doc_a:meta])* $account:ident = $word_a:literal,)* }
        object { $($(#[$doc_o:meta])* $object:ident { $of:ident } = $word_o:literal,)* }
        instance { $($(#[$doc_i:meta])* $instance:ident = $word_i:literal,)* }
    ) => {
        /// The key of a timer, by purpose. The key contains the due time, so a timer for another time has another key.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) enum TimerKey {
            $($(#[$doc_a])* $account { due: Timestamp },)*
            $($(#[$doc_o])* $object { $of: String, due: Timestamp },)*
            $($(#[$doc_i])* $instance { instance: String, due: Timestamp },)*
            /// The immediate continuation of a reconciliation of more instances than one decision can handle.
            Continue { asked_by: String },
        }

        impl fmt::Display for TimerKey {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(TimerKey::$account { due } => write!(f, concat!($word_a, ":{}"), due),)*
                    $(TimerKey::$object { $of, due } => write!(f, concat!($word_o, ":{}:{}"), $of, due),)*
                    $(TimerKey::$instance { instance, due } => write!(f, concat!($word_i, ":{}:{}"), instance, due),)*
                    TimerKey::Continue { asked_by } => write!(f, "continue:{asked_by}"),
                }
            }
        }

        impl TimerKey {
            /// Parses a key; `None` if the text is not a timer's key.
            pub fn parse(text: &str) -> Option<TimerKey> {
                let (word, rest) = text.split_once(':')?;
                match word {
                    "continue" => return Some(TimerKey::Continue { asked_by: rest.to_owned() }),
                    $($word_a => return Some(TimerKey::$account { due: rest.parse().ok()? }),)*
                    _ => {}
                }
                let (id, due) = rest.rsplit_once(':')?;
                let (id, due) = (id.to_owned(), due.parse().ok()?);
                Some(match word {
                    $($word_o => TimerKey::$object { $of: id, due },)*
                    $($word_i => TimerKey::$instance { instance: id, due },)*
                    _ => return None,
                })
            }

            /// Returns the instance of the timer.
            pub fn instance(&self) -> Option<&str> {
                match self {
                    $(TimerKey::$instance { instance, .. } => Some(instance),)*
                    _ => None,
                }
            }
        }

        /// Builds the timer of each entry.
        #[cfg(test)]
        const ALL: &[fn(String, Timestamp) -> TimerKey] = &[
            $(|_, due| TimerKey::$account { due },)*
            $(|$of, due| TimerKey::$object { $of, due },)*
            $(|instance, due| TimerKey::$instance { instance, due },)*
            |asked_by, _| TimerKey::Continue { asked_by },
        ];
    };
}

timers! {
    account {
        /// The end of the period in which an account may exceed its limits.
        OverLimit = "over-limit",
        /// One day after the end of a month, when the month's usage is invoiced.
        UsageInvoice = "close-usage",
        /// An hour after the end of a day, when Stripe's meters get the day's usage.
        MeterEvents = "meter-events",
        /// The next pull of the account's usage from its source.
        UsagePull = "pull-usage",
        /// The end of the hold period of a share.
        Payout = "payout",
        /// The comparison of subscriptions that had no event until `due`.
        Compare = "compare",
        /// The erasure of the personal data of a closed account.
        Erase = "erase",
        /// The month in which an automatic top-up may cost something again.
        TopUp = "top-up",
        /// The end of credits.
        Credits = "credits-end",
        /// The end of an amount that an operator granted.
        GrantEnds = "grant-ends",
        /// The expiry of a token.
        Token = "tokens",
        /// The end of a trial that began with the sign-up.
        TrialEnds = "trial-ends",
        /// The time until which a paid item waits for the plan that it requires.
        Unmet = "unmet",
    }
    object {
        /// The end of a subscription's grace period.
        Grace { subscription } = "grace",
        /// The end of the period that is paid for of a paused subscription.
        Paused { subscription } = "paused",
        /// The end of the pause of a subscription.
        Resume { subscription } = "resumes",
        /// The time before a renewal at which the change to the price of today is requested.
        Move { subscription } = "moves",
        /// The start of a campaign or of its next batch.
        Campaign { campaign } = "campaign",
    }
    instance {
        /// The time at which an instance has been in `error` long enough for the lost days to be credited.
        Error = "error",
        /// The archive of a suspended instance.
        Archive = "archive",
        /// The termination of an archived instance.
        Terminate = "terminate",
        /// The archive of an idle instance.
        Idle = "idle",
        /// The end of a day of an instance whose running time is counted.
        Running = "running",
        /// A reminder of a manual task, or its deadline.
        Task = "task",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_timers_key_survives_a_round_trip_through_text(
            at in 0..ALL.len(),
            // Ids of other systems, with separators.
            id in "[a-z_:/@-]{1,12}",
            due in any::<i64>(),
        ) {
            let key = ALL[at](id.clone(), due);
            let text = key.to_string();
            prop_assert_eq!(TimerKey::parse(&text), Some(key.clone()));
            prop_assert!(key.instance().is_none_or(|instance| instance == id));
        }
    }

    #[test]
    fn a_timers_key_begins_with_its_word() {
        let error = TimerKey::Error { instance: "inst:1".to_owned(), due: 5 };
        assert_eq!((error.to_string().as_str(), error.instance()), ("error:inst:1:5", Some("inst:1")));
        assert_eq!(TimerKey::OverLimit { due: 5 }.to_string(), "over-limit:5");
        assert_eq!(TimerKey::parse("weather:5"), None);
        assert_eq!(TimerKey::parse("over-limit:soon"), None);
    }
}
