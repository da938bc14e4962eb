//! `catalog.load`: checks a document, and writes its types, products and settings to the catalog.

use crate::actions::permission::admin_of_platform;
use crate::actions::put_product::{catalog_row, check, put, save, save_settings, update_default_plan};
use crate::catalog::campaign::{BATCH_MAX, Campaigns};
use crate::catalog::checks::{
    check_entitlements, check_names, check_own, check_own_prices, check_prices, check_rates, check_told_apart,
    read_type, unreadable,
};
use crate::catalog::declared::OwnResources;
use crate::catalog::desk::Desk;
use crate::catalog::entitlement::Entitlements;
use crate::catalog::meter::Meters;
use crate::catalog::meter_checks::{Named, check_meters, check_meters_of};
use crate::catalog::names::{BUSINESS, PRODUCT_TYPE};
use crate::catalog::no_effect::{check_conditions, check_granted, check_personal, check_policies, check_refunds};
use crate::catalog::old_form;
use crate::catalog::product::{Proposed, normalise_written, where_written};
use crate::catalog::rate::Rates;
use crate::catalog::reaction::{Events, Reaction, Templates};
use crate::catalog::reaction_checks::{check_invited_roles, check_mail_steps, check_reactions};
use crate::catalog::return_address;
use crate::catalog::settings::{PROVIDERS, Policies, QUESTIONS, Roles, Settings};
use crate::catalog::usage_source::UsageSource;
use crate::model::halt::{Answer, Halt, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, encode};
use crate::model::keys::type_row_id;
use crate::model::records::product::ProductRow;
use extension_contract::*;
use extension_reader::Raw;
use serde::Deserialize;
use serde_json::{Value, json};

/// The kinds of commands that a catalog can name.
pub(super) struct Kinds {
    /// Those of all commands.
    pub(super) all: Vec<&'static str>,
    /// Those of the commands that the roles of an organization's members can allow.
    pub(super) of_owners: Vec<&'static str>,
}

/// A catalog document, as written by a business.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(default)]
    policies: Policies,
    #[serde(default)]
    entitlements: Entitlements,
    #[serde(default)]
    meters: Meters,
    #[serde(default)]
    rates: Rates,
    #[serde(default)]
    usage_source: Option<UsageSource>,
    #[serde(default)]
    may: Roles,
    /// Configuration keys with their declarations for the host.
    #[serde(default)]
    config: Object,
    #[serde(default)]
    resources: OwnResources,
    #[serde(default)]
    events: Events,
    #[serde(default)]
    reactions: Vec<Reaction>,
    #[serde(default)]
    campaigns: Option<Campaigns>,
    /// Names of the mail templates, which are files of the host, with their placeholders.
    #[serde(default)]
    templates: Templates,
    /// Product types: a whole declaration, or the name of a loaded type.
    #[serde(borrow, default)]
    product_types: Vec<Raw<'a>>,
    #[serde(default)]
    products: Vec<Object>,
}

