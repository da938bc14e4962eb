//! The pages over HTTP: who sees them, what a form may do, and where it leads. `cli serve::pages` uses them in a browser.

use super::orchestra::{waiting, waiting_at};
use super::raw::Answer;
use super::saas_plugins::copy;
use super::server::TestServer;
use end_to_end::world::{START_MS, orchestra, root, saas_plugins};
use host_business::folder::BusinessFolder;
use host_provider_api::scripted::ScriptedAnswer;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

pub const PASSWORD: &str = "correct+horse+battery";
/// The headers of a form on a page of the server.
pub const OWN: [(&str, &str); 2] =
    [("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/x-www-form-urlencoded")];

pub fn visit(api: &TestServer, path: &str, headers: &[(&str, &str)]) -> Answer {
    api.request(&format!("GET {path}"), headers, b"")
}

pub fn submit(api: &TestServer, name: &str, headers: &[(&str, &str)], form: &str) -> Answer {
    api.request(&format!("POST /do/{name}"), headers, form.as_bytes())
}

/// Follows the redirect of a form as a browser does, with its cookies. Returns the page, and the cookies that the browser has then.
pub fn follow(api: &TestServer, sent: &Answer, headers: &[(&str, &str)]) -> (Answer, String) {
    assert_eq!(sent.status, 303, "a form is never shown at its own address: {sent:?}");
    let had = headers.iter().find(|(name, _)| *name == "Cookie").map_or("", |(_, cookie)| cookie);
    let cookies = kept(had, sent);
    let others = headers.iter().filter(|(name, _)| *name == "Authorization").copied();
    let headers: Vec<(&str, &str)> = others.chain([("Cookie", cookies.as_str())]).collect();
    let page = visit(api, sent.header("location").expect("a location"), &headers);
    let cookies = kept(&cookies, &page);
    (page, cookies)
}

/// Returns the cookies of a browser after an answer.
pub fn kept(had: &str, answer: &Answer) -> String {
    let pairs = had.split("; ").filter_map(|pair| pair.split_once('='));
    let mut cookies: BTreeMap<&str, &str> = pairs.collect();
    for set in answer.head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
        let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
        match set.contains("Max-Age=0") {
            true => cookies.remove(name),
            false => cookies.insert(name, value),
        };
    }
    cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}

/// Sends a form, and returns the page to which it leads.
pub fn arrive(api: &TestServer, name: &str, headers: &[(&str, &str)], form: &str) -> Answer {
    follow(api, &submit(api, name, headers, form), headers).0
}

pub fn own(cookie: &str) -> Vec<(&str, &str)> {
    OWN.into_iter().chain([("Cookie", cookie)].into_iter().filter(|_| !cookie.is_empty())).collect()
}

/// Registers a user by the form. Returns the cookie of the session.
pub fn register(api: &TestServer, email: &str) -> String {
    let form = format!("_page=/register&email={email}&password={PASSWORD}&return_to=/dashboard");
    let answer = submit(api, "register", &OWN, &form);
    assert_eq!((answer.status, answer.header("location")), (303, Some("/dashboard")), "{answer:?}");
    let cookie = answer.header("set-cookie").expect("a session");
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    cookie.split(';').next().expect("a pair").to_owned()
}

#[test]
fn pages_have_their_readers_and_come_back_after_the_login() {
    let api = TestServer::start("solobase");
    for path in ["/", "/pricing", "/login", "/register", "/forgot"] {
        let answer = visit(&api, path, &[]);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")), "{path}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    }
    let asked = visit(&api, "/billing?a=b", &[]);
    assert_eq!((asked.status, asked.header("location")), (303, Some("/login?return_to=%2Fbilling%3Fa%3Db")));
    let ada = register(&api, "ada@example.com");
    let cookie = [("Cookie", ada.as_str())];
    assert_eq!(visit(&api, "/billing", &cookie).status, 200);
    for path in ["/admin", "/admin/events", "/admin/accounts"] {
        let refused = visit(&api, path, &cookie);
        assert_eq!((refused.status, refused.body.contains("for the operators")), (403, true), "{path}");
    }
    let operator = format!("Bearer {}", api.operator());
    let operator = [("Authorization", operator.as_str())];
    assert_eq!(visit(&api, "/admin", &operator).status, 200);
    assert_eq!(visit(&api, "/dashboard", &operator).header("location"), Some("/admin"), "an operator has no account");
    let ended = visit(&api, "/billing", &[("Cookie", &format!("{ada}x"))]);
    assert!(
        ended.status == 303 && ended.header("set-cookie").is_some_and(|set| set.contains("Max-Age=0")),
        "{ended:?}"
    );
    let missing = visit(&api, "/nothing", &[("Accept", "text/html")]);
    assert_eq!((missing.status, missing.body.contains("There is no such page.")), (404, true));
    assert_eq!(visit(&api, "/nothing", &[]).code(), "not-found", "a program gets its answer");
    assert_eq!(visit(&api, "/api/nothing", &[("Accept", "text/html")]).code(), "not-found");
}

