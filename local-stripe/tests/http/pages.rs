//! The buyer's pages, requested without a browser.

use local_stripe::server::Options;
use local_stripe::settings::Settings;

use crate::client::{Client, TestResponse, id};

async fn session(client: &Client, mode: &str) -> String {
    let product = id(&client.post("/v1/products", "name=<b>Shirt</b>").await);
    let recurring = if mode == "subscription" { "&recurring[interval]=month" } else { "" };
    let price =
        id(&client.post("/v1/prices", &format!("product={product}&currency=usd&unit_amount=1500{recurring}")).await);
    let form = format!(
        "mode={mode}&line_items[0][price]={price}&line_items[0][quantity]=2&success_url=http://shop.test/ok?s={{CHECKOUT_SESSION_ID}}&cancel_url=http://shop.test/no"
    );
    id(&client.post("/v1/checkout/sessions", &form).await)
}

fn card(number: &str) -> String {
    format!("number={number}&expiry=12 / 34&cvc=123&email=a@example.com&name=A")
}

#[tokio::test]
async fn the_form_is_marked_as_a_sandbox_and_escapes_values() {
    let (_server, client) = Client::start(Options::default()).await;
    let page = client.form("GET", &format!("/c/pay/{}", session(&client, "payment").await), "").await;
    assert_eq!(page.status, 200);
    for wanted in ["Local sandbox", "&lt;b&gt;Shirt", "$30.00", "http://shop.test/no", "name=\"number\""] {
        assert!(page.text.contains(wanted), "{wanted} in {}", page.text);
    }
    assert!(!page.text.contains("<b>Shirt"));
    assert_eq!(client.form("GET", "/c/pay/cs_test_no", "").await.status, 404);
}

#[tokio::test]
async fn a_declined_session_can_be_paid_in_payment_and_subscription_mode() {
    let (_server, client) = Client::start(Options::default()).await;
    for mode in ["payment", "subscription"] {
        let session = session(&client, mode).await;
        let path = format!("/c/pay/{session}");
        for (number, words) in [
            ("4000 0000 0000 0002", "Your card was declined."),
            ("4242", "Your card number is incorrect."),
            ("4000000000009995", "insufficient funds"),
        ] {
            let page = client.form("POST", &path, &card(number)).await;
            assert_eq!(page.status, 402, "{}", page.text);
            assert!(page.text.contains(words), "{words} in {}", page.text);
        }
        let paid = client.form("POST", &path, &card("4242 4242 4242 4242")).await;
        assert_eq!(
            (paid.status, paid.header("location")),
            (303, format!("http://shop.test/ok?s={session}").as_str()),
            "{}",
            paid.text
        );
        assert!(client.form("GET", &path, "").await.text.contains("This checkout is over"));
        assert_eq!(client.get(&format!("/v1/checkout/sessions/{session}")).await["status"], "complete");
    }
}

// covers: BOT-44
#[tokio::test]
async fn three_d_secure_can_fail_and_succeed() {
    let (_server, client) = Client::start(Options::default()).await;
    for mode in ["payment", "subscription"] {
        let session = session(&client, mode).await;
        for (outcome, status) in [("failure", 402), ("success", 303)] {
            let asked = client.form("POST", &format!("/c/pay/{session}"), &card("4000002500003155")).await;
            assert_eq!(asked.status, 303);
            let step = asked.header("location").strip_prefix(client.base.as_str()).unwrap().to_owned();
            assert!(client.form("GET", &step, "").await.text.contains("Complete authentication"));
            let answer = client.form("POST", &step, &format!("outcome={outcome}")).await;
            assert_eq!(answer.status, status, "{mode} {outcome} {}", answer.text);
        }
        assert_eq!(client.get(&format!("/v1/checkout/sessions/{session}")).await["payment_status"], "paid");
    }
}

/// Returns the value of a field on a page.
fn value_of<'p>(page: &'p str, id: &str) -> &'p str {
    let input = page.split("<input ").find(|i| i.starts_with(&format!("id=\"{id}\""))).unwrap_or_default();
    input.split("value=\"").nth(1).and_then(|v| v.split('"').next()).unwrap_or_else(|| panic!("no {id} in {page}"))
}

