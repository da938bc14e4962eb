//! The model of a scenario file: the state at the start, the steps and the expectations.

mod answers;
pub mod budget;
mod read;
mod usage;
pub mod write;

pub use answers::Answers;
pub use budget::Budget;
pub use host_business::yaml::bad_input::read_text;

use crate::matcher::Matcher;
use crate::tree::Node;
use extension_contract::{Account, Actor};
use host_store::fault::Moment;
use std::fmt;
use std::path::PathBuf;

/// The maximum number of ids in `covers`.
pub const COVERS_MAX: usize = 3;

/// One scenario file.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file.
    pub file: PathBuf,
    /// Name of the scenario.
    pub name: String,
    /// Ids of the requirements, decisions and scenarios that this scenario covers, with the line of each id.
    pub covers: Vec<(String, usize)>,
    /// The known finding that makes the scenario fail.
    pub known_to_fail: Option<KnownFailure>,
    /// The API versions that the scenario is restricted to, with the reason.
    pub versions: Option<Versions>,
    /// The limits for each event of the scenario.
    pub budget: Option<Budget>,
    /// The state at the start.
    pub given: Given,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The expectations at the end.
    pub expect: Expectations,
}

/// The marker of a scenario that is correct but fails because of a known finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownFailure {
    /// Line of the marker, from 1.
    pub line: usize,
    /// Id of the finding: a capital letter and a number.
    pub finding: String,
    /// The reason, in a few words.
    pub reason: String,
}

impl fmt::Display for KnownFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.finding, self.reason)
    }
}

/// A restriction to some API versions.
#[derive(Clone, Debug)]
pub struct Versions {
    /// The API versions in which the scenario runs.
    pub only: Vec<String>,
    /// The reason for the restriction.
    pub because: String,
}

/// The state at the start of a scenario.
#[derive(Clone, Debug)]
pub struct Given {
    /// Name or folder of the business; none means the business of the file's folder.
    pub business: Option<String>,
    /// The clock, in milliseconds since the epoch.
    pub clock: i64,
    /// True if the host runs in live mode.
    pub livemode: bool,
    /// Configuration values as text. They override the values of the business.
    pub config: Vec<(String, String)>,
    /// The account of commands and expectations that do not specify one.
    pub account: Option<Account>,
    /// The actor of commands and product changes that do not specify one. The node is not parsed yet, because which
    /// actor a kind such as `user` means depends on the account.
    pub by: Option<Node>,
    /// The accounts that take part; messages to other accounts are dropped. An empty list means all accounts.
    pub accounts: Vec<Account>,
    /// The claims at the start: the short key and the holder of each.
    pub claims: Vec<(String, Account)>,
    /// The provider's answers, by pattern of effect keys.
    pub answers: Vec<Answers>,
}

/// A step of a scenario.
#[derive(Clone, Debug)]
pub struct Step {
    /// Line of the step, from 1; 0 if the step does not come from a file.
    pub line: usize,
    /// The action.
    pub action: Action,
    /// The API versions that have this step; an empty list means all versions.
    pub only: Vec<String>,
    /// The expected outcome.
    pub outcome: Option<OutcomeExpectation>,
    /// The expected effects, exactly and in order, as a list of kind, key and payload.
    pub effects: Option<Matcher>,
    /// The expected reply to the caller of a command.
    pub reply: Option<Matcher>,
    /// The expected HTTP status of a webhook's response.
    pub answer: Option<Matcher>,
    /// Line of the expectation that the step leaves the state unchanged.
    pub unchanged: Option<usize>,
    /// The limits for the event of the step.
    pub budget: Option<Budget>,
    /// True if the effects of the event wait for the next step without `hold`.
    pub hold: bool,
    /// The point at which the host is killed during this step.
    pub kill: Option<Kill>,
}

/// The point at which a host is killed. The host then starts again from its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// The number of the write within the step, from 1.
    pub write: u64,
    /// Whether the host is killed before or after the write.
    pub moment: Moment,
    /// The number of a write during the following start, from 1. The host is killed again before this write.
    pub again: Option<u64>,
}