/// `catalog.load`: writes the document to the catalog. Products and types that it does not name are kept.
pub(super) fn load(desk: &mut Desk<'_>, payload: &str, commands: &Kinds) -> Ruled<Verdict> {
    admin_of_platform(desk)?;
    let mut written: Value = extension_reader::from_str_small(payload).map_err(|error| unreadable("", &error))?;
    old_form::refuse(&mut written)?;
    let document: Document<'_> = extension_reader::from_str(payload).map_err(|error| unreadable("", &error))?;
    if !PROVIDERS.contains(&document.policies.provider.as_str()) {
        let message = format!("expected one of {}", PROVIDERS.join(", "));
        return Err(wrong_field("/policies/provider", FieldErrorCode::NotAllowed, message));
    }
    let Policies { success_url, cancel_url, return_url, .. } = &document.policies;
    for (name, url) in [("success_url", success_url), ("cancel_url", cancel_url), ("return_url", return_url)] {
        return_address::check(url, &format!("/policies/{name}"))?;
    }
    if document.policies.final_backup.whole_days().is_none() {
        let message = "expected whole days, as in 30d";
        return Err(wrong_field("/policies/final_backup", FieldErrorCode::BadFormat, message));
    }
    check_policies(&document.policies, &written)?;
    // All checks are done before anything is saved.
    let known = desk.catalog.settings()?;
    let mut resources = known.resources.clone();
    resources.extend(document.resources);
    let mut config = known.config.clone();
    config.extend(document.config.iter().map(|(key, _)| key.clone()).filter(|key| !known.config.contains(key)));
    check_own(&config, &resources)?;
    if document.campaigns.is_some_and(|campaigns| !(1..=BATCH_MAX).contains(&campaigns.batch)) {
        let message = format!("expected 1 to {BATCH_MAX}");
        return Err(wrong_field("/campaigns/batch", FieldErrorCode::OutOfRange, message));
    }
    check_reactions(&document.events, &document.reactions, &document.templates, &resources, &commands.all)?;
    let mut types = desk.catalog.stored_types()?;
    let mut decls = Vec::new();
    for (index, entry) in document.product_types.into_iter().enumerate() {
        decls.push(read_type(entry.get(), index, &types, &resources)?);
    }
    types.retain(|known| decls.iter().all(|decl| decl.name != known.name));
    let mut entitlements = known.entitlements.clone();
    check_entitlements(&document.entitlements)?;
    let of_document = document.entitlements.clone();
    entitlements.extend(document.entitlements);
    let mut meters = known.meters.clone();
    meters.extend(document.meters.clone());
    for (index, decl) in decls.iter().enumerate() {
        check_meters_of(decl, &meters, &format!("/product_types/{index}"))?;
    }
    types.extend(decls.iter().cloned());
    check_meters(
        &document.meters,
        &meters,
        &Named { rates: &document.rates, entitlements: &entitlements, types: &types },
    )?;
    for (index, decl) in decls.iter().enumerate() {
        check_names(decl, &types, &entitlements, &config, &format!("/product_types/{index}"))?;
        check_mail_steps(decl, &document.templates, &format!("/product_types/{index}"))?;
    }
    check_granted(&of_document, &types)?;
    check_roles(&document.may, commands)?;
    for (index, decl) in decls.iter().enumerate() {
        check_invited_roles(decl, &document.may, &format!("/product_types/{index}"))?;
    }
    check_rates(&document.rates, &entitlements, &types)?;
    if let Some(source) = &document.usage_source {
        source.check(&document.rates, &config)?;
    }
    let mut settings = Settings {
        defaults: known.defaults.clone(),
        entitlements,
        meters,
        rates: document.rates,
        usage_source: document.usage_source,
        may: document.may,
        config,
        resources,
        events: document.events,
        reactions: document.reactions,
        campaigns: document.campaigns,
        templates: document.templates,
        ..document.policies.into()
    };
    desk.catalog.decide_by(settings.clone(), types);
    let mut products: Vec<(String, Proposed)> = Vec::with_capacity(document.products.len());
    for (index, body) in document.products.iter().enumerate() {
        check_prices(body).map_err(|halt| with_index(halt, index))?;
        let proposed = normalise_written(&desk.catalog, desk.actor.kind, body)
            .map_err(|halt| with_index(where_written(halt, body), index))?;
        let id = proposed.id.clone();
        let id = id.ok_or_else(|| with_index(wrong_field("/id", FieldErrorCode::Missing, "required"), index))?;
        check_told_apart(&proposed, &products).map_err(|halt| with_index(halt, index))?;
        check_own_prices(&proposed, &products, &settings.currency).map_err(|halt| with_index(halt, index))?;
        check(desk, &id, &proposed).map_err(|halt| with_index(halt, index))?;
        products.push((id, proposed));
    }
    check_refunds(&decls, &products, &settings.currency)?;
    check_conditions(&decls, &products)?;
    check_personal(&decls, settings.erase_after.is_some())?;
    let type_ids = decls.iter().map(|decl| type_row_id(&decl.name));
    let ids = products.iter().map(|(id, _)| id.clone());
    let all: Vec<String> = ids.chain(type_ids).chain([BUSINESS.to_owned()]).collect();
    desk.account.load::<ProductRow>(&all)?;
    for decl in &decls {
        let values = catalog_row(PRODUCT_TYPE, &decl.name, encode(decl)?);
        save(desk, &type_row_id(&decl.name), &values)?;
    }
    let mut ids = Vec::with_capacity(products.len());
    for (index, (id, proposed)) in products.into_iter().enumerate() {
        update_default_plan(&mut settings, &id, &proposed).map_err(|halt| with_index(halt, index))?;
        put(desk, &id, proposed, None).map_err(|halt| with_index(halt, index))?;
        ids.push(id);
    }
    save_settings(desk, &settings)?;
    let reply = json!({"product_types": decls.iter().map(|d| &d.name).collect::<Vec<_>>(), "products": ids});
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// Fails if roles are listed for an unknown command or query, or for a command that no role allows.
fn check_roles(may: &Roles, commands: &Kinds) -> Ruled<()> {
    let known: Vec<&str> = commands.of_owners.iter().copied().chain(QUESTIONS).collect();
    let Some(key) = may.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
    let problem = match commands.all.contains(&key.as_str()) {
        true => "is only for operators and services, whatever the roles are",
        false => "is not a command or query",
    };
    let message = format!("`{key}` {problem}: expected one of {}", known.join(", "));
    Err(wrong_field(&format!("/may/{key}"), FieldErrorCode::UnknownField, message))
}

/// Prefixes the paths of field errors with the product's position in the document.
fn with_index(halt: Halt, index: usize) -> Halt {
    match halt {
        Halt::Refused(Refusal::Invalid(errors)) => Halt::Refused(Refusal::Invalid(
            errors.into_iter().map(|e| FieldError { path: format!("/products/{index}{}", e.path), ..e }).collect(),
        )),
        other => other,
    }
}
