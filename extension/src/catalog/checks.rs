//! Checks of a catalog when it is loaded: every name in a product type must be declared. Refusals contain the place of
//! the error and the allowed values.

use super::amount::Amount;
use super::buy::Buy;
use super::condition::Condition;
use super::declared::{CONFIG, OwnResources, VERBS, grants, is_built_in, resources, steps};
use super::entitlement::{EntitlementKind, Entitlements, declared};
use super::no_effect;
use super::price::{Interval, PRICE_ID};
use super::product::{PRICE_MEMBERS, Proposed};
use super::rate::{PaidBy, Rates};
use super::return_address;
use super::schema::{
    self, Field, FieldType, Format, OnArchive, PHASE, PlanLink, REFUSED, Resource, STOCK_MAX, SetBy, TypeDecl,
};
use super::split::{Split, WHOLE_BP};
use super::template::{field_of, places, places_of};
use super::words::{WORD_BYTES, escaped, is_word, one_of};
use crate::catalog::words::ID_BYTES;
use crate::model::halt::{Halt, Ruled, wrong_field};
use crate::model::json::Object;
use crate::model::records::instance::InstanceStatus;
use extension_contract::FieldErrorCode;
use serde_json::Value;

/// Returns the refusal of a catalog that cannot be decoded, with the place of the error and the allowed values.
pub(crate) fn unreadable(path: &str, error: &extension_reader::Error) -> Halt {
    let (pointer, cause) = (error.pointer(), error.cause());
    // An unknown name is reported as an error of the object that contains it.
    if let (true, Some((object, name))) = (error.is_unknown_name(), pointer.rsplit_once('/')) {
        let name = name.replace("~1", "/").replace("~0", "~");
        let message = format!("unknown field `{name}`: {cause}");
        return wrong_field(&format!("{path}{object}"), FieldErrorCode::UnknownField, message);
    }
    wrong_field(&format!("{path}{pointer}"), FieldErrorCode::BadFormat, cause)
}

/// Reads an entry of `product_types`: a complete type, or the name of a stored type.
pub(crate) fn read_type(entry: &str, index: usize, known: &[TypeDecl], own: &OwnResources) -> Ruled<TypeDecl> {
    let path = format!("/product_types/{index}");
    if let Ok(name) = extension_reader::from_str_small::<String>(entry) {
        let is_named = |decl: &&TypeDecl| decl.name == name || decl.aliases.contains(&name);
        return known.iter().find(is_named).cloned().ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|decl| decl.name.as_str()).collect();
            let message = match names.is_empty() {
                true => format!("the catalog has no type `{name}` yet: expected its fields"),
                false => format!("the catalog has no type `{name}`: expected its fields, or {}", one_of(&names)),
            };
            wrong_field(&path, FieldErrorCode::NotAllowed, message)
        });
    }
    let decl: TypeDecl = extension_reader::from_str_small(entry).map_err(|error| unreadable(&path, &error))?;
    if !(1..=ID_BYTES).contains(&decl.name.len()) {
        let message = format!("expected 1 to {ID_BYTES} bytes");
        return Err(wrong_field(&format!("{path}/name"), FieldErrorCode::OutOfRange, message));
    }
    let decl = decl.complete();
    check_type(&decl, &path, own)?;
    Ok(decl)
}

/// Checks field declarations: which fields may have bounds, and that defaults are allowed values.
pub(super) fn check_field_declarations(fields: &[Field], path: &str) -> Ruled<()> {
    for (index, field) in fields.iter().enumerate() {
        if fields[..index].iter().any(|other| other.name == field.name) {
            let message = format!("`{}` is already a field: expected another name", field.name);
            return Err(wrong_field(&format!("{path}/fields/{index}/name"), FieldErrorCode::Taken, message));
        }
        if field.field_type == FieldType::Milli && (field.min.is_some() || field.max.is_some()) {
            let message = "a field of type milli has no bounds except 0: expected no `min` and no `max`";
            return Err(wrong_field(&format!("{path}/fields/{index}"), FieldErrorCode::NotAllowed, message));
        }
        no_effect::check_field(field, &format!("{path}/fields/{index}"))?;
        if let Err((code, message)) = schema::check_default(field) {
            let message = format!("the field does not allow this default: {message}");
            return Err(wrong_field(&format!("{path}/fields/{index}/default"), code, message));
        }
    }
    Ok(())
}

