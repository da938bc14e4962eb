//! Checks of a catalog when it is loaded: every name in a product type must be declared. Mistakes contain their place
//! and the allowed values.

use super::amount::{Amount, Granted};
use super::buy::{Buy, Quantity};
use super::condition::Condition;
use super::declared::{CONFIG, OwnResources, VERBS, grants, is_built_in, resources, steps};
use super::entitlement::{EntitlementDecl, EntitlementKind, Entitlements, declared};
use super::mistakes::{Mistakes, refusal};
use super::no_effect::{self, CATALOG_TRUE};
use super::price::{Interval, PRICE_ID};
use super::product::{PRICE_MEMBERS, Proposed};
use super::rate::{PaidBy, Rates};
use super::rate_checks::check_monthly;
use super::return_address;
use super::schema::{
    self, Field, FieldType, Format, OnArchive, PHASE, PlanLink, REFUSED, Resource, STOCK_MAX, SetBy, TypeDecl,
};
use super::split::{Split, WHOLE_BP};
use super::template::{field_of, places_at, places_in};
use super::words::{WORD_BYTES, is_word, one_of};
use crate::catalog::words::ID_BYTES;
use crate::model::halt::Ruled;
use crate::model::ids::PriceId;
use crate::model::json::Object;
use crate::model::records::instance::InstanceStatus;
use extension_contract::pointer::escaped;
use extension_contract::{Expected, FieldError, FieldErrorCode};
use serde_json::Value;
use std::collections::BTreeMap;

/// The scope of the names of fields of types with a share.
const SPLIT: &str = "split";

/// Reads an entry of `product_types`: a complete type, or the name of a stored type. Returns none if the entry is none
/// of them.
pub(crate) fn read_type(
    entry: &str,
    index: usize,
    known: &[TypeDecl],
    own: &OwnResources,
    mistakes: &mut Mistakes,
) -> Ruled<Option<TypeDecl>> {
    let path = format!("/product_types/{index}");
    if let Ok(name) = extension_reader::from_str::<String>(entry) {
        let is_named = |decl: &&TypeDecl| decl.name == name || decl.aliases.contains(&name);
        let found = known.iter().find(is_named).cloned();
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|decl| decl.name.as_str()).collect();
            match names.is_empty() {
                true => mistakes.unknown(&path, &name, "is not a type of the catalog yet", "its fields"),
                false => {
                    let what = "is not a type of the catalog, whose types are written with their fields";
                    mistakes.unknown(&path, &name, what, one_of(&names));
                }
            }
        }
        return Ok(found);
    }
    let read = |entry: &str| extension_reader::from_str::<TypeDecl>(entry);
    let decl = match read(entry) {
        Ok(decl) => decl,
        Err(_) => match mistakes.repair(entry, &path, |entry| read(entry).map(drop))? {
            Some(rest) => read(&rest).map_err(|error| refusal(&path, &error))?,
            None => return Ok(None),
        },
    };
    if !(1..=ID_BYTES).contains(&decl.name.len()) {
        let expected = format!("1 to {ID_BYTES} bytes");
        mistakes.add(&format!("{path}/name"), FieldErrorCode::OutOfRange, "", expected);
    }
    let decl = decl.complete();
    if !mistakes.is_left_out(&path) {
        check_type(&decl, &path, own, mistakes);
    }
    Ok(Some(decl))
}

/// Checks field declarations: which fields may have bounds, and that defaults are allowed values.
pub(super) fn check_field_declarations(fields: &[Field], path: &str, mistakes: &mut Mistakes) {
    for (index, field) in fields.iter().enumerate() {
        let place = format!("{path}/fields/{index}");
        if fields[..index].iter().any(|other| other.name == field.name) {
            let found = format!("`{}` is already a field", field.name);
            mistakes.add(&format!("{place}/name"), FieldErrorCode::Taken, found, "another name");
            mistakes.doubt(path);
        }
        check_field(field, &place, mistakes);
    }
}

/// Checks a declaration by itself.
fn check_field(field: &Field, path: &str, mistakes: &mut Mistakes) {
    if field.field_type == FieldType::Milli && (field.min.is_some() || field.max.is_some()) {
        mistakes.wrong(path, "a field of type milli has no bounds except 0", "no `min` and no `max`");
        return;
    }
    if no_effect::check_field(field, path, mistakes) {
        return;
    }
    if let Err(error) = schema::check_default(field) {
        let found = "the field does not allow this default";
        mistakes.push(FieldError { path: format!("{path}/default"), found: found.to_owned(), ..error });
    }
}

