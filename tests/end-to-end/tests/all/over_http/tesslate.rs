//! The API of Tesslate Studio over HTTP: each answer has the form of its OpenAPI document.

use super::server::{NOTHING, TestServer};
use counterparts::LiteLlm as Proxy;
use end_to_end::play::bodies;
use end_to_end::world::{START_MS, tesslate};
use host_provider_api::Secret;
use host_provider_api::scripted::ScriptedAnswer;
use host_providers::litellm::{Config, LiteLlm};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A server whose Stripe answers.
fn studio() -> TestServer {
    let api = TestServer::start("tesslate");
    answers(&api);
    api
}

/// Sets the answers of Stripe and of the provider of containers.
fn answers(api: &TestServer) {
    api.answer("account-customer:*", json!({"id": "cus_ada"}));
    api.answer("checkout:*", json!({"session_id": "cs_1", "url": "https://checkout.example/cs_1"}));
    api.answer("portal:*", json!({"url": "https://billing.example/p"}));
    api.answer("connect:*", json!({"id": "acct_zoe"}));
    api.answer("connect-link:*", json!({"url": "https://connect.example/setup"}));
    api.answer("*container*", json!({"url": "https://one.example", "arn": "arn:one"}));
}

/// Makes Ada a Premium user.
fn premium(api: &TestServer) {
    api.stripe(
        "{stripe: customer.subscription.created, id: evt_p, set: {id: sub_p, customer: cus_ada, metadata: {user_id: ada}, \
         price: price_premium}}",
    );
}

// covers: TES-20
#[test]
fn everybody_reads_the_prices_and_no_secret() {
    let api = studio();
    let config = api.get("/api/billing/config", "");
    let expected = json!({
        "publishable_key": null,
        "premium_price": 500,
        "credit_packs": [
            {"package": "small", "price": 500, "credits": 500},
            {"package": "medium", "price": 1000, "credits": 1000},
            {"package": "large", "price": 5000, "credits": 5000},
        ],
        "free": {"projects": 1, "deploys": 1},
        "premium": {"projects": 5, "deploys": 5},
        "deploy_slot_price": 1000,
        "creator_share_bp": 9000,
    });
    assert_eq!(config, expected);
    assert_eq!(api.send("POST /api/billing/subscribe", "", &NOTHING).status, 401, "the other routes need a caller");
}

// covers: TES-21, TES-22, TES-23
#[test]
fn a_user_subscribes_and_cancels() {
    let api = studio();
    let ada = api.user("ada");
    let free = api.get("/api/billing/subscription", &ada);
    let expected = json!({
        "tier": "free", "status": null, "current_period_end": null, "cancel_at_period_end": false,
        "projects": {"allowed": 1, "used": 0}, "deploys": {"allowed": 1, "used": 0},
    });
    assert_eq!(free, expected);
    let early = api.send("POST /api/billing/cancel", &ada, &NOTHING);
    assert_eq!((early.status, early.code()), (409, "not_premium"));
    let checkout = api.send("POST /api/billing/subscribe", &ada, &NOTHING);
    assert_eq!(checkout.ok(), json!({"checkout_url": "https://checkout.example/cs_1"}));
    premium(&api);
    let now = api.get("/api/billing/subscription", &ada);
    assert_eq!(
        (&now["tier"], &now["status"], &now["projects"]["allowed"]),
        (&json!("premium"), &json!("active"), &json!(5))
    );
    let again = api.send("POST /api/billing/subscribe", &ada, &NOTHING);
    assert_eq!((again.status, again.code()), (409, "already_owned"));
    let cancelled = api.ok("POST /api/billing/cancel", &ada, &NOTHING);
    assert_eq!((&cancelled["cancel_at_period_end"], &cancelled["ends_at"]), (&json!(true), &now["current_period_end"]));
    assert!(cancelled["ends_at"].is_string(), "{cancelled}");
}

// covers: TES-40, TES-108
#[test]
fn a_plan_counts_with_the_answer_to_its_webhook() {
    let api = studio();
    let story = "name: x\nevents:\n  - {stripe: customer.subscription.created, id: evt_now, set: {id: sub_now, customer: cus_now, \
                 metadata: {user_id: ada}, price: price_premium}}\n";
    assert_eq!(api.deliver(&bodies(story)[0]).status, 200);
    // Nothing is waited for between the two.
    assert_eq!(api.get("/api/billing/subscription", &api.user("ada"))["tier"], "premium");
}

