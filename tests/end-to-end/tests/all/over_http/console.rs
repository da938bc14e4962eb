//! What an operator does for a customer on the customer's page: each form is sent, and its result is read there.

use super::raw::Answer;
use super::server::TestServer;
use serde_json::json;

/// An operator at the page of a customer.
struct Operator<'a> {
    api: &'a TestServer,
    account: &'a str,
}

impl Operator<'_> {
    fn ask(&self, line: &str, body: &str) -> Answer {
        let authorization = format!("Bearer {}", self.api.operator());
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Sec-Fetch-Site", "same-origin"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ];
        self.api.request(line, &headers, body.as_bytes())
    }

    fn page(&self) -> String {
        let page = self.ask(&format!("GET /admin/accounts/{}", self.account), "");
        assert_eq!(page.status, 200, "{page:?}");
        page.body
    }

    /// Sends a form, which is accepted. Returns the page.
    fn sends(&self, form: &str, fields: &str) -> String {
        let page = format!("/admin/accounts/{}", self.account);
        let sent = self.ask(&format!("POST /do/{form}"), &format!("_page={page}&account={}&{fields}", self.account));
        let expected = format!("{page}?said={form}");
        if sent.header("location") != Some(expected.as_str()) {
            panic!("{form}: {}", self.is_refused(form, fields));
        }
        self.api.settle();
        self.page()
    }

    /// Sends a form, which is refused. Returns the page that says why.
    fn is_refused(&self, form: &str, fields: &str) -> String {
        let page = format!("/admin/accounts/{}", self.account);
        let sent = self.ask(&format!("POST /do/{form}"), &format!("_page={page}&account={}&{fields}", self.account));
        assert_eq!((sent.status, sent.header("location")), (303, Some(page.as_str())), "{sent:?}");
        let cookie = sent.header("set-cookie").and_then(|set| set.split(';').next()).expect("what is shown once");
        let authorization = format!("Bearer {}", self.api.operator());
        let headers = [("Authorization", authorization.as_str()), ("Cookie", cookie)];
        self.api.request(&format!("GET {page}"), &headers, b"").body
    }
}

#[test]
fn an_operator_gives_a_customer_credit_with_a_reason_and_ends_it() {
    let api = TestServer::start("prepaid");
    let ana = Operator { api: &api, account: "user:ana" };
    api.ok("POST /api/commands/account.register", &api.user("ana"), &json!({"email": "ana@example.com"}));
    assert!(ana.page().contains("Nothing beside what it pays for."), "{}", ana.page());
    let refused = ana.is_refused("grant_credit", "amount_minor=0&expires_at=2025-12-31&reason=A+%22gift%22");
    assert!(refused.contains("value=\"A &quot;gift&quot;\"") && refused.contains("value=\"2025-12-31\""), "{refused}");
    assert!(refused.contains("<details open><summary>Give credit") && refused.contains("<p class=\"error\">"));
    let given = ana.sends("grant_credit", "amount_minor=500&expires_at=2026-02-01&reason=Sorry+for+the+outage");
    assert!(given.contains("$5.00 of credit") && given.contains("<q>Sorry for the outage</q>"), "{given}");
    assert!(given.contains("Ends on Feb 1, 2026") && given.contains("$5.00 left"), "{given}");
    let lots = api.get("/api/queries/list?account=user:ana&kind=credits", &api.operator());
    assert_eq!(lots["entries"][0]["value"]["granted_micros"], 5_000_000, "{lots}");
    let id = lots["entries"][0]["id"].as_str().expect("an id");
    let ended = ana.sends("end_credit", &format!("id={id}&reason=It+was+a+mistake"));
    assert!(ended.contains("<q>It was a mistake</q>") && !ended.contains("End it …"), "{ended}");
    // The customer sees the gift, and not why.
    let authorization = format!("Bearer {}", api.user("ana"));
    let billing = api.request("GET /billing", &[("Authorization", &authorization)], b"").body;
    assert!(billing.contains("A gift") && !billing.contains("mistake") && !billing.contains("outage"), "{billing}");
}

