//! The endpoints for the settings of payment pages: which payment methods they offer, and on which domains.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, LIMIT};
use crate::api::{Route, route};
use crate::connect;
use crate::error::ApiError;
use crate::ids;
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, opt, req};
use crate::state::State;

/// The maximum number of configurations, and of domains of each kind.
const CONFIGURATIONS_MAX: usize = 100;
const DOMAINS_MAX: usize = 1_000;
/// The maximum length of a domain name.
const DOMAIN_CHARS_MAX: usize = 253;
const CONFIGURATION: &str = "payment_method_configuration";
const DOMAIN: &str = "payment_method_domain";
const APPLE_DOMAIN: &str = "apple_pay_domain";

const PREFERENCE: ParamKind = ParamKind::Map(&[opt(
    "display_preference",
    ParamKind::Map(&[opt("preference", ParamKind::OneOf(&["none", "off", "on"]))]),
)]);

/// Declares the fields of a configuration and the names of its payment methods.
macro_rules! methods {
    ($($name:literal),* $(,)?) => {
        const METHODS: &[&str] = &[$($name),*];
        const CREATE: &[Field] = &[
            opt("name", ParamKind::Text), opt("parent", ParamKind::Text), $(opt($name, PREFERENCE)),*
        ];
        const UPDATE: &[Field] = &[
            opt("active", ParamKind::Bool), opt("name", ParamKind::Text), $(opt($name, PREFERENCE)),*
        ];
    };
}

methods!(
    "acss_debit",
    "affirm",
    "afterpay_clearpay",
    "alipay",
    "alma",
    "amazon_pay",
    "apple_pay",
    "apple_pay_later",
    "au_becs_debit",
    "bacs_debit",
    "bancontact",
    "billie",
    "bizum",
    "blik",
    "boleto",
    "card",
    "cartes_bancaires",
    "cashapp",
    "crypto",
    "customer_balance",
    "eps",
    "fpx",
    "fr_meal_voucher_conecs",
    "giropay",
    "google_pay",
    "grabpay",
    "ideal",
    "jcb",
    "kakao_pay",
    "klarna",
    "konbini",
    "kr_card",
    "link",
    "mb_way",
    "mobilepay",
    "multibanco",
    "naver_pay",
    "nz_bank_account",
    "oxxo",
    "p24",
    "pay_by_bank",
    "payco",
    "paynow",
    "paypal",
    "paypay",
    "payto",
    "pix",
    "promptpay",
    "revolut_pay",
    "samsung_pay",
    "satispay",
    "scalapay",
    "sepa_debit",
    "sequra",
    "sofort",
    "sunbit",
    "swish",
    "twint",
    "upi",
    "us_bank_account",
    "wechat_pay",
    "zip",
);

/// The payment methods that the sandbox accepts.
const AVAILABLE: [&str; 4] = ["card", "customer_balance", "sepa_debit", "us_bank_account"];
/// The payment methods whose status a domain shows.
const ON_DOMAINS: [&str; 6] = ["amazon_pay", "apple_pay", "google_pay", "klarna", "link", "paypal"];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/payment_method_configurations", CREATE, create),
    route(
        "GET",
        "/v1/payment_method_configurations",
        &[LIMIT, AFTER, BEFORE, opt("active", ParamKind::Bool), opt("application", ParamKind::Text)],
        |st, _, args| {
            let default = load(st, &default_id(st), "id")?;
            let fits = |c: &Arc<Object>| {
                ["active", "application"].iter().all(|name| args.given(name).is_none_or(|wanted| c.get(name) == wanted))
            };
            let stored = st.newest(CONFIGURATION, None).filter(|c| c.id() != default.id());
            let all = stored.chain(std::iter::once(Arc::clone(&default))).filter(fits);
            listing::page(args, "/v1/payment_method_configurations", all)
        },
    ),
    route("GET", "/v1/payment_method_configurations/{}", &[], |st, ids, _| Ok(load(st, ids[0], "id")?.value())),
    route("POST", "/v1/payment_method_configurations/{}", UPDATE, update),
    route(
        "POST",
        "/v1/payment_method_domains",
        &[req("domain_name", ParamKind::Text), opt("enabled", ParamKind::Bool)],
        create_domain,
    ),
    route(
        "GET",
        "/v1/payment_method_domains",
        &[LIMIT, AFTER, BEFORE, opt("domain_name", ParamKind::Text), opt("enabled", ParamKind::Bool)],
        |st, _, args| listing::list(st, DOMAIN, "/v1/payment_method_domains", args, &["domain_name", "enabled"]),
    ),
    route("GET", "/v1/payment_method_domains/{}", &[], |st, ids, _| Ok(st.load(DOMAIN, ids[0], "id")?.value())),
    route("POST", "/v1/payment_method_domains/{}", &[opt("enabled", ParamKind::Bool)], |st, ids, args| {
        st.load(DOMAIN, ids[0], "id")?;
        let changed = st.change(ids[0], |domain| {
            if let Some(enabled) = args.flag("enabled") {
                domain.set("enabled", enabled);
            }
        });
        Ok(changed.value())
    }),
    route("POST", "/v1/payment_method_domains/{}/validate", &[], |st, ids, _| {
        st.load(DOMAIN, ids[0], "id")?;
        Ok(st.change(ids[0], set_statuses).value())
    }),
    route("POST", "/v1/apple_pay/domains", &[req("domain_name", ParamKind::Text)], |st, _, args| {
        let name = new_domain(st, APPLE_DOMAIN, args)?;
        let made = Object::of(json!({
            "id": st.new_id("apwc"), "object": APPLE_DOMAIN, "created": st.clock_s(), "domain_name": name, "livemode": false,
        }));
        Ok(st.put(made).value())
    }),
    route(
        "GET",
        "/v1/apple_pay/domains",
        &[LIMIT, AFTER, BEFORE, opt("domain_name", ParamKind::Text)],
        |st, _, args| listing::list(st, APPLE_DOMAIN, "/v1/apple_pay/domains", args, &["domain_name"]),
    ),
    route("GET", "/v1/apple_pay/domains/{}", &[], |st, ids, _| Ok(st.load(APPLE_DOMAIN, ids[0], "id")?.value())),
    route("DELETE", "/v1/apple_pay/domains/{}", &[], |st, ids, _| {
        st.load(APPLE_DOMAIN, ids[0], "id")?;
        st.remove(ids[0]);
        Ok(json!({ "id": ids[0], "object": APPLE_DOMAIN, "deleted": true }))
    }),
];