impl Step {
    /// Returns a step without a file and without expectations.
    pub fn new(action: Action) -> Step {
        Step {
            line: 0,
            action,
            only: Vec::new(),
            outcome: None,
            effects: None,
            reply: None,
            answer: None,
            unchanged: None,
            budget: None,
            hold: false,
            kill: None,
        }
    }

    /// Returns the step without its expectations, for steps that run in a different order than in the file.
    pub fn without_expectations(&self) -> Step {
        Step { outcome: None, effects: None, reply: None, answer: None, unchanged: None, budget: None, ..self.clone() }
    }
}

/// The action of a step.
#[derive(Clone, Debug)]
pub enum Action {
    /// A Stripe event.
    Stripe(Box<StripeStep>),
    /// A command.
    Command(CommandStep),
    /// A fact that the business itself reports.
    Fact(CommandStep),
    /// A change of a product.
    Product(ProductStep),
    /// Measurements.
    Usage(UsageStep),
    /// A webhook of another service, declared by the business.
    Webhook(WebhookStep),
    /// A raw event of any kind.
    Raw(RawStep),
    /// Delivers the event with this id again, byte for byte.
    Same(String),
    /// An operator redrives the event with this id.
    Redrive(String),
    /// Advances the clock by this many milliseconds.
    Advance(i64),
    /// Advances the clock to this time.
    Until(i64),
    /// Calls the local Stripe's API as a customer or an operator would.
    AtStripe(AtStripe),
    /// Changes the provider's answers to later calls.
    Answers(Vec<Answers>),
    /// Changes claims as another host would: the short key and the new state of each.
    Claims(Vec<(String, Holding)>),
    /// Sets whether timers fire from this step onwards.
    Timers(bool),
    /// Restarts the host and the component. Only the store is kept.
    Restart,
    /// Checks expectations at this point.
    Check(Expectations),
}

/// The state of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// An account holds the claim.
    By(Account),
    /// No account holds the claim, and no account may take it.
    Blocked,
    /// No account holds the claim, and any account may take it.
    Free,
}

/// A call to Stripe's API that a customer makes in the checkout or a person makes in the dashboard. The host does not
/// make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtStripe {
    /// The HTTP method: `POST` or `DELETE`.
    pub method: String,
    /// The path. A placeholder such as `{customer}` or `{subscription}` stands for the id of the newest object of that
    /// kind. Values of the form may also contain placeholders.
    pub path: String,
    /// The form's members with their values; a nested member is `outer[inner]`.
    pub form: Vec<(String, String)>,
}

/// The time at which Stripe created an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The clock of the scenario at this step.
    Same,
    /// This many milliseconds after the time of the previous Stripe event, or after the start if there is none. A
    /// negative number means before.
    Later(i64),
    /// This time.
    Time(i64),
}

/// A change to a base body.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// Values to set, each by a name of `places.yml` or by a path.
    pub set: Vec<Change>,
    /// Values to set, each by a path whose last key may be new.
    pub add: Vec<Change>,
    /// Paths to remove, with their lines.
    pub unset: Vec<(String, usize)>,
}

/// A change of one value.
#[derive(Clone, Debug)]
pub struct Change {
    /// A name of `places.yml` or a path.
    pub key: String,
    /// Line of the key, from 1.
    pub line: usize,
    /// The new value.
    pub value: Node,
}

/// A Stripe event to build.
#[derive(Clone, Debug)]
pub struct StripeStep {
    /// Type of the event.
    pub kind: String,
    /// Id of the event.
    pub id: String,
    /// The time at which Stripe created the event.
    pub at: At,
    /// Name of the base body; none means the body that belongs to the type.
    pub base: Option<String>,
    /// API version of the event, if it differs from the version in which the scenario runs.
    pub version: Option<String>,
    /// Changes in every API version.
    pub patch: Patch,
    /// Changes in one API version only.
    pub version_patches: Vec<(String, Patch)>,
    /// Values before the event, from which `data.previous_attributes` is built.
    pub previous: Vec<Change>,
    /// Connected account that the event comes from.
    pub connected: Option<String>,
    /// True for live mode; none means the host's mode.
    pub livemode: Option<bool>,
    /// Idempotency key of the request that caused the event.
    pub request_key: Option<String>,
    /// Changes to the event's envelope.
    pub envelope: Patch,
}

