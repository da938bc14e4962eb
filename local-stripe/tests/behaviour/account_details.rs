//! What a connected account shows of its company, its individual and its settings, and what its payouts and links follow.

use crate::play::{Play, id, request};
use local_stripe::sandbox::json_of;
use serde_json::{Value, json};

#[test]
fn a_company_is_shown_without_its_secrets() {
    let mut play = Play::new();
    let form = "type=custom&country=US&business_type=company&company[name]=Acme&company[tax_id]=000000000\
        &company[address][city]=Berlin&company[owners_provided]=true&company[structure]=llc";
    let account = play.post("/v1/accounts", form);
    let company = &account["company"];
    assert_eq!(
        (&company["name"], &company["tax_id_provided"], &company["owners_provided"], &company["structure"]),
        (&json!("Acme"), &json!(true), &json!(true), &json!("llc"))
    );
    assert_eq!((&company["address"]["city"], &company["address"]["line1"]), (&json!("Berlin"), &Value::Null));
    assert_eq!((company.get("tax_id"), &company["executives_provided"]), (None, &json!(false)));
    let path = format!("/v1/accounts/{}", id(&account));
    play.events();
    let changed = play.post(&path, "company[executives_provided]=true&company[name]=New");
    assert_eq!(
        (
            &changed["company"]["executives_provided"],
            &changed["company"]["name"],
            &changed["company"]["tax_id_provided"]
        ),
        (&json!(true), &json!("New"), &json!(true))
    );
    assert_eq!(play.events(), ["account.updated"]);
    let file = "company[verification][document][front]=file_1";
    assert_eq!(play.refused("POST", &path, file, 400)["param"], "company[verification][document][front]");
    assert_eq!(play.refused("POST", &path, "individual[first_name]=Jo", 400)["param"], "individual");
}

#[test]
fn an_individual_is_a_person_of_the_account() {
    let mut play = Play::new();
    let form = "type=custom&country=US&business_type=individual&individual[first_name]=Jo&individual[ssn_last_4]=0000\
        &individual[dob][day]=1&individual[dob][month]=2&individual[dob][year]=1990&individual[relationship][title]=Owner";
    let account = play.post("/v1/accounts", form);
    let person = account["individual"].clone();
    assert_eq!(
        (&person["object"], &person["first_name"], &person["ssn_last_4_provided"], &person["dob"]["year"]),
        (&json!("person"), &json!("Jo"), &json!(true), &json!(1990))
    );
    assert_eq!((&person["relationship"]["title"], person.get("ssn_last_4")), (&json!("Owner"), None));
    let path = format!("/v1/accounts/{}", id(&account));
    assert_eq!(play.get(&format!("{path}/persons"))["data"], json!([person]));
    play.events();
    assert_eq!(play.post(&path, "individual[last_name]=Doe")["individual"]["last_name"], "Doe");
    assert_eq!(play.events(), ["person.updated", "account.updated"]);
    play.post(&format!("{path}/persons/{}", id(&person)), "first_name=Joe");
    assert_eq!(play.get(&path)["individual"]["first_name"], "Joe");
}

#[test]
fn the_controller_says_what_the_type_says() {
    let mut play = Play::new();
    for (form, kind, payer, losses, collection, dashboard) in [
        ("", "standard", "account", "stripe", "stripe", "full"),
        ("type=express", "express", "application_express", "application", "stripe", "express"),
        ("type=custom", "custom", "application_custom", "application", "application", "none"),
        ("controller[stripe_dashboard][type]=express", "none", "account", "stripe", "stripe", "express"),
        (
            "controller[losses][payments]=application&controller[fees][payer]=application",
            "none",
            "application",
            "application",
            "stripe",
            "full",
        ),
    ] {
        let account = play.post("/v1/accounts", form);
        let controller = json!({
            "fees": { "payer": payer }, "is_controller": true, "losses": { "payments": losses },
            "requirement_collection": collection, "stripe_dashboard": { "type": dashboard }, "type": "application",
        });
        assert_eq!((&account["type"], &account["controller"]), (&json!(kind), &controller), "{form}");
    }
    let both = "type=express&controller[fees][payer]=application";
    assert_eq!(play.refused("POST", "/v1/accounts", both, 400)["param"], "controller");
    // The Express Dashboard has login links, whichever parameter asks for it.
    let account = id(&play.post("/v1/accounts", "controller[stripe_dashboard][type]=express"));
    play.post(&format!("/_sandbox/accounts/{account}/onboard"), "");
    play.post(&format!("/v1/accounts/{account}/login_links"), "");
}