// covers: TES-24, D-93
#[test]
fn the_portal_needs_no_customer_before_and_no_cache_keeps_its_link() {
    let api = studio();
    let ada = api.user("ada");
    let answer = api.send("GET /api/billing/portal", &ada, &NOTHING);
    assert_eq!(&*answer.body, r#"{"portal_url":"https://billing.example/p"}"#);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let config = api.send("GET /api/billing/config", "", &NOTHING);
    assert_eq!(config.header("cache-control"), Some("no-store"), "no answer of the API is kept unless it says so");
}

// covers: TES-25, TES-26, TES-27, TES-31
#[test]
fn a_user_buys_credits_and_sees_what_was_paid() {
    let api = studio();
    let ada = api.user("ada");
    let nothing = json!({"credits": 0, "amount_minor": 0, "currency": "usd"});
    assert_eq!(api.get("/api/billing/credits", &ada), nothing);
    assert_eq!(
        api.send("POST /api/billing/credits/purchase", &ada, &json!({"package": "huge"})).wrong(),
        [("/package".into(), "not-allowed".into())]
    );
    assert_eq!(
        api.send("POST /api/billing/credits/purchase", &ada, &NOTHING).wrong(),
        [("/package".into(), "missing".into())]
    );
    for (package, amount, second) in [("small", 500, 10), ("large", 5000, 20)] {
        let checkout = api.ok("POST /api/billing/credits/purchase", &ada, &json!({"package": package}));
        assert_eq!(checkout, json!({"checkout_url": "https://checkout.example/cs_1"}));
        let purchases = api.ok("GET /api/queries/list?kind=purchases", &ada, &NOTHING);
        let open = purchases["entries"].as_array().expect("a list").iter().find(|it| it["value"]["paid_at"].is_null());
        let id = open.expect("an open purchase")["id"].as_str().expect("an id").to_owned();
        api.stripe(&format!(
            "{{stripe: checkout.session.completed, id: evt_{package}, at: 2026-01-01T00:00:{second}Z, set: {{id: cs_{package}, customer: cus_ada, mode: payment, \
             subscription: null, payment_intent: pi_{package}, amount_subtotal: {amount}, amount_total: {amount}, metadata: \
             {{purchase_id: {id}, user_id: ada}}}}}}"
        ));
    }
    assert_eq!(api.get("/api/billing/credits", &ada)["credits"], 5500);
    let history = api.get("/api/billing/credits/history", &ada);
    let packages = |history: &Value| -> Vec<String> {
        let purchases = history["purchases"].as_array().expect("a list");
        purchases.iter().map(|purchase| purchase["package"].as_str().expect("a text").to_owned()).collect()
    };
    assert_eq!(packages(&history), ["large", "small"], "the newest first");
    assert_eq!(history["purchases"][0]["amount_minor"], 5000);
    let first = api.get("/api/billing/credits/history?limit=1", &ada);
    assert_eq!(packages(&first), ["large"]);
    let next = first["next"].as_str().expect("a further page");
    let second = api.get(&format!("/api/billing/credits/history?limit=1&after={next}"), &ada);
    assert_eq!((packages(&second), &second["next"]), (vec!["small".to_owned()], &Value::Null));
    let transactions = api.get("/api/billing/transactions", &ada);
    assert_eq!(transactions["transactions"].as_array().map(Vec::len), Some(2));
    let newest = &transactions["transactions"][0];
    assert_eq!(
        (&newest["id"], &newest["type"], &newest["amount_minor"]),
        (&history["purchases"][0]["id"], &json!("purchase"), &json!(5000))
    );
    let bob = api.user("bob");
    assert_eq!(api.get("/api/billing/transactions", &bob), json!({"transactions": [], "next": null}), "another user");
    for (query, pointer) in
        [("limit=0", "/limit"), ("limit=101", "/limit"), ("limit=x", "/limit"), ("colour=red", "/colour")]
    {
        let refused = api.send(&format!("GET /api/billing/transactions?{query}"), &ada, &NOTHING);
        assert_eq!(refused.wrong()[0].0, pointer, "{query}");
    }
}

// covers: TES-28, TES-30
#[test]
fn a_user_sees_the_use_of_models_and_agents() {
    let api = studio();
    let (ada, service) = (api.user("ada"), api.service());
    api.advance_to(START_MS + 36 * 3_600_000);
    for (id, at, model, agent, tokens) in [
        ("r1", "2026-01-01T10:00:00Z", "large", Some("agent_quill"), 100),
        ("r2", "2026-01-02T10:00:00Z", "small", None, 50),
        ("r3", "2026-01-02T11:00:00Z", "large", None, 10),
    ] {
        let mut attributes = json!({"model": model});
        if let Some(agent) = agent {
            attributes["agent"] = json!(agent);
        }
        let line = json!({"meter": "tokens", "quantity": tokens, "id": id, "at": at, "attributes": attributes});
        let report = json!({"id": format!("u_{id}"), "usage": [line], "account": "user:ada"});
        api.ok("POST /api/events", &service, &report);
    }
    api.settle();
    let usage = api.get("/api/billing/usage?start_date=2026-01-01&end_date=2026-01-02", &ada);
    let expected = json!({
        "start_date": "2026-01-01", "end_date": "2026-01-02",
        // 110 tokens of the large model for 12, 50 of the small one for 2, and 10 for each token of the agent.
        "tokens": 160, "input_tokens": 0, "output_tokens": 0, "requests": 3, "cost_micros": 110 * 12 + 50 * 2 + 100 * 10, "covered_micros": 0,
        "by_model": [
            {"model": "large", "tokens": 110, "requests": 2, "cost_micros": 110 * 12 + 100 * 10},
            {"model": "small", "tokens": 50, "requests": 1, "cost_micros": 100},
        ],
        "by_agent": [
            {"agent": null, "tokens": 60, "requests": 2, "cost_micros": 10 * 12 + 50 * 2},
            {"agent": "agent_quill", "tokens": 100, "requests": 1, "cost_micros": 100 * 22},
        ],
        "by_day": [
            {"date": "2026-01-02", "tokens": 60, "requests": 2, "cost_micros": 10 * 12 + 50 * 2},
            {"date": "2026-01-01", "tokens": 100, "requests": 1, "cost_micros": 100 * 22},
        ],
        "synced_at": null,
    });
    assert_eq!(usage, expected);
    assert_eq!(api.get("/api/billing/usage?start_date=2026-01-02&end_date=2026-01-02", &ada)["tokens"], 60, "one day");
    let of_small = api.get("/api/billing/usage?model=small", &ada);
    assert_eq!(of_small["tokens"], 160, "the totals are those of all models");
    let days: Vec<i64> =
        of_small["by_day"].as_array().expect("days").iter().filter_map(|day| day["tokens"].as_i64()).collect();
    assert_eq!(days, [50, 0]);
    let ids = |path: &str| -> Vec<String> {
        let log = api.get(path, &ada);
        let requests = log["requests"].as_array().expect("a list").iter();
        requests.map(|request| request["request_id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(ids("/api/billing/usage/logs"), ["r3", "r2", "r1"], "a line for each request, the newest first");
    let first = json!({
        "request_id": "r1", "at": "2026-01-01T10:00:00Z", "model": "large", "agent": "agent_quill", "tokens": 100,
        "input_tokens": 0, "output_tokens": 0, "cost_micros": 2200, "covered_micros": 0,
    });
    assert_eq!(api.get("/api/billing/usage/logs?agent=agent_quill", &ada), json!({"requests": [first], "next": null}));
    assert_eq!(ids("/api/billing/usage/logs?model=small&start_date=2026-01-02"), ["r2"]);
    assert_eq!(ids("/api/billing/usage/logs?end_date=2026-01-01"), ["r1"], "the end is the whole day");
    assert_eq!(ids("/api/billing/usage/logs?start_date=2026-01-02"), ["r3", "r2"]);
    let page = api.get("/api/billing/usage/logs?limit=2", &ada);
    let next = page["next"].as_str().expect("a further page");
    assert_eq!(ids(&format!("/api/billing/usage/logs?limit=2&after={next}")), ["r1"]);
    let nobody = api.get("/api/billing/usage/logs", &api.user("bob"));
    assert_eq!(nobody, json!({"requests": [], "next": null}), "another user");
    assert_eq!(
        api.send("GET /api/billing/usage?start_date=2026-02-30", &ada, &NOTHING).wrong(),
        [("/start_date".into(), "bad-format".into())]
    );
}

// covers: TES-06, TES-29, TES-63, TES-103
#[test]
fn a_user_synchronises_the_use_of_a_proxy() {
    let proxy = Proxy::start();
    let provider = LiteLlm::new(Config::new(&proxy.url(), Secret::new(Proxy::KEY)));
    let api = TestServer::of("tesslate")
        .config(&[("usage_proxy", &proxy.url())])
        .provider("usage.pull", Arc::new(provider))
        .start();
    let ada = api.user("ada");
    api.advance_to(START_MS + 36 * 3_600_000);
    let tags = json!({"request_tags": ["agent:agent_quill"]});
    proxy.log("r1", "ada", "2026-01-01T10:00:00Z", "large", (1_000, 200), &tags);
    proxy.log("r2", "ada", "2026-01-01T11:00:00.5Z", "small", (10, 1), &json!({}));
    proxy.log("b1", "bob", "2026-01-01T11:00:00Z", "small", (1_000_000, 1), &json!({}));
    let sync = || api.send("POST /api/billing/usage/sync", &ada, &NOTHING);
    // 1000 at 2.50 and 200 at 10.00 of a million, and 10 for each token of the agent; 10 at 0.15 and 1 at 0.60, each rounded.
    let cost = (2_500 + 2_000 + 1_200 * 10) + (2 + 1);
    let at = "2026-01-02T12:00:00Z";
    assert_eq!(sync().ok(), json!({"new": 2, "cost_micros": cost, "unpriced": 0, "synced_at": at}));
    assert_eq!(sync().ok()["new"], 0, "the same requests again");
    api.advance_to(START_MS + 38 * 3_600_000);
    // Meanwhile the log was read every hour. This request began before the last read, and was slow.
    proxy.log("r3", "ada", "2026-01-02T13:30:00Z", "large", (1, 1), &json!({}));
    assert_eq!(sync().ok()["new"], 1);
    let since = proxy.queries().last().cloned().expect("a query");
    assert!(since.contains("start_date=2026-01-02%2013%3A00%3A00"), "an hour before the cursor: {since}");
    let usage = api.get("/api/billing/usage", &ada);
    assert_eq!(
        (&usage["input_tokens"], &usage["output_tokens"], &usage["requests"]),
        (&json!(1_011), &json!(202), &json!(3))
    );
    assert_eq!(usage["synced_at"], "2026-01-02T14:00:00Z");
    assert_eq!(
        usage["by_agent"][1],
        json!({"agent": "agent_quill", "tokens": 1_200, "requests": 1, "cost_micros": 16_500})
    );
    let log = api.get("/api/billing/usage/logs?agent=agent_quill", &ada);
    let line = json!({
        "request_id": "r1", "at": "2026-01-01T10:00:00Z", "model": "large", "agent": "agent_quill", "tokens": 1_200,
        "input_tokens": 1_000, "output_tokens": 200, "cost_micros": 16_500, "covered_micros": 0,
    });
    assert_eq!(log["requests"], json!([line]));
    assert_eq!(api.send("POST /api/billing/usage/sync", "", &NOTHING).status, 401);
}

// covers: TES-29
#[test]
fn a_proxy_that_refuses_and_a_business_without_one_have_codes_of_their_own() {
    let proxy = Proxy::start();
    let provider = LiteLlm::new(Config::new(&proxy.url(), Secret::new("sk-wrong")));
    let api = TestServer::of("tesslate")
        .config(&[("usage_proxy", &proxy.url())])
        .provider("usage.pull", Arc::new(provider))
        .start();
    let refused = api.send("POST /api/billing/usage/sync", &api.user("ada"), &NOTHING);
    assert_eq!((refused.status, refused.code()), (424, "proxy_unreachable"));
    let without = studio();
    let refused = without.send("POST /api/billing/usage/sync", &without.user("ada"), &NOTHING);
    assert_eq!((refused.status, refused.code()), (404, "no_proxy"));
}

// covers: TES-29
#[test]
fn a_user_has_one_synchronisation_at_a_time() {
    let api = TestServer::of("tesslate").config(&[("usage_proxy", "http://proxy.example")]).impatient().start();
    let (ada, bob) = (api.user("ada"), api.user("bob"));
    let page = json!({"requests": [], "more": false});
    api.script(
        "usage-pull:1/1",
        vec![ScriptedAnswer::Late { after_ms: 60_000, then: Box::new(ScriptedAnswer::Ok(page.clone())) }],
    );
    let first = api.send("POST /api/billing/usage/sync", &ada, &NOTHING).status;
    assert_eq!(first, 202, "the log is being read");
    let second = api.send("POST /api/billing/usage/sync", &ada, &NOTHING);
    assert_eq!((second.status, second.code()), (409, "sync_is_running"));
    let of_another = api.send("POST /api/billing/usage/sync", &bob, &NOTHING).status;
    assert_eq!(of_another, 202, "each user has a synchronisation");
    api.advance_to(START_MS + 120_000);
    api.settle();
    api.answer("usage-pull:2/1", page);
    assert_eq!(api.ok("POST /api/billing/usage/sync", &ada, &NOTHING)["new"], 0);
}

// covers: TES-32, TES-33
#[test]
fn a_creator_sees_only_what_own_agents_earn() {
    let api = studio();
    let (ada, zoe) = (api.user("ada"), api.user("zoe"));
    assert_eq!(
        api.get("/api/billing/earnings", &zoe),
        json!({"gross_minor": 0, "share_minor": 0, "pending_minor": 0, "paid_out_minor": 0, "agents": []})
    );
    let bought = api.ok("POST /api/marketplace/agents/agent_smith/purchase", &ada, &NOTHING);
    let id = bought["purchase_id"].as_str().expect("an id");
    api.stripe(&format!(
        "{{stripe: checkout.session.completed, id: evt_smith, set: {{id: cs_1, customer: cus_ada, mode: payment, subscription: null, \
         payment_intent: pi_1, amount_subtotal: 1999, amount_total: 1999, metadata: {{purchase_id: {id}, user_id: ada}}}}}}"
    ));
    let earned = api.get("/api/billing/earnings", &zoe);
    let expected = json!({
        "gross_minor": 1999, "share_minor": 1799, "pending_minor": 1799, "paid_out_minor": 0,
        "agents": [{"agent_id": "agent_smith", "sales": 1, "gross_minor": 1999, "share_minor": 1799, "pending_minor": 1799}],
    });
    assert_eq!(earned, expected);
    assert_eq!(api.get("/api/billing/earnings", &ada)["agents"], json!([]), "only own agents");
    for _ in 0..2 {
        let link = api.ok("POST /api/billing/connect", &zoe, &NOTHING);
        assert_eq!(link, json!({"onboarding_url": "https://connect.example/setup"}));
    }
    let made = api.with_host(|host| {
        let events = host.processor().inbox_after(0, 1000).expect("read");
        events.iter().filter(|row| row.event.kind == "stripe.account.create").count()
    });
    assert_eq!(made, 1, "the second call uses the same account");
}

// covers: TES-50, TES-51, TES-52, TES-53, TES-54
#[test]
fn projects_are_deployed_within_the_limits_of_the_tier() {
    let api = studio();
    let ada = api.user("ada");
    let create = |slug: &str| api.send("POST /api/projects", &ada, &json!({"name": slug, "slug": slug}));
    let deploy = |slug: &str| api.send(&format!("POST /api/projects/{slug}/deploy"), &ada, &NOTHING);
    assert_eq!(create("one").status, 201);
    let second = create("two");
    assert_eq!((second.status, second.code(), &second.json["upgrade"]), (403, "project_limit", &json!("prod_premium")));
    let unknown = deploy("nothing");
    assert_eq!((unknown.status, unknown.code()), (404, "project_not_found"));
    let deployed = deploy("one").ok();
    assert_eq!((&deployed["is_deployed"], &deployed["deployed_projects_count"]), (&json!(true), &json!(1)));
    let limits = |used: i64, tier: &str, included: i64, purchased: i64| {
        let expected = json!({
            "tier": tier, "deployed": used, "included": included, "purchased": purchased, "available": included + purchased - used,
        });
        assert_eq!(api.get("/api/projects/deployment/limits", &ada), expected);
    };
    limits(1, "free", 1, 0);
    let slot = api.send("POST /api/projects/deployment/purchase-slot", &ada, &NOTHING);
    assert_eq!((slot.status, slot.code()), (403, "upgrade_required"), "Free has no slots");
    premium(&api);
    for slug in ["two", "three", "four", "five"] {
        create(slug).ok();
        deploy(slug).ok();
    }
    assert_eq!(create("six").code(), "project_limit");
    limits(5, "premium", 5, 0);
    let stopped = api.ok("DELETE /api/projects/five/deploy", &ada, &NOTHING);
    assert_eq!(stopped["is_deployed"], false);
    api.settle();
    limits(4, "premium", 5, 0);
    let again = api.ok("DELETE /api/projects/five/deploy", &ada, &NOTHING);
    assert_eq!(again["deployed_projects_count"], 4, "a second time changes nothing");
    assert_eq!(deploy("five").ok()["deployed_projects_count"], 5, "a stopped project is deployed again");
    api.settle();
    api.ok("DELETE /api/projects/five/deploy", &ada, &NOTHING);
    api.settle();
    limits(4, "premium", 5, 0);
    assert_eq!(deploy("five").ok()["deployed_projects_count"], 5, "and once more");
    let slot = api.ok("POST /api/projects/deployment/purchase-slot", &ada, &NOTHING);
    assert_eq!(slot, json!({"checkout_url": "https://checkout.example/cs_1"}));
}

// covers: TES-51
#[test]
fn a_free_user_is_sent_to_premium_and_a_premium_user_to_a_slot() {
    let api = studio();
    let ada = api.user("ada");
    premium(&api);
    for slug in ["one", "two", "three", "four", "five"] {
        api.ok("POST /api/projects", &ada, &json!({"name": slug, "slug": slug}));
        api.ok(&format!("POST /api/projects/{slug}/deploy"), &ada, &NOTHING);
    }
    let bob = api.user("bob");
    api.ok("POST /api/projects", &bob, &json!({"name": "b", "slug": "bobs"}));
    let foreign = api.send("POST /api/projects/one/deploy", &bob, &NOTHING);
    let unknown = api.send("POST /api/projects/nothing/deploy", &bob, &NOTHING);
    assert_eq!((foreign.status, foreign.body), (unknown.status, unknown.body), "another's project and an unknown one");
    for (user, expected) in [(&ada, (402, "slot_required")), (&bob, (403, "upgrade_required"))] {
        let body = json!({"product_type": "deployment", "name": "x", "metadata": {"slug": "extra"}});
        let first = api.send("POST /api/projects", user, &json!({"name": "extra", "slug": "extra"}));
        assert_eq!(first.code(), "project_limit");
        if user == &bob {
            api.ok("POST /api/projects/bobs/deploy", user, &NOTHING);
        }
        // The platform's own routes give the same answers, since the errors are the business's.
        let refused = api.refused("POST /api/products", user, &body);
        assert_eq!((refused.0, refused.1.as_str()), expected);
    }
}

// covers: TES-90, TES-91, D-84
#[test]
fn the_client_has_the_methods_and_types_that_the_application_uses() {
    let text = host_api::typescript(&tesslate().routes, "billingApi");
    let interface = text.split("export interface BillingApi {").nth(1).and_then(|rest| rest.split("\n}").next());
    let methods = interface.expect("an interface").lines().filter_map(|line| line.trim().split_once('('));
    let methods: BTreeSet<&str> = methods.map(|(name, _)| name).filter(|name| !name.starts_with("/**")).collect();
    let expected = [
        "cancelSubscription",
        "connectStripe",
        "createProject",
        "deployProject",
        "getConfig",
        "getCreditsBalance",
        "getCreditsHistory",
        "getDeploymentLimits",
        "getEarnings",
        "getPortal",
        "getSubscription",
        "getTransactions",
        "getUsage",
        "getUsageLogs",
        "purchaseAgent",
        "purchaseCredits",
        "purchaseDeploySlot",
        "subscribe",
        "syncUsage",
        "undeployProject",
    ];
    assert_eq!(methods, expected.into());
    for name in [
        "BillingConfig",
        "SubscriptionResponse",
        "CreditBalanceResponse",
        "UsageSummaryResponse",
        "Transaction",
        "CreditPurchase",
        "DeploymentLimitsResponse",
    ] {
        assert_eq!(text.matches(&format!("export interface {name} {{")).count(), 1, "{name}");
        assert!(studio().document()["components"]["schemas"][name].is_object(), "{name} is in the document, too");
    }
    let deploy = "deployProject: (slug, command) => send(\"POST\", `/api/projects/${encodeURIComponent(slug)}/deploy`, undefined, undefined, command ?? {}),";
    assert!(text.contains(deploy), "a path with a variable part");
}

#[test]
fn every_route_of_the_document_has_answered_in_these_tests() {
    let api = TestServer::of("tesslate").config(&[("usage_proxy", "http://proxy.example")]).start();
    answers(&api);
    api.answer("usage-pull:*", json!({"requests": [], "more": false}));
    let ada = api.user("ada");
    premium(&api);
    api.ok("POST /api/projects", &ada, &json!({"name": "one", "slug": "one"}));
    api.ok("POST /api/billing/credits/purchase", &ada, &json!({"package": "small"}));
    for line in [
        "POST /api/projects/one/deploy",
        "DELETE /api/projects/one/deploy",
        "POST /api/billing/cancel",
        "POST /api/billing/connect",
        "POST /api/billing/usage/sync",
        "POST /api/projects/deployment/purchase-slot",
        "POST /api/marketplace/agents/agent_lint/purchase",
    ] {
        api.sells();
        api.ok(line, &ada, &NOTHING);
    }
    api.sells();
    for path in [
        "config",
        "subscription",
        "portal",
        "credits",
        "credits/history",
        "usage",
        "usage/logs",
        "transactions",
        "earnings",
    ] {
        api.get(&format!("/api/billing/{path}"), &ada);
    }
    api.get("/api/projects/deployment/limits", &ada);
    api.ok("POST /api/billing/subscribe", &api.user("bob"), &NOTHING);
    assert_eq!(api.without_success(false), [""; 0]);
}

// covers: TES-55
#[test]
fn agents_are_bought_in_four_ways() {
    let api = studio();
    let ada = api.user("ada");
    let buy = |id: &str| api.send(&format!("POST /api/marketplace/agents/{id}/purchase"), &ada, &NOTHING);
    for (id, at_once) in [("agent_lint", true), ("agent_quill", true), ("agent_muse", false), ("agent_smith", false)] {
        api.answer("checkout:*", json!({"session_id": format!("cs_{id}"), "url": "https://checkout.example/agent"}));
        let bought = buy(id).ok();
        assert_eq!(
            (&bought["has_access"], bought["checkout_url"].is_null()),
            (&json!(at_once), at_once),
            "{id}: {bought}"
        );
    }
    assert_eq!((buy("agent_lint").status, buy("agent_lint").code()), (409, "already_owned"));
    for unknown in ["agent_none", "prod_premium"] {
        assert_eq!((buy(unknown).status, buy(unknown).code()), (404, "agent_not_found"));
    }
}

#[test]
fn an_account_lists_as_many_products_as_the_catalog_bears() {
    let api = studio();
    let key = api.user("zoe");
    let agent = |number: usize| {
        let metadata = json!({"slug": format!("agent-{number}"), "pricing": "free"});
        json!({"product_type": "agent", "name": "Agent", "price": 0, "metadata": metadata})
    };
    let line = "POST /api/commands/product.list?account=user:zoe";
    for number in 0..50 {
        api.ok(line, &key, &agent(number));
    }
    assert_eq!(api.refused(line, &key, &agent(50)), (409, "quota-exceeded".to_owned()));
    let again = json!({"id": "prod_agent-0", "name": "The same"});
    assert_eq!(api.send(line, &key, &again).status, 200, "a listed product can still be changed");
}