#[test]
fn a_form_counts_from_a_page_of_the_server_only_and_leads_to_no_other_server() {
    let api = TestServer::start("solobase");
    let ada = register(&api, "ada@example.com");
    let form = format!("_page=/login&email=ada@example.com&password={PASSWORD}");
    for from_elsewhere in [vec![], vec![("Origin", "https://evil.example")], vec![("Sec-Fetch-Site", "cross-site")]] {
        let headers = [from_elsewhere.as_slice(), &[("Cookie", ada.as_str())]].concat();
        for name in ["log_in", "log_out", "subscribe"] {
            let refused = submit(&api, name, &headers, &form);
            assert_eq!((refused.status, refused.header("set-cookie")), (403, None), "{name} {from_elsewhere:?}");
        }
    }
    for (target, expected) in [
        ("/billing", "/billing"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/%5Cevil.example", "/"),
        ("javascript:alert(1)", "/"),
    ] {
        let answer = submit(&api, "log_in", &OWN, &format!("{form}&return_to={target}"));
        assert_eq!((answer.status, answer.header("location")), (303, Some(expected)), "{target}");
    }
    let elsewhere = submit(&api, "log_in", &OWN, "_page=https://evil.example/&email=x&password=y");
    assert_eq!((elsewhere.status, elsewhere.header("location")), (303, Some("/")), "{elsewhere:?}");
    assert_eq!(submit(&api, "unknown", &OWN, "").status, 404);
    let json = [("Sec-Fetch-Site", "same-origin"), ("Content-Type", "application/json")];
    assert_eq!(submit(&api, "log_in", &json, "{}").status, 415);
    // The checkout is at another server, and the API says so.
    api.answer("account-customer:*", json!({"id": "cus_ada"}));
    api.sells();
    let bought = submit(&api, "subscribe", &own(&ada), "_page=/pricing&plan=prod_starter");
    assert_eq!((bought.status, bought.header("location")), (303, Some("https://checkout.example/open")), "{bought:?}");
    let left = submit(&api, "log_out", &own(&ada), "");
    assert!(left.header("set-cookie").is_some_and(|set| set.contains("Max-Age=0")), "{left:?}");
    assert_eq!(visit(&api, "/billing", &[("Cookie", &ada)]).status, 303);
}

#[test]
fn what_was_typed_stays_beside_what_is_wrong_but_for_secrets() {
    let api = TestServer::start("solobase");
    let weak =
        arrive(&api, "register", &OWN, "_page=/register&email=%22%3E%3Cscript%3E&password=short&name=Ada+%26+Bob");
    assert_eq!(weak.status, 422, "{weak:?}");
    assert!(weak.body.contains("value=\"Ada &amp; Bob\"") && weak.body.contains("id=\"e-email\""), "{}", weak.body);
    assert!(!weak.body.contains("<script>") && !weak.body.contains("short"), "{}", weak.body);
    assert!(weak.body.contains("<title>Sign up"), "the page of the form");
    let wrong = arrive(
        &api,
        "log_in",
        &OWN,
        "_page=/login%3Freturn_to%3D%252Fbilling&email=ada@example.com&password=wrong+horse",
    );
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("The address or the password is wrong."), "{}", wrong.body);
    assert!(
        wrong.body.contains("value=\"&#x2f;login?return_to=%2Fbilling\""),
        "the page with its query: {}",
        wrong.body
    );
    // Without a session, a form leads to the login, and from there back to its page.
    let anonymous = submit(&api, "subscribe", &OWN, "_page=/pricing&plan=prod_starter");
    assert_eq!((anonymous.status, anonymous.header("location")), (303, Some("/login?return_to=%2Fpricing")));
}

