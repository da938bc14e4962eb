//! `account.connect`, `account.updated` and transfers: the connected account at Stripe that receives payouts.

use crate::actions::customer::owner;
use crate::catalog::return_address;
use crate::desk::Desk;
use crate::input::stripe;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::{Answer, Ruled, Verdict, internal};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::{ClaimKey, EffectKey, FactKey};
use crate::model::ledger::{CASH, EARNINGS, book};
use crate::model::mail_kinds;
use crate::model::merge::payouts::{View, merge};
use crate::model::notice::send_once;
use crate::model::records::payouts::{AwaitsLink, Onboarding, Payouts};
use crate::model::time::DAY_MS;
use extension_contract::{DeferReason, Effect, EffectReport, IgnoreReason, Outcome, Refusal, Snapshot, SnapshotRank};
use serde_json::{Value, json};

/// `account.connect`: requests an onboarding link. Creates the connected account before the first link.
pub(super) fn connect(desk: &mut Desk<'_>, body: &Object) -> Ruled<Verdict> {
    let settings = desk.catalog.settings()?;
    let url = |field: &str| -> Ruled<String> {
        Ok(return_address::given(body, field, &settings.origins)?.unwrap_or_else(|| settings.return_url.clone()))
    };
    let awaits = AwaitsLink {
        reply_to: desk.reply_to.cloned(),
        return_url: url("return_url")?,
        refresh_url: url("refresh_url")?,
    };
    let mut payouts = desk.account.row::<Payouts>(Payouts::ID)?.unwrap_or_default();
    if let Some(connected) = payouts.connected.clone().filter(|_| !payouts.gone) {
        let number = payouts.waiting.len();
        return link(desk, &connected, number, &awaits).map(|()| Outcome::Applied.into());
    }
    if payouts.waiting.is_empty() {
        request_account(desk, &awaits)?;
    }
    payouts.waiting.push(awaits);
    desk.account.put(Payouts::ID, payouts);
    Ok(Outcome::Applied.into())
}

/// Requests the connected account. If the request fails, the first waiting caller receives the failure.
fn request_account(desk: &mut Desk<'_>, awaits: &AwaitsLink) -> Ruled<()> {
    let payload = json!({"metadata": owner(desk)?});
    let key = EffectKey::Connect { asked_by: desk.event_hash() };
    let effect = request(&key, &payload, Some(&Correlation::Connect))?;
    desk.account.ask(Effect { reply_to: awaits.reply_to.clone(), ..effect });
    Ok(())
}

fn link(desk: &mut Desk<'_>, connected: &str, number: usize, awaits: &AwaitsLink) -> Ruled<()> {
    let payload = json!({"account": connected, "return_url": awaits.return_url, "refresh_url": awaits.refresh_url});
    let key = EffectKey::ConnectLink { asked_by: format!("{}-{number}", desk.event_hash()) };
    let effect = request(&key, &payload, Some(&Correlation::ConnectLink))?;
    desk.account.ask(Effect { reply_to: awaits.reply_to.clone(), ..effect });
    Ok(())
}

/// Handles the result of the account request. On success, requests a link for each waiting caller. On failure, the
/// first caller receives the refusal, and the account is requested again for the next caller.
pub(super) fn account_created(desk: &mut Desk<'_>, report: &EffectReport) -> Ruled<Verdict> {
    let mut payouts = desk.account.row::<Payouts>(Payouts::ID)?.unwrap_or_default();
    let mut waiting = std::mem::take(&mut payouts.waiting);
    let verdict = match &report.answer {
        Ok(answer) => {
            let answer: Object = decode("effects", &report.key, answer)?;
            let Some(connected) = answer.get("id").and_then(Value::as_str) else {
                return Err(internal(format!("{}: the result has no id", report.key)));
            };
            desk.account.claim([ClaimKey::ConnectedAccount(connected)])?;
            for (number, awaits) in waiting.iter().enumerate() {
                link(desk, connected, number, awaits)?;
            }
            // An account that replaces a lost one starts over.
            let before = if payouts.gone { Onboarding::None } else { payouts.onboarding };
            payouts.seen_at = payouts.seen_at.filter(|_| !payouts.gone);
            payouts.gone = false;
            payouts.connected = Some(connected.to_owned());
            payouts.onboarding = before.max(Onboarding::Begun);
            Outcome::Applied.into()
        }
        Err(_) => {
            waiting.drain(..waiting.len().min(1));
            if let Some(next) = waiting.first() {
                request_account(desk, next)?;
            }
            payouts.waiting = waiting;
            Verdict::answered(Answer::not_done("the account for payouts could not be created"))
        }
    };
    desk.account.put(Payouts::ID, payouts);
    Ok(verdict)
}

