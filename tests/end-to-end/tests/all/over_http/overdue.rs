//! What the pages and mails tell a customer who has not paid: what is owed, until when everything works, and where to pay.

use super::server::TestServer;
use end_to_end::world::START_MS;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

/// Ada's subscription of 79.00 a month, whose renewal fails at the start of the test.
fn overdue() -> TestServer {
    let api = TestServer::start("solobase");
    api.answer("account-customer:*", json!({"id": "cus_ada"}));
    let of_ada = "id: sub_s, customer: cus_ada, metadata: {user_id: ada}, price: price_professional_monthly";
    api.stripe(&format!("{{stripe: customer.subscription.created, id: evt_1, set: {{{of_ada}}}}}"));
    let invoice = "id: in_2, customer: cus_ada, subscription: sub_s, number: ADA-0002, amount: 7900, \
                   billing_reason: subscription_cycle, price: price_professional_monthly, \
                   hosted_invoice_url: \"https://invoice.stripe.com/i/in_2\"";
    let failed = format!("{{stripe: invoice.payment_failed, id: evt_2, at: +1d, set: {{{invoice}, paid: false}}}}");
    api.stripe(&failed);
    api.stripe(&format!(
        "{{stripe: customer.subscription.updated, id: evt_3, at: +1d, set: {{{of_ada}, status: past_due}}, previous: {{status: active}}}}"
    ));
    api.settle();
    api
}

fn page(api: &TestServer, path: &str) -> String {
    let key = format!("Bearer {}", api.user("ada"));
    api.request(&format!("GET {path}"), &[("Authorization", key.as_str())], b"").body
}

fn mail(api: &TestServer, template: &str) -> Value {
    let path = "/api/operator/effects?account=user:ada&limit=100";
    let found = api.get(path, &api.operator());
    let effects = found["effects"].as_array().cloned().unwrap_or_default();
    let payload = effects.into_iter().map(|effect| effect["payload"].clone());
    payload.rev().find(|payload| payload["template"] == template).unwrap_or_else(|| panic!("no {template}: {found}"))
}

#[test]
fn whoever_has_not_paid_reads_what_is_owed_and_until_when_and_pays_with_one_click() {
    let api = overdue();
    for path in ["/billing", "/dashboard"] {
        let told = page(&api, path);
        assert!(told.contains("You owe <strong>$79.00</strong> for invoice ADA-0002"), "{told}");
        assert!(
            told.contains(
                "<a class=\"button\" href=\"https:&#x2f;&#x2f;invoice.stripe.com&#x2f;i&#x2f;in_2\">Pay $79.00</a>"
            ),
            "{told}"
        );
        assert!(told.contains("or your instances are suspended. Until then, everything works as before."), "{told}");
        assert!(!told.contains("Renews on"), "{told}");
    }
    let values = &mail(&api, "payment_failed")["values"];
    let expected = json!(["prod_professional", 7900, "usd", "https://invoice.stripe.com/i/in_2"]);
    let told = ["plan", "owed_minor", "currency", "hosted_invoice_url"].map(|name| values[name].clone());
    assert_eq!(json!(told), expected);

    api.advance_to(START_MS + 9 * DAY_MS);
    let told = page(&api, "/billing");
    assert!(told.contains("It was not paid in time, so it has been suspended since"), "{told}");
    assert!(told.contains("Pay $79.00") && !told.contains("or your instances are suspended"), "{told}");
    assert_eq!(mail(&api, "subscription_suspended")["values"]["owed_minor"], 7900);
}

#[test]
fn a_card_and_a_receipt_say_how_and_for_what_was_paid() {
    let api = overdue();
    let paid = "id: in_2, customer: cus_ada, subscription: sub_s, number: ADA-0002, amount: 7900, payment_intent: pi_2, charge: ch_2, \
                billing_reason: subscription_cycle, price: price_professional_monthly";
    api.stripe(&format!("{{stripe: invoice.paid, id: evt_4, at: +2d, set: {{{paid}}}}}"));
    api.stripe("{stripe: charge.succeeded, id: evt_5, at: +2d, set: {id: ch_2, customer: cus_ada, amount: 7900, payment_intent: pi_2, invoice: in_2}}");
    let of_ada = "id: sub_s, customer: cus_ada, metadata: {user_id: ada}, price: price_professional_monthly";
    api.stripe(&format!(
        "{{stripe: customer.subscription.updated, id: evt_6, at: +2d, set: {{{of_ada}, status: active}}, previous: {{status: past_due}}}}"
    ));
    api.settle();
    let billing = page(&api, "/billing");
    assert!(billing.contains("Visa ending in 4242, expires 12/2034"), "{billing}");
    assert!(billing.contains("<dt>Next payment</dt><dd>$79.00 on"), "{billing}");
    assert!(!billing.contains("You owe"), "{billing}");
    let receipt = page(&api, "/receipts/in_2");
    for part in ["ADA-0002", "Professional", "$79.00", "Visa ending in 4242"] {
        assert!(receipt.contains(part), "{part}: {receipt}");
    }
    assert!(page(&api, "/receipts/in_9").contains("No such receipt"));
}
