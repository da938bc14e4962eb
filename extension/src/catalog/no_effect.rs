//! Refuses clauses that would have no effect where they stand, since their author expects an effect.

use super::currencies::check_policy;
use super::currency_checks::check_amounts;
use super::entitlement::{EntitlementKind, Entitlements, declared};
use super::mistakes::Mistakes;
use super::price::Interval;
use super::product::Proposed;
use super::rate::{InvoiceTerms, Rates};
use super::sale::{self, Sale, TrialStart};
use super::schema::{Field, FieldType, PaidCredit, SetBy, TypeDecl};
use super::settings::{Policies, Settings};
use super::template::Scope;
use super::words::{is_word, one_of};
use crate::model::records::subscription::Pause;
use extension_contract::pointer::escaped;
use extension_contract::{FieldError, FieldErrorCode};
use serde_json::Value;

/// What a type expects whose clauses are for products of the catalog.
pub(super) const CATALOG_TRUE: &str = "`catalog: true`";

/// Checks a type's clauses that need another clause of the type.
pub(super) fn check_type(decl: &TypeDecl, path: &str, mistakes: &mut Mistakes) {
    let (is_plan, is_sold) = (decl.family.is_some(), decl.catalog);
    for (is_idle, clause, found, expected) in [
        (
            is_plan && !is_sold,
            "family",
            "`family` makes the products plans, and plans belong to the catalog",
            "`catalog: true`",
        ),
        (!decl.intervals.is_empty() && !is_sold, "intervals", "products of accounts have no prices", "`catalog: true`"),
        (
            !decl.grants.is_empty() && !is_sold,
            "grants",
            "products of accounts grant nothing",
            "`catalog: true`, or no `grants`",
        ),
        (
            !decl.consumes.is_empty() && is_sold,
            "consumes",
            "products of the catalog consume nothing",
            "a type without `catalog: true`",
        ),
        (
            !decl.provisions.is_empty() && is_sold,
            "provisions",
            "products of the catalog are never provisioned",
            "a type without `catalog: true`",
        ),
        (
            decl.plan.is_some() && is_sold,
            "plan",
            "plans pay for products of accounts",
            "a type without `catalog: true`",
        ),
        (
            decl.id_prefix.is_some() && is_sold,
            "id_prefix",
            "products of the catalog have the ids that they are given",
            "a type without `catalog: true`",
        ),
        (
            decl.id_by.is_some() && is_sold,
            "id_by",
            "products of the catalog have the ids that they are given",
            "a type without `catalog: true`",
        ),
        (
            !decl.meters.is_empty() && is_sold,
            "meters",
            "products of the catalog are not measured",
            "a type without `catalog: true`",
        ),
        (decl.refund.is_some() && !is_sold, "refund", "products of accounts are not paid", "`catalog: true`"),
        (decl.requires_plan() && !is_sold, "if", "products of accounts grant nothing", "`catalog: true`"),
        (decl.requires_plan() && is_plan, "if", "the products are plans themselves", "no `family`"),
        (
            decl.buy.as_ref().is_some_and(|buy| buy.adds) && !is_plan,
            "buy/adds",
            "only plans replace each other, and everything else adds up",
            "`family`",
        ),
        (decl.rank_by.is_some() && !is_plan, "rank_by", "only the plans of a family are ranked", "`family`"),
        (
            decl.watch.is_some() && decl.provisions.is_empty(),
            "watch",
            "products without resources are never running",
            "`provisions`",
        ),
    ] {
        let place = format!("{path}/{clause}");
        // If a type lacks one clause that several others need, this is reported once.
        let lacking = [CATALOG_TRUE, "`provisions`"].into_iter().find(|lacking| expected.starts_with(lacking));
        match lacking {
            Some(lacking) if is_idle => mistakes.lacks(path, lacking, &place, found, expected),
            None if is_idle => mistakes.wrong(&place, found, expected),
            _ => {}
        }
    }
}

