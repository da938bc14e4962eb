//! Random sequences of calls (walks): after each walk, the amounts are consistent, and the same walk gives the same
//! bytes.

use crate::play::Play;
use local_stripe::event::Event;
use local_stripe::object::Object;
use local_stripe::shapes;
use local_stripe::version::NEWEST;
use proptest::prelude::*;

const CARDS: &[&str] = &[
    "visa",
    "chargeCustomerFail",
    "authenticationRequired",
    "createDispute",
    "refundFail",
    "authenticationRequiredOnSetup",
];

/// The number of kinds of steps.
const KINDS: u8 = 19;

/// One step of a walk: the kind of call, the choice of an existing object, and a number such as an amount.
#[derive(Debug, Clone, Copy)]
struct Step {
    kind: u8,
    pick: usize,
    number: i64,
}

fn step() -> impl Strategy<Value = Step> {
    (0..KINDS, any::<usize>(), 1..4_000_i64).prop_map(|(kind, pick, number)| Step { kind, pick, number })
}

fn pick(play: &Play, kind: &str, pick: usize) -> String {
    let all: Vec<String> = play.sandbox.state().newest(kind, None).map(|o| o.id().to_owned()).collect();
    if all.is_empty() { "none".to_owned() } else { all[pick % all.len()].clone() }
}

fn walk(steps: &[Step]) -> Play {
    let mut play = Play::new();
    play.monthly("Pro", 2_000);
    play.monthly("Team", 5_000);
    play.price("Year", 20_000, "&recurring[interval]=year");
    play.post("/v1/coupons", "id=THIRD&percent_off=33.33&duration=repeating&duration_in_months=1");
    play.post("/v1/coupons", "id=ONCE&amount_off=1500&currency=usd&duration=once");
    for step in steps {
        let card = CARDS[step.pick % CARDS.len()];
        let (customer, price) = (pick(&play, "customer", step.pick), pick(&play, "price", step.number as usize));
        let (sub, invoice) = (pick(&play, "subscription", step.pick), pick(&play, "invoice", step.pick));
        let intent = pick(&play, "payment_intent", step.pick);
        let (method, path, form) = match step.kind {
            0 | 1 => {
                let card = format!("pm_card_{card}");
                (
                    "POST",
                    "/v1/customers".into(),
                    format!("payment_method={card}&invoice_settings[default_payment_method]={card}"),
                )
            }
            2 | 3 => {
                let trial = if step.number % 3 == 0 { "&trial_period_days=5" } else { "" };
                let coupons = ["", "&discounts[0][coupon]=THIRD", "&discounts[0][coupon]=ONCE", ""];
                let off = coupons[step.number as usize % coupons.len()];
                let form = format!("customer={customer}&items[0][price]={price}{trial}{off}");
                ("POST", "/v1/subscriptions".into(), form)
            }
            4 => {
                let item = play
                    .sandbox
                    .state()
                    .copy(&sub)
                    .list_at("items")
                    .first()
                    .and_then(|i| i["id"].as_str().map(str::to_owned))
                    .unwrap_or_default();
                let how = ["always_invoice", "create_prorations", "none"][step.pick % 3];
                let pay =
                    ["allow_incomplete", "pending_if_incomplete", "error_if_incomplete"][step.number as usize % 3];
                let form = format!(
                    "items[0][id]={item}&items[0][price]={price}&items[0][quantity]={}&proration_behavior={how}&payment_behavior={pay}",
                    step.number % 4
                );
                ("POST", format!("/v1/subscriptions/{sub}"), form)
            }
            5 => ("POST", format!("/v1/subscriptions/{sub}"), "cancel_at_period_end=true".into()),
            6 => (
                "DELETE",
                format!("/v1/subscriptions/{sub}"),
                format!("prorate={}&invoice_now=true", step.number % 2 == 0),
            ),
            7 => ("POST", format!("/v1/invoices/{invoice}/pay"), "payment_method=pm_card_visa".into()),
            8 => ("POST", format!("/v1/invoices/{invoice}/void"), String::new()),
            9 => ("POST", "/v1/refunds".into(), format!("payment_intent={intent}&amount={}", step.number)),
            10 => ("POST", format!("/_sandbox/authenticate/{intent}"), "outcome=success".into()),
            11 => (
                "POST",
                "/v1/invoiceitems".into(),
                format!("customer={customer}&currency=usd&amount={}", step.number - 2_000),
            ),
            12 => (
                "POST",
                "/v1/invoices".into(),
                format!("customer={customer}&pending_invoice_items_behavior=include&auto_advance=true"),
            ),
            13 => {
                let back = if step.number % 2 == 0 { "refund_amount" } else { "credit_amount" };
                let paid = play.sandbox.state().copy(&invoice).text("status") == "paid";
                let back = if paid { format!("&{back}={}", step.number) } else { String::new() };
                ("POST", "/v1/credit_notes".into(), format!("invoice={invoice}&amount={}{back}", step.number))
            }
            14 => ("POST", format!("/v1/credit_notes/{}/void", pick(&play, "credit_note", step.pick)), String::new()),
            15 => {
                let phases = format!(
                    "phases[0][items][0][price]={price}&phases[1][items][0][price]={price}&phases[1][items][0][quantity]=2"
                );
                let end = ["cancel", "release"][step.pick % 2];
                let start = if step.number % 2 == 0 {
                    format!("customer={customer}&{phases}")
                } else {
                    format!("from_subscription={sub}")
                };
                ("POST", "/v1/subscription_schedules".into(), format!("{start}&end_behavior={end}"))
            }
            16 => {
                let schedule = pick(&play, "subscription_schedule", step.pick);
                let how = ["cancel", "release"][step.number as usize % 2];
                ("POST", format!("/v1/subscription_schedules/{schedule}/{how}"), String::new())
            }
            17 => {
                let form = format!("customer={customer}&line_items[0][price]={price}");
                let quote = play.call("POST", "/v1/quotes", &form);
                let quote = local_stripe::sandbox::json_of(&quote)["id"].as_str().unwrap_or("none").to_owned();
                play.call("POST", &format!("/v1/quotes/{quote}/finalize"), "");
                ("POST", format!("/v1/quotes/{quote}/accept"), String::new())
            }
            _ => ("POST", "/_sandbox/clock".into(), format!("advance_by={}", step.number * 1_000)),
        };
        let response = play.call(method, &path, &form);
        assert!(response.status < 500, "{method} {path} {form}: {}", response.body);
    }
    play
}

