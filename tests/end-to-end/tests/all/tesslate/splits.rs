//! Makes, taxes, refunds and disputes shared sales at random, in currencies with no, two and three decimals. Compares
//! the shares with the split clause in integer arithmetic; no money may be created or lost between buyer and creator.

use super::support::{cases, rows};
use end_to_end::world::{START_MS, Setup, World};
use extension_contract::{Account, Actor, ActorKind, Event, Payload};
use host_scenario::business::BusinessFolder;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Currencies with no, two and three decimals.
const CURRENCIES: [&str; 3] = ["jpy", "usd", "kwd"];
/// Share in basis points and amount of each product. With three decimals, Stripe takes multiples of ten.
const SOLD: [(i64, i64); 7] =
    [(9_000, 1_990), (9_000, 110), (9_000, 990), (3_333, 100_010), (1, 9_990), (10_000, 170), (0, 500)];
/// Number of operations in one story.
const STEPS: usize = 30;

/// A business that sells these products in a currency.
fn business(currency: usize) -> &'static BusinessFolder {
    static BUSINESSES: [OnceLock<BusinessFolder>; 3] = [OnceLock::new(), OnceLock::new(), OnceLock::new()];
    BUSINESSES[currency].get_or_init(|| {
        let mut types = Vec::new();
        let mut products = Vec::new();
        for (index, (share_bp, amount)) in SOLD.iter().enumerate() {
            types.push(json!({
                "name": format!("thing_{index}"), "catalog": true,
                "fields": [{"name": "by", "type": "string", "required": true, "format": "account"}],
                "split": {"to": "{product.by}", "share_bp": share_bp},
            }));
            products.push(json!({
                "id": format!("prod_{index}"), "product_type": format!("thing_{index}"), "name": "Thing",
                "prices": {"once": {"amount": amount, "id": format!("price_{index}")}},
                // Two creators.
                "metadata": {"by": format!("user:c{}", index % 2)},
            }));
        }
        let catalog = json!({
            "product_types": types, "products": products,
        });
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("market");
        std::fs::create_dir(&path).expect("a folder");
        std::fs::write(path.join("catalog.yml"), catalog.to_string()).expect("written");
        let business = json!({"policies": {"currency": CURRENCIES[currency], "sync_prices": false}});
        std::fs::write(path.join("business.yml"), business.to_string()).expect("written");
        BusinessFolder::load(&path).expect("a readable business")
    })
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Index of the product, and tax in percent.
    Buy(usize, i64),
    /// Number of the sale, and maximum amount.
    Refund(usize, i64),
    Dispute(usize),
    /// Number of the sale, and true if its dispute is won.
    Decide(usize, bool),
    /// Delivers the event with this number again.
    Again(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..SOLD.len(), 0..3i64).prop_map(|(what, tax)| Step::Buy(what, tax * 10)),
        5 => (any::<usize>(), prop_oneof![1..40i64, 1..200_000i64]).prop_map(|(of, part)| Step::Refund(of, part)),
        1 => any::<usize>().prop_map(Step::Dispute),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(of, won)| Step::Decide(of, won)),
        2 => any::<usize>().prop_map(Step::Again),
    ]
}

/// A sale as its buyer sees it, in minor units.
#[derive(Clone, Debug, Default)]
struct Paid {
    purchase: String,
    sold: usize,
    total: i64,
    tax: i64,
    refunded: i64,
    disputed: bool,
    decided: bool,
}

impl Paid {
    fn back(&self) -> i64 {
        if self.disputed { self.total } else { self.refunded }
    }

    /// True if a share, in minor units, agrees with the clause: the part of the sale rounded down, reduced in
    /// proportion to refunds, and zero after a full refund.
    fn is_share(&self, share: i64) -> bool {
        let (bp, net) = (i128::from(SOLD[self.sold].0), i128::from(self.total - self.tax));
        let (back, total, share) = (i128::from(self.back()), i128::from(self.total), i128::from(share));
        if back == total {
            return share == 0;
        }
        // The share of the sale is rounded down once. A refund rounds twice: the refunded net amount, and its share.
        let exact = net * bp * (total - back);
        let scale = 10_000 * total;
        let whole = back == 0 && share * 10_000 <= net * bp && (share + 1) * 10_000 > net * bp;
        let near = back > 0 && (share - 2) * scale < exact && exact < (share + 1) * scale;
        (whole || near) && share >= 0
    }
}