/// Checks a type by itself: references to its own fields, resources and meters, and the order of resources.
fn check_type(decl: &TypeDecl, path: &str, own: &OwnResources) -> Ruled<()> {
    let unknown = |what: &str, name: &str| {
        let fields: Vec<&str> = decl.fields.iter().map(|field| field.name.as_str()).collect();
        let message = format!("`{name}` is not declared: expected {}", one_of(&fields));
        Err(wrong_field(&format!("{path}/{what}"), FieldErrorCode::NotAllowed, message))
    };
    no_effect::check_type(decl, path)?;
    check_field_declarations(&decl.fields, path)?;
    // An undeclared metadata key may distinguish products as well.
    for (what, name) in [("id_by", &decl.id_by), ("infer_by", &decl.infer_by)] {
        let is_missing = |name: &&String| decl.field(name).is_none() && !(decl.extras && what == "infer_by");
        if let Some(name) = name.as_ref().filter(is_missing) {
            return unknown(what, name);
        }
    }
    if let Some(condition) = decl.condition.as_ref().filter(|condition| **condition != Condition::Plan) {
        let message = format!("`{condition}` is no condition of a type: expected `plan`");
        return Err(wrong_field(&format!("{path}/if"), FieldErrorCode::NotAllowed, message));
    }
    if let Some(name) = &decl.rank_by {
        check_number(decl, name, &format!("{path}/rank_by"))?;
    }
    for (key, granted) in &decl.grants {
        check_amount(decl, granted.amount(), "product", &format!("{path}/grants/{}", escaped(key)))?;
        check_places(decl, &places_of(key), "product", &format!("{path}/grants/{}", escaped(key)))?;
        if granted.condition().is_some() && decl.family.is_some() {
            let message = "a plan's grants have no condition, since conditions refer to them: expected an amount only";
            return Err(wrong_field(
                &format!("{path}/grants/{}/if", escaped(key)),
                FieldErrorCode::NotAllowed,
                message,
            ));
        }
    }
    for (key, amount) in &decl.consumes {
        check_amount(decl, amount, "instance", &format!("{path}/consumes/{}", escaped(key)))?;
    }
    for (index, field) in decl.fields.iter().enumerate() {
        if let Some(key) = field.source_of.as_ref().filter(|key| !decl.consumes.contains_key(*key)) {
            let consumed: Vec<&str> = decl.consumes.keys().map(String::as_str).collect();
            let message = format!("the type does not consume `{key}`: expected {}", one_of(&consumed));
            return Err(wrong_field(&format!("{path}/fields/{index}/source_of"), FieldErrorCode::NotAllowed, message));
        }
    }
    for (index, left) in decl.on_paid.iter().enumerate() {
        check_amount(decl, &left.credit, "product", &format!("{path}/on_paid/{index}/credit"))?;
    }
    if !decl.on_paid.is_empty() && (!decl.catalog || decl.family.is_some()) {
        let message = "only products sold once grant credits on payment, plans do not: expected `catalog: true` \
                       and no `family`";
        return Err(wrong_field(&format!("{path}/on_paid"), FieldErrorCode::NotAllowed, message));
    }
    if let Some(buy) = &decl.buy {
        check_buy(decl, buy, &format!("{path}/buy"))?;
    }
    if let Some(split) = &decl.split {
        check_split(decl, split, &format!("{path}/split"))?;
    }
    if decl.listing.is_some() && (decl.split.is_none() || decl.family.is_some()) {
        let message = "accounts list only products with a share, and plans have none: expected `split` and no `family`";
        return Err(wrong_field(&format!("{path}/listing"), FieldErrorCode::NotAllowed, message));
    }
    if let Some(link) = &decl.plan
        && decl.field(&link.field).is_none()
    {
        return unknown("plan/field", &link.field);
    }
    for (index, resource) in decl.provisions.iter().enumerate() {
        check_provision(resource, &decl.provisions[..index], &format!("{path}/provisions/{index}"), own)?;
    }
    if let Some(made) = &decl.from_checkout {
        let words = [("session", None)];
        check_words(&places_of(&made.name), &words, &format!("{path}/from_checkout/name"))?;
        check_words(&places(&made.metadata), &words, &format!("{path}/from_checkout/metadata"))?;
        let plan = made.plan.as_deref().unwrap_or_default();
        check_words(&places_of(plan), &words, &format!("{path}/from_checkout/plan"))?;
        if decl.catalog || decl.plan.is_none() {
            let message =
                "only products paid by a plan are created from a checkout: expected `plan`, and no `catalog: true`";
            return Err(wrong_field(&format!("{path}/from_checkout"), FieldErrorCode::NotAllowed, message));
        }
    }
    let idle = decl.lifecycle.as_ref().and_then(|lifecycle| lifecycle.idle.as_ref());
    let idle = idle.map(|idle| ("lifecycle/idle".to_owned(), &idle.meter));
    let expected = decl.expects.iter().enumerate().map(|(index, of)| (format!("expects/{index}"), &of.meter));
    let meters: Vec<&str> = decl.meters.iter().map(|meter| meter.meter.as_str()).collect();
    if let Some((place, meter)) = idle.into_iter().chain(expected).find(|(_, meter)| !meters.contains(&meter.as_str()))
    {
        let message = format!("`{meter}` is not a meter of the type: expected {}", one_of(&meters));
        return Err(wrong_field(&format!("{path}/{place}/meter"), FieldErrorCode::NotAllowed, message));
    }
    if !decl.expects.is_empty() && decl.provisions.is_empty() {
        let message = "products without resources are never running: expected `provisions`";
        return Err(wrong_field(&format!("{path}/expects"), FieldErrorCode::NotAllowed, message));
    }
    if decl.lifecycle.is_some() && decl.provisions.is_empty() {
        let message = "products without resources have no lifecycle: expected `provisions`";
        return Err(wrong_field(&format!("{path}/lifecycle"), FieldErrorCode::NotAllowed, message));
    }
    check_tokens(decl, path, own)?;
    check_views(decl, path)
}

