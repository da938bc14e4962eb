//! Buys, uses, refunds and disputes packs of credits at random. The remaining credits must equal grants minus usage
//! minus refunds; a negative amount is owed. The ledger must sum to zero, and cash must equal payments minus refunds
//! and disputes.

use super::support::{cases, rows};
use end_to_end::world::{START_MS, Setup, World, tesslate};
use extension_contract::{Account, Actor, ActorKind, Balance, Event, Payload, Question, Usage};
use host_engine::processor::Questions;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Micro-dollars per cent.
const CENT: i64 = 10_000;
/// Packs, each with its price in cents, which is also the amount of its credits.
const PACKS: [(&str, i64); 3] = [("pack_small", 500), ("pack_medium", 1_000), ("pack_large", 5_000)];
/// Number of operations in one story.
const STEPS: usize = 40;

#[derive(Clone, Copy, Debug)]
enum Step {
    Buy(usize),
    /// Number of tokens, and true for the large model.
    Use(i64, bool),
    /// Number of the purchase, and maximum cents.
    Refund(usize, i64),
    Dispute(usize),
    /// Number of the purchase, and true if its dispute is won.
    Decide(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..PACKS.len()).prop_map(Step::Buy),
        6 => (0..400_000i64, any::<bool>()).prop_map(|(tokens, large)| Step::Use(tokens, large)),
        2 => (any::<usize>(), 1..6_000i64).prop_map(|(of, cents)| Step::Refund(of, cents)),
        1 => any::<usize>().prop_map(Step::Dispute),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(of, won)| Step::Decide(of, won)),
    ]
}

/// A purchase as its buyer sees it, in cents.
#[derive(Clone, Debug, Default)]
struct Paid {
    cents: i64,
    refunded: i64,
    /// True for an open or lost dispute.
    disputed: bool,
    decided: bool,
}

struct Story {
    world: World,
    events: usize,
    paid: Vec<Paid>,
    used_micros: i64,
    covered_micros: i64,
}

impl Story {
    fn new() -> Self {
        let mut world = World::start(Setup { business: tesslate(), ..Setup::default() });
        // The account has a Stripe customer, so a checkout does not create one.
        let customer = json!({"id": "cus_A", "object": "customer", "metadata": {"user_id": "A"}});
        tells(&mut world, 0, "customer.created", &customer);
        Story { world, events: 1, paid: Vec::new(), used_micros: 0, covered_micros: 0 }
    }

    fn stripe_event(&mut self, kind: &str, object: &Value) {
        tells(&mut self.world, self.events, kind, object);
        self.events += 1;
    }

