//! All commands, each as one entry: who may give it, its payload, its reply and its rule. The dispatch, the manifest, the checks of
//! roles and `docs/reference/commands.md` come from this table.

use super::{
    account, campaign, connect, correction, granting, instance, leaving, listing, meter_event, metering, purchase,
    refund, spending, step, token, top_up, trial, usage_pull,
};
use crate::desk::Desk;
use crate::model::halt::{Ruled, Verdict};
use crate::model::json::Object;

/// Decides a command from its payload.
pub(super) type CommandRule = fn(&mut Desk<'_>, &Object) -> Ruled<Verdict>;

/// The actors that may give a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// A user in its own account, members of an organization by their roles, operators and services.
    Owners,
    /// Operators and services, whatever the roles of a member are.
    Operators,
    /// Operators, in the account `platform`.
    Platform,
}

/// The members that a payload may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Members {
    /// These.
    Only(&'static [&'static str]),
    /// Those of a product; they are checked against its type.
    OfProduct,
    /// Those of a catalog; they are checked as a document.
    OfCatalog,
}

/// A command.
pub(crate) struct Command {
    /// Kind, for example `instance.create`.
    pub(crate) kind: &'static str,
    /// Members that the payload must have, for the manifest.
    pub(crate) required: &'static [&'static str],
    pub(super) members: Members,
    pub(super) who: Who,
    /// True if the command is allowed in a closed account.
    pub(super) when_closed: bool,
    /// The payload, in Markdown for the document.
    pub(crate) payload: &'static str,
    /// The effect, in Markdown for the document.
    pub(crate) does: &'static str,
    /// The reply, in Markdown for the document. `None`: the command answers at once with `{}`.
    pub(crate) reply: Option<&'static str>,
    /// None for `catalog.load`, whose payload is read as a document before.
    pub(super) rule: Option<CommandRule>,
}

impl Command {
    /// Returns all members that the payload may have; none if they depend on the catalog.
    pub(crate) fn all_members(&self) -> Option<&'static [&'static str]> {
        match self.members {
            Members::Only(members) => Some(members),
            Members::OfProduct | Members::OfCatalog => None,
        }
    }
}

/// An entry with the usual values.
const USUAL: Command = Command {
    kind: "",
    required: &[],
    members: Members::Only(&[]),
    who: Who::Owners,
    when_closed: false,
    payload: "",
    does: "",
    reply: None,
    rule: None,
};