/// Checks tokens: only products of the catalog have them, and their effects must exist.
fn check_tokens(decl: &TypeDecl, path: &str, own: &OwnResources) -> Ruled<()> {
    for (index, token) in decl.tokens.iter().enumerate() {
        let path = format!("{path}/tokens/{index}");
        let wrong = |place: &str, message: String| {
            Err(wrong_field(&format!("{path}{place}"), FieldErrorCode::NotAllowed, message))
        };
        if !decl.catalog {
            return wrong("", "only products of the catalog have tokens: expected `catalog: true`".to_owned());
        }
        if !is_word(&token.name) || decl.tokens[..index].iter().any(|other| other.name == token.name) {
            return wrong("/name", format!("expected another name, 1 to {WORD_BYTES} of a-z, 0-9 and _"));
        }
        if token.at_most == 0 {
            return Err(wrong_field(&format!("{path}/at_most"), FieldErrorCode::OutOfRange, "expected at least 1"));
        }
        let condition = required(&token.condition, &format!("{path}/if"))?;
        check_places(decl, &places_of(condition), "product", &format!("{path}/if"))?;
        check_places(decl, &places(&token.shows), "product", &format!("{path}/shows"))?;
        let Some(redeem) = &token.redeem else { continue };
        if redeem.at_most == Some(0) {
            let place = format!("{path}/redeem/at_most");
            return Err(wrong_field(&place, FieldErrorCode::OutOfRange, "expected at least 1"));
        }
        let known = grants(own);
        if !known.contains(&redeem.run) {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            return wrong(
                "/redeem/run",
                format!("`{}` is not an effect for grants: expected {}", redeem.run, one_of(&known)),
            );
        }
        check_places(decl, &places(&redeem.with), "product", &format!("{path}/redeem/with"))?;
    }
    Ok(())
}

/// Checks views. A view maps known statuses and has its own field name, and resources with a `phase` require the view
/// `phase`.
fn check_views(decl: &TypeDecl, path: &str) -> Ruled<()> {
    let wrong = |place: &str, message: String| {
        Err(wrong_field(&format!("{path}/{place}"), FieldErrorCode::NotAllowed, message))
    };
    let mut statuses = InstanceStatus::ALL.map(InstanceStatus::name).to_vec();
    statuses.push(REFUSED);
    for (name, view) in &decl.views {
        let place = format!("views/{}", escaped(name));
        if decl.provisions.is_empty() {
            return wrong(&place, "products without resources have no status: expected `provisions`".to_owned());
        }
        let is_ours = |field: &Field| field.set_by == SetBy::Service && field.field_type == FieldType::String;
        let is_taken = ["created_at", "purchase_id", "stripe_subscription_id", "user_id"].contains(&name.as_str());
        if is_taken || !decl.field(name).is_some_and(is_ours) {
            return wrong(&place, format!("`{name}` is already a field: expected another name"));
        }
        if let Some(status) = view.keys().find(|status| !statuses.contains(&status.as_str())) {
            return wrong(
                &format!("{place}/{}", escaped(status)),
                format!("`{status}` is not a status: expected {}", one_of(&statuses)),
            );
        }
    }
    for (index, resource) in decl.provisions.iter().enumerate() {
        let by_hand = resource.or_manual.as_ref().and_then(|by_hand| by_hand.phase.as_ref());
        if (resource.phase.is_some() || by_hand.is_some()) && !decl.views.contains_key(PHASE) {
            return wrong(
                &format!("provisions/{index}/phase"),
                format!("no view shows the phase: expected `views` with `{PHASE}`"),
            );
        }
    }
    Ok(())
}