/// Checks a type by itself: references to its own fields, resources and meters, and the order of resources.
fn check_type(decl: &TypeDecl, path: &str, own: &OwnResources, mistakes: &mut Mistakes) {
    let fields: Vec<&str> = decl.fields.iter().map(|field| field.name.as_str()).collect();
    no_effect::check_type(decl, path, mistakes);
    check_field_declarations(&decl.fields, path, mistakes);
    // An undeclared metadata key may distinguish products as well.
    for (what, name) in [("id_by", &decl.id_by), ("infer_by", &decl.infer_by)] {
        let is_missing = |name: &&String| decl.field(name).is_none() && !(decl.extras && what == "infer_by");
        if let Some(name) = name.as_ref().filter(is_missing) {
            mistakes.unknown_in(path, &format!("{path}/{what}"), name, "is not declared", one_of(&fields));
        }
    }
    if let Some(condition) = decl.condition.as_ref().filter(|condition| **condition != Condition::Plan) {
        mistakes.wrong(&format!("{path}/if"), format!("`{condition}` is not a condition of a type"), "`plan`");
    }
    if let Some(name) = decl.rank_by.as_ref().filter(|_| decl.family.is_some()) {
        check_number(decl, name, path, &format!("{path}/rank_by"), mistakes);
    }
    for (key, granted) in &decl.grants {
        let place = format!("{path}/grants/{}", escaped(key));
        let amount = if let Granted::Plain(_) = granted { place.clone() } else { format!("{place}/amount") };
        check_amount(decl, granted.amount(), "product", path, &amount, mistakes);
        check_places(decl, &places_in(key, &place), "product", path, mistakes);
        if granted.condition().is_some() && decl.family.is_some() {
            let found = "a plan's grants have no condition, since conditions refer to them";
            mistakes.wrong(&format!("{place}/if"), found, "an amount only");
        }
    }
    for (key, amount) in &decl.consumes {
        check_amount(decl, amount, "instance", path, &format!("{path}/consumes/{}", escaped(key)), mistakes);
    }
    for (index, field) in decl.fields.iter().enumerate() {
        if let Some(key) = field.source_of.as_ref().filter(|key| !decl.consumes.contains_key(*key)) {
            let consumed: Vec<&String> = decl.consumes.keys().collect();
            let place = format!("{path}/fields/{index}/source_of");
            mistakes.unknown_in(path, &place, key, "is nothing that the type consumes", one_of(&consumed));
        }
    }
    for (index, left) in decl.on_paid.iter().enumerate() {
        check_amount(decl, &left.credit, "product", path, &format!("{path}/on_paid/{index}/credit"), mistakes);
        if left.expires != decl.on_paid.first().and_then(|first| first.expires) {
            let found = "the credits of one payment end together";
            mistakes.wrong(
                &format!("{path}/on_paid/{index}/expires"),
                found,
                "the same time in each entry, or in none",
            );
        }
    }
    let place = format!("{path}/on_paid");
    if !decl.on_paid.is_empty() && !decl.catalog {
        mistakes.lacks(
            path,
            CATALOG_TRUE,
            &place,
            "only products of the catalog grant credits on payment",
            CATALOG_TRUE,
        );
    }
    if let Some(buy) = &decl.buy {
        check_buy(decl, buy, path, mistakes);
    }
    if let Some(split) = &decl.split {
        check_split(decl, split, path, mistakes);
    }
    if decl.listing.is_some() && (decl.split.is_none() || decl.family.is_some()) {
        let found = "accounts list only products with a share, and plans have none";
        mistakes.wrong(&format!("{path}/listing"), found, "`split` and no `family`");
        // Its fields may be those of a share.
        mistakes.doubt(SPLIT);
    }
    if let Some(link) = decl.plan.as_ref().filter(|link| decl.field(&link.field).is_none()) {
        mistakes.unknown_in(path, &format!("{path}/plan/field"), &link.field, "is not declared", one_of(&fields));
    }
    for (index, resource) in decl.provisions.iter().enumerate() {
        check_provision(resource, &decl.provisions[..index], &format!("{path}/provisions/{index}"), own, mistakes);
    }
    if let Some(made) = &decl.from_checkout {
        let (words, place) = ([("session", None)], format!("{path}/from_checkout"));
        check_words(&places_in(&made.name, &format!("{place}/name")), &words, mistakes);
        check_words(&places_at(&made.metadata, &format!("{place}/metadata")), &words, mistakes);
        check_words(&places_in(made.plan.as_deref().unwrap_or_default(), &format!("{place}/plan")), &words, mistakes);
        if decl.catalog || decl.plan.is_none() {
            let found = "only products paid by a plan are created from a checkout";
            mistakes.wrong(&place, found, "`plan`, and no `catalog: true`");
        }
    }
    let idle = decl.lifecycle.as_ref().and_then(|lifecycle| lifecycle.idle.as_ref());
    let idle = idle.map(|idle| ("lifecycle/idle".to_owned(), &idle.meter));
    let expected = decl.expects.iter().enumerate().map(|(index, of)| (format!("expects/{index}"), &of.meter));
    let meters: Vec<&str> = decl.measured().map(|meter| meter.meter.as_str()).collect();
    for (place, meter) in idle.into_iter().chain(expected).filter(|(_, meter)| !meters.contains(&meter.as_str())) {
        let place = format!("{path}/{place}/meter");
        mistakes.unknown_in(path, &place, meter, "is not a meter of the type", one_of(&meters));
    }
    if decl.provisions.is_empty() {
        let provisions = "`provisions`";
        for (index, _) in decl.meters.iter().enumerate().filter(|(_, meter)| meter.every.is_some()) {
            let found = "products without resources are never running";
            mistakes.lacks(path, provisions, &format!("{path}/meters/{index}/every"), found, provisions);
        }
        if !decl.expects.is_empty() {
            let found = "products without resources are never running";
            mistakes.lacks(path, provisions, &format!("{path}/expects"), found, provisions);
        }
        if decl.lifecycle.is_some() {
            let found = "products without resources have no lifecycle";
            mistakes.lacks(path, provisions, &format!("{path}/lifecycle"), found, provisions);
        }
    }
    check_tokens(decl, path, own, mistakes);
    check_views(decl, path, mistakes);
}