/// Handles the result of the link request.
pub(super) fn link_created(desk: &mut Desk<'_>, report: &EffectReport) -> Ruled<Verdict> {
    if let Err(failure) = &report.answer
        && failure.code == ACCOUNT_GONE
        && let Some(payouts) = desk.account.row::<Payouts>(Payouts::ID)?
    {
        desk.account.put(Payouts::ID, Payouts { gone: true, ..payouts });
    }
    Ok(Verdict::answered(match &report.answer {
        Ok(answer) => {
            let answer: Object = decode("effects", &report.key, answer)?;
            Answer::Value(encode(&json!({"onboarding_url": answer.get("url")}))?)
        }
        Err(_) => Answer::not_done("the page to set up payouts could not be opened"),
    }))
}

/// `account.updated`: updates whether the connected account can receive payouts.
pub(super) fn updated(desk: &mut Desk<'_>, object: &stripe::ConnectedAccount<'_>) -> Ruled<Outcome> {
    let view = View {
        at: desk.payment_time,
        onboarding: match (object.payouts_enabled && object.takes_transfers(), object.details_submitted) {
            (true, _) => Onboarding::Enabled,
            (false, true) => Onboarding::Restricted,
            (false, false) => Onboarding::Begun,
        },
    };
    merge_snapshot(desk, &view, Some(object.id.as_ref()))
}

/// `account.application.deauthorized`: stops payouts (S78). Earned shares remain a liability.
pub(super) fn deauthorized(desk: &mut Desk<'_>) -> Ruled<Outcome> {
    let view = View { at: desk.payment_time, onboarding: Onboarding::Restricted };
    let outcome = merge_snapshot(desk, &view, None)?;
    // The next onboarding begins with another account.
    if let Some(payouts) =
        desk.account.row::<Payouts>(Payouts::ID)?.filter(|of| of.seen_at == Some(view.at) && !of.gone)
    {
        desk.account.put(Payouts::ID, Payouts { gone: true, ..payouts });
    }
    Ok(outcome)
}

/// `transfer.reversed`: the amount that was taken back is owed to the creator again. It is paid with the next share, so
/// that somebody can intervene before that.
pub(super) fn reversed(desk: &mut Desk<'_>, object: &stripe::Transfer<'_>) -> Ruled<Outcome> {
    let (id, currency) = (object.id.as_ref(), object.currency.as_deref().unwrap_or_default());
    let fact = FactKey::TransferReversed { transfer: id, minor: object.amount_reversed };
    let mut payouts = desk.account.row::<Payouts>(Payouts::ID)?.unwrap_or_default();
    let place = payouts.reversed.iter().position(|(transfer, _)| transfer == id);
    let known = place.map_or(0, |place| payouts.reversed[place].1);
    let more = object.amount_reversed - known;
    if more <= 0 {
        return Ok(Outcome::Duplicate(fact.to_string()));
    }
    let payout = payouts.currencies.get(currency).cloned().unwrap_or_default();
    if payout.paid_minor < more {
        // The transfer is not known yet: it is the open one, or the next.
        let number = payout.transfers + i64::from(payout.open_minor == 0);
        return Ok(Outcome::Deferred(DeferReason::Fact(FactKey::Transferred { currency, number }.to_string())));
    }
    place.map(|place| payouts.reversed.remove(place));
    payouts.reversed.push((id.to_owned(), object.amount_reversed));
    if payouts.reversed.len() > REVERSED_MAX {
        payouts.reversed.remove(0);
    }
    let payout = payouts.currencies.entry(currency.to_owned()).or_default();
    payout.paid_minor = payout.paid_minor.saturating_sub(more);
    payout.available_minor = payout.available_minor.saturating_add(more);
    payout.stopped = true;
    desk.account.put(Payouts::ID, payouts);
    book(&mut desk.account, fact, id, currency, &[(CASH, more), (EARNINGS, -more)])?;
    let values = json!({"transfer": id, "amount_minor": more, "currency": currency});
    send_once(&mut desk.account, &mail_kinds::TRANSFER_REVERSED, &format!("{id}:{}", object.amount_reversed), &values)?;
    Ok(Outcome::Applied)
}

