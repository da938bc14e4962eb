//! Tax ids of customers and of the own account, and their verification.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::model;
use crate::object::Object;
use crate::params::Args;
use crate::state::State;

/// The types of tax ids, from the reference of the parameter `type`.
pub const TYPES: &[&str] = &[
    "ad_nrt",
    "ae_trn",
    "al_tin",
    "am_tin",
    "ao_tin",
    "ar_cuit",
    "au_abn",
    "au_arn",
    "aw_tin",
    "az_tin",
    "ba_tin",
    "bb_tin",
    "bd_bin",
    "bf_ifu",
    "bg_uic",
    "bh_vat",
    "bj_ifu",
    "bo_tin",
    "br_cnpj",
    "br_cpf",
    "bs_tin",
    "by_tin",
    "ca_bn",
    "ca_gst_hst",
    "ca_pst_bc",
    "ca_pst_mb",
    "ca_pst_sk",
    "ca_qst",
    "cd_nif",
    "ch_uid",
    "ch_vat",
    "cl_tin",
    "cm_niu",
    "cn_tin",
    "co_nit",
    "cr_tin",
    "cv_nif",
    "de_stn",
    "do_rcn",
    "ec_ruc",
    "eg_tin",
    "es_cif",
    "et_tin",
    "eu_oss_vat",
    "eu_vat",
    "fo_vat",
    "gb_vat",
    "ge_vat",
    "gi_tin",
    "gn_nif",
    "hk_br",
    "hr_oib",
    "hu_tin",
    "id_npwp",
    "il_vat",
    "in_gst",
    "is_vat",
    "it_cf",
    "jp_cn",
    "jp_rn",
    "jp_trn",
    "ke_pin",
    "kg_tin",
    "kh_tin",
    "kr_brn",
    "kz_bin",
    "la_tin",
    "li_uid",
    "li_vat",
    "lk_vat",
    "ma_vat",
    "md_vat",
    "me_pib",
    "mk_vat",
    "mr_nif",
    "mx_rfc",
    "my_frp",
    "my_itn",
    "my_sst",
    "ng_tin",
    "no_vat",
    "no_voec",
    "np_pan",
    "nz_gst",
    "om_vat",
    "pe_ruc",
    "ph_tin",
    "pl_nip",
    "py_ruc",
    "ro_tin",
    "rs_pib",
    "ru_inn",
    "ru_kpp",
    "sa_vat",
    "sg_gst",
    "sg_uen",
    "si_tin",
    "sn_ninea",
    "sr_fin",
    "sv_nit",
    "th_vat",
    "tj_tin",
    "tr_tin",
    "tw_vat",
    "tz_vat",
    "ua_vat",
    "ug_tin",
    "us_ein",
    "uy_ruc",
    "uz_tin",
    "uz_vat",
    "ve_rif",
    "vn_tin",
    "za_vat",
    "zm_tin",
    "zw_tin",
];
/// The types that Stripe verifies, from <https://docs.stripe.com/billing/customer/tax-ids#verification>.
const VERIFIED_TYPES: [&str; 3] = ["au_abn", "eu_vat", "gb_vat"];
/// The country codes of VAT numbers in the European Union; Northern Ireland has `XI`.
const EU_CODES: [&str; 28] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "XI",
];
/// The allowed lengths of a VAT number after its country code.
const EU_VAT_CHARS: std::ops::RangeInclusive<usize> = 2..=13;

/// Creates the tax id of a customer, or of the own account for `None`.
///
/// # Errors
/// The value is missing, or is not a tax id of this type.
pub fn create(st: &mut State, customer: Option<&Object>, args: &Args, param: &str) -> Result<Object, ApiError> {
    let name = |member: &str| if param.is_empty() { member.to_owned() } else { format!("{param}[{member}]") };
    let kind = args.text("type").ok_or_else(|| ApiError::missing(&name("type")))?;
    let value = args.text("value").ok_or_else(|| ApiError::missing(&name("value")))?;
    check(kind, value, &name("value"))?;
    let value = value.trim().to_uppercase();
    let id = st.new_id("txi");
    let now = customer.map_or(st.clock_s(), |customer| st.now(customer));
    let country = country_of(kind, &value);
    let made = model::tax_id::tax_id(id.clone(), now, customer, kind, &value, country);
    let made = st.put(made);
    if customer.is_none() {
        return Ok(Object::clone(&made));
    }
    st.emit("customer.tax_id.created", &made);
    if let Some(status) = outcome(kind, &value) {
        st.change_and_emit(&id, "customer.tax_id.updated", |tax_id| tax_id.set_at("verification.status", status));
    }
    Ok(Object::clone(&made))
}

/// Checks the format of a tax id.
///
/// # Errors
/// The value is not a tax id of this type.
pub fn check(kind: &str, value: &str, param: &str) -> Result<(), ApiError> {
    if is_valid(kind, &value.trim().to_uppercase()) {
        return Ok(());
    }
    Err(ApiError::coded("tax_id_invalid", format!("Invalid value for {kind}.")).about(param))
}

fn is_valid(kind: &str, value: &str) -> bool {
    let is_plain =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b" .-/+*".contains(&b));
    if kind != "eu_vat" {
        return is_plain(value);
    }
    let rest = EU_CODES.iter().find_map(|code| value.strip_prefix(code));
    rest.is_some_and(|rest| is_plain(rest) && EU_VAT_CHARS.contains(&rest.len()))
}

/// Returns the country of a tax id, given by its type, or for the European Union by its value.
fn country_of(kind: &str, value: &str) -> Value {
    match kind {
        "eu_oss_vat" => Value::Null,
        "eu_vat" if value.starts_with("EL") => json!("GR"),
        "eu_vat" if value.starts_with("XI") => json!("GB"),
        "eu_vat" => json!(value.get(..2)),
        _ => json!(kind.get(..2).map(str::to_uppercase)),
    }
}

/// Returns the result of a verification, which follows the creation immediately; `None` if the status does not change.
/// The values with a specific outcome are those of Stripe's test environments.
fn outcome(kind: &str, value: &str) -> Option<&'static str> {
    match value {
        _ if !VERIFIED_TYPES.contains(&kind) => None,
        _ if value.ends_with("222222222") => None,
        _ if value.ends_with("111111111") => Some("unverified"),
        _ => Some("verified"),
    }
}

/// Returns the initial verification status of a type.
pub fn first_status(kind: &str) -> &'static str {
    if VERIFIED_TYPES.contains(&kind) { "pending" } else { "unavailable" }
}

/// Returns a customer's tax ids in the form shown on invoices and sessions, oldest first.
pub fn shown(st: &State, customer: &str) -> Vec<Value> {
    let mut all: Vec<Value> = st
        .newest("tax_id", Some(customer))
        .map(|tax_id| json!({ "type": tax_id.get("type"), "value": tax_id.get("value") }))
        .collect();
    all.reverse();
    all
}