fn sum<'o>(objects: impl Iterator<Item = &'o Object>, member: &str) -> i64 {
    objects.map(|o| o.int(member)).sum()
}

fn check(play: &Play) {
    let state = play.sandbox.state();
    let all = |kind: &str| state.newest(kind, None).map(|o| Object::clone(&o)).collect::<Vec<_>>();
    let charges = all("charge");
    for charge in &charges {
        let refunds = all("refund")
            .into_iter()
            .filter(|r| r.text("charge") == charge.id() && r.text("status") == "succeeded")
            .collect::<Vec<_>>();
        assert_eq!(charge.int("amount_refunded"), sum(refunds.iter(), "amount"), "{}", charge.id());
        assert!((0..=charge.int("amount")).contains(&charge.int("amount_refunded")));
    }
    for invoice in all("invoice") {
        let lines: i64 = invoice.list_at("lines").iter().map(|l| l["amount"].as_i64().unwrap()).sum();
        let off: i64 = invoice.list_at("total_discount_amounts").iter().map(|d| d["amount"].as_i64().unwrap()).sum();
        assert_eq!((invoice.int("total"), invoice.int("subtotal")), (lines - off, lines));
        if invoice.text("status") == "paid" {
            assert_eq!((invoice.int("amount_paid"), invoice.int("amount_remaining")), (invoice.int("amount_due"), 0));
            let credited = invoice.int("pre_payment_credit_notes_amount");
            let due = invoice.int("total") + invoice.int("starting_balance") - invoice.int("ending_balance") - credited;
            assert_eq!(invoice.int("amount_due"), due, "{}", invoice.id());
        }
    }
    // A subscription refers to a schedule exactly while the schedule is active.
    for schedule in all("subscription_schedule") {
        let sub = state.copy(schedule.text("subscription"));
        let bound = matches!(schedule.text("status"), "active");
        assert_eq!(sub.text("schedule") == schedule.id(), bound, "{}", schedule.id());
        assert!(!bound || sub.text("status") != "canceled", "{}", schedule.id());
    }
    // A customer's balance is the sum of its transactions.
    for customer in all("customer") {
        let moves =
            state.newest("customer_balance_transaction", Some(customer.id())).map(|m| m.int("amount")).sum::<i64>();
        assert_eq!(customer.int("balance"), moves);
    }
    // The account's balance is the sum of the charges, minus successful refunds, minus disputed amounts and their
    // fees.
    let taken: i64 = charges
        .iter()
        .filter(|c| c.text("status") == "succeeded")
        .map(|c| c.int("amount") - c.int("amount_refunded"))
        .sum();
    let disputed: i64 =
        all("dispute").iter().filter(|d| d.text("status") == "needs_response").map(|d| d.int("amount") + 1_500).sum();
    assert_eq!(sum(all("balance_transaction").iter(), "net"), taken - disputed);
    // Every change emitted an event, so the newest event about an object has the object's current state.
    let events = state.events();
    for (kind, untold) in [("subscription", ""), ("customer", "next_invoice_sequence"), ("invoice", "")] {
        for object in all(kind) {
            let about = |e: &&std::sync::Arc<Event>| e.object.id() == object.id();
            let told = events.iter().rev().find(about).expect("each has an event");
            let shown = |o: &Object| {
                let mut shown = Object::of(shapes::render(&o.value(), &NEWEST.into()));
                shown.members.remove(untold);
                shown.value()
            };
            assert_eq!(shown(&told.object), shown(&object), "after {}", told.kind);
        }
    }
    // Endpoints can subscribe to every emitted event type.
    for event in state.events() {
        assert!(local_stripe::event_types::is_known(&event.kind), "{}", event.kind);
    }
    // A subscription that is canceled or `incomplete_expired` keeps this status.
    for event in state.events().iter().filter(|e| e.kind == "customer.subscription.updated") {
        let before = event.before.as_ref().map(|b| b.text("status").to_owned()).unwrap_or_default();
        assert!(!matches!(before.as_str(), "canceled" | "incomplete_expired") || event.object.text("status") == before);
    }
}

