//! The facts in a store's records: what the extension's lists return, and the transfers that were carried out.

use crate::error::VerifyError;
use crate::facts::{Facts, Kind, facts, member, text};
use crate::theirs::item_fact;
use extension_contract::{Account, Actor, CONNECTED_ACCOUNT_CLAIMS, Page, Payload, Question, Timestamp};
use host_engine::processor::{Answerer, Questions};
use host_store::{EffectRow, EffectState, Partition, Read, Scope, Stored};
use serde_json::{Value, json};

/// Number of entries on a page of a list, and of rows on a page of effects.
const PAGE: u32 = 100;
/// Kind of the effects that make transfers.
const TRANSFER: &str = "stripe.transfer.create";

/// A recorded object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ours {
    pub(crate) kind: Kind,
    pub(crate) id: String,
    pub(crate) facts: Facts,
    /// The charge of a payment, or the payment of a refund: other objects whose events change the record.
    pub(crate) related: Option<String>,
    /// False for a draft, and for a payment that has moved no money as far as the store knows: these need not exist at
    /// Stripe.
    pub(crate) must_exist: bool,
}

impl Ours {
    /// Returns the id with which the object is fetched from Stripe; for a payment, that is the id of its charge.
    pub(crate) fn id_at_stripe(&self) -> &str {
        let charge = self.related.as_deref().filter(|_| self.kind == Kind::Payment);
        charge.unwrap_or(&self.id)
    }
}

/// Reads the records of one business in one mode.
pub(crate) struct OurSide<'a> {
    pub(crate) answerer: &'a mut Answerer,
    pub(crate) partition: &'a Partition,
    pub(crate) now: Timestamp,
}

/// Names of the extension's lists that contain compared objects.
const LISTS: [&str; 3] = ["subscriptions", "invoices", "payments"];

/// Returns the list that contains the records of a kind; none for transfers, which are effects.
fn list_of(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Subscription => Some("subscriptions"),
        Kind::Invoice => Some("invoices"),
        Kind::Payment | Kind::Refund => Some("payments"),
        Kind::Transfer => None,
    }
}

impl OurSide<'_> {
    /// Visits the records of an account.
    pub(crate) fn each(
        &mut self,
        account: &Account,
        visit: &mut dyn FnMut(Ours) -> Result<(), VerifyError>,
    ) -> Result<(), VerifyError> {
        for list in LISTS {
            let mut after = None;
            loop {
                let page = self.page(account, list, after)?;
                let is_last = page.len() < PAGE as usize;
                after = page.last().map(|(id, _)| id.clone());
                for (id, value) in page {
                    entry(list, &id, &value)?.into_iter().try_for_each(&mut *visit)?;
                }
                if is_last {
                    break;
                }
            }
        }
        let scope = self.partition.scope(account.clone());
        let transfers = self.answerer.read(|store| transfers(store, &scope))?;
        transfers.into_iter().try_for_each(visit)
    }

    /// Reads one record again; none if the account does not have it. `within` is the payment of a refund.
    pub(crate) fn again(
        &mut self,
        account: &Account,
        kind: Kind,
        id: &str,
        within: Option<&str>,
    ) -> Result<Option<Ours>, VerifyError> {
        let Some(list) = list_of(kind) else {
            let scope = self.partition.scope(account.clone());
            let transfers = self.answerer.read(|store| transfers(store, &scope))?;
            return Ok(transfers.into_iter().find(|transfer| transfer.id == id));
        };
        let row = if kind == Kind::Refund { within.unwrap_or(id) } else { id };
        // A list begins after an id: the id without its last letter sorts before the row, with few rows in between.
        let mut before = row.to_owned();
        before.pop();
        let mut after = Some(before);
        loop {
            let page = self.page(account, list, after)?;
            if let Some((found, value)) = page.iter().find(|(found, _)| found == row) {
                return Ok(entry(list, found, value)?.into_iter().find(|ours| ours.kind == kind && ours.id == id));
            }
            match page.last() {
                Some((last, _)) if last.as_str() < row && page.len() == PAGE as usize => after = Some(last.clone()),
                _ => return Ok(None),
            }
        }
    }

    fn page(
        &mut self,
        account: &Account,
        list: &str,
        after: Option<String>,
    ) -> Result<Vec<(String, Value)>, VerifyError> {
        let question = Question { account: account.clone(), actor: Actor::system(), at: self.now };
        let listed = self.answerer.ask_list(&question, list, None, &Page { after, limit: PAGE });
        let listed = listed.map_err(|error| VerifyError::Ask { account: account.to_string(), error })?;
        Ok(listed.into_iter().map(|it| (it.id, serde_json::from_str(&it.value).unwrap_or_default())).collect())
    }
}

/// Returns the compared objects in an entry of a list.
fn entry(list: &str, id: &str, value: &Value) -> Result<Vec<Ours>, VerifyError> {
    Ok(match list {
        "subscriptions" => vec![ours(Kind::Subscription, id, subscription(value)?)],
        // Stripe forgets a draft that is deleted.
        "invoices" => {
            vec![Ours { must_exist: text(value, "status") != Some("draft"), ..ours(Kind::Invoice, id, invoice(value)) }]
        }
        _ => payment(id, value)?,
    })
}

fn ours(kind: Kind, id: &str, facts: Facts) -> Ours {
    Ours { kind, id: id.to_owned(), facts, related: None, must_exist: true }
}

fn subscription(value: &Value) -> Result<Facts, VerifyError> {
    let malformed = || VerifyError::Malformed { kind: Kind::Subscription, member: "items" };
    let items = value["items"].as_array().ok_or_else(malformed)?;
    let item = |item: &Value| {
        item_fact(&item["price_id"], item["quantity"].as_u64().unwrap_or(0), &member(item, "period_end"))
    };
    Ok(facts([
        ("status", member(value, "status")),
        ("cancel_at_period_end", member(value, "cancel_at_period_end")),
        ("cancel_at", member(value, "cancel_at")),
        ("trial_end", member(value, "trial_end")),
        ("items", items.iter().map(item).collect()),
    ]))
}