/// Checks that a type uses each entitlement as its kind can be used.
pub(super) fn check_used_kinds(decl: &TypeDecl, entitlements: &Entitlements, path: &str, mistakes: &mut Mistakes) {
    let kind_of = |key: &str| declared(entitlements, key).map(|decl| decl.kind);
    for key in decl.consumes.keys().filter(|key| kind_of(key) == Some(EntitlementKind::Flag)) {
        let (found, expected) =
            (format!("`{key}` is a flag, of which nothing is used up"), "an entitlement with `kind: limit`");
        mistakes.wrong(&format!("{path}/consumes/{}", escaped(key)), found, expected);
    }
    for (index, resource) in decl.provisions.iter().enumerate() {
        let Some(key) = &resource.quota else { continue };
        if let Some(kind) = kind_of(key).filter(|kind| *kind != EntitlementKind::Limit) {
            let (found, expected) = (
                format!("`{key}` is a {}, and contents count against a limit", kind.name()),
                "an entitlement with `kind: limit`",
            );
            mistakes.wrong(&format!("{path}/provisions/{index}/quota"), found, expected);
        }
    }
}

/// Checks that a type grants each declared entitlement. Nobody has an amount of the others.
pub(crate) fn check_granted(declared: &Entitlements, types: &[TypeDecl], mistakes: &mut Mistakes) {
    let grants = |key: &str| {
        let is_of = |granted: &String| granted == key || granted.split_once(':').is_some_and(|(of, _)| of == key);
        types.iter().any(|decl| decl.grants.keys().any(is_of))
    };
    for key in declared.keys().filter(|key| !grants(key)) {
        let (found, expected) = (
            format!("nothing that is sold gives `{key}`, so nobody has it"),
            format!("`{key}: …` in a plan, an add-on or a pack, or `grants: {{{key}: …}}` in a type"),
        );
        mistakes.absent(&["product_types"], &format!("/entitlements/{}", escaped(key)), found, expected);
    }
}

/// Checks the policy `members`: the entitlement is a limit that nothing else uses.
pub(crate) fn check_members(
    named: Option<&str>,
    entitlements: &Entitlements,
    types: &[TypeDecl],
    mistakes: &mut Mistakes,
) {
    let (Some(key), path) = (named, "/policies/members") else { return };
    let expected = "an entitlement with `kind: limit` that only members use";
    match declared(entitlements, key).map(|decl| decl.kind) {
        None => {
            let known: Vec<&str> = entitlements.keys().map(String::as_str).collect();
            mistakes.unknown(path, key, "is not an entitlement", one_of(&known));
        }
        Some(EntitlementKind::Limit) => {
            if let Some(user) = types.iter().find(|decl| decl.consumes.contains_key(key)) {
                mistakes.wrong(path, format!("products of type {} use `{key}`, too", user.name), expected);
            }
        }
        Some(kind) => mistakes.wrong(path, format!("`{key}` is a {}", kind.name()), expected),
    }
}

/// Checks the amounts of an invoice: usage is admitted until an invoice is due.
pub(super) fn check_invoice(terms: &InvoiceTerms, path: &str, mistakes: &mut Mistakes) {
    for (index, _) in terms.alerts.iter().enumerate().filter(|(_, percent)| !(1..=100).contains(*percent)) {
        let place = format!("{path}/alerts/{index}");
        mistakes.add(&place, FieldErrorCode::OutOfRange, "", "a percentage from 1 to 100");
    }
    match terms.limit {
        _ if terms.min < 0 => {
            mistakes.add(&format!("{path}/min"), FieldErrorCode::OutOfRange, "", "at least 0");
        }
        Some(limit) if limit < terms.min => {
            let (found, expected) =
                (format!("no month reaches the `min` of {}", terms.min), format!("at least {}", terms.min));
            mistakes.add(&format!("{path}/limit"), FieldErrorCode::OutOfRange, found, expected);
        }
        _ => {}
    }
}

