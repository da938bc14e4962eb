//! The products routes of every business, and the platform's own spellings of a business that asks for them.

use super::raw::Answer;
use super::server::{NOTHING, TestServer};
use end_to_end::play::bodies;
use serde_json::{Value, json};
use std::ops::Deref;

/// A server with keys of two users, a service and an operator.
struct Shop {
    server: TestServer,
    ada: String,
    bob: String,
    service: String,
    operator: String,
}

impl Deref for Shop {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.server
    }
}

impl Shop {
    fn start() -> Shop {
        let server = TestServer::start("solobase");
        let (ada, bob, service, operator) =
            (server.user("ada"), server.user("bob"), server.service(), server.operator());
        Shop { server, ada, bob, service, operator }
    }

    /// Returns the reply of an answer, which may have come later.
    fn reply(&self, answer: Answer, key: &str) -> Value {
        match answer.header("location").filter(|_| answer.status == 202) {
            Some(location) => self.get(location, key),
            None => answer.ok(),
        }
    }

    /// Sends a request without a key.
    fn anonymous(&self, line: &str) -> Answer {
        self.request(line, &[], b"")
    }

    fn pays(&self, user: &str, status: &str) {
        let story = format!(
            "name: x\nevents:\n  - {{stripe: customer.subscription.created, id: evt_{user}, set: {{id: sub_{user}, \
             customer: cus_{user}, status: {status}, metadata: {{user_id: {user}}}, price: price_xyz789}}}}\n"
        );
        assert_eq!(self.deliver(&bodies(&story)[0]).status, 200);
    }

    fn creates(&self, key: &str, subdomain: &str) -> Value {
        let body = json!({"type": "instance", "name": "App", "metadata": {"subdomain": subdomain}});
        let made = self.send("POST /api/products", key, &body);
        assert_eq!(made.status, 201, "{made:?}");
        self.settle();
        made.json
    }
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|entry| entry["id"].as_str().expect("an id")).collect()
}

// covers: SOL-12
#[test]
fn everybody_reads_the_plans_and_pages_of_them() {
    let shop = Shop::start();
    let plans = shop.anonymous("GET /api/products?type=subscription_plan").ok();
    let expected = ["prod_hobby", "prod_starter", "prod_professional", "prod_business"];
    assert_eq!(ids(&plans["products"]), expected, "{plans}");
    let hobby = &plans["products"][0];
    assert_eq!((&hobby["name"], &hobby["price"], &hobby["currency"]), (&json!("Hobby"), &json!(500), &json!("usd")));
    assert_eq!(
        (&hobby["stripe_product_id"], &hobby["stripe_price_id"]),
        (&json!("prod_abc123"), &json!("price_xyz789"))
    );
    assert_eq!((&hobby["metadata"]["max_instances"], &hobby["billing_interval"]), (&json!(1), &json!("month")));
    assert_eq!(shop.anonymous("GET /api/products").ok()["total_count"], 4, "the products on sale");
    let first = shop.anonymous("GET /api/products?type=subscription_plan&after=&page_size=3").ok();
    let next = format!("GET /api/products?type=subscription_plan&after={}", first["next"].as_str().expect("more"));
    let rest = shop.anonymous(&next).ok();
    assert_eq!([ids(&first["products"]), ids(&rest["products"])].map(|ids| ids.len()), [3, expected.len() - 3]);
    let second = shop.anonymous("GET /b/products/catalog?page=2&page_size=3").ok();
    assert_eq!((&second["total_count"], &second["page"], &second["page_size"]), (&json!(4), &json!(2), &json!(3)));
    assert_eq!(second["records"][0]["id"], "prod_business");
    assert_eq!(second["records"][0]["data"]["name"], "Business");
    assert_eq!(shop.anonymous("GET /b/products/catalog/prod_hobby").ok()["data"]["price"], 500);
    assert_eq!(shop.anonymous("GET /b/products/api/catalog/prod_hobby").ok()["id"], "prod_hobby");
    assert_eq!(shop.anonymous("GET /api/products/prod_hobby").ok()["id"], "prod_hobby");
    for (path, status, code) in [
        ("/api/products?page_size=101", 400, "query"),
        ("/api/products?page=0", 400, "query"),
        ("/api/products?type=plane", 400, "query"),
        ("/api/products?colour=red", 400, "query"),
        ("/b/products/catalog/prod_nothing", 404, "not-found"),
        ("/api/products/prod_nothing", 401, "unauthorized"),
        ("/api/products?type=instance", 401, "unauthorized"),
    ] {
        let answer = shop.anonymous(&format!("GET {path}"));
        assert_eq!((answer.status, answer.code()), (status, code), "{path}");
    }
}

