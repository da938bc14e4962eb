//! Generates the reference in `local-stripe/README.md` from the tables in the code.

pub mod triggers;

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::api::since::{self, VersionRange};
use crate::api::{self, Route};
use crate::calendar::DAY_S;
use crate::cards::{Behaviour, TEST_CARDS};
use crate::debits::{TEST_ACCOUNTS, TestAccount};
use crate::params::{Field, ParamKind, known};
use crate::shapes::changes::{CHANGES, Edit};
use crate::story::STORIES;
use crate::version::{CHECKED, CLI, NEWEST, OLDEST};

/// The differences from the real Stripe, except missing endpoints.
pub const DIFFERENCES: &[&str] = &[
    "With `--clock TIME`, the clock stands still until a call moves it, so the same calls give the same bytes. Only a signature's `t` is always the machine's time.",
    "Events have a causal order that is always the same; real Stripe guarantees no order.",
    "Failed deliveries are retried after 1, 5 and 25 seconds (`--retry`), not over hours or days; an unacknowledged `invoice.created` doesn't delay finalization, and Checkout redirects without waiting for the webhook.",
    "Test clocks advance at once: the response has `advancing`, but the clock is already `ready`. As at Stripe, a test clock has at most three customers, and advances by at most two intervals of its shortest subscription or schedule (two years without any). The sandbox's own clock has no such limits.",
    "Cards, bank debits and, for payment intents, bank transfers to the customer's cash balance only: no wallets. A debit succeeds or fails four (ACH) or five (SEPA) days after its confirmation, with micro-deposits only for `verification_method=microdeposits`; the checkout page accepts cards only. Without `mandate_data`, a debit's mandate counts as accepted offline, where Stripe may refuse the confirmation.",
    "Automatic tax knows the standard rates of the European Union, twelve other countries' and states' taxes (`src/tax/rates.rs`), reverse charge, exempt customers and `txcd_00000000`; no reduced rates, cities and districts. A place without a rate can't be registered. It applies to subscriptions, invoices, Checkout, payment links and calculations, not to quotes, schedules and shipping options. On the local checkout page, the buyer gives a country before paying; `POST /_sandbox/checkout/sessions/{id}/address` does the same. Tax rates apply to subscriptions, invoices and their items, and in Checkout, but not in quotes and schedules; each tax of a line is rounded once, halves away from zero.",
    "A price by tiers is billed with one line, where Stripe has one for each tier; the sum is the same, and each tier is rounded once. Other currencies of a price (`currency_options`) are for subscriptions, schedules and Checkout; quotes, payment links and invoice items take the price's own.",
    "Discounts apply to customers, subscriptions and their items, invoices and invoice items, and sessions. The discounts of an item apply before those of the subscription or invoice; prorations include the discount, as with `proration_discounts=included`. A credit returns the billed amount after discounts; a one-time discount is used up by one invoice.",
    "Meters count whole numbers; a meter event is validated at once, and a period's usage is billed with the renewal's invoice. The usage of a metered price before its removal or replacement is billed by an invoice item, unless `proration_behavior` is `none` or the `billing_mode` is `classic`; `clear_usage` has no effect with meters, as at Stripe. A threshold is checked when a meter event comes; `reset_billing_cycle_anchor` is refused.",
    "The billing portal changes the plan of subscriptions of one item, cancels, replaces the card and lists invoices; it has no customer details, quantities, coupons, changes planned for the period's end, or login page. A session expires after an hour of the sandbox's clock, a default configuration always exists, and changes are previewed with `POST /_sandbox/portal/{id}/preview`.",
    "Lists of unsupported objects, such as `/v1/issuing/cards`, are empty, for clients that fetch everything.",
    "A bank transfer arrives by `fund_cash_balance`; a refund from a cash balance to a bank waits until it is canceled or expires. Top-ups succeed at once, so none can be canceled. Alerts work with test clocks, too.",
    "Balance settings keep payouts manual, the only country spec is the own country's, source objects are of cards, and configurations and domains of payment methods change nothing on the local pages.",
    "A schedule applies its phases' items, times, trials, discounts, descriptions, prorations and metadata. Months are counted from the subscription's anchor, so that a phase after a short month ends on the anchor's day; Stripe's documents do not say so. A schedule that begins for a customer without a card leaves the subscription `past_due`.",
    "A subscription with a `cancel_at` before its period's end credits the unused time when it ends, unless `proration_behavior` was `none`; Stripe's documents do not say when.",
    "Items of several intervals must be multiples of the shortest one, which is also that of usage; on such a subscription, `cancel_at`, `cancel_at_period_end`, a new anchor or trial, other intervals and a schedule are refused. Prorations are pending invoice items, as with `billing_mode[type]=classic`, though `flexible` is shown.",
    "Checkout makes the invoice of a one-time payment (`invoice_creation`) when the payment has succeeded, but none for a free order; it takes shipping options in `payment` mode only, without tax on them.",
    "Checkout in subscription mode creates the subscription after the payment in every version, as Stripe does since 2025-03-31.basil; versions decide shapes, not behaviour.",
    "A manual invoice includes pending invoice items only with `pending_invoice_items_behavior=include`, in every version.",
    "A charge by card costs 2.9 % and 30 minor units in every currency and for every card, an ACH debit 0.8 % and at most 500, a SEPA debit nothing, and the rest is pending for two days (`--settlement at-once` leaves out both). A dispute costs 1500 minor units, which Stripe keeps even if the dispute is won; answering it costs nothing. `balance.available` is sent for each charge; payouts are manual and arrive after two days; exchange rates don't exist.",
    "Sources are cards created from a token or from their details: each is also a payment method with an id `card_…`. `POST /v1/charges` charges only cards, and an authorization without a payment intent does not expire.",
    "A dispute opens at the end of the call that charged the card, and evidence decides it at once: `winning_evidence` or `losing_evidence` in `uncategorized_text`.",
    "`GET /v1/events` returns events in the account's version (`--api-version`); one sandbox is one account, whose id depends on the seed, with its connected accounts. With `Stripe-Account`, a request acts for a connected account, which needs no onboarding for that; there are no pages and no webhook endpoints for its objects, and its events go to the endpoints with `connect=true`. Deleting a connected account sends no event.",
    "Tax ids of the types that Stripe verifies are verified at once, without asking an authority: the values that end with 111111111 and 222222222 stay `unverified` and `pending`, as in Stripe's test environments. Only VAT numbers of the European Union are checked for their form.",
    "A payment's application fee may be a percentage, of which Stripe doesn't publish the rounding: halves go away from zero. The shares of partial refunds in a transfer and a fee add up to the whole. All payments settle in their own currency, and `on_behalf_of` decides only the name on the statement. Only a refund may make the balance of a connected account negative.",
    "Searches include the latest writes, and the name of a page is the id of the last object before it.",
    "There is no rate limit; `POST /_sandbox/api_faults` asks for a 429. At most 16 webhook endpoints, 250 lines an invoice, 1 MB a request.",
];

