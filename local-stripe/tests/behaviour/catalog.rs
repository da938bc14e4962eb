//! Plans and their prices, searches, the sandbox's own account, empty lists, and unknown endpoints.

use crate::play::{Play, id};
use local_stripe::sandbox::json_of;
use serde_json::json;

#[test]
fn a_plan_is_a_recurring_price_and_both_send_events() {
    let mut play = Play::new();
    let plan = play.post("/v1/plans", "currency=usd&interval=month&amount=2000&product[name]=Pro&nickname=n");
    assert_eq!(play.events(), ["product.created", "price.created", "plan.created"]);
    assert_eq!((&plan["object"], &plan["amount"], &plan["interval"]), (&json!("plan"), &json!(2_000), &json!("month")));
    let price = play.get(&format!("/v1/prices/{}", id(&plan)));
    assert_eq!((&price["unit_amount"], &price["product"]), (&json!(2_000), &plan["product"]));
    play.post(&format!("/v1/plans/{}", id(&plan)), "metadata[a]=b");
    assert_eq!(play.events(), ["price.updated", "plan.updated"]);
    assert_eq!(play.event("plan.updated")["data"]["previous_attributes"], json!({ "metadata": { "a": null } }));
    let sub = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&sub, &id(&plan), ""));
    play.events();
    play.ok("DELETE", &format!("/v1/plans/{}", id(&plan)), "");
    assert_eq!(play.events(), ["price.deleted", "plan.deleted"]);
    play.refused("GET", &format!("/v1/prices/{}", id(&plan)), "", 404);
    play.until_day(31);
    assert_eq!(
        play.get(&format!("/v1/subscriptions/{sub}"))["status"],
        "active",
        "it renews with its own copy of the price"
    );
}

#[test]
fn the_list_of_plans_excludes_one_time_prices() {
    let mut play = Play::new();
    let recurring = play.monthly("Pro", 2_000);
    let product = id(&play.post("/v1/products", "name=Once"));
    let once = id(&play.post("/v1/prices", &format!("product={product}&currency=usd&unit_amount=1")));
    let listed = play.get("/v1/plans");
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed["data"][0]["id"], recurring.as_str());
    play.refused("GET", &format!("/v1/plans/{once}"), "", 404);
    assert_eq!(play.refused("POST", "/v1/plans", "currency=usd&interval=month&amount=1", 400)["param"], "product");
}

#[test]
fn searches_match_page_and_refuse_invalid_queries() {
    let mut play = Play::new();
    for n in 0..5 {
        play.post("/v1/customers", &format!("name=Jane {n}&email=j{n}@example.com&metadata[n]={n}"));
    }
    let found =
        play.get("/v1/customers/search?query=name~\"jane\" AND -metadata['n']:'3'&limit=3&expand[]=total_count");
    let names = |page: &serde_json::Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&found), ["Jane 4", "Jane 2", "Jane 1"]);
    assert_eq!(
        (&found["object"], &found["has_more"], &found["total_count"]),
        (&json!("search_result"), &json!(true), &json!(4))
    );
    let page = found["next_page"].as_str().unwrap();
    let rest =
        play.get(&format!("/v1/customers/search?query=name~\"jane\" AND -metadata['n']:'3'&limit=3&page={page}"));
    assert_eq!((names(&rest), rest.get("total_count")), (vec!["Jane 0".to_owned()], None));
    assert_eq!((&rest["has_more"], &rest["next_page"]), (&json!(false), &json!(null)));
    let refused = play.refused("GET", "/v1/customers/search", "query=color:'red'", 400);
    assert_eq!((&refused["type"], &refused["param"]), (&json!("invalid_request_error"), &json!("query")));
    play.refused("GET", "/v1/customers/search", "query=name:'x'&page=none", 400);
    play.refused("GET", "/v1/customers/search", "", 400);
}

#[test]
fn every_search_accepts_its_fields() {
    let mut play = Play::new();
    let price = play.monthly("Pro", 2_000);
    let customer = play.customer("pm_card_visa");
    let sub = id(&play.subscribe(&customer, &price, "&metadata[k]=v"));
    for (what, query) in [
        ("charges", "payment_method_details.card.last4:'4242' amount>1999".to_owned()),
        ("invoices", format!("subscription:'{sub}' AND status:'paid' AND total:2000")),
        ("payment_intents", format!("customer:'{customer}' status:'succeeded'")),
        (
            "prices",
            format!(
                "active:'true' product:'{}'",
                play.get(&format!("/v1/prices/{price}"))["product"].as_str().unwrap()
            ),
        ),
        ("products", "name~'Pro' OR name:'other'".to_owned()),
        ("subscriptions", "status:'active' AND metadata['k']:'v'".to_owned()),
    ] {
        let found = play.get(&format!("/v1/{what}/search?query={query}"));
        assert_eq!(found["data"].as_array().map(Vec::len), Some(1), "{what}: {query}");
    }
}

