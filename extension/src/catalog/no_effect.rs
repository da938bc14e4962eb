//! Refuses clauses that would have no effect where they stand, since their author expects an effect.

use super::entitlement::{EntitlementKind, Entitlements, declared};
use super::price::Interval;
use super::product::Proposed;
use super::rate::{InvoiceTerms, Rates};
use super::schema::{Field, FieldType, SetBy, TypeDecl};
use super::settings::Policies;
use super::words::escaped;
use crate::model::halt::{Halt, Ruled, wrong_field};
use crate::model::json::Object;
use crate::model::money::is_currency;
use extension_contract::FieldErrorCode;

fn refused(path: &str, message: &str) -> Halt {
    wrong_field(path, FieldErrorCode::NotAllowed, message)
}

/// Checks a type's clauses that need another clause of the type.
pub(super) fn check_type(decl: &TypeDecl, path: &str) -> Ruled<()> {
    let (is_plan, is_sold) = (decl.family.is_some(), decl.catalog);
    for (is_idle, clause, message) in [
        (
            is_plan && !is_sold,
            "catalog",
            "`family` makes the products plans, and plans belong to the catalog: expected `catalog: true`",
        ),
        (
            !decl.intervals.is_empty() && !is_sold,
            "intervals",
            "products of accounts have no prices: expected `catalog: true`",
        ),
        (
            !decl.grants.is_empty() && !is_sold,
            "grants",
            "products of accounts grant nothing: expected `catalog: true`, or no `grants`",
        ),
        (
            !decl.consumes.is_empty() && is_sold,
            "consumes",
            "products of the catalog consume nothing: expected a type without `catalog: true`",
        ),
        (
            !decl.provisions.is_empty() && is_sold,
            "provisions",
            "products of the catalog are never provisioned: expected a type without `catalog: true`",
        ),
        (
            decl.plan.is_some() && is_sold,
            "plan",
            "plans pay for products of accounts: expected a type without `catalog: true`",
        ),
        (
            decl.id_prefix.is_some() && is_sold,
            "id_prefix",
            "products of the catalog have the ids that they are given: expected a type without `catalog: true`",
        ),
        (
            decl.id_by.is_some() && is_sold,
            "id_by",
            "products of the catalog have the ids that they are given: expected a type without `catalog: true`",
        ),
        (
            !decl.meters.is_empty() && is_sold,
            "meters",
            "products of the catalog are not measured: expected a type without `catalog: true`",
        ),
        (decl.refund.is_some() && !is_sold, "refund", "products of accounts are not paid: expected `catalog: true`"),
        (decl.requires_plan() && !is_sold, "if", "products of accounts grant nothing: expected `catalog: true`"),
        (decl.requires_plan() && is_plan, "if", "the products are plans themselves: expected no `family`"),
        (
            decl.buy.as_ref().is_some_and(|buy| buy.adds) && !is_plan,
            "buy/adds",
            "only plans replace each other, and everything else adds up: expected `family`",
        ),
        (decl.rank_by.is_some() && !is_plan, "rank_by", "only the plans of a family are ranked: expected `family`"),
        (
            decl.watch.is_some() && decl.provisions.is_empty(),
            "watch",
            "products without resources are never running: expected `provisions`",
        ),
    ] {
        if is_idle {
            return Err(refused(&format!("{path}/{clause}"), message));
        }
    }
    Ok(())
}

/// Checks that a type uses each entitlement as its kind can be used.
pub(super) fn check_used_kinds(decl: &TypeDecl, entitlements: &Entitlements, path: &str) -> Ruled<()> {
    let kind_of = |key: &str| declared(entitlements, key).map(|decl| decl.kind);
    if let Some(key) = decl.consumes.keys().find(|key| kind_of(key) == Some(EntitlementKind::Flag)) {
        let message =
            format!("`{key}` is a flag, of which nothing is used up: expected an entitlement with `kind: limit`");
        return Err(refused(&format!("{path}/consumes/{}", escaped(key)), &message));
    }
    for (index, resource) in decl.provisions.iter().enumerate() {
        let Some(key) = &resource.quota else { continue };
        if let Some(kind) = kind_of(key).filter(|kind| *kind != EntitlementKind::Limit) {
            let message = format!(
                "`{key}` is a {}, and contents count against a limit: expected an entitlement with `kind: limit`",
                kind.name()
            );
            return Err(refused(&format!("{path}/provisions/{index}/quota"), &message));
        }
    }
    Ok(())
}

