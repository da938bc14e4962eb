//! What a session asks the buyer besides the payment, its shipping options and its taxes.

use crate::play::{Play, id};
use serde_json::{Value, json};

fn open(play: &mut Play, mode: &str, price: &str, more: &str) -> Value {
    let form = format!(
        "mode={mode}&line_items[0][price]={price}&line_items[0][quantity]=2&success_url=https://example.com/ok{more}"
    );
    play.post("/v1/checkout/sessions", &form)
}

fn refused(play: &mut Play, mode: &str, price: &str, more: &str) -> Value {
    let form = format!(
        "mode={mode}&line_items[0][price]={price}&line_items[0][quantity]=2&success_url=https://example.com/ok{more}"
    );
    play.refused("POST", "/v1/checkout/sessions", &form, 400)
}

const FIELDS: &str = "&custom_fields[0][key]=engraving&custom_fields[0][label][type]=custom\
    &custom_fields[0][label][custom]=Engraving&custom_fields[0][type]=text&custom_fields[0][text][maximum_length]=5\
    &custom_fields[1][key]=size&custom_fields[1][label][type]=custom&custom_fields[1][label][custom]=Size\
    &custom_fields[1][type]=dropdown&custom_fields[1][optional]=true\
    &custom_fields[1][dropdown][options][0][label]=Small&custom_fields[1][dropdown][options][0][value]=s";

#[test]
fn custom_fields_are_answered_in_the_session() {
    let mut play = Play::new();
    let price = play.price("Ring", 1_500, "");
    let session = open(&mut play, "payment", &price, FIELDS);
    let first = &session["custom_fields"][0];
    assert_eq!(
        (&first["key"], &first["optional"], &first["text"]["value"]),
        (&json!("engraving"), &json!(false), &json!(null))
    );
    assert_eq!((&first["text"]["maximum_length"], &first["dropdown"]), (&json!(5), &json!(null)));
    let path = format!("/v1/payment_pages/{}/confirm", id(&session));
    let confirm = |answers: &str| format!("payment_method=pm_card_visa{answers}");
    for (answers, param) in [
        ("", "custom_fields"),
        ("&custom_fields[0][key]=engraving", "custom_fields"),
        ("&custom_fields[0][key]=engraving&custom_fields[0][value]=too long", "custom_fields[0][value]"),
        ("&custom_fields[0][key]=size&custom_fields[0][value]=xl", "custom_fields[0][value]"),
        ("&custom_fields[0][key]=colour&custom_fields[0][value]=red", "custom_fields[0][key]"),
        ("&phone=123", "custom_fields"),
    ] {
        assert_eq!(play.refused("POST", &path, &confirm(answers), 400)["param"], param, "{answers}");
    }
    assert_eq!(play.get("/v1/charges")["data"], json!([]));
    let answers = "&custom_fields[0][key]=engraving&custom_fields[0][value]=E+M&custom_fields[1][key]=size&custom_fields[1][value]=s";
    play.post(&path, &confirm(answers));
    let done = play.event("checkout.session.completed")["data"]["object"].clone();
    assert_eq!(
        (&done["custom_fields"][0]["text"]["value"], &done["custom_fields"][1]["dropdown"]["value"]),
        (&json!("E+M"), &json!("s"))
    );
    // The optional field may be left out.
    let other = open(&mut play, "payment", &price, FIELDS);
    let answers = "&custom_fields[0][key]=engraving&custom_fields[0][value]=E";
    play.post(&format!("/v1/payment_pages/{}/confirm", id(&other)), &confirm(answers));
}

