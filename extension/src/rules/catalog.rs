//! `catalog.load`: checks a document, and writes its types, products and settings to the catalog.

use crate::actions::measurement::BEHIND_MAX_DAYS;
use crate::actions::permission::admin_of_platform;
use crate::actions::put_product::{catalog_row, check, put, save, save_settings, update_default_plan, withdraw};
use crate::catalog::campaign::{BATCH_MAX, Campaigns};
use crate::catalog::checks::{
    check_entitlements, check_names, check_own, check_own_prices, check_prices, check_rates, check_told_apart,
    read_type, unreadable,
};
use crate::catalog::declared::OwnResources;
use crate::catalog::entitlement::Entitlements;
use crate::catalog::meter::Meters;
use crate::catalog::meter_checks::{Named, check_meters, check_meters_of};
use crate::catalog::names::{BUSINESS, PRODUCT_TYPE};
use crate::catalog::no_effect::{
    check_conditions, check_credits, check_granted, check_personal, check_policies, check_refunds,
};
use crate::catalog::product::{Proposed, normalise_written, where_written};
use crate::catalog::rate::{Rates, formerly};
use crate::catalog::reaction::{Events, Reaction, Templates};
use crate::catalog::reaction_checks::{check_invited_roles, check_mail_steps, check_reactions};
use crate::catalog::return_address;
use crate::catalog::schema::TypeDecl;
use crate::catalog::settings::{PROVIDERS, Policies, QUESTIONS, Roles, Settings};
use crate::catalog::usage_source::UsageSource;
use crate::desk::Desk;
use crate::model::halt::{Answer, Halt, Ruled, Verdict, wrong_field};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::type_row_id;
use crate::model::records::loaded_catalog::LoadedCatalog;
use crate::model::records::product::ProductRow;
use extension_contract::*;
use extension_reader::Raw;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

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
    /// The text of the policies: some checks and a partial document need to know which of them are written.
    #[serde(borrow, default, deserialize_with = "some")]
    policies: Option<Raw<'a>>,
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
    /// Whether the document only adds to the catalog; otherwise what it does not name goes off sale.
    #[serde(default)]
    partial: bool,
}

/// Reads the text of a clause that is present. A present `null` is not the same as a missing clause.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Raw<'de>>, D::Error> {
    Raw::deserialize(deserializer).map(Some)
}

