//! Lists of objects, compared with the objects that the local Stripe has made.

use crate::stripe::bench::{Bench, text};
use crate::stripe::cases::{customer, payment, subscription, transfer};
use counterparts::Fault;
use host_provider_api::{ObjectKind, ObjectList, ObjectListError, ObjectQuery, ObjectsOf};
use serde_json::Value;

fn query(kind: ObjectKind, of: ObjectsOf) -> ObjectQuery {
    ObjectQuery::first(false, kind, of)
}

fn ids(objects: &[Value]) -> Vec<&str> {
    objects.iter().map(|object| object["id"].as_str().unwrap()).collect()
}

fn list(bench: &Bench, kind: ObjectKind, of: ObjectsOf) -> Vec<Value> {
    let page = bench.stripe.objects(&query(kind, of)).expect("a page");
    assert_eq!(page.next, None);
    assert!(page.objects.iter().all(|object| object["object"] == kind.name()), "{kind:?}");
    page.objects
}

#[test]
fn the_objects_of_a_customer_are_listed_also_ended_subscriptions() {
    let bench = Bench::start();
    let other = subscription(&bench, "700", "month");
    let sub = subscription(&bench, "500", "month");
    let of = || ObjectsOf::Customer(text(&sub, "customer"));
    bench.direct("DELETE", &format!("/v1/subscriptions/{}", text(&sub, "id")), &[]);
    let subs = list(&bench, ObjectKind::Subscription, of());
    assert_eq!((ids(&subs), &subs[0]["status"]), (vec![sub["id"].as_str().unwrap()], &Value::from("canceled")));
    let invoices = list(&bench, ObjectKind::Invoice, of());
    assert_eq!(ids(&invoices), [sub["latest_invoice"].as_str().unwrap()]);
    let (intents, charges) = (list(&bench, ObjectKind::PaymentIntent, of()), list(&bench, ObjectKind::Charge, of()));
    assert_eq!((intents.len(), &intents[0]["amount"]), (1, &Value::from(500)));
    assert_eq!((charges.len(), &charges[0]["payment_intent"]), (1, &intents[0]["id"]));
    let all = list(&bench, ObjectKind::Subscription, ObjectsOf::All);
    assert_eq!(ids(&all), [text(&sub, "id"), text(&other, "id")], "newest first, of all customers");
}

#[test]
fn refunds_are_listed_by_payment_and_charge_and_transfers_by_destination() {
    let bench = Bench::start();
    let (paid, other) = (payment(&bench, 900), payment(&bench, 800));
    let refund = bench.make("/v1/refunds", &[("payment_intent", &paid), ("amount", "300")]);
    bench.make("/v1/refunds", &[("payment_intent", &other), ("amount", "200")]);
    let of_payment = list(&bench, ObjectKind::Refund, ObjectsOf::PaymentIntent(paid.clone()));
    assert_eq!(ids(&of_payment), [refund.as_str()]);
    let charge = list(&bench, ObjectKind::Charge, ObjectsOf::PaymentIntent(paid)).remove(0);
    let of_charge = list(&bench, ObjectKind::Refund, ObjectsOf::Charge(text(&charge, "id")));
    assert_eq!(of_charge, of_payment);
    assert_eq!(list(&bench, ObjectKind::Refund, ObjectsOf::All).len(), 2);
    let wanted = transfer(&bench);
    let destination = text(&wanted, "destination");
    let (to, amount) = (destination.as_str(), wanted["amount_minor"].to_string());
    let made = bench.make("/v1/transfers", &[("destination", to), ("amount", &amount), ("currency", "usd")]);
    assert_eq!(ids(&list(&bench, ObjectKind::Transfer, ObjectsOf::Destination(destination))), [made.as_str()]);
    let elsewhere = ObjectsOf::Destination("acct_elsewhere".to_owned());
    assert_eq!(list(&bench, ObjectKind::Transfer, elsewhere), Vec::<Value>::new());
}

#[test]
fn pages_have_every_object_once_up_to_a_maximum_and_since_a_time() {
    let bench = Bench::start();
    let customer = customer(&bench);
    let pay = || {
        let form = [("customer", customer.as_str()), ("amount", "500"), ("currency", "usd")];
        bench.make("/v1/payment_intents", &form)
    };
    let mut made: Vec<String> = (0..5).map(|_| pay()).collect();
    made.reverse();
    let of = || ObjectsOf::Customer(customer.clone());
    let two = ObjectQuery { limit: 2, ..query(ObjectKind::PaymentIntent, of()) };
    let first = bench.stripe.objects(&two).expect("a page");
    assert_eq!((ids(&first.objects), first.next.as_deref()), (vec![&*made[0], &*made[1]], Some(&*made[1])));
    let (all, is_complete) = bench.stripe.all_objects(&two, 100).expect("all");
    assert_eq!((ids(&all), is_complete), (made.iter().map(String::as_str).collect(), true));
    for (max, is_whole) in [(3, false), (4, false), (5, true)] {
        let (some, is_complete) = bench.stripe.all_objects(&two, max).expect("some");
        assert_eq!((some.len(), is_complete), (max, is_whole), "{max}");
    }
    bench.direct("POST", "/_sandbox/clock", &[("advance_by", "60")]);
    let later = pay();
    let since_s = bench.direct("GET", &format!("/v1/payment_intents/{later}"), &[])["created"].as_i64().unwrap();
    let newest = ObjectQuery { since_s, ..query(ObjectKind::PaymentIntent, of()) };
    assert_eq!(ids(&bench.stripe.objects(&newest).expect("a page").objects), [later.as_str()]);
}

#[test]
fn queries_that_stripe_cannot_answer_are_refused_before_a_request() {
    let bench = Bench::start();
    let refused = |query: ObjectQuery| bench.stripe.objects(&query).expect_err("refused");
    let by_customer = query(ObjectKind::Refund, ObjectsOf::Customer("cus_1".to_owned()));
    let expected = "refunds cannot be listed by customer: expected payment_intent or charge";
    assert_eq!(refused(by_customer).to_string(), expected);
    let bad = query(ObjectKind::Invoice, ObjectsOf::Customer("cus_1&limit=9".to_owned()));
    assert_eq!(refused(bad), ObjectListError::Id { member: "customer" });
    let all = query(ObjectKind::Invoice, ObjectsOf::All);
    assert_eq!(refused(ObjectQuery { limit: 0, ..all.clone() }), ObjectListError::Limit(0));
    assert_eq!(refused(ObjectQuery { limit: 101, ..all.clone() }), ObjectListError::Limit(101));
    let after = Some("in 1".to_owned());
    assert_eq!(refused(ObjectQuery { after, ..all.clone() }), ObjectListError::Id { member: "after" });
    let live = refused(ObjectQuery { livemode: true, ..all.clone() });
    assert_eq!(live, ObjectListError::Provider("the key for live mode is not configured".to_owned()));
    bench.proxy.fail_nth(0, Fault::Status(500, None));
    assert!(matches!(refused(all.clone()), ObjectListError::Provider(_)));
    bench.proxy.clear();
    assert_eq!(bench.stripe.objects(&all).expect("a page").objects, Vec::<Value>::new());
}