#[test]
fn a_wrong_custom_field_is_refused() {
    let mut play = Play::new();
    let price = play.price("Ring", 1_500, "");
    let one = |more: &str| format!("&custom_fields[0][label][type]=custom&custom_fields[0][label][custom]=A{more}");
    for (more, param) in [
        ("&custom_fields[0][type]=text", "custom_fields[0][key]"),
        ("&custom_fields[0][type]=text&custom_fields[0][key]=a_b", "custom_fields[0][key]"),
        ("&custom_fields[0][type]=date&custom_fields[0][key]=a", "custom_fields[0][type]"),
        ("&custom_fields[0][type]=dropdown&custom_fields[0][key]=a", "custom_fields[0][dropdown][options]"),
        (
            "&custom_fields[0][type]=text&custom_fields[0][key]=a&custom_fields[0][numeric][maximum_length]=3",
            "custom_fields[0][numeric]",
        ),
        (
            "&custom_fields[0][type]=text&custom_fields[0][key]=a&custom_fields[1][type]=text&custom_fields[1][key]=a\
             &custom_fields[1][label][type]=custom&custom_fields[1][label][custom]=B",
            "custom_fields[1][key]",
        ),
    ] {
        assert_eq!(refused(&mut play, "payment", &price, &one(more))["param"], param, "{more}");
    }
}

#[test]
fn phone_address_tax_id_and_consent_are_collected() {
    let mut play = Play::new();
    let price = play.price("Ring", 1_500, "");
    let asked = "&phone_number_collection[enabled]=true&tax_id_collection[enabled]=true&customer_creation=always\
        &consent_collection[terms_of_service]=required&consent_collection[promotions]=auto\
        &custom_text[submit][message]=Soon yours&shipping_address_collection[allowed_countries][0]=CH";
    let session = open(&mut play, "payment", &price, asked);
    assert_eq!(session["custom_text"]["submit"]["message"], "Soon yours");
    assert_eq!((&session["tax_id_collection"]["enabled"], &session["consent"]), (&json!(true), &json!(null)));
    let path = format!("/v1/payment_pages/{}/confirm", id(&session));
    let address = "&shipping[name]=Shop&shipping[address][line1]=Weg 1&shipping[address][country]=CH";
    let terms = "&consent[terms_of_service]=accepted";
    for (answers, param) in [
        (format!("{address}{terms}"), "phone"),
        (format!("&phone=+41{terms}"), "shipping"),
        (format!("&phone=+41{terms}&shipping[address][country]=DE"), "shipping[address][country]"),
        (format!("&phone=+41{address}"), "consent[terms_of_service]"),
        (format!("&phone=+41{address}{terms}&tax_id[type]=eu_vat&tax_id[value]=1"), "tax_id[value]"),
    ] {
        let error = play.refused("POST", &path, &format!("payment_method=pm_card_visa{answers}"), 400);
        assert_eq!(error["param"], param, "{answers}");
    }
    let tax_id = "&tax_id[type]=ch_vat&tax_id[value]=CHE-123.456.789";
    play.post(
        &path,
        &format!("payment_method=pm_card_visa&phone=+41{address}{terms}&consent[promotions]=opt_in{tax_id}"),
    );
    let done = play.get(&format!("/v1/checkout/sessions/{}?expand[]=payment_intent", id(&session)));
    assert_eq!(done["consent"], json!({ "promotions": "opt_in", "terms_of_service": "accepted" }));
    let details = &done["customer_details"];
    assert_eq!((&details["phone"], &details["tax_ids"][0]["type"]), (&json!("+41"), &json!("ch_vat")));
    let shipping = &done["collected_information"]["shipping_details"];
    assert_eq!((&shipping["name"], &shipping["address"]["country"]), (&json!("Shop"), &json!("CH")));
    assert_eq!(&done["payment_intent"]["shipping"], shipping);
    let customer = done["customer"].as_str().unwrap();
    assert_eq!(play.get(&format!("/v1/customers/{customer}"))["phone"], "+41");
    let tax_ids = play.get(&format!("/v1/customers/{customer}/tax_ids"));
    assert_eq!(tax_ids["data"][0]["value"], "CHE-123.456.789");
}

#[test]
fn an_existing_customer_is_updated_only_if_the_session_says_so() {
    let mut play = Play::new();
    let price = play.price("Ring", 1_500, "");
    let customer = id(&play.post("/v1/customers", "name=Old"));
    let mine = format!("&customer={customer}");
    assert_eq!(refused(&mut play, "payment", &price, "&customer_update[name]=auto")["param"], "customer_update");
    let wanted = format!("{mine}&tax_id_collection[enabled]=true");
    assert_eq!(refused(&mut play, "payment", &price, &wanted)["param"], "customer_update[name]");
    for (update, name) in [("", "Old"), ("&customer_update[name]=never", "Old"), ("&customer_update[name]=auto", "New")]
    {
        let session = open(&mut play, "payment", &price, &format!("{mine}{update}"));
        let method = id(&play.post("/v1/payment_methods", "type=card&card[token]=tok_visa&billing_details[name]=New"));
        play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), &format!("payment_method={method}"));
        assert_eq!(play.get(&format!("/v1/customers/{customer}"))["name"], name, "{update}");
    }
}