/// Checks tokens: only products of the catalog have them, and their effects must exist.
fn check_tokens(decl: &TypeDecl, of_type: &str, own: &OwnResources, mistakes: &mut Mistakes) {
    if !decl.tokens.is_empty() && !decl.catalog {
        let found = "only products of the catalog have tokens";
        mistakes.lacks(of_type, CATALOG_TRUE, &format!("{of_type}/tokens"), found, CATALOG_TRUE);
    }
    for (index, token) in decl.tokens.iter().enumerate() {
        let path = format!("{of_type}/tokens/{index}");
        if !is_word(&token.name) || decl.tokens[..index].iter().any(|other| other.name == token.name) {
            let expected = format!("another name, 1 to {WORD_BYTES} of a-z, 0-9 and _");
            mistakes.wrong(&format!("{path}/name"), "", expected);
        }
        if token.at_most == 0 {
            mistakes.add(&format!("{path}/at_most"), FieldErrorCode::OutOfRange, "", "at least 1");
        }
        if let Some(key) = required(&token.condition, &format!("{path}/if"), mistakes) {
            check_places(decl, &places_in(key, &format!("{path}/if")), "product", of_type, mistakes);
        }
        check_places(decl, &places_at(&token.shows, &format!("{path}/shows")), "product", of_type, mistakes);
        let Some(redeem) = &token.redeem else { continue };
        let path = format!("{path}/redeem");
        if redeem.at_most == Some(0) {
            mistakes.add(&format!("{path}/at_most"), FieldErrorCode::OutOfRange, "", "at least 1");
        }
        let known = grants(own);
        if !known.contains(&redeem.run) {
            mistakes.unknown(&format!("{path}/run"), &redeem.run, "is not an effect for grants", one_of(&known));
        }
        check_places(decl, &places_at(&redeem.with, &format!("{path}/with")), "product", of_type, mistakes);
    }
}

/// Checks views. A view maps known statuses and has its own field name, and resources with a `phase` require the view
/// `phase`.
fn check_views(decl: &TypeDecl, path: &str, mistakes: &mut Mistakes) {
    let mut statuses = InstanceStatus::ALL.map(InstanceStatus::name).to_vec();
    statuses.push(REFUSED);
    for (name, view) in &decl.views {
        let place = format!("{path}/views/{}", escaped(name));
        if decl.provisions.is_empty() {
            let found = "products without resources have no status";
            mistakes.lacks(path, "`provisions`", &place, found, "`provisions`");
            continue;
        }
        let is_ours = |field: &Field| field.set_by == SetBy::Service && field.field_type == FieldType::String;
        let is_taken = ["created_at", "purchase_id", "stripe_subscription_id", "user_id"].contains(&name.as_str());
        if is_taken || !decl.field(name).is_some_and(is_ours) {
            mistakes.wrong(&place, format!("`{name}` is already a field"), "another name");
        }
        for status in view.keys().filter(|status| !statuses.contains(&status.as_str())) {
            let place = format!("{place}/{}", escaped(status));
            mistakes.unknown_in(path, &place, status, "is not a status", one_of(&statuses));
        }
    }
    for (index, resource) in decl.provisions.iter().enumerate() {
        let by_hand = resource.or_manual.as_ref().and_then(|by_hand| by_hand.phase.as_ref());
        if (resource.phase.is_some() || by_hand.is_some()) && !decl.views.contains_key(PHASE) {
            let place = if resource.phase.is_some() { "phase" } else { "or_manual/phase" };
            let (place, expected) = (format!("{path}/provisions/{index}/{place}"), format!("`views` with `{PHASE}`"));
            mistakes.lacks(path, PHASE, &place, "no view shows the phase", &expected);
        }
    }
}

/// Checks a resource or step. Its effects exist, and it depends only on earlier entries, so there are no cycles.
fn check_provision(resource: &Resource, earlier: &[Resource], path: &str, own: &OwnResources, mistakes: &mut Mistakes) {
    let at = |what: &str| format!("{path}/{what}");
    let verify = resource.or_manual.as_ref().is_some_and(|by_hand| by_hand.verify);
    match (&resource.resource, &resource.run) {
        (Some(name), None) => {
            let optional = [(resource.backup, "backup"), (resource.backup, "restore"), (verify, "observe")];
            let optional = optional.into_iter().filter_map(|(is_used, verb)| is_used.then_some(verb));
            let verbs: Vec<&str> = ["ensure", "change", "destroy"].into_iter().chain(optional).collect();
            let has = |verb: &&&str| resources(verb, own).contains(&name.as_str());
            match (own.get(name), verbs.iter().find(|verb| !has(verb))) {
                (_, None) => {}
                // The verb may be misspelt there.
                (Some(_), _) if mistakes.is_wrong(&format!("/resources/{}", escaped(name))) => {}
                (Some(_), Some(missing)) => {
                    let found = format!("`{name}` has no verb `{missing}`, which the resource of {path} needs");
                    let place = format!("/resources/{}", escaped(name));
                    mistakes.add(&place, FieldErrorCode::Missing, found, verbs.join(", "));
                }
                (None, Some(verb)) => {
                    let known = resources(verb, own);
                    let what = match is_built_in(name) {
                        true => format!("has no verb `{verb}`, which the resource needs"),
                        false => "is not a resource".to_owned(),
                    };
                    mistakes.unknown(&at("resource"), name, &what, one_of(&known));
                }
            }
        }
        (None, Some(kind)) => {
            let known = steps(own);
            if !known.contains(kind) {
                mistakes.unknown(&at("run"), kind, "is not a step", one_of(&known));
            }
            let is_resource = resource.suspends || resource.backup || resource.on_archive != OnArchive::Free || verify;
            if is_resource || resource.variant.is_some() || resource.quota.is_some() {
                let expected = "no suspends, backup, on_archive, variant, quota and verify";
                mistakes.wrong(path, "a step is not a resource", expected);
            }
        }
        _ => mistakes.wrong(path, "", "either `resource` or `run`"),
    }
    if let Some(limit) = &resource.at_most {
        if resource.or_manual.is_none() || resource.run.is_some() {
            mistakes.wrong(&at("at_most"), "a person creates further resources", "`resource` and `or_manual`");
        }
        if limit.count.is_empty() || limit.count.values().any(|most| !(1..=STOCK_MAX).contains(most)) {
            let expected = format!("a number from 1 to {STOCK_MAX} for each value");
            mistakes.add(&at("at_most/count"), FieldErrorCode::OutOfRange, "", expected);
        }
    }
    for (index, name) in resource.after.iter().enumerate() {
        if !earlier.iter().any(|other| other.name == *name) {
            let earlier: Vec<&str> = earlier.iter().map(|resource| resource.name.as_str()).collect();
            let expected = match earlier.is_empty() {
                true => "no `after` at the first entry".into(),
                false => one_of(&earlier),
            };
            let place = at(&format!("after/{index}"));
            mistakes.unknown_in(path, &place, name, "is not declared before it", expected);
        }
    }
    if earlier.iter().any(|other| other.name == resource.name) {
        mistakes.wrong(&at("name"), format!("`{}` is already declared", resource.name), "another name");
    }
    let asks = resource.or_manual.iter().flat_map(|by_hand| by_hand.asks.iter().enumerate());
    for (index, field) in asks {
        check_field(field, &at(&format!("or_manual/asks/{index}")), mistakes);
    }
}

