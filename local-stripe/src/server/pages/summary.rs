//! The order summary of a checkout session: the lines, the amount due today, and later amounts.

use serde_json::Value;

use super::html::{Html, html};
use super::words;
use crate::calendar::{self, DAY_S, date_text};
use crate::money;
use crate::object::Object;
use crate::pricing;

/// The order summary of a session. Amounts are in minor units.
pub(super) struct Summary<'s> {
    session: &'s Object,
    now_s: i64,
    trial_end_s: Option<i64>,
}

impl<'s> Summary<'s> {
    pub(super) fn of(session: &'s Object, now_s: i64) -> Self {
        let data = &session.as_session().subscription_data;
        let days = data["trial_period_days"].as_i64().filter(|d| *d > 0);
        let trial_end_s = data["trial_end"].as_i64().or(days.map(|d| now_s + d * DAY_S)).filter(|e| *e > now_s);
        Self { session, now_s, trial_end_s: trial_end_s.filter(|_| session.text("mode") == "subscription") }
    }

    pub(super) fn has_trial(&self) -> bool {
        self.trial_end_s.is_some()
    }

    fn shown(&self, amount: i64) -> String {
        money::display(amount, self.session.text("currency"))
    }

    fn lines(&self) -> &'s [Value] {
        &self.session.as_session().lines
    }

    fn recurring(&self) -> impl Iterator<Item = &'s Value> {
        self.lines().iter().filter(|l| l["price"]["recurring"].is_object())
    }

    fn detail(&self, name: &str) -> i64 {
        self.session.at(&format!("total_details.{name}")).as_i64().unwrap_or_default()
    }

    /// Returns the price of all recurring lines per period, before discounts and tax.
    fn each_period(&self) -> i64 {
        self.recurring().map(whole).sum()
    }

    /// Returns the amount due today.
    pub(super) fn due(&self) -> i64 {
        self.session.int("amount_total")
    }

    pub(super) fn due_text(&self) -> String {
        self.shown(self.due())
    }

    /// Returns a text like `14 days free`.
    fn free(&self) -> Option<String> {
        // The trial is rounded up to whole days.
        self.trial_end_s.map(|end| format!("{} free", words::days((end - self.now_s + DAY_S - 1) / DAY_S)))
    }

    /// Returns a text like `per month`, from the first recurring line. All recurring lines have the same interval.
    fn every(&self) -> Option<String> {
        self.recurring().next().map(|l| words::every(&l["price"]))
    }

    /// Returns the headline, such as `Subscribe to Pro`.
    fn headline(&self) -> String {
        let name = self.lines().first().and_then(|l| l["description"].as_str()).unwrap_or_default();
        match (self.session.text("mode"), self.lines().len()) {
            ("setup", _) => "Save your card".to_owned(),
            ("subscription", _) if self.has_trial() => format!("Try {name}"),
            ("subscription", _) => format!("Subscribe to {name}"),
            (_, 1) => name.to_owned(),
            _ => "Your order".to_owned(),
        }
    }

    /// Renders the large price below the headline.
    fn price(&self) -> Html {
        if self.session.text("mode") == "setup" {
            return html!("<p class=\"dim\">Nothing is charged now.</p>");
        }
        let Some(every) = self.every() else {
            return html!("<p class=\"price\">{due}</p>", due = self.due_text());
        };
        let each = self.shown(self.each_period());
        match self.free() {
            Some(free) => html!(
                "<p class=\"price\">{free}</p><p class=\"dim\">Then {each} {every}</p>",
                free = free,
                each = each,
                every = every,
            ),
            None => html!("<p class=\"price\">{each} <small>{every}</small></p>", each = each, every = every,),
        }
    }

    fn line(&self, line: &Value) -> Html {
        let every = words::every(&line["price"]);
        let put_off = !every.is_empty() && self.has_trial();
        let quantity = line["quantity"].as_i64().unwrap_or(1);
        let unit = words::unit(&line["price"]);
        let is_metered = pricing::is_metered(&line["price"]);
        let each = match (quantity, every.is_empty()) {
            _ if is_metered => format!("{unit} for each that is used, billed {every}"),
            (1, true) => format!("{unit} once"),
            (1, false) => format!("{unit} {every}"),
            (_, true) => format!("Quantity {quantity}, {unit} each"),
            (_, false) => format!("Quantity {quantity}, {unit} each, {every}"),
        };
        let amount = if is_metered {
            "by use".to_owned()
        } else if put_off {
            self.free().unwrap_or_default()
        } else {
            self.shown(whole(line))
        };
        html!(
            "<li><div><p class=\"name\">{name}</p><p class=\"dim\">{each}</p></div><p class=\"amount\">{amount}</p></li>",
            name = line["description"].as_str().unwrap_or_default(),
            each = each,
            amount = amount,
        )
    }

    fn sums(&self) -> Html {
        if self.session.text("mode") == "setup" {
            return Html::default();
        }
        let (discount, tax) = (self.detail("amount_discount"), self.detail("amount_tax"));
        let shipping = self.session.at("shipping_cost");
        let mut rows = Vec::new();
        if self.lines().len() > 1 || discount != 0 || tax != 0 || shipping.is_object() {
            rows.push(row("", "Subtotal", &self.shown(self.session.int("amount_subtotal"))));
        }
        if discount != 0 {
            rows.push(row("", "Discount", &self.shown(-discount)));
        }
        let coupon = &self.session.as_session().coupon;
        let is_later = discount == 0 && coupon.is_object();
        // What a trial puts off is discounted when it is due.
        if is_later {
            rows.push(row("", "Discount", &words::coupon(coupon)));
        }
        if tax != 0 {
            rows.push(row("", "Tax", &self.shown(tax)));
        }
        if let Some(amount) = shipping["amount_total"].as_i64() {
            rows.push(row("", "Shipping", &self.shown(amount)));
        }
        let words = if self.recurring().next().is_some() { "Total due today" } else { "Total due" };
        rows.push(html!(
            "<div class=\"due\"><dt>{words}</dt><dd id=\"total\">{due}</dd></div>",
            words = words,
            due = self.due_text(),
        ));
        if let Some(every) = self.every() {
            let data = &self.session.as_session().subscription_data;
            let price = self.recurring().next().map(|l| l["price"].clone()).unwrap_or_default();
            let anchor = data["billing_cycle_anchor"].as_i64().unwrap_or(self.now_s);
            let (interval, count) = calendar::interval(&price);
            let next = self.trial_end_s.unwrap_or_else(|| calendar::next_after(anchor, interval, count, self.now_s));
            let apart = if discount != 0 || tax != 0 || is_later { ", before discounts and tax" } else { "" };
            let amount = format!("{} {every}{apart}", self.shown(self.each_period()));
            rows.push(row("dim", &format!("From {}", date_text(next)), &amount));
        }
        rows.into_iter().collect()
    }

    pub(super) fn html(&self) -> Html {
        html!(
            "<h1>{headline}</h1>{price}<ul class=\"lines\">{lines}</ul><dl class=\"sums\">{sums}</dl>",
            headline = self.headline(),
            price = self.price(),
            lines = self.lines().iter().map(|l| self.line(l)).collect::<Html>(),
            sums = self.sums(),
        )
    }
}