/// Returns the generated part of `README.md` as Markdown.
pub fn markdown() -> String {
    let mut out = String::new();
    endpoints(&mut out);
    section(&mut out, "Stripe CLI triggers", &triggers::markdown());
    cards(&mut out);
    debits(&mut out);
    versions(&mut out);
    let stories: Vec<String> = STORIES.iter().map(|s| format!("| `{}` | {} |", s.name, s.about)).collect();
    section(&mut out, "Stories", &format!("| name | what happens |\n|---|---|\n{}", stories.join("\n")));
    let differences: Vec<String> = DIFFERENCES.iter().map(|d| format!("- {d}")).collect();
    section(&mut out, "Differences from real Stripe", &differences.join("\n"));
    out
}

fn section(out: &mut String, title: &str, body: &str) {
    // Writing to a `String` can't fail.
    let _ = write!(out, "\n### {title}\n\n{body}\n");
}

fn endpoints(out: &mut String) {
    let mut rows = String::from("| endpoint | since | parameters |\n|---|---|---|");
    for route in api::routes() {
        let shown = route.fields.iter().filter(|f| !matches!(f.kind, ParamKind::Off));
        let names: Vec<String> = shown.map(name).collect();
        let path = route.path.replace("{}", "{id}");
        let _ = write!(rows, "\n| `{} {path}` | {} | {} |", route.method, versions_of(route), names.join(", "));
    }
    let known = api::routes().filter(|route| !known::of(route.method, route.path).is_null()).count();
    let about = format!(
        "These are {known} of the {} endpoints of version 1 that Stripe's official library for Python calls ({}), and some of the \
         sandbox's own.",
        known::count(),
        include_str!("../clients/requirements.txt").trim().replace("==", " ")
    );
    section(out, "Endpoints", &format!("{about}\n\n{rows}"));
}