/// Checks the names of the business's own configuration keys and resources: they are words and not built in.
pub(crate) fn check_own(config: &[String], resources: &OwnResources, mistakes: &mut Mistakes) {
    let is_setting = |key: &str| CONFIG.iter().any(|(known, ..)| *known == key);
    let config = config.iter().map(|key| ("config", key, is_setting(key)));
    let names = resources.keys().map(|name| ("resources", name, is_built_in(name)));
    for (clause, name, is_taken) in config.chain(names) {
        let path = format!("/{clause}/{}", escaped(name));
        if !is_word(name) {
            let expected = format!("1 to {WORD_BYTES} of a-z, 0-9 and _, a letter first");
            mistakes.add(&path, FieldErrorCode::BadFormat, format!("`{name}` is not a valid name"), expected);
        } else if is_taken {
            mistakes.add(&path, FieldErrorCode::Taken, "the name is built in", "another name");
        }
    }
    for (name, verbs) in resources {
        for (index, verb) in verbs.iter().enumerate().filter(|(_, verb)| !is_word(verb)) {
            let place = format!("/resources/{}/{index}", escaped(name));
            let form = format!("1 to {WORD_BYTES} of a-z, 0-9 and _ for a step");
            let expected = Expected::names(VERBS.iter().map(|verb| (*verb).to_owned()).chain([form]));
            let error = FieldError::new(place, FieldErrorCode::BadFormat, "").expecting(expected);
            mistakes.push(error.suggesting(verb));
        }
    }
}

/// Checks that a number is not negative, that the placeholders of an amount are known, and that an amount that is a
/// field is a numeric field.
fn check_amount(decl: &TypeDecl, amount: &Amount, scope: &str, of_type: &str, path: &str, mistakes: &mut Mistakes) {
    if let Amount::Number(number @ ..0) = amount {
        mistakes.wrong(path, format!("`{number}` is not an amount"), "a whole number from 0, or `unlimited`");
        return;
    }
    let places: Vec<(String, &str)> = amount.places().into_iter().map(|place| (path.to_owned(), place)).collect();
    if !check_places(decl, &places, scope, of_type, mistakes) {
        return;
    }
    let field = amount.field(scope).filter(|name| *name != "id" && !(decl.extras && decl.field(name).is_none()));
    if let Some(name) = field.filter(|name| check_number(decl, name, of_type, path, mistakes)) {
        no_effect::check_bound(decl, name, path, mistakes);
    }
}

/// Returns the entitlement of a condition. Adds a mistake if the condition is about something else.
fn required<'c>(condition: &'c Condition, path: &str, mistakes: &mut Mistakes) -> Option<&'c str> {
    let key = condition.entitlement();
    if key.is_none() {
        mistakes.wrong(path, format!("`{condition}` is not a condition here"), "`allowed.ENTITLEMENT`");
    }
    key
}

/// Returns the fields as they are written in templates.
fn fields_in(source: &str, fields: &[&str]) -> Expected {
    one_of(&fields.iter().map(|field| format!("{{{source}.{field}}}")).collect::<Vec<_>>())
}

/// Returns the conditions about these entitlements.
fn allowed_of(keys: &[&str]) -> Expected {
    one_of(&keys.iter().map(|key| format!("allowed.{key}")).collect::<Vec<_>>())
}

/// Checks that a field is numeric or a truth value.
fn check_number(decl: &TypeDecl, name: &str, of_type: &str, path: &str, mistakes: &mut Mistakes) -> bool {
    let counts = |field: &&Field| {
        matches!(field.field_type, FieldType::Int | FieldType::Money | FieldType::Milli | FieldType::Bool)
    };
    let fields: Vec<&str> = decl.fields.iter().filter(counts).map(|field| field.name.as_str()).collect();
    if !fields.contains(&name) {
        mistakes.unknown_in(of_type, path, name, "is not a numeric field", one_of(&fields));
    }
    fields.contains(&name)
}

/// The first word of a placeholder with the names that may follow it; `None` if any name may follow.
pub(super) type Word<'a> = (&'a str, Option<Vec<&'a str>>);

/// Returns the metadata fields of these types; `None` if a type allows other keys.
fn fields_of<'a>(decls: impl Iterator<Item = &'a TypeDecl>) -> Option<Vec<&'a str>> {
    let mut fields = Vec::new();
    for decl in decls {
        if decl.extras {
            return None;
        }
        fields.extend(decl.fields.iter().map(|field| field.name.as_str()));
    }
    Some(fields)
}

