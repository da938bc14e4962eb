//! The billing portal: its API, and its pages, with the form posts of a browser.

use local_stripe::server::{Options, Server};
use serde_json::Value;

use crate::client::{Client, id};

/// An account with two monthly plans, a yearly plan, and a customer who subscribed to the first plan.
struct Shop {
    client: Client,
    customer: String,
    subscription: String,
    basic: String,
    pro: String,
    year: String,
    server: local_stripe::server::Server,
}

impl Shop {
    async fn open(card: &str) -> Self {
        Self::open_with(card, Options::default()).await
    }

    async fn open_with(card: &str, options: Options) -> Self {
        let (server, client) = Client::start(options).await;
        let mut prices = Vec::new();
        for (name, unit, interval) in [("Basic", 1_000, "month"), ("Pro", 3_000, "month"), ("Year", 9_000, "year")] {
            let product = id(&client.post("/v1/products", &format!("name={name}")).await);
            let form = format!("product={product}&currency=usd&unit_amount={unit}&recurring[interval]={interval}");
            prices.push(id(&client.post("/v1/prices", &form).await));
        }
        let [basic, pro, year] = <[String; 3]>::try_from(prices).unwrap();
        let method = "payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa";
        let customer = id(&client.post("/v1/customers", &format!("email=a@example.com&{method}")).await);
        let subscription =
            id(&client.post("/v1/subscriptions", &format!("customer={customer}&items[0][price]={basic}")).await);
        if card != "visa" {
            let next = id(&client
                .post(&format!("/v1/payment_methods/pm_card_{card}/attach"), &format!("customer={customer}"))
                .await);
            let form = format!("invoice_settings[default_payment_method]={next}");
            client.post(&format!("/v1/customers/{customer}"), &form).await;
        }
        Self { client, customer, subscription, basic, pro, year, server }
    }

    async fn session(&self, more: &str) -> String {
        let form = format!("customer={}&return_url=http://shop.test/account{more}", self.customer);
        let session = self.client.post("/v1/billing_portal/sessions", &form).await;
        assert_eq!(session["url"], format!("{}/p/session/{}", self.client.base, id(&session)));
        format!("/p/session/{}", id(&session))
    }

    async fn page(&self, path: &str) -> String {
        let page = self.client.form("GET", path, "").await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        page.text
    }

    /// Posts a form, which must redirect, and returns the redirect's target.
    async fn press(&self, path: &str, form: &str) -> String {
        let answer = self.client.form("POST", path, form).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.text);
        answer.header("location").to_owned()
    }

    async fn sub(&self) -> Value {
        self.client.get(&format!("/v1/subscriptions/{}", self.subscription)).await
    }

    /// Returns the types of the newest events, newest first, and the newest event's object.
    async fn events(&self, count: usize) -> (Vec<String>, Value) {
        let list = self.client.get(&format!("/v1/events?limit={count}")).await;
        let all = list["data"].as_array().unwrap();
        (all.iter().map(|e| e["type"].as_str().unwrap().to_owned()).collect(), all[0]["data"].clone())
    }
}