// covers: SOL-16, Q-33
#[test]
fn each_refusal_of_an_instance_has_the_name_of_the_business() {
    let shop = Shop::start();
    let create = |key: &str, subdomain: &str| {
        let body = json!({"type": "instance", "name": "App", "metadata": {"subdomain": subdomain}});
        let refused = shop.send("POST /api/products", key, &body);
        (refused.status, refused.code().to_owned())
    };
    let told = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(create(&shop.ada, "mine"), told(402, "subscription_required"));
    let plan = shop.send("POST /api/products/prod_business/purchase", &shop.ada, &json!({}));
    assert_eq!((plan.status, plan.code().to_owned()), told(409, "plan_unavailable"));
    shop.pays("bob", "active");
    shop.creates(&shop.bob, "taken");
    shop.pays("ada", "active");
    assert_eq!(create(&shop.ada, "my--app"), told(422, "subdomain_invalid"));
    assert_eq!(create(&shop.ada, "taken"), told(409, "subdomain_taken"));
    shop.creates(&shop.ada, "mine");
    let full = shop.send(
        "POST /api/products",
        &shop.ada,
        &json!({"type": "instance", "name": "App", "metadata": {"subdomain": "second"}}),
    );
    assert_eq!((full.status, full.code().to_owned()), told(409, "instance_limit"));
    assert!(full.body.contains("\"upgrade\":\"prod_starter\""), "it says what to buy: {}", full.body);
    // Commands have the same names of errors.
    let command = json!({"name": "App", "metadata": {"subdomain": "third"}});
    let refused = shop.send("POST /api/commands/instance.create", &shop.ada, &command);
    assert_eq!((refused.status, refused.code().to_owned()), told(409, "instance_limit"));
    let consume = |amount: u32| {
        let body = json!({"key": "api_requests_monthly", "amount": amount});
        shop.send("POST /api/commands/usage.consume", &shop.ada, &body)
    };
    let whole = consume(1_000_000);
    assert_eq!(whole.status, 200, "{}", whole.body);
    let beyond = consume(1);
    assert_eq!((beyond.status, beyond.code().to_owned()), told(429, "request_limit"));
}