#[test]
fn a_refusal_is_shown_once_to_the_browser_that_sent_the_form_and_to_nobody_else() {
    let api = TestServer::start("solobase");
    let page = "/login?return_to=%2Fbilling";
    let form = "_page=/login%3Freturn_to%3D%252Fbilling&email=ada@example.com&password=wrong+horse";
    let told = "The address or the password is wrong.";
    let sent = submit(&api, "log_in", &OWN, form);
    assert_eq!((sent.status, sent.header("location"), sent.body.as_str()), (303, Some(page), ""), "{sent:?}");
    assert!(sent.head.contains("; Max-Age=60; HttpOnly; SameSite=Lax"), "{sent:?}");
    assert!(!sent.head.contains("ada") && !sent.head.contains("horse"), "the cookie is encrypted: {sent:?}");
    let cookie = kept("", &sent);
    // A browser that reloads the page gets a page and sends no form.
    let (shown, after) = follow(&api, &sent, &[]);
    assert!(shown.status == 401 && shown.body.contains(told) && shown.body.contains("ada@example.com"), "{shown:?}");
    assert!(after.is_empty(), "{after}");
    let again = visit(&api, page, &[("Cookie", &after)]);
    assert!(again.status == 200 && !again.body.contains(told) && !again.body.contains("ada@example.com"));
    // It belongs to its page, its session and its minute, and nobody can write one.
    let shows = |path: &str, cookie: &str| visit(&api, path, &[("Cookie", cookie)]).body.contains(told);
    assert!(shows(page, &cookie), "it is the browser that forgets it");
    assert!(!shows("/login", &cookie) && !shows("/register", &cookie));
    let (name, sealed) = cookie.split_once('=').expect("a cookie");
    let ada = register(&api, "ada@example.com");
    assert!(!shows(page, &format!("{ada}; {cookie}")), "another session");
    let changed = if sealed.ends_with('A') { "B" } else { "A" };
    let last = sealed.len() - 1;
    for wrong in ["", "x", "eyJwcm9ibGVtIjoiWW91IHdvbiJ9", &format!("{}{changed}", &sealed[..last])] {
        assert!(!shows(page, &format!("{name}={wrong}")), "{wrong}");
    }
    api.advance_to(api.now() + 60_000);
    assert!(!shows(page, &cookie));
}

#[test]
fn what_a_refused_form_has_left_is_gone_after_a_form_that_was_accepted() {
    let api = TestServer::start("solobase");
    let ada = register(&api, "ada@example.com");
    let refused = submit(&api, "preview_change", &own(&ada), "_page=/change&plan=prod_starter");
    let cookies = kept(&ada, &refused);
    assert_ne!(cookies, ada, "the browser has not followed the redirect yet");
    let mailed = submit(&api, "confirm_again", &own(&cookies), "_page=/account");
    assert_eq!(mailed.header("location"), Some("/account?said=confirm_again"), "{mailed:?}");
    assert_eq!(kept(&cookies, &mailed), ada);
}

#[test]
fn what_is_too_long_for_a_cookie_is_shown_at_once_and_nothing_typed_is_lost() {
    let api = TestServer::start("solobase");
    let send = |letters: usize| {
        let name = "n".repeat(letters);
        let form = format!("_page=/register&email=nobody&password=short&name={name}");
        (submit(&api, "register", &OWN, &form), format!("value=\"{name}\""))
    };
    let (sent, name) = send(2_000);
    let (shown, _) = follow(&api, &sent, &[]);
    assert!(shown.body.contains(&name) && shown.body.contains("id=\"e-email\""), "{shown:?}");
    let (shown, name) = send(4_000);
    assert!(shown.status == 422 && shown.body.contains(&name) && shown.body.contains("id=\"e-email\""), "{shown:?}");
}

// covers: ORC-31
#[test]
fn a_step_other_than_the_database_is_reported_by_a_form() {
    let api = TestServer::of("orchestra").config(&[("supabase_token", "secret:supabase")]).start();
    let fails = ScriptedAnswer::Final { code: "broken".to_owned(), message: "a table is there".to_owned() };
    api.script("*migrate*", vec![fails]);
    api.stripe(
        "{stripe: customer.subscription.created, id: evt_o1, set: {id: sub_o1, customer: cus_o1, metadata: {user_id: o1}, \
         price: price_orchestra_pro, period: {start: 1767225600, end: 1798761600}}}",
    );
    let body = json!({"name": "City", "metadata": {"subdomain": "city", "contact_email": "office@city.example"}});
    api.ok("POST /api/commands/instance.create?account=user:o1", &api.operator(), &body);
    api.settle();
    let authorization = format!("Bearer {}", api.operator());
    let operator = [OWN.as_slice(), &[("Authorization", &authorization)]].concat();
    let shown = visit(&api, "/admin/provisions/city", &operator);
    assert!(shown.body.contains("Migrate") && shown.body.contains("/do/finish_step"), "{}", shown.body);
    let form = "_page=/admin/provisions/city&account=user:o1&id=orch_city&step=migrate";
    let sent = submit(&api, "finish_step", &operator, form);
    assert_eq!((sent.status, sent.header("location")), (303, Some("/admin/provisions/city?said=finish_step")));
    api.settle();
    let shown = visit(&api, "/admin/provisions/city", &operator);
    assert!(shown.body.contains("No step waits for a person") && shown.body.contains("Ready"), "{}", shown.body);
}