/// Checks a resource or step. Its effects exist, and it depends only on earlier entries, so there are no cycles.
fn check_provision(resource: &Resource, earlier: &[Resource], path: &str, own: &OwnResources) -> Ruled<()> {
    let wrong =
        |what: &str, message: String| Err(wrong_field(&format!("{path}{what}"), FieldErrorCode::NotAllowed, message));
    let verify = resource.or_manual.as_ref().is_some_and(|by_hand| by_hand.verify);
    match (&resource.resource, &resource.run) {
        (Some(name), None) => {
            let optional = [(resource.backup, "backup"), (resource.backup, "restore"), (verify, "observe")];
            let optional = optional.into_iter().filter_map(|(is_used, verb)| is_used.then_some(verb));
            let verbs = ["ensure", "change", "destroy"].into_iter().chain(optional);
            if let Some(declared) = own.get(name) {
                let needed: Vec<&str> = verbs.clone().collect();
                if let Some(missing) = needed.iter().find(|verb| !declared.iter().any(|known| known == *verb)) {
                    let message = format!(
                        "`{name}` has no verb `{missing}`, which the resource of {path} needs: expected {}",
                        needed.join(", ")
                    );
                    let place = format!("/resources/{}", escaped(name));
                    return Err(wrong_field(&place, FieldErrorCode::Missing, message));
                }
            }
            for verb in verbs {
                let known = resources(verb, own);
                if !known.contains(&name.as_str()) {
                    return wrong(
                        "/resource",
                        format!("`{name}.{verb}` is not an effect: expected {}", one_of(&known)),
                    );
                }
            }
        }
        (None, Some(kind)) => {
            let known = steps(own);
            if !known.contains(kind) {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                return wrong("/run", format!("`{kind}` is not a step: expected {}", one_of(&known)));
            }
            let is_resource = resource.suspends || resource.backup || resource.on_archive != OnArchive::Free || verify;
            if is_resource || resource.variant.is_some() || resource.quota.is_some() {
                let message =
                    "a step is no resource: expected no suspends, backup, on_archive, variant, quota and verify";
                return wrong("", message.to_owned());
            }
        }
        _ => return wrong("", "expected either `resource` or `run`".to_owned()),
    }
    if let Some(limit) = &resource.at_most {
        if resource.or_manual.is_none() || resource.run.is_some() {
            let message = "a person creates further resources: expected `resource` and `or_manual`";
            return wrong("/at_most", message.to_owned());
        }
        if limit.count.is_empty() || limit.count.values().any(|most| !(1..=STOCK_MAX).contains(most)) {
            let message = format!("expected a number from 1 to {STOCK_MAX} for each value");
            return Err(wrong_field(&format!("{path}/at_most/count"), FieldErrorCode::OutOfRange, message));
        }
    }
    if let Some(name) = resource.after.iter().find(|name| !earlier.iter().any(|other| other.name == **name)) {
        let earlier: Vec<&str> = earlier.iter().map(|resource| resource.name.as_str()).collect();
        return wrong("/after", format!("`{name}` is not declared before it: expected {}", one_of(&earlier)));
    }
    if earlier.iter().any(|other| other.name == resource.name) {
        return wrong("/name", format!("`{}` is already declared: expected another name", resource.name));
    }
    let asks = resource.or_manual.iter().flat_map(|by_hand| by_hand.asks.iter().enumerate());
    for (index, field) in asks {
        no_effect::check_field(field, &format!("{path}/or_manual/asks/{index}"))?;
        if let Err((_, message)) = schema::check_default(field) {
            return wrong(
                &format!("/or_manual/asks/{index}/default"),
                format!("the field does not allow this default: {message}"),
            );
        }
    }
    Ok(())
}

/// Checks the names of the business's own configuration keys and resources: they are words and not built in.
pub(crate) fn check_own(config: &[String], resources: &OwnResources) -> Ruled<()> {
    let is_setting = |key: &str| CONFIG.iter().any(|(known, ..)| *known == key);
    let config = config.iter().map(|key| ("config", key, is_setting(key)));
    let names = resources.keys().map(|name| ("resources", name, is_built_in(name)));
    for (clause, name, is_taken) in config.chain(names) {
        let path = format!("/{clause}/{}", escaped(name));
        if !is_word(name) {
            let message = format!("expected 1 to {WORD_BYTES} of a-z, 0-9 and _, a letter first");
            return Err(wrong_field(&path, FieldErrorCode::BadFormat, message));
        }
        if is_taken {
            return Err(wrong_field(&path, FieldErrorCode::Taken, "the name is built in: expected another name"));
        }
    }
    for (name, verbs) in resources {
        if let Some(index) = verbs.iter().position(|verb| !is_word(verb)) {
            let place = format!("/resources/{}/{index}", escaped(name));
            let message = format!("expected {}, or 1 to {WORD_BYTES} of a-z, 0-9 and _ for a step", one_of(&VERBS));
            return Err(wrong_field(&place, FieldErrorCode::BadFormat, message));
        }
    }
    Ok(())
}

/// Checks that a number is not negative, that the placeholders of an amount are known, and that an amount that is a
/// field is a numeric field.
fn check_amount(decl: &TypeDecl, amount: &Amount, scope: &str, path: &str) -> Ruled<()> {
    if let Amount::Number(number @ ..0) = amount {
        let message = format!("`{number}` is not an amount: expected a whole number from 0, or `unlimited`");
        return Err(wrong_field(path, FieldErrorCode::OutOfRange, message));
    }
    check_places(decl, &amount.places(), scope, path)?;
    match amount.field(scope).filter(|name| *name != "id" && !(decl.extras && decl.field(name).is_none())) {
        Some(name) => {
            check_number(decl, name, path)?;
            no_effect::check_bound(decl, name, path)
        }
        None => Ok(()),
    }
}

/// Returns the entitlement of a condition. Fails if the condition is about something else.
fn required<'c>(condition: &'c Condition, path: &str) -> Ruled<&'c str> {
    condition.entitlement().ok_or_else(|| {
        let message = format!("`{condition}` is no condition here: expected `allowed.ENTITLEMENT`");
        wrong_field(path, FieldErrorCode::NotAllowed, message)
    })
}