#[tokio::test]
async fn the_first_page_shows_plan_card_and_invoices() {
    let shop = Shop::open("visa").await;
    let home = shop.session("").await;
    let (events, data) = shop.events(1).await;
    assert_eq!(
        (events[0].as_str(), &data["object"]["customer"]),
        ("billing_portal.session.created", &Value::from(shop.customer.as_str()))
    );
    let page = shop.page(&home).await;
    for wanted in [
        "Basic",
        "$10.00",
        "per month",
        "Renews on 1 Dec 2026",
        "Active",
        "•••• 4242",
        "-0001",
        "Paid",
        "http://shop.test/account",
    ] {
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
    assert_eq!(shop.client.form("GET", "/p/session/bps_no", "").await.status, 404);
}

#[tokio::test]
async fn a_plan_is_changed_after_a_preview_that_changes_nothing() {
    let shop = Shop::open("visa").await;
    let home = shop.session("").await;
    let plans = format!("{home}/{}/plans", shop.subscription);
    let offers = shop.page(&plans).await;
    assert!(offers.contains(&shop.pro) && offers.contains(&shop.year) && !offers.contains(&shop.basic));
    let before = (shop.sub().await, shop.events(5).await, shop.client.get("/v1/invoices").await);
    let preview = shop.page(&format!("{plans}/{}", shop.pro)).await;
    for wanted in [
        "Unused time on Basic",
        "-$10.00",
        "Remaining time on Pro",
        "id=\"total\">$20.00",
        "1 Dec 2026",
        "Pay $20.00 and change plan",
    ] {
        assert!(preview.contains(wanted), "{wanted} in {preview}");
    }
    assert_eq!((shop.sub().await, shop.events(5).await, shop.client.get("/v1/invoices").await), before);
    assert_eq!(shop.press(&format!("{plans}/{}", shop.pro), "").await, format!("{home}?done=updated"));
    let sub = shop.sub().await;
    assert_eq!(sub["items"]["data"][0]["price"]["id"], shop.pro.as_str());
    let invoice = shop.client.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap())).await;
    assert_eq!((&invoice["amount_paid"], &invoice["billing_reason"]), (&2_000.into(), &"subscription_update".into()));
    let (events, _) = shop.events(15).await;
    assert!(events.contains(&"customer.subscription.updated".to_owned()), "{events:?}");
    assert!(shop.page(&format!("{home}?done=updated")).await.contains("Your plan was changed."));
}

#[tokio::test]
async fn a_change_ends_a_trial_unless_the_configuration_continues_it() {
    let features = "features[subscription_update][enabled]=true&features[subscription_update][default_allowed_updates][0]=price&features[subscription_update][proration_behavior]=always_invoice";
    for (behavior, due, status) in [("end_trial", "$30.00", "active"), ("continue_trial", "$0.00", "trialing")] {
        let shop = Shop::open("visa").await;
        let form = format!("customer={}&items[0][price]={}&trial_period_days=14", shop.customer, shop.basic);
        let trial = id(&shop.client.post("/v1/subscriptions", &form).await);
        let form = format!("{features}&features[subscription_update][trial_update_behavior]={behavior}");
        let configuration = id(&shop.client.post("/v1/billing_portal/configurations", &form).await);
        let home = shop.session(&format!("&configuration={configuration}")).await;
        assert!(shop.page(&home).await.contains("The trial ends on 15 Nov 2026"));
        let path = format!("{home}/{trial}/plans/{}", shop.pro);
        let preview = shop.page(&path).await;
        assert!(preview.contains(&format!("id=\"total\">{due}")), "{behavior}: {preview}");
        shop.press(&path, "").await;
        assert_eq!(shop.client.get(&format!("/v1/subscriptions/{trial}")).await["status"], status);
    }
}

#[tokio::test]
async fn a_configuration_can_cancel_plans_at_once() {
    let shop = Shop::open("visa").await;
    let form = "features[subscription_cancel][enabled]=true&features[subscription_cancel][mode]=immediately";
    let configuration = id(&shop.client.post("/v1/billing_portal/configurations", form).await);
    let home = shop.session(&format!("&configuration={configuration}")).await;
    let path = format!("{home}/{}/cancel", shop.subscription);
    assert!(shop.page(&path).await.contains("It ends at once."));
    shop.press(&path, "").await;
    assert_eq!(shop.events(1).await.0, ["customer.subscription.deleted"]);
    assert!(shop.page(&home).await.contains("There is no current plan."));
    assert_eq!(shop.client.form("POST", &path, "").await.status, 404, "there is nothing left to cancel");
}

