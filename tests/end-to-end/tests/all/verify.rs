//! `host-verify` against a local Stripe over HTTP: a difference of each kind is made on purpose, found, and mended by the
//! command that it names. In a clean story there is none.

mod shop;

use extension_contract::Account;
use host_verify::{Difference, Kind, StripeAccess, Unowned, Verified, What};
use serde_json::{Value, json};
use shop::{DAY_MS, Empty, Shop};
use std::sync::Arc;

fn ada() -> Account {
    Account::User("ada".to_owned())
}

/// Returns kind and command of each difference.
fn mends(verified: &Verified) -> Vec<(Kind, Option<&str>)> {
    verified.differences.iter().map(|it| (it.found.kind, it.mend.command.as_deref())).collect()
}

/// Returns the only difference of a kind.
fn only(verified: &Verified, kind: Kind) -> &Difference {
    let mut of_kind = verified.differences.iter().filter(|it| it.found.kind == kind);
    match (of_kind.next(), of_kind.next()) {
        (Some(one), None) => one,
        _ => panic!("expected one {kind}: {:#?}", verified.differences),
    }
}

/// Returns the differing fields with the values of the store and of Stripe.
fn fields(difference: &Difference) -> Vec<(&str, &Value, &Value)> {
    match &difference.found.what {
        What::Fields(fields) => fields.iter().map(|it| (it.field.as_str(), &it.ours, &it.theirs)).collect(),
        other => panic!("{other:?}"),
    }
}

/// Sends the event again that the command names: `stripe events resend EVENT`.
fn resend(shop: &mut Shop, difference: &Difference) {
    let command = difference.mend.command.as_deref().expect("a command");
    let event = command.strip_prefix("stripe events resend ").unwrap_or_else(|| panic!("{command}"));
    shop.deliver_one(event);
}

#[test]
fn a_clean_story_has_no_difference() {
    let shop = Shop::with_story();
    let verified = shop.verify();
    assert_eq!(verified.differences, [], "{verified:#?}");
    assert_eq!((verified.differing, verified.of_others, verified.of_nobody), (0, 0, 0));
    let counts: Vec<(Kind, (u64, u64))> = verified.counts.clone().into_iter().collect();
    let expected = [
        (Kind::Subscription, (1, 1)),
        (Kind::Invoice, (1, 1)),
        (Kind::Payment, (2, 2)),
        (Kind::Refund, (1, 1)),
        (Kind::Transfer, (1, 1)),
    ];
    assert_eq!(counts, expected);
}

#[test]
fn a_difference_that_is_gone_when_both_sides_are_read_again_does_not_count() {
    let shop = Shop::with_story();
    let verified = shop.verify_before(|object| {
        if object["object"] == "subscription" {
            object["status"] = json!("past_due");
        }
    });
    assert_eq!((verified.differing, verified.differences), (0, vec![]));
}

#[test]
fn objects_of_customers_that_no_account_has_are_named() {
    let shop = Shop::with_story();
    let price = shop.stripe("GET", "/v1/prices", &[])["data"][0]["id"].as_str().expect("an id").to_owned();
    let form = [("payment_method", "pm_card_visa"), ("invoice_settings[default_payment_method]", "pm_card_visa")];
    let stranger = shop.make("/v1/customers", &form);
    let invoice = shop.make("/v1/invoices", &[("customer", &stranger)]);
    let verified = shop.verify();
    assert_eq!((verified.differing, verified.of_others, verified.of_nobody), (0, 0, 1), "{price}: {verified:#?}");
    let claims = vec![format!("stripe-invoice:{invoice}"), format!("stripe-customer:{stranger}")];
    assert_eq!(verified.unowned, [Unowned { kind: Kind::Invoice, id: invoice, claims }]);
    let mark = ("metadata[provisioner_scope]", "another/test/user:ada");
    shop.make("/v1/invoices", &[("customer", &stranger), mark]);
    let verified = shop.verify();
    assert_eq!((verified.of_others, verified.of_nobody), (1, 1), "one of another business: {verified:#?}");
}

