//! The declaration of a product type, with the clauses of its behaviour.

use super::field::Field;
use super::provision::Resource;
use crate::catalog::amount::{Amount, Granted};
use crate::catalog::buy::Buy;
use crate::catalog::condition::Condition;
use crate::catalog::price::Interval;
use crate::catalog::span::{Delay, Span};
use crate::catalog::split::Split;
use crate::catalog::template::{places, places_of};
use crate::model::shared::Shared;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// How a product refers to the plan that pays for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanLink {
    /// Field with the plan's product id.
    pub field: String,
    /// Family of the plan.
    pub family: String,
    /// Keys of `metadata.quotas`, each with the field of the plan that provides its value: `{plan.FIELD}`. Updated on a
    /// change of plan.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quotas: BTreeMap<String, String>,
}

/// A meter of a product.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// Meter of the measurement, and key in `metadata.usage`.
    pub meter: String,
    /// Entitlement whose plan defines the billing period of a sum; by default the entitlement that the meter measures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Counted by the program instead of measured from outside: one unit for each begun time of this length in which a product runs.
    /// Then the meter has a rate or measures an entitlement, as the account's own usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
}

/// A public address of a product.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Url {
    /// Resource that serves the address.
    pub resource: String,
    /// Template of the URL.
    pub value: String,
}

/// How the health of a product is watched.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Template of the URL.
    pub url: String,
    /// Time between two probes.
    pub every: Span,
    /// Number of failed probes in a row before the product counts as unhealthy.
    pub fail_after: u32,
    /// Number of successful probes in a row before the product counts as healthy.
    pub recover_after: u32,
}

/// Times after which a product is archived and deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lifecycle {
    /// Archives an unused product although it is paid for; `None` to keep it running.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Idle>,
    /// Time from the suspension of an unpaid product to its archive; the policy `archive_after` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive_after: Option<Span>,
    /// Time from the archive to the deletion; the policy `delete_after` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete_after: Option<Span>,
}

/// The product that is created for a checkout session that was created elsewhere. Templates have placeholders of
/// `session`: the session's metadata and `email`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromCheckout {
    /// Name of the product.
    pub name: String,
    /// Metadata of the product.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    /// Plan that the checkout sells: the id of its product, or its slug. It grants the plan until Stripe reports the
    /// subscription of the checkout, or for good if the checkout has no subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

impl FromCheckout {
    /// Returns whether metadata with these keys is meant for the clause: it has a key that the clause uses, other than the address.
    pub(crate) fn is_meant<'k>(&self, keys: impl Iterator<Item = &'k str>) -> bool {
        let texts = places_of(&self.name).into_iter().chain(self.plan.as_deref().into_iter().flat_map(places_of));
        let used: Vec<&str> =
            texts.chain(places(&self.metadata)).filter_map(|place| place.strip_prefix("session.")).collect();
        keys.into_iter().any(|key| key != "email" && used.contains(&key))
    }
}

/// When a product counts as idle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idle {
    /// The meter that measures use by people.
    pub meter: String,
    /// Time since the last measurement or since the start, whichever is later.
    pub after: Span,
}

/// A meter with regular measurements while a product runs, such as daily backups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The meter.
    pub meter: String,
    /// Maximum time between two measurements. If it is exceeded, operators are notified.
    pub within: Span,
}

/// Credits that a payment grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaidCredit {
    /// Amount in minor units of the currency. It becomes a lot of credits from which usage is paid.
    pub credit: Amount,
    /// Time from the payment to the end of the credits; by default they do not end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Span>,
    /// The currency in which the product is paid; the default one if it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// How an account lists its own product in the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Listing {
    /// Without an administrator's approval.
    Open,
    /// After an administrator's approval of the product and of each change.
    Approved,
}

/// When a buyer may request a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefundTerms {
    /// Time from the payment within which the buyer may request a refund of an unspent and unused purchase.
    pub within: Delay,
}

/// A token that accounts entitled to a product can request. Templates have placeholders of `product`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenDecl {
    /// Name among the tokens of the type.
    pub name: String,
    /// The required entitlement (`allowed.KEY`).
    #[serde(rename = "if")]
    pub condition: Condition,
    /// Time for which the token is valid.
    pub ttl: Span,
    /// Maximum number of live tokens with this name that an account may have for one product.
    #[serde(default = "ten")]
    pub at_most: u32,
    /// Additional data in the reply to the requester.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub shows: Map<String, Value>,
    /// How the token is redeemed; by default it can only be inspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeem: Option<Redeem>,
}