/// Returns the fields as they are written in templates, for a message.
fn places_in(source: &str, fields: &[&str]) -> String {
    let places: Vec<String> = fields.iter().map(|field| format!("{{{source}.{field}}}")).collect();
    one_of(&places.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Returns the conditions about these entitlements, for a message.
fn allowed_of(keys: &[&str]) -> String {
    let conditions: Vec<String> = keys.iter().map(|key| format!("allowed.{key}")).collect();
    one_of(&conditions.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Checks that a field is numeric or a truth value.
fn check_number(decl: &TypeDecl, name: &str, path: &str) -> Ruled<()> {
    let counts = |field: &&Field| {
        matches!(field.field_type, FieldType::Int | FieldType::Money | FieldType::Milli | FieldType::Bool)
    };
    let fields: Vec<&str> = decl.fields.iter().filter(counts).map(|field| field.name.as_str()).collect();
    match fields.contains(&name) {
        true => Ok(()),
        false => {
            let message = format!("`{name}` is not a numeric field: expected {}", one_of(&fields));
            Err(wrong_field(path, FieldErrorCode::NotAllowed, message))
        }
    }
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

/// Checks that each placeholder begins with one of the words and continues with a known name.
pub(super) fn check_words(places: &[&str], words: &[Word<'_>], path: &str) -> Ruled<()> {
    for place in places {
        let (word, name) = place.split_once('.').unwrap_or((place, ""));
        // Configuration has no members.
        let name = if word == "config" { name } else { name.split('.').next().unwrap_or_default() };
        let expected = match words.iter().find(|(known, _)| *known == word) {
            Some((_, Some(names))) if !names.contains(&name) => one_of(names),
            Some((_, None)) if name.is_empty() => format!("`{{{word}.NAME}}`"),
            Some(_) => continue,
            // The metadata of a product has the name `instance`, `plan` or `product` here.
            None => match words.iter().find(|(_, names)| names.as_ref().is_some_and(|names| names.contains(&name))) {
                Some((known, _)) if word == "metadata" => format!("`{{{known}.{name}}}`"),
                _ => one_of(&words.iter().map(|(known, _)| *known).collect::<Vec<_>>()),
            },
        };
        let message = format!("`{{{place}}}` is not declared: expected {expected}");
        return Err(wrong_field(path, FieldErrorCode::NotAllowed, message));
    }
    Ok(())
}

/// Checks that placeholders begin with `word` and name fields of the type.
fn check_places(decl: &TypeDecl, places: &[&str], word: &str, path: &str) -> Ruled<()> {
    for place in places {
        let (scope, name) = place.split_once('.').unwrap_or((place, ""));
        if scope != word {
            let field = if decl.field(name).is_some() { name } else { "FIELD" };
            let message = format!("`{{{place}}}` is not defined: expected `{{{word}.{field}}}`");
            return Err(wrong_field(path, FieldErrorCode::NotAllowed, message));
        }
        let name = name.split('.').next().unwrap_or_default();
        if name != "id" && !decl.extras && decl.field(name).is_none() {
            let fields: Vec<&str> = decl.fields.iter().map(|field| field.name.as_str()).collect();
            let message = format!("`{{{place}}}` does not name a field: expected {}", one_of(&fields));
            return Err(wrong_field(path, FieldErrorCode::NotAllowed, message));
        }
    }
    Ok(())
}

/// Checks the clause `buy`: its fields, and its placeholders of `product` and `account`.
fn check_buy(decl: &TypeDecl, buy: &Buy, path: &str) -> Ruled<()> {
    if !decl.catalog {
        let message = "only products of the catalog can be bought: expected `catalog: true`";
        return Err(wrong_field(path, FieldErrorCode::NotAllowed, message));
    }
    if let Some(limit) = &buy.at_most {
        if limit.count != 1 {
            let message = "an account has one product for each value: expected 1";
            return Err(wrong_field(&format!("{path}/at_most/count"), FieldErrorCode::OutOfRange, message));
        }
        let is_named =
            |field: &&Field| field.required && matches!(field.field_type, FieldType::String | FieldType::Enum);
        let fields: Vec<&str> = decl.fields.iter().filter(is_named).map(|field| field.name.as_str()).collect();
        if !field_of(&limit.per, "product").is_some_and(|name| fields.contains(&name)) {
            let message =
                format!("`{}` is not a required text field: expected {}", limit.per, places_in("product", &fields));
            return Err(wrong_field(&format!("{path}/at_most/per"), FieldErrorCode::NotAllowed, message));
        }
    }
    if let Some(condition) = &buy.condition {
        required(condition, &format!("{path}/if"))?;
    }
    if buy.condition.is_some() && decl.family.is_some() {
        let message =
            "a plan is bought without a condition, since conditions refer to grants of plans: expected no `if`";
        return Err(wrong_field(&format!("{path}/if"), FieldErrorCode::NotAllowed, message));
    }
    if buy.quantity.is_some_and(|quantity| quantity.at_most == 0) {
        return Err(wrong_field(
            &format!("{path}/quantity/at_most"),
            FieldErrorCode::OutOfRange,
            "expected at least 1",
        ));
    }
    for (name, url) in [("success_url", &buy.success_url), ("cancel_url", &buy.cancel_url)] {
        url.as_ref().map_or(Ok(()), |url| return_address::check(url, &format!("{path}/{name}")))?;
    }
    let texts = places(&buy.metadata).into_iter();
    let urls = [&buy.success_url, &buy.cancel_url].into_iter().flatten().flat_map(|url| places_of(url));
    let of_product: Vec<&str> = texts.chain(urls).filter(|place| *place != "account.id").collect();
    check_places(decl, &of_product, "product", path)
}

/// Checks the clause `split`: it must refer to a required field with an account.
fn check_split(decl: &TypeDecl, split: &Split, path: &str) -> Ruled<()> {
    if !decl.catalog {
        return Err(wrong_field(
            path,
            FieldErrorCode::NotAllowed,
            "only products of the catalog can be sold: expected `catalog: true`",
        ));
    }
    let is_account = |field: &&Field| field.required && field.format == Some(Format::Account);
    let fields: Vec<&str> = decl.fields.iter().filter(is_account).map(|field| field.name.as_str()).collect();
    if split.field().is_none_or(|name| !fields.contains(&name)) {
        let message = format!(
            "`{}` does not refer to a required field with format account: expected `{{product.FIELD}}` with {}",
            split.to,
            one_of(&fields)
        );
        return Err(wrong_field(&format!("{path}/to"), FieldErrorCode::NotAllowed, message));
    }
    if split.hold.whole_days().is_none() {
        return Err(wrong_field(&format!("{path}/hold"), FieldErrorCode::BadFormat, "expected whole days, as in 7d"));
    }
    if split.share_bp > WHOLE_BP {
        let message = format!("expected basis points, 0 to {WHOLE_BP}");
        return Err(wrong_field(&format!("{path}/share_bp"), FieldErrorCode::OutOfRange, message));
    }
    Ok(())
}

/// Checks that a product of a catalog has its prices in `prices` alone.
pub(crate) fn check_prices(body: &Object) -> Ruled<()> {
    let objects = ["metadata", "features"]
        .into_iter()
        .filter_map(|name| Some((format!("/{name}"), body.get(name)?.as_object()?)));
    for (path, object) in objects.chain([(String::new(), body)]) {
        let is_given = |name: &&str| object.get(*name).is_some_and(|value| !value.is_null());
        let Some(name) = PRICE_MEMBERS.into_iter().chain([PRICE_ID]).find(is_given) else { continue };
        let message = match price_now(body) {
            Some(now) => format!("`{name}` is an old spelling: expected `prices: {now}`"),
            None => format!(
                "a catalog has prices in `prices` alone: expected `prices: {{INTERVAL: {{amount, id}}}}`, or no `{name}`"
            ),
        };
        return Err(wrong_field(&format!("{path}/{name}"), FieldErrorCode::NotAllowed, message));
    }
    Ok(())
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
pub(crate) fn check_told_apart(proposed: &Proposed, earlier: &[(String, Proposed)]) -> Ruled<()> {
    let Some(key) = &proposed.decl.infer_by else { return Ok(()) };
    let Some(value) = proposed.metadata.get(key) else { return Ok(()) };
    let is_same = |other: &Proposed| other.decl.name == proposed.decl.name && other.metadata.get(key) == Some(value);
    match earlier.iter().find(|(_, other)| is_same(other)) {
        None => Ok(()),
        Some((id, _)) => {
            let message = format!("`{id}` has the same value, and `{key}` must differ within a type: expected another");
            Err(wrong_field(&format!("/metadata/{}", escaped(key)), FieldErrorCode::Taken, message))
        }
    }
}

/// Checks that each price of a product has an id of its own, also beside the products before it in the document.
pub(crate) fn check_own_prices(proposed: &Proposed, earlier: &[(String, Proposed)], currency: &str) -> Ruled<()> {
    let own = proposed.prices(currency);
    for (index, price) in own.iter().enumerate() {
        let Some(id) = &price.id else { continue };
        let has = |other: &Proposed| other.prices(currency).iter().any(|other| other.id.as_ref() == Some(id));
        let taken = earlier.iter().find(|(_, other)| has(other)).map(|(product, _)| format!("`{product}`"));
        let twice = own[..index].iter().find(|other| other.id.as_ref() == Some(id));
        let taken = taken.or_else(|| twice.map(|other| format!("the interval `{}`", other.interval.name())));
        if let Some(other) = taken {
            let message = format!("`{id}` is already the price of {other}: expected another id");
            return Err(wrong_field(&format!("/prices/{}/id", price.interval.name()), FieldErrorCode::Taken, message));
        }
    }
    Ok(())
}

/// Checks entitlements: only counters have periods and alerts.
pub(crate) fn check_entitlements(entitlements: &Entitlements) -> Ruled<()> {
    for (key, decl) in entitlements {
        let path = format!("/entitlements/{}", escaped(key));
        let is_counter = decl.kind == EntitlementKind::Counter;
        if !is_counter && (decl.period.is_some() || !decl.alerts.is_empty()) {
            let message = "only a counter has a period and alerts: expected `kind: counter`";
            return Err(wrong_field(&path, FieldErrorCode::NotAllowed, message));
        }
        if let Some(index) = decl.alerts.iter().position(|percent| !(1..=100).contains(percent)) {
            let message = "expected a percentage from 1 to 100";
            return Err(wrong_field(&format!("{path}/alerts/{index}"), FieldErrorCode::OutOfRange, message));
        }
    }
    Ok(())
}

/// Checks rates: a meter is not an entitlement, prices are not negative, and plans can meet the conditions.
pub(crate) fn check_rates(rates: &Rates, entitlements: &Entitlements, types: &[TypeDecl]) -> Ruled<()> {
    no_effect::check_meters(rates, types)?;
    let plans = types.iter().filter(|decl| decl.family.is_some());
    let by_plans: Vec<&str> = plans.flat_map(|decl| decl.grants.keys().map(String::as_str)).collect();
    for (meter, rate) in rates {
        let path = format!("/rates/{}", escaped(meter));
        if declared(entitlements, meter).is_some() {
            let message =
                format!("`{meter}` is an entitlement, and usage of an entitlement has no price: expected another name");
            return Err(wrong_field(&path, FieldErrorCode::NotAllowed, message));
        }
        if let Some((value, _)) = rate.micros.iter().find(|(_, micros)| **micros < 0) {
            let place = format!("{path}/micros/{}", escaped(value));
            return Err(wrong_field(&place, FieldErrorCode::OutOfRange, "expected at least 0"));
        }
        if rate.priced().next().is_none() {
            let message = "expected `micros` or `per_million` with a price for each value of `by`";
            return Err(wrong_field(&format!("{path}/micros"), FieldErrorCode::Missing, message));
        }
        if let Some(value) = rate.per_million.keys().find(|value| rate.micros.contains_key(*value)) {
            let place = format!("{path}/per_million/{}", escaped(value));
            let message = format!("`{value}` has a price in `micros`, too: expected one price");
            return Err(wrong_field(&place, FieldErrorCode::NotAllowed, message));
        }
        if rate.pay.is_empty() {
            return Err(wrong_field(&format!("{path}/pay"), FieldErrorCode::Missing, "expected credits or invoice"));
        }
        if rate.pay.contains(&PaidBy::Invoice) != rate.invoice.is_some() {
            let message = "expected {min, limit, if} if `pay` contains `invoice`, else nothing";
            return Err(wrong_field(&format!("{path}/invoice"), FieldErrorCode::Missing, message));
        }
        if let Some(seller) = &rate.seller {
            let numbers = types.iter().filter(|decl| decl.split.is_some()).flat_map(|decl| &decl.fields);
            let numbers = numbers.filter(|field| field.field_type == FieldType::Int).map(|field| field.name.as_str());
            let numbers: Vec<&str> = numbers.collect();
            if !numbers.contains(&seller.field()) {
                let message = format!(
                    "`{}` is not a whole-number field of a type with `split`: expected {}",
                    seller.micros,
                    places_in("product", &numbers)
                );
                return Err(wrong_field(&format!("{path}/seller/micros"), FieldErrorCode::NotAllowed, message));
            }
        }
        if let Some(terms) = &rate.invoice {
            no_effect::check_invoice(terms, &format!("{path}/invoice"))?;
        }
        let Some(condition) = rate.invoice.as_ref().and_then(|terms| terms.condition.as_ref()) else { continue };
        let key = required(condition, &format!("{path}/invoice/if"))?;
        if !by_plans.contains(&key) {
            let message = format!("`{key}` is not granted by any plan: expected {}", allowed_of(&by_plans));
            return Err(wrong_field(&format!("{path}/invoice/if"), FieldErrorCode::NotAllowed, message));
        }
    }
    Ok(())
}

/// Checks a type's references to the rest of the catalog: families, entitlements, fields and configuration keys. An
/// unresolved reference would fail later, with a customer's event.
pub(crate) fn check_names(
    decl: &TypeDecl,
    types: &[TypeDecl],
    entitlements: &Entitlements,
    config: &[String],
    path: &str,
) -> Ruled<()> {
    let unknown = |what: String, name: &str, expected: String| {
        let message = format!("`{name}` is not declared: expected {expected}");
        Err(wrong_field(&format!("{path}/{what}"), FieldErrorCode::NotAllowed, message))
    };
    let one_of = |names: Vec<&str>| one_of(&names);
    let keys = || entitlements.keys().map(String::as_str).collect::<Vec<_>>();
    let is_declared = |key: &str| declared(entitlements, key).is_some();
    let used = decl.grants.keys().map(|key| ("grants", key)).chain(decl.consumes.keys().map(|key| ("consumes", key)));
    for (clause, key) in used {
        if !is_declared(key) {
            return unknown(format!("{clause}/{}", escaped(key)), key, one_of(keys()));
        }
    }
    no_effect::check_used_kinds(decl, entitlements, path)?;
    for (index, token) in decl.tokens.iter().enumerate() {
        let key = token.condition.entitlement().filter(|key| !is_declared(key));
        if let Some(key) = key {
            return unknown(format!("tokens/{index}/if"), key, allowed_of(&keys()));
        }
    }
    for (index, resource) in decl.provisions.iter().enumerate() {
        if let Some(key) = resource.quota.as_ref().filter(|key| !is_declared(key)) {
            return unknown(format!("provisions/{index}/quota"), key, one_of(keys()));
        }
    }
    // A condition that no plan can meet would fail later, with a customer's event.
    let plans = || types.iter().filter(|decl| decl.family.is_some());
    let by_plans: Vec<&str> = plans().flat_map(|decl| decl.grants.keys().map(String::as_str)).collect();
    let conditions = decl
        .grants
        .iter()
        .filter_map(|(key, granted)| Some((format!("grants/{}/if", escaped(key)), granted.condition()?)));
    let bought = decl.buy.as_ref().and_then(|buy| Some(("buy/if".to_owned(), buy.condition.as_ref()?)));
    for (place, condition) in conditions.chain(bought) {
        let key = required(condition, &format!("{path}/{place}"))?;
        if !by_plans.contains(&key) {
            let message = format!("`{key}` is not granted by any plan: expected {}", allowed_of(&by_plans));
            return Err(wrong_field(&format!("{path}/{place}"), FieldErrorCode::NotAllowed, message));
        }
    }
    let plan_fields =
        |link: &PlanLink| fields_of(types.iter().filter(|plan| plan.family.as_ref() == Some(&link.family)));
    if let Some(link) = &decl.plan {
        let mut families: Vec<&str> = types.iter().filter_map(|decl| decl.family.as_deref()).collect();
        families.sort_unstable();
        families.dedup();
        if !families.contains(&link.family.as_str()) {
            return unknown("plan/family".to_owned(), &link.family, one_of(families));
        }
        if let Some(fields) = plan_fields(link)
            && let Some((key, value)) = link
                .quotas
                .iter()
                .find(|(_, value)| !field_of(value, "plan").is_some_and(|field| fields.contains(&field)))
        {
            return unknown(format!("plan/quotas/{}", escaped(key)), value, places_in("plan", &fields));
        }
    }
    let own = config.iter().map(String::as_str);
    let settings: Vec<&str> = CONFIG.iter().map(|(key, ..)| *key).chain(own).collect();
    for (index, resource) in decl.provisions.iter().enumerate() {
        if let Some(condition) = &resource.condition
            && !resource.setting().is_some_and(|key| settings.contains(&key))
        {
            let keys: Vec<String> = settings.iter().map(|key| format!("config.{key}")).collect();
            let keys = keys.iter().map(String::as_str).collect();
            return unknown(format!("provisions/{index}/if"), &condition.to_string(), one_of(keys));
        }
        let mut words = vec![("instance", fields_of([decl].into_iter()))];
        words.extend(decl.plan.as_ref().map(|link| ("plan", plan_fields(link))));
        if let Some(variant) = &resource.variant {
            check_words(&places_of(variant), &words, &format!("{path}/provisions/{index}/variant"))?;
        }
        if let Some(limit) = &resource.at_most {
            check_words(&places_of(&limit.per), &words, &format!("{path}/provisions/{index}/at_most/per"))?;
        }
        words.extend([("id", Some(vec![""])), ("business", Some(vec![""])), ("config", Some(settings.clone()))]);
        let amounts = entitlements.iter().filter(|(_, decl)| decl.kind != EntitlementKind::Flag);
        words.push(("allowed", Some(amounts.map(|(key, _)| key.as_str()).collect())));
        words.extend(
            resource.comes_after(&decl.provisions).into_iter().map(|place| (&*decl.provisions[place].name, None)),
        );
        check_words(&places(&resource.with), &words, &format!("{path}/provisions/{index}/with"))?;
    }
    for (index, meter) in decl.meters.iter().enumerate() {
        if let Some(key) = meter.of.as_ref().filter(|key| !is_declared(key)) {
            return unknown(format!("meters/{index}/of"), key, one_of(keys()));
        }
    }
    check_addresses(decl, path)
}

/// Checks the templates of the public and the watched URL: they refer to resources, outputs and fields.
fn check_addresses(decl: &TypeDecl, path: &str) -> Ruled<()> {
    let resources: Vec<&str> = decl.provisions.iter().map(|resource| resource.name.as_str()).collect();
    for (index, rule) in decl.url.iter().enumerate() {
        if !resources.contains(&rule.resource.as_str()) {
            let message = format!("`{}` is not declared: expected {}", rule.resource, one_of(&resources));
            let place = format!("{path}/url/{index}/resource");
            return Err(wrong_field(&place, FieldErrorCode::NotAllowed, message));
        }
        let mut words = vec![("instance", fields_of([decl].into_iter()))];
        words.extend(resources.iter().map(|name| (*name, None)));
        check_words(&places_of(&rule.value), &words, &format!("{path}/url/{index}/value"))?;
    }
    let Some(watch) = &decl.watch else { return Ok(()) };
    let mut shown: Vec<&str> =
        decl.provisions.iter().flat_map(|resource| resource.outputs.keys()).map(|key| &**key).collect();
    shown.extend((!decl.url.is_empty()).then_some("url"));
    let words = [("instance", fields_of([decl].into_iter())), ("resources", Some(shown))];
    check_words(&places_of(&watch.url), &words, &format!("{path}/watch/url"))
}