/// Checks the policies: the currency, and that the mails which `written` asks for can come. A default is never refused.
pub(crate) fn check_policies(policies: &Policies, written: &Value, mistakes: &mut Mistakes) {
    check_policy(&policies.currency, mistakes);
    let is_written = |policy: &str| written["policies"].get(policy).is_some();
    let reasons = &policies.cancel_reasons;
    if reasons.is_empty() && is_written("cancel_reasons") {
        let expected = "at least one reason; without the policy, a reason is any text";
        mistakes.wrong("/policies/cancel_reasons", "no reason could be given", expected);
    }
    for (index, reason) in reasons.iter().enumerate() {
        let path = format!("/policies/cancel_reasons/{index}");
        if !is_word(reason) {
            let (found, expected) = (format!("`{reason}` is not a word"), "such as too_expensive: a-z, 0-9 and `_`");
            mistakes.wrong(&path, found, expected);
        } else if reasons[..index].contains(reason) {
            mistakes.wrong(&path, format!("`{reason}` is listed twice"), "it once");
        }
    }
    let late = policies.dunning.iter().position(|delay| !delay.is_zero() && *delay >= policies.grace);
    if let Some(index) = late.filter(|_| is_written("dunning")) {
        let (found, expected) = (
            format!("the grace period ends after {}, and with it the reminders", policies.grace),
            "a shorter time, or a longer `grace`",
        );
        mistakes.wrong(&format!("/policies/dunning/{index}"), found, expected);
    }
    let early = policies.notice.iter().position(|delay| *delay > policies.archive_after);
    if let Some(index) = early.filter(|_| is_written("notice")) {
        let (found, expected) = (
            format!("an archive comes {} after the suspension", policies.archive_after),
            "at most this time, or a longer `archive_after`",
        );
        mistakes.wrong(&format!("/policies/notice/{index}"), found, expected);
    }
}

/// Checks the members of a field that its type does not use. `path` is the field's. Returns true if one is wrong.
pub(super) fn check_field(field: &Field, path: &str, mistakes: &mut Mistakes) -> bool {
    let mut is_wrong = false;
    let of = field.field_type;
    let is_number = matches!(of, FieldType::Int | FieldType::Money);
    let is_text = of == FieldType::String;
    let is_word = is_text || of == FieldType::Enum;
    for (is_idle, member, found, expected) in [
        (field.min.is_some() && !is_number, "min", "only numbers have it", "`type: int` or `min_length`"),
        (field.unlimited && of != FieldType::Int, "unlimited", "only whole numbers have it", "`type: int`"),
        (field.max.is_some() && !is_number, "max", "only numbers have it", "`type: int` or `max_length`"),
        (field.min_length.is_some() && !is_text, "min_length", "only texts have it", "`type: string` or `min`"),
        (field.max_length.is_some() && !is_text, "max_length", "only texts have it", "`type: string` or `max`"),
        (field.format.is_some() && !is_text, "format", "only texts have it", "`type: string`"),
        (!field.reserved.is_empty() && !is_word, "reserved", "only texts have it", "`type: string`"),
        (field.lowercase && !is_word, "lowercase", "only texts have it", "`type: string`"),
        (field.from_name && !is_text, "from_name", "only texts have it", "`type: string`"),
        (field.from_name && field.default.is_some(), "default", "the name is the default", "`from_name` alone"),
        (field.source_of.is_some() && !is_text, "source_of", "a source is a text", "`type: string`"),
        (
            field.source_of.is_some() && (field.set_by != SetBy::Service || field.required || field.default.is_some()),
            "source_of",
            "nobody gives the value",
            "`set_by: service`, and neither `required` nor `default`",
        ),
        (!field.options.is_empty() && of != FieldType::Enum, "options", "only an enum has it", "`type: enum`"),
        (field.options.is_empty() && of == FieldType::Enum, "options", "no value would be allowed", "its options"),
        (!field.aliases.is_empty() && !is_word, "aliases", "only an enum has it", "`type: enum`"),
    ] {
        if is_idle {
            let error = FieldError::new(format!("{path}/{member}"), FieldErrorCode::NotAllowed, found);
            // Another member has this meaning for a value of this type.
            let other = match (member, is_number, is_text) {
                ("min", _, true) => Some("min_length"),
                ("max", _, true) => Some("max_length"),
                ("min_length", true, _) => Some("min"),
                ("max_length", true, _) => Some("max"),
                _ => None,
            };
            mistakes.push(error.expecting(expected).meaning(other.map(str::to_owned)));
            is_wrong = true;
        }
    }
    if is_wrong {
        return true;
    }
    let lengths = (field.min_length.map(i64::from), field.max_length.map(i64::from));
    for (name, (least, most)) in [("min", (field.min, field.max)), ("min_length", lengths)] {
        if least.zip(most).is_some_and(|(least, most)| least > most) {
            mistakes.wrong(&format!("{path}/{name}"), "no value would be allowed", "at most the maximum");
            is_wrong = true;
        }
    }
    for (alias, option) in &field.aliases {
        if of == FieldType::Enum && !field.options.contains(option) {
            let path = format!("{path}/aliases/{}", escaped(alias));
            mistakes.unknown_in(&path, &path, option, "is not an option", one_of(&field.options));
            is_wrong = true;
        }
    }
    is_wrong
}