/// The grant for which a token is redeemed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redeem {
    /// Kind of the effect that gives the grant.
    pub run: String,
    /// Time for which the grant is valid.
    pub ttl: Span,
    /// How often a token may be redeemed; any number of times by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u32>,
    /// Payload of the effect, in addition to `expires_at` and `ttl_s`.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
}

/// Default limit of live tokens with one name per account and product (requirements M11).
fn ten() -> u32 {
    10
}

/// Name of the catalog view with the current step.
pub(crate) const PHASE: &str = "phase";

/// The name in catalog views of the status `error` of an instance that was refused and never began.
pub(crate) const REFUSED: &str = "refused";

/// A product type.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeDecl {
    /// Name.
    pub name: String,
    /// Alternative names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// A key by which the type is inferred: a product without a type has this type if its metadata contains the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infer_by: Option<String>,
    /// Whether the type's products belong to the catalog, where only administrators create them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub catalog: bool,
    /// Fields of the metadata.
    pub fields: Vec<Field>,
    /// Whether other keys are allowed in the metadata.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub extras: bool,
    /// Family of plans. An account may have one price of a family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Metadata field that ranks the products of a family; by default the price ranks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_by: Option<String>,
    /// `plan`: a product grants entitlements only together with a plan.
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Billing intervals for which each of the type's products must have a price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<Interval>,
    /// How its products are bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buy: Option<Buy>,
    /// When one-time purchases of the type's products may be refunded; never by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<RefundTerms>,
    /// The share of another account in the revenue of its products.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// How the account with the share lists products in the catalog; by default only administrators do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<Listing>,
    /// Grants of one product by entitlement. Keys may have placeholders of `product`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grants: BTreeMap<String, Granted>,
    /// Credits of a payment, in addition to the grants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_paid: Vec<PaidCredit>,
    /// Consumption of one product by entitlement. Amounts may have placeholders of `instance`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub consumes: BTreeMap<String, Amount>,
    /// The plan that pays for a product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanLink>,
    /// Resources and steps that a product provisions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provisions: Vec<Resource>,
    /// Fields with custom names of the statuses, by field and status. `refused` names the status `error` of an instance
    /// that never began. Statuses without a custom name keep their own. The field `phase` contains the current step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub views: BTreeMap<String, BTreeMap<String, String>>,
    /// The product that is created for a checkout that was created elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_checkout: Option<FromCheckout>,
    /// Times after which its products are archived and deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// Meters with regular measurements while a product runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expects: Vec<Expected>,
    /// Tokens for its products.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenDecl>,
    /// Prefix of the products' ids, followed by `_` and the value of `id_by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_prefix: Option<String>,
    /// Field from which the id is derived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_by: Option<String>,
    /// Candidates for `metadata.resources.url`. The first candidate whose resource exists is used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub url: Vec<Url>,
    /// Health watch of running products.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// Meters of its products.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub meters: Vec<Meter>,
}

impl TypeDecl {
    /// Returns the meters whose measurements are those of a product.
    pub(crate) fn measured(&self) -> impl Iterator<Item = &Meter> {
        self.meters.iter().filter(|meter| meter.every.is_none())
    }

    /// Returns a field by its name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Returns whether a product grants entitlements only together with a plan.
    pub(crate) fn requires_plan(&self) -> bool {
        self.condition == Some(Condition::Plan)
    }

    /// Returns the resource to which an entry of an instance's record belongs.
    pub(crate) fn resource(&self, entry: &str) -> Option<&Resource> {
        self.provisions.iter().find(|decl| decl.has(entry))
    }

    /// Replaces aliases in stored metadata with their options.
    pub(crate) fn apply_aliases(&self, metadata: &mut Shared<Map<String, Value>>) {
        for field in &self.fields {
            let value = metadata.get(&field.name).and_then(Value::as_str);
            if let Some(option) = value.and_then(|value| field.aliases.get(value)) {
                metadata.insert(field.name.clone(), json!(option));
            }
        }
    }

    /// Returns the rules of [`check`](check::check) as JSON Schema 2020-12, except who may set a field.
    pub fn json_schema(&self) -> Value {
        let mut properties = Map::new();
        for field in &self.fields {
            properties.insert(field.name.clone(), field.json_schema());
        }
        let required: Vec<&str> =
            self.fields.iter().filter(|f| f.required && f.default.is_none()).map(|f| f.name.as_str()).collect();
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": self.extras,
        })
    }
}
