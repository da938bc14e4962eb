//! Plays the moves of a customer of Solobase, as commands and at the local Stripe, and returns the story with its
//! expectations.

use crate::books::Books;
use crate::catalog::Catalog;
use crate::moves::{Kind, Move};
use crate::oracle::{Expected, Instance, Oracle, Verdict};
use crate::sandbox::{BAD_CARD, GOOD_CARD, NO_REFUND_CARD, Offer, synced_price};
use crate::story::Story;
use crate::traders::CheckedStory;
use crate::world::solobase;
use extension_contract::Account;
use host_simulate::customer::{Checkout, Customer, id_after, lives, pays};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

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

/// The product of a plan, by index.
fn product(plan: usize) -> String {
    let plans = plans();
    plans[plan % plans.len()].product.clone()
}

/// Solobase's catalog with these plans as wares, in the same order.
fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| {
        let mut catalog = Catalog::read("solobase", &solobase().catalog);
        let ware = |offer: Offer| {
            let number = catalog.ware(&offer.price).expect("the plan is on sale");
            catalog.wares[number].clone()
        };
        catalog.wares = plans().map(ware).to_vec();
        catalog
    })
}

/// A story of the account `user:NAME`.
pub fn story(name: &str, moves: &[Move]) -> Story {
    checked_story(name, moves).story
}

/// A story of the account `user:NAME`, with its expectations.
pub fn checked_story(name: &str, moves: &[Move]) -> CheckedStory {
    let mut people = People::new(name, moves.first());
    for each in moves {
        people.play(each);
    }
    people.close();
    let People { customer, checks, verdicts, .. } = people;
    let books = Books::of(&customer.stripe);
    let account = customer.account.to_string();
    CheckedStory {
        story: Story { business: "solobase".to_owned(), account, segments: customer.segments, books },
        checks,
        verdicts,
    }
}

struct People {
    customer: Customer,
    /// Open purchase, with the index of its plan.
    ordered: Option<(String, usize)>,
    instances: Vec<String>,
    /// Instances that a payment creates. They are created when the event of the payment arrives.
    made_by_payment: BTreeSet<String>,
    /// The oracle of the account.
    oracle: Oracle,
    /// Expectations by segment.
    checks: BTreeMap<usize, Expected>,
    verdicts: BTreeMap<String, Verdict>,
}

impl People {
    fn new(name: &str, first: Option<&Move>) -> Self {
        let customer = Customer::new(Account::User(name.to_owned()), &plans(), first, &[]);
        let customer = customer.expect("the local Stripe sells plans by the month");
        People {
            customer,
            ordered: None,
            instances: Vec::new(),
            made_by_payment: BTreeSet::new(),
            oracle: Oracle::new("user"),
            checks: BTreeMap::new(),
            verdicts: BTreeMap::new(),
        }
    }

    /// Ends the segment and records the expectations.
    fn close(&mut self) {
        self.customer.end_segment();
        self.oracle.update(catalog(), &self.customer.stripe);
        self.checks.insert(self.customer.segments.len() - 1, self.oracle.expects(catalog(), &self.customer.stripe));
    }

    fn play(&mut self, each: &Move) {
        self.close();
        self.customer.stripe.wait(each.pause_s());
        self.close();
        match each.kind {
            Kind::Order => self.order(each),
            Kind::Buy => self.buy(each),
            Kind::Renew => self.customer.renew(each),
            Kind::Retry => self.customer.retry(each),
            Kind::GiveUp => self.customer.give_up(each),
            Kind::Expire => self.customer.expire(),
            Kind::ChangePlan => self.change_plan(each),
            Kind::CancelAtEnd => self.customer.cancel_at_end(each),
            Kind::Undo => self.customer.undo(each),
            Kind::End => self.customer.end(each),
            Kind::Refund => self.customer.refund(each),
            Kind::Make => self.make(each),
            Kind::Delete => self.delete(each),
            Kind::TryAgain => self.try_again(each),
            Kind::Twin => self.customer.twin(),
            Kind::Wait => {}
        }
    }

    // Moves that are commands.

    fn order(&mut self, each: &Move) {
        if self.ordered.is_some() || self.customer.stripe.all("subscription").iter().any(|sub| lives(sub)) {
            return;
        }
        let plan = usize::from(each.pick);
        let mut payload = json!({"plan_id": product(plan)});
        if each.flag(0) {
            let subdomain = self.new_subdomain();
            self.made_by_payment.insert(subdomain.clone());
            self.has_made(&subdomain, true);
            payload["product"] =
                json!({"product_type": "instance", "name": "Ordered", "metadata": {"subdomain": subdomain}});
        }
        let command = self.customer.command("purchase.create", payload);
        self.ordered = Some((id_after("pur", &command), plan));
    }

    fn new_subdomain(&mut self) -> String {
        let subdomain = format!("site-{}-{}", self.customer.name.to_lowercase(), self.instances.len());
        self.instances.push(subdomain.clone());
        subdomain
    }

