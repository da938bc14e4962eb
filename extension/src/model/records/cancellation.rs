//! Why a subscription is to end: the reason that a command gave, and what Stripe says of it.

use extension_contract::Timestamp;
use serde::{Deserialize, Serialize};

/// The reasons that Stripe knows (`cancellation_details.feedback`).
const FEEDBACK: [&str; 8] = [
    "customer_service",
    "low_quality",
    "missing_features",
    "other",
    "switched_service",
    "too_complex",
    "too_expensive",
    "unused",
];

/// Stripe's `cancellation_details`, which a command or Stripe's portal has given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StripeDetails {
    /// One of Stripe's reasons.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<String>,
    /// What the customer wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl StripeDetails {
    /// Returns whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == StripeDetails::default()
    }
}

/// A cancellation that a command has asked for, and that no command has taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CancelRequest {
    /// Time of the command.
    pub at: Timestamp,
    /// Whether the subscription was to end at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_once: bool,
    /// Why, and in which words.
    #[serde(default, skip_serializing_if = "Because::is_empty")]
    pub because: Because,
}

/// The reason of a cancellation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Because {
    /// One of the business's reasons, or any text if it declares none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the customer wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl Because {
    /// Returns whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Because::default()
    }

    /// Returns the reason as Stripe takes it: one of Stripe's own reasons as such, and any other one in the comment.
    pub fn at_stripe(&self) -> StripeDetails {
        let (feedback, other) = match &self.reason {
            Some(reason) if FEEDBACK.contains(&reason.as_str()) => (Some(reason.clone()), None),
            other => (None, other.as_deref()),
        };
        let comment = match (other, self.comment.as_deref()) {
            (Some(reason), Some(comment)) => Some(format!("{reason}: {comment}")),
            (one, two) => one.or(two).map(str::to_owned),
        };
        StripeDetails { feedback, comment }
    }
}

impl From<&StripeDetails> for Because {
    fn from(said: &StripeDetails) -> Self {
        Because { reason: said.feedback.clone(), comment: said.comment.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripe_takes_its_own_reasons_and_the_others_as_a_comment() {
        let at_stripe = |reason: Option<&str>, comment: Option<&str>| {
            let of = |text: Option<&str>| text.map(str::to_owned);
            let said = Because { reason: of(reason), comment: of(comment) }.at_stripe();
            (said.feedback, said.comment)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(at_stripe(Some("too_expensive"), Some("sorry")), (some("too_expensive"), some("sorry")));
        assert_eq!(at_stripe(Some("moved_away"), Some("to Rome")), (None, some("moved_away: to Rome")));
        assert_eq!(at_stripe(Some("moved_away"), None), (None, some("moved_away")));
        assert_eq!(at_stripe(None, Some("bye")), (None, some("bye")));
        assert_eq!(at_stripe(None, None), (None, None));
    }
}