/// Checks that a type grants each declared entitlement. Nobody has an amount of the others.
pub(crate) fn check_granted(declared: &Entitlements, types: &[TypeDecl]) -> Ruled<()> {
    let grants = |key: &str| {
        let is_of = |granted: &String| granted == key || granted.split_once(':').is_some_and(|(of, _)| of == key);
        types.iter().any(|decl| decl.grants.keys().any(is_of))
    };
    match declared.keys().find(|key| !grants(key)) {
        None => Ok(()),
        Some(key) => {
            let message =
                format!("no type grants `{key}`, so nobody has it: expected `grants: {{{key}: …}}` in a type");
            Err(refused(&format!("/entitlements/{}", escaped(key)), &message))
        }
    }
}

/// Checks the amounts of an invoice: usage is admitted until an invoice is due.
pub(super) fn check_invoice(terms: &InvoiceTerms, path: &str) -> Ruled<()> {
    let out_of_range = |place: &str, message: String| {
        Err(wrong_field(&format!("{path}/{place}"), FieldErrorCode::OutOfRange, message))
    };
    match terms.limit {
        _ if terms.min < 0 => out_of_range("min", "expected at least 0".to_owned()),
        Some(limit) if limit < terms.min => {
            out_of_range("limit", format!("no month reaches the `min` of {0}: expected at least {0}", terms.min))
        }
        _ => Ok(()),
    }
}

/// Checks the policies: the currency, and that the mails which `written` asks for can come. A default is never refused.
pub(crate) fn check_policies(policies: &Policies, written: &Object) -> Ruled<()> {
    if !is_currency(&policies.currency) {
        let message = format!(
            "`{}` is not a currency that Stripe takes: expected its code of ISO 4217 in lower case, such as usd or eur",
            policies.currency
        );
        return Err(refused("/policies/currency", &message));
    }
    let is_written = |policy: &str| written.contains_key(policy);
    let late = policies.dunning.iter().position(|delay| !delay.is_zero() && *delay >= policies.grace);
    if let Some(index) = late.filter(|_| is_written("dunning")) {
        let message = format!(
            "the grace period ends after {}, and with it the reminders: expected a shorter time, or a longer `grace`",
            policies.grace
        );
        return Err(refused(&format!("/policies/dunning/{index}"), &message));
    }
    let early = policies.notice.iter().position(|delay| *delay > policies.archive_after);
    if let Some(index) = early.filter(|_| is_written("notice")) {
        let message = format!(
            "an archive comes {} after the suspension: expected at most this time, or a longer `archive_after`",
            policies.archive_after
        );
        return Err(refused(&format!("/policies/notice/{index}"), &message));
    }
    Ok(())
}

/// Checks the members of a field that its type does not use. `path` is the field's.
pub(super) fn check_field(field: &Field, path: &str) -> Ruled<()> {
    let of = field.field_type;
    let is_number = matches!(of, FieldType::Int | FieldType::Money);
    let is_text = of == FieldType::String;
    let is_word = is_text || of == FieldType::Enum;
    for (is_idle, member, message) in [
        (field.min.is_some() && !is_number, "min", "only numbers have it: expected `type: int` or `min_length`"),
        (field.unlimited && of != FieldType::Int, "unlimited", "only whole numbers have it: expected `type: int`"),
        (field.max.is_some() && !is_number, "max", "only numbers have it: expected `type: int` or `max_length`"),
        (field.min_length.is_some() && !is_text, "min_length", "only texts have it: expected `type: string` or `min`"),
        (field.max_length.is_some() && !is_text, "max_length", "only texts have it: expected `type: string` or `max`"),
        (field.format.is_some() && !is_text, "format", "only texts have it: expected `type: string`"),
        (!field.reserved.is_empty() && !is_word, "reserved", "only texts have it: expected `type: string`"),
        (field.lowercase && !is_word, "lowercase", "only texts have it: expected `type: string`"),
        (field.from_name && !is_text, "from_name", "only texts have it: expected `type: string`"),
        (field.from_name && field.default.is_some(), "default", "the name is the default: expected `from_name` alone"),
        (field.source_of.is_some() && !is_text, "source_of", "a source is a text: expected `type: string`"),
        (
            field.source_of.is_some() && (field.set_by != SetBy::Service || field.required || field.default.is_some()),
            "source_of",
            "nobody gives the value: expected `set_by: service`, and neither `required` nor `default`",
        ),
        (!field.options.is_empty() && of != FieldType::Enum, "options", "only an enum has it: expected `type: enum`"),
        (
            field.options.is_empty() && of == FieldType::Enum,
            "options",
            "no value would be allowed: expected its options",
        ),
        (!field.aliases.is_empty() && !is_word, "aliases", "only an enum has it: expected `type: enum`"),
    ] {
        if is_idle {
            return Err(refused(&format!("{path}/{member}"), message));
        }
    }
    let lengths = (field.min_length.map(i64::from), field.max_length.map(i64::from));
    for (name, (least, most)) in [("min", (field.min, field.max)), ("min_length", lengths)] {
        if least.zip(most).is_some_and(|(least, most)| least > most) {
            return Err(refused(&format!("{path}/{name}"), "no value would be allowed: expected at most the maximum"));
        }
    }
    match field.aliases.iter().find(|(_, option)| of == FieldType::Enum && !field.options.contains(option)) {
        None => Ok(()),
        Some((alias, option)) => {
            let message = format!("`{option}` is no option: expected one of {}", field.options.join(", "));
            Err(refused(&format!("{path}/aliases/{}", escaped(alias)), &message))
        }
    }
}