fn invoice(value: &Value) -> Facts {
    facts([
        ("status", member(value, "status")),
        ("currency", member(value, "currency")),
        ("total", member(value, "total_minor")),
        ("amount_due", member(value, "amount_due_minor")),
        ("amount_paid", member(value, "amount_paid_minor")),
        ("subscription", member(value, "subscription")),
    ])
}

/// Returns a payment and its refunds.
fn payment(id: &str, value: &Value) -> Result<Vec<Ours>, VerifyError> {
    let malformed = |member| VerifyError::Malformed { kind: Kind::Refund, member };
    let (mut found, mut sum, mut failed) = (Vec::new(), 0_i64, 0_i64);
    for (refund, value) in value["refunds"].as_object().into_iter().flatten() {
        let amount = value["amount_minor"].as_i64().ok_or_else(|| malformed("amount_minor"))?;
        let status = text(value, "status").ok_or_else(|| malformed("status"))?;
        let side = if status == "failed" { &mut failed } else { &mut sum };
        *side = side.saturating_add(amount);
        let facts =
            facts([("status", json!(status)), ("amount", json!(amount)), ("currency", member(value, "currency"))]);
        found.push(Ours { related: Some(id.to_owned()), ..ours(Kind::Refund, refund, facts) });
    }
    // The same way the extension counts: the amount in the charge includes unknown refunds and failed ones.
    let of_charge = value["charge_refunded_minor"].as_i64().unwrap_or(0);
    let mut own = facts([("amount_refunded", json!(sum.max(of_charge.saturating_sub(failed))))]);
    let charge = text(value, "charge");
    // An invoice accounts for the money of its payment, whose own events may not be enabled for the webhook.
    if charge.is_some() || value["invoice"].is_null() {
        own.insert("charge".to_owned(), json!(charge));
    }
    let related = charge.map(str::to_owned);
    found.push(Ours { related, must_exist: charge.is_some(), ..ours(Kind::Payment, id, own) });
    Ok(found)
}

/// Returns the transfers that an account has requested and that were made. Those of an erased account have lost their ids.
fn transfers(store: &dyn Read, scope: &Scope) -> Stored<Vec<Ours>> {
    let mut found = Vec::new();
    each_transfer(store, scope, &mut |row| {
        if let (EffectState::Finished, Some(id)) = (row.state, made(store, row)?) {
            let payload: Value = serde_json::from_str(&row.effect.payload).unwrap_or_default();
            let facts = facts([
                ("amount", member(&payload, "amount_minor")),
                ("currency", member(&payload, "currency")),
                ("destination", member(&payload, "destination")),
                ("amount_reversed", json!(0)),
            ]);
            found.push(ours(Kind::Transfer, &id, facts));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Visits the effects of an account that make transfers. Only the holder of a connected account has any.
pub(crate) fn each_transfer(
    store: &dyn Read,
    scope: &Scope,
    visit: &mut dyn FnMut(&EffectRow) -> Stored<()>,
) -> Stored<()> {
    let prefix = format!("{}//{CONNECTED_ACCOUNT_CLAIMS}", scope.claim_space());
    if store.claims_held(scope, &prefix)?.is_empty() {
        return Ok(());
    }
    let mut after = 0;
    loop {
        let page = store.effects_of(scope, after, PAGE as usize)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.seq;
        page.iter().filter(|row| row.effect.kind == TRANSFER).try_for_each(&mut *visit)?;
    }
}

/// Returns the id of the transfer that an effect has made.
fn made(store: &dyn Read, row: &EffectRow) -> Stored<Option<String>> {
    let event = format!("{}/{}@{}", row.scope.name(), row.effect.key, row.effect.generation);
    for id in [event.clone(), event + "/late"] {
        if let Some(inbox) = store.event(&row.scope.partition(), "effects", &id)?
            && let Payload::EffectResult(report) = inbox.event.payload
            && let Ok(answer) = report.answer
        {
            let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
            return Ok(text(&answer, "id").map(str::to_owned));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_has_its_refunds_and_the_refunded_sum_that_the_extension_counts() {
        let value = json!({"charge": "ch_1", "charge_refunded_minor": 500, "refunds": {
            "re_1": {"amount_minor": 300, "status": "succeeded", "currency": "usd"},
            "re_2": {"amount_minor": 100, "status": "failed", "currency": "usd"}}});
        let found = payment("pi_1", &value).expect("well-formed");
        let ids: Vec<(Kind, &str)> = found.iter().map(|it| (it.kind, it.id.as_str())).collect();
        assert_eq!(ids, [(Kind::Refund, "re_1"), (Kind::Refund, "re_2"), (Kind::Payment, "pi_1")]);
        assert_eq!(found[2].facts["amount_refunded"], json!(400));
        assert_eq!((found[0].related.as_deref(), found[2].related.as_deref()), (Some("pi_1"), Some("ch_1")));
    }

    #[test]
    fn a_payment_without_a_charge_need_not_exist_and_one_of_an_invoice_is_not_compared_by_it() {
        let unpaid = payment("pi_1", &json!({"charge_refunded_minor": 0})).expect("well-formed").remove(0);
        assert_eq!((unpaid.must_exist, unpaid.facts.get("charge")), (false, Some(&Value::Null)));
        let billed = payment("pi_1", &json!({"invoice": "in_1"})).expect("well-formed").remove(0);
        assert_eq!((billed.must_exist, billed.facts.get("charge")), (false, None));
    }
}