impl Document<'_> {
    /// Adds the clauses in force that the document does not name.
    fn add(&mut self, base: &Settings) {
        fn add<V: Clone>(clause: &mut BTreeMap<String, V>, base: &BTreeMap<String, V>) {
            for (name, value) in base {
                clause.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        add(&mut self.rates, &base.rates);
        add(&mut self.may, &base.may);
        add(&mut self.events, &base.events);
        add(&mut self.templates, &base.templates);
        let others: Vec<Reaction> =
            base.reactions.iter().filter(|reaction| !self.reactions.contains(reaction)).cloned().collect();
        self.reactions.extend(others);
        self.usage_source = self.usage_source.take().or_else(|| base.usage_source.clone());
        self.campaigns = self.campaigns.take().or(base.campaigns);
    }
}

/// Returns the settings in force with the policies that a document names.
fn with_policies(known: &Settings, written: Object) -> Ruled<Settings> {
    let mut members: Object = decode("products", BUSINESS, &encode(known)?)?;
    members.extend(written);
    Ok(decode("products", BUSINESS, &encode(&members)?)?)
}

/// What a load took off sale.
#[derive(Default, Serialize)]
struct OffSale {
    products: Vec<String>,
    product_types: Vec<String>,
    prices: Vec<String>,
    entitlements: Vec<String>,
}

/// `catalog.load`: makes the catalog equal to the document. What an earlier document named and this one does not goes off sale. Who
/// holds it keeps it, so its types and declarations stay for the rules. A partial document only adds to the catalog: the policies and
/// clauses that it does not name stay as they are.
pub(super) fn load(desk: &mut Desk<'_>, payload: &str, commands: &Kinds) -> Ruled<Verdict> {
    admin_of_platform(desk)?;
    let mut document: Document<'_> = extension_reader::from_str(payload).map_err(|error| unreadable("", &error))?;
    let written = document.policies.map_or("{}", Raw::get);
    let unreadable_policies = |error| unreadable("/policies", &error);
    let policies: Policies = extension_reader::from_str_small(written).map_err(unreadable_policies)?;
    let written: Object = extension_reader::from_str_small(written).map_err(unreadable_policies)?;
    if !PROVIDERS.contains(&policies.provider.as_str()) {
        let message = format!("expected one of {}", PROVIDERS.join(", "));
        return Err(wrong_field("/policies/provider", FieldErrorCode::NotAllowed, message));
    }
    let Policies { success_url, cancel_url, return_url, .. } = &policies;
    for (name, url) in [("success_url", success_url), ("cancel_url", cancel_url), ("return_url", return_url)] {
        return_address::check(url, &format!("/policies/{name}"))?;
    }
    if policies.final_backup.whole_days().is_none() {
        let message = "expected whole days, as in 30d";
        return Err(wrong_field("/policies/final_backup", FieldErrorCode::BadFormat, message));
    }
    check_policies(&policies, &written)?;
    let known = desk.catalog.settings()?;
    let base = if document.partial { (*known).clone() } else { Settings::default() };
    let policies = match document.partial {
        true => with_policies(&known, written)?,
        false => policies.into(),
    };
    document.add(&base);
    // The words that the document may use: its own, and those in force if it is partial.
    let mut words =
        Words { entitlements: base.entitlements, meters: base.meters, config: base.config, resources: base.resources };
    words.add(&document);
    check_own(&words.config, &words.resources)?;
    if document.campaigns.is_some_and(|campaigns| !(1..=BATCH_MAX).contains(&campaigns.batch)) {
        let message = format!("expected 1 to {BATCH_MAX}");
        return Err(wrong_field("/campaigns/batch", FieldErrorCode::OutOfRange, message));
    }
    check_reactions(&document.events, &document.reactions, &document.templates, &words.resources, &commands.all)?;
    let stored = desk.catalog.stored_types()?;
    let mut decls = Vec::new();
    for (index, entry) in document.product_types.iter().enumerate() {
        decls.push(read_type(entry.get(), index, &stored, &words.resources)?);
    }
    let others: Vec<TypeDecl> =
        stored.into_iter().filter(|known| decls.iter().all(|decl| decl.name != known.name)).collect();
    let gone_types: Vec<String> = match document.partial {
        true => Vec::new(),
        false => others.iter().map(|decl| decl.name.clone()).collect(),
    };
    let in_catalog = others.iter().filter(|decl| !gone_types.contains(&decl.name)).cloned();
    let named_types: Vec<TypeDecl> = in_catalog.chain(decls.iter().cloned()).collect();
    check_entitlements(&document.entitlements)?;
    for (index, decl) in decls.iter().enumerate() {
        check_meters_of(decl, &words.meters, &format!("/product_types/{index}"))?;
    }
    check_meters(
        &document.meters,
        &words.meters,
        &Named { rates: &document.rates, entitlements: &words.entitlements, types: &named_types },
    )?;
    for (index, decl) in decls.iter().enumerate() {
        let path = format!("/product_types/{index}");
        check_names(decl, &named_types, &words.entitlements, &words.config, &path)?;
        check_mail_steps(decl, &document.templates, &path)?;
    }
    check_granted(&document.entitlements, &named_types)?;
    check_roles(&document.may, commands)?;
    for (index, decl) in decls.iter().enumerate() {
        check_invited_roles(decl, &document.may, &format!("/product_types/{index}"))?;
    }
    check_rates(&document.rates, &words.entitlements, &named_types)?;
    if let Some(source) = &document.usage_source {
        source.check(&document.rates, &words.config)?;
    }
    let mut off_sale = OffSale::default();
    let is_partial = document.partial;
    let named_entitlements: Vec<String> = document.entitlements.keys().cloned().collect();
    // What holders have needs its declarations, whatever the document names.
    let mut kept = Words {
        entitlements: known.entitlements.clone(),
        meters: known.meters.clone(),
        config: known.config.clone(),
        resources: known.resources.clone(),
    };
    kept.add(&document);
    let mut settings = Settings {
        defaults: known.defaults.clone(),
        former_rates: formerly(&known.former_rates, &known.rates, &document.rates, desk.now, BEHIND_MAX_DAYS),
        entitlements: kept.entitlements,
        meters: kept.meters,
        rates: document.rates,
        usage_source: document.usage_source,
        may: document.may,
        config: kept.config,
        resources: kept.resources,
        events: document.events,
        reactions: document.reactions,
        campaigns: document.campaigns,
        templates: document.templates,
        ..policies
    };
    desk.catalog.decide_by(settings.clone(), others.into_iter().chain(decls.iter().cloned()).collect());
    for decl in &decls {
        save_type(desk, &decl.name, encode(decl)?, true)?;
    }
    for name in gone_types {
        if !desk.catalog.is_withdrawn(&name)? {
            let id = type_row_id(&name);
            let Some(row) = desk.catalog.product(&id)? else { continue };
            save_type(desk, &name, row.values.metadata.clone(), false)?;
            off_sale.product_types.push(name);
        }
    }
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
    check_credits(&decls, &products, &settings.currency)?;
    check_conditions(&decls, &products)?;
    check_personal(&decls, settings.erase_after.is_some())?;
    let before = desk.account.fetch::<LoadedCatalog>(LoadedCatalog::ID)?.unwrap_or_default();
    let ids: Vec<String> = products.iter().map(|(id, _)| id.clone()).collect();
    let now = LoadedCatalog { products: ids.clone(), entitlements: named_entitlements };
    let (gone, loaded) =
        if is_partial { (LoadedCatalog::default(), before.with(&now)) } else { (before.without(&now), now) };
    let keys = || ids.iter().chain(&gone.products).cloned();
    desk.catalog.load(&keys().map(CatalogKey::Product).collect::<Vec<_>>())?;
    desk.account.load::<ProductRow>(&keys().chain([BUSINESS.to_owned()]).collect::<Vec<_>>())?;
    // Values of withdrawn products are free for the products of the document.
    for id in gone.products {
        if let Some(prices) = withdraw(desk, &id)? {
            off_sale.prices.extend(prices);
            off_sale.products.push(id.clone());
        }
        settings.defaults.retain(|_, plan| plan.product_id != id);
    }
    off_sale.entitlements = gone.entitlements;
    for (index, (id, proposed)) in products.into_iter().enumerate() {
        update_default_plan(&mut settings, &id, &proposed).map_err(|halt| with_index(halt, index))?;
        let put = put(desk, &id, proposed, None).map_err(|halt| with_index(halt, index))?;
        off_sale.prices.extend(put.dropped);
    }
    save_settings(desk, &settings)?;
    desk.account.put(LoadedCatalog::ID, loaded);
    off_sale.log(desk);
    let reply = json!({
        "product_types": decls.iter().map(|d| &d.name).collect::<Vec<_>>(), "products": ids, "off_sale": off_sale,
    });
    Ok(Verdict::answered(Answer::Value(encode(&reply)?)))
}

/// Names that a document declares and its types use.
struct Words {
    entitlements: Entitlements,
    meters: Meters,
    config: Vec<String>,
    resources: OwnResources,
}

impl Words {
    /// Adds those of a document.
    fn add(&mut self, document: &Document<'_>) {
        self.entitlements.extend(document.entitlements.clone());
        self.meters.extend(document.meters.clone());
        self.resources.extend(document.resources.clone());
        let new = document.config.keys().filter(|key| !self.config.contains(key)).cloned();
        let new: Vec<String> = new.collect();
        self.config.extend(new);
    }
}

impl OffSale {
    /// Maximum number of names of a kind in the log's line.
    const LOGGED_MAX: usize = 50;

    /// Writes what went off sale to the host's log.
    fn log(&self, desk: &Desk<'_>) {
        let lists = [
            ("products", &self.products),
            ("product_types", &self.product_types),
            ("prices", &self.prices),
            ("entitlements", &self.entitlements),
        ];
        let fields: Vec<(String, String)> = lists
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(kind, names)| {
                let named = names.iter().take(Self::LOGGED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
                let others = names.len().saturating_sub(Self::LOGGED_MAX);
                (kind.to_owned(), if others > 0 { format!("{named} and {others} others") } else { named })
            })
            .collect();
        if !fields.is_empty() {
            let message = "the catalog names these no more, so they are off sale; who holds them keeps them";
            desk.account.log(LogLevel::Warn, message, &fields);
        }
    }
}

/// Writes the row of a product type.
fn save_type(desk: &mut Desk<'_>, name: &str, decl: Json, active: bool) -> Ruled<()> {
    let values = ProductValues { active, ..catalog_row(PRODUCT_TYPE, name, decl) };
    save(desk, &type_row_id(name), &values)
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
