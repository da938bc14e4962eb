//! Decides whether the two sides of an object differ. This is the only place where the facts of a store and of Stripe
//! are compared.

use crate::facts::{Facts, Kind};
use crate::ours::Ours;
use crate::theirs::Theirs;
use extension_contract::Account;
use serde_json::Value;

/// A field that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldDifference {
    /// Name of the field.
    pub field: String,
    /// The value in the store.
    pub ours: Value,
    /// The value at Stripe.
    pub theirs: Value,
}

/// How an object differs.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Some fields differ.
    Fields(Vec<FieldDifference>),
    /// Only the store has the object.
    OnlyOurs(Facts),
    /// Only Stripe has the object.
    OnlyTheirs(Facts),
}

/// An object that differs, without the command that fixes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Kind of the object.
    pub kind: Kind,
    /// Its id; for a payment, the id of its payment intent, or of its charge if it has none.
    pub id: String,
    /// The account.
    pub account: Account,
    /// The difference.
    pub what: What,
    /// Ids of other objects whose events change the record.
    pub(crate) related: Vec<String>,
}

/// Returns the difference between two sides; none if they agree.
pub(crate) fn difference(kind: Kind, account: &Account, ours: Option<&Ours>, theirs: Option<&Theirs>) -> Option<Found> {
    let id = ours.map(|ours| &ours.id).or(theirs.map(|theirs| &theirs.id))?.clone();
    let what = match (ours, theirs) {
        (Some(ours), Some(theirs)) => fields(ours, theirs).map(What::Fields),
        (Some(ours), None) => ours.must_exist.then(|| What::OnlyOurs(ours.facts.clone())),
        (None, Some(theirs)) => Some(What::OnlyTheirs(theirs.facts.clone())),
        (None, None) => None,
    };
    let mut related: Vec<String> = ours.and_then(|ours| ours.related.clone()).into_iter().collect();
    related.extend(theirs.and_then(|theirs| theirs.facts.get("charge")?.as_str().map(str::to_owned)));
    Some(Found { kind, id, account: account.clone(), what: what?, related })
}

/// Returns the fields of both sides that differ; none if none does.
fn fields(ours: &Ours, theirs: &Theirs) -> Option<Vec<FieldDifference>> {
    let both = ours.facts.iter().filter_map(|(name, value)| Some((name, value, theirs.facts.get(name)?)));
    let differing = both.filter(|(_, ours, theirs)| ours != theirs).map(|(field, ours, theirs)| FieldDifference {
        field: field.clone(),
        ours: ours.clone(),
        theirs: theirs.clone(),
    });
    let differing: Vec<FieldDifference> = differing.collect();
    (!differing.is_empty()).then_some(differing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::facts;
    use serde_json::json;

    #[test]
    fn only_fields_of_both_sides_are_compared() {
        let ours = Ours {
            kind: Kind::Invoice,
            id: "in_1".to_owned(),
            facts: facts([("total", json!(5)), ("status", json!("open")), ("number", json!("A-1"))]),
            related: None,
            must_exist: true,
        };
        let theirs = |status: &str| Theirs {
            id: "in_1".to_owned(),
            facts: facts([("total", json!(5)), ("status", json!(status)), ("tax", json!(1))]),
            keys: Vec::new(),
            scope: None,
            effect: None,
        };
        let of = |ours: &Ours, theirs: Option<&Theirs>| {
            difference(Kind::Invoice, &Account::Platform, Some(ours), theirs).map(|found| found.what)
        };
        assert_eq!(of(&ours, Some(&theirs("open"))), None);
        let field = FieldDifference { field: "status".to_owned(), ours: json!("open"), theirs: json!("paid") };
        assert_eq!(of(&ours, Some(&theirs("paid"))), Some(What::Fields(vec![field])));
        assert_eq!(of(&ours, None), Some(What::OnlyOurs(ours.facts.clone())));
        let draft = Ours { must_exist: false, ..ours };
        assert_eq!(of(&draft, None), None, "Stripe need not have it");
    }
}