#[test]
fn discounts_and_promotion_codes_exclude_each_other() {
    let mut play = Play::new();
    let price = play.price("Ring", 1_500, "");
    play.post("/v1/coupons", "id=TENTH&percent_off=10&duration=once");
    let both = "&allow_promotion_codes=true&discounts[0][coupon]=TENTH";
    assert_eq!(refused(&mut play, "payment", &price, both)["param"], "allow_promotion_codes");
    open(&mut play, "payment", &price, "&allow_promotion_codes=false&discounts[0][coupon]=TENTH");
    open(&mut play, "payment", &price, "&allow_promotion_codes=true&discounts=");
}

#[test]
fn the_chosen_shipping_option_is_part_of_the_total() {
    let mut play = Play::new();
    let price = play.price("Ring", 1_000, "");
    let rate = play.post(
        "/v1/shipping_rates",
        "display_name=Post&fixed_amount[amount]=500&fixed_amount[currency]=usd&metadata[a]=b\
         &delivery_estimate[minimum][unit]=day&delivery_estimate[minimum][value]=3",
    );
    assert_eq!(
        (&rate["object"], &rate["type"], &rate["active"]),
        (&json!("shipping_rate"), &json!("fixed_amount"), &json!(true))
    );
    assert_eq!(rate["delivery_estimate"], json!({ "maximum": null, "minimum": { "unit": "day", "value": 3 } }));
    let post = id(&rate);
    let data = "shipping_options[1][shipping_rate_data]";
    let options = format!(
        "&shipping_options[0][shipping_rate]={post}&{data}[display_name]=Courier&{data}[fixed_amount][amount]=900\
         &{data}[fixed_amount][currency]=usd"
    );
    play.post("/v1/coupons", "id=TENTH&percent_off=10&duration=once");
    let session = open(&mut play, "payment", &price, &format!("{options}&discounts[0][coupon]=TENTH"));
    assert_eq!((&session["amount_subtotal"], &session["amount_total"]), (&json!(2_000), &json!(2_300)));
    assert_eq!(
        (&session["shipping_cost"]["shipping_rate"], &session["total_details"]["amount_shipping"]),
        (&json!(post), &json!(500))
    );
    let courier = session["shipping_options"][1]["shipping_rate"].as_str().unwrap().to_owned();
    let path = format!("/_sandbox/checkout/sessions/{}/shipping_rate", id(&session));
    play.refused("POST", &path, "shipping_rate=shr_none", 400);
    assert_eq!(play.post(&path, &format!("shipping_rate={courier}"))["amount_total"], 2_700);
    play.post(
        &format!("/v1/payment_pages/{}/confirm", id(&session)),
        "payment_method=pm_card_visa&expected_amount=2700",
    );
    assert_eq!(play.event("charge.succeeded")["data"]["object"]["amount"], 2_700);
    play.post(&format!("/v1/shipping_rates/{post}"), "active=false");
    let shown = play.get("/v1/shipping_rates?active=true&currency=usd");
    assert_eq!((id(&shown["data"][0]), shown["data"].as_array().unwrap().len()), (courier, 1));
    for (mode, more, param) in [
        ("payment", format!("&shipping_options[0][shipping_rate]={post}"), "shipping_options[0][shipping_rate]"),
        ("payment", "&shipping_options[0][shipping_rate]=shr_none".to_owned(), "shipping_options[0][shipping_rate]"),
        (
            "payment",
            "&shipping_options[0][shipping_rate_data][display_name]=Free".to_owned(),
            "shipping_options[0][shipping_rate_data][fixed_amount]",
        ),
    ] {
        assert_eq!(refused(&mut play, mode, &price, &more)["param"], param, "{more}");
    }
    let monthly = play.monthly("Pro", 2_000);
    assert_eq!(refused(&mut play, "subscription", &monthly, &options)["param"], "shipping_options");
}