/// Returns the id of the account's default configuration, which depends only on the account.
fn default_id(st: &State) -> String {
    let account = connect::current(st);
    let seed = account.id().bytes().fold(0, |sum, byte| ids::mix(sum ^ u64::from(byte)));
    format!("pmc_1{}", ids::characters(seed, 1, 15))
}

/// Returns a configuration. The default configuration always exists.
fn load(st: &State, id: &str, param: &str) -> Result<Arc<Object>, ApiError> {
    if id == default_id(st) && st.seek(id).is_none() {
        return Ok(Arc::new(configuration(id.to_owned(), "Default", true)));
    }
    st.load(CONFIGURATION, id, param)
}

fn configuration(id: String, name: &str, is_default: bool) -> Object {
    let mut made = Object::of(json!({
        "id": id,
        "object": CONFIGURATION,
        "active": true,
        "application": null,
        "is_default": is_default,
        "livemode": false,
        "name": name,
        "parent": null,
    }));
    for method in METHODS {
        let is_available = AVAILABLE.contains(method);
        let word = if is_available { "on" } else { "off" };
        let preference = json!({ "overridable": null, "preference": word, "value": word });
        made.set(method, json!({ "available": is_available, "display_preference": preference }));
    }
    made
}

/// Sets the preferences of a request. `none` uses the value of the parent, or otherwise that of the default
/// configuration.
fn apply(st: &State, made: &mut Object, args: &Args) -> Result<(), ApiError> {
    let above = match made.text_at("parent") {
        Some(parent) => load(st, parent, "parent")?,
        None => load(st, &default_id(st), "id")?,
    };
    for method in METHODS {
        let given = args.map(method).map("display_preference");
        let Some(preference) = given.text("preference") else { continue };
        let value = match preference {
            "none" => above.at(&format!("{method}.display_preference.value")).clone(),
            word => json!(word),
        };
        made.set_at(&format!("{method}.display_preference.preference"), preference);
        made.set_at(&format!("{method}.display_preference.value"), value);
    }
    if let Some(name) = args.text("name") {
        made.set("name", name);
    }
    Ok(())
}

fn create(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    if st.count(CONFIGURATION) >= CONFIGURATIONS_MAX {
        return Err(ApiError::invalid(format!("There can be at most {CONFIGURATIONS_MAX} configurations.")));
    }
    let mut made = configuration(st.new_id("pmc"), "Custom", false);
    if let Some(parent) = args.text("parent") {
        let parent = load(st, parent, "parent")?;
        for method in METHODS {
            made.set(method, parent.get(method).clone());
        }
        made.set("parent", parent.id());
    }
    apply(st, &mut made, args)?;
    Ok(st.put(made).value())
}

fn update(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let mut next = Object::clone(&*load(st, ids[0], "id")?);
    if let Some(active) = args.flag("active") {
        if next.is("is_default") && !active {
            return Err(ApiError::invalid("The default configuration can't be deactivated.").about("active"));
        }
        next.set("active", active);
    }
    apply(st, &mut next, args)?;
    Ok(st.put(next).value())
}

/// Reads the name of a new domain, which must be unique.
fn new_domain(st: &State, kind: &str, args: &Args) -> Result<String, ApiError> {
    let name = args.text("domain_name").unwrap_or_default().to_lowercase();
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-') && !label.starts_with('-')
    };
    if name.chars().count() > DOMAIN_CHARS_MAX || !name.contains('.') || !name.split('.').all(is_label) {
        let message = format!("Invalid domain name: {name}. It must be a host without a scheme, a port or a path.");
        return Err(ApiError::invalid(message).about("domain_name"));
    }
    if st.newest(kind, None).any(|domain| domain.text("domain_name") == name) {
        return Err(ApiError::invalid(format!("The domain {name} is registered already.")).about("domain_name"));
    }
    if st.count(kind) >= DOMAINS_MAX {
        return Err(ApiError::invalid(format!("There can be at most {DOMAINS_MAX} domains.")));
    }
    Ok(name)
}

/// Sets the status of each payment method on a domain. The sandbox does not check domains, so all are active.
fn set_statuses(domain: &mut Object) {
    for method in ON_DOMAINS {
        domain.set(method, json!({ "status": "active" }));
    }
}

fn create_domain(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let name = new_domain(st, DOMAIN, args)?;
    let mut made = Object::of(json!({
        "id": st.new_id("pmd"),
        "object": DOMAIN,
        "created": st.clock_s(),
        "domain_name": name,
        "enabled": args.flag("enabled").unwrap_or(true),
        "livemode": false,
    }));
    set_statuses(&mut made);
    Ok(st.put(made).value())
}