// covers: TES-82, TES-104
#[test]
fn the_usage_page_synchronises_and_lists_each_request() {
    let api = TestServer::of("tesslate").config(&[("usage_proxy", "http://proxy.example")]).impatient().start();
    let request = json!({
        "id": "r1", "at": "2026-01-01T00:10:00Z", "quantities": {"input": 12_345, "output": 678}, "attributes": {"model": "large"},
    });
    api.answer("usage-pull:*", json!({"requests": [request], "more": false}));
    let ada = register(&api, "ada@example.com");
    let at = |path: &str| visit(&api, path, &[("Cookie", &ada)]).body;
    api.advance_to(START_MS + 30 * 60_000);
    let before = at("/billing/usage");
    assert!(before.contains("Synchronise now") && before.contains("Not synchronised yet."), "{before}");
    assert!(!before.contains("12,345"), "{before}");
    let sent = submit(&api, "sync_usage", &own(&ada), "_page=/billing/usage");
    assert_eq!((sent.status, sent.header("location")), (303, Some("/billing/usage?said=sync_usage")), "{sent:?}");
    let after = at("/billing/usage?said=sync_usage");
    for text in ["The usage is up to date.", "Last synchronised", "00:30 UTC", "12,345", "678", "13,023", "00:10"] {
        assert!(after.contains(text), "{text}: {after}");
    }
    // The second form while the log is still being read.
    api.script("usage-pull:2/1", vec![ScriptedAnswer::Never]);
    submit(&api, "sync_usage", &own(&ada), "_page=/billing/usage");
    let refused = arrive(&api, "sync_usage", &own(&ada), "_page=/billing/usage");
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.body.contains("Usage is being read since 2026-01-01T00:30:00Z."), "{}", refused.body);
}

/// Returns the event that gives Ada a plan of Solobase, by the plan's price.
fn subscribed(price: &str) -> String {
    format!(
        "{{stripe: customer.subscription.created, id: evt_s, set: {{id: sub_s, customer: cus_ada, metadata: {{user_id: ada}}, price: {price}}}}}"
    )
}

/// A purchase that waits for its checkout.
struct Bought {
    purchase: String,
    session: String,
    /// Price in cents.
    price: u32,
}

/// Ada, who buys by commands.
struct Shopper {
    api: TestServer,
    authorization: String,
}

impl Shopper {
    fn start(business: &str) -> Shopper {
        let api = TestServer::start(business);
        api.answer("account-customer:*", json!({"id": "cus_ada"}));
        let authorization = format!("Bearer {}", api.user("ada"));
        Shopper { api, authorization }
    }

    /// Opens a checkout. `item` names the product among those of its type.
    fn buys(&self, product_type: &str, item: Value, price: u32) -> Bought {
        self.api.sells();
        let command = "POST /api/commands/purchase.create?account=user:ada";
        let wanted = json!({"product_type": product_type, "item": item});
        let reply = self.api.ok(command, &self.api.user("ada"), &wanted);
        let text = |name: &str| reply[name].as_str().unwrap_or_else(|| panic!("no {name}: {reply}")).to_owned();
        Bought { purchase: text("purchase_id"), session: text("session_id"), price }
    }

    /// Delivers an event of a checkout. All these events happen in the same second.
    fn is_told(&self, kind: &str, status: &str, bought: &Bought) {
        let Bought { purchase, session, price } = bought;
        self.api.stripe(&format!(
            "{{stripe: {kind}, base: checkout.session, id: evt_{session}, set: {{id: {session}, customer: cus_ada, mode: payment, \
             subscription: null, payment_intent: pi_{session}, payment_status: {status}, amount_subtotal: {price}, \
             amount_total: {price}, metadata: {{purchase_id: {purchase}, user_id: ada}}}}}}"
        ));
    }

    fn at(&self, path: &str) -> String {
        visit(&self.api, path, &[("Authorization", self.authorization.as_str())]).body
    }

    /// Returns the page to which a checkout returns.
    fn page(&self, query: &str) -> String {
        self.at(&format!("/billing/success{query}"))
    }