#[test]
fn a_change_of_a_subscription_that_was_not_delivered_is_found_and_mended() {
    let mut shop = Shop::with_story();
    let id = shop.newest("subscription");
    shop.stripe("DELETE", &format!("/v1/subscriptions/{id}"), &[]);
    let verified = shop.verify();
    let one = only(&verified, Kind::Subscription);
    assert_eq!((one.found.id.as_str(), &one.found.account), (id.as_str(), &ada()));
    assert_eq!(fields(one), [("status", &json!("active"), &json!("canceled"))]);
    assert_eq!(verified.differing, 1, "{verified:#?}");
    resend(&mut shop, one);
    assert_eq!(shop.verify().differences, []);
}

#[test]
fn a_renewal_that_was_not_delivered_is_found_and_mended() {
    let mut shop = Shop::with_story();
    shop.advance_stripe(32 * DAY_MS);
    let verified = shop.verify();
    let [subscription, invoice, payment] =
        [Kind::Subscription, Kind::Invoice, Kind::Payment].map(|kind| only(&verified, kind).clone());
    assert_eq!(fields(&subscription).iter().map(|field| field.0).collect::<Vec<_>>(), ["items"]);
    let What::OnlyTheirs(facts) = &invoice.found.what else { panic!("{invoice:?}") };
    assert_eq!((&facts["status"], &facts["amount_paid"]), (&json!("paid"), &json!(500)));
    assert!(matches!(&payment.found.what, What::OnlyTheirs(facts) if facts["amount_refunded"] == 0), "{payment:?}");
    assert_eq!(verified.differing, 3);
    for one in [&subscription, &invoice, &payment] {
        resend(&mut shop, one);
    }
    assert_eq!(shop.verify().differences, []);
}

#[test]
fn a_refund_made_at_stripe_that_was_not_delivered_is_found_and_mended() {
    let mut shop = Shop::with_story();
    let payment = shop.payment_of_the_poem();
    let refund = shop.make("/v1/refunds", &[("payment_intent", &payment), ("amount", "50")]);
    let verified = shop.verify();
    let one = only(&verified, Kind::Refund);
    assert_eq!(one.found.id, refund);
    assert!(matches!(&one.found.what, What::OnlyTheirs(facts) if facts["amount"] == 50), "{one:?}");
    assert_eq!(fields(only(&verified, Kind::Payment)), [("amount_refunded", &json!(100), &json!(150))]);
    assert_eq!(verified.differing, 2);
    resend(&mut shop, one);
    resend(&mut shop, only(&verified, Kind::Payment));
    assert_eq!(shop.verify().differences, []);
}

#[test]
fn an_event_that_was_refused_is_named_with_its_reason() {
    let mut shop = Shop::with_story();
    let customer = shop.stripe("GET", &format!("/v1/subscriptions/{}", shop.newest("subscription")), &[]);
    let price = [
        ("product_data[name]", "Other"),
        ("currency", "usd"),
        ("unit_amount", "900"),
        ("recurring[interval]", "month"),
    ];
    let price = shop.make("/v1/prices", &price);
    let customer = customer["customer"].as_str().expect("an id").to_owned();
    let id = shop.make("/v1/subscriptions", &[("customer", &customer), ("items[0][price]", &price)]);
    shop.deliver_all();
    let verified = shop.verify();
    let one = only(&verified, Kind::Subscription);
    assert_eq!(one.found.id, id);
    let command = one.mend.command.as_deref().expect("a command");
    assert!(command.starts_with("POST /api/operator/events/") && command.ends_with("/redrive"), "{command}");
    assert!(one.mend.reason.contains("was rejected") && one.mend.reason.contains(&price), "{}", one.mend.reason);
}

#[test]
fn a_change_whose_event_stripe_has_forgotten_is_mended_by_another_change() {
    let mut shop = Shop::with_story();
    let id = shop.newest("subscription");
    shop.stripe("POST", &format!("/v1/subscriptions/{id}"), &[("cancel_at_period_end", "true")]);
    shop.advance_host(40 * DAY_MS);
    let verified = shop.verify();
    let one = only(&verified, Kind::Subscription);
    assert!(fields(one).contains(&("cancel_at_period_end", &json!(false), &json!(true))), "{one:?}");
    let command = one.mend.command.as_deref().expect("a command");
    let change =
        command.strip_prefix(&format!("stripe subscriptions update {id} -d ")).unwrap_or_else(|| panic!("{command}"));
    let (name, value) = change.trim_matches('"').split_once('=').expect("a form");
    shop.stripe("POST", &format!("/v1/subscriptions/{id}"), &[(name, value)]);
    shop.deliver_newest();
    assert_eq!(shop.verify().differences, []);
}