// covers: SOL-13
// covers: SOL-14
#[test]
fn users_see_and_create_their_own_instances_and_nobody_elses() {
    let shop = Shop::start();
    let early = shop.send(
        "POST /api/products",
        &shop.ada,
        &json!({"type": "instance", "name": "A", "metadata": {"subdomain": "early"}}),
    );
    assert_eq!((early.status, early.code()), (402, "subscription_required"), "no plan is active");
    ["ada", "bob"].into_iter().for_each(|user| shop.pays(user, "active"));
    let made = shop.creates(&shop.ada, "adasapp");
    assert_eq!((&made["id"], &made["status"]), (&json!("inst_adasapp"), &json!("provisioning")), "{made}");
    shop.creates(&shop.bob, "bobsapp");
    let own = shop.get("/api/products?type=instance&user_id=ada", &shop.ada);
    assert_eq!(ids(&own["products"]), ["inst_adasapp"]);
    let instance = &own["products"][0];
    assert_eq!((&instance["subdomain"], &instance["status"]), (&json!("adasapp"), &json!("running")), "{instance}");
    assert!(instance["metadata"]["resources"]["lambda_arn"].is_string(), "{instance}");
    assert!(instance["metadata"]["resources"]["url"].is_string(), "{instance}");
    assert_eq!(
        shop.get("/api/products?type=solobase_instance", &shop.ada)["total_count"],
        1,
        "another name of the type"
    );
    assert_eq!(shop.get("/api/products?type=instance&health_status=unhealthy", &shop.ada)["total_count"], 0);
    assert_eq!(shop.get("/api/products?type=instance&status=running", &shop.ada)["total_count"], 1);
    assert_eq!(ids(&shop.get("/api/products?type=instance&user_id=bob", &shop.operator)["products"]), ["inst_bobsapp"]);
    assert_eq!(shop.get("/b/products/products", &shop.ada)["records"][0]["data"]["subdomain"], "adasapp");
    assert_eq!(ids(&shop.get("/ext/products/products", &shop.ada)["products"]), ["inst_adasapp"]);
    let health = shop.get("/api/products/inst_adasapp/health", &shop.ada);
    assert_eq!((&health["status"], &health["health_status"]), (&json!("running"), &json!("unknown")), "{health}");
    let [others, unknown] = ["bob", "nobody"]
        .map(|user| shop.send(&format!("GET /api/products?type=instance&user_id={user}"), &shop.ada, &NOTHING));
    assert_eq!((others.status, others.code()), (403, "forbidden"));
    assert_eq!(others.body, unknown.body, "nobody learns which accounts exist");
    for line in [
        "GET /api/products/ID",
        "GET /api/products/ID/health",
        "GET /b/products/products/ID",
        "PUT /api/products/ID",
        "PATCH /b/products/products/ID",
        "DELETE /api/products/ID?confirm=App",
        "DELETE /ext/products/products/ID?confirm=App",
    ] {
        let of = |id: &str| {
            let answer = shop.send(&line.replace("ID", id), &shop.ada, &json!({}));
            assert_eq!((answer.status, answer.code()), (404, "not-found"), "{line} {id}");
            answer.body.replace(id, "ID")
        };
        assert_eq!(of("inst_bobsapp"), of("inst_nothing"), "{line}: another's id and an unknown id are answered alike");
    }
}

// covers: SOL-09
// covers: SOL-15
#[test]
fn the_owner_comes_from_the_caller_and_only_a_service_reports_a_status() {
    let shop = Shop::start();
    shop.pays("ada", "active");
    for body in [
        json!({"type": "instance", "name": "A", "user_id": "bob", "metadata": {"subdomain": "stolen"}}),
        json!({"type": "instance", "name": "A", "metadata": {"subdomain": "stolen", "user_id": "bob"}}),
    ] {
        let answer = shop.send("POST /api/products", &shop.ada, &body);
        assert_eq!((answer.status, answer.code()), (403, "forbidden"), "{body}");
    }
    shop.fail("*");
    let platform =
        json!({"type": "instance", "name": "A", "metadata": {"subdomain": "mine", "status": "provisioning"}});
    assert_eq!(shop.send("POST /api/products", &shop.ada, &platform).status, 201, "as the platform's clients send it");
    let running = json!({"metadata": {"status": "running", "resources": {"url": "https://mine.solobase.cloud"}}});
    let by_user = shop.send("PUT /api/products/inst_mine", &shop.ada, &running);
    assert_eq!((by_user.status, by_user.code()), (403, "forbidden"));
    let line = "PUT /api/products/inst_mine?user_id=ada";
    let other = json!({"id": "inst_other", "metadata": {"status": "running"}});
    assert_eq!(shop.send(line, &shop.service, &other).code(), "invalid", "the id in the path counts");
    let by_service = shop.ok(line, &shop.service, &running);
    assert_eq!((&by_service["id"], &by_service["status"]), (&json!("inst_mine"), &json!("running")), "{by_service}");
    let back = shop.send(line, &shop.service, &json!({"metadata": {"status": "provisioning"}}));
    assert_eq!((back.status, back.code()), (409, "bad-transition"));
}