    /// Adds an instance to the oracle. `is_unsure` is true if the instance's state depends on timing.
    fn has_made(&mut self, subdomain: &str, is_unsure: bool) {
        let instance_type = catalog()
            .instance_types
            .iter()
            .position(|instance_type| instance_type.name == "instance")
            .expect("Solobase makes instances");
        let (id, confirm) = (format!("inst_{subdomain}"), subdomain.to_owned());
        self.oracle.instances.push(Instance {
            id,
            instance_type,
            confirm,
            deleted: false,
            by_hand: Vec::new(),
            is_unsure,
        });
    }

    fn known(&mut self, subdomain: &str) -> Option<&mut Instance> {
        self.oracle.instances.iter_mut().find(|own| own.confirm == subdomain)
    }

    fn make(&mut self, each: &Move) {
        // One in eight commands uses a subdomain that was used before.
        let again = each.flags & 7 == 0 && !self.instances.is_empty();
        let subdomain = if again { self.instances[0].clone() } else { self.new_subdomain() };
        let payload = json!({"product_type": "instance", "name": "Site", "metadata": {"subdomain": subdomain}});
        let kind = catalog()
            .instance_types
            .iter()
            .find(|instance_type| instance_type.name == "instance")
            .expect("Solobase makes instances");
        let room = self.oracle.has_room(catalog(), &self.customer.stripe, kind);
        let command = self.customer.command("product.create", payload);
        if again {
            // Whether the subdomain is free again depends on timing.
            match self.known(&subdomain) {
                Some(own) => (own.deleted, own.is_unsure) = (false, true),
                None => self.has_made(&subdomain, true),
            }
            return;
        }
        if let Some(room) = room {
            self.verdicts.insert(command, if room { Verdict::Applied } else { Verdict::Refused });
        }
        if room != Some(false) {
            self.has_made(&subdomain, room.is_none());
        }
    }

    fn delete(&mut self, each: &Move) {
        if let Some(index) = each.of(self.instances.len()) {
            let subdomain = self.instances[index].clone();
            let payload = json!({"id": format!("inst_{subdomain}"), "confirm": subdomain});
            self.customer.command("instance.delete", payload);
            let is_made_later = self.made_by_payment.contains(&subdomain);
            if let Some(own) = self.known(&subdomain) {
                (own.deleted, own.is_unsure) = (!is_made_later, own.is_unsure || is_made_later);
            }
        }
    }

    fn try_again(&mut self, each: &Move) {
        if let Some(index) = each.of(self.instances.len()) {
            let payload = json!({"id": format!("inst_{}", self.instances[index])});
            self.customer.command("instance.retry", payload);
        }
    }

    // Moves at Stripe.

    fn buy(&mut self, each: &Move) {
        if self.customer.stripe.all("subscription").iter().filter(|sub| lives(sub)).count() >= 2 {
            return;
        }
        let (trial, declined) = (each.flag(0) && each.flag(1), !each.flag(0) && each.flag(1) && each.flag(2));
        // After a declined payment the checkout stays open, and a second order of the same plan returns that checkout.
        let ordered = if declined { None } else { self.ordered.take() };
        let (purchase, plan) = match ordered {
            Some((purchase, plan)) => (Some(purchase), plan),
            None => (None, usize::from(each.pick)),
        };
        let card = match (declined, each.flag(11) && each.flag(12)) {
            (true, _) => BAD_CARD,
            (false, true) => NO_REFUND_CARD,
            (false, false) => GOOD_CARD,
        };
        if !declined && (purchase.is_some() || each.flag(3)) {
            // A checkout that was created elsewhere does not always copy its metadata to the subscription.
            let hands_on = purchase.is_some() || each.flag(4);
            let purchase = purchase.as_deref();
            self.customer.check_out(&Checkout {
                ware: plan,
                quantity: 1,
                recurs: true,
                card,
                trial,
                hands_on,
                purchase,
                coupon: None,
            });
        } else {
            self.customer.subscribe(plan, card, trial, None);
        }
    }

    fn change_plan(&mut self, each: &Move) {
        let Some(subscription) = self.customer.pick(each, |sub| sub.text("status") == "active") else { return };
        let Some(item) = subscription.list_at("items").first() else { return };
        let (id, price) = (item["id"].as_str().unwrap_or_default(), item["price"]["id"].as_str().unwrap_or_default());
        let other = self.customer.stripe.price(self.customer.stripe.plan(price) + 1 + usize::from(each.pick / 8 % 2));
        self.customer.use_card(if pays(each) { GOOD_CARD } else { BAD_CARD });
        let form = [("items[0][id]", id), ("items[0][price]", &other), ("proration_behavior", "always_invoice")];
        self.customer.stripe.post(&format!("/v1/subscriptions/{}", subscription.id()), &form);
    }
}