struct Story {
    world: World,
    currency: &'static str,
    delivered: Vec<Vec<u8>>,
    paid: Vec<Paid>,
}

impl Story {
    fn new(currency: usize) -> Self {
        let world = World::start(Setup { business: business(currency), ..Setup::default() });
        Story { world, currency: CURRENCIES[currency], delivered: Vec::new(), paid: Vec::new() }
    }

    fn stripe_event(&mut self, kind: &str, object: &Value) {
        let number = self.delivered.len();
        let created = START_MS / 1_000 + i64::try_from(number).expect("few");
        let event = json!({
            "id": format!("evt_{number}"), "object": "event", "type": kind, "created": created, "livemode": false,
            "api_version": "2020-08-27", "data": {"object": object},
        });
        self.delivered.push(event.to_string().into_bytes());
        let reports = self.world.deliver(&self.delivered[number]).expect("the store has no fault");
        assert_eq!(reports[0].result.name(), "applied", "{kind}: {:?}", reports[0].result.reason());
    }

    fn buy(&mut self, sold: usize, percent: i64) {
        let number = self.paid.len();
        let id = format!("cmd_{number}");
        let event = Event {
            id: id.clone(),
            source: "api".to_owned(),
            kind: "purchase.create".to_owned(),
            business: "market".to_owned(),
            account: Some(Account::User("A".to_owned())),
            livemode: Some(false),
            received_at: START_MS,
            attempt: 1,
            actor: Actor { kind: ActorKind::User, subject: "A".to_owned(), roles: Vec::new() },
            reply_to: None,
            payment: None,
            payload: Payload::Command(json!({"product_id": format!("prod_{sold}")}).to_string()),
        };
        let reports = self.world.accept(event).expect("the store has no fault");
        assert_eq!(reports[0].result.name(), "applied", "{:?}", reports[0].result.reason());
        let known: Vec<&String> = self.paid.iter().map(|paid| &paid.purchase).collect();
        let rows = rows(&self.world.document(), "user:A", "purchases");
        let purchase = rows.into_keys().find(|id| !known.contains(&id)).expect("a purchase");
        let net = SOLD[sold].1;
        let tax = net * percent / 100;
        self.stripe_event(
            "checkout.session.completed",
            &json!({
                "id": format!("cs_{number}"), "object": "checkout.session", "mode": "payment", "status": "complete",
                "currency": self.currency, "payment_status": "paid", "amount_subtotal": net, "amount_total": net + tax,
                "total_details": {"amount_tax": tax, "amount_discount": 0, "amount_shipping": 0},
                "payment_intent": format!("pi_{number}"), "customer": "cus_A",
                "metadata": {"user_id": "A", "purchase_id": purchase},
            }),
        );
        self.paid.push(Paid { purchase, sold, total: net + tax, tax, ..Paid::default() });
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Buy(sold, percent) => self.buy(sold, percent),
            Step::Refund(of, part) => {
                let Some(number) = of.checked_rem(self.paid.len()) else { return };
                let paid = &mut self.paid[number];
                let part = part.min(paid.total - paid.refunded);
                if part == 0 || paid.disputed {
                    return;
                }
                paid.refunded += part;
                let refund = json!({
                    "id": format!("re_{}", self.delivered.len()), "object": "refund", "amount": part,
                    "currency": self.currency, "payment_intent": format!("pi_{number}"), "status": "succeeded",
                });
                self.stripe_event("refund.created", &refund);
            }
            Step::Dispute(of) => {
                let Some(number) = of.checked_rem(self.paid.len()) else { return };
                let paid = &mut self.paid[number];
                if paid.disputed || paid.decided || paid.refunded > 0 {
                    return;
                }
                paid.disputed = true;
                let total = paid.total;
                self.dispute("charge.dispute.funds_withdrawn", number, total, "needs_response");
            }
            Step::Decide(of, won) => {
                let Some(number) = of.checked_rem(self.paid.len()) else { return };
                let paid = &mut self.paid[number];
                if !paid.disputed || paid.decided {
                    return;
                }
                (paid.decided, paid.disputed) = (true, !won);
                let total = paid.total;
                match won {
                    true => self.dispute("charge.dispute.funds_reinstated", number, total, "won"),
                    false => self.dispute("charge.dispute.closed", number, total, "lost"),
                }
            }
            Step::Again(of) => {
                let Some(number) = of.checked_rem(self.delivered.len()) else { return };
                self.world.deliver(&self.delivered[number].clone()).expect("the store has no fault");
            }
        }
    }

    fn dispute(&mut self, kind: &str, number: usize, amount: i64, status: &str) {
        let dispute = json!({
            "id": format!("dp_{number}"), "object": "dispute", "amount": amount, "currency": self.currency,
            "status": status, "payment_intent": format!("pi_{number}"), "charge": format!("ch_{number}"),
        });
        self.stripe_event(kind, &dispute);
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        self.world.settle().expect("the store has no fault");
        let document = self.world.document();
        let mut buyer = ledger(&document, "user:A", self.currency);
        let cash: i64 = self.paid.iter().map(|paid| paid.total - paid.back()).sum();
        prop_assert_eq!(buyer.remove("cash:stripe").unwrap_or(0), cash, "cash");
        for creator in ["user:c0", "user:c1"] {
            let own = ledger(&document, creator, self.currency);
            let (due, earned) = (own.get("due:sales").unwrap_or(&0), own.get("earnings").unwrap_or(&0));
            prop_assert_eq!(due + earned, 0, "earnings of {} equal its claims", creator);
            let owed = buyer.get(&format!("due:{creator}")).copied().unwrap_or(0);
            prop_assert_eq!(owed + due, 0, "claims of {} equal the buyer's debt", creator);
            let earnings = rows(&document, creator, "earnings");
            let of_sales: i64 = earnings.values().map(|row| row["share_minor"].as_i64().expect("an amount")).sum();
            prop_assert_eq!(*due, of_sales, "the sum of {}'s sales", creator);
            // The sums of each product equal the sums of its sales. All shares are pending.
            let earned = rows(&document, creator, "earned");
            for product in (0..SOLD.len()).map(|sold| format!("prod_{sold}")) {
                let own = earnings.values().filter(|row| row["product"] == *product);
                let own: Vec<&Value> = own.collect();
                let sum = |member: &str| own.iter().map(|row| row[member].as_i64().expect("an amount")).sum::<i64>();
                let sums = earned.get(&product).map(|row| &row[self.currency]["once"]);
                let of = |member: &str| sums.map_or(0, |sums| sums[member].as_i64().expect("an amount"));
                prop_assert_eq!(of("sales"), i64::try_from(own.len()).expect("few"), "sales of {}", product);
                for member in ["gross_minor", "back_minor", "share_minor"] {
                    prop_assert_eq!(of(member), sum(member), "{} of {}", member, product);
                }
                prop_assert_eq!(of("pending_minor"), sum("share_minor"), "pending of {}", product);
            }
            for paid in self.paid.iter().filter(|paid| format!("user:c{}", paid.sold % 2) == creator) {
                let share =
                    earnings.get(&paid.purchase).map_or(0, |row| row["share_minor"].as_i64().expect("an amount"));
                prop_assert!(paid.is_share(share), "{} of {:?}", share, paid);
            }
        }
        let rest: i64 = buyer.values().sum();
        prop_assert_eq!(rest + cash, 0, "the buyer's ledger sums to zero: {:?}", buyer);
        Ok(())
    }
}

/// Balances of an account's ledger in a currency.
fn ledger(document: &Value, account: &str, currency: &str) -> BTreeMap<String, i64> {
    let balances = rows(document, account, "account").remove("balances").unwrap_or_default();
    let ledgers = balances.as_object().cloned().unwrap_or_default();
    ledgers.into_iter().filter_map(|(ledger, units)| Some((ledger, units.get(currency)?.as_i64()?))).collect()
}

proptest! {
    #![proptest_config(cases(60))]

    // covers: TES-66, TES-70, S119, S120
    #[test]
    fn every_sale_is_split_exactly_between_seller_and_creator(
        currency in 0..CURRENCIES.len(),
        steps in proptest::collection::vec(step(), STEPS),
    ) {
        let mut story = Story::new(currency);
        for step in steps {
            story.take(step);
        }
        story.check()?;
    }
}