fn bytes(play: &Play) -> String {
    play.sandbox.state().events().iter().map(|e| e.render(&NEWEST.into()).to_string()).collect()
}

#[test]
fn a_long_walk_reaches_every_wanted_state() {
    let mut word = 7_u64;
    let mut draw = || {
        word = local_stripe::ids::mix(word);
        word
    };
    let steps: Vec<Step> = (0..600)
        .map(|_| Step {
            kind: (draw() % u64::from(KINDS)) as u8,
            pick: draw() as usize >> 8,
            number: (draw() % 4_000) as i64 + 1,
        })
        .collect();
    let play = walk(&steps);
    check(&play);
    let events = play.sandbox.state().events();
    let met: std::collections::BTreeSet<&str> = events.iter().map(|e| e.kind.as_str()).collect();
    for wanted in [
        "charge.dispute.created",
        "charge.refunded",
        "credit_note.created",
        "credit_note.voided",
        "customer.subscription.deleted",
        "invoice.payment_action_required",
        "invoice.payment_failed",
        "invoice.upcoming",
        "invoice.voided",
        "quote.accepted",
        "refund.failed",
        "subscription_schedule.canceled",
        "subscription_schedule.completed",
        "subscription_schedule.released",
        "subscription_schedule.updated",
    ] {
        assert!(met.contains(wanted), "no {wanted} in {met:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn the_amounts_balance_after_any_walk(steps in proptest::collection::vec(step(), 1..40)) {
        let play = walk(&steps);
        check(&play);
        prop_assert_eq!(bytes(&play), bytes(&walk(&steps)));
    }
}
