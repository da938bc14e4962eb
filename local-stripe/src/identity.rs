//! Identity: sessions in which a person proves who they are, and their reports. A page or a call decides how a session
//! ends.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::object::Object;
use crate::params::{Args, merge_metadata};
use crate::state::State;

/// The `object` of sessions.
pub const SESSION: &str = "identity.verification_session";
/// The `object` of reports.
pub const REPORT: &str = "identity.verification_report";
/// How a session can end: verified, or with one of Stripe's codes of `last_error`.
pub const OUTCOMES: &[&str] = &[
    "verified",
    "abandoned",
    "consent_declined",
    "country_not_supported",
    "document_expired",
    "document_type_not_supported",
    "document_unverified_other",
    "id_number_insufficient_document_data",
    "id_number_mismatch",
    "id_number_unverified_other",
    "selfie_document_missing_photo",
    "selfie_face_mismatch",
    "selfie_manipulated",
    "selfie_unverified_other",
    "under_supported_age",
];

/// Creates the requested session.
///
/// # Errors
/// The type is missing, or the customer is unknown.
pub fn create(st: &mut State, args: &Args) -> Result<Value, ApiError> {
    let kind = args.text("type").ok_or_else(|| ApiError::missing("type"))?;
    let customer = args.text("related_customer").map(|id| st.load("customer", id, "related_customer")).transpose()?;
    let id = st.new_id("vs");
    let mut session = Object::of(json!({
        "id": id,
        "object": SESSION,
        "client_reference_id": args.value("client_reference_id"),
        "client_secret": format!("{id}_secret_test_{}", st.new_characters(24)),
        "created": customer.as_ref().map_or(st.clock_s(), |customer| st.now(customer)),
        "last_error": null,
        "last_verification_report": null,
        "livemode": false,
        "metadata": {},
        "options": {},
        "redaction": null,
        "related_customer": args.value("related_customer"),
        "related_customer_account": null,
        "status": "requires_input",
        "type": kind,
        "url": format!("{}/_sandbox/identity/{id}", st.settings.base_url),
    }));
    session.as_verification_session_mut().return_url = args.text("return_url").map(str::to_owned);
    if let Some(customer) = customer {
        session = session.on_clock_of(&customer);
    }
    apply(&mut session, args)?;
    let session = st.put(session);
    st.emit("identity.verification_session.created", &session);
    Ok(session.value())
}

fn apply(session: &mut Object, args: &Args) -> Result<(), ApiError> {
    if let Some(kind) = args.given("type") {
        session.set("type", kind.clone());
    }
    if args.has("options") || session.at(&format!("options.{}", session.text("type"))).is_null() {
        let given =
            if session.text("type") == "document" { args.map("options").value("document") } else { Value::Null };
        let mut options = json!({});
        options[session.text("type")] = if given.is_object() { given } else { json!({}) };
        session.set("options", options);
    }
    if args.has("provided_details") {
        session.set("provided_details", args.value("provided_details"));
    }
    session.set("metadata", merge_metadata(session.get("metadata"), args)?);
    Ok(())
}

fn in_status(st: &State, id: &str, allowed: &[&str], verb: &str) -> Result<Object, ApiError> {
    let session = st.load(SESSION, id, "id")?;
    if allowed.contains(&session.text("status")) && session.get("redaction").is_null() {
        return Ok(Object::clone(&session));
    }
    let message = format!("This VerificationSession can't be {verb}: its status is {}.", session.text("status"));
    Err(ApiError::invalid(message))
}

/// Changes a session that waits for input.
///
/// # Errors
/// The session is unknown or does not wait for input.
pub fn update(st: &mut State, id: &str, args: &Args) -> Result<Value, ApiError> {
    let mut session = in_status(st, id, &["requires_input"], "updated")?;
    apply(&mut session, args)?;
    Ok(st.put(session).value())
}

/// Cancels a session that waits for input.
///
/// # Errors
/// The session is unknown or does not wait for input.
pub fn cancel(st: &mut State, id: &str) -> Result<Value, ApiError> {
    in_status(st, id, &["requires_input"], "canceled")?;
    let canceled = st.change(id, |session| {
        session.set("status", "canceled");
        session.set("client_secret", Value::Null);
        session.set("url", Value::Null);
    });
    st.emit("identity.verification_session.canceled", &canceled);
    Ok(canceled.value())
}

