//! A scenario as it is written: what is given, what happens, what is expected.

mod answers;
pub mod budget;
mod read;
mod usage;
pub mod write;

pub use answers::Answers;
pub use budget::Budget;
pub use host::bad_input::read_text;

use crate::matcher::Matcher;
use crate::tree::Node;
use extension_contract::{Account, Actor};
use host_store::fault::Moment;
use std::fmt;
use std::path::PathBuf;

/// Most ids that one scenario may claim to cover.
pub const COVERS_MAX: usize = 3;

/// One scenario file.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The file.
    pub file: PathBuf,
    /// Name, for people.
    pub name: String,
    /// Ids of requirements, decisions and scenarios that it shows, with the line of each.
    pub covers: Vec<(String, usize)>,
    /// The finding because of which it does not hold yet.
    pub known_to_fail: Option<Known>,
    /// The API versions that it is restricted to, and why.
    pub versions: Option<Versions>,
    /// What each of its events may use.
    pub budget: Option<Budget>,
    /// Where it starts.
    pub given: Given,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What is expected at the end.
    pub expect: Expectations,
}

/// What a scenario says that is right and not so yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Line of the marker, from 1.
    pub line: usize,
    /// Id of the finding: a capital letter and a number.
    pub finding: String,
    /// What is wrong, in a few words.
    pub reason: String,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.finding, self.reason)
    }
}

/// A restriction to some API versions.
#[derive(Clone, Debug)]
pub struct Versions {
    /// Versions it runs in.
    pub only: Vec<String>,
    /// The reason.
    pub because: String,
}

/// Where a scenario starts.
#[derive(Clone, Debug)]
pub struct Given {
    /// Business; none is that of the folder of the file.
    pub business: Option<String>,
    /// The clock, milliseconds since the epoch.
    pub clock: i64,
    /// Mode of the host.
    pub livemode: bool,
    /// Configuration over that of the business, as text.
    pub config: Vec<(String, String)>,
    /// Account that commands and expectations mean if they name none.
    pub account: Option<Account>,
    /// Who gives commands and changes products where a step names nobody, as it is written: who a kind of actor is depends
    /// on the account.
    pub by: Option<Node>,
    /// The only accounts that there are, where not all are: what is sent to others goes nowhere. Empty is all.
    pub accounts: Vec<Account>,
    /// Claims that are held at the start, by short key.
    pub claims: Vec<(String, Account)>,
    /// What the provider answers, by pattern of effect keys.
    pub answers: Vec<Answers>,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub struct Step {
    /// Line, from 1.
    pub line: usize,
    /// What.
    pub action: Action,
    /// API versions in which it happens; empty is all.
    pub only: Vec<String>,
    /// The outcome that is expected.
    pub outcome: Option<OutcomeExpectation>,
    /// The effects that it asks for, exactly and in order, as a list of kind, key and payload.
    pub effects: Option<Matcher>,
    /// The answer to the caller of a command.
    pub reply: Option<Matcher>,
    /// The status that a webhook is answered with.
    pub answer: Option<Matcher>,
    /// Line of the expectation that the state is the same before and after.
    pub unchanged: Option<usize>,
    /// What its event may use.
    pub budget: Option<Budget>,
    /// Its effects wait for the next step that is not held.
    pub hold: bool,
    /// The host is killed while it runs.
    pub kill: Option<Kill>,
}

/// When a host is killed, to start anew over what it had stored by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// At which write of the step, from 1.
    pub write: u64,
    /// On which side of it.
    pub moment: Moment,
    /// Before which write of the start that follows, from 1, once more.
    pub again: Option<u64>,
}

impl Step {
    /// A step of no file, with nothing expected of it.
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

