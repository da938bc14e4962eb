//! The taxes of an account, from the objects of its local Stripe.

use crate::sandbox::Stripe;
use local_stripe::object::Object;

/// The country of all customers, with a tax of 19 percent.
pub(crate) const COUNTRY: &str = "DE";

/// The requests that let a Stripe compute taxes for customers in this country.
pub(crate) fn register(stripe: &Stripe, behavior: &str) {
    let office = [("defaults[tax_behavior]", behavior), ("head_office[address][country]", COUNTRY)];
    stripe.post("/v1/tax/settings", &office);
    let registration = [
        ("country", COUNTRY),
        ("active_from", "now"),
        ("country_options[de][type]", "standard"),
        ("country_options[de][standard][place_of_supply_scheme]", "standard"),
    ];
    stripe.post("/v1/tax/registrations", &registration);
}

/// The taxes of an account now, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taxes {
    /// Taxes of what was paid.
    pub paid: i64,
    /// Their part in refunds.
    pub refunded: i64,
    /// Their part in lost disputes.
    pub lost: i64,
    /// Maximum difference by rounding.
    pub slack: i64,
}

impl Taxes {
    /// What is owed to authorities.
    pub fn owed(self) -> i64 {
        self.paid - self.refunded - self.lost
    }

    /// Reads the payments of a Stripe.
    pub(crate) fn of(stripe: &Stripe) -> Taxes {
        let mut taxes = Taxes::default();
        let charges = stripe.all("charge");
        let payments = stripe.all("invoice_payment");
        for invoice in stripe.all("invoice").iter().filter(|invoice| invoice.text("status") == "paid") {
            let all = invoice.get("total_taxes").as_array().into_iter().flatten();
            let tax: i64 = all.filter_map(|tax| tax["amount"].as_i64()).sum();
            taxes.paid += tax;
            let own = payments.iter().filter(|payment| payment.text("invoice") == invoice.id());
            let intents: Vec<&str> = own.filter_map(|payment| payment.text_at("payment.payment_intent")).collect();
            let is_of = |charge: &Object| intents.contains(&charge.text("payment_intent"));
            let own = charges.iter().filter(|charge| charge.is("paid") && is_of(charge));
            own.for_each(|charge| taxes.give_back(stripe, charge, tax, invoice.int("total")));
        }
        for session in stripe.all("checkout.session") {
            let is_once = session.text("mode") == "payment" && session.text("payment_status") == "paid";
            if !is_once || session.int("amount_total") == 0 {
                continue;
            }
            let tax = session.get("total_details")["amount_tax"].as_i64().unwrap_or(0);
            taxes.paid += tax;
            let is_of = |charge: &Object| charge.text("payment_intent") == session.text("payment_intent");
            let own = charges.iter().filter(|charge| charge.is("paid") && is_of(charge));
            own.for_each(|charge| taxes.give_back(stripe, charge, tax, session.int("amount_total")));
        }
        taxes
    }

    /// Counts the part of a payment's tax that went back with the payment.
    fn give_back(&mut self, stripe: &Stripe, charge: &Object, tax: i64, total: i64) {
        let tax = tax.max(0);
        let of = |back: i64| if back >= total { tax } else { tax * back.max(0) / total };
        let lost = |dispute: &Object| -> i64 {
            let moved = dispute.list_at("balance_transactions").iter().filter_map(|moved| moved["amount"].as_i64());
            if dispute.text("status") == "lost" { -moved.sum::<i64>() } else { 0 }
        };
        let disputes = stripe.all("dispute").into_iter().filter(|dispute| dispute.text("charge") == charge.id());
        let disputed: i64 = disputes.map(|dispute| lost(&dispute)).sum();
        let refunded = if total > 0 { of(charge.int("amount_refunded")) } else { 0 };
        self.refunded += refunded;
        self.lost += if total > 0 && disputed > 0 { of(disputed).min(tax - refunded) } else { 0 };
        self.slack += i64::from(charge.int("amount_refunded") > 0 || disputed > 0);
    }
}