    fn page_of(&self, bought: &Bought) -> String {
        self.page(&format!("?session_id={}", bought.session))
    }
}

// covers: TES-83
#[test]
fn the_page_after_a_checkout_is_about_this_checkout_even_if_two_were_paid_in_one_second() {
    let ada = Shopper::start("tesslate");
    let packs = [("small", 500), ("large", 5000), ("medium", 1000)]
        .map(|(pack, price)| (pack, ada.buys("credit_pack", json!(pack), price)));
    let assert_says = |text: &str| {
        for (pack, bought) in &packs {
            let page = ada.page_of(bought).to_lowercase();
            assert!(page.contains(&format!("the payment for {pack} pack {text}")), "{pack}: {page}");
        }
    };
    assert_says("is on its way");
    for (_, bought) in &packs {
        ada.is_told("checkout.session.completed", "paid", bought);
    }
    assert_says("has arrived");
}

#[test]
fn prices_are_shown_in_the_currency_that_a_visitor_chooses_and_later_in_that_of_the_account() {
    let ada = Shopper::start("currencies");
    let shows = |page: &str, amounts: [(&str, bool); 3]| {
        let found = amounts.map(|(amount, _)| (amount, page.contains(&format!("<p class=\"price\">{amount}"))));
        assert_eq!(found, amounts, "{page}");
    };
    let first = ada.at("/pricing");
    shows(&first, [("$20.00", true), ("€19.00", false), ("¥3,000", false)]);
    assert!(first.contains("/pricing?currency=jpy"), "{first}");
    let in_yen = ada.at("/pricing?currency=jpy");
    shows(&in_yen, [("$20.00", false), ("€19.00", false), ("¥3,000", true)]);
    assert!(in_yen.contains("name=\"currency\" value=\"jpy\""), "{in_yen}");
    shows(&ada.at("/pricing?currency=gbp"), [("$20.00", true), ("€19.00", false), ("¥3,000", false)]);
    ada.api.sells();
    let (key, command) = (ada.api.user("ada"), "POST /api/commands/purchase.create?account=user:ada");
    let reply = ada.api.ok(command, &key, &json!({"product_id": "skins", "currency": "eur"}));
    let (purchase, session) =
        (reply["purchase_id"].as_str().expect("an id"), reply["session_id"].as_str().expect("an id"));
    ada.api.stripe(&format!(
        "{{stripe: checkout.session.completed, id: evt_paid, set: {{id: {session}, customer: cus_ada, mode: payment, currency: eur, \
         subscription: null, payment_intent: pi_1, payment_status: paid, amount_subtotal: 900, amount_total: 900, \
         metadata: {{purchase_id: {purchase}, user_id: ada}}}}}}"
    ));
    // The account pays in euros from now on.
    let after = ada.at("/pricing?currency=jpy");
    shows(&after, [("$20.00", false), ("€19.00", true), ("¥3,000", false)]);
    assert!(!after.contains("aria-label=\"Currency\"") && !after.contains("name=\"currency\""), "{after}");
    assert!(ada.at("/billing").contains("€9.00"), "{}", ada.at("/billing"));
    let refused = ada.api.send(command, &key, &json!({"plan": "studio", "currency": "usd"}));
    assert_eq!((refused.status, refused.code()), (422, "invalid"));
}

#[test]
fn the_built_in_page_after_a_checkout_waits_for_this_checkout() {
    let ada = Shopper::start("full-podcasts");
    assert!(ada.page("").contains("One moment"), "{}", ada.page(""));
    let first = ada.buys("credit_pack", json!(1000), 1000);
    let second = ada.buys("theme", json!("night"), 500);
    ada.is_told("checkout.session.completed", "paid", &second);
    let waits = ada.page_of(&first);
    let again = format!("session_id={}\">Look again", first.session);
    assert!(waits.contains("One moment") && waits.contains(&again), "{waits}");
    assert!(ada.page_of(&second).contains("Thank you"), "{}", ada.page_of(&second));
    assert!(ada.page("").contains("Thank you"), "a purchase is paid: {}", ada.page(""));
    ada.is_told("checkout.session.expired", "unpaid", &first);
    let expired = ada.page_of(&first);
    assert!(expired.contains("This payment has the status “cancelled” now."), "{expired}");
}