    /// The step with nothing expected of it, for where the order is another than the one that was written.
    pub fn without_expectations(&self) -> Step {
        Step { outcome: None, effects: None, reply: None, answer: None, unchanged: None, budget: None, ..self.clone() }
    }
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// A Stripe event.
    Stripe(Box<StripeStep>),
    /// A command.
    Command(CommandStep),
    /// A fact of the business's own.
    Fact(CommandStep),
    /// A product event.
    Product(ProductStep),
    /// Measurements.
    Usage(UsageStep),
    /// A webhook of a provider that the business declares.
    Webhook(WebhookStep),
    /// An event as it came, of whatever kind.
    Raw(RawStep),
    /// The event of this id once more, byte for byte.
    Same(String),
    /// An operator runs the event of this id again.
    Redrive(String),
    /// The clock goes forward by this many milliseconds.
    Advance(i64),
    /// The clock goes forward to this time.
    Until(i64),
    /// Somebody acts at the Stripe beside the host.
    AtStripe(AtStripe),
    /// The provider answers otherwise from here on.
    Answers(Vec<Answers>),
    /// Claims change hands elsewhere: by short key, who has them from here on.
    Claims(Vec<(String, Holding)>),
    /// Whether timers fire from here on.
    Timers(bool),
    /// Host and component lose everything but the store.
    Restart,
    /// What is expected here.
    Check(Expectations),
}

/// Who has a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// An account.
    By(Account),
    /// Nobody, and nobody may take it.
    Blocked,
    /// Nobody.
    Free,
}

/// A call of Stripe's API by somebody else than the host: a customer at the checkout, a person in the dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtStripe {
    /// `POST` or `DELETE`.
    pub method: String,
    /// The path. `{customer}` in it, and in a value of the form, stands for the id of the newest customer, and so on.
    pub path: String,
    /// The form's members with their values, those within another as `outer[inner]`.
    pub form: Vec<(String, String)>,
}

/// When a provider event was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// At the provider time of the event before it, or the clock.
    Same,
    /// So many milliseconds after the provider time of the event before it; negative is before.
    Later(i64),
    /// At this time.
    Time(i64),
}

/// A change to a base body.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// Names of `places.yml` or paths, and their values.
    pub set: Vec<Change>,
    /// Paths that need not exist, and their values.
    pub add: Vec<Change>,
    /// Paths to be removed, with their lines.
    pub unset: Vec<(String, usize)>,
}

/// One value of a patch.
#[derive(Clone, Debug)]
pub struct Change {
    /// Name or path.
    pub key: String,
    /// Line of the key.
    pub line: usize,
    /// Value.
    pub value: Node,
}

/// A Stripe event to be built.
#[derive(Clone, Debug)]
pub struct StripeStep {
    /// Type of the event.
    pub kind: String,
    /// Id.
    pub id: String,
    /// Provider time.
    pub at: At,
    /// Base body; none is the one that the type names.
    pub base: Option<String>,
    /// API version, if it differs from the one that is played.
    pub version: Option<String>,
    /// Changes in every version.
    pub patch: Patch,
    /// Changes in one version.
    pub version_patches: Vec<(String, Patch)>,
    /// Values before the event: `data.previous_attributes` is made from them.
    pub previous: Vec<Change>,
    /// Connected account that it came from.
    pub connected: Option<String>,
    /// Mode, if it differs from the host's.
    pub livemode: Option<bool>,
    /// Idempotency key of the request that caused it.
    pub request_key: Option<String>,
    /// Changes to the event around the object.
    pub envelope: Patch,
}

/// An event as it came.
#[derive(Clone, Debug)]
pub struct RawStep {
    /// Id: that of the body, or `raw_<n>` where it has none.
    pub id: String,
    /// The body.
    pub bytes: Vec<u8>,
}

impl RawStep {
    /// True for an event as Stripe sends it.
    fn is_provider_event(&self) -> bool {
        let body = serde_json::from_slice::<serde_json::Value>(&self.bytes);
        body.is_ok_and(|body| body["object"] == "event")
    }
}

/// A command of the API, or a fact of the business's own.
#[derive(Clone, Debug)]
pub struct CommandStep {
    /// Kind, such as `instance.create`; of a fact its name, such as `user.registered`.
    pub kind: String,
    /// Id.
    pub id: String,
    /// Account; none is the scenario's.
    pub account: Option<Account>,
    /// Who gives it.
    pub by: Actor,
    /// Payload; of a fact what it tells.
    pub payload: serde_json::Value,
}

/// A product event as the platform sends it.
#[derive(Clone, Debug)]
pub struct ProductStep {
    /// `created`, `updated` or `deleted`.
    pub verb: String,
    /// Id.
    pub id: String,
    /// Who changed it.
    pub by: Actor,
    /// The product.
    pub data: serde_json::Value,
}