#[tokio::test]
async fn a_decline_keeps_the_input_except_the_cvc_and_possibly_real_numbers() {
    let (_server, client) = Client::start(Options::default()).await;
    let path = format!("/c/pay/{}", session(&client, "subscription").await);
    let page = client.form("POST", &path, &card("4000 0000 0000 0002")).await.text;
    for (field, kept) in [
        ("email", "a@example.com"),
        ("cardNumber", "4000 0000 0000 0002"),
        ("cardExpiry", "12 / 34"),
        ("cardCvc", ""),
        ("billingName", "A"),
    ] {
        assert_eq!(value_of(&page, field), kept, "{field}");
    }
    assert!(page.contains("aria-describedby=\"error\"") && page.contains("role=\"alert\""));
    let before = client.get("/v1/events").await["data"].as_array().unwrap().len();
    let page = client.form("POST", &path, &card("4111 1111 1111 1111")).await;
    assert_eq!((page.status, value_of(&page.text, "cardNumber")), (402, ""));
    assert!(!page.text.contains("4111") && page.text.contains("never a real one"));
    assert_eq!(client.get("/v1/events").await["data"].as_array().unwrap().len(), before);
}

#[tokio::test]
async fn a_missing_value_is_reported_at_its_field() {
    let (_server, client) = Client::start(Options::default()).await;
    let path = format!("/c/pay/{}", session(&client, "payment").await);
    for (typed, field, words) in [
        ("number=4242424242424242&expiry=12&cvc=123", "cardExpiry", "expiration date is incomplete"),
        ("number=4242424242424242&expiry=13 / 34&cvc=123", "cardExpiry", "expiration month is invalid"),
        ("number=4242424242424242&expiry=01 / 20&cvc=123", "cardExpiry", "expiration year is invalid"),
        ("number=4242424242424242&expiry=12 / 34&cvc=12", "cardCvc", "security code is incomplete"),
        ("number=4000000000000127&expiry=12 / 34&cvc=123", "cardCvc", "security code is incorrect"),
        ("", "cardExpiry", "incomplete"),
    ] {
        let page = client.form("POST", &path, typed).await;
        let marked = page.text.split("<input ").find(|i| i.contains("aria-invalid")).unwrap_or_default();
        assert!(page.status == 402 && page.text.contains(words), "{typed}: {}", page.text);
        assert!(marked.starts_with(&format!("id=\"{field}\"")), "{typed}: {marked}");
    }
}

#[tokio::test]
async fn markup_in_values_is_shown_as_text() {
    let hostile = "</style><script>alert(1)</script>\"'><img src=x>";
    // The part of `hostile` without spaces, which a URL may not contain.
    let in_url = "</style><script>alert(1)</script>\"'>";
    let settings = Settings { business_name: hostile.to_owned(), ..Settings::default() };
    let (_server, client) = Client::start(Options { settings, ..Options::default() }).await;
    let product = id(&client.post("/v1/products", &format!("name={hostile}")).await);
    let price = id(&client
        .post("/v1/prices", &format!("product={product}&currency=usd&unit_amount=1500&recurring[interval]=month"))
        .await);
    let lines = format!("line_items[0][price]={price}&line_items[0][quantity]=1");
    let form =
        format!("mode=subscription&{lines}&success_url=http://x.test/{in_url}&cancel_url=http://x.test/{in_url}");
    let session = id(&client.post("/v1/checkout/sessions", &form).await);
    let path = format!("/c/pay/{session}");
    let typed = format!("number={hostile}&expiry={hostile}&cvc={hostile}&email={hostile}&name={hostile}");
    let customer = id(&client
        .post(
            "/v1/customers",
            &format!(
                "name={hostile}&payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa"
            ),
        )
        .await);
    let sub = client.post("/v1/subscriptions", &format!("customer={customer}&items[0][price]={price}")).await;
    let features = "features[subscription_update][enabled]=true&features[subscription_cancel][enabled]=true&features[invoice_history][enabled]=true";
    let configuration = id(&client
        .post(
            "/v1/billing_portal/configurations",
            &format!("{features}&business_profile[headline]={hostile}&business_profile[privacy_policy_url]=http://x.test/{in_url}"),
        )
        .await);
    let portal = client
        .post(
            "/v1/billing_portal/sessions",
            &format!("customer={customer}&configuration={configuration}&return_url=http://x.test/{in_url}"),
        )
        .await;
    let portal = portal["url"].as_str().unwrap().strip_prefix(client.base.as_str()).unwrap().to_owned();
    let invoice = sub["latest_invoice"].as_str().unwrap();
    let pages = [
        client.form("GET", &path, "").await,
        client.form("POST", &path, &typed).await,
        client.form("GET", &portal, "").await,
        client.form("GET", &format!("{portal}/{}/cancel", id(&sub)), "").await,
        client.form("GET", &format!("{portal}/{}/plans", id(&sub)), "").await,
        client.form("GET", &format!("/_sandbox/invoices/{invoice}"), "").await,
        client.form("GET", "/c/pay/none", "").await,
        client.form("GET", "/_sandbox/icon.svg", "").await,
    ];
    for page in pages {
        assert!(!page.text.contains("<script>") && !page.text.contains("<img"), "{}", page.text);
        assert!(!page.text.contains("</style>"), "{}", page.text);
    }
}