    fn accept(&mut self, kind: &str, kind_of_actor: ActorKind, payload: Payload) -> String {
        let id = format!("own_{}", self.events);
        self.events += 1;
        let event = Event {
            id: id.clone(),
            source: "api".to_owned(),
            kind: kind.to_owned(),
            business: "tesslate".to_owned(),
            account: Some(Account::User("A".to_owned())),
            livemode: Some(false),
            received_at: START_MS,
            attempt: 1,
            actor: Actor { kind: kind_of_actor, subject: "A".to_owned(), roles: Vec::new() },
            reply_to: None,
            payment: None,
            payload,
        };
        let reports = self.world.accept(event).expect("the store has no fault");
        assert_eq!(reports[0].result.name(), "applied", "{kind}: {:?}", reports[0].result.reason());
        id
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Buy(pack) => {
                let (product, cents) = PACKS[pack];
                let number = self.paid.len();
                let payload = Payload::Command(json!({"product_id": product}).to_string());
                let before = purchases(&self.world);
                self.accept("purchase.create", ActorKind::User, payload);
                let purchase = purchases(&self.world).into_iter().find(|id| !before.contains(id)).expect("a purchase");
                self.stripe_event(
                    "checkout.session.completed",
                    &json!({
                        "id": format!("cs_{number}"), "object": "checkout.session", "mode": "payment", "currency": "usd",
                        "payment_status": "paid", "status": "complete", "amount_total": cents, "amount_subtotal": cents,
                        "payment_intent": format!("pi_{number}"), "customer": "cus_A",
                        "metadata": {"user_id": "A", "purchase_id": purchase},
                    }),
                );
                self.paid.push(Paid { cents, ..Paid::default() });
            }
            Step::Use(tokens, large) => {
                let (model, micros) = if large { ("large", 12) } else { ("small", 2) };
                let usage = Usage {
                    id: format!("u_{}", self.events),
                    meter: "tokens".to_owned(),
                    quantity: tokens,
                    at: START_MS,
                    attributes: vec![("model".to_owned(), model.to_owned())],
                };
                let left = self.net_micros().max(0);
                self.accept("usage.recorded", ActorKind::Service, Payload::Usage(vec![usage]));
                self.used_micros += tokens * micros;
                self.covered_micros += left.min(tokens * micros);
            }
            Step::Refund(of, cents) => {
                let Some(number) = of.checked_rem(self.paid.len()) else { return };
                let paid = &mut self.paid[number];
                let cents = cents.min(paid.cents - paid.refunded);
                if cents == 0 || paid.disputed {
                    return;
                }
                paid.refunded += cents;
                let refund = json!({
                    "id": format!("re_{}", self.events), "object": "refund", "amount": cents, "currency": "usd",
                    "payment_intent": format!("pi_{number}"), "status": "succeeded",
                });
                self.stripe_event("refund.created", &refund);
            }
            Step::Dispute(of) => {
                let Some(number) = of.checked_rem(self.paid.len()) else { return };
                let paid = &mut self.paid[number];
                // The test disputes only payments without a refund.
                if paid.disputed || paid.decided || paid.refunded > 0 {
                    return;
                }
                paid.disputed = true;
                let dispute = dispute(number, paid.cents, "needs_response");
                self.stripe_event("charge.dispute.funds_withdrawn", &dispute);
            }
            Step::Decide(of, won) => {
                let Some(number) = of.checked_rem(self.paid.len()) else { return };
                let paid = &mut self.paid[number];
                if !paid.disputed || paid.decided {
                    return;
                }
                (paid.decided, paid.disputed) = (true, !won);
                let (kind, status) = match won {
                    true => ("charge.dispute.funds_reinstated", "won"),
                    false => ("charge.dispute.closed", "lost"),
                };
                let dispute = dispute(number, paid.cents, status);
                self.stripe_event(kind, &dispute);
            }
        }
    }

    /// Granted credits minus covered usage minus refunds and disputes, in millionths of a dollar.
    fn net_micros(&self) -> i64 {
        let held = |paid: &Paid| if paid.disputed { 0 } else { paid.cents - paid.refunded };
        self.paid.iter().map(held).sum::<i64>() * CENT - self.covered_micros
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let question = Question {
            account: Account::User("A".to_owned()),
            actor: Actor { kind: ActorKind::System, subject: String::new(), roles: Vec::new() },
            at: START_MS,
        };
        let balances = self.world.processor_mut().ask_balances(&question).expect("a question about an account");
        let of = |ledger: &str| balances.iter().find(|balance| balance.ledger == ledger);
        let net = self.net_micros();
        let (left, owed) = of("credits_left").map_or((0, 0), |balance: &Balance| (balance.available, -balance.pending));
        prop_assert_eq!((left, owed), (net.max(0), (-net).max(0)), "left and owed, of {:?}", self.paid);
        let in_ledger: Vec<&Balance> = balances.iter().filter(|balance| balance.unit == "usd").collect();
        prop_assert_eq!(in_ledger.iter().map(|balance| balance.available).sum::<i64>(), 0, "the ledger sums to zero");
        let cash: i64 = self.paid.iter().map(|paid| if paid.disputed { 0 } else { paid.cents - paid.refunded }).sum();
        prop_assert_eq!(of("cash:stripe").map_or(0, |balance| balance.available), cash, "cash");
        let credits = of("credits").map_or(0, |balance| -balance.available);
        // Each remaining lot rounds a part of a cent up.
        let lots = i64::try_from(self.paid.len()).expect("few");
        prop_assert!(credits * CENT >= left && credits * CENT <= left + lots * CENT, "{} for {}", credits, left);
        Ok(())
    }
}

fn dispute(number: usize, cents: i64, status: &str) -> Value {
    json!({
        "id": format!("dp_{number}"), "object": "dispute", "amount": cents, "currency": "usd", "status": status,
        "payment_intent": format!("pi_{number}"), "charge": format!("ch_{number}"),
    })
}

/// Delivers the event of this number.
fn tells(world: &mut World, number: usize, kind: &str, object: &Value) {
    let created = START_MS / 1_000 + i64::try_from(number).expect("few");
    let event = json!({
        "id": format!("evt_{number}"), "object": "event", "type": kind, "created": created, "livemode": false,
        "api_version": "2020-08-27", "data": {"object": object},
    });
    let outcome = world.outcome_of(&event);
    assert!(["applied", "ignored", "duplicate"].contains(&outcome.as_str()), "{kind}: {outcome}");
}

fn purchases(world: &World) -> Vec<String> {
    rows(&world.document(), "user:A", "purchases").into_keys().collect()
}

proptest! {
    #![proptest_config(cases(40))]

    // covers: TES-62
    #[test]
    fn credits_equal_payments_minus_usage_and_refunds(
        steps in proptest::collection::vec(step(), STEPS)
    ) {
        let mut story = Story::new();
        for step in steps {
            story.take(step);
            story.check()?;
        }
    }
}