/// A raw event.
#[derive(Clone, Debug)]
pub struct RawStep {
    /// Id of the event: the `id` of the body, or `raw_<n>` if the body has none.
    pub id: String,
    /// The body.
    pub bytes: Vec<u8>,
}

impl RawStep {
    /// Returns true for an event in Stripe's format.
    fn is_payment_event(&self) -> bool {
        let body = serde_json::from_slice::<serde_json::Value>(&self.bytes);
        body.is_ok_and(|body| body["object"] == "event")
    }
}

/// A command of the API, or a fact that the business itself reports.
#[derive(Clone, Debug)]
pub struct CommandStep {
    /// Kind of the command, such as `instance.create`, or name of the fact, such as `user.registered`.
    pub kind: String,
    /// Id of the event.
    pub id: String,
    /// Account; none means the scenario's account.
    pub account: Option<Account>,
    /// The actor.
    pub by: Actor,
    /// Payload of the command, or data of the fact.
    pub payload: serde_json::Value,
}

/// A change of a product.
#[derive(Clone, Debug)]
pub struct ProductStep {
    /// The change: `created`, `updated` or `deleted`.
    pub verb: String,
    /// Id of the event.
    pub id: String,
    /// The actor.
    pub by: Actor,
    /// The product.
    pub data: serde_json::Value,
}

/// A webhook of another service. The replay signs it with a key that it generates.
#[derive(Clone, Debug)]
pub struct WebhookStep {
    /// Name of the webhook.
    pub name: String,
    /// Id of the event: the webhook's name, a colon, and the delivery's id.
    pub id: String,
    /// Id of the delivery.
    pub delivery: String,
    /// The kind of signature.
    pub signature: Signature,
    /// The body.
    pub body: serde_json::Value,
}

/// The kind of a webhook's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// The signature is correct and current.
    Good,
    /// The signature is made with a different key.
    Bad,
    /// The signature is correct, but an hour old.
    Old,
    /// There is no signature.
    None,
}

/// Measurements of a monitor.
#[derive(Clone, Debug)]
pub struct UsageStep {
    /// Id of the event.
    pub id: String,
    /// Account; none means the scenario's account.
    pub account: Option<Account>,
    /// The sender.
    pub by: Actor,
    /// The measurements.
    pub batch: Vec<Measurement>,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// Id, unique within the account and the meter.
    pub id: String,
    /// Name of the meter.
    pub meter: String,
    /// Amount in the meter's unit.
    pub quantity: i64,
    /// Time of use, in milliseconds since the epoch; none means the current clock.
    pub at: Option<i64>,
    /// Attributes that determine the cost.
    pub attributes: Vec<(String, String)>,
}

/// The expected outcome of a step.
#[derive(Clone, Debug)]
pub struct OutcomeExpectation {
    /// Line, from 1.
    pub line: usize,
    /// One of the six outcomes, or `failed`.
    pub outcome: String,
    /// Expectation of the outcome's reason.
    pub reason: Option<Matcher>,
    /// Expectation of the exceeded quota.
    pub quota: Option<Matcher>,
    /// Expectation of the account of the event.
    pub account: Option<Matcher>,
    /// The outcome at the end of the scenario, for an event that is first deferred.
    pub then: Option<String>,
}

/// The expectations of the state.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    /// The expected sections, with or without an account.
    pub sections: Vec<SectionExpectation>,
    /// Line of the request to compare the whole state with the snapshot next to the file.
    pub snapshot: Option<usize>,
}

/// The expectation of one section.
#[derive(Clone, Debug)]
pub struct SectionExpectation {
    /// Account; none means the scenario's account or, for [`COMMON_SECTIONS`], the whole host.
    pub account: Option<Account>,
    /// Section: one of [`SECTIONS`].
    pub section: &'static str,
    /// The expectation.
    pub matcher: Matcher,
}

/// The sections of the state that a scenario can check.
pub const SECTIONS: [&str; 14] = [
    "products",
    "prices",
    "purchases",
    "subscriptions",
    "records",
    "entitlements",
    "balances",
    "ledger",
    "timers",
    "effects",
    "notices",
    "claims",
    "inventory",
    "outcomes",
];

