//! `catalog.load`: checks a document, and writes its types, products and settings to the catalog.

use crate::actions::coupons;
use crate::actions::measurement::BEHIND_MAX_DAYS;
use crate::actions::permission::admin_of_platform;
use crate::actions::put_product::{catalog_row, check, put, save, save_settings, update_plans, withdraw};
use crate::catalog::campaign::{BATCH_MAX, Campaigns};
use crate::catalog::cancel_offer;
use crate::catalog::checks::{
    Others, check_entitlements, check_names, check_own, check_own_prices, check_prices, check_rates, check_told_apart,
    read_type,
};
use crate::catalog::coupon::{self, Coupons};
use crate::catalog::currencies::Currencies;
use crate::catalog::currency_checks::check_clauses;
use crate::catalog::declared::OwnResources;
use crate::catalog::entitlement::Entitlements;
use crate::catalog::known_coupon;
use crate::catalog::meter::Meters;
use crate::catalog::meter_checks::{Named, check_meters, check_meters_of, check_time_used};
use crate::catalog::mistakes::{Mistakes, refusal};
use crate::catalog::names::{BUSINESS, PRODUCT_TYPE};
use crate::catalog::no_effect::{
    check_conditions, check_credits, check_granted, check_members, check_pauses, check_personal, check_policies,
    check_refunds, check_sale, check_sign_up, check_top_up,
};
use crate::catalog::price::{ProductPrice, prices_of};
use crate::catalog::price_move::{self, PriceMoves};
use crate::catalog::product::{Proposed, normalise_written, where_written};
use crate::catalog::rate::{Rates, formerly};
use crate::catalog::reaction::{Events, Reaction, Templates};
use crate::catalog::reaction_checks::{Known, check_invited_roles, check_mail_steps, check_reactions};
use crate::catalog::return_address;
use crate::catalog::schema::TypeDecl;
use crate::catalog::settings::{PAYMENT_SOURCES, Policies, QUESTIONS, Roles, Settings};
use crate::catalog::usage_source::UsageSource;
use crate::catalog::words::one_of;
use crate::desk::Desk;
use crate::model::halt::{Answer, Halt, Ruled, Verdict};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::type_row_id;
use crate::model::records::loaded_catalog::LoadedCatalog;
use crate::model::records::product::ProductRow;
use extension_contract::pointer::escaped;
use extension_contract::*;
use extension_reader::Raw;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
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
    #[serde(default)]
    policies: Policies,
    #[serde(default)]
    entitlements: Entitlements,
    #[serde(default)]
    meters: Meters,
    #[serde(default)]
    rates: Rates,
    #[serde(default)]
    coupons: Coupons,
    #[serde(default)]
    price_moves: PriceMoves,
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

