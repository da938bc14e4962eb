//! What people do at Solobase's side and at Stripe's, and what comes of it: moves in, a story out.

use crate::books::Books;
use crate::moves::{Kind, Move};
use crate::sandbox::{BAD_CARD, GOOD_CARD, NO_REFUND_CARD, Offer, synced_price};
use crate::story::Story;
use host_simulate::customer::{Checkout, Customer, id_after, lives, pays};
use products_contract::Account;
use serde_json::json;

/// The plans of Solobase.
fn plans() -> [Offer; 3] {
    let plan = |product: &str, price: String, amount| {
        let (product, interval) = (product.to_owned(), Some("month".to_owned()));
        Offer { product, price, amount, interval }
    };
    [
        plan("prod_hobby", "price_xyz789".to_owned(), 500),
        plan("prod_professional", "price_professional_monthly".to_owned(), 7_900),
        plan("prod_starter", synced_price("prod_starter", 1_500, "month"), 1_500),
    ]
}

/// The product of a plan, by number.
fn product(plan: usize) -> String {
    let plans = plans();
    plans[plan % plans.len()].product.clone()
}

/// A story of the account `user:NAME`.
pub fn story(name: &str, moves: &[Move]) -> Story {
    let mut people = People::new(name, moves.first());
    for each in moves {
        people.play(each);
    }
    people.at.end_segment();
    let Customer { account, stripe, segments, .. } = people.at;
    Story { business: "solobase".to_owned(), account: account.to_string(), segments, books: Books::of(&stripe) }
}

struct People {
    at: Customer,
    /// A purchase of ours that nobody paid yet, and the number of its plan.
    ordered: Option<(String, usize)>,
    instances: Vec<String>,
}

impl People {
    fn new(name: &str, first: Option<&Move>) -> Self {
        let at = Customer::new(Account::User(name.to_owned()), &plans(), first, &[]);
        let at = at.expect("the local Stripe sells plans by the month");
        People { at, ordered: None, instances: Vec::new() }
    }

    fn play(&mut self, each: &Move) {
        self.at.end_segment();
        self.at.stripe.wait(each.pause_s());
        self.at.end_segment();
        match each.kind {
            Kind::Order => self.order(each),
            Kind::Buy => self.buy(each),
            Kind::Renew => self.at.renew(each),
            Kind::Retry => self.at.retry(each),
            Kind::GiveUp => self.at.give_up(each),
            Kind::Expire => self.at.expire(),
            Kind::ChangePlan => self.change_plan(each),
            Kind::CancelAtEnd => self.at.cancel_at_end(each),
            Kind::Undo => self.at.undo(each),
            Kind::End => self.at.end(each),
            Kind::Refund => self.at.refund(each),
            Kind::Make => self.make(each),
            Kind::Delete => self.delete(each),
            Kind::TryAgain => self.try_again(each),
            Kind::Twin => self.at.twin(),
            Kind::Wait => {}
        }
    }

    // What people do at our side.

    fn order(&mut self, each: &Move) {
        if self.ordered.is_some() || self.at.stripe.all("subscription").iter().any(|sub| lives(sub)) {
            return;
        }
        let plan = usize::from(each.pick);
        let mut payload = json!({"plan_id": product(plan)});
        if each.flag(0) {
            let subdomain = self.new_subdomain();
            payload["product"] =
                json!({"product_type": "instance", "name": "Ordered", "metadata": {"subdomain": subdomain}});
        }
        let command = self.at.command("purchase.create", payload);
        self.ordered = Some((id_after("pur", &command), plan));
    }

    fn new_subdomain(&mut self) -> String {
        let subdomain = format!("site-{}-{}", self.at.name.to_lowercase(), self.instances.len());
        self.instances.push(subdomain.clone());
        subdomain
    }

    fn make(&mut self, each: &Move) {
        // Now and then a name that is in use.
        let again = each.flags & 7 == 0 && !self.instances.is_empty();
        let subdomain = if again { self.instances[0].clone() } else { self.new_subdomain() };
        let payload = json!({"product_type": "instance", "name": "Site", "metadata": {"subdomain": subdomain}});
        self.at.command("product.create", payload);
    }

    fn delete(&mut self, each: &Move) {
        if let Some(index) = each.of(self.instances.len()) {
            let subdomain = &self.instances[index];
            let payload = json!({"id": format!("inst_{subdomain}"), "confirm": subdomain});
            self.at.command("instance.delete", payload);
        }
    }

    fn try_again(&mut self, each: &Move) {
        if let Some(index) = each.of(self.instances.len()) {
            let payload = json!({"id": format!("inst_{}", self.instances[index])});
            self.at.command("instance.retry", payload);
        }
    }

    // What they do at Stripe.

    fn buy(&mut self, each: &Move) {
        if self.at.stripe.all("subscription").iter().filter(|sub| lives(sub)).count() >= 2 {
            return;
        }
        let (trial, declined) = (each.flag(0) && each.flag(1), !each.flag(0) && each.flag(1) && each.flag(2));
        let (purchase, plan) = match self.ordered.take() {
            Some((purchase, plan)) => (Some(purchase), plan),
            None => (None, usize::from(each.pick)),
        };
        let card = match (declined, each.flag(11) && each.flag(12)) {
            (true, _) => BAD_CARD,
            (false, true) => NO_REFUND_CARD,
            (false, false) => GOOD_CARD,
        };
        if !declined && (purchase.is_some() || each.flag(3)) {
            // Sessions that others make don't always hand their metadata on to the subscription.
            let hands_on = purchase.is_some() || each.flag(4);
            let purchase = purchase.as_deref();
            self.at.check_out(&Checkout { ware: plan, quantity: 1, recurs: true, card, trial, hands_on, purchase });
        } else {
            self.at.subscribe(plan, card, trial);
        }
    }

    fn change_plan(&mut self, each: &Move) {
        let Some(subscription) = self.at.pick(each, |sub| sub.text("status") == "active") else { return };
        let Some(item) = subscription.list_at("items").first() else { return };
        let (id, price) = (item["id"].as_str().unwrap_or_default(), item["price"]["id"].as_str().unwrap_or_default());
        let other = self.at.stripe.price(self.at.stripe.plan(price) + 1 + usize::from(each.pick / 8 % 2));
        self.at.use_card(if pays(each) { GOOD_CARD } else { BAD_CARD });
        let form = [("items[0][id]", id), ("items[0][price]", &other), ("proration_behavior", "always_invoice")];
        self.at.stripe.post(&format!("/v1/subscriptions/{}", subscription.id()), &form);
    }
}