// covers: SOL-10
#[test]
fn an_operator_creates_and_withdraws_a_plan_and_nobody_else_does() {
    let shop = Shop::start();
    let metadata = json!({
        "plan_tier": "tiny", "max_instances": 1, "storage_gb": 1, "database_gb": 1, "api_requests_monthly": 1000,
        "compute_tier": "lambda", "database_tier": "shared",
    });
    let plan = json!({"name": "Tiny", "price": 300, "billing_interval": "month", "metadata": metadata});
    let by_user = shop.send(
        "POST /api/products",
        &shop.ada,
        &json!({"type": "subscription_plan", "name": "Tiny", "metadata": metadata}),
    );
    assert_eq!((by_user.status, by_user.code()), (403, "forbidden"));
    let asked = shop.send("POST /api/products", &shop.operator, &plan);
    assert!([201, 202].contains(&asked.status), "its price is made at Stripe: {asked:?}");
    shop.settle();
    let made = shop.reply(asked, &shop.operator);
    assert_eq!((&made["id"], &made["type"]), (&json!("prod_tiny"), &json!("subscription_plan")), "{made}");
    assert!(made["stripe_product_id"].is_string() && made["stripe_price_id"].is_string(), "{made}");
    assert_eq!(shop.anonymous("GET /api/products/prod_tiny").ok()["price"], 300);
    for line in ["DELETE /api/products/prod_tiny", "PUT /ext/products/products/prod_tiny"] {
        assert_eq!(shop.send(line, &shop.ada, &json!({})).status, 404, "{line}: not of the user's account");
    }
    let deleted = shop.ok("DELETE /b/products/api/admin/products/prod_tiny", &shop.operator, &NOTHING);
    assert_eq!((&deleted["deleted"], &deleted["id"]), (&json!(true), &json!("prod_tiny")), "{deleted}");
    assert_eq!(shop.anonymous("GET /b/products/catalog/prod_tiny").status, 404, "it is not on sale any more");
    let kept = shop.get("/admin/b/products/products/prod_tiny", &shop.operator);
    assert_eq!(kept["data"]["active"], false, "its row stays: purchases refer to it");
    let all = shop.get("/b/products/admin/products?page_size=100", &shop.operator);
    assert_eq!(all["total_count"], 5, "{all}");
    let settings = shop.send("GET /b/products/admin/products/business", &shop.operator, &NOTHING);
    assert_eq!(settings.status, 404, "the settings of the catalog are not a product");
}