#[test]
fn tax_rates_of_lines_and_of_the_subscription_are_charged() {
    let mut play = Play::new();
    let (ring, monthly) = (play.price("Ring", 500, ""), play.monthly("Pro", 2_000));
    let added = id(&play.post("/v1/tax_rates", "display_name=VAT&inclusive=false&percentage=10"));
    let included = id(&play.post("/v1/tax_rates", "display_name=VAT&inclusive=true&percentage=25"));
    let session = open(&mut play, "payment", &ring, &format!("&line_items[0][tax_rates][0]={added}"));
    assert_eq!((&session["amount_subtotal"], &session["amount_total"]), (&json!(1_000), &json!(1_100)));
    assert_eq!(session["total_details"]["amount_tax"], 100);
    let lines = play.get(&format!("/v1/checkout/sessions/{}/line_items", id(&session)));
    assert_eq!((&lines["data"][0]["amount_tax"], &lines["data"][0]["amount_total"]), (&json!(100), &json!(1_100)));
    play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), "payment_method=pm_card_visa");
    assert_eq!(play.event("charge.succeeded")["data"]["object"]["amount"], 1_100);
    let session = open(&mut play, "payment", &ring, &format!("&line_items[0][tax_rates][0]={included}"));
    assert_eq!((&session["amount_total"], &session["total_details"]["amount_tax"]), (&json!(1_000), &json!(200)));
    // The line's own rate comes before the default, and both reach the subscription and its invoices.
    let more = format!(
        "&line_items[1][price]={ring}&line_items[1][quantity]=1&line_items[1][tax_rates][0]={included}\
         &subscription_data[default_tax_rates][0]={added}"
    );
    let session = open(&mut play, "subscription", &monthly, &more);
    assert_eq!((&session["amount_subtotal"], &session["amount_total"]), (&json!(4_500), &json!(4_900)));
    play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), "payment_method=pm_card_visa");
    let done = play.get(&format!("/v1/checkout/sessions/{}?expand[]=subscription&expand[]=invoice", id(&session)));
    assert_eq!(done["subscription"]["default_tax_rates"][0]["id"], added);
    assert_eq!((&done["invoice"]["total"], &done["payment_status"]), (&json!(4_900), &json!("paid")));
    let exempt = id(&play.post("/v1/customers", "tax_exempt=exempt"));
    let session = open(&mut play, "payment", &ring, &format!("&line_items[0][tax_rates][0]={added}&customer={exempt}"));
    assert_eq!((&session["amount_total"], &session["total_details"]["amount_tax"]), (&json!(1_000), &json!(0)));
    let trial = format!("&subscription_data[trial_period_days]=5&subscription_data[default_tax_rates][0]={added}");
    assert_eq!(open(&mut play, "subscription", &monthly, &trial)["amount_total"], 0);
    assert_eq!(
        refused(&mut play, "payment", &ring, "&line_items[0][tax_rates][0]=txr_none")["param"],
        "line_items[0][tax_rates][0]"
    );
}

#[test]
fn the_payment_intent_gets_the_receipt_email_and_the_shipping_address() {
    let mut play = Play::new();
    let price = play.price("Ring", 1_000, "");
    let data = "&payment_intent_data[receipt_email]=b@example.com&payment_intent_data[shipping][name]=Shop\
        &payment_intent_data[shipping][address][line1]=Weg 1&line_items[0][metadata][a]=b";
    let session = open(&mut play, "payment", &price, data);
    let lines = play.get(&format!("/v1/checkout/sessions/{}/line_items", id(&session)));
    assert_eq!(lines["data"][0]["metadata"], json!({ "a": "b" }));
    play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), "payment_method=pm_card_visa");
    let intent = play.event("payment_intent.succeeded")["data"]["object"].clone();
    assert_eq!(
        (&intent["receipt_email"], &intent["shipping"]["address"]["line1"]),
        (&json!("b@example.com"), &json!("Weg 1"))
    );
}