#[test]
fn settings_are_checked_shown_and_followed() {
    let mut play = Play::new();
    let account = play.post(
        "/v1/accounts",
        "type=express&settings[payments][statement_descriptor]=ACME SHOP&business_profile[name]=Other",
    );
    let path = format!("/v1/accounts/{}", id(&account));
    let form = "settings[branding][primary_color]=#663399&settings[card_payments][decline_on][cvc_failure]=true\
        &settings[payouts][debit_negative_balances]=false&settings[payouts][schedule][interval]=manual";
    let settings = play.post(&path, form)["settings"].clone();
    assert_eq!(
        (&settings["branding"]["primary_color"], &settings["branding"]["secondary_color"]),
        (&json!("#663399"), &Value::Null)
    );
    assert_eq!(settings["card_payments"]["decline_on"], json!({ "avs_failure": false, "cvc_failure": true }));
    assert_eq!(settings["payouts"]["schedule"], json!({ "delay_days": 2, "interval": "manual" }));
    for (form, param) in [
        ("settings[branding][primary_color]=red", "settings[branding][primary_color]"),
        ("settings[branding][icon]=file_1", "settings[branding][icon]"),
        ("settings[payments][statement_descriptor]=*", "settings[payments][statement_descriptor]"),
        ("settings[payouts][schedule][interval]=daily", "settings[payouts][schedule][interval]"),
    ] {
        assert_eq!(play.refused("POST", &path, form, 400)["param"], param, "{form}");
    }
    play.post(&format!("/_sandbox/accounts/{}/onboard", id(&account)), "");
    let pay = "amount=1000&currency=usd&confirm=true&payment_method=pm_card_visa&expand[0]=latest_charge";
    let behalf = play.post("/v1/payment_intents", &format!("{pay}&on_behalf_of={}", id(&account)));
    assert_eq!(behalf["latest_charge"]["calculated_statement_descriptor"], "ACME SHOP");
    let mut direct = request("POST", "/v1/payment_intents", pay);
    direct.account = Some(id(&account));
    let direct = json_of(&play.sandbox.handle(&direct));
    assert_eq!(direct["latest_charge"]["calculated_statement_descriptor"], "ACME SHOP");
}

#[test]
fn a_payout_goes_to_an_external_account_and_lists_are_filtered() {
    let mut play = Play::new();
    let account =
        id(&play.post("/v1/accounts", "type=custom&country=US&tos_acceptance[date]=1&tos_acceptance[ip]=127.0.0.1"));
    let external = format!("/v1/accounts/{account}/external_accounts");
    let bank = id(&play.post(&external, "external_account=btok_us"));
    let card = id(&play.post(&external, "external_account=tok_visa_debit"));
    let act = |play: &mut Play, method: &str, path: &str, form: &str| {
        let mut call = request(method, path, form);
        call.account = Some(account.clone());
        let response = play.sandbox.handle(&call);
        (response.status, json_of(&response))
    };
    act(&mut play, "POST", "/v1/payment_intents", "amount=5000&currency=usd&confirm=true&payment_method=pm_card_visa");
    let payout = "amount=1000&currency=usd&source_type=card";
    let (_, first) = act(&mut play, "POST", "/v1/payouts", payout);
    assert_eq!((&first["destination"], &first["type"]), (&json!(bank), &json!("bank_account")));
    let (_, second) = act(&mut play, "POST", "/v1/payouts", &format!("{payout}&destination={card}"));
    assert_eq!((&second["destination"], &second["type"]), (&json!(card), &json!("card")));
    let (status, wrong) = act(&mut play, "POST", "/v1/payouts", &format!("{payout}&destination=ba_1"));
    assert_eq!((status, &wrong["error"]["param"]), (400, &json!("destination")));
    for (query, found) in [
        (format!("destination={card}"), vec![&second]),
        (format!("arrival_date[gt]={}", first["arrival_date"]), vec![]),
        (format!("arrival_date[gte]={}", first["arrival_date"]), vec![&second, &first]),
    ] {
        let (_, list) = act(&mut play, "GET", "/v1/payouts", &query);
        assert_eq!(list["data"], json!(found), "{query}");
    }
    let small = play.post("/v1/topups", "amount=500&currency=usd");
    play.post("/v1/topups", "amount=900&currency=usd");
    assert_eq!(play.get("/v1/topups?amount[lt]=900")["data"], json!([small]));
    // An empty list checks its filters.
    assert_eq!(play.get("/v1/radar/early_fraud_warnings?charge=ch_1")["data"], json!([]));
    play.refused("GET", "/v1/radar/early_fraud_warnings", "status=open", 400);
    play.refused("GET", "/v1/issuing/cards", "status=lost", 400);
}

#[test]
fn an_account_link_says_once_what_it_collects() {
    let mut play = Play::new();
    let account = id(&play.post("/v1/accounts", "type=express"));
    let form =
        format!("account={account}&type=account_onboarding&return_url=https://x.test&refresh_url=https://x.test");
    for more in [
        "&collect=eventually_due",
        "&collection_options[fields]=currently_due&collection_options[future_requirements]=omit",
    ] {
        play.post("/v1/account_links", &format!("{form}{more}"));
    }
    let both = format!("{form}&collect=currently_due&collection_options[fields]=currently_due");
    assert_eq!(play.refused("POST", "/v1/account_links", &both, 400)["param"], "collect");
}