/// Checks that each placeholder begins with one of the words and continues with a known name. Each has its place.
pub(super) fn check_words(places: &[(String, &str)], words: &[Word<'_>], mistakes: &mut Mistakes) {
    for (path, place) in places {
        let (word, name) = place.split_once('.').unwrap_or((place, ""));
        // Configuration has no members.
        let name = if word == "config" { name } else { name.split('.').next().unwrap_or_default() };
        let expected = match words.iter().find(|(known, _)| *known == word) {
            Some((_, Some(names))) if !names.contains(&name) => one_of(names),
            Some((_, None)) if name.is_empty() => format!("`{{{word}.NAME}}`").into(),
            Some(_) => continue,
            // The metadata of a product has the name `instance`, `plan` or `product` here.
            None => match words.iter().find(|(_, names)| names.as_ref().is_some_and(|names| names.contains(&name))) {
                Some((known, _)) if word == "metadata" => format!("`{{{known}.{name}}}`").into(),
                _ => one_of(&words.iter().map(|(known, _)| *known).collect::<Vec<_>>()),
            },
        };
        let is_known = words.iter().any(|(known, _)| *known == word);
        let found = format!("`{{{place}}}` is not declared");
        let error = FieldError::new(path, FieldErrorCode::NotAllowed, found).expecting(expected);
        mistakes.push(match word {
            "metadata" => error.suggesting(&format!("{{{place}}}")),
            _ => error.suggesting(if is_known { name } else { word }),
        });
    }
}

/// Checks that placeholders begin with `word` and name fields of the type. Returns true if they do.
fn check_places(
    decl: &TypeDecl,
    places: &[(String, &str)],
    word: &str,
    of_type: &str,
    mistakes: &mut Mistakes,
) -> bool {
    let mut are_right = true;
    for (path, place) in places {
        let (scope, name) = place.split_once('.').unwrap_or((place, ""));
        let name = name.split('.').next().unwrap_or_default();
        if scope != word {
            let field = if decl.field(name).is_some() { name } else { "FIELD" };
            let found = format!("`{{{place}}}` is not defined");
            let error = FieldError::new(path, FieldErrorCode::NotAllowed, found);
            mistakes.push(error.expecting(format!("`{{{word}.{field}}}`")).suggesting(&format!("{{{place}}}")));
        } else if name != "id" && !decl.extras && decl.field(name).is_none() {
            let fields: Vec<&str> = decl.fields.iter().map(|field| field.name.as_str()).collect();
            mistakes.unknown_in(of_type, path, &format!("{{{place}}}"), "does not name a field", one_of(&fields));
        } else {
            continue;
        }
        are_right = false;
    }
    are_right
}

/// Checks the clause `buy`: its fields, and its placeholders of `product` and `account`.
fn check_buy(decl: &TypeDecl, buy: &Buy, of_type: &str, mistakes: &mut Mistakes) {
    let path = format!("{of_type}/buy");
    if !decl.catalog {
        let found = "only products of the catalog can be bought";
        mistakes.lacks(of_type, CATALOG_TRUE, &path, found, CATALOG_TRUE);
    }
    if let Some(limit) = &buy.at_most {
        if limit.count != 1 {
            let found = "an account has one product for each value";
            mistakes.add(&format!("{path}/at_most/count"), FieldErrorCode::OutOfRange, found, "1");
        }
        let is_named =
            |field: &&Field| field.required && matches!(field.field_type, FieldType::String | FieldType::Enum);
        let fields: Vec<&str> = decl.fields.iter().filter(is_named).map(|field| field.name.as_str()).collect();
        if !field_of(&limit.per, "product").is_some_and(|name| fields.contains(&name)) {
            let place = format!("{path}/at_most/per");
            let expected = fields_in("product", &fields);
            mistakes.unknown_in(of_type, &place, &limit.per, "is not a required text field", expected);
        }
    }
    if let Some(condition) = &buy.condition {
        let place = format!("{path}/if");
        match decl.family {
            Some(_) => {
                let found = "a plan is bought without a condition, since conditions refer to grants of plans";
                mistakes.wrong(&place, found, "no `if`");
            }
            None => drop(required(condition, &place, mistakes)),
        }
    }
    if let Some(Quantity { at_least, at_most }) = buy.quantity {
        if at_most == 0 {
            mistakes.add(&format!("{path}/quantity/at_most"), FieldErrorCode::OutOfRange, "", "at least 1");
        } else if at_least == 0 {
            mistakes.add(&format!("{path}/quantity/at_least"), FieldErrorCode::OutOfRange, "", "at least 1");
        } else if at_least > at_most {
            let found = format!("at least {at_least} of at most {at_most}");
            mistakes.wrong(&format!("{path}/quantity/at_least"), found, format!("1 to {at_most}"));
        }
    }
    let mut places = places_at(&buy.metadata, &format!("{path}/metadata"));
    for (name, url) in [("success_url", &buy.success_url), ("cancel_url", &buy.cancel_url)] {
        let (Some(url), place) = (url, format!("{path}/{name}")) else { continue };
        mistakes.extend(return_address::check(url, &place));
        places.extend(places_in(url, &place));
    }
    places.retain(|(_, place)| *place != "account.id");
    check_places(decl, &places, "product", of_type, mistakes);
}

/// Checks the clause `split`: it must refer to a required field with an account.
fn check_split(decl: &TypeDecl, split: &Split, of_type: &str, mistakes: &mut Mistakes) {
    let path = format!("{of_type}/split");
    if !decl.catalog {
        mistakes.lacks(of_type, CATALOG_TRUE, &path, "only products of the catalog can be sold", CATALOG_TRUE);
    }
    let is_account = |field: &&Field| field.required && field.format == Some(Format::Account);
    let fields: Vec<&str> = decl.fields.iter().filter(is_account).map(|field| field.name.as_str()).collect();
    if split.field().is_none_or(|name| !fields.contains(&name)) {
        let what = "does not refer to a required field with format account";
        mistakes.unknown_in(of_type, &format!("{path}/to"), &split.to, what, fields_in("product", &fields));
    }
    if split.hold.whole_days().is_none() {
        mistakes.add(&format!("{path}/hold"), FieldErrorCode::BadFormat, "", "whole days, as in 7d");
    }
    if split.share_bp > WHOLE_BP {
        let expected = format!("basis points, 0 to {WHOLE_BP}");
        mistakes.add(&format!("{path}/share_bp"), FieldErrorCode::OutOfRange, "", expected);
    }
}

/// Checks that a product of a catalog has its prices in `prices` alone.
pub(crate) fn check_prices(body: &Object, path: &str, mistakes: &mut Mistakes) {
    let objects = ["metadata", "features"]
        .into_iter()
        .filter_map(|name| Some((format!("{path}/{name}"), body.get(name)?.as_object()?)));
    for (path, object) in objects.chain([(path.to_owned(), body)]) {
        let is_given = |name: &&str| object.get(*name).is_some_and(|value| !value.is_null());
        let Some(name) = PRICE_MEMBERS.into_iter().chain([PRICE_ID]).find(is_given) else { continue };
        let place = format!("{path}/{name}");
        match price_now(body) {
            Some(now) => mistakes.wrong(&place, format!("`{name}` is an old spelling"), format!("`prices: {now}`")),
            None => {
                let found = "a catalog has prices in `prices` alone";
                mistakes.wrong(&place, found, format!("`prices: {{INTERVAL: {{amount, id}}}}`, or no `{name}`"));
            }
        }
    }
}

/// Returns how the only price of a product is written in a catalog; `None` if the product has no amount.
fn price_now(body: &Object) -> Option<String> {
    let find = |name: &str| {
        let inside = ["metadata", "features"].into_iter().filter_map(|object| body.get(object)?.get(name));
        body.get(name).into_iter().chain(inside).find(|value| !value.is_null())
    };
    let amount = find("price").and_then(|price| price.as_i64().or_else(|| price.get("amount")?.as_i64()))?;
    let interval = find("billing_interval").or_else(|| find("interval")).and_then(Value::as_str);
    let interval = interval.map_or(Some(Interval::Once), Interval::parse)?.name();
    let id = find(PRICE_ID).and_then(Value::as_str).map(|id| format!(", id: {id}")).unwrap_or_default();
    Some(format!("{{{interval}: {{amount: {amount}{id}}}}}"))
}

/// Checks that products of one type have different values of their `infer_by` field, by which products are selected.
pub(crate) fn check_told_apart(
    proposed: &Proposed,
    earlier: &[(usize, String, Proposed)],
    path: &str,
    mistakes: &mut Mistakes,
) {
    let Some(key) = &proposed.decl.infer_by else { return };
    let Some(value) = proposed.metadata.get(key) else { return };
    let is_same = |other: &Proposed| other.decl.name == proposed.decl.name && other.metadata.get(key) == Some(value);
    if let Some((_, id, _)) = earlier.iter().find(|(.., other)| is_same(other)) {
        let found = format!("`{id}` has the same value, and `{key}` must differ within a type");
        let place = format!("{path}/metadata/{}", escaped(key));
        mistakes.add(&place, FieldErrorCode::Taken, found, "another");
    }
}

/// Checks that each price of a product has an id of its own, also beside the products before it in the document. `taken` has the
/// owner of each id so far, and gets those of this product.
pub(crate) fn check_own_prices(
    proposed: &Proposed,
    product: &str,
    taken: &mut BTreeMap<PriceId, String>,
    currency: &str,
    path: &str,
    mistakes: &mut Mistakes,
) {
    let mut own: BTreeMap<PriceId, String> = BTreeMap::new();
    for price in proposed.prices(currency) {
        let (Some(id), interval) = (price.id, price.interval.name()) else { continue };
        let twice = || own.get(&id).map(|other| format!("the interval `{other}`"));
        if let Some(other) = taken.get(&id).map(|other| format!("`{other}`")).or_else(twice) {
            let found = format!("`{id}` is already the price of {other}");
            mistakes.add(&format!("{path}/prices/{interval}/id"), FieldErrorCode::Taken, found, "another id");
        }
        own.entry(id).or_insert_with(|| interval.to_owned());
    }
    for id in own.into_keys() {
        taken.entry(id).or_insert_with(|| product.to_owned());
    }
}

/// Checks entitlements: only counters have periods and alerts.
pub(crate) fn check_entitlements(entitlements: &Entitlements, mistakes: &mut Mistakes) {
    for (key, decl) in entitlements {
        let path = format!("/entitlements/{}", escaped(key));
        let is_counter = decl.kind == EntitlementKind::Counter;
        if !is_counter && (decl.period.is_some() || !decl.alerts.is_empty()) {
            mistakes.wrong(&path, "only a counter has a period and alerts", "`kind: counter`");
        }
        let wrong = decl.alerts.iter().enumerate().filter(|(_, percent)| !(1..=100).contains(*percent));
        for (index, _) in wrong {
            let place = format!("{path}/alerts/{index}");
            mistakes.add(&place, FieldErrorCode::OutOfRange, "", "a percentage from 1 to 100");
        }
    }
}

/// Returns the entitlements that plans grant.
fn granted_by_plans(types: &[TypeDecl]) -> Vec<&str> {
    let plans = types.iter().filter(|decl| decl.family.is_some());
    plans.flat_map(|decl| decl.grants.keys().map(String::as_str)).collect()
}

/// Checks that a plan grants the entitlement of a condition. A condition that no plan can meet would fail later, with a
/// customer's event.
fn check_condition(
    condition: &Condition,
    by_plans: &[&str],
    entitlements: &Entitlements,
    path: &str,
    mistakes: &mut Mistakes,
) {
    let Some(key) = required(condition, path, mistakes) else { return };
    if by_plans.contains(&key) || mistakes.may_be(key) {
        return;
    }
    match declared(entitlements, key) {
        None => {
            let what = "is not granted by any plan";
            mistakes.unknown(path, &condition.to_string(), what, allowed_of(by_plans));
        }
        Some(_) => {
            let found = format!("`{condition}` is not granted by any plan");
            mistakes.absent(&["product_types"], path, found, allowed_of(by_plans));
        }
    }
}

/// Checks rates: a meter is not an entitlement, prices are not negative, and plans can meet the conditions.
pub(crate) fn check_rates(rates: &Rates, entitlements: &Entitlements, types: &[TypeDecl], mistakes: &mut Mistakes) {
    no_effect::check_meters(rates, types, mistakes);
    let by_plans = granted_by_plans(types);
    for (meter, rate) in rates {
        let path = format!("/rates/{}", escaped(meter));
        if mistakes.is_left_out(&path) {
            continue;
        }
        let measures = |decl: &EntitlementDecl| decl.meter.as_ref() == Some(meter);
        if declared(entitlements, meter).is_some_and(|decl| !measures(decl)) {
            let found = format!("`{meter}` is an entitlement, and usage of an entitlement has no price");
            mistakes.wrong(&path, found, "another name");
        }
        check_monthly(meter, rates, entitlements, &path, mistakes);
        let others = rate
            .currencies
            .iter()
            .map(|(code, prices)| (format!("{path}/currencies/{}", escaped(code)), &prices.micros));
        for (path, micros) in [(path.clone(), &rate.micros)].into_iter().chain(others) {
            for (value, _) in micros.iter().filter(|(_, price)| price.all().any(|micros| *micros < 0)) {
                let place = format!("{path}/micros/{}", escaped(value));
                mistakes.add(&place, FieldErrorCode::OutOfRange, "", "at least 0");
            }
        }
        let has_one_price = rate.micros.contains_key("");
        if rate.priced().next().is_none() {
            let expected = "`micros` or `per_million` with a price for each value of `by`";
            mistakes.add(&format!("{path}/micros"), FieldErrorCode::Missing, "", expected);
        } else if rate.by.is_empty() && (!has_one_price || rate.priced().count() > 1) {
            let expected = "the attribute whose values have these prices";
            mistakes.add(&format!("{path}/by"), FieldErrorCode::Missing, "required", expected);
        } else if has_one_price && !rate.by.is_empty() {
            let found = format!("all units have one price, whatever their `{}`", rate.by);
            mistakes.wrong(&format!("{path}/by"), found, "no `by`, or a price for each of its values");
        }
        for value in rate.per_million.keys().filter(|value| rate.micros.contains_key(*value)) {
            let place = format!("{path}/per_million/{}", escaped(value));
            mistakes.wrong(&place, format!("`{value}` has a price in `micros`, too"), "one price");
        }
        if rate.pay.is_empty() {
            mistakes.add(&format!("{path}/pay"), FieldErrorCode::Missing, "", Expected::names(["credits", "invoice"]));
        } else if rate.pay.contains(&PaidBy::Invoice) != rate.invoice.is_some() {
            let expected = "{min, limit, alerts, if} if `pay` contains `invoice`, else nothing";
            mistakes.add(&format!("{path}/invoice"), FieldErrorCode::Missing, "", expected);
        }
        if let Some(seller) = &rate.seller {
            let numbers = types.iter().filter(|decl| decl.split.is_some()).flat_map(|decl| &decl.fields);
            let numbers = numbers.filter(|field| field.field_type == FieldType::Int).map(|field| field.name.as_str());
            let numbers: Vec<&str> = numbers.collect();
            if !numbers.contains(&seller.field()) && !mistakes.may_be(seller.field()) {
                let (place, what) =
                    (format!("{path}/seller/micros"), "is not a whole-number field of a type with `split`");
                mistakes.unknown_in(SPLIT, &place, &seller.micros, what, fields_in("product", &numbers));
            }
        }
        let Some(terms) = &rate.invoice else { continue };
        no_effect::check_invoice(terms, &format!("{path}/invoice"), mistakes);
        if let Some(condition) = &terms.condition {
            check_condition(condition, &by_plans, entitlements, &format!("{path}/invoice/if"), mistakes);
        }
    }
}

/// The rest of a catalog, to which a type refers.
pub(crate) struct Others<'c> {
    /// All types.
    pub types: &'c [TypeDecl],
    /// The declared entitlements.
    pub entitlements: &'c Entitlements,
    /// The business's own configuration keys.
    pub config: &'c [String],
}