// covers: SOL-55
#[test]
fn the_dashboard_after_a_checkout_names_what_was_paid_and_what_is_not() {
    let ada = Shopper::start("full-podcasts");
    let (pack, theme) = ("Ten dollars of transcription", "Night");
    let abandoned = ada.buys("credit_pack", json!(1000), 1000);
    let bought = ada.buys("theme", json!("night"), 500);
    let dashboard = || ada.at("/dashboard?success=true");
    assert!(dashboard().contains("The payment is on its way to us."), "{}", dashboard());
    ada.is_told("checkout.session.completed", "paid", &bought);
    let arrived = dashboard();
    assert!(arrived.contains(&format!("the payment has arrived for: {theme}.")), "{arrived}");
    assert!(arrived.contains(&format!("Not paid yet: {pack}.")), "{arrived}");
    // By default a checkout returns with its session, and then the page is about this checkout only.
    let of_this = ada.at(&format!("/dashboard?success=true&session_id={}", bought.session));
    assert!(of_this.contains(&format!("has arrived for: {theme}.")) && !of_this.contains(pack), "{of_this}");
    ada.is_told("checkout.session.expired", "unpaid", &abandoned);
    assert!(!dashboard().contains("Not paid yet"), "{}", dashboard());
    // Somebody who comes back to the address later is not thanked for an old payment.
    ada.api.advance_to(ada.api.now() + 3_600_000);
    assert!(!dashboard().contains("Thank you") && !dashboard().contains("on its way"), "{}", dashboard());
    let left = ada.at("/dashboard?canceled=true");
    assert!(left.contains("Nothing was paid") && left.contains("Back to the plans"), "{left}");
    let left = ada.at("/pricing?canceled=1");
    assert!(left.contains("Nothing was paid") && left.contains("Subscribe to Studio"), "{left}");
}

#[test]
fn whoever_changes_the_plan_reads_when_the_change_counts() {
    let (hobby, professional) = ("price_xyz789", "price_professional_monthly");
    for (price, plan, at, told) in [
        (professional, "prod_hobby", "period_end", "The change counts when the paid period ends."),
        (hobby, "prod_professional", "now", "The change counts now."),
    ] {
        let ada = Shopper::start("solobase");
        ada.api.stripe(&subscribed(price));
        let headers = [OWN.as_slice(), &[("Authorization", ada.authorization.as_str())]].concat();
        let sent = submit(&ada.api, "subscribe", &headers, &format!("_page=/pricing&plan={plan}"));
        assert_eq!((sent.status, sent.header("location")), (303, Some(&*format!("/billing?changed={at}"))), "{sent:?}");
        let billing = ada.at(&format!("/billing?changed={at}"));
        assert!(billing.contains(told), "{billing}");
    }
}

#[test]
fn an_instance_tells_its_owner_why_it_is_suspended() {
    let ada = Shopper::start("solobase");
    ada.api.stripe(&subscribed("price_professional_monthly"));
    let body = json!({"name": "App", "metadata": {"subdomain": "choir"}});
    let made = ada.api.ok("POST /api/commands/instance.create?account=user:ada", &ada.api.operator(), &body);
    ada.api.settle();
    let id = made["id"].as_str().unwrap_or_else(|| panic!("{made}"));
    let suspend = "POST /api/commands/instance.suspend?account=user:ada";
    ada.api.ok(suspend, &ada.api.operator(), &json!({"id": id}));
    ada.api.settle();
    let page = ada.at(&format!("/instances/{id}"));
    assert!(page.contains("Solobase has suspended it.") && !page.contains("Look at the billing"), "{page}");
}

#[test]
fn a_step_is_returned_to_its_provider_and_reported_at_the_overview() {
    // Orchestra shows the way to its own page instead.
    let folder = tempfile::tempdir().expect("a folder");
    let business = folder.path().join("orchestra");
    super::saas_plugins::copy(&orchestra().folder, &business);
    fs::remove_file(business.join("pages/blocks/admin_tasks.html")).expect("removed");
    let api = waiting_at(&BusinessFolder::load(&business).expect("a business"));
    let authorization = format!("Bearer {}", api.operator());
    let operator = [OWN.as_slice(), &[("Authorization", &authorization)]].concat();
    let step = "_page=/admin&account=user:o2&id=orch_chamber&step=database&outputs.secret_ref=secret:chamber&outputs.endpoint=";
    let refused = arrive(&api, "complete_step", &operator, &format!("{step}postgres%3A%2F%2Fu%3Apw%40h%2Fdb"));
    assert_eq!(refused.status, 422, "{refused:?}");
    let marked = |id: &str| refused.body.contains(&format!("<p class=\"error\" id=\"e-{id}\">"));
    assert!(marked("orch_chamber-endpoint") && !marked("orch_philharmonic-endpoint"), "{}", refused.body);
    assert_eq!(refused.body.matches("u:pw@h").count(), 1, "only the form that was sent keeps its text");

    let returned = submit(&api, "return_step", &operator, "_page=/admin&account=user:o1&id=orch_philharmonic");
    assert_eq!((returned.status, returned.header("location")), (303, Some("/admin?said=return_step")), "{returned:?}");
    let reported = submit(&api, "complete_step", &operator, &format!("{step}chamber.example"));
    assert_eq!(
        (reported.status, reported.header("location")),
        (303, Some("/admin?said=complete_step")),
        "{reported:?}"
    );
    api.settle();
    let overview = visit(&api, "/admin", &[("Authorization", &authorization)]).body;
    assert!(!overview.contains("Database of orch_chamber"), "{overview}");
}