#[test]
fn an_operator_gives_a_customer_more_than_the_plan_has_and_takes_it_back() {
    let api = TestServer::start("prepaid");
    let ana = Operator { api: &api, account: "user:ana" };
    let allowed = || api.get("/api/entitlements?account=user:ana", &api.operator())["entitlements"].clone();
    let styles = || allowed().as_array().expect("a list").iter().find(|row| row["key"] == "styles").cloned();
    let before = styles().expect("a limit")["allowed"].as_i64().expect("a number");
    let given = ana.sends("comp", "entitlement=styles&amount=5&until=2026-02-01&reason=A+contest");
    assert!(given.contains("<q>A contest</q>") && given.contains("<strong>+5</strong>"), "{given}");
    assert_eq!(styles().expect("a limit")["allowed"], json!(before + 5));
    let given = ana.sends("comp", "entitlement=styles&amount=&until=&reason=A+partner");
    assert!(given.contains("<q>A partner</q>") && given.contains("<strong>unlimited</strong>"), "{given}");
    let given = ana.sends("comp", "entitlement=styles&amount=0&until=&reason=No+partner");
    assert!(given.contains("<q>No partner</q>"), "{given}");
    assert_eq!(styles().expect("a limit")["allowed"], json!(before));
    let refused = ana.is_refused("comp", "entitlement=colours&amount=1&until=&reason=None");
    assert!(
        refused.contains("<details open><summary>Give more") && refused.contains("<p class=\"error\">"),
        "{refused}"
    );
}

#[test]
fn an_operator_extends_a_trial_and_refunds_a_part_of_a_purchase() {
    let api = TestServer::start("per-seat");
    // Until 8 January.
    api.stripe(
        "{stripe: customer.subscription.created, id: evt_1, set: {id: sub_1, customer: cus_1, metadata: {user_id: eve}, \
         price: price_company_month_1400, quantity: 9, status: trialing, trial_end: 1767830400}}",
    );
    api.settle();
    let eve = Operator { api: &api, account: "user:eve" };
    assert!(eve.page().contains("The trial ends on Jan 8, 2026."), "{}", eve.page());
    api.answer("*", json!({}));
    let extended = eve.sends("extend_trial", "id=sub_1&by=7d&reason=Waits+for+the+lawyers");
    assert!(extended.contains("<q>Waits for the lawyers</q>"), "{extended}");
    // 15 January, in milliseconds.
    let asked = api.journal().into_iter().any(|entry| format!("{entry:?}").contains("1768435200000"));
    assert!(asked, "{:?}", api.journal());

    let api = TestServer::start("prepaid");
    api.answer("account-customer:*", json!({"id": "cus_ana"}));
    api.sells();
    let bought = api.ok(
        "POST /api/commands/purchase.create?account=user:ana",
        &api.user("ana"),
        &json!({"product_id": "voucher"}),
    );
    let (purchase, session) =
        (bought["purchase_id"].as_str().expect("an id"), bought["session_id"].as_str().expect("an id"));
    api.stripe(&format!(
        "{{stripe: checkout.session.completed, base: checkout.session, id: evt_1, set: {{id: {session}, customer: cus_ana, mode: payment, \
         subscription: null, payment_intent: pi_1, payment_status: paid, amount_subtotal: 1500, amount_total: 1500, \
         metadata: {{purchase_id: {purchase}, user_id: ana}}}}}}"
    ));
    api.settle();
    let ana = Operator { api: &api, account: "user:ana" };
    assert!(ana.page().contains("Refund …"), "{}", ana.page());
    let refused = ana.is_refused("refund_purchase", &format!("id={purchase}&amount=99999&reason=All"));
    assert!(refused.contains("<p class=\"error\">") && refused.contains("value=\"99999\""), "{refused}");
    let sent = ana.sends("refund_purchase", &format!("id={purchase}&amount=500&reason=Half+of+it+was+unused"));
    let refunds: Vec<_> = api.journal().into_iter().filter(|entry| format!("{entry:?}").contains("refund")).collect();
    assert!(format!("{refunds:?}").contains("500"), "{refunds:?}");
    assert!(format!("{refunds:?}").contains("Half of it was unused"), "{refunds:?}");
    assert!(sent.contains("Refund …"), "the rest can be refunded later: {sent}");
}