/// A webhook of another provider, which the host signs itself with a key that only it knows.
#[derive(Clone, Debug)]
pub struct WebhookStep {
    /// Name of the webhook.
    pub name: String,
    /// Id of the event: the webhook's name, a colon, and the delivery's id.
    pub id: String,
    /// Id of the delivery.
    pub delivery: String,
    /// How it is signed.
    pub signature: Signature,
    /// The body.
    pub body: serde_json::Value,
}

/// How a webhook is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// By the provider, now.
    Good,
    /// By somebody else.
    Bad,
    /// By the provider, an hour ago.
    Old,
    /// By nobody.
    None,
}

/// Measurements as a monitor sends them.
#[derive(Clone, Debug)]
pub struct UsageStep {
    /// Id of the event.
    pub id: String,
    /// Account; none is the scenario's.
    pub account: Option<Account>,
    /// Who sends them.
    pub by: Actor,
    /// The measurements.
    pub batch: Vec<Measurement>,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// Identity within account and meter.
    pub id: String,
    /// Meter.
    pub meter: String,
    /// Amount in the meter's unit.
    pub quantity: i64,
    /// When it was used, milliseconds since the epoch; none is the clock.
    pub at: Option<i64>,
    /// What the cost depends on.
    pub attributes: Vec<(String, String)>,
}

/// The outcome that a step expects.
#[derive(Clone, Debug)]
pub struct OutcomeExpectation {
    /// Line, from 1.
    pub line: usize,
    /// One of the six, or `failed`.
    pub outcome: String,
    /// Its reason.
    pub reason: Option<Matcher>,
    /// The quota that it is refused for.
    pub quota: Option<Matcher>,
    /// The account that it was placed in.
    pub account: Option<Matcher>,
    /// The outcome at the end of the story, for what is deferred first.
    pub then: Option<String>,
}

/// What is expected of the state.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    /// Sections by account; none is the scenario's account or, for claims, outcomes and inventory, the host as a whole.
    pub sections: Vec<SectionExpectation>,
    /// Line at which the whole state is held against the snapshot beside the file.
    pub snapshot: Option<usize>,
}

/// What is expected of one section.
#[derive(Clone, Debug)]
pub struct SectionExpectation {
    /// Account, if it is named.
    pub account: Option<Account>,
    /// Section: one of [`SECTIONS`].
    pub section: &'static str,
    /// What is expected.
    pub matcher: Matcher,
}

/// The sections of the state that a scenario may speak of.
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

/// The sections that don't belong to one account.
pub const COMMON_SECTIONS: [&str; 3] = ["claims", "inventory", "outcomes"];

impl Expectations {
    /// How many facts it asserts.
    pub fn assertions(&self) -> usize {
        self.sections.iter().map(|s| s.matcher.assertions()).sum::<usize>() + usize::from(self.snapshot.is_some())
    }

    /// How many of them are facts of state, effects or ledger.
    pub fn facts(&self) -> usize {
        let of_state = self.sections.iter().filter(|s| s.section != "outcomes");
        of_state.map(|s| s.matcher.assertions()).sum::<usize>() + usize::from(self.snapshot.is_some())
    }
}

impl Action {
    /// The id of the event, if the step is one that enters the host.
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

    /// True for an event of a provider, which may come in any order and any number of times.
    pub fn is_provider_event(&self) -> bool {
        match self {
            Action::Stripe(_) | Action::Same(_) => true,
            Action::Raw(raw) => raw.is_provider_event(),
            _ => false,
        }
    }
}

impl Scenario {
    /// Facts of state, effects or ledger that it asserts anywhere.
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

    /// All assertions.
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

    /// True if it limits the memory of an event: that is what a new instance needs, not what events before it left.
    pub fn limits_memory(&self) -> bool {
        let budgets = self.steps.iter().map(|step| &step.budget).chain([&self.budget]).flatten();
        budgets.flat_map(|budget| &budget.limits).any(|limit| limit.resource == budget::Resource::Memory)
    }

    /// The first event whose outcome it does not assert, by line. A webhook that is refused has none, but an answer.
    pub fn unasserted_event(&self) -> Option<usize> {
        let is_asserted = |step: &&Step| step.outcome.is_some() || step.answer.is_some();
        let unasserted = |step: &&Step| step.action.event_id().is_some() && !is_asserted(step);
        self.steps.iter().find(unasserted).map(|step| step.line)
    }
}