/// The sections that belong to the whole host instead of one account.
pub const COMMON_SECTIONS: [&str; 3] = ["claims", "inventory", "outcomes"];

impl Expectations {
    /// Returns the number of assertions.
    pub fn assertions(&self) -> usize {
        self.sections.iter().map(|s| s.matcher.assertions()).sum::<usize>() + usize::from(self.snapshot.is_some())
    }

    /// Returns the number of assertions about state, effects or ledger.
    pub fn facts(&self) -> usize {
        let of_state = self.sections.iter().filter(|s| s.section != "outcomes");
        of_state.map(|s| s.matcher.assertions()).sum::<usize>() + usize::from(self.snapshot.is_some())
    }
}

impl Action {
    /// Returns the id of the event that the step delivers; none if it delivers no event.
    pub fn event_id(&self) -> Option<&str> {
        match self {
            Action::Stripe(step) => Some(&step.id),
            Action::Command(step) | Action::Fact(step) => Some(&step.id),
            Action::Product(step) => Some(&step.id),
            Action::Usage(step) => Some(&step.id),
            Action::Raw(step) => Some(&step.id),
            Action::Webhook(step) => Some(&step.id),
            Action::Same(id) | Action::Redrive(id) => Some(id),
            _ => None,
        }
    }

    /// Returns true for a Stripe event. Such events may arrive in any order and any number of times.
    pub fn is_payment_event(&self) -> bool {
        match self {
            Action::Stripe(_) | Action::Same(_) => true,
            Action::Raw(raw) => raw.is_payment_event(),
            _ => false,
        }
    }
}

impl Scenario {
    /// Returns whether a step calls the API of a local Stripe.
    pub fn has_stripe_steps(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::AtStripe(_)))
    }

    /// Returns the number of assertions about state, effects or ledger, in all steps and at the end.
    pub fn facts(&self) -> usize {
        let of_steps: usize = self
            .steps
            .iter()
            .map(|step| {
                let check = match &step.action {
                    Action::Check(expectations) => expectations.facts(),
                    _ => 0,
                };
                check + step.effects.as_ref().map_or(0, Matcher::assertions) + usize::from(step.unchanged.is_some())
            })
            .sum();
        of_steps + self.expect.facts()
    }

    /// Returns the number of all assertions.
    pub fn assertions(&self) -> usize {
        let of_steps: usize = self
            .steps
            .iter()
            .map(|step| {
                let outcome = step.outcome.as_ref().map_or(0, |o| {
                    let matchers = [&o.reason, &o.quota, &o.account].into_iter().flatten();
                    1 + matchers.map(Matcher::assertions).sum::<usize>() + usize::from(o.then.is_some())
                });
                let check = match &step.action {
                    Action::Check(expectations) => expectations.assertions(),
                    _ => 0,
                };
                outcome
                    + check
                    + step.effects.as_ref().map_or(0, Matcher::assertions)
                    + [&step.reply, &step.answer].into_iter().flatten().map(Matcher::assertions).sum::<usize>()
                    + usize::from(step.unchanged.is_some())
                    + step.budget.as_ref().map_or(0, |budget| budget.limits.len())
            })
            .sum();
        of_steps + self.expect.assertions() + self.budget.as_ref().map_or(0, |budget| budget.limits.len())
    }

    /// Returns true if the scenario limits the memory of an event. Such a scenario needs a new instance of the
    /// component for each event, because an instance keeps the memory that earlier events used.
    pub fn limits_memory(&self) -> bool {
        let budgets = self.steps.iter().map(|step| &step.budget).chain([&self.budget]).flatten();
        budgets.flat_map(|budget| &budget.limits).any(|limit| limit.resource == budget::Resource::Memory)
    }

    /// Returns the line of the first event whose outcome is not asserted. A refused webhook has a response instead of
    /// an outcome.
    pub fn unasserted_event(&self) -> Option<usize> {
        let is_asserted = |step: &&Step| step.outcome.is_some() || step.answer.is_some();
        let unasserted = |step: &&Step| step.action.event_id().is_some() && !is_asserted(step);
        self.steps.iter().find(unasserted).map(|step| step.line)
    }
}