/// Checks that a field whose value is an amount has no negative minimum: no amount is negative.
pub(super) fn check_bound(decl: &TypeDecl, name: &str, path: &str, mistakes: &mut Mistakes) {
    if decl.field(name).is_some_and(|field| field.min.is_some_and(|least| least < 0)) {
        mistakes.wrong(path, format!("`{name}` may be negative"), "`unlimited: true` in place of its `min`");
    }
}

/// Checks that no meter of a type has a rate: the rate would take all measurements of the meter.
pub(super) fn check_meters(rates: &Rates, types: &[TypeDecl], mistakes: &mut Mistakes) {
    for decl in types {
        if let Some(meter) = decl.measured().find(|meter| rates.contains_key(&meter.meter)) {
            let (name, of) = (&meter.meter, &decl.name);
            let (found, expected) = (
                format!("`{name}` is a meter of `{of}`, and measurements with a price are not counted for products"),
                "another name",
            );
            // A meter with `every` has a rate.
            mistakes.absent(&["product_types"], &format!("/rates/{}", escaped(name)), found, expected);
        }
    }
}

/// Checks that a type with `refund` has a product that is paid once, if it has any: the first period of a subscription is refunded on
/// request only if its product itself has `refund`.
pub(crate) fn check_refunds(
    decls: &[(usize, TypeDecl)],
    products: &[(usize, String, Proposed)],
    currency: &str,
    mistakes: &mut Mistakes,
) {
    for (index, decl) in decls.iter().filter(|(_, decl)| decl.refund.is_some()) {
        let of_type = products.iter().filter(|(.., product)| product.decl.name == decl.name);
        let mut prices = of_type.flat_map(|(.., product)| product.prices(currency)).peekable();
        if prices.peek().is_some() && prices.all(|price| price.interval != Interval::Once) {
            let (found, expected) = (
                "`refund` of a type is about one-time payments, and no product of the type has one",
                "a price `once`, or `refund` of each product",
            );
            mistakes.wrong(&format!("/product_types/{index}/refund"), found, expected);
        }
    }
}