impl Document<'_> {
    /// Adds the clauses in force that the document does not name.
    fn add(&mut self, base: &Settings) {
        fn add<V: Clone>(clause: &mut BTreeMap<String, V>, base: &BTreeMap<String, V>) {
            for (name, value) in base {
                clause.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        add(&mut self.rates, &base.rates);
        add(&mut self.price_moves, &base.price_moves);
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
fn with_policies(known: &Settings, document: &Value) -> Ruled<Settings> {
    let mut members: Object = decode("products", BUSINESS, &encode(known)?)?;
    let written = document["policies"].as_object().cloned();
    members.extend(written.into_iter().flatten());
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

/// `catalog.load`: makes the catalog equal to the document. Whatever an earlier document named and this one does not
/// goes off sale. Its holders keep it, so its types and declarations stay in place for the rules. A partial document
/// only adds to the catalog: the policies and clauses that it does not name stay as they are.
pub(super) fn load(desk: &mut Desk<'_>, payload: &str, commands: &Kinds) -> Ruled<Verdict> {
    admin_of_platform(desk)?;
    let written: Value = extension_reader::from_str(payload).map_err(|error| refusal("", &error))?;
    let mut mistakes = Mistakes::default();
    let repaired;
    let mut document: Document<'_> = match extension_reader::from_str(payload) {
        Ok(document) => document,
        // Values that do not match their type are left out, and each is a mistake.
        Err(_) => {
            let parse = |text: &str| extension_reader::from_str::<Document<'_>>(text).map(drop);
            repaired = mistakes.repair_members(payload, parse)?;
            extension_reader::from_str(&repaired).map_err(|error| refusal("", &error))?
        }
    };
    check_all_policies(&document.policies, &written, &mut mistakes);
    let known = desk.catalog.settings()?;
    let base = if document.partial { (*known).clone() } else { Settings::default() };
    let policies = match document.partial {
        // The policies that could not be read were left out.
        true if !mistakes.is_left_out("/policies") => with_policies(&known, &written)?,
        true => (*known).clone(),
        false => std::mem::take(&mut document.policies).into(),
    };
    document.add(&base);
    // The words that the document may use: its own, and those in force if it is partial.
    let mut words =
        Words { entitlements: base.entitlements, meters: base.meters, config: base.config, resources: base.resources };
    words.add(&document);
    check_own(&words.config, &words.resources, &mut mistakes);
    if document.campaigns.is_some_and(|campaigns| !(1..=BATCH_MAX).contains(&campaigns.batch)) {
        mistakes.add("/campaigns/batch", FieldErrorCode::OutOfRange, "", format!("1 to {BATCH_MAX}"));
    }
    let in_reactions = Known { templates: &document.templates, own: &words.resources, commands: &commands.all };
    check_reactions(&document.events, &document.reactions, &in_reactions, &mut mistakes);
    let stored = desk.catalog.stored_types()?;
    let mut read = Vec::new();
    for (index, entry) in document.product_types.iter().enumerate() {
        let decl = read_type(entry.get(), index, &stored, &words.resources, &mut mistakes)?;
        read.extend(decl.map(|decl| (index, decl)));
    }
    let decls: Vec<TypeDecl> = read.iter().map(|(_, decl)| decl.clone()).collect();
    let others: Vec<TypeDecl> =
        stored.into_iter().filter(|known| decls.iter().all(|decl| decl.name != known.name)).collect();
    let gone_types: Vec<String> = match document.partial {
        true => Vec::new(),
        false => others.iter().map(|decl| decl.name.clone()).collect(),
    };
    let in_catalog = others.iter().filter(|decl| !gone_types.contains(&decl.name)).cloned();
    let named_types: Vec<TypeDecl> = in_catalog.chain(decls.iter().cloned()).collect();
    check_entitlements(&document.entitlements, &mut mistakes);
    let named = Named { rates: &document.rates, entitlements: &words.entitlements, types: &named_types };
    check_meters(&document.meters, &words.meters, &named, &mut mistakes);
    let others_of_types = Others { types: &named_types, entitlements: &words.entitlements, config: &words.config };
    for (index, decl) in &read {
        let path = format!("/product_types/{index}");
        if mistakes.is_left_out(&path) {
            continue;
        }
        check_meters_of(decl, &words.meters, &path, &mut mistakes);
        check_time_used(decl, (&document.rates, &words.entitlements), &path, &mut mistakes);
        check_names(decl, &others_of_types, &path, &mut mistakes);
        check_mail_steps(decl, &document.templates, &path, &mut mistakes);
        check_invited_roles(decl, &document.may, &path, &mut mistakes);
    }
    check_members(policies.members.as_deref(), &words.entitlements, &named_types, &mut mistakes);
    check_granted(&document.entitlements, &named_types, &mut mistakes);
    check_roles(&document.may, commands, &mut mistakes);
    check_rates(&document.rates, &words.entitlements, &named_types, &mut mistakes);
    if let Some(source) = &document.usage_source {
        source.check(&document.rates, &words.config, &mut mistakes);
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
        // The document names it again.
        sign_up: known.sign_up.clone().filter(|_| is_partial),
        coupons: known.coupons.clone(),
        price_moves: document.price_moves,
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
    // The rows of a catalog with a mistake are not kept, and a wrong name may be too long for a row.
    let (saved, gone_types) = if mistakes.is_empty() { (&*decls, gone_types) } else { (&[][..], Vec::new()) };
    for decl in saved {
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
    let wrong_types: Vec<&TypeDecl> = read
        .iter()
        .filter(|(index, _)| mistakes.is_wrong(&format!("/product_types/{index}")))
        .map(|(_, decl)| decl)
        .collect();
    let has_unread = read.len() < document.product_types.len();
    let mut products: Vec<(usize, String, Proposed)> = Vec::with_capacity(document.products.len());
    let mut taken = BTreeMap::new();
    for (index, body) in document.products.iter().enumerate() {
        let path = format!("/products/{index}");
        // A mistake in a product may only follow from a mistake in its type.
        let is_typed = check_type_of(body, &named_types, &path, &mut mistakes);
        if !is_typed || is_of_some(body, &wrong_types) || (type_of(body).is_none() && has_unread) {
            continue;
        }
        check_prices(body, &path, &mut mistakes);
        if mistakes.is_wrong(&path) {
            continue;
        }
        let proposed =
            normalise_written(&desk.catalog, desk.actor.kind, body).map_err(|halt| where_written(halt, body));
        let Some(proposed) = mistakes.note(proposed, &path)? else { continue };
        let Some(id) = proposed.id.clone() else {
            mistakes.add(&format!("{path}/id"), FieldErrorCode::Missing, "required", "");
            continue;
        };
        check_told_apart(&proposed, &products, &path, &mut mistakes);
        check_own_prices(&proposed, &id, &mut taken, &settings.currency, &path, &mut mistakes);
        if !mistakes.is_wrong(&path) {
            mistakes.note(check(desk, &id, &proposed), &path)?;
        }
        products.push((index, id, proposed));
    }
    if !mistakes.is_left_out("/policies") {
        check_clauses(&settings, &read, &mut mistakes);
    }
    check_refunds(&read, &products, &settings.currency, &mut mistakes);
    for (index, _, product) in &products {
        check_sale(product, &format!("/products/{index}"), &settings, &mut mistakes);
    }
    check_sign_up(&products, &mut mistakes);
    if !mistakes.is_left_out("/policies") {
        check_pauses(&products, &settings, &mut mistakes);
    }
    check_credits(&read, &products, &settings.currency, &mut mistakes);
    check_conditions(&read, &products, &mut mistakes);
    let named = document.coupons.values().flat_map(|coupon| &coupon.products).chain(settings.price_moves.keys());
    let sold = sold_products(desk, &settings.currency, &products, named.filter(|_| is_partial))?;
    coupon::check(&document.coupons, &settings.currency, &sold, &mut mistakes);
    price_move::check(&settings.price_moves, &sold, &mut mistakes);
    if let Some(offer) = &settings.cancel_offer {
        let kept = settings.coupons.iter().filter(|(_, coupon)| is_partial && coupon.wanted.is_some());
        let kept: Vec<&str> = kept.map(|(code, _)| code.as_str()).collect();
        cancel_offer::check(offer, &settings.cancel_reasons, (&document.coupons, &kept), &mut mistakes);
    }
    let erases = settings.erase_after.is_some() || mistakes.is_left_out("/policies");
    check_personal(&read, erases, &mut mistakes);
    check_defaults(&products, &mut mistakes);
    if !mistakes.is_left_out("/policies") {
        check_top_up(&settings, &products, is_partial, &mut mistakes);
    }
    mistakes.finish()?;
    let before = desk.account.row::<LoadedCatalog>(LoadedCatalog::ID)?.unwrap_or_default();
    let ids: Vec<String> = products.iter().map(|(_, id, _)| id.clone()).collect();
    let now = LoadedCatalog { products: ids.clone(), entitlements: named_entitlements };
    let (gone, loaded) =
        if is_partial { (LoadedCatalog::default(), before.with(&now)) } else { (before.without(&now), now) };
    let keys = || ids.iter().chain(&gone.products).cloned();
    desk.catalog.load(&keys().map(CatalogKey::Product).collect::<Vec<_>>())?;
    desk.account.load::<ProductRow>(&keys().chain([BUSINESS.to_owned()]).collect::<Vec<_>>())?;
    // Values of withdrawn products are free for the products of the document.
    for id in gone.products {
        if let Some(prices) = withdraw(desk, &id)? {
            off_sale.prices.extend(prices.into_iter().map(String::from));
            off_sale.products.push(id.clone());
        }
        settings.forget_plan(&id);
    }
    off_sale.entitlements = gone.entitlements;
    for (index, id, proposed) in products {
        update_plans(&mut settings, &id, &proposed).map_err(|halt| with_index(halt, index))?;
        let put = put(desk, &id, proposed, None).map_err(|halt| with_index(halt, index))?;
        off_sale.prices.extend(put.dropped.into_iter().map(String::from));
    }
    settings.coupons = known_coupon::after_load(&settings.coupons, document.coupons, is_partial);
    coupons::request_missing(desk, &mut settings)?;
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

/// Returns the products on sale with their prices: those of a document, and those of other documents that it names.
fn sold_products<'n>(
    desk: &Desk<'_>,
    currencies: &Currencies,
    products: &[(usize, String, Proposed)],
    named: impl Iterator<Item = &'n String>,
) -> Ruled<BTreeMap<String, Vec<ProductPrice>>> {
    let mut sold = BTreeMap::new();
    for (_, id, product) in products {
        let prices = product.prices(currencies);
        if product.values.active && !prices.is_empty() {
            sold.insert(id.clone(), prices);
        }
    }
    for id in named {
        if let Some(row) = desk.catalog.product(id)?.filter(|row| row.values.active && !sold.contains_key(&row.id)) {
            let prices = prices_of(&row.values, &*desk.catalog.metadata(id)?, currencies);
            sold.extend((!prices.is_empty()).then(|| (id.clone(), prices)));
        }
    }
    Ok(sold)
}

/// Writes the row of a product type.
fn save_type(desk: &mut Desk<'_>, name: &str, decl: Json, active: bool) -> Ruled<()> {
    let values = ProductValues { active, ..catalog_row(PRODUCT_TYPE, name, decl) };
    save(desk, &type_row_id(name), &values)
}

/// Checks the policies.
fn check_all_policies(policies: &Policies, written: &Value, mistakes: &mut Mistakes) {
    if !PAYMENT_SOURCES.contains(&policies.provider.as_str()) {
        let path = "/policies/provider";
        let error = FieldError::new(path, FieldErrorCode::NotAllowed, "").expecting(one_of(&PAYMENT_SOURCES));
        mistakes.push(error.suggesting(&policies.provider));
    }
    let Policies { success_url, cancel_url, return_url, .. } = policies;
    for (name, url) in [("success_url", success_url), ("cancel_url", cancel_url), ("return_url", return_url)] {
        mistakes.extend(return_address::check(url, &format!("/policies/{name}")));
    }
    if policies.final_backup.whole_days().is_none() {
        mistakes.add("/policies/final_backup", FieldErrorCode::BadFormat, "", "whole days, as in 30d");
    }
    if !mistakes.is_left_out("/policies") {
        check_policies(policies, written, mistakes);
    }
}

/// Returns the type that a product names, with the member that names it.
fn type_of(body: &Object) -> Option<(&'static str, &str)> {
    ["product_type", "type"].into_iter().find_map(|member| Some((member, body.get(member)?.as_str()?)))
}

/// Checks that the catalog has the type that a product names.
fn check_type_of(body: &Object, types: &[TypeDecl], path: &str, mistakes: &mut Mistakes) -> bool {
    let Some((member, name)) = type_of(body) else { return true };
    let is_named = types.iter().any(|decl| decl.name == name || decl.aliases.iter().any(|alias| alias == name));
    if !is_named {
        let names: Vec<&str> = types.iter().map(|decl| decl.name.as_str()).collect();
        mistakes.unknown(&format!("{path}/{member}"), name, "is not a product type", one_of(&names));
    }
    is_named
}

/// Returns true if a product names one of these types, or has the field by which one of them is inferred.
fn is_of_some(body: &Object, types: &[&TypeDecl]) -> bool {
    let given = type_of(body);
    let has = |key: &str| {
        let inside = ["metadata", "features"].into_iter().filter_map(|member| body.get(member)?.get(key));
        body.get(key).into_iter().chain(inside).next().is_some()
    };
    types.iter().any(|decl| match given {
        Some((_, name)) => decl.name == name || decl.aliases.iter().any(|alias| alias == name),
        None => decl.infer_by.as_deref().is_some_and(has),
    })
}

/// Checks that each family has at most one default plan.
fn check_defaults(products: &[(usize, String, Proposed)], mistakes: &mut Mistakes) {
    let defaults = products.iter().filter(|(.., product)| product.is_default && product.values.active);
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for (index, id, product) in defaults {
        let Some(family) = &product.decl.family else { continue };
        match known.insert(family, id) {
            Some(other) if other != id => {
                let found = format!("{other} is already the default of family {family}");
                mistakes.add(&format!("/products/{index}/default"), FieldErrorCode::Taken, found, "one default plan");
            }
            _ => {}
        }
    }
}

/// Checks that no roles are listed for an unknown command or query, or for a command that no role allows.
fn check_roles(may: &Roles, commands: &Kinds, mistakes: &mut Mistakes) {
    let known: Vec<&str> = commands.of_owners.iter().copied().chain(QUESTIONS).collect();
    for key in may.keys().filter(|key| !known.contains(&key.as_str())) {
        let problem = match commands.all.contains(&key.as_str()) {
            true => "is only for operators and services, whatever the roles are",
            false => "is not a command or query",
        };
        let path = format!("/may/{}", escaped(key));
        let error = FieldError::new(path, FieldErrorCode::UnknownField, format!("`{key}` {problem}"));
        mistakes.push(error.expecting(one_of(&known)).suggesting(key));
    }
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