#[test]
fn a_transfer_whose_answer_was_lost_is_adopted() {
    let mut shop = Shop::start();
    shop.lose_answers_to_transfers(true);
    shop.play();
    let transfer = shop.newest("transfer");
    let verified = shop.verify();
    let one = only(&verified, Kind::Transfer);
    assert_eq!((one.found.id.as_str(), &one.found.account), (transfer.as_str(), &Account::User("zoe".to_owned())));
    let command = one.mend.command.as_deref().expect("a command");
    let rest = command.strip_prefix("POST /api/operator/effects/").unwrap_or_else(|| panic!("{command}"));
    let (seq, body) = rest.split_once("/adopt ").expect("adopt");
    let body: Value = serde_json::from_str(body).expect("JSON");
    shop.adopt(seq.parse().expect("a number"), &body["outputs"]);
    assert_eq!(shop.verify().differences, []);
}

#[test]
fn the_transfers_of_an_erased_account_are_no_difference() {
    let mut shop = Shop::with_story();
    shop.erase_the_poet();
    let verified = shop.verify();
    assert_eq!(verified.differences, []);
    assert_eq!(verified.counts[&Kind::Transfer], (0, 1), "the store no longer has the transfer's id");
}

#[test]
fn a_transfer_by_hand_and_a_reversal_are_named_without_a_command() {
    let shop = Shop::with_story();
    let made = shop.newest("transfer");
    let own = shop.stripe("GET", &format!("/v1/transfers/{made}"), &[]);
    // The same amount to the same account, but no effect of the store has no result.
    let amount = own["amount"].to_string();
    let form = [
        ("amount", amount.as_str()),
        ("currency", "usd"),
        ("destination", own["destination"].as_str().expect("an id")),
    ];
    let by_hand = shop.make("/v1/transfers", &form);
    shop.stripe("POST", &format!("/v1/transfers/{made}/reversals"), &[("amount", "10")]);
    let verified = shop.verify();
    assert_eq!(mends(&verified), [(Kind::Transfer, None), (Kind::Transfer, None)], "{verified:#?}");
    let of = |id: &str| verified.differences.iter().find(|it| it.found.id == id).expect("a difference");
    assert_eq!(fields(of(&made)), [("amount_reversed", &json!(0), &json!(10))]);
    assert!(matches!(of(&by_hand).found.what, What::OnlyTheirs(_)));
}

#[test]
fn with_the_key_of_another_account_every_object_is_only_in_the_store() {
    let shop = Shop::with_story();
    let other = Shop::start();
    let verified = shop.verify_with(&other);
    assert_eq!(verified.differing, 6, "{verified:#?}");
    for one in &verified.differences {
        assert!(matches!(one.found.what, What::OnlyOurs(_)), "{one:?}");
        assert!(one.mend.command.is_none() && one.mend.reason.contains("use the key of the account"), "{one:?}");
    }
}

#[test]
fn a_recorded_object_that_no_list_of_the_account_has_is_fetched_by_its_id() {
    let shop = Shop::with_story();
    for (account, count) in [("ada", 5), ("zoe", 1)] {
        let verified = shop.verify_account(account, StripeAccess { objects: Arc::new(Empty), ..shop.access() });
        assert_eq!((verified.differences.as_slice(), verified.objects.len()), ([].as_slice(), count), "{account}");
        assert!(verified.objects.iter().all(|object| object.ours.is_some() && object.theirs.is_some()), "{verified:?}");
    }
}

#[test]
fn an_object_of_a_customer_that_another_account_has_requested_is_no_difference_of_the_customers_account() {
    let shop = Shop::with_story();
    let subscription = shop.stripe("GET", &format!("/v1/subscriptions/{}", shop.newest("subscription")), &[]);
    let customer = subscription["customer"].as_str().expect("an id");
    let mark = ("metadata[provisioner_scope]", "shop/test/user:zoe");
    let invoice = shop.make("/v1/invoices", &[("customer", customer), mark]);
    let verified = shop.verify_whole(shop.access());
    let one = only(&verified, Kind::Invoice);
    assert_eq!((one.found.id.as_str(), &one.found.account), (invoice.as_str(), &Account::User("zoe".to_owned())));
    let of_ada = shop.verify_account("ada", shop.access());
    assert_eq!((of_ada.differences.as_slice(), of_ada.objects.len()), ([].as_slice(), 5));
}
