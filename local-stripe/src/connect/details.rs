//! Details of a connected account in a request besides its profile: the company, the individual, the settings, and who controls it.

use serde_json::{Value, json};

use crate::connect::person;
use crate::descriptor;
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{ADDRESS, Args, ParamKind, opt, req};
use crate::state::State;

const DECLARATION: ParamKind =
    ParamKind::Map(&[opt("date", ParamKind::Time), opt("ip", ParamKind::Text), opt("user_agent", ParamKind::Text)]);
/// The parameter `verification[document]`: the ids of uploaded files.
const DOCUMENT: ParamKind = ParamKind::Map(&[opt("back", ParamKind::Text), opt("front", ParamKind::Text)]);
/// The parameter `company`.
pub const COMPANY: ParamKind = ParamKind::Map(&[
    opt("address", ADDRESS),
    opt("administrative_address", ADDRESS),
    opt("directors_provided", ParamKind::Bool),
    opt("directorship_declaration", DECLARATION),
    opt("executives_provided", ParamKind::Bool),
    opt("export_license_id", ParamKind::Text),
    opt("export_purpose_code", ParamKind::Text),
    opt("name", ParamKind::Text),
    opt("name_kana", ParamKind::Text),
    opt("name_kanji", ParamKind::Text),
    opt("owners_provided", ParamKind::Bool),
    opt("ownership_declaration", DECLARATION),
    opt(
        "ownership_exemption_reason",
        ParamKind::OneOf(&["qualified_entity_exceeds_ownership_threshold", "qualifies_as_financial_institution"]),
    ),
    opt("phone", ParamKind::Text),
    opt("physical_address", ADDRESS),
    opt("principal_place_of_business", ADDRESS),
    opt(
        "registration_date",
        ParamKind::Map(&[
            req("day", ParamKind::Int(1, 31)),
            req("month", ParamKind::Int(1, 12)),
            req("year", ParamKind::Int(1_000, 2_100)),
        ]),
    ),
    opt("representative_declaration", DECLARATION),
    opt(
        "structure",
        ParamKind::OneOf(&[
            "free_zone_establishment",
            "free_zone_llc",
            "government_instrumentality",
            "governmental_unit",
            "incorporated_non_profit",
            "incorporated_partnership",
            "limited_liability_partnership",
            "llc",
            "multi_member_llc",
            "private_company",
            "private_corporation",
            "private_partnership",
            "public_company",
            "public_corporation",
            "public_partnership",
            "registered_charity",
            "single_member_llc",
            "sole_establishment",
            "sole_proprietorship",
            "tax_exempt_government_instrumentality",
            "unincorporated_association",
            "unincorporated_non_profit",
            "unincorporated_partnership",
        ]),
    ),
    opt("tax_id", ParamKind::Text),
    opt("tax_id_registrar", ParamKind::Text),
    opt("vat_id", ParamKind::Text),
    opt("verification", ParamKind::Map(&[opt("document", DOCUMENT)])),
]);
/// The members of a company that a request sets but that are never shown, except for the fact that they were given.
const SECRETS: [&str; 2] = ["tax_id", "vat_id"];

/// The parameter `settings`. Payouts are manual, so the payout schedule can't be changed.
pub const SETTINGS: ParamKind = ParamKind::Map(&[
    opt("bacs_debit_payments", ParamKind::Map(&[opt("display_name", ParamKind::Text)])),
    opt(
        "branding",
        ParamKind::Map(&[
            opt("icon", ParamKind::Text),
            opt("logo", ParamKind::Text),
            opt("primary_color", ParamKind::Text),
            opt("secondary_color", ParamKind::Text),
        ]),
    ),
    opt(
        "card_payments",
        ParamKind::Map(&[
            opt(
                "decline_on",
                ParamKind::Map(&[opt("avs_failure", ParamKind::Bool), opt("cvc_failure", ParamKind::Bool)]),
            ),
            opt("statement_descriptor_prefix", ParamKind::Text),
            opt("statement_descriptor_prefix_kana", ParamKind::Text),
            opt("statement_descriptor_prefix_kanji", ParamKind::Text),
        ]),
    ),
    opt(
        "invoices",
        ParamKind::Map(&[opt("hosted_payment_method_save", ParamKind::OneOf(&["always", "never", "offer"]))]),
    ),
    opt(
        "payments",
        ParamKind::Map(&[
            opt("statement_descriptor", ParamKind::Text),
            opt("statement_descriptor_kana", ParamKind::Text),
            opt("statement_descriptor_kanji", ParamKind::Text),
        ]),
    ),
    opt(
        "payouts",
        ParamKind::Map(&[
            opt("debit_negative_balances", ParamKind::Bool),
            opt("schedule", ParamKind::Map(&[opt("interval", ParamKind::OneOf(&["manual"]))])),
            opt("statement_descriptor", ParamKind::Text),
        ]),
    ),
    opt("sepa_debit_payments", ParamKind::Map(&[opt("creditor_id", ParamKind::Text)])),
]);

/// The parameter `controller` of a new account.
pub const CONTROLLER: ParamKind = ParamKind::Map(&[
    opt("fees", ParamKind::Map(&[opt("payer", ParamKind::OneOf(&["account", "application"]))])),
    opt("losses", ParamKind::Map(&[opt("payments", ParamKind::OneOf(&["application", "stripe"]))])),
    opt("requirement_collection", ParamKind::OneOf(&["application", "stripe"])),
    opt("stripe_dashboard", ParamKind::Map(&[opt("type", ParamKind::OneOf(&["express", "full", "none"]))])),
]);
/// The parameters of an account link that select the requirements it collects.
pub const COLLECTION: ParamKind = ParamKind::Map(&[
    opt("fields", DUE),
    // No account in the sandbox has future requirements.
    opt("future_requirements", ParamKind::OneOf(&["include", "omit"])),
]);
/// The requirements that an account link collects.
pub const DUE: ParamKind = ParamKind::OneOf(&["currently_due", "eventually_due"]);