#[test]
fn the_sandboxs_account_is_constant_and_other_accounts_are_unknown() {
    let mut play = Play::new();
    let account = play.get("/v1/account");
    let own = id(&account);
    assert_eq!((&account["object"], own.len(), &account), (&json!("account"), 21, &Play::new().get("/v1/account")));
    assert_eq!(play.get(&format!("/v1/accounts/{own}")), account);
    assert_eq!(play.refused("GET", "/v1/accounts/acct_other", "", 403)["code"], "account_invalid");
    let mut request = crate::play::request("GET", "/v1/customers", "");
    request.account = Some(own);
    assert_eq!(play.sandbox.handle(&request).status, 200);
    request.account = Some("acct_other".into());
    assert_eq!(play.sandbox.handle(&request).status, 403);
    play.post("/v1/customers", "");
    assert!(play.event("customer.created").get("account").is_none());
}

#[test]
fn unsupported_lists_are_empty_and_unknown_endpoints_name_the_documentation() {
    let mut play = Play::new();
    let empty = play.get("/v1/issuing/cards?limit=100&status=active");
    assert_eq!((&empty["data"], &empty["has_more"]), (&json!([]), &json!(false)));
    play.refused("GET", "/v1/issuing/cards", "limit=0", 400);
    let missing = play.call("POST", "/v1/issuing/cards", "");
    let error = &json_of(&missing)["error"];
    assert_eq!((missing.status, &error["type"]), (404, &json!("invalid_request_error")));
    assert!(error["message"].as_str().unwrap().contains("local-stripe/README.md"), "{error}");
}

#[test]
fn a_price_keeps_its_tax_behavior() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let product = id(&play.post(
        "/v1/products",
        "name=Pro&default_price_data[currency]=usd&default_price_data[unit_amount]=5&default_price_data[tax_behavior]=inclusive",
    ));
    let default = play.get(&format!("/v1/products/{product}"))["default_price"].as_str().unwrap().to_owned();
    assert_eq!(play.get(&format!("/v1/prices/{default}"))["tax_behavior"], "inclusive");
    let data = format!(
        "items[0][price_data][currency]=usd&items[0][price_data][unit_amount]=100&items[0][price_data][product]={product}\
         &items[0][price_data][recurring][interval]=month&items[0][price_data][tax_behavior]=exclusive"
    );
    let sub = play.post("/v1/subscriptions", &format!("customer={customer}&{data}"));
    assert_eq!(sub["items"]["data"][0]["price"]["tax_behavior"], "exclusive");
    let open = play.price("Open", 100, "");
    assert_eq!(play.post(&format!("/v1/prices/{open}"), "tax_behavior=exclusive")["tax_behavior"], "exclusive");
    assert_eq!(
        play.refused("POST", &format!("/v1/prices/{open}"), "tax_behavior=inclusive", 400)["param"],
        "tax_behavior"
    );
    play.refused("POST", "/v1/prices", &format!("product={product}&currency=usd&unit_amount=1&tax_behavior=none"), 400);
}

#[test]
fn product_data_and_package_dimensions_are_kept() {
    let mut play = Play::new();
    let data = "[name]=Pro&D[tax_code]=txcd_10000000&D[unit_label]=seat";
    let of_price = format!("D{data}&D[statement_descriptor]=PRO PLAN").replace('D', "product_data");
    let price = play.post("/v1/prices", &format!("currency=usd&unit_amount=1&{of_price}"));
    let product = play.get(&format!("/v1/products/{}", price["product"].as_str().unwrap()));
    assert_eq!((&product["statement_descriptor"], &product["unit_label"]), (&json!("PRO PLAN"), &json!("seat")));
    let prefix = "line_items[0][price_data]";
    let of_sale = format!("D{data}&D[images][0]=https://x.test/a.png").replace('D', &format!("{prefix}[product_data]"));
    let sale = format!(
        "mode=payment&success_url=https://x.test&line_items[0][quantity]=1&{prefix}[currency]=usd&{prefix}[unit_amount]=100&{of_sale}"
    );
    let session = play.post("/v1/checkout/sessions", &sale);
    let lines = play.get(&format!("/v1/checkout/sessions/{}/line_items", id(&session)));
    let sold = lines["data"][0]["price"]["product"].as_str().unwrap().to_owned();
    let product = play.get(&format!("/v1/products/{sold}"));
    assert_eq!(
        (&product["images"][0], &product["tax_code"]),
        (&json!("https://x.test/a.png"), &json!("txcd_10000000"))
    );
    // As at Stripe, an item of a subscription names a product that exists.
    let customer = play.customer("pm_card_visa");
    let prefix = "items[0][price_data]";
    let item = format!(
        "customer={customer}&{prefix}[currency]=usd&{prefix}[unit_amount]=100&{prefix}[recurring][interval]=month"
    );
    let error = play.refused("POST", "/v1/subscriptions", &format!("{item}&{prefix}[product_data][name]=Pro"), 400);
    assert_eq!(error["code"], "parameter_unknown");
    play.post("/v1/subscriptions", &format!("{item}&{prefix}[product]={sold}"));
    let size = "package_dimensions[height]=1&package_dimensions[length]=2.5&package_dimensions[weight]=3&package_dimensions[width]=4";
    let boxed = play.post("/v1/products", &format!("name=Box&{size}"));
    assert_eq!(boxed["package_dimensions"], json!({ "height": 1.0, "length": 2.5, "weight": 3.0, "width": 4.0 }));
    let emptied = play.post(&format!("/v1/products/{}", id(&boxed)), "package_dimensions=");
    assert_eq!(emptied["package_dimensions"], json!(null));
    play.refused("POST", "/v1/products", "name=Box&package_dimensions[height]=1", 400);
}