/// Checks a type's references to the rest of the catalog: families, entitlements, fields and configuration keys. An
/// unresolved reference would fail later, with a customer's event.
pub(crate) fn check_names(decl: &TypeDecl, others: &Others<'_>, path: &str, mistakes: &mut Mistakes) {
    let Others { types, entitlements, config } = *others;
    let keys: Vec<&str> = entitlements.keys().map(String::as_str).collect();
    let is_declared = |key: &str| declared(entitlements, key).is_some();
    let used = decl.grants.keys().map(|key| ("grants", key)).chain(decl.consumes.keys().map(|key| ("consumes", key)));
    let used = used.map(|(clause, key)| (format!("{clause}/{}", escaped(key)), key));
    let quotas = decl.provisions.iter().enumerate();
    let quotas =
        quotas.filter_map(|(index, resource)| Some((format!("provisions/{index}/quota"), resource.quota.as_ref()?)));
    let counted = decl.meters.iter().enumerate();
    let counted = counted.filter_map(|(index, meter)| Some((format!("meters/{index}/of"), meter.of.as_ref()?)));
    for (place, key) in used.chain(quotas).chain(counted).filter(|(_, key)| !is_declared(key)) {
        mistakes.unknown(&format!("{path}/{place}"), key, "is not declared", one_of(&keys));
    }
    no_effect::check_used_kinds(decl, entitlements, path, mistakes);
    for (index, token) in decl.tokens.iter().enumerate() {
        if let Some(key) = token.condition.entitlement().filter(|key| !is_declared(key) && !mistakes.may_be(key)) {
            let (place, name) = (format!("{path}/tokens/{index}/if"), format!("allowed.{key}"));
            mistakes.unknown(&place, &name, "is not declared", allowed_of(&keys));
        }
    }
    let by_plans = granted_by_plans(types);
    let conditions = decl
        .grants
        .iter()
        .filter_map(|(key, granted)| Some((format!("{path}/grants/{}/if", escaped(key)), granted.condition()?)));
    let bought = decl.buy.as_ref().and_then(|buy| Some((format!("{path}/buy/if"), buy.condition.as_ref()?)));
    for (place, condition) in conditions.chain(bought).filter(|_| decl.family.is_none()) {
        check_condition(condition, &by_plans, entitlements, &place, mistakes);
    }
    let plan_fields =
        |link: &PlanLink| fields_of(types.iter().filter(|plan| plan.family.as_ref() == Some(&link.family)));
    // A field that could not be read may be the one that is named.
    let mut is_of_plans = !mistakes.is_left_out("/product_types");
    if let Some(link) = &decl.plan {
        let mut families: Vec<&str> = types.iter().filter_map(|decl| decl.family.as_deref()).collect();
        families.sort_unstable();
        families.dedup();
        let is_family = families.contains(&link.family.as_str());
        is_of_plans &= is_family;
        if !is_family {
            mistakes.unknown(&format!("{path}/plan/family"), &link.family, "is not declared", one_of(&families));
        } else if let Some(fields) = plan_fields(link).filter(|_| is_of_plans) {
            let is_known = |value: &str| field_of(value, "plan").is_some_and(|field| fields.contains(&field));
            for (key, value) in link.quotas.iter().filter(|(_, value)| !is_known(value)) {
                let place = format!("{path}/plan/quotas/{}", escaped(key));
                mistakes.unknown_in(path, &place, value, "is not declared", fields_in("plan", &fields));
            }
        }
    }
    let own = config.iter().map(String::as_str);
    let settings: Vec<&str> = CONFIG.iter().map(|(key, ..)| *key).chain(own).collect();
    let is_order_known =
        !(0..decl.provisions.len()).any(|index| mistakes.is_wrong(&format!("{path}/provisions/{index}/after")));
    for (index, resource) in decl.provisions.iter().enumerate() {
        let path = format!("{path}/provisions/{index}");
        if let Some(condition) = &resource.condition
            && !resource.setting().is_some_and(|key| settings.contains(&key))
        {
            let keys: Vec<String> = settings.iter().map(|key| format!("config.{key}")).collect();
            mistakes.unknown(&format!("{path}/if"), &condition.to_string(), "is not declared", one_of(&keys));
        }
        let mut words = vec![("instance", fields_of([decl].into_iter()))];
        // Which fields the plans of an unknown family have is unknown, too.
        let of_plan = |link: &PlanLink| if is_of_plans { plan_fields(link) } else { None };
        words.extend(decl.plan.as_ref().map(|link| ("plan", of_plan(link))));
        let variant = resource.variant.as_deref().unwrap_or_default();
        check_words(&places_in(variant, &format!("{path}/variant")), &words, mistakes);
        if let Some(limit) = &resource.at_most {
            check_words(&places_in(&limit.per, &format!("{path}/at_most/per")), &words, mistakes);
        }
        words.extend([("id", Some(vec![""])), ("business", Some(vec![""])), ("config", Some(settings.clone()))]);
        let amounts = entitlements.iter().filter(|(_, decl)| decl.kind != EntitlementKind::Flag);
        words.push(("allowed", Some(amounts.map(|(key, _)| key.as_str()).collect())));
        let before = match is_order_known {
            true => resource.comes_after(&decl.provisions),
            false => (0..decl.provisions.len()).collect(),
        };
        words.extend(before.into_iter().map(|place| (&*decl.provisions[place].name, None)));
        check_words(&places_at(&resource.with, &format!("{path}/with")), &words, mistakes);
    }
    check_addresses(decl, path, mistakes);
}

