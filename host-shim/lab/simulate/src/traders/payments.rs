//! Moves about payments: refunds, at Stripe and by our command, and disputes.

use super::AccountDriver;
use crate::catalog::Ware;
use crate::chargebacks::disputed;
use crate::moves::Move;
use crate::oracle::Verdict;
use crate::rates::BALANCES_BESIDE_SHARES;
use crate::sandbox::step_minor;
use crate::trade::MoveKind;
use local_stripe::object::Object;
use serde_json::json;
use std::sync::Arc;

const DAY_S: i64 = 86_400;

/// Coupons: id, and the other members of the request that creates it.
const COUPONS: [(&str, &[(&str, &str)]); 6] = [
    ("quarter_off", &[("percent_off", "25"), ("duration", "once")]),
    ("three_off", &[("amount_off", "300"), ("currency", "usd"), ("duration", "once")]),
    ("free", &[("percent_off", "100"), ("duration", "once")]),
    ("fifth_off", &[("percent_off", "20"), ("duration", "forever")]),
    ("half_off", &[("percent_off", "50"), ("duration", "repeating"), ("duration_in_months", "3")]),
    ("free_for_two", &[("percent_off", "100"), ("duration", "repeating"), ("duration_in_months", "2")]),
];

/// Amount of a charge that is not refunded, in minor units.
fn rest(charge: &Object) -> i64 {
    charge.int("amount") - charge.int("amount_refunded")
}

/// A third of an amount, in whole steps, but at least one step.
fn third(amount: i64, step: i64) -> i64 {
    (amount / 3 / step * step).max(step)
}

impl AccountDriver<'_> {
    /// The step of amounts in the currency.
    fn step(&self) -> i64 {
        step_minor(self.customer.stripe.currency())
    }

    /// Gives the customer a balance at Stripe, which pays the next invoices.
    pub(super) fn give_balance(&mut self, each: &Move<MoveKind>) {
        let is_shared = |ware: &Ware| ware.share.is_some() && ware.offer.interval.is_some();
        let has_shares = self.catalog.wares.iter().any(is_shared);
        if has_shares && !each.chance("balance beside shares", BALANCES_BESIDE_SHARES) {
            return;
        }
        let amount = -(1 + each.number("the balance") as i64 % 20) * 50 * self.step();
        let path = format!("/v1/customers/{}/balance_transactions", self.customer.id);
        let (amount, currency) = (amount.to_string(), self.customer.stripe.currency().to_owned());
        self.customer.stripe.post(&path, &[("amount", &amount), ("currency", &currency)]);
    }

    /// Creates the coupons at Stripe.
    pub(super) fn create_coupons(&self) {
        for (id, members) in COUPONS {
            let currency = self.customer.stripe.currency().to_owned();
            let own = |(name, value): &(&'static str, &'static str)| match *name {
                "currency" => ("currency", currency.clone()),
                name => (name, (*value).to_owned()),
            };
            let members: Vec<(&str, String)> = members.iter().map(own).collect();
            let members: Vec<(&str, &str)> = members.iter().map(|(name, value)| (*name, value.as_str())).collect();
            self.customer.stripe.post("/v1/coupons", &[&[("id", id)], members.as_slice()].concat());
        }
    }

    /// The coupon of a checkout: half of them have one.
    pub(super) fn coupon(&self, each: &Move<MoveKind>) -> Option<&'static str> {
        let which = usize::from(each.flags >> 7) % 8;
        COUPONS.get(which).map(|(id, _)| *id).filter(|_| self.is_simulated && each.flag(10))
    }

    /// Refunds a charge without a dispute, at Stripe.
    pub(super) fn refund(&mut self, each: &Move<MoveKind>) {
        let disputes = self.customer.stripe.all("dispute");
        let is_disputed = |charge: &str| disputes.iter().any(|dispute| dispute.text("charge") == charge);
        let all = self.customer.stripe.all("charge");
        let fitting: Vec<_> =
            all.iter().filter(|charge| charge.is("paid") && rest(charge) > 0 && !is_disputed(charge.id())).collect();
        let Some(index) = each.of(fitting.len()) else { return };
        let charge = fitting[index];
        let amount = if each.flag(0) { rest(charge) } else { third(rest(charge), self.step()) };
        let (charge, form_amount) = (charge.id(), amount.to_string());
        let made = self.customer.stripe.post("/v1/refunds", &[("charge", charge), ("amount", &form_amount)]);
        if !made.is_empty() {
            self.oracle.refund(charge, Some(amount));
        }
    }

    /// Asks the host for the refund of a one-time purchase: as an operator, of a part, of the rest or of too much; or
    /// as the buyer, who may ask for a limited time and gets what is unused.
    pub(super) fn ask_refund(&mut self, each: &Move<MoveKind>) {
        let Some(bought) = each.of(self.oracle.bought.len()).map(|index| self.oracle.bought[index].clone()) else {
            return;
        };
        let charge = self.charge(&bought.charge);
        let rest = charge.as_ref().map_or(0, |charge| rest(charge));
        let is_impossible = rest == 0 || disputed(&self.customer.stripe, &bought.charge) > 0;
        if each.flag(0) && each.flag(1) {
            let verdict = match bought.terms.refund_days {
                None => Some(Verdict::Refused),
                Some(days) => {
                    let over_s = self.customer.stripe.now_s() - bought.at_s - days * DAY_S;
                    (is_impossible || over_s > DAY_S).then_some(Verdict::Refused)
                }
            };
            let command = self.customer.command("purchase.refund", json!({"id": bought.purchase}));
            // Whether the purchase is unused is up to the host.
            match verdict {
                Some(verdict) => self.must(command, verdict),
                None => self.oracle.refund(&bought.charge, None),
            }
            return;
        }
        let amount = match (each.flag(2), each.flag(3)) {
            (true, true) => None,
            (true, false) => Some(rest + self.step()),
            (false, _) => Some(third(rest, self.step())),
        };
        let mut payload = json!({"id": bought.purchase});
        payload["amount"] = json!(amount);
        payload["reason"] = json!("not needed");
        let command = self.customer.command_by(&json!({"kind": "admin", "id": "operator"}), "purchase.refund", payload);
        let is_too_much = amount.is_some_and(|amount| amount > rest);
        self.must(command, if is_impossible || is_too_much { Verdict::Refused } else { Verdict::Applied });
        // Stripe refuses the refund of a payment that was ever disputed.
        if !is_impossible && !is_too_much && charge.is_some_and(|charge| !charge.is("disputed")) {
            // Without an amount the rest goes back, as far as Stripe takes it: a tax can make it end in single thousandths.
            let whole = rest / self.step() * self.step();
            self.oracle.refund(&bought.charge, Some(amount.unwrap_or(whole)));
        }
    }

    fn charge(&self, id: &str) -> Option<Arc<Object>> {
        self.customer.stripe.all("charge").into_iter().find(|charge| charge.id() == id)
    }

    /// Decides a dispute.
    pub(super) fn decide(&mut self, each: &Move<MoveKind>) {
        let all = self.customer.stripe.all("dispute").into_iter();
        let open: Vec<_> = all.filter(|dispute| dispute.text("status") == "needs_response").collect();
        let Some(index) = each.of(open.len()) else { return };
        let evidence = if each.flag(0) { "winning_evidence" } else { "losing_evidence" };
        let form = [("evidence[uncategorized_text]", evidence), ("submit", "true")];
        self.customer.stripe.post(&format!("/v1/disputes/{}", open[index].id()), &form);
    }
}