/// Checks that a field whose value is an amount has no negative minimum: no amount is negative.
pub(super) fn check_bound(decl: &TypeDecl, name: &str, path: &str) -> Ruled<()> {
    match decl.field(name).is_some_and(|field| field.min.is_some_and(|least| least < 0)) {
        true => {
            Err(refused(path, &format!("`{name}` may be negative: expected `unlimited: true` in place of its `min`")))
        }
        false => Ok(()),
    }
}

/// Checks that no meter of a type has a rate: the rate would take all measurements of the meter.
pub(super) fn check_meters(rates: &Rates, types: &[TypeDecl]) -> Ruled<()> {
    for decl in types {
        if let Some(meter) = decl.meters.iter().find(|meter| rates.contains_key(&meter.meter)) {
            let (name, of) = (&meter.meter, &decl.name);
            let message = format!(
                "`{name}` is a meter of `{of}`, and measurements with a price are not counted for products: expected another name"
            );
            return Err(refused(&format!("/rates/{}", escaped(name)), &message));
        }
    }
    Ok(())
}

/// Checks that a type with `refund` has a product that is paid once, if it has any: other payments are not refunded on request.
pub(crate) fn check_refunds(decls: &[TypeDecl], products: &[(String, Proposed)], currency: &str) -> Ruled<()> {
    for (index, decl) in decls.iter().enumerate().filter(|(_, decl)| decl.refund.is_some()) {
        let of_type = products.iter().filter(|(_, product)| product.decl.name == decl.name);
        let mut prices = of_type.flat_map(|(_, product)| product.prices(currency)).peekable();
        if prices.peek().is_some() && prices.all(|price| price.interval != Interval::Once) {
            let message = "only a one-time payment is refunded on request, and no product of the type has one: expected a price `once`";
            return Err(refused(&format!("/product_types/{index}/refund"), message));
        }
    }
    Ok(())
}

/// Checks that no type with credits has a recurring price: only a one-time payment gives credits.
pub(crate) fn check_credits(decls: &[TypeDecl], products: &[(String, Proposed)], currency: &str) -> Ruled<()> {
    for (index, decl) in decls.iter().enumerate().filter(|(_, decl)| !decl.on_paid.is_empty()) {
        let of_type = products.iter().filter(|(_, product)| product.decl.name == decl.name);
        for (id, product) in of_type {
            if let Some(price) = product.prices(currency).iter().find(|price| price.interval != Interval::Once) {
                let message = format!(
                    "only a one-time payment gives credits, and `{id}` has a price `{}`: expected only prices `once`",
                    price.interval.name()
                );
                return Err(refused(&format!("/product_types/{index}/on_paid"), &message));
            }
        }
    }
    Ok(())
}

/// Checks that no field is `personal` if personal data is never erased.
pub(crate) fn check_personal(decls: &[TypeDecl], erases: bool) -> Ruled<()> {
    for (index, decl) in decls.iter().enumerate().filter(|_| !erases) {
        if let Some(field) = decl.fields.iter().position(|field| field.personal) {
            let message = "no data is erased without `erase_after`: expected this policy in business.yml";
            return Err(refused(&format!("/product_types/{index}/fields/{field}/personal"), message));
        }
    }
    Ok(())
}

/// Checks that no type has the condition `plan` if each of its buyers has a default plan: the condition would always be true.
pub(crate) fn check_conditions(decls: &[TypeDecl], products: &[(String, Proposed)]) -> Ruled<()> {
    let buyers = |decl: &TypeDecl| decl.buy.as_ref().and_then(|buy| buy.account);
    for (index, decl) in decls.iter().enumerate().filter(|(_, decl)| decl.requires_plan()) {
        let is_for_all = |of: &TypeDecl| buyers(of).is_none() || buyers(of) == buyers(decl);
        if let Some((id, _)) = products.iter().find(|(_, product)| product.is_default && is_for_all(&product.decl)) {
            let message = format!(
                "the default plan `{id}` counts as a plan, so the condition is always true: expected `buy: {{if: allowed.ENTITLEMENT}}`"
            );
            return Err(refused(&format!("/product_types/{index}/if"), &message));
        }
    }
    Ok(())
}