#[tokio::test]
async fn a_state_file_stores_the_portals_changes() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { state: Some(folder.path().join("state")), ..Options::default() };
    let shop = Shop::open_with("visa", options.clone()).await;
    let plan = format!("{}/{}/plans/{}", shop.session("").await, shop.subscription, shop.pro);
    shop.page(&plan).await;
    shop.press(&plan, "").await;
    let customer = id(&shop.client.post("/v1/customers", "").await);
    let before = shop.sub().await;
    drop(shop.server);
    // The state file stays locked until the tasks of the dropped server end.
    let mut again = Server::start(options.clone()).await;
    for _ in 0..100 {
        if again.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        again = Server::start(options.clone()).await;
    }
    let server = again.unwrap_or_else(|error| panic!("{error}"));
    let client = Client::new(&server.url());
    assert_eq!(client.get(&format!("/v1/subscriptions/{}", shop.subscription)).await, before);
    client.get(&format!("/v1/customers/{customer}")).await;
}

#[tokio::test]
async fn a_refused_payment_does_not_change_the_plan() {
    let shop = Shop::open("chargeCustomerFail").await;
    let path = format!("{}/{}/plans/{}", shop.session("").await, shop.subscription, shop.pro);
    let before = shop.sub().await;
    let answer = shop.client.form("POST", &path, "").await;
    assert!(answer.status == 402 && answer.text.contains("Your card was declined."), "{}", answer.text);
    assert_eq!(shop.sub().await, before);
}

#[tokio::test]
async fn a_change_that_requires_authentication_is_pending_until_it_passes() {
    for (outcome, words) in [("success", "Your plan was changed."), ("failure", "Your plan was not changed")] {
        let shop = Shop::open("authenticationRequired").await;
        let home = shop.session("").await;
        let step = shop.press(&format!("{home}/{}/plans/{}", shop.subscription, shop.pro), "").await;
        assert!(step.starts_with("/_sandbox/3ds/pi_"), "{step}");
        assert!(shop.page(&step).await.contains("$20.00"));
        assert_eq!(shop.sub().await["items"]["data"][0]["price"]["id"], shop.basic.as_str());
        let back = shop.press(&step, &format!("outcome={outcome}")).await;
        let page = shop.page(back.strip_prefix(shop.client.base.as_str()).unwrap()).await;
        assert!(page.contains(words), "{page}");
        let wanted = if outcome == "success" { &shop.pro } else { &shop.basic };
        assert_eq!(shop.sub().await["items"]["data"][0]["price"]["id"], wanted.as_str());
    }
}

#[tokio::test]
async fn a_plan_is_cancelled_and_resumed() {
    let shop = Shop::open("visa").await;
    let home = shop.session("").await;
    let base = format!("{home}/{}", shop.subscription);
    let question = shop.page(&format!("{base}/cancel")).await;
    assert!(question.contains("1 Dec 2026") && question.contains("too expensive"), "{question}");
    shop.press(&format!("{base}/cancel"), "feedback=unused").await;
    let (events, data) = shop.events(1).await;
    assert_eq!(events, ["customer.subscription.updated"]);
    let ended = &data["object"];
    assert_eq!(
        (&ended["cancel_at_period_end"], &ended["cancellation_details"]["feedback"]),
        (&true.into(), &"unused".into())
    );
    assert_eq!(data["previous_attributes"]["cancel_at_period_end"], false);
    assert!(shop.page(&format!("{home}?done=cancelled")).await.contains("Ends on 1 Dec 2026"));
    shop.press(&format!("{base}/resume"), "").await;
    assert_eq!(shop.sub().await["cancel_at_period_end"], false);
    assert_eq!(shop.client.form("POST", &format!("{base}/resume"), "").await.status, 400, "no cancellation to revoke");
}