#[tokio::test]
async fn only_web_urls_are_linked_or_redirected_to() {
    let (_server, client) = Client::start(Options::default()).await;
    let product = id(&client.post("/v1/products", "name=Shirt").await);
    let price = id(&client.post("/v1/prices", &format!("product={product}&currency=usd&unit_amount=1500")).await);
    let customer = id(&client.post("/v1/customers", "").await);
    for bad in ["javascript:alert(1)", "JavaScript://x.test/%0aalert(1)", "data:text/html,x", "/_sandbox/settings"] {
        let lines = format!("line_items[0][price]={price}&line_items[0][quantity]=1");
        let session = |urls: &str| format!("mode=payment&{lines}&{urls}");
        for (path, form, param) in [
            ("/v1/checkout/sessions", session(&format!("success_url={bad}")), "success_url"),
            ("/v1/checkout/sessions", session(&format!("success_url=https://x.test&cancel_url={bad}")), "cancel_url"),
            ("/v1/billing_portal/sessions", format!("customer={customer}&return_url={bad}"), "return_url"),
        ] {
            let refused = client.form("POST", path, &form).await;
            assert_eq!((refused.status, refused.json()["error"]["param"].as_str()), (400, Some(param)), "{form}");
        }
    }
}

#[tokio::test]
async fn pages_and_assets_have_security_headers() {
    let (_server, client) = Client::start(Options::default()).await;
    let page = client.form("GET", &format!("/c/pay/{}", session(&client, "payment").await), "").await;
    let policy = page.header("content-security-policy");
    for wanted in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(wanted) && !policy.contains("unsafe"), "{policy}");
    }
    assert_eq!(
        (page.header("x-content-type-options"), page.header("referrer-policy"), page.header("cache-control")),
        ("nosniff", "no-referrer", "no-store")
    );
    assert!(!page.text.contains("<style") && !page.text.contains(" style="), "{}", page.text);
    for (path, kind) in [("page.css", "text/css"), ("page.js", "text/javascript"), ("icon.svg", "image/svg+xml")] {
        let part = client.form("GET", &format!("/_sandbox/{path}"), "").await;
        assert!(part.status == 200 && part.header("content-type").starts_with(kind), "{path}");
        assert_eq!(part.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn pages_show_the_businesss_name_and_colour() {
    let (_server, client) = Client::start(Options::default()).await;
    let css = |answer: TestResponse| answer.text.lines().next().unwrap_or_default().to_owned();
    assert_eq!(css(client.form("GET", "/_sandbox/page.css", "").await), ":root{--brand:#635bff;--on-brand:#ffffff}");
    client.post("/_sandbox/settings", "business_name=Bergkaffee&brand_colour=#FFD60A").await;
    assert_eq!(css(client.form("GET", "/_sandbox/page.css", "").await), ":root{--brand:#ffd60a;--on-brand:#000000}");
    let page = client.form("GET", &format!("/c/pay/{}", session(&client, "payment").await), "").await;
    assert!(page.text.contains("Bergkaffee"));
    for wrong in ["brand_colour=red", "brand_colour=#63;}*{", "business_name= "] {
        assert_eq!(client.form("POST", "/_sandbox/settings", wrong).await.status, 400, "{wrong}");
    }
    let customer = id(&client.post("/v1/customers", "").await);
    let invoice = client.post("/v1/invoices", &format!("customer={customer}")).await;
    assert_eq!(invoice["account_name"], "Bergkaffee");
    let emptied = client.post("/_sandbox/settings", "brand_colour=").await;
    assert_eq!((&emptied["brand_colour"], &emptied["business_name"]), (&"#635bff".into(), &"Bergkaffee".into()));
}

#[tokio::test]
async fn a_trial_shows_the_amounts_due_now_and_later() {
    let (_server, client) = Client::start(Options::default()).await;
    let product = id(&client.post("/v1/products", "name=Pro").await);
    let price = id(&client
        .post("/v1/prices", &format!("product={product}&currency=usd&unit_amount=2000&recurring[interval]=month"))
        .await);
    let form = format!(
        "mode=subscription&line_items[0][price]={price}&line_items[0][quantity]=1&success_url=http://x.test&subscription_data[trial_period_days]=14"
    );
    let session = id(&client.post("/v1/checkout/sessions", &form).await);
    let page = client.form("GET", &format!("/c/pay/{session}"), "").await.text;
    for wanted in [
        "14 days free",
        "Then $20.00 per month",
        "Total due today</dt><dd id=\"total\">$0.00",
        "From 15 Nov 2026",
        "Start trial",
    ] {
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
}

#[tokio::test]
async fn the_page_of_an_invoice_shows_discounts_and_taxes_that_add_up() {
    let (_server, client) = Client::start(Options::default()).await;
    let customer = id(&client.post("/v1/customers", "email=a@example.com").await);
    client.post("/v1/coupons", "id=HALF&percent_off=50").await;
    client.post("/v1/coupons", "id=FIFTH&percent_off=20").await;
    let rate =
        |inclusive: bool, percentage: &str| format!("display_name=VAT&inclusive={inclusive}&percentage={percentage}");
    let added = id(&client.post("/v1/tax_rates", &rate(false, "10")).await);
    let included = id(&client.post("/v1/tax_rates", &rate(true, "25")).await);
    let item = format!("customer={customer}&currency=usd");
    let discounted = format!("{item}&amount=4000&discounts[0][coupon]=HALF&tax_rates[0]={added}");
    client.post("/v1/invoiceitems", &discounted).await;
    client.post("/v1/invoiceitems", &format!("{item}&amount=1000&tax_rates[0]={included}")).await;
    let form = format!("customer={customer}&pending_invoice_items_behavior=include&discounts[0][coupon]=FIFTH");
    let invoice = client.post("/v1/invoices", &form).await;
    // 20.00 and 10.00, less a fifth; 10 % of 16.00 is added, and 8.00 includes 1.60.
    assert_eq!((&invoice["subtotal"], &invoice["total"]), (&3_000.into(), &2_560.into()));
    let invoice = id(&invoice);
    client.post(&format!("/v1/invoices/{invoice}/finalize"), "").await;
    let page = client.form("GET", &format!("/_sandbox/invoices/{invoice}"), "").await.text;
    for (row, amount) in [
        ("Subtotal", "$30.00"),
        ("Discount", "-$6.00"),
        ("Tax", "$1.60"),
        ("Total", "$25.60"),
        ("Tax included", "$1.60"),
    ] {
        assert!(page.contains(&format!("<dt>{row}</dt><dd>{amount}</dd>")), "{row} {amount}: {page}");
    }
    let shown = client.get(&format!("/v1/invoices/{invoice}")).await;
    let path = shown["invoice_pdf"].as_str().unwrap().split_once("/_sandbox").unwrap().1;
    let file = client.form("GET", &format!("/_sandbox{path}"), "").await;
    assert_eq!(file.header("content-type"), "application/pdf");
    assert!(file.text.starts_with("%PDF-"), "{}", file.text);
    for text in ["Subtotal", "$30.00", "Discount", "-$6.00", "Tax included", "$25.60"] {
        assert!(file.text.contains(&format!("({text})")), "{text}: {}", file.text);
    }
}

#[tokio::test]
async fn an_open_invoice_is_paid_on_its_page() {
    let (_server, client) = Client::start(Options::default()).await;
    let customer = id(&client.post("/v1/customers", "email=a@example.com").await);
    for (number, outcome) in
        [("4242424242424242", ""), ("4000002760003184", "success"), ("4000002760003184", "failure")]
    {
        client.post("/v1/invoiceitems", &format!("customer={customer}&amount=4200&currency=usd")).await;
        let form = format!(
            "customer={customer}&collection_method=send_invoice&days_until_due=14&pending_invoice_items_behavior=include"
        );
        let invoice = id(&client.post("/v1/invoices", &form).await);
        client.post(&format!("/v1/invoices/{invoice}/finalize"), "").await;
        let path = format!("/_sandbox/invoices/{invoice}");
        let page = client.form("GET", &path, "").await.text;
        assert!(page.contains("Pay $42.00") && page.contains("15 Nov 2026"), "{page}");
        let declined = client.form("POST", &path, &card("4000000000000002")).await;
        assert_eq!((declined.status, value_of(&declined.text, "cardCvc")), (402, ""));
        let sent = client.form("POST", &path, &card(number)).await;
        assert_eq!(sent.status, 303, "{}", sent.text);
        if !outcome.is_empty() {
            let step = sent.header("location").to_owned();
            let answered = client.form("POST", &step, &format!("outcome={outcome}")).await;
            assert_eq!(answered.header("location"), path);
        }
        let wanted = if outcome == "failure" { "open" } else { "paid" };
        assert_eq!(client.get(&format!("/v1/invoices/{invoice}")).await["status"], wanted);
        assert_eq!(client.form("GET", &path, "").await.text.contains("id=\"submit\""), wanted == "open");
    }
    let charges = client.get("/v1/charges").await;
    let paid = charges["data"].as_array().unwrap().iter().find(|c| c["paid"] == true).unwrap();
    let page = client.form("GET", &format!("/_sandbox/receipts/{}", id(paid)), "").await.text;
    assert!(page.contains("$42.00") && page.contains("Succeeded"), "{page}");
}

#[tokio::test]
async fn the_buyer_gives_a_country_and_sees_the_tax_before_paying() {
    let (_server, client) = Client::start(Options::default()).await;
    client.post("/v1/tax/settings", "head_office[address][country]=DE&defaults[tax_behavior]=exclusive").await;
    let registration = "country=DE&active_from=now&country_options[de][type]=standard&country_options[de][standard][place_of_supply_scheme]=standard";
    client.post("/v1/tax/registrations", registration).await;
    let price = id(&client.post("/v1/prices", "product_data[name]=Shirt&currency=usd&unit_amount=1500").await);
    let form = format!(
        "mode=payment&success_url=https://a.example&line_items[0][price]={price}&line_items[0][quantity]=1&automatic_tax[enabled]=true"
    );
    let session = id(&client.post("/v1/checkout/sessions", &form).await);
    let path = format!("/c/pay/{session}");
    assert!(client.form("GET", &path, "").await.text.contains("Compute the tax"));
    let refused = client.form("POST", &path, &card("4242424242424242")).await;
    assert!(refused.status == 402 && refused.text.contains("Set a valid customer address"), "{}", refused.text);
    let refused = client.form("POST", &format!("{path}/address"), "country=US").await;
    assert!(refused.status == 402 && refused.text.contains("location"), "{}", refused.text);
    assert_eq!(client.form("POST", &format!("{path}/address"), "country=de").await.status, 303);
    // 19 % of 15.00 is 2.85.
    let page = client.form("GET", &path, "").await.text;
    assert!(page.contains("<dt>Tax</dt><dd>$2.85</dd>") && page.contains("Pay $17.85"), "{page}");
    assert_eq!(value_of(&page, "country"), "DE");
    assert_eq!(client.form("POST", &path, &card("4242424242424242")).await.status, 303);
    assert_eq!(client.get("/v1/charges").await["data"][0]["amount"], 1_785);
}

#[tokio::test]
async fn a_promotion_code_is_applied_and_removed() {
    let (_server, client) = Client::start(Options::default()).await;
    client.post("/v1/coupons", "id=HALF&percent_off=50&duration=once").await;
    client.post("/v1/promotion_codes", "coupon=HALF&code=Welcome").await;
    let product = id(&client.post("/v1/products", "name=Shirt").await);
    let price = id(&client.post("/v1/prices", &format!("product={product}&currency=usd&unit_amount=1500")).await);
    let form = format!(
        "mode=payment&line_items[0][price]={price}&line_items[0][quantity]=1&success_url=https://x.test&allow_promotion_codes=true"
    );
    let path = format!("/c/pay/{}", id(&client.post("/v1/checkout/sessions", &form).await));
    let code = format!("{path}/code");
    let wrong = client.form("POST", &code, "code=nothing").await;
    assert!(wrong.status == 402 && wrong.text.contains("This code is invalid."), "{}", wrong.text);
    assert_eq!(client.form("POST", &code, "code=WELCOME").await.status, 303);
    let page = client.form("GET", &path, "").await;
    for wanted in ["id=\"total\">$7.50", "-$7.50", "Remove the code"] {
        assert!(page.text.contains(wanted), "{wanted} in {}", page.text);
    }
    assert_eq!(client.form("POST", &code, "").await.status, 303);
    assert!(client.form("GET", &path, "").await.text.contains("id=\"total\">$15.00"));
    client.form("POST", &code, "code=welcome").await;
    assert_eq!(client.form("POST", &path, &card("4242424242424242")).await.header("location"), "https://x.test");
    let paid = client.get("/v1/payment_intents").await;
    assert_eq!(paid["data"][0]["amount_received"], 750);
}

#[tokio::test]
async fn setup_mode_saves_a_card_and_a_free_trial_requires_none() {
    let (_server, client) = Client::start(Options::default()).await;
    let customer = id(&client.post("/v1/customers", "").await);
    let form = format!("mode=setup&success_url=https://x.test/saved&customer={customer}");
    let path = format!("/c/pay/{}", id(&client.post("/v1/checkout/sessions", &form).await));
    let page = client.form("GET", &path, "").await;
    assert!(page.text.contains("Save your card") && !page.text.contains("id=\"total\""), "{}", page.text);
    let saved = client.form("POST", &path, &card("4242424242424242")).await;
    assert_eq!(saved.header("location"), "https://x.test/saved");
    let kept = client.get(&format!("/v1/customers/{customer}/payment_methods")).await;
    assert_eq!(kept["data"].as_array().unwrap().len(), 1);
    let product = id(&client.post("/v1/products", "name=Pro").await);
    let price = format!("product={product}&currency=usd&unit_amount=1500&recurring[interval]=month");
    let price = id(&client.post("/v1/prices", &price).await);
    let form = format!(
        "mode=subscription&line_items[0][price]={price}&line_items[0][quantity]=1&success_url=https://x.test/trial\
         &payment_method_collection=if_required&subscription_data[trial_period_days]=14"
    );
    let path = format!("/c/pay/{}", id(&client.post("/v1/checkout/sessions", &form).await));
    let page = client.form("GET", &path, "").await;
    assert!(page.text.contains("Nothing to pay today") && !page.text.contains("cardNumber"), "{}", page.text);
    let begun = client.form("POST", &path, "email=buyer@example.com").await;
    assert_eq!(begun.header("location"), "https://x.test/trial");
    assert_eq!(client.get("/v1/subscriptions").await["data"][0]["status"], "trialing");
}

#[tokio::test]
async fn a_connected_account_is_onboarded_on_its_page() {
    let (_server, client) = Client::start(Options::default()).await;
    let seller = id(&client.post("/v1/accounts", "capabilities[transfers][requested]=true").await);
    let form =
        format!("account={seller}&type=account_onboarding&return_url=https://x.test/back&collect=eventually_due");
    let link = client.post("/v1/account_links", &form).await;
    let path = link["url"].as_str().unwrap().strip_prefix(client.base.as_str()).unwrap().to_owned();
    let page = client.form("GET", &path, "").await.text;
    assert!(page.contains(&seller) && page.contains("Still due: business_profile.url, external_account"), "{page}");
    assert_eq!(client.form("POST", &path, "").await.header("location"), "https://x.test/back");
    assert_eq!(client.get(&format!("/v1/accounts/{seller}")).await["capabilities"]["transfers"], "active");
    client.post("/_sandbox/clock", "advance_by=301").await;
    assert_eq!(client.form("GET", &path, "").await.status, 404);
}

#[tokio::test]
async fn the_buyer_can_save_the_card_if_the_session_offers_it() {
    let (_server, client) = Client::start(Options::default()).await;
    let price = id(&client.post("/v1/prices", "product_data[name]=Shirt&currency=usd&unit_amount=1500").await);
    let ask = "&saved_payment_method_options[payment_method_save]=enabled";
    for (more, box_is_there) in [("", false), (ask, true)] {
        let form = format!(
            "mode=payment&line_items[0][price]={price}&line_items[0][quantity]=1&success_url=http://shop.test/ok{more}"
        );
        let session = id(&client.post("/v1/checkout/sessions", &form).await);
        let path = format!("/c/pay/{session}");
        let page = client.form("GET", &path, "").await;
        assert_eq!(page.text.contains("name=\"save\""), box_is_there, "{}", page.text);
        if !box_is_there {
            continue;
        }
        // A ticked box stays ticked after a decline.
        let declined = client.form("POST", &path, &format!("{}&save=on", card("4000000000000002"))).await;
        assert!(declined.text.contains("type=\"checkbox\" checked"), "{}", declined.text);
        assert_eq!(client.form("POST", &path, &format!("{}&save=on", card("4242424242424242"))).await.status, 303);
        let paid = client.get(&format!("/v1/checkout/sessions/{session}")).await;
        let customer = paid["customer"].as_str().expect("the session creates a customer for the saved card");
        let kept = client.get(&format!("/v1/customers/{customer}/payment_methods")).await;
        assert_eq!(kept["data"][0]["allow_redisplay"], "always");
    }
}

#[tokio::test]
async fn the_page_asks_for_what_the_session_wants_and_keeps_it_after_an_error() {
    let (_server, client) = Client::start(Options::default()).await;
    let product = id(&client.post("/v1/products", "name=Ring").await);
    let price = id(&client.post("/v1/prices", &format!("product={product}&currency=usd&unit_amount=1500")).await);
    let label = "custom_fields[0][label][type]=custom&custom_fields[0][label][custom]=Text <b>inside</b>";
    let data = |n: u8, name: &str, amount: u16| {
        let data = format!("shipping_options[{n}][shipping_rate_data]");
        format!("&{data}[display_name]={name}&{data}[fixed_amount][amount]={amount}&{data}[fixed_amount][currency]=usd")
    };
    let form = format!(
        "mode=payment&line_items[0][price]={price}&line_items[0][quantity]=1&success_url=http://x.test/\
         &line_items[0][adjustable_quantity][enabled]=true&custom_fields[0][key]=inside&custom_fields[0][type]=text&{label}&custom_text[submit][message]=Last step\
         &consent_collection[terms_of_service]=required&phone_number_collection[enabled]=true{}{}",
        data(0, "Post", 500),
        data(1, "Courier", 900)
    );
    let session = client.post("/v1/checkout/sessions", &form).await;
    let path = format!("/c/pay/{}", id(&session));
    let page = client.form("GET", &path, "").await.text;
    for wanted in [
        "Text &lt;b&gt;inside&lt;/b&gt;",
        "id=\"custom_inside\" name=\"custom_inside\" required",
        "id=\"terms\" name=\"terms\" type=\"checkbox\" required",
        "Quantity of Ring",
        "min=\"0\" max=\"99\" required value=\"1\"",
        "id=\"phone\"",
        "Last step",
        "Courier ($9.00)",
        "Shipping</dt><dd>$5.00",
        "id=\"total\">$20.00",
    ] {
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
    let courier = session["shipping_options"][1]["shipping_rate"].as_str().unwrap();
    let chosen = client.form("POST", &format!("{path}/shipping"), &format!("shipping_rate={courier}")).await;
    assert_eq!((chosen.status, chosen.header("location")), (303, path.as_str()));
    let line = client.get(&format!("/v1/checkout/sessions/{}/line_items", id(&session))).await["data"][0].clone();
    let quantity = |quantity: u8| format!("line_item={}&quantity={quantity}", id(&line));
    assert_eq!(client.form("POST", &format!("{path}/quantity"), &quantity(100)).await.status, 402);
    let chosen = client.form("POST", &format!("{path}/quantity"), &quantity(2)).await;
    assert_eq!((chosen.status, chosen.header("location")), (303, path.as_str()));
    let card = |number: &str, more: &str| format!("number={number}&expiry=12 / 34&cvc=123&email=a@example.com{more}");
    let answers = "&custom_inside=For ever&phone=123";
    let declined = client.form("POST", &path, &card("4000000000000002", &format!("{answers}&terms=on"))).await;
    assert_eq!((declined.status, value_of(&declined.text, "custom_inside")), (402, "For ever"));
    let unticked = client.form("POST", &path, &card("4242424242424242", answers)).await;
    assert!(unticked.status == 402 && unticked.text.contains("consent[terms_of_service]"), "{}", unticked.text);
    let paid = client.form("POST", &path, &card("4242424242424242", &format!("{answers}&terms=on"))).await;
    assert_eq!(paid.status, 303, "{}", paid.text);
    let done = client.get(&format!("/v1/checkout/sessions/{}", id(&session))).await;
    assert_eq!(
        (&done["custom_fields"][0]["text"]["value"], &done["amount_total"], &done["customer_details"]["phone"]),
        (&"For ever".into(), &3_900.into(), &"123".into())
    );
}