/// Removes all personal data from a session and its reports.
///
/// # Errors
/// The session is unknown, canceled or redacted.
pub fn redact(st: &mut State, id: &str) -> Result<Value, ApiError> {
    in_status(st, id, &["requires_input", "verified"], "redacted")?;
    let of_session = st.newest(REPORT, None).filter(|report| report.text("verification_session") == id);
    let reports: Vec<String> = of_session.map(|report| report.id().to_owned()).collect();
    for report in reports {
        st.change(&report, |report| {
            for check in ["document", "id_number", "selfie"] {
                let Value::Object(found) = report.get(check).clone() else { continue };
                for name in found
                    .into_iter()
                    .map(|(name, _)| name)
                    .filter(|name| !["error", "status", "type"].contains(&name.as_str()))
                {
                    report.set_at(&format!("{check}.{name}"), Value::Null);
                }
            }
        });
    }
    let redacted = st.change(id, |session| {
        session.set("client_secret", Value::Null);
        session.set("url", Value::Null);
        session.as_verification_session_mut().verified_outputs = Value::Null;
        session.members.remove("provided_details");
        session.set("metadata", json!({}));
        session.set("redaction", json!({ "status": "redacted" }));
    });
    st.emit("identity.verification_session.redacted", &redacted);
    Ok(redacted.value())
}

/// Lets the person finish a session with one of the [`OUTCOMES`]. Creates a report, unless the person did not take
/// part.
///
/// # Errors
/// The session is unknown or does not wait for input.
pub fn submit(st: &mut State, id: &str, outcome: &str) -> Result<Value, ApiError> {
    let session = in_status(st, id, &["requires_input"], "submitted")?;
    let took_part =
        !["abandoned", "consent_declined", "country_not_supported", "under_supported_age"].contains(&outcome);
    if took_part {
        let processing = st.change(id, |session| session.set("status", "processing"));
        st.emit("identity.verification_session.processing", &processing);
    }
    let report = took_part.then(|| {
        let made = report(st, &session, outcome);
        st.put(made)
    });
    let is_verified = outcome == "verified";
    let after = st.change(id, |session| {
        session.set("status", if is_verified { "verified" } else { "requires_input" });
        session.set("last_error", if is_verified { Value::Null } else { error(outcome) });
        if let Some(report) = &report {
            session.set("last_verification_report", report.id());
        }
        if is_verified {
            session.set("client_secret", Value::Null);
            session.set("url", Value::Null);
            let (address, person) = (address(), person());
            session.as_verification_session_mut().verified_outputs = json!({
                "address": address, "first_name": person["first_name"],
                "id_number_type": null, "last_name": person["last_name"],
            });
        }
    });
    st.emit(&format!("identity.verification_session.{}", after.text("status")), &after);
    Ok(after.value())
}

fn error(code: &str) -> Value {
    json!({ "code": code, "reason": format!("The sandbox was asked to fail with {code}.") })
}

fn person() -> Value {
    json!({ "first_name": "Test", "last_name": "Person" })
}

fn address() -> Value {
    json!({ "city": "Testville", "country": "US", "line1": "1 Test Street", "line2": null, "postal_code": "00000", "state": "CA" })
}

/// Builds the report for a session with an outcome. The checks before the failing one are verified.
fn report(st: &mut State, session: &Object, outcome: &str) -> Object {
    let wanted = session.at("options.document");
    let failed = |check: &str| outcome.starts_with(check);
    let status = |check: &str| if failed(check) { "unverified" } else { "verified" };
    let why = |check: &str| if failed(check) { error(outcome) } else { Value::Null };
    let mut report = Object::of(json!({
        "id": st.new_id("vr"),
        "object": REPORT,
        "client_reference_id": session.get("client_reference_id"),
        "created": st.now(session),
        "livemode": false,
        "options": session.get("options"),
        "type": session.get("type"),
        "verification_session": session.id(),
    }))
    .on_clock_of(session);
    let person = person();
    if session.text("type") == "document" {
        let kind = wanted["allowed_types"].as_array().and_then(|types| types.first()).cloned();
        report.set("document", json!({
            "address": address(), "error": why("document"),
            "expiration_date": { "day": 1, "month": 12, "year": 2034 }, "files": [], "first_name": person["first_name"],
            "issued_date": { "day": 1, "month": 12, "year": 2024 }, "issuing_country": "US",
            "last_name": person["last_name"], "status": status("document"),
            "type": kind.unwrap_or(json!("driving_license")),
        }));
    }
    if session.text("type") == "id_number" || wanted["require_id_number"] == true {
        report.set(
            "id_number",
            json!({
                "error": why("id_number"), "first_name": person["first_name"],
                "id_number_type": "us_ssn", "last_name": person["last_name"], "status": status("id_number"),
            }),
        );
    }
    if wanted["require_matching_selfie"] == true {
        report.set(
            "selfie",
            json!({
                "document": null, "error": why("selfie"), "selfie": null, "status": status("selfie"),
            }),
        );
    }
    report
}