#[tokio::test]
async fn a_new_card_replaces_the_customers_and_the_subscriptions_card() {
    let shop = Shop::open("visa").await;
    let old = shop.client.get(&format!("/v1/customers/{}", shop.customer)).await["invoice_settings"]["default_payment_method"].clone();
    let form = format!("default_payment_method={}", old.as_str().unwrap());
    shop.client.post(&format!("/v1/subscriptions/{}", shop.subscription), &form).await;
    let path = format!("{}/card", shop.session("").await);
    let declined = shop.client.form("POST", &path, "number=4000000000000002&expiry=12 / 34&cvc=987&name=A").await;
    assert_eq!(declined.status, 402);
    assert!(declined.text.contains("4000000000000002") && !declined.text.contains("987"), "{}", declined.text);
    shop.press(&path, "number=5555555555554444&expiry=12 / 34&cvc=123&name=A").await;
    let (events, _) = shop.events(3).await;
    assert_eq!(events, ["customer.subscription.updated", "customer.updated", "payment_method.attached"]);
    let new = shop.client.get(&format!("/v1/customers/{}", shop.customer)).await["invoice_settings"]["default_payment_method"].clone();
    assert!(new != old && shop.sub().await["default_payment_method"] == new);
    assert!(shop.page(&shop.session("").await).await.contains("Mastercard •••• 4444"));
}

#[tokio::test]
async fn a_session_expires_after_an_hour_and_is_limited_to_its_customer() {
    let shop = Shop::open("visa").await;
    let home = shop.session("").await;
    let stranger = id(&shop.client.post("/v1/customers", "").await);
    let theirs = shop.client.post("/v1/billing_portal/sessions", &format!("customer={stranger}")).await;
    let path = format!("/p/session/{}/{}/cancel", id(&theirs), shop.subscription);
    assert_eq!(shop.client.form("POST", &path, "").await.status, 404);
    assert_eq!(
        shop.client.form("POST", &format!("{home}/{}/plans/price_none", shop.subscription), "").await.status,
        400
    );
    shop.client.post("/_sandbox/clock", "advance_by=3599").await;
    shop.page(&home).await;
    shop.client.post("/_sandbox/clock", "advance_by=1").await;
    for path in [home.clone(), format!("{home}/card"), format!("{home}/{}/cancel", shop.subscription)] {
        let page = shop.client.form("GET", &path, "").await;
        assert!(page.status == 410 && page.text.contains("expired"), "{}", page.text);
    }
    let cancel = shop.client.form("POST", &format!("{home}/{}/cancel", shop.subscription), "").await;
    assert_eq!((cancel.status, &shop.sub().await["cancel_at_period_end"]), (410, &false.into()));
    let direct = home.replace("/p/session/", "/_sandbox/portal/");
    let form = format!("subscription={}", shop.subscription);
    assert_eq!(shop.client.form("POST", &format!("{direct}/cancel"), &form).await.status, 400);
}

