//! Clauses of `product_types`: the type as a whole, its sale, its grants and its tokens.

use super::instances;
use crate::coverage::account_state::AccountState;
use crate::coverage::clause::{Clause, entries, text, values};
use crate::coverage::template::matches_template;
use serde_json::Value;

/// A product type of a catalog: name, JSON Pointer and declaration.
pub(super) struct TypeDecl<'c> {
    pub name: String,
    pub at: String,
    pub decl: &'c Value,
}

impl TypeDecl<'_> {
    /// A clause of the type.
    pub fn clause(
        &self,
        part: &str,
        pointer: &str,
        touched: &'static str,
        test: impl Fn(&AccountState, &str) -> bool + 'static,
    ) -> Clause {
        let product_type = self.name.clone();
        Clause::new(format!("{} {part}", self.name), pointer, touched, move |state| test(state, &product_type))
    }

    /// A clause of the type for a member, if the type has the member.
    fn member(
        &self,
        member: &str,
        touched: &'static str,
        test: impl Fn(&AccountState, &str) -> bool + 'static,
    ) -> Option<Clause> {
        let is_present = self.decl.get(member).is_some_and(|value| !value.is_null());
        is_present.then(|| self.clause(member, &format!("{}/{member}", self.at), touched, test))
    }
}

/// The clauses of all types. An entry that is only a string refers to a loaded type and has no clauses.
pub(crate) fn of_types(catalog: &Value) -> Vec<Clause> {
    let mut found = Vec::new();
    for (at, decl) in values(&catalog["product_types"], "/product_types") {
        let of = TypeDecl { name: text(&decl["name"]), at, decl };
        if of.name.is_empty() {
            continue;
        }
        found.push(whole_type(&of));
        found.extend(sales(&of));
        found.extend(grants(&of));
        found.extend(instances::of_type(&of));
    }
    found
}

fn whole_type(of: &TypeDecl<'_>) -> Clause {
    let name = of.name.clone();
    let how = "an account has an instance of the type, buys or subscribes to a product of it, or has its default plan";
    Clause::new(format!("type {name}"), of.at.clone(), how, move |state| {
        state.instances_of(&name).next().is_some()
            || state.purchases.iter().any(|bought| bought.product_type == name)
            || state.subscribed.iter().any(|(_, product_type)| *product_type == name)
            || state.entitlements.iter().any(|entitlement| is_granted_by(state, entitlement, &name))
    })
}

fn is_granted_by(state: &AccountState, entitlement: &extension_contract::Entitlement, product_type: &str) -> bool {
    state.granted_by(entitlement).any(|product| state.type_of(product) == Some(product_type))
}

/// The clauses of `buy`, `on_paid`, `refund`, `split` and `listing`.
fn sales(of: &TypeDecl<'_>) -> Vec<Clause> {
    let sale = |state: &AccountState, product_type: &str| {
        state.records("sales").any(|(_, sale)| state.type_of(&text(&sale["product"])) == Some(product_type))
    };
    let listed = |state: &AccountState, product_type: &str| {
        state.records("listings").any(|(product, _)| state.type_of(product) == Some(product_type))
    };
    let refunded = |state: &AccountState, product_type: &str| {
        let asked =
            |purchase: &str| state.effects.iter().any(|asked| asked.key.starts_with(&format!("refund:{purchase}:")));
        let mut of_type = state.purchases.iter().filter(|bought| bought.product_type == product_type);
        of_type.any(|bought| bought.is_given_back || asked(&bought.purchase))
    };
    let clauses = [
        of.member("buy", "a purchase of a product of the type is started", |state, product_type| {
            state.purchases.iter().any(|bought| bought.product_type == product_type)
        }),
        of.member("on_paid", "a product of the type is paid for", |state, product_type| {
            state.purchases.iter().any(|bought| bought.product_type == product_type && bought.is_paid)
        }),
        of.member("refund", "a payment for a product of the type is refunded, or the refund is requested", refunded),
        of.member("split", "a product of the type with a revenue share is sold", sale),
        of.member("listing", "an account lists a product of the type", listed),
    ];
    clauses.into_iter().flatten().collect()
}

/// The clauses of `grants` and `tokens`.
fn grants(of: &TypeDecl<'_>) -> Vec<Clause> {
    let mut found = Vec::new();
    for (key, at, _) in entries(&of.decl["grants"], &format!("{}/grants", of.at)) {
        let part = format!("grants/{key}");
        let how = "an account has the entitlement, and a product of the type is one of its sources";
        found.push(of.clause(&part, &at, how, move |state, product_type| {
            let of_key = state.entitlements.iter().filter(|entitlement| matches_template(&entitlement.key, &key));
            of_key.into_iter().any(|entitlement| is_granted_by(state, entitlement, product_type))
        }));
    }
    for (at, token) in values(&of.decl["tokens"], &format!("{}/tokens", of.at)) {
        let name = text(&token["name"]);
        let of_token = move |state: &AccountState, product_type: &str, is_redeemed: bool| {
            state.records("tokens").any(|(_, token)| {
                token["name"] == name.as_str()
                    && state.type_of(&text(&token["product"])) == Some(product_type)
                    && (!is_redeemed || token["redeemed"].as_i64().unwrap_or_default() > 0)
            })
        };
        let part = format!("tokens/{}", text(&token["name"]));
        let issued = of_token.clone();
        let how = "a token of this name is issued for a product of the type";
        found.push(of.clause(&part, &at, how, move |state, product_type| issued(state, product_type, false)));
        if !token["redeem"].is_null() {
            let (part, at) = (format!("{part}/redeem"), format!("{at}/redeem"));
            let how = "a token of this name is redeemed";
            found.push(of.clause(&part, &at, how, move |state, product_type| of_token(state, product_type, true)));
        }
    }
    found
}