// covers: SOL-11
// covers: D-107
#[test]
fn a_plan_is_bought_at_each_of_the_platforms_routes() {
    let shop = Shop::start();
    let buy = |line: &str, body: &Value| {
        let answer = shop.send(line, &shop.ada, body);
        shop.settle();
        shop.reply(answer, &shop.ada)
    };
    let first = buy("POST /api/products/prod_hobby/purchase", &Value::Null);
    assert!(first["checkout_url"].as_str().is_some_and(|url| url.starts_with("https://")), "{first}");
    let foreign = json!({"success_url": "https://evil.example/"});
    assert_eq!(shop.send("POST /api/products/prod_hobby/purchase", &shop.ada, &foreign).code(), "invalid");
    // The same offer has one open checkout, so all routes lead to it.
    let order = json!({"items": [{"product_id": "prod_hobby", "quantity": 1, "variables": {}}], "currency": "USD"});
    let ordered = buy("POST /b/products/purchases", &order);
    assert_eq!(
        (&ordered["id"], &ordered["status"], &ordered["total_cents"], &ordered["item_count"]),
        (&first["purchase_id"], &json!("pending"), &json!(500), &json!(1)),
        "{ordered}"
    );
    let id = ordered["id"].as_str().expect("an id");
    let checkout = buy("POST /b/products/checkout", &json!({"purchase_id": id}));
    assert_eq!((&checkout["session_id"], &checkout["checkout_url"]), (&first["session_id"], &first["checkout_url"]));
    let by_plan = buy("POST /api/products/checkout", &json!({"plan_id": "prod_hobby", "billing_cycle": "monthly"}));
    assert_eq!(by_plan["session_id"], first["session_id"]);
    let camel = json!({"items": [{"productId": "prod_hobby", "quantity": 1}]});
    let of_extension = shop.send("POST /ext/products/purchase", &shop.ada, &camel);
    assert_eq!(of_extension.status, 201);
    assert_eq!(of_extension.ok()["purchase"]["id"], id);
    let list = shop.get("/ext/products/purchases?limit=5&offset=0", &shop.ada);
    assert_eq!((&list["total"], &list["limit"], &list["offset"]), (&json!(1), &json!(5), &json!(0)), "{list}");
    assert_eq!(shop.get("/b/products/purchases?status=paid", &shop.ada)["total_count"], 0);
    let one = shop.get(&format!("/b/products/purchases/{id}"), &shop.ada);
    assert_eq!((&one["purchase"]["id"], &one["line_items"][0]["unit_price"]), (&json!(id), &json!(500)), "{one}");
    let path = format!("/ext/products/admin/purchases/{id}");
    assert_eq!(shop.get(&path, &shop.operator)["purchase"]["account"], "user:ada", "found by its id");
    let [others, unknown] = [id, "pur_nothing"].map(|id| {
        let answer = shop.send(&format!("GET /b/products/purchases/{id}"), &shop.bob, &NOTHING);
        assert_eq!(answer.code(), "not-found");
        answer.body.replace(id, "ID")
    });
    assert_eq!(others, unknown);
    for wrong in [
        json!({"items": []}),
        json!({"items": [{"product_id": "prod_hobby", "variables": {"base_price": 1}}]}),
        json!({"items": [{"product_id": "prod_hobby"}], "currency": "eur"}),
        json!({"items": [{"product_id": "prod_hobby"}], "requiresApproval": false}),
    ] {
        let answer = shop.send("POST /b/products/purchases", &shop.bob, &wrong);
        assert_eq!((answer.status, answer.code()), (422, "invalid"), "{wrong}");
    }
    let refund = format!("POST /ext/products/admin/purchases/{id}/refund");
    let unpaid = shop.send(&refund, &shop.operator, &json!({"amount": 0, "reason": "a test"}));
    assert_eq!((unpaid.status, unpaid.code()), (409, "bad-transition"), "it is not paid");
    assert_eq!(shop.send(&refund, &shop.ada, &json!({})).code(), "forbidden");
}

#[test]
fn the_subscription_that_counts_has_its_plan() {
    let shop = Shop::start();
    let of = |key: &str| shop.get("/b/products/subscription", key)["subscription"].clone();
    assert_eq!(of(&shop.ada), Value::Null);
    shop.pays("ada", "active");
    let active = of(&shop.ada);
    assert_eq!((&active["plan"], &active["status"]), (&json!("prod_hobby"), &json!("active")), "{active}");
    assert_eq!((&active["id"], &active["grace_period_end"]), (&json!("sub_ada"), &Value::Null));
    shop.pays("bob", "past_due");
    let late = of(&shop.bob);
    assert_eq!(late["status"], "past_due");
    assert!(late["grace_period_end"].is_string(), "{late}");
}