/// Applies `company` and `settings` of a request to an account.
///
/// # Errors
/// A file is unknown, or a colour or a statement descriptor is invalid.
pub fn apply(st: &State, account: &mut Object, args: &Args) -> Result<(), ApiError> {
    if args.given("company").is_some() {
        let given = args.map("company");
        if account.get("company").is_null() {
            account.set("company", new_company());
        }
        for (name, value) in given.into_members() {
            match name.as_str() {
                secret if SECRETS.contains(&secret) => {
                    account.set_at(&format!("company.{secret}_provided"), !value.is_null());
                }
                "verification" => {
                    let document = value["document"].clone();
                    identify(
                        st,
                        account,
                        "company.verification.document",
                        &document,
                        "company[verification][document]",
                    )?;
                }
                _ => merge(account, &format!("company.{name}"), value),
            }
        }
    }
    let settings = args.map("settings");
    check_settings(st, &settings)?;
    for (group, members) in settings.into_members().into_iter().filter(|(_, members)| !members.is_null()) {
        merge(account, &format!("settings.{group}"), members);
    }
    Ok(())
}

/// Sets the files of a verification document.
fn identify(st: &State, owner: &mut Object, path: &str, document: &Value, param: &str) -> Result<(), ApiError> {
    for side in ["back", "front"] {
        if let Some(file) = document[side].as_str() {
            st.load("file", file, &format!("{param}[{side}]"))?;
            owner.set_at(&format!("{path}.{side}"), file);
        }
    }
    Ok(())
}

/// Sets a value, or the members of an object one by one.
fn merge(owner: &mut Object, path: &str, value: Value) {
    match value {
        Value::Object(members) => {
            members.into_iter().for_each(|(name, value)| merge(owner, &format!("{path}.{name}"), value));
        }
        value => owner.set_at(path, value),
    }
}

fn check_settings(st: &State, settings: &Args) -> Result<(), ApiError> {
    let branding = settings.map("branding");
    for name in ["icon", "logo"] {
        if let Some(file) = branding.text(name) {
            st.load("file", file, &format!("settings[branding][{name}]"))?;
        }
    }
    for name in ["primary_color", "secondary_color"] {
        let is_colour = |text: &str| {
            text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
        };
        if branding.text(name).is_some_and(|text| !is_colour(text)) {
            let message = "Invalid color: must be a CSS hex value, such as #635bff.";
            return Err(ApiError::invalid(message).about(&format!("settings[branding][{name}]")));
        }
    }
    descriptor::check(&settings.map("payments"), "settings[payments]")
}

fn new_company() -> Value {
    json!({
        "address": {
            "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null,
        },
        "directors_provided": false,
        "executives_provided": false,
        "name": null,
        "owners_provided": false,
        "tax_id_provided": false,
        "verification": { "document": { "back": null, "details": null, "details_code": null, "front": null } },
    })
}

/// Creates or changes the person behind an account, who is shown as its `individual`.
///
/// # Errors
/// The account is a company, or a parameter is invalid.
pub fn set_individual(st: &mut State, account: &mut Object, args: &Args) -> Result<(), ApiError> {
    if args.given("individual").is_none() {
        return Ok(());
    }
    if account.text_at("business_type").is_some_and(|kind| kind != "individual") {
        let message = "The parameter `individual` is only for accounts with the business_type `individual`.";
        return Err(ApiError::invalid(message).about("individual"));
    }
    let given = args.map("individual");
    let person = match account.text_at("individual.id") {
        Some(person) => person::update(st, account.id(), person, &given)?,
        None => person::create(st, account.id(), &given)?,
    };
    account.set("individual", person.value());
    Ok(())
}

/// Returns the members `type` and `controller` of a new account. Without a type, `controller` describes the account.
///
/// # Errors
/// The request contains both.
pub fn controlled(args: &Args) -> Result<(Value, Value), ApiError> {
    let given = args.map("controller");
    if args.given("controller").is_some() && args.given("type").is_some() {
        let message = "You may only specify one of these parameters: controller, type.";
        return Err(ApiError::invalid(message).about("controller"));
    }
    // The properties of the types are those of <https://docs.stripe.com/connect/migrate-to-controller-properties>.
    let (kind, payer, losses, collection, dashboard) = match args.text("type") {
        Some("custom") => ("custom", "application_custom", "application", "application", "none"),
        Some("express") => ("express", "application_express", "application", "stripe", "express"),
        _ => ("standard", "account", "stripe", "stripe", "full"),
    };
    let kind = if args.given("controller").is_some() { "none" } else { kind };
    let controller = json!({
        "fees": { "payer": given.map("fees").text("payer").unwrap_or(payer) },
        "is_controller": true,
        "losses": { "payments": given.map("losses").text("payments").unwrap_or(losses) },
        "requirement_collection": given.text("requirement_collection").unwrap_or(collection),
        "stripe_dashboard": { "type": given.map("stripe_dashboard").text("type").unwrap_or(dashboard) },
        "type": "application",
    });
    Ok((json!(kind), controller))
}

/// Returns the name of the requirements that an account link collects.
///
/// # Errors
/// The request specifies it twice.
pub fn collected(args: &Args) -> Result<String, ApiError> {
    let options = args.map("collection_options");
    if args.given("collect").is_some() && args.given("collection_options").is_some() {
        let message = "You may only specify one of these parameters: collect, collection_options.";
        return Err(ApiError::invalid(message).about("collect"));
    }
    Ok(args.text("collect").or(options.text("fields")).unwrap_or("currently_due").to_owned())
}
