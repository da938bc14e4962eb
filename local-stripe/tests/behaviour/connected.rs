//! What belongs to a connected account: external accounts, capabilities, persons, and the link to its dashboard.

use crate::connect::{call_for, for_account, seller};
use crate::play::{Play, id};
use serde_json::{Value, json};

const BANK: &str = "external_account[object]=bank_account&external_account[country]=US\
    &external_account[account_number]=000123456789&external_account[routing_number]=110000000";

#[test]
fn an_external_account_given_at_creation_is_kept() {
    let mut play = Play::new();
    let made =
        play.post("/v1/accounts", &format!("type=custom&country=US&{BANK}&external_account[account_holder_name]=A B"));
    let bank = &made["external_accounts"]["data"][0];
    let shown = ["object", "last4", "routing_number", "currency", "status", "account_holder_name", "account"];
    let expected = ["bank_account", "6789", "110000000", "usd", "new", "A B", made["id"].as_str().unwrap()];
    assert_eq!(shown.map(|member| bank[member].as_str().unwrap()), expected);
    assert_eq!(bank["default_for_currency"], true);
    assert!(!made["requirements"]["currently_due"].as_array().unwrap().contains(&json!("external_account")));
    let event = play.event("account.external_account.created");
    assert_eq!((&event["account"], &event["data"]["object"]["id"]), (&made["id"], &bank["id"]));
    // Another one at an update replaces the default of its currency.
    let path = format!("/v1/accounts/{}", id(&made));
    let changed = play.post(&path, "external_account=tok_visa_debit");
    let all = changed["external_accounts"]["data"].as_array().unwrap();
    assert_eq!((all.len(), &all[0]["object"], &all[0]["last4"]), (1, &json!("card"), &json!("5556")));
    assert!(all[0].get("customer").is_none() && all[0]["available_payout_methods"] == json!(["standard", "instant"]));
    let agreed = play.post(&path, "tos_acceptance[date]=1790000000&tos_acceptance[ip]=127.0.0.1");
    assert_eq!((&agreed["tos_acceptance"]["date"], &agreed["payouts_enabled"]), (&json!(1_790_000_000), &json!(true)));
    let wrong = "external_account[object]=bank_account&external_account[country]=US&external_account[account_number]=000123456789";
    assert_eq!(play.refused("POST", &path, wrong, 400)["param"], "external_account[routing_number]");
    for token in ["tok_visa", "tok_none", "btok_none"] {
        play.refused("POST", &path, &format!("external_account={token}"), 400);
    }
}

#[test]
fn external_accounts_are_added_changed_and_deleted() {
    let mut play = Play::new();
    let seller = seller(&mut play);
    let path = format!("/v1/accounts/{seller}/external_accounts");
    let first = id(&play.post(&path, BANK));
    let second = play.post(&path, "external_account=btok_us_verified&metadata[a]=b");
    assert_eq!((&second["default_for_currency"], &second["metadata"]["a"]), (&json!(false), &json!("b")));
    let second = id(&second);
    let euro = id(&play.post(&path, &format!("{BANK}&external_account[currency]=eur")));
    let defaults = |play: &mut Play| -> Vec<String> {
        let all = play.get(&path)["data"].as_array().unwrap().clone();
        all.iter().filter(|one| one["default_for_currency"] == true).map(id).collect()
    };
    assert_eq!(defaults(&mut play), [euro.clone(), first.clone()]);
    play.refused("DELETE", &format!("{path}/{first}"), "", 400);
    play.events();
    play.post(&format!("{path}/{second}"), "default_for_currency=true&account_holder_name=New");
    assert_eq!(play.events(), ["account.external_account.updated"]);
    assert_eq!(defaults(&mut play), [euro.clone(), second.clone()]);
    assert_eq!(play.get(&format!("{path}/{second}"))["account_holder_name"], "New");
    play.refused("POST", &format!("{path}/{second}"), "default_for_currency=false", 400);
    // A bank account has no expiry.
    play.refused("POST", &format!("{path}/{second}"), "exp_month=1", 400);
    for gone in [&first, &euro] {
        assert_eq!(play.ok("DELETE", &format!("{path}/{gone}"), "")["deleted"], true);
    }
    play.refused("GET", &format!("{path}/{first}"), "", 404);
    assert_eq!(play.get(&format!("{path}?object=card"))["data"], json!([]));
    // The account itself sees its external accounts, and no other account does.
    assert_eq!(id(&for_account(&mut play, &seller, "GET", &path, "")["data"][0]), second);
    let other = crate::connect::seller(&mut play);
    assert_eq!(call_for(&mut play, &other, "GET", &path, "").status, 403);
}