/// Returns a line's price times its quantity, even in a trial; zero for a metered price.
fn whole(line: &Value) -> i64 {
    if pricing::is_metered(&line["price"]) {
        return 0;
    }
    pricing::amount(&line["price"], line["quantity"].as_i64().unwrap_or(1)).unwrap_or_default()
}

/// Renders a row of a table of totals.
pub(super) fn row(class: &str, words: &str, amount: &str) -> Html {
    html!(
        "<div class=\"{class}\"><dt>{words}</dt><dd>{amount}</dd></div>",
        class = class,
        words = words,
        amount = amount,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn session(total: i64, trial: Value, discount: i64, tax: i64) -> Object {
        let recurring = json!({ "interval": "month", "interval_count": 1 });
        let line = |unit: &str, recurring: Value| {
            json!({ "description": "A", "quantity": 1,
                "price": { "currency": "usd", "unit_amount_decimal": unit, "recurring": recurring } })
        };
        Object::of(json!({
            "mode": "subscription", "currency": "usd", "amount_total": total, "amount_subtotal": total + discount - tax,
            "total_details": { "amount_discount": discount, "amount_tax": tax },
        }))
        .with(|session| {
            session.as_session_mut().lines = vec![line("2000", recurring), line("500", Value::Null)];
            session.as_session_mut().subscription_data = trial;
        })
    }

    #[test]
    fn the_summary_shows_trials_and_discounts() {
        let shown = |session: &Object| Summary::of(session, 1_793_491_200).html().as_str().to_owned();
        let trial = shown(&session(500, json!({ "trial_period_days": 14 }), 0, 0));
        for wanted in ["14 days free", "Then $20.00 per month", "From 15 Nov 2026", "id=\"total\">$5.00"] {
            assert!(trial.contains(wanted), "{wanted} in {trial}");
        }
        let half = json!({ "percent_off": 50.0, "duration": "repeating", "duration_in_months": 3 });
        let both =
            session(0, json!({ "trial_period_days": 14 }), 0, 0).with(|s| s.as_session_mut().coupon = half.clone());
        for wanted in ["14 days free", "Discount</dt><dd>50% off for 3 months", "per month, before discounts"] {
            assert!(shown(&both).contains(wanted), "{wanted} in {}", shown(&both));
        }
        let plain = shown(&session(2_450, json!({}), 100, 50));
        for wanted in ["Subtotal</dt><dd>$25.00", "-$1.00", "Tax</dt><dd>$0.50", "From 1 Dec 2026"] {
            assert!(plain.contains(wanted), "{wanted} in {plain}");
        }
    }
}