#[test]
fn the_overview_of_orchestra_leads_to_the_one_form_of_a_step() {
    let api = waiting();
    let authorization = format!("Bearer {}", api.operator());
    let overview = visit(&api, "/admin", &[("Authorization", &authorization)]).body;
    assert!(overview.contains("Database of chamber") && overview.contains("href=\"/admin/provisions/chamber\""));
    assert!(!overview.contains("complete_step"), "{overview}");
}

#[test]
fn an_operator_finds_a_customer_by_name_and_address() {
    let api = TestServer::start("solobase");
    let form =
        format!("_page=/register&email=Ada%40Example.com&name=Ada+Lovelace&password={PASSWORD}&return_to=/dashboard");
    assert_eq!(submit(&api, "register", &OWN, &form).status, 303);
    register(&api, "bob@example.com");
    api.settle();
    let authorization = format!("Bearer {}", api.operator());
    let at = |path: &str| visit(&api, path, &[("Authorization", &authorization)]).body;
    for search in ["lovelace", "ADA%40EXAMPLE", "LoveLace"] {
        let found = at(&format!("/admin/accounts?search={search}"));
        assert!(found.contains("Ada Lovelace") && found.contains("ada@example.com"), "{search}: {found}");
        assert!(!found.contains("bob@example.com"), "{search}: {found}");
    }
    let nobody = at("/admin/accounts?search=lovelace%25");
    assert!(nobody.contains("Nobody has this in the name"), "{nobody}");
    let found = api.get("/api/operator/accounts?search=lovelace", &api.operator());
    let account = found["accounts"][0]["account"].as_str().unwrap_or_else(|| panic!("{found}")).to_owned();
    let user = account.trim_start_matches("user:");
    api.stripe(&format!(
        "{{stripe: customer.subscription.created, id: evt_{user}, set: {{id: sub_1, customer: cus_1, metadata: {{user_id: {user}}}, \
         price: price_professional_monthly}}}}"
    ));
    api.settle();
    let shown = at(&format!("/admin/accounts/{account}"));
    assert!(shown.contains("<h1>Ada Lovelace</h1>"), "{shown}");
    assert!(shown.contains(&format!("ada@example.com · Professional · <code>{account}</code>")), "{shown}");
}

// covers: PLG-01, PLG-03
#[test]
fn a_feature_brings_pages_and_takes_them_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let business = folder.path().join("shop");
    super::saas_plugins::copy(&saas_plugins().folder, &business);
    let pages = business.join("features/my-feature/pages");
    fs::create_dir_all(&pages).expect("made");
    let page = "---\npath: /my-feature\ntitle: Mine\nwho: public\nread: {offers: catalog}\n---\n{% for offer in offers %}[{{ offer.id }}]{% endfor %}";
    fs::write(pages.join("mine.html"), page).expect("written");
    let api = TestServer::of_folder(&BusinessFolder::load(&business).expect("a business")).start();
    assert!(visit(&api, "/my-feature", &[]).body.contains("[prod_sample_editor]"));
    fs::write(pages.join("mine.html"), page.replace("offers: catalog", "offers: plans")).expect("written");
    let mistake = BusinessFolder::load(&business).expect_err("a mistake").to_string();
    assert!(mistake.contains("mine.html:5: `plans` is not a query"), "{mistake}");
    fs::remove_dir_all(business.join("features/my-feature")).expect("removed");
    let without = TestServer::of_folder(&BusinessFolder::load(&business).expect("a business")).start();
    assert_eq!(visit(&without, "/my-feature", &[]).status, 404);
}