#[tokio::test]
async fn configurations_decide_what_the_page_offers() {
    let shop = Shop::open("visa").await;
    let all = shop.client.get("/v1/billing_portal/configurations").await;
    assert_eq!((all["data"].as_array().unwrap().len(), &all["data"][0]["is_default"]), (1, &true.into()));
    let own = id(&all["data"][0]);
    assert_eq!(shop.client.get(&format!("/v1/billing_portal/configurations/{own}")).await, all["data"][0]);
    let pro = shop.client.get(&format!("/v1/prices/{}", shop.pro)).await["product"].as_str().unwrap().to_owned();
    let made = shop
        .client
        .post(
            "/v1/billing_portal/configurations",
            &format!(
                "features[subscription_update][enabled]=true&features[subscription_update][default_allowed_updates][0]=price&features[subscription_update][products][0][product]={pro}&features[subscription_update][products][0][prices][0]={}&expand[]=features.subscription_update.products",
                shop.pro
            ),
        )
        .await;
    assert_eq!(made["features"]["subscription_update"]["products"][0]["prices"][0], shop.pro.as_str());
    assert_eq!(shop.events(1).await.0, ["billing_portal.configuration.created"]);
    let home = shop.session(&format!("&configuration={}", id(&made))).await;
    let page = shop.page(&home).await;
    for (part, there) in
        [("id=\"change\"", true), ("id=\"end\"", false), ("id=\"card\"", false), ("id=\"invoices\"", false)]
    {
        assert_eq!(page.contains(part), there, "{part} in {page}");
    }
    let offers = shop.page(&format!("{home}/{}/plans", shop.subscription)).await;
    assert!(offers.contains(&shop.pro) && !offers.contains(&shop.year));
    for hidden in ["card".to_owned(), format!("{}/cancel", shop.subscription)] {
        assert_eq!(shop.client.form("GET", &format!("{home}/{hidden}"), "").await.status, 404, "{hidden}");
    }
    let path = format!("/v1/billing_portal/configurations/{}", id(&made));
    let changed = shop.client.post(&path, "features[subscription_cancel][enabled]=true&active=false").await;
    assert_eq!(
        (&changed["features"]["subscription_cancel"]["enabled"], &changed["active"]),
        (&true.into(), &false.into())
    );
    assert_eq!(changed["features"]["subscription_update"]["enabled"], true, "omitted members stay unchanged");
    assert_eq!(shop.events(1).await.0, ["billing_portal.configuration.updated"]);
    let inactive = format!("customer={}&configuration={}", shop.customer, id(&made));
    assert_eq!(shop.client.form("POST", "/v1/billing_portal/sessions", &inactive).await.status, 400);
    let renamed = shop.client.post(&format!("/v1/billing_portal/configurations/{own}"), "name=Ours").await;
    assert_eq!((&renamed["name"], &renamed["is_default"]), (&"Ours".into(), &true.into()));
    let listed = shop.client.get("/v1/billing_portal/configurations").await;
    assert_eq!(listed["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn flows_open_their_page_and_redirect_after_completion() {
    let shop = Shop::open("visa").await;
    let sub = shop.subscription.clone();
    let item = id(&shop.sub().await["items"]["data"][0]);
    let then = "&flow_data[after_completion][type]=redirect&flow_data[after_completion][redirect][return_url]=http://shop.test/done";
    let confirm = format!(
        "&flow_data[type]=subscription_update_confirm&flow_data[subscription_update_confirm][subscription]={sub}&flow_data[subscription_update_confirm][items][0][id]={item}&flow_data[subscription_update_confirm][items][0][price]={}{then}",
        shop.pro
    );
    let told = "&flow_data[after_completion][type]=hosted_confirmation&flow_data[after_completion][hosted_confirmation][custom_message]=See you again";
    let cancel =
        format!("&flow_data[type]=subscription_cancel&flow_data[subscription_cancel][subscription]={sub}{told}");
    let update = format!("&flow_data[type]=subscription_update&flow_data[subscription_update][subscription]={sub}");
    for (flow, place) in [
        (confirm.clone(), format!("/{sub}/plans/{}", shop.pro)),
        (cancel.clone(), format!("/{sub}/cancel")),
        (update, format!("/{sub}/plans")),
        ("&flow_data[type]=payment_method_update".to_owned(), "/card".to_owned()),
    ] {
        let home = shop.session(&flow).await;
        let start = shop.client.form("GET", &home, "").await;
        assert_eq!((start.status, start.header("location")), (303, format!("{home}{place}").as_str()));
        assert!(shop.page(&format!("{home}?home")).await.contains("Current plan"));
    }
    let home = shop.session(&confirm).await;
    assert_eq!(shop.press(&format!("{home}/{sub}/plans/{}", shop.pro), "").await, "http://shop.test/done");
    let home = shop.session(&cancel).await;
    let done = shop.client.form("POST", &format!("{home}/{sub}/cancel"), "").await;
    assert!(done.status == 200 && done.text.contains("See you again"), "{}", done.text);
    for wrong in [
        "&flow_data[type]=subscription_cancel",
        "&flow_data[type]=subscription_cancel&flow_data[subscription_cancel][subscription]=sub_none",
        "&flow_data[type]=nothing",
    ] {
        let form = format!("customer={}{wrong}", shop.customer);
        assert_eq!(shop.client.form("POST", "/v1/billing_portal/sessions", &form).await.status, 400, "{wrong}");
    }
}