/// Returns `all` or the first version that has the endpoint, followed by the parameters that only some of these
/// versions show.
fn versions_of(route: &Route) -> String {
    let words = |span: VersionRange| match span {
        VersionRange { since: None, until: None } => "all".to_owned(),
        VersionRange { since: Some(since), until: None } => since.to_owned(),
        VersionRange { since: None, until: Some(until) } => format!("before {until}"),
        VersionRange { since: Some(since), until: Some(until) } => format!("{since}, before {until}"),
    };
    let whole = since::of_route(route);
    let is_narrower =
        |span: &VersionRange| (span.until.is_some() && span.until != whole.until) || span.since > whole.since;
    // Parameters declared with `off` are not shown: they only accept values that switch a feature off.
    let shown = route.fields.iter().filter(|f| !matches!(f.kind, ParamKind::Off));
    let spans = shown.map(|f| (f.name, since::of_parameter(route, f.name))).filter(|(_, span)| is_narrower(span));
    let narrower: Vec<String> = spans.map(|(name, span)| format!("{name}: {}", words(span))).collect();
    [vec![words(whole)], narrower].concat().join("; ")
}

/// Returns a parameter's name, with a star if the parameter is required.
fn name(field: &Field) -> String {
    format!("{}{}", field.name, if field.required { "\\*" } else { "" })
}

fn cards(out: &mut String) {
    let words = |behaviour: Behaviour| match behaviour {
        Behaviour::Succeeds => "succeeds".to_owned(),
        Behaviour::Declines(code, decline) if code == decline => format!("declined: `{code}`"),
        Behaviour::Declines(code, decline) => format!("declined: `{code}`, `{decline}`"),
        Behaviour::ChargeFails(decline) => format!("can be attached, every charge fails: `{decline}`"),
        Behaviour::Authenticates { always: true } => "requires 3-D Secure each time".to_owned(),
        Behaviour::Authenticates { always: false } => "requires 3-D Secure until it was passed once".to_owned(),
        Behaviour::AuthenticatesOnSession => "requires 3-D Secure, unless the payment is off-session".to_owned(),
        Behaviour::AuthenticatesThenFails(decline) => format!("requires 3-D Secure, then declined: `{decline}`"),
        Behaviour::Disputes { reason, inquiry: false } => format!("succeeds, then disputed: `{reason}`"),
        Behaviour::Disputes { inquiry: true, .. } => "succeeds, then an inquiry".to_owned(),
        Behaviour::RefundFails => "succeeds; its refund succeeds, then fails".to_owned(),
        Behaviour::RefundIsPending => "succeeds; its refund is pending, then succeeds".to_owned(),
        Behaviour::WarnsOfFraud => "succeeds, then an early fraud warning".to_owned(),
        Behaviour::IsReviewed => "succeeds and opens a review".to_owned(),
        Behaviour::FromCash => "is paid from the customer's cash balance".to_owned(),
        Behaviour::Debits(account) => debit_words(account),
    };
    let rows: Vec<String> = TEST_CARDS
        .iter()
        .map(|c| format!("| {} | `pm_card_{}` | {} |", c.number, c.name, words(c.behaviour)))
        .collect();
    section(
        out,
        "Test cards",
        &format!("| number | payment method | what happens |\n|---|---|---|\n{}", rows.join("\n")),
    );
}

fn debit_words(account: &TestAccount) -> String {
    let days = account.debit.settles_after_s / DAY_S;
    match account.failure {
        None => format!("pays after {days} days"),
        Some(code) => format!("refused after {days} days: `{code}`"),
    }
}

fn debits(out: &mut String) {
    let token = |account: &TestAccount| account.token.map(|token| format!("`{token}`")).unwrap_or_default();
    let rows: Vec<String> = TEST_ACCOUNTS
        .iter()
        .map(|a| format!("| {} | {} | {} | {} |", a.debit.kind, a.number, token(a), debit_words(a)))
        .collect();
    let head = "| type | account number or IBAN | payment method | what happens |\n|---|---|---|---|";
    section(out, "Test bank accounts", &format!("{head}\n{}", rows.join("\n")));
}

fn versions(out: &mut String) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for change in CHANGES {
        let members = match change.edit {
            Edit::Added(paths) => paths.len(),
            Edit::Removed(members) => members.len(),
        };
        *counts.entry(change.version).or_default() += members;
    }
    let rows: Vec<String> = counts.iter().rev().map(|(version, count)| format!("| {version} | {count} |")).collect();
    let intro = format!(
        "The versions that Stripe released from {OLDEST} to {NEWEST} are accepted, and the previews of those with a name (`DATE.preview`); {CLI}, the Stripe CLI's own, gets the oldest shape. Other versions are refused, as at Stripe. Checked key by key: {}. Members added or removed:",
        CHECKED.join(", ")
    );
    section(out, "API versions", &format!("{intro}\n\n| version | changes of shape |\n|---|---|\n{}", rows.join("\n")));
}