#[test]
fn a_route_that_sends_a_command_is_not_carried_out_because_another_page_leads_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let business = folder.path().join("saas-plugins");
    copy(&root().join("fixtures/businesses/saas-plugins"), &business);
    let page = "---\npath: /to-stripe\ntitle: To Stripe\nwho: user\nget: {portal: /api/stripe/portal}\n---\n\
                <a href=\"{{ portal.portal_url }}\">Go</a>\n";
    fs::create_dir_all(business.join("pages")).expect("a folder");
    fs::write(business.join("pages/to_stripe.html"), page).expect("written");
    let api = TestServer::of_folder(&BusinessFolder::load(&business).expect("no mistake")).start();
    api.answer("account-customer:*", json!({"id": "cus_ada"}));
    api.answer("portal:*", json!({"url": "https://billing.example/p"}));
    let ada = register(&api, "ada@example.com");
    let opened = || api.journal().iter().filter(|entry| entry.call.key.starts_with("portal:")).count();
    let from = |site: &str, line: &str| {
        let headers = [("Cookie", ada.as_str()), ("Sec-Fetch-Site", site)];
        api.request(line, &headers, b"").status
    };
    for site in ["cross-site", "same-site"] {
        for path in ["/api/stripe/portal", "/to-stripe"] {
            assert_eq!(from(site, &format!("GET {path}")), 403, "{path} {site}");
        }
        assert_eq!(from(site, "GET /api/subscriptions/me"), 200, "whoever leads there, nothing is changed");
    }
    let without = api.request("GET /api/stripe/portal", &[("Cookie", &ada)], b"");
    assert_eq!((without.status, without.code()), (403, "cross-origin"));
    assert_eq!(opened(), 0);
    for path in ["/api/stripe/portal", "/to-stripe"] {
        assert_eq!(from("same-origin", &format!("GET {path}")), 200, "{path}");
    }
    let before = opened();
    assert!(before > 0);
    let mut head = TcpStream::connect(api.address()).expect("a connection");
    let asked = format!(
        "HEAD /api/stripe/portal HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        api.user("bob")
    );
    head.write_all(asked.as_bytes()).expect("sent");
    let mut answer = String::new();
    head.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 405") && answer.contains("allow: GET\r\n"), "{answer}");
    assert_eq!(opened(), before);
}

#[test]
fn a_user_logs_out_on_all_devices_by_a_form() {
    let api = TestServer::start("solobase");
    let ada = register(&api, "ada@example.com");
    let form = format!("_page=/login&email=ada@example.com&password={PASSWORD}&return_to=/dashboard");
    let other = submit(&api, "log_in", &OWN, &form);
    let other = other.header("set-cookie").and_then(|set| set.split(';').next()).expect("a session").to_owned();
    let shown = visit(&api, "/account", &[("Cookie", &ada)]);
    assert!(shown.status == 200 && shown.body.contains("/do/log_out_everywhere"), "{shown:?}");
    let sent = submit(&api, "log_out_everywhere", &own(&ada), "_page=/account");
    assert_eq!((sent.status, sent.header("location")), (303, Some("/login")), "{sent:?}");
    assert!(sent.header("set-cookie").is_some_and(|set| set.contains("Max-Age=0")), "{sent:?}");
    for cookie in [&ada, &other] {
        assert_eq!(visit(&api, "/account", &[("Cookie", cookie)]).status, 303);
    }
}

#[test]
fn only_a_link_of_this_server_switches_the_account_and_a_logout_forgets_it() {
    let api = TestServer::start("solobase");
    let session = register(&api, "ada@example.com");
    let name = session.split('=').next().expect("a name").replace("session-", "account-");
    let cookie = format!("{session}; {name}=organization:org_1");
    let forgets = |answer: &Answer| answer.head.contains(&format!("set-cookie: {name}=; Path=/; Max-Age=0"));
    let me = api.request("GET /api/auth/me", &[("Cookie", &session)], b"");
    let own_account = format!("user:{}", me.json["id"].as_str().unwrap_or_else(|| panic!("{me:?}")));
    for (site, switches) in [("same-origin", true), ("none", true), ("cross-site", false), ("same-site", false)] {
        let path = format!("/account?account={own_account}&switch=1");
        let shown = visit(&api, &path, &[("Cookie", &cookie), ("Sec-Fetch-Site", site)]);
        assert_eq!((shown.status, forgets(&shown)), (200, switches), "{site}: {shown:?}");
        assert_eq!(shown.head.contains("set-cookie"), switches, "{site}: {shown:?}");
    }
    let left = submit(&api, "log_out", &own(&cookie), "_page=/account");
    assert!(left.status == 303 && forgets(&left), "{left:?}");
}