/// All commands, in the order of the manifest.
pub(crate) static COMMANDS: &[Command] = &[
    Command {
        kind: "catalog.load",
        members: Members::OfCatalog,
        who: Who::Platform,
        payload: "a catalog; with `partial: true`, a part of one",
        does: "makes the catalog equal to the document, [below](#notes)",
        reply: Some("`{product_types, products, off_sale}`"),
        ..USUAL
    },
    Command {
        kind: "product.create",
        required: &["name"],
        members: Members::OfProduct,
        payload: "a product",
        does: "writes a product of the account, or, in `platform`, of the catalog",
        reply: Some("product"),
        rule: Some(instance::create),
        ..USUAL
    },
    Command {
        kind: "product.update",
        required: &["id"],
        members: Members::OfProduct,
        payload: "a product with its `id`",
        does: "changes a product of the account, or, in `platform`, of the catalog",
        reply: Some("product"),
        rule: Some(instance::update),
        ..USUAL
    },
    Command {
        kind: "product.list",
        members: Members::OfProduct,
        payload: "a product; `id` changes it, `active: false` withdraws it",
        does: "offers the account's product, if its type has `listing`",
        reply: Some("`{product, status}` with the product's id"),
        rule: Some(listing::list),
        ..USUAL
    },
    Command {
        kind: "instance.create",
        required: &["name"],
        members: Members::OfProduct,
        payload: "`name`, `metadata`, `product_type` if there are several",
        does: "creates a product of the account; refused if the limits are reached",
        reply: Some("product"),
        rule: Some(instance::create_of_only_type),
        ..USUAL
    },
    Command {
        kind: "instance.keep",
        required: &["id"],
        members: Members::Only(&["id"]),
        payload: "`id`",
        does: "keeps this instance if the account is over its limit",
        reply: Some("product"),
        rule: Some(instance::keep),
        ..USUAL
    },
    Command {
        kind: "instance.suspend",
        required: &["id"],
        members: Members::Only(&["id"]),
        who: Who::Operators,
        payload: "`id`",
        does: "suspends the instance",
        reply: Some("product"),
        rule: Some(instance::suspend),
        ..USUAL
    },
    Command {
        kind: "instance.resume",
        required: &["id"],
        members: Members::Only(&["id"]),
        payload: "`id`",
        does: "resumes the instance",
        reply: Some("product"),
        rule: Some(instance::resume),
        ..USUAL
    },
    Command {
        kind: "instance.retry",
        required: &["id"],
        members: Members::Only(&["id"]),
        payload: "`id`",
        does: "retries the failed steps, or returns a manual step to the provider",
        reply: Some("product"),
        rule: Some(instance::retry),
        ..USUAL
    },
    Command {
        kind: "instance.delete",
        required: &["id", "confirm"],
        members: Members::Only(&["id", "confirm"]),
        when_closed: true,
        payload: "`id`, `confirm` (the instance's name, or the value of `id_by`)",
        does: "deletes the instance after a last backup",
        reply: Some("product"),
        rule: Some(instance::delete),
        ..USUAL
    },
    Command {
        kind: "purchase.create",
        members: Members::Only(&[
            "plan_id",
            "product_id",
            "plan",
            "product_type",
            "item",
            "interval",
            "quantity",
            "currency",
            "success_url",
            "cancel_url",
            "payment_method",
            "product",
            "code",
        ]),
        payload: "[below](#notes)",
        does: "opens a checkout, or returns the open one; of another plan of a family that the account pays for, changes the plan",
        reply: Some("`{purchase_id, session_id, checkout_url}`"),
        rule: Some(purchase::create),
        ..USUAL
    },
    Command {
        kind: "subscription.change",
        members: Members::Only(&["plan_id", "product_id", "plan", "interval", "quantity"]),
        payload: "a plan as in `purchase.create`, `interval`, `quantity`",
        does: "changes the plan, its interval or its quantity; not an add-on",
        reply: Some("[below](#notes)"),
        rule: Some(purchase::change_plan),
        ..USUAL
    },
    Command {
        kind: "subscription.preview",
        members: Members::Only(&["plan_id", "product_id", "plan", "interval", "quantity"]),
        payload: "as in `subscription.change`",
        does: "calculates what the change would cost, [below](#notes); changes nothing",
        reply: Some("[below](#notes)"),
        rule: Some(purchase::preview),
        ..USUAL
    },
    Command {
        kind: "subscription.cancel",
        members: Members::Only(&["id", "at_period_end", "reason", "comment"]),
        when_closed: true,
        payload: "`id`, `at_period_end` (`false`: operators), `reason`, `comment`",
        does: "cancels the subscription and its add-ons, [below](#notes)",
        reply: Some("`{subscription, at_period_end, add_ons}`"),
        rule: Some(leaving::cancel),
        ..USUAL
    },
    Command {
        kind: "subscription.keep",
        members: Members::Only(&["id", "code", "reason"]),
        payload: "`id`; with the offer of `cancel_offer` its `code`, and the `reason` of somebody who has not cancelled",
        does: "takes back the planned end of the subscription and its add-ons, or its planned change, [below](#notes)",
        reply: Some("`{subscription, add_ons, code}`"),
        rule: Some(leaving::keep),
        ..USUAL
    },
    Command {
        kind: "subscription.pause",
        required: &["until"],
        members: Members::Only(&["id", "until"]),
        payload: "`id`, `until`",
        does: "pauses the plan after the paid period, [below](#notes)",
        reply: Some("`{subscription, from, until}`"),
        rule: Some(leaving::pausing::pause),
        ..USUAL
    },
    Command {
        kind: "subscription.resume",
        members: Members::Only(&["id", "preview"]),
        payload: "`id`, `preview` (false)",
        does: "ends the pause, [below](#notes)",
        reply: Some("`{subscription}`; with `preview`, [below](#notes)"),
        rule: Some(leaving::pausing::resume),
        ..USUAL
    },
    Command {
        kind: "trial.extend",
        required: &["reason"],
        members: Members::Only(&["id", "until", "by", "reason"]),
        who: Who::Operators,
        payload: "`id` of a subscription, `until` or `by`, `reason`",
        does: "moves the end of a trial to a later time, [below](#notes)",
        reply: Some("`{subscription, plan, trial_end}`"),
        rule: Some(trial::extend),
        ..USUAL
    },
    Command {
        kind: "trial.end",
        required: &["reason"],
        members: Members::Only(&["id", "reason"]),
        who: Who::Operators,
        payload: "`id` of a subscription, `reason`",
        does: "ends a trial now, [below](#notes)",
        reply: Some("`{subscription, plan, trial_end}`"),
        rule: Some(trial::end),
        ..USUAL
    },
    Command {
        kind: "step.complete",
        required: &["id", "step"],
        members: Members::Only(&["id", "step", "outputs"]),
        when_closed: true,
        payload: "`id`, `step`, `outputs`",
        does: "reports the resource that a person created; only operators, unless the step has `by: owner`",
        reply: Some("product"),
        rule: Some(step::complete),
        ..USUAL
    },
    Command {
        kind: "step.assign",
        required: &["id", "step", "to"],
        members: Members::Only(&["id", "step", "to"]),
        who: Who::Operators,
        when_closed: true,
        payload: "`id`, `step`, `to`",
        does: "assigns a manual step to a person",
        reply: Some("product"),
        rule: Some(step::assign),
    },
    Command {
        kind: "step.abandon",
        required: &["id", "step"],
        members: Members::Only(&["id", "step", "gone"]),
        who: Who::Operators,
        when_closed: true,
        payload: "`id`, `step`, `gone` (false)",
        does: "gives up a resource that could not be deleted, [below](#notes)",
        reply: Some("product"),
        rule: Some(step::abandon),
    },
    Command {
        kind: "campaign.create",
        required: &["name", "template"],
        members: Members::Only(&["name", "template", "audience", "enrols"]),
        who: Who::Platform,
        payload: "`name`, `template`, `audience`, `enrols`",
        does: "creates a draft, [below](#notes)",
        reply: Some("`{id, recipients, counted, is_exact}`"),
        rule: Some(campaign::create),
        ..USUAL
    },
    Command {
        kind: "campaign.update",
        required: &["id", "name", "template"],
        members: Members::Only(&["id", "name", "template", "audience", "enrols"]),
        who: Who::Platform,
        payload: "`id`, `name`, `template`, `audience`, `enrols`",
        does: "replaces a draft",
        reply: Some("as of `campaign.create`"),
        rule: Some(campaign::update),
        ..USUAL
    },
    Command {
        kind: "campaign.send",
        required: &["id"],
        members: Members::Only(&["id", "at"]),
        who: Who::Platform,
        payload: "`id`, `at`",
        does: "starts the campaign, at once or at a time",
        reply: Some("`{id, status, …}`"),
        rule: Some(campaign::send),
        ..USUAL
    },
    Command {
        kind: "campaign.cancel",
        required: &["id"],
        members: Members::Only(&["id"]),
        who: Who::Platform,
        payload: "`id`",
        does: "stops the campaign",
        rule: Some(campaign::cancel),
        ..USUAL
    },
    Command {
        kind: "mail.subscribe",
        does: "the account wants campaigns",
        rule: Some(|desk, _| campaign::subscribe(desk, true)),
        ..USUAL
    },
    Command {
        kind: "mail.unsubscribe",
        when_closed: true,
        does: "the account wants no campaigns",
        rule: Some(|desk, _| campaign::subscribe(desk, false)),
        ..USUAL
    },
    Command {
        kind: "token.issue",
        required: &["product"],
        members: Members::Only(&["product", "name", "ip"]),
        payload: "`product`, `name` if its type has several, `ip`",
        does: "issues a token for an allowed product",
        reply: Some("`{id, product, token, expires_at, …}`"),
        rule: Some(token::issue),
        ..USUAL
    },
    Command {
        kind: "token.redeem",
        required: &["id", "sha256"],
        members: Members::Only(&["id", "sha256", "ip"]),
        payload: "`id`, `sha256`, `ip`",
        does: "exchanges a token for a grant",
        reply: Some("`{id, product, grant, expires_at}`"),
        rule: Some(token::redeem),
        ..USUAL
    },
    Command {
        kind: "token.revoke",
        required: &["id"],
        members: Members::Only(&["id", "ip"]),
        payload: "`id`, `ip`",
        does: "revokes a token",
        rule: Some(token::revoke),
        ..USUAL
    },
    Command {
        kind: "usage.admit",
        required: &["meter"],
        members: Members::Only(&["meter"]),
        payload: "`meter`",
        does: "reports whether paid usage may begin; changes nothing",
        reply: Some("`{meter, credits_left_micros, open_micros, included_left}`"),
        rule: Some(spending::admit),
        ..USUAL
    },
    Command {
        kind: "usage.consume",
        required: &["key"],
        members: Members::Only(&["key", "amount", "id"]),
        payload: "`key`, `amount`, `id`",
        does: "counts usage up to the limit",
        reply: Some("`{key, used, allowed, resets_at}`"),
        rule: Some(metering::consume),
        ..USUAL
    },
    Command {
        kind: "usage.correct",
        required: &["meter", "quantity"],
        members: Members::Only(&["meter", "quantity", "attributes", "at"]),
        who: Who::Operators,
        when_closed: true,
        payload: "`meter`, `quantity`, `attributes`, `at`",
        does: "takes back usage that was measured too high, [below](#notes)",
        reply: Some("`{meter, quantity, cost_micros, credits_micros}`"),
        rule: Some(correction::correct),
    },
    Command {
        kind: "usage.invoice",
        required: &["month"],
        members: Members::Only(&["month"]),
        who: Who::Operators,
        when_closed: true,
        payload: "`month` (`2026-01`)",
        does: "requests the usage invoice of the month again after Stripe has refused it",
        rule: Some(spending::invoice_again),
        ..USUAL
    },
    Command {
        kind: "usage.report",
        required: &["meter", "day"],
        members: Members::Only(&["meter", "day"]),
        who: Who::Operators,
        when_closed: true,
        payload: "`meter`, `day` (`2026-01-31`)",
        does: "reports the day's usage to Stripe's meter again after Stripe has refused it",
        reply: Some("`{meter, quantity, requests}`"),
        rule: Some(meter_event::again),
    },
    Command {
        kind: "usage.sync",
        does: "reads the log of the usage source (`usage_source`) now; refused while it is being read",
        reply: Some("`{new, cost_micros, unpriced, synced_at}`"),
        rule: Some(|desk, _| usage_pull::sync(desk)),
        ..USUAL
    },
    Command {
        kind: "account.close",
        who: Who::Operators,
        when_closed: true,
        does: "closes the account of a departed user or organization",
        rule: Some(|desk, _| account::close(desk)),
        ..USUAL
    },
    Command {
        kind: "account.connect",
        members: Members::Only(&["return_url", "refresh_url"]),
        payload: "`return_url`, `refresh_url`",
        does: "creates a link to Stripe's onboarding for payouts",
        reply: Some("`{onboarding_url}`"),
        rule: Some(connect::connect),
        ..USUAL
    },
    Command {
        kind: "account.portal",
        members: Members::Only(&["return_url"]),
        payload: "`return_url`",
        does: "creates a link to Stripe's customer portal",
        reply: Some("`{portal_url}`"),
        rule: Some(account::portal),
        ..USUAL
    },
    Command {
        kind: "account.register",
        members: Members::Only(&["email", "name"]),
        payload: "`email`, `name`",
        does: "creates a customer at Stripe, once",
        rule: Some(account::register),
        ..USUAL
    },
    Command {
        kind: "account.confirm",
        required: &["email"],
        members: Members::Only(&["email"]),
        who: Who::Operators,
        payload: "`email`, whose owner has proved it",
        does: "gives the address to the account; one that a checkout has made has an owner from now on",
        rule: Some(account::confirm),
        ..USUAL
    },
    Command {
        kind: "credit.grant",
        required: &["amount_minor", "reason"],
        members: Members::Only(&["amount_minor", "expires_at", "reason"]),
        who: Who::Operators,
        payload: "`amount_minor`, `expires_at` (none: they do not end), `reason`",
        does: "grants the account free credits",
        reply: Some("`{id, amount_minor, currency, expires_at}`"),
        rule: Some(granting::credits),
        ..USUAL
    },
    Command {
        kind: "credit.end",
        required: &["id", "reason"],
        members: Members::Only(&["id", "reason"]),
        who: Who::Operators,
        payload: "`id` of the grant, `reason`",
        does: "ends what is left of the credits that an operator gave",
        reply: Some("`{id, ended_micros}`"),
        rule: Some(granting::end_credits),
        ..USUAL
    },
    Command {
        kind: "entitlement.grant",
        required: &["entitlement", "amount", "reason"],
        members: Members::Only(&["entitlement", "amount", "until", "reason"]),
        who: Who::Operators,
        payload: "`entitlement`, `amount` (or `unlimited`; 0 takes it back), `until` (none: it does not end), `reason`",
        does: "grants the account an amount in addition to its plans and add-ons, in place of an earlier one",
        reply: Some("`{entitlement, amount, until}`"),
        rule: Some(granting::entitlement),
        ..USUAL
    },
    Command {
        kind: "account.cap",
        required: &["amount_minor"],
        members: Members::Only(&["amount_minor"]),
        payload: "`amount_minor`, or null for no cap",
        does: "limits what the usage of a month may add to its invoice, [below](#notes)",
        reply: Some("`{amount_minor, limit_minor, spent_minor}`"),
        rule: Some(spending::cap),
        ..USUAL
    },
    Command {
        kind: "account.top_up",
        members: Members::Only(&["product_id", "quantity", "currency", "amount_minor", "below_minor", "limit_minor"]),
        payload: "`product_id`, `quantity`, `currency`, `amount_minor` (what it costs), `below_minor`, `limit_minor`; without members: off",
        does: "buys credits whenever fewer than `below_minor` are left, [below](#notes)",
        reply: Some("`{on, product_id, quantity, amount_minor, currency, below_minor, limit_minor, spent_minor}`"),
        rule: Some(top_up::set),
        ..USUAL
    },
    Command {
        kind: "account.notify",
        required: &["template", "to"],
        members: Members::Only(&["template", "to", "values", "secrets"]),
        who: Who::Operators,
        when_closed: true,
        payload: "`template`, `to` (an address), `values`, `secrets` (references, which are filled in when the mail is sent; only of the server itself)",
        does: "sends one mail",
        rule: Some(account::notify),
        ..USUAL
    },
    Command {
        kind: "purchase.refund",
        required: &["id"],
        members: Members::Only(&["id", "amount", "reason"]),
        when_closed: true,
        payload: "`id` of a purchase or a subscription; operators: `amount`, `reason`",
        does: "refunds a one-time payment, as far as `refund` allows, or the first period of a subscription, which ends, [below](#notes)",
        reply: Some("`{purchase_id, amount_minor}`; `{subscription, amount_minor}`"),
        rule: Some(refund::refund),
        ..USUAL
    },
];

