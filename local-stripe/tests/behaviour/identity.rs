//! Identity checks and their reports; templates of invoices, settings of the balance, and what a country needs.

use crate::play::{Play, id};
use serde_json::json;

const SESSIONS: &str = "/v1/identity/verification_sessions";

fn submit(play: &mut Play, session: &str, outcome: &str) -> serde_json::Value {
    play.post(&format!("/_sandbox/identity/verification_sessions/{session}/submit"), &format!("outcome={outcome}"))
}

#[test]
fn a_check_fails_first_and_is_then_verified() {
    let mut play = Play::new();
    let form = "type=document&options[document][require_matching_selfie]=true&options[document][allowed_types][0]=passport\
                &client_reference_id=user-1&metadata[a]=b&provided_details[email]=a@example.com";
    let made = play.post(SESSIONS, form);
    let session = id(&made);
    assert_eq!(
        (&made["status"], &made["options"]["document"]["allowed_types"]),
        (&json!("requires_input"), &json!(["passport"]))
    );
    assert!(made["client_secret"].is_string() && made["url"].as_str().unwrap().ends_with(&session));
    play.events();
    let failed = submit(&mut play, &session, "selfie_face_mismatch");
    assert_eq!(
        play.events(),
        ["processing", "requires_input"].map(|kind| format!("identity.verification_session.{kind}"))
    );
    assert_eq!(
        (&failed["status"], &failed["last_error"]["code"]),
        (&json!("requires_input"), &json!("selfie_face_mismatch"))
    );
    let report = play
        .get(&format!("/v1/identity/verification_reports/{}", failed["last_verification_report"].as_str().unwrap()));
    assert_eq!(
        (&report["selfie"]["status"], &report["document"]["status"], &report["document"]["type"]),
        (&json!("unverified"), &json!("verified"), &json!("passport"))
    );
    let verified = submit(&mut play, &session, "verified");
    assert_eq!(
        (&verified["status"], &verified["last_error"], &verified["url"]),
        (&json!("verified"), &json!(null), &json!(null))
    );
    assert_eq!(play.event("identity.verification_session.verified")["data"]["object"]["id"], json!(session));
    let path = format!("{SESSIONS}/{session}");
    assert!(play.get(&path).get("verified_outputs").is_none());
    assert_eq!(play.get(&format!("{path}?expand[]=verified_outputs"))["verified_outputs"]["first_name"], "Test");
    let reports =
        play.get(&format!("/v1/identity/verification_reports?verification_session={session}"))["data"].clone();
    assert_eq!(reports.as_array().unwrap().len(), 2);
    play.refused("POST", &path, "metadata[a]=c", 400);
    play.refused("POST", &format!("{path}/cancel"), "", 400);
    let redacted = play.post(&format!("{path}/redact"), "");
    assert_eq!((&redacted["redaction"]["status"], redacted.get("provided_details")), (&json!("redacted"), None));
    let report = play.get(&format!("/v1/identity/verification_reports/{}", id(&reports[0])));
    assert_eq!((&report["document"]["first_name"], &report["document"]["status"]), (&json!(null), &json!("verified")));
    play.refused("POST", &format!("{path}/redact"), "", 400);
}

#[test]
fn a_check_is_changed_canceled_and_listed() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let session = id(&play.post(SESSIONS, &format!("type=id_number&related_customer={customer}")));
    let path = format!("{SESSIONS}/{session}");
    assert_eq!(play.post(&path, "type=document")["options"], json!({ "document": {} }));
    let declined = submit(&mut play, &session, "consent_declined");
    assert_eq!(
        (&declined["last_error"]["code"], &declined["last_verification_report"]),
        (&json!("consent_declined"), &json!(null))
    );
    assert_eq!(play.post(&format!("{path}/cancel"), "")["status"], "canceled");
    assert_eq!(play.event("identity.verification_session.canceled")["data"]["object"]["id"], json!(session));
    play.post(SESSIONS, "type=document");
    let found = play.get(&format!("{SESSIONS}?status=canceled&related_customer={customer}"))["data"].clone();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["id"]), (1, &json!(session)));
    play.refused("POST", SESSIONS, "", 400);
    play.refused("POST", SESSIONS, "type=document&related_customer=cus_none", 400);
    play.refused(
        "POST",
        &format!("/_sandbox/identity/verification_sessions/{session}/submit"),
        "outcome=verified",
        400,
    );
}

#[test]
fn invoices_use_active_templates() {
    let mut play = Play::new();
    let customer = play.customer("pm_card_visa");
    let template = id(&play.post("/_sandbox/invoice_rendering_templates", "nickname=Blue"));
    let path = format!("/v1/invoice_rendering_templates/{template}");
    assert_eq!((&play.get(&path)["nickname"], &play.get(&path)["version"]), (&json!("Blue"), &json!(1)));
    let form = format!("customer={customer}&rendering[template]={template}");
    let rendering = play.post("/v1/invoices", &form)["rendering"].clone();
    assert_eq!((&rendering["template"], &rendering["template_version"]), (&json!(template), &json!(1)));
    assert_eq!(
        play.refused("POST", "/v1/invoices", &format!("{form}&rendering[template_version]=2"), 400)["param"],
        "rendering[template]"
    );
    play.refused("GET", &path, "version=2", 404);
    assert_eq!(play.post(&format!("{path}/archive"), "")["status"], "archived");
    play.refused("POST", &format!("{path}/archive"), "", 400);
    play.refused("POST", "/v1/invoices", &form, 400);
    assert_eq!(play.get("/v1/invoice_rendering_templates?status=active")["data"], json!([]));
    assert_eq!(play.post(&format!("{path}/unarchive"), "")["status"], "active");
    play.post("/v1/invoices", &form);
}

#[test]
fn balance_settings_give_payouts_their_descriptor() {
    let mut play = Play::new();
    assert_eq!(play.get("/v1/balance_settings")["payments"]["payouts"]["schedule"]["interval"], "manual");
    play.events();
    let form = "payments[payouts][statement_descriptor]=SHOP&payments[debit_negative_balances]=false";
    let changed = play.post("/v1/balance_settings", form);
    assert_eq!(changed["payments"]["debit_negative_balances"], false);
    assert_eq!(play.events(), ["balance_settings.updated"]);
    assert_eq!(play.get("/v1/balance_settings"), changed);
    play.post("/v1/topups", "amount=500&currency=usd");
    assert_eq!(play.post("/v1/payouts", "amount=100&currency=usd")["statement_descriptor"], "SHOP");
    assert_eq!(
        play.post("/v1/payouts", "amount=100&currency=usd&statement_descriptor=OWN")["statement_descriptor"],
        "OWN"
    );
    play.refused("POST", "/v1/balance_settings", &form.replace("SHOP", &"x".repeat(23)), 400);
    play.refused("POST", "/v1/balance_settings", "payments[payouts][schedule][interval]=daily", 400);
}

#[test]
fn the_spec_of_the_own_country_is_known() {
    let mut play = Play::new();
    let spec = play.get("/v1/country_specs")["data"][0].clone();
    assert_eq!((&spec["id"], &spec["default_currency"]), (&json!("US"), &json!("usd")));
    assert!(spec["supported_payment_currencies"].as_array().unwrap().contains(&json!("jpy")), "{spec}");
    assert_eq!(play.get("/v1/country_specs/US"), spec);
    play.refused("GET", "/v1/country_specs/XX", "", 404);
}