/// `payout.failed` of a connected account: notifies its owner, since the money waits at Stripe for another bank
/// account.
pub(super) fn payout_returned(desk: &mut Desk<'_>, object: &stripe::Payout<'_>) -> Ruled<Outcome> {
    let key = mail_kinds::PAYOUT_RETURNED.key(&object.id).to_string();
    if desk.account.is_known(&key)? {
        return Ok(Outcome::Duplicate(key));
    }
    let values = json!({
        "payout": object.id, "amount_minor": object.amount, "currency": object.currency, "code": object.failure_code,
    });
    send_once(&mut desk.account, &mail_kinds::PAYOUT_RETURNED, &object.id, &values)?;
    Ok(Outcome::Applied)
}

/// Number of stored transfers that were taken back.
const REVERSED_MAX: usize = 100;
/// Stripe's code for a connected account that does not exist any more, or that has revoked the access.
const ACCOUNT_GONE: &str = "account_invalid";
/// Stripe's code for a transfer beyond the balance of the business.
const BALANCE_EMPTY: &str = "balance_insufficient";

/// Merges a snapshot of the connected account. `id` is the account's id in the snapshot, if it has one.
fn merge_snapshot(desk: &mut Desk<'_>, view: &View, id: Option<&str>) -> Ruled<Outcome> {
    let before = desk.account.row::<Payouts>(Payouts::ID)?.unwrap_or_default();
    let mut payouts = before.clone();
    let Some(connected) = payouts.connected.clone().filter(|connected| id.is_none_or(|id| id == connected)) else {
        return Err(Refusal::Inconsistent("/data/object/id".to_owned()).into());
    };
    merge(&mut payouts, view);
    if payouts == before {
        let seen = |at| Snapshot { at, rank: SnapshotRank::Updated, event_id: String::new() };
        return Ok(match before.seen_at {
            Some(at) if at > view.at => Outcome::Stale(seen(at)),
            _ => Outcome::Duplicate(String::from(ClaimKey::ConnectedAccount(&connected))),
        });
    }
    for payout in payouts.currencies.values_mut() {
        payout.stopped = false;
    }
    if payouts.onboarding == Onboarding::Restricted && before.onboarding != Onboarding::Restricted {
        let reference = format!("{connected}:{}", view.at);
        send_once(&mut desk.account, &mail_kinds::PAYOUTS_RESTRICTED, &reference, &json!({"account": connected}))?;
    }
    desk.account.put(Payouts::ID, payouts);
    Ok(Outcome::Applied)
}

/// Handles the result of a transfer. After a refusal, the amount is available for the next transfer.
pub(super) fn transferred(desk: &mut Desk<'_>, currency: &str, report: &EffectReport) -> Ruled<Outcome> {
    let mut payouts = desk.account.row::<Payouts>(Payouts::ID)?.unwrap_or_default();
    let Some(payout) = payouts.currencies.get_mut(currency) else { return Err(internal(report.key.clone())) };
    let open = EffectKey::Transfer { currency: currency.to_owned(), number: payout.transfers };
    // Another transfer is open, or another request of this transfer has ended it.
    if payout.open_minor == 0 || report.key != open.to_string() {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange));
    }
    let amount = std::mem::take(&mut payout.open_minor);
    match &report.answer {
        Ok(_) => {
            payout.paid_minor = payout.paid_minor.saturating_add(amount);
            let fact = FactKey::Transferred { currency, number: payout.transfers };
            book(&mut desk.account, fact, &report.key, currency, &[(EARNINGS, amount), (CASH, -amount)])?;
        }
        Err(failure) => {
            payout.available_minor = payout.available_minor.saturating_add(amount);
            payout.stopped = true;
            // The balance fills up again by itself.
            payout.retry_at = (failure.code == BALANCE_EMPTY).then(|| desk.now.saturating_add(DAY_MS));
            let is_gone = failure.code == ACCOUNT_GONE;
            payouts.gone |= is_gone;
            let values = json!({"effect": report.key, "amount_minor": amount, "currency": currency,
                "code": failure.code});
            send_once(&mut desk.account, &mail_kinds::PAYOUT_FAILED, &report.key, &values)?;
        }
    }
    desk.account.put(Payouts::ID, payouts);
    Ok(Outcome::Applied)
}