impl Command {
    /// Returns the command of a kind.
    pub(super) fn find(kind: &str) -> Option<&'static Command> {
        COMMANDS.iter().find(|command| command.kind == kind)
    }

    /// Returns the line of the document's table.
    fn line(&self) -> String {
        let mark = match self.who {
            Who::Owners => "",
            Who::Operators => " (operators)",
            Who::Platform => " (platform)",
        };
        let payload = if self.payload.is_empty() { String::new() } else { format!(" {}", self.payload) };
        let reply = self.reply.map(|reply| format!(" {reply}")).unwrap_or_default();
        format!("| `{}`{mark} |{payload} | {} |{reply} |\n", self.kind, self.does)
    }
}

/// Returns the kinds of all commands.
pub(super) fn kinds() -> Vec<&'static str> {
    COMMANDS.iter().map(|command| command.kind).collect()
}

/// Returns the kinds of the commands that the roles of an organization's members can allow.
pub(super) fn kinds_of_owners() -> Vec<&'static str> {
    COMMANDS.iter().filter(|command| command.who == Who::Owners).map(|command| command.kind).collect()
}

/// Returns the table of `docs/reference/commands.md`, in the order of the kinds.
pub fn table() -> String {
    let mut commands: Vec<&Command> = COMMANDS.iter().collect();
    commands.sort_by_key(|command| command.kind);
    let lines: String = commands.into_iter().map(Command::line).collect();
    format!("| command | payload | effect | reply |\n|---|---|---|---|\n{lines}")
}