#[test]
fn an_instance_is_deleted_only_with_its_name() {
    let shop = Shop::start();
    shop.pays("ada", "active");
    shop.creates(&shop.ada, "gone");
    let unconfirmed = shop.send("DELETE /api/products/inst_gone", &shop.ada, &NOTHING);
    assert!((400..500).contains(&unconfirmed.status), "{unconfirmed:?}");
    let deleted = shop.ok("DELETE /b/products/products/inst_gone", &shop.ada, &json!({"confirm": "App"}));
    assert_eq!((&deleted["deleted"], &deleted["id"]), (&json!(true), &json!("inst_gone")), "{deleted}");
    shop.settle();
    let left = shop.get("/api/products?type=instance&status=running", &shop.ada);
    assert_eq!(left["total_count"], 0, "{left}");
    shop.creates(&shop.ada, "next");
    for path in
        ["/api/products?type=instance", "/b/products/products?type=instance", "/ext/products/products?type=instance"]
    {
        let of = |more: &str| shop.get(&format!("{path}{more}"), &shop.ada)["total_count"].clone();
        assert_eq!((of(""), of("&deleted=true"), of("&status=terminated")), (json!(1), json!(2), json!(1)), "{path}");
    }
    let one = shop.get("/api/products/inst_gone", &shop.ada);
    assert_eq!(one["status"], "terminated", "its row stays");
}

/// While too many effects of an account are open, a customer's command that asks for one is refused, and may be sent again.
#[test]
fn a_customer_whose_effects_wait_asks_for_no_further_one() {
    let shop = Shop::start();
    shop.pays("ada", "active");
    shop.settle();
    let most = |open: usize| shop.with_host(move |host| host.processor_mut().set_open_effects_max(open));
    let create = || {
        let body = json!({"type": "instance", "name": "App", "metadata": {"subdomain": "mine"}});
        shop.send_with("POST /api/products", &shop.ada, &[("Idempotency-Key", "k1")], &body)
    };
    most(0);
    let refused = create();
    assert_eq!((refused.status, refused.code()), (429, "too-many-requests"), "{refused:?}");
    assert!(refused.header("retry-after").is_some() && refused.body.contains("still being carried out"), "{refused:?}");
    assert_eq!(shop.get("/api/products?type=instance", &shop.ada)["total_count"], 0);
    most(1);
    assert_eq!(create().status, 201, "the same request");
}

/// The operators' list of instances has pages also within an account, and leaves out deleted instances.
#[test]
fn the_instances_of_one_account_are_on_several_pages_for_operators() {
    let shop = Shop::start();
    shop.pays("ada", "active");
    shop.pays("bob", "active");
    for name in ["first", "second", "third"] {
        shop.creates(&shop.ada, name);
        let line = format!("DELETE /api/products/inst_{name}?confirm=App");
        shop.ok(&line, &shop.ada, &NOTHING);
        shop.settle();
    }
    shop.creates(&shop.ada, "fourth");
    shop.creates(&shop.bob, "fifth");
    let read = |more: &str| {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/operator/instances?limit=1{more}{after}");
            let page = shop.get(&path, &shop.operator);
            let entries = page["instances"].as_array().expect("instances");
            assert!(entries.len() <= 1, "{page}");
            seen.extend(entries.iter().map(|entry| entry["id"].as_str().expect("an id").to_owned()));
            let Some(next) = page["next"].as_str() else { return seen };
            after = format!("&after={}", next.replace('#', "%23"));
        }
    };
    assert_eq!(read(""), ["inst_fourth", "inst_fifth"]);
    let all = ["inst_first", "inst_fourth", "inst_second", "inst_third", "inst_fifth"];
    assert_eq!(read("&deleted=true"), all);
    assert_eq!(read("&status=terminated"), ["inst_first", "inst_second", "inst_third"]);
}