#[test]
fn capabilities_are_requested_and_become_active() {
    let mut play = Play::new();
    let seller = seller(&mut play);
    let path = format!("/v1/accounts/{seller}/capabilities");
    let list = play.get(&path);
    let shown = |one: &Value| (one["id"].as_str().unwrap().to_owned(), one["status"].as_str().unwrap().to_owned());
    assert_eq!(
        list["data"].as_array().unwrap().iter().map(shown).collect::<Vec<_>>(),
        [("transfers".into(), "inactive".into())]
    );
    assert_eq!(list["data"][0]["requirements"]["currently_due"][1], "external_account");
    play.events();
    let asked = play.post(&format!("{path}/card_payments"), "requested=true");
    assert_eq!(
        (&asked["requested"], &asked["status"], &asked["account"]),
        (&json!(true), &json!("inactive"), &json!(seller))
    );
    assert!(asked["requested_at"].is_i64());
    assert_eq!(play.events(), ["capability.updated", "account.updated"]);
    play.post(&format!("/_sandbox/accounts/{seller}/onboard"), "");
    assert_eq!(play.get(&format!("{path}/card_payments"))["status"], "active");
    play.post(&format!("{path}/card_payments"), "requested=false");
    assert_eq!(play.get(&format!("/v1/accounts/{seller}"))["capabilities"]["card_payments"], "unrequested");
    play.refused("GET", &format!("{path}/flying"), "", 404);
    play.refused("POST", "/v1/accounts", "capabilities[flying][requested]=true", 400);
}

#[test]
fn persons_are_kept_without_the_numbers_of_their_documents() {
    let mut play = Play::new();
    let seller = seller(&mut play);
    let path = format!("/v1/accounts/{seller}/persons");
    let form = "first_name=Ada&dob[day]=1&dob[month]=2&dob[year]=1990&relationship[owner]=true&relationship[percent_ownership]=25.5\
        &id_number=000000000&ssn_last_4=0000";
    let person = play.post(&path, form);
    assert_eq!((&person["dob"]["year"], &person["relationship"]["percent_ownership"]), (&json!(1990), &json!(25.5)));
    assert_eq!((&person["id_number_provided"], &person["ssn_last_4_provided"]), (&json!(true), &json!(true)));
    assert!(person.get("id_number").is_none() && person.get("ssn_last_4").is_none());
    let one = format!("{path}/{}", id(&person));
    assert_eq!(play.post(&one, "last_name=B&relationship[title]=CEO")["relationship"]["owner"], true);
    assert_eq!(play.get(&path)["data"][0]["last_name"], "B");
    let event = play.event("person.updated");
    assert_eq!((&event["account"], &event["data"]["previous_attributes"]["last_name"]), (&json!(seller), &Value::Null));
    play.ok("DELETE", &one, "");
    play.refused("GET", &one, "", 404);
}

#[test]
fn only_an_onboarded_express_account_has_a_login_link() {
    let mut play = Play::new();
    let express = seller(&mut play);
    let path = format!("/v1/accounts/{express}/login_links");
    let error = play.refused("POST", &path, "", 400);
    assert_eq!(error["message"], "Cannot create a login link for an account that has not completed onboarding.");
    play.post(&format!("/_sandbox/accounts/{express}/onboard"), "");
    let link = play.post(&path, "");
    assert_eq!(link["object"], "login_link");
    assert!(link["url"].as_str().unwrap().ends_with(&format!("/_sandbox/express/{express}")));
    let standard = id(&play.post("/v1/accounts", "type=standard"));
    play.post(&format!("/_sandbox/accounts/{standard}/onboard"), "");
    play.refused("POST", &format!("/v1/accounts/{standard}/login_links"), "", 400);
}