/// Checks that the terms of a product have an effect on one of its prices, and that Stripe charges the smallest purchase.
pub(crate) fn check_sale(proposed: &Proposed, path: &str, settings: &Settings, mistakes: &mut Mistakes) {
    let (metadata, prices) = (&proposed.metadata, proposed.prices(&settings.currency));
    let terms = Sale::of(&proposed.decl, metadata).unwrap_or_default();
    check_amounts(proposed, (terms.quantities().0, terms.checkout_trial().is_some()), path, settings, mistakes);
    let has = |once: bool| prices.iter().any(|price| (price.interval == Interval::Once) == once);
    check_trial(proposed, &terms, &format!("{path}/{}", sale::TRIAL), mistakes);
    for (name, is_idle, found, expected) in [
        (
            sale::TRIAL,
            !has(false),
            "a trial comes before the first payment of a subscription",
            "a price by month or year",
        ),
        (sale::REFUND, prices.is_empty(), "nothing is paid for a product without a price", "a price"),
        (
            sale::PAUSE,
            !has(false) || proposed.decl.family.is_none(),
            "only a subscription to a plan is paused",
            "a plan with a price by month or year",
        ),
        (sale::QUANTITY, prices.is_empty(), "a product without a price is not sold", "a price"),
    ] {
        if is_idle && metadata.get(name).is_some_and(|value| !value.is_null()) {
            mistakes.wrong(&format!("{path}/{name}"), found, expected);
        }
    }
}

/// Checks that each member of a trial has an effect.
fn check_trial(proposed: &Proposed, terms: &Sale, path: &str, mistakes: &mut Mistakes) {
    let Some(trial) = &terms.trial else { return };
    let has = |member: &str| proposed.metadata.get(sale::TRIAL).is_some_and(|trial| trial.get(member).is_some());
    let at_sign_up = trial.at == TrialStart::SignUp;
    if at_sign_up && proposed.decl.family.is_none() {
        mistakes.wrong(&format!("{path}/at"), "only plans are tried from the sign-up on", "`at: sign_up` of a plan");
    }
    if at_sign_up && proposed.is_default {
        mistakes.wrong(&format!("{path}/at"), "the default plan is in force without a trial", "a plan with a price");
    }
    if at_sign_up && has("card") {
        let found = "a trial from the sign-up on has no checkout, so nothing asks for a card";
        mistakes.wrong(&format!("{path}/card"), found, "no `card`");
    }
    if has("then") && !trial.may_end_unpaid() {
        let found = "the card of this trial is charged at its end";
        mistakes.wrong(&format!("{path}/then"), found, "`card: optional`, or `at: sign_up`");
    }
}

/// Checks that one plan at most is tried from the sign-up on, since an account tries one.
pub(crate) fn check_sign_up(products: &[(usize, String, Proposed)], mistakes: &mut Mistakes) {
    let begins = |proposed: &Proposed| {
        let terms = Sale::of(&proposed.decl, &proposed.metadata).unwrap_or_default();
        proposed.values.active && terms.trial.is_some_and(|trial| trial.at == TrialStart::SignUp)
    };
    let mut tried = products.iter().filter(|(.., proposed)| begins(proposed));
    let Some((_, first, _)) = tried.next() else { return };
    for (index, ..) in tried {
        let found = format!("`{first}` has the trial from the sign-up on");
        let expected = "one plan with `at: sign_up`";
        mistakes.add(&format!("/products/{index}/{}/at", sale::TRIAL), FieldErrorCode::Taken, found, expected);
    }
}

/// Checks that a plan which can be paused grants nothing meanwhile: otherwise it would go on for nothing.
pub(crate) fn check_pauses(products: &[(usize, String, Proposed)], settings: &Settings, mistakes: &mut Mistakes) {
    if settings.suspend_on_pause.contains(&Pause::Void) {
        return;
    }
    for (index, ..) in products.iter().filter(|(.., product)| product.metadata.contains_key(sale::PAUSE)) {
        let found = "a paused plan would go on without payments";
        let expected = "`suspend_on_pause: [void]` in the policies of business.yml";
        mistakes.wrong(&format!("/products/{index}/{}", sale::PAUSE), found, expected);
    }
}