#[test]
fn routes_without_a_feature_say_so_and_wrong_methods_and_keys_are_refused() {
    let shop = Shop::start();
    for line in [
        "GET /b/products/groups",
        "POST /ext/products/groups/g_1/products",
        "POST /b/products/calculate-price",
        "POST /api/products/bulk",
        "GET /b/products/api/admin/stats",
        "POST /ext/products/purchases/pur_1/cancel",
    ] {
        let answer = shop.send(line, &shop.ada, &json!({}));
        assert_eq!((answer.status, answer.code()), (501, "not-served"), "{line}");
        assert!(answer.body.len() > 100, "it says why: {}", answer.body);
    }
    for (line, allow) in [
        ("DELETE /api/products", "GET, HEAD, POST"),
        ("POST /api/products/prod_hobby", "DELETE, GET, HEAD, PATCH, PUT"),
        ("GET /api/products/checkout/", "none"),
        ("POST /b/products/catalog", "GET, HEAD"),
        ("GET /b/products/checkout", "POST"),
        ("GET /ext/products/admin/purchases/pur_1/refund", "PATCH, POST"),
    ] {
        let answer = shop.send(line, &shop.operator, &json!({}));
        match allow {
            "none" => assert_eq!(answer.status, 404, "{line}"),
            _ => assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{line}"),
        }
    }
    for line in [
        "POST /api/products",
        "GET /b/products/products",
        "GET /b/products/purchases",
        "GET /b/products/subscription",
        "POST /b/products/checkout",
        "POST /ext/products/purchase",
        "GET /b/products/admin/products",
    ] {
        assert_eq!(shop.anonymous(line).code(), "unauthorized", "{line}");
        assert_eq!(shop.send(line, "key_0", &json!({})).status, 401, "{line}");
    }
    for line in ["GET /b/products/admin/products", "GET /ext/products/admin/purchases?user_id=ada"] {
        for key in [&shop.ada, &shop.service] {
            assert_eq!(shop.send(line, key, &json!({})).code(), "forbidden", "{line}");
        }
    }
    assert_eq!(shop.anonymous("GET /api/products?type=subscription_plan").status, 200);
    let wrong_key = shop.send("GET /api/products?type=subscription_plan", "key_0", &NOTHING);
    assert_eq!(wrong_key.status, 401, "a wrong key is not taken for none");
}

// covers: SOL-20
#[test]
fn a_business_with_the_platforms_paths_takes_webhooks_at_them() {
    let shop = Shop::start();
    for (number, path) in
        ["/b/products/webhooks", "/b/products/webhooks/stripe", "/ext/products/webhooks"].into_iter().enumerate()
    {
        let story = format!(
            "name: x\nevents:\n  - {{stripe: customer.subscription.created, id: evt_{number}, set: {{id: sub_{number}, \
             customer: cus_{number}, metadata: {{user_id: u{number}}}, price: price_xyz789}}}}\n"
        );
        let body = bodies(&story).remove(0);
        let signature = shop.signature(&body);
        let line = format!("POST {path}");
        assert_eq!(shop.request(&line, &[], &body).status, 400, "{path}");
        let answer = shop.request(&line, &[("stripe-signature", &signature)], &body);
        assert_eq!((answer.status, answer.body.as_str()), (200, "{\"received\":true}"), "{path}");
        let found = shop.get(&format!("/b/products/subscription?user_id=u{number}"), &shop.operator);
        assert_eq!(found["subscription"]["status"], "active", "{path}: {found}");
    }
}

#[test]
fn a_business_that_does_not_ask_for_the_platforms_paths_has_only_its_own() {
    let api = TestServer::start("seats");
    let ask = |line: &str| api.request(line, &[], b"").status;
    assert_eq!(ask("GET /api/products"), 200);
    for line in [
        "GET /b/products/catalog",
        "GET /b/products/api/catalog",
        "GET /ext/products/products",
        "POST /ext/products/webhooks",
        "POST /b/products/webhooks/stripe",
        "GET /admin/b/products/purchases",
        "GET /b/products/groups",
    ] {
        assert_eq!(ask(line), 404, "{line}");
    }
    let paths = api.document()["paths"].as_object().expect("paths");
    assert!(
        paths.contains_key("/api/products") && !paths.keys().any(|path| path.contains("/b/") || path.contains("/ext/"))
    );
}