/// Checks the templates of the public and the watched URL: they refer to resources, outputs and fields.
fn check_addresses(decl: &TypeDecl, path: &str, mistakes: &mut Mistakes) {
    let resources: Vec<&str> = decl.provisions.iter().map(|resource| resource.name.as_str()).collect();
    for (index, rule) in decl.url.iter().enumerate() {
        let path = format!("{path}/url/{index}");
        if !resources.contains(&rule.resource.as_str()) {
            let place = format!("{path}/resource");
            mistakes.unknown_in(&path, &place, &rule.resource, "is not declared", one_of(&resources));
        }
        let mut words = vec![("instance", fields_of([decl].into_iter()))];
        words.extend(resources.iter().map(|name| (*name, None)));
        check_words(&places_in(&rule.value, &format!("{path}/value")), &words, mistakes);
    }
    let Some(watch) = &decl.watch else { return };
    let mut shown: Vec<&str> =
        decl.provisions.iter().flat_map(|resource| resource.outputs.keys()).map(|key| &**key).collect();
    shown.extend((!decl.url.is_empty()).then_some("url"));
    let words = [("instance", fields_of([decl].into_iter())), ("resources", Some(shown))];
    check_words(&places_in(&watch.url, &format!("{path}/watch/url")), &words, mistakes);
}
