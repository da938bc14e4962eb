//! Parses an event once into the type for its kind, and computes its placement: its account and the rows it is about.

pub(crate) mod actor;
mod mentions;
pub(crate) mod newcomer;
pub(crate) mod placement;
pub(crate) mod stripe;

use crate::catalog::names::{BUSINESS, ENABLED};
use crate::model::correlation::{Correlation, instance_rows};
use crate::model::halt::{Halt, Ruled, wrong_field};
use crate::model::json::{Object, short_hash};
use crate::model::keys::{FactKey, TimerKey};
use crate::model::mail_kinds;
use crate::model::message::Message;
use crate::model::records::campaign::{Campaign, Member};
use crate::model::records::earning::{Earned, Earning};
use crate::model::records::listing::ListingRow;
use crate::model::records::to_record;
use crate::model::records::token::{Access, Token};
use crate::model::records::usage::UsageMonth;
use extension_contract::*;
use mentions::{Mentioning, Mentions};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// The object of an event of the payment source.
pub(crate) enum Body<'e> {
    Subscription(Box<stripe::Subscription<'e>>, Option<stripe::PreviousSubscription<'e>>),
    SubscriptionSchedule(Box<stripe::SubscriptionSchedule<'e>>),
    Invoice(Box<stripe::Invoice<'e>>),
    Session(Box<stripe::Session<'e>>),
    Charge(Box<stripe::Charge<'e>>),
    Refund(stripe::Refund<'e>),
    Dispute(stripe::Dispute<'e>),
    PaymentIntent(stripe::PaymentIntent<'e>),
    InvoicePayment(stripe::InvoicePaymentObject<'e>),
    Customer(stripe::Customer<'e>),
    Price(stripe::Price<'e>),
    ConnectedAccount(stripe::ConnectedAccount<'e>),
    Transfer(stripe::Transfer<'e>),
    Payout(stripe::Payout<'e>),
    CreditNote(stripe::CreditNote<'e>),
    /// A connected account revoked our access. The event's object does not show the revocation.
    Deauthorized,
    /// A thin event: the reference to an object.
    Thin(stripe::ThinEvent<'e>),
    /// An event kind that is not handled.
    Unhandled,
    /// The object does not have the type of its event kind.
    Malformed(Halt),
}

/// The parsed content of an event.
pub(crate) enum Content<'e> {
    /// An object of the payment source.
    Payment(Body<'e>),
    /// A change of a product that did not come from this extension.
    Product(&'e ProductChange),
    /// A command with its members, except `catalog.load`.
    Command(Object),
    /// A business's own fact, with its members.
    Fact(Object),
    /// The payload of `catalog.load`.
    CatalogLoad(&'e str),
    /// Measurements.
    Usage(&'e [Usage]),
    /// A timer, with its parsed key; `None` for an unknown key.
    Timer(Option<TimerKey>),
    /// A message and its sender; `None` for a message of an unknown format.
    Message(Option<Message>, &'e Account),
    /// The result of an effect, with its correlation.
    EffectResult(&'e EffectReport, Option<Correlation>),
}

/// A parsed event.
pub(crate) struct Input<'e> {
    /// Content.
    pub content: Ruled<Content<'e>>,
    /// How to find the account, and the rows that the event names.
    pub placement: Placement,
    /// Facts that the decision will read.
    pub facts: Vec<String>,
}

impl Input<'_> {
    /// Returns the id of the paid checkout session with metadata of ours that the event is about.
    pub fn paid_session_of_ours(&self) -> Option<&str> {
        let Ok(Content::Payment(Body::Session(session))) = &self.content else { return None };
        let is_paid = session.payment_status.as_deref() == Some("paid");
        (is_paid && self.placement.mark == Mark::Ours).then_some(&session.id)
    }
}

/// Prefix of the types of thin events, which only refer to their object.
pub(crate) const THIN: &str = "v1.";

/// Event kinds of catalog objects. These objects belong to the account `platform`, even if their metadata names another
/// account.
const CATALOG_KINDS: [&str; 6] =
    ["price.created", "price.updated", "price.deleted", "product.created", "product.updated", "product.deleted"];

/// Parses an event.
pub(crate) fn read(event: &Event) -> Input<'_> {
    let mut input = match &event.payload {
        Payload::Payment(bytes) => payment(event, bytes),
        Payload::Product(change) => {
            let product = change.after.as_ref().or(change.before.as_ref());
            known(
                Ok(Content::Product(change)),
                product.map(|row| row.id.as_str()).into_iter().flat_map(instance_rows).collect(),
            )
        }
        Payload::Command(payload) => command(event, payload),
        Payload::Usage(batch) => known(Ok(Content::Usage(batch)), Vec::new()),
        Payload::Timer(delivery) => {
            let timer = TimerKey::parse(&delivery.key);
            let names = timer.as_ref().and_then(TimerKey::instance).into_iter().flat_map(instance_rows).collect();
            known(Ok(Content::Timer(timer)), names)
        }
        Payload::Message(delivery) => {
            let message = Message::of_payload(&delivery.payload);
            let names = match &message {
                Some(Message::Share(share)) => {
                    vec![to_record(Earning::COLLECTION, &share.sale), to_record(Earned::COLLECTION, &share.product)]
                }
                Some(Message::Listed(listed)) => vec![to_record(ListingRow::COLLECTION, &listed.product)],
                Some(Message::Member(_)) => vec![to_record(Member::COLLECTION, &delivery.sender.to_string())],
                Some(Message::Listing(_) | Message::Campaign(_)) | None => Vec::new(),
            };
            known(Ok(Content::Message(message, &delivery.sender)), names)
        }
        Payload::EffectResult(report) => {
            let correlation = Correlation::of_context(&report.context);
            let mut names = correlation.as_ref().map(Correlation::rows).unwrap_or_default();
            if let Some(Correlation::Token { .. } | Correlation::Redeem { .. }) = &correlation {
                names.push(access_row(event));
            }
            known(Ok(Content::EffectResult(report, correlation)), names)
        }
    };
    let always = [CatalogKey::Product(BUSINESS.to_owned()), CatalogKey::Setting(ENABLED.to_owned())];
    input.placement.names.extend(always.map(Reference::Catalog));
    input
}

fn known<'e>(content: Ruled<Content<'e>>, names: Vec<Reference>) -> Input<'e> {
    Input { content, placement: Placement::known(names), facts: Vec::new() }
}

/// Returns the reference to the access log entry that the event may write.
fn access_row(event: &Event) -> Reference {
    to_record(Access::COLLECTION, &short_hash(&event.id))
}

fn command<'e>(event: &'e Event, payload: &'e str) -> Input<'e> {
    let is_fact = event.source == FACT_SOURCE;
    if event.kind == "catalog.load" && !is_fact {
        return known(Ok(Content::CatalogLoad(payload)), Vec::new());
    }
    match extension_reader::from_str::<Object>(payload) {
        Err(error) => {
            known(Err(wrong_field("", FieldErrorCode::WrongType, "", format!("an object: {error}"))), Vec::new())
        }
        Ok(body) if is_fact => known(Ok(Content::Fact(body)), Vec::new()),
        Ok(body) => {
            let id = body.get("id").and_then(Value::as_str).filter(|id| id.len() <= ID_BYTES_MAX && !id.is_empty());
            let month = body.get("month").and_then(Value::as_str).filter(|month| month.len() <= ID_BYTES_MAX);
            let names = match (event.kind.split_once('.'), id) {
                (Some(("usage", _)), _) => {
                    month.map(|month| to_record(UsageMonth::COLLECTION, month)).into_iter().collect()
                }
                (Some(("product" | "instance", _)), Some(id)) => instance_rows(id).to_vec(),
                (Some(("campaign", _)), Some(id)) => vec![to_record(Campaign::COLLECTION, id)],
                (Some(("token", _)), id) => {
                    vec![to_record(Token::COLLECTION, id.unwrap_or_default()), access_row(event)]
                }
                (Some(("subscription", _)), Some(id)) => vec![Reference::Row(RowKey::Subscription(id.to_owned()))],
                _ => Vec::new(),
            };
            known(Ok(Content::Command(body)), names)
        }
    }
}

/// Returns the facts that the decision about an object usually reads.
fn facts(body: &Body<'_>) -> Vec<String> {
    match body {
        Body::Invoice(object) => {
            let id = object.id.as_deref().unwrap_or_default();
            let by_session = FactKey::BookedBySession(id).to_string();
            vec![FactKey::Paid(id).to_string(), by_session, mail_kinds::RECEIPT.key(id).to_string()]
        }
        Body::Session(object) => {
            let purchase = object.ours().and_then(|metadata| metadata.purchase_id.as_deref());
            let payment = stripe::id_of(&object.payment_intent).unwrap_or(&object.id);
            let paid = purchase.map(|purchase| FactKey::PaidSession { purchase, payment }.to_string());
            paid.into_iter().collect()
        }
        Body::Refund(object) => {
            vec![FactKey::Refund(&object.id).to_string(), FactKey::RefundFailed(&object.id).to_string()]
        }
        Body::Dispute(object) => {
            let id = object.id.as_ref();
            let movements = object.balance_transactions.iter().flatten().filter(|movement| movement.fee != 0);
            let mut facts = vec![
                FactKey::Dispute(id).to_string(),
                FactKey::DisputeReturned(id).to_string(),
                mail_kinds::DISPUTE_OPENED.key(id).to_string(),
            ];
            facts.extend(movements.map(|movement| FactKey::DisputeFee(&movement.id).to_string()));
            facts
        }
        _ => Vec::new(),
    }
}

fn payment<'e>(event: &'e Event, bytes: &'e [u8]) -> Input<'e> {
    if event.kind.starts_with(THIN) {
        // The account of a thin event is known only after the event's object was retrieved.
        let placement = Placement { account: Some(Account::Platform), ..Placement::known(Vec::new()) };
        let body = stripe::read_thin(bytes).map_or_else(Body::Malformed, Body::Thin);
        return Input { content: Ok(Content::Payment(body)), placement, facts: Vec::new() };
    }
    if CATALOG_KINDS.contains(&event.kind.as_str()) {
        let placement = Placement { account: Some(Account::Platform), ..Placement::known(Vec::new()) };
        let body = match event.kind.starts_with("price.") {
            true => object(bytes).map_or_else(Body::Malformed, Body::Price),
            false => Body::Unhandled,
        };
        return Input { content: Ok(Content::Payment(body)), placement, facts: Vec::new() };
    }
    let body = body(&event.kind, bytes);
    let placement = match &body {
        Body::Subscription(object, _) => placement::of(event, &object.mentions()),
        Body::SubscriptionSchedule(object) => placement::of(event, &object.mentions()),
        Body::Invoice(object) => placement::of(event, &object.mentions()),
        Body::Session(object) => placement::of(event, &object.mentions()),
        Body::Charge(object) => placement::of(event, &object.mentions()),
        Body::Refund(object) => placement::of(event, &object.mentions()),
        Body::Dispute(object) => placement::of(event, &object.mentions()),
        Body::PaymentIntent(object) => placement::of(event, &object.mentions()),
        Body::InvoicePayment(object) => placement::of(event, &object.mentions()),
        Body::Customer(object) => placement::of(event, &object.mentions()),
        Body::CreditNote(object) => placement::of(event, &object.mentions()),
        Body::Transfer(object) => placement::of_destination(stripe::id_of(&object.destination)),
        Body::ConnectedAccount(_) | Body::Payout(_) | Body::Deauthorized => placement::of_connected(event),
        Body::Price(_) | Body::Thin(_) => Placement::known(Vec::new()),
        // An unreadable object may still contain ids that lead to its account. The rule rejects the event in this
        // account.
        Body::Unhandled | Body::Malformed(_) => match object::<stripe::Ids<'_>>(bytes) {
            Ok(ids) => placement::of(event, &ids.mentions()),
            Err(_) => placement::of(event, &Mentions::default()),
        },
    };
    let facts = facts(&body);
    Input { content: Ok(Content::Payment(body)), placement, facts }
}

fn object<'e, T: Deserialize<'e>>(bytes: &'e [u8]) -> Result<T, Halt> {
    Ok(stripe::read::<T, IgnoredAny>(bytes)?.object)
}

/// Parses a body as the object of its event kind.
fn body<'e>(kind: &str, bytes: &'e [u8]) -> Body<'e> {
    let read = match kind {
        "customer.subscription.created"
        | "customer.subscription.updated"
        | "customer.subscription.deleted"
        | "customer.subscription.paused"
        | "customer.subscription.resumed"
        | "customer.subscription.pending_update_applied"
        | "customer.subscription.pending_update_expired"
        | "customer.subscription.trial_will_end" => {
            stripe::read(bytes).map(|data| Body::Subscription(Box::new(data.object), data.previous_attributes))
        }
        "account.application.deauthorized" => Ok(Body::Deauthorized),
        "account.updated" => object(bytes).map(Body::ConnectedAccount),
        "transfer.reversed" => object(bytes).map(Body::Transfer),
        "payout.failed" => object(bytes).map(Body::Payout),
        "credit_note.created" => object(bytes).map(Body::CreditNote),
        "invoice_payment.paid" => object(bytes).map(Body::InvoicePayment),
        "customer.created" | "customer.updated" | "customer.deleted" => object(bytes).map(Body::Customer),
        _ if kind.starts_with("subscription_schedule.") => {
            object(bytes).map(|object| Body::SubscriptionSchedule(Box::new(object)))
        }
        _ if kind.starts_with("invoice.") => object(bytes).map(|object| Body::Invoice(Box::new(object))),
        _ if kind.starts_with("checkout.session.") => object(bytes).map(|object| Body::Session(Box::new(object))),
        _ if kind.starts_with("charge.refund.") || kind.starts_with("refund.") => object(bytes).map(Body::Refund),
        _ if kind.starts_with("charge.dispute.") => object(bytes).map(Body::Dispute),
        _ if kind.starts_with("charge.") => object(bytes).map(|object| Body::Charge(Box::new(object))),
        _ if kind.starts_with("payment_intent.") => object(bytes).map(Body::PaymentIntent),
        _ => Ok(Body::Unhandled),
    };
    read.unwrap_or_else(Body::Malformed)
}