/// Checks that each payment of a product with credits gives some, in each currency.
pub(crate) fn check_credits(
    decls: &[(usize, TypeDecl)],
    products: &[(usize, String, Proposed)],
    currency: &str,
    mistakes: &mut Mistakes,
) {
    for (_, decl) in decls.iter().filter(|(_, decl)| !decl.on_paid.is_empty()) {
        let of_type = products.iter().filter(|(.., product)| product.decl.name == decl.name);
        for (place, id, product) in of_type {
            let scope = Scope::default().object("product", &product.metadata);
            let lacks = |left: &&PaidCredit| left.credit.of(&scope).is_none_or(|credits| credits <= 0);
            let without: Vec<&PaidCredit> = decl.on_paid.iter().filter(lacks).collect();
            if without.len() == decl.on_paid.len() {
                continue;
            }
            if product.prices(currency).is_empty() {
                let found = format!("`{id}` has no price, so no payment adds its credits");
                mistakes.wrong(&format!("/products/{place}"), found, "a price, or no credits");
            }
            if let Some(left) = without.first() {
                let code = left.currency.as_deref().unwrap_or(currency);
                let found = format!("a payment of `{id}` in {code} gives no credits, and in another currency it does");
                mistakes.wrong(&format!("/products/{place}"), found, "credits in each currency");
            }
        }
    }
}

/// Checks that automatic top-ups have something to buy.
pub(crate) fn check_top_up(
    settings: &Settings,
    products: &[(usize, String, Proposed)],
    is_partial: bool,
    mistakes: &mut Mistakes,
) {
    const PATH: &str = "/policies/top_up";
    let Some(terms) = &settings.top_up else { return };
    if terms.at_most < 1 {
        let (found, expected) = (terms.at_most.to_string(), "a positive amount in minor units");
        mistakes.add(&format!("{PATH}/at_most"), FieldErrorCode::OutOfRange, found, expected);
    }
    let is_credit = |product: &Proposed| {
        let prices = product.prices(&settings.currency);
        let once = prices.iter().find(|price| price.interval == Interval::Once);
        !product.decl.on_paid.is_empty() && once.is_some_and(|price| price.amount.amount_minor <= terms.at_most)
    };
    // Another mistake may be why there is nothing.
    if !is_partial && mistakes.is_empty() && !products.iter().any(|(.., product)| is_credit(product)) {
        let expected = "a product that is sold once for at most this amount, and gives credits";
        mistakes.wrong(PATH, "there is nothing to buy", expected);
    }
}

/// Checks that no field is `personal` if personal data is never erased.
pub(crate) fn check_personal(decls: &[(usize, TypeDecl)], erases: bool, mistakes: &mut Mistakes) {
    for (index, decl) in decls.iter().filter(|_| !erases) {
        for (field, _) in decl.fields.iter().enumerate().filter(|(_, field)| field.personal) {
            let (found, expected) = ("no data is erased without `erase_after`", "this policy in business.yml");
            mistakes.wrong(&format!("/product_types/{index}/fields/{field}/personal"), found, expected);
        }
    }
}

/// Checks that no type has the condition `plan` if each of its buyers has a default plan: the condition would always be true.
pub(crate) fn check_conditions(
    decls: &[(usize, TypeDecl)],
    products: &[(usize, String, Proposed)],
    mistakes: &mut Mistakes,
) {
    let buyers = |decl: &TypeDecl| decl.buy.as_ref().and_then(|buy| buy.account);
    for (index, decl) in decls.iter().filter(|(_, decl)| decl.requires_plan()) {
        let is_for_all = |of: &TypeDecl| buyers(of).is_none() || buyers(of) == buyers(decl);
        if let Some((_, id, _)) = products.iter().find(|(.., product)| product.is_default && is_for_all(&product.decl))
        {
            let (found, expected) = (
                format!("the default plan `{id}` counts as a plan, so the condition is always true"),
                "`buy: {if: allowed.ENTITLEMENT}`",
            );
            mistakes.wrong(&format!("/product_types/{index}/if"), found, expected);
        }
    }
}