#[test]
fn the_buyer_changes_a_quantity_within_its_bounds() {
    let mut play = Play::new();
    let (ring, box_) = (play.price("Ring", 1_500, ""), play.price("Box", 300, ""));
    let tax = id(&play.post("/v1/tax_rates", "display_name=VAT&inclusive=false&percentage=10"));
    play.post("/v1/coupons", "id=half&percent_off=50&duration=once");
    let more = format!(
        "&line_items[0][adjustable_quantity][enabled]=true&line_items[0][adjustable_quantity][maximum]=4\
        &line_items[0][tax_rates][0]={tax}&line_items[1][price]={box_}&line_items[1][quantity]=1\
        &line_items[1][adjustable_quantity][enabled]=true&discounts[0][coupon]=half"
    );
    let session = open(&mut play, "payment", &ring, &more);
    // 2 × 15.00 with 10 % tax and 3.00, of each a half.
    assert_eq!((&session["amount_subtotal"], &session["amount_total"]), (&json!(3_300), &json!(1_800)));
    let path = format!("/v1/checkout/sessions/{}/line_items", id(&session));
    let lines = play.get(&path)["data"].clone();
    let bounds = |line: &Value| line["adjustable_quantity"].clone();
    assert_eq!(bounds(&lines[0]), json!({ "enabled": true, "maximum": 4, "minimum": 0 }));
    assert_eq!(bounds(&lines[1]), json!({ "enabled": true, "maximum": 99, "minimum": 0 }));
    let choose = format!("/_sandbox/checkout/sessions/{}/quantity", id(&session));
    let form = |line: &Value, quantity: i64| format!("line_item={}&quantity={quantity}", id(line));
    let changed = play.post(&choose, &form(&lines[0], 3));
    assert_eq!(
        (&changed["amount_subtotal"], &changed["total_details"]["amount_tax"], &changed["amount_total"]),
        (&json!(4_800), &json!(225), &json!(2_625))
    );
    play.refused("POST", &choose, &form(&lines[0], 5), 400);
    play.refused("POST", &choose, "line_item=li_1&quantity=1", 400);
    let changed = play.post(&choose, &form(&lines[1], 0));
    assert_eq!(changed["amount_total"], 2_475);
    assert_eq!(play.get(&path)["data"].as_array().unwrap().len(), 1);
    play.refused("POST", &choose, &form(&lines[0], 0), 400);
    play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), "payment_method=pm_card_visa");
    assert_eq!(play.get("/v1/charges")["data"][0]["amount"], 2_475);
    play.refused("POST", &choose, &form(&lines[0], 2), 400);
    // The quantity must be within its bounds from the beginning, and a fixed one can't be changed.
    let error = refused(
        &mut play,
        "payment",
        &ring,
        "&line_items[0][adjustable_quantity][enabled]=true&line_items[0][adjustable_quantity][maximum]=1",
    );
    assert_eq!(error["param"], "line_items[0][quantity]");
    let fixed = open(&mut play, "payment", &ring, "&line_items[0][adjustable_quantity][enabled]=false");
    let line = play.get(&format!("/v1/checkout/sessions/{}/line_items", id(&fixed)))["data"][0].clone();
    play.refused("POST", &format!("/_sandbox/checkout/sessions/{}/quantity", id(&fixed)), &form(&line, 1), 400);
    // A link hands the bounds to its sessions, and a subscription has the chosen quantity.
    let seat = play.monthly("Seat", 1_000);
    let link = play.post(
        "/v1/payment_links",
        &format!(
            "line_items[0][price]={seat}&line_items[0][quantity]=1&line_items[0][adjustable_quantity][enabled]=true\
            &subscription_data[trial_period_days]=3"
        ),
    );
    let session = play.post(&format!("/_sandbox/payment_links/{}/open", id(&link)), "");
    let line = play.get(&format!("/v1/checkout/sessions/{}/line_items", id(&session)))["data"][0].clone();
    let changed = play.post(&format!("/_sandbox/checkout/sessions/{}/quantity", id(&session)), &form(&line, 7));
    assert_eq!(changed["amount_total"], 0, "the trial is free");
    play.post(&format!("/v1/payment_pages/{}/confirm", id(&session)), "payment_method=pm_card_visa");
    assert_eq!(play.get("/v1/subscriptions")["data"][0]["items"]["data"][0]["quantity"], 7);
}
