//! `product_types`: a type, how it is sold and what it gives.

use super::instances;
use crate::clause::{Clause, entries, text, values};
use crate::seen::Seen;
use crate::template::came_of;
use serde_json::Value;

/// What every builder of a type's clauses knows: its name and where it stands.
pub(super) struct Of<'c> {
    pub name: String,
    pub at: String,
    pub decl: &'c Value,
}

impl Of<'_> {
    /// A clause of the type.
    pub fn clause(
        &self,
        part: &str,
        pointer: &str,
        touched: &'static str,
        test: impl Fn(&Seen, &str) -> bool + 'static,
    ) -> Clause {
        let product_type = self.name.clone();
        Clause::new(format!("{} {part}", self.name), pointer, touched, move |seen| test(seen, &product_type))
    }

    /// A clause of the type, if it says anything under a member.
    fn member(
        &self,
        member: &str,
        touched: &'static str,
        test: impl Fn(&Seen, &str) -> bool + 'static,
    ) -> Option<Clause> {
        let is_said = self.decl.get(member).is_some_and(|value| !value.is_null());
        is_said.then(|| self.clause(member, &format!("{}/{member}", self.at), touched, test))
    }
}

/// The clauses of all types. An entry that is a name alone means a type that is loaded already, and says nothing.
pub(crate) fn of_types(catalog: &Value) -> Vec<Clause> {
    let mut found = Vec::new();
    for (at, decl) in values(&catalog["product_types"], "/product_types") {
        let of = Of { name: text(&decl["name"]), at, decl };
        if of.name.is_empty() {
            continue;
        }
        found.push(itself(&of));
        found.extend(sold(&of));
        found.extend(given(&of));
        found.extend(instances::of_type(&of));
    }
    found
}

fn itself(of: &Of<'_>) -> Clause {
    let name = of.name.clone();
    let how = "an account has a product of the type, buys one, subscribes to one, or has its default plan";
    Clause::new(format!("type {name}"), of.at.clone(), how, move |seen| {
        seen.had_of(&name).next().is_some()
            || seen.bought.iter().any(|bought| bought.product_type == name)
            || seen.subscribed.iter().any(|(_, product_type)| *product_type == name)
            || seen.entitlements.iter().any(|entitlement| is_granted_by(seen, entitlement, &name))
    })
}

fn is_granted_by(seen: &Seen, entitlement: &extension_contract::Entitlement, product_type: &str) -> bool {
    seen.granted_by(entitlement).any(|product| seen.type_of(product) == Some(product_type))
}

/// How products of the type are sold, and what becomes of the money.
fn sold(of: &Of<'_>) -> Vec<Clause> {
    let sale = |seen: &Seen, product_type: &str| {
        seen.records("sales").any(|(_, sale)| seen.type_of(&text(&sale["product"])) == Some(product_type))
    };
    let listed = |seen: &Seen, product_type: &str| {
        seen.records("listings").any(|(product, _)| seen.type_of(product) == Some(product_type))
    };
    let refunded = |seen: &Seen, product_type: &str| {
        let asked =
            |purchase: &str| seen.asked.iter().any(|asked| asked.key.starts_with(&format!("refund:{purchase}:")));
        let mut of_type = seen.bought.iter().filter(|bought| bought.product_type == product_type);
        of_type.any(|bought| bought.is_given_back || asked(&bought.purchase))
    };
    let clauses = [
        of.member("buy", "a purchase of a product of the type is begun", |seen, product_type| {
            seen.bought.iter().any(|bought| bought.product_type == product_type)
        }),
        of.member("on_paid", "a product of the type is paid for", |seen, product_type| {
            seen.bought.iter().any(|bought| bought.product_type == product_type && bought.is_paid)
        }),
        of.member("refund", "money that was paid for a product of the type is asked back, or comes back", refunded),
        of.member("split", "a product of the type is sold that somebody has a share of", sale),
        of.member("listing", "an account lists a product of the type", listed),
    ];
    clauses.into_iter().flatten().collect()
}

/// What products of the type give and prove.
fn given(of: &Of<'_>) -> Vec<Clause> {
    let mut found = Vec::new();
    for (key, at, _) in entries(&of.decl["grants"], &format!("{}/grants", of.at)) {
        let part = format!("grants/{key}");
        let how = "the entitlement is allowed to an account, and a product of the type is among what gives it";
        found.push(of.clause(&part, &at, how, move |seen, product_type| {
            let of_key = seen.entitlements.iter().filter(|entitlement| came_of(&entitlement.key, &key));
            of_key.into_iter().any(|entitlement| is_granted_by(seen, entitlement, product_type))
        }));
    }
    for (at, token) in values(&of.decl["tokens"], &format!("{}/tokens", of.at)) {
        let name = text(&token["name"]);
        let of_token = move |seen: &Seen, product_type: &str, is_redeemed: bool| {
            seen.records("tokens").any(|(_, token)| {
                token["name"] == name.as_str()
                    && seen.type_of(&text(&token["product"])) == Some(product_type)
                    && (!is_redeemed || token["redeemed"].as_i64().unwrap_or_default() > 0)
            })
        };
        let part = format!("tokens/{}", text(&token["name"]));
        let issued = of_token.clone();
        let how = "a token of this name is issued for a product of the type";
        found.push(of.clause(&part, &at, how, move |seen, product_type| issued(seen, product_type, false)));
        if !token["redeem"].is_null() {
            let (part, at) = (format!("{part}/redeem"), format!("{at}/redeem"));
            let how = "a token of this name is redeemed";
            found.push(of.clause(&part, &at, how, move |seen, product_type| of_token(seen, product_type, true)));
        }
    }
    found
}
