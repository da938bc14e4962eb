//! The clauses of `business.yml`: configuration keys, resources with their effects, retries, webhooks and their paths, and
//! unused variables.

use super::answers::{self, WebhookAnswer};
use super::costs::{self, ResourceCost};
use super::measured::{self, MeasuredSize};
use super::paths::{self, WebhookPath};
use super::recorded::{self, RecordedEffect};
use super::retry::{self, RetryDecl};
use super::text_of;
use super::variables;
use super::webhooks::{self, WebhookDecl};
use crate::yaml::bad_input::{BadInput, Mistakes};
use crate::yaml::{Checked, Checker, Entry, Node};
use extension_contract::{ConfigDecl, ConfigType, Declarations, EffectDecl, RetryPolicy};
use host_engine::processor::OwnDeclarations;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Name of the clause of configuration keys.
pub(super) const CONFIG: &str = "config";
/// Name of the clause of resources.
pub(super) const RESOURCES: &str = "resources";
/// Maximum number of decimals of a configuration key.
const DECIMALS_MAX: u32 = 9;
/// Types of configuration values, by name.
const TYPES: [(&str, ConfigType); 4] = [
    ("string", ConfigType::Text),
    ("integer", ConfigType::Integer),
    ("boolean", ConfigType::Boolean),
    ("secret", ConfigType::Secret),
];
/// Delays in milliseconds: five attempts in a little more than a minute.
const RETRY_MS: &[u32] = &[5_000, 10_000, 20_000, 40_000];
/// Delays of `destroy` in milliseconds: ten attempts in about three quarters of an hour.
const RETRY_DESTROY_MS: &[u32] = &[5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 640_000, 1_280_000];

/// The declarations of a business, in addition to those of the extension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusinessDeclarations {
    /// Configuration keys.
    pub config: Vec<ConfigDecl>,
    /// Effect kinds of its resources.
    pub effects: Vec<EffectDecl>,
    /// Retry policies of its own effects and the extension's.
    pub retries: Vec<RetryDecl>,
    /// Webhooks of services other than Stripe.
    pub webhooks: Vec<WebhookDecl>,
    /// Further paths of webhooks, including Stripe's.
    pub webhook_paths: Vec<WebhookPath>,
    /// True for a business that also serves the paths of the platform's products extensions: `/b/products/…` and `/ext/products/…`.
    pub has_platform_paths: bool,
    /// The answers that a server gives to deliveries, in place of its own.
    pub webhook_answers: Vec<WebhookAnswer>,
    /// The number of decimals in the written value of a key, by key.
    pub decimals: BTreeMap<String, u32>,
    /// The prices of resources at their provider.
    pub costs: Vec<ResourceCost>,
    /// The meters that the server itself reads at the providers.
    pub measured: Vec<MeasuredSize>,
    /// Effects that the server itself carries out by keeping their records.
    pub recorded: Vec<RecordedEffect>,
    /// The reason why an environment variable is not used, by variable.
    pub unused_variables: BTreeMap<String, String>,
}

impl BusinessDeclarations {
    /// Reads the clauses. The extension gets the same clauses, and checks the names and the verbs of resources.
    ///
    /// # Errors
    /// Fails with all mistakes in these clauses.
    pub fn read(document: &Node) -> Result<BusinessDeclarations, Mistakes> {
        Checker::read(|check| {
            let config =
                document.member(CONFIG).map(|config| check.each(check.map(CONFIG, config)?, |of| key(check, of)));
            let effects = document.member(RESOURCES).map(|resources| {
                let resources = check.map(RESOURCES, resources)?;
                Ok(resources
                    .iter()
                    .flat_map(|of| of.value.words().into_iter().map(|verb| effect(&of.key, verb)))
                    .collect())
            });
            let retries = document.member(retry::CLAUSE).map(|retries| retry::read(check, retries));
            let webhooks = document.member(webhooks::CLAUSE).map(|webhooks| webhooks::read(check, webhooks));
            let webhook_paths = document.member(paths::CLAUSE).map(|paths| paths::read(check, paths));
            let platform = document.member(paths::PLATFORM).map(|of| check.truth(paths::PLATFORM, of));
            let answers = document.member(answers::CLAUSE).map(|answers| answers::read(check, answers));
            let costs = document.member(costs::CLAUSE).map(|costs| costs::read(check, costs));
            let measured = document.member(measured::CLAUSE).map(|measured| measured::read(check, measured));
            let recorded = document.member(recorded::CLAUSE).map(|recorded| recorded::read(check, recorded));
            let unused = document.member(variables::CLAUSE).map(|unused| variables::read(check, unused));
            let config: Vec<(ConfigDecl, Option<u32>)> = config.transpose()?.unwrap_or_default();
            let decimals = |(decl, decimals): &(ConfigDecl, Option<u32>)| Some((decl.key.clone(), (*decimals)?));
            Ok(BusinessDeclarations {
                decimals: config.iter().filter_map(decimals).collect(),
                config: config.into_iter().map(|(decl, _)| decl).collect(),
                effects: effects.transpose()?.unwrap_or_default(),
                retries: retries.transpose()?.unwrap_or_default(),
                webhooks: webhooks.transpose()?.unwrap_or_default(),
                webhook_paths: webhook_paths.transpose()?.unwrap_or_default(),
                has_platform_paths: platform.transpose()?.unwrap_or_default(),
                webhook_answers: answers.transpose()?.unwrap_or_default(),
                costs: costs.transpose()?.unwrap_or_default(),
                measured: measured.transpose()?.unwrap_or_default(),
                recorded: recorded.transpose()?.unwrap_or_default(),
                unused_variables: unused.transpose()?.unwrap_or_default(),
            })
        })
    }

    /// Returns the mistakes: names that neither the extension nor the business's catalog declares.
    pub fn mistakes(&self, declarations: &Declarations, catalog: &Node) -> Vec<BadInput> {
        let declared = self.beside(declarations);
        let mut found = retry::unknown(&self.retries, &declared.effects);
        found.extend(webhooks::mistakes(&self.webhooks, &declared.config, catalog));
        found.extend(paths::mistakes(&self.webhook_paths, &self.webhooks));
        found.extend(answers::mistakes(&self.webhook_answers, &self.webhooks));
        found.extend(costs::mistakes(&self.costs, &declared.effects));
        found.extend(measured::mistakes(&self.measured, &declared.effects, catalog));
        found.extend(recorded::mistakes(&self.recorded, &self.effects));
        found
    }

    /// Returns the value of a key in the form for the extension: a decimal number without its point. Other values are unchanged.
    ///
    /// # Errors
    /// Fails with the number of decimals if the value is not a decimal number, or has more decimals.
    pub fn value_of(&self, key: &str, text: &str) -> Result<String, u32> {
        match self.decimals.get(key) {
            Some(decimals) => without_point(text, *decimals).ok_or(*decimals),
            None => Ok(text.to_owned()),
        }
    }

    /// Returns the values of the keys that are not secrets, with their types. A key without a value gets its default.
    pub fn plain_values(&self, config: &BTreeMap<String, String>) -> Map<String, Value> {
        let plain = self.config.iter().filter(|decl| decl.value_type != ConfigType::Secret);
        let value = |decl: &ConfigDecl| {
            let text = config.get(&decl.key).or(decl.default_value.as_ref())?;
            let value = match decl.value_type {
                ConfigType::Integer => text.parse::<i64>().map_or_else(|_| json!(text), Value::from),
                ConfigType::Boolean => text.parse::<bool>().map_or_else(|_| json!(text), Value::from),
                _ => json!(text),
            };
            Some((decl.key.clone(), value))
        };
        plain.filter_map(value).collect()
    }

    /// Returns the declarations that the engine needs.
    pub fn for_engine(&self) -> OwnDeclarations {
        let retries = self.retries.iter().map(|retry| (retry.name.clone(), retry.policy.clone())).collect();
        OwnDeclarations { config: self.config.clone(), effects: self.effects.clone(), retries }
    }

    /// Returns the declarations of the extension, extended by the declarations of the business.
    pub fn beside(&self, declarations: &Declarations) -> Declarations {
        self.for_engine().beside(declarations)
    }
}

pub(super) fn effect(resource: &str, verb: &str) -> EffectDecl {
    let any = json!({"type": "object"}).to_string();
    EffectDecl {
        kind: format!("{resource}.{verb}"),
        payload_schema: any.clone(),
        result_schema: any,
        retry: RetryPolicy { delays_ms: if verb == "destroy" { RETRY_DESTROY_MS } else { RETRY_MS }.to_vec() },
    }
}

/// Reads one configuration key, with the number of decimals in its written value.
fn key(check: &Checker, entry: &Entry) -> Checked<(ConfigDecl, Option<u32>)> {
    let mut fields = check.fields(format!("`{}`", entry.key), &entry.value)?;
    let value_type = fields.optional("type", |node| {
        let name = check.word("type", node, &TYPES.map(|(known, _)| known))?;
        Ok(TYPES.iter().find(|(known, _)| *known == name).map_or(ConfigType::Text, |(_, value_type)| *value_type))
    });
    let required = fields.optional("required", |node| check.truth("required", node));
    let default = fields.optional("default", |node| {
        let expected = "a text, a whole number or a truth value";
        text_of(&node.json()).ok_or_else(|| check.wrong("default", node, expected))
    });
    let env = fields.optional("env", |node| {
        let name = check.text("env", node)?;
        let expected = "a name of letters, digits and _, not beginning with a digit";
        match variables::is_name(&name) {
            true => Ok(name),
            false => Err(check.bad(node.place(), format!("`env: {name}`"), expected)),
        }
    });
    let decimals = fields.optional("decimals", |node| {
        let number = node.json().as_u64().and_then(|number| u32::try_from(number).ok());
        let expected = format!("a whole number from 0 to {DECIMALS_MAX}");
        number.filter(|number| *number <= DECIMALS_MAX).ok_or_else(|| check.wrong("decimals", node, expected))
    });
    let description = fields.optional("description", |node| check.text("description", node));
    fields.finish()?;
    let (decimals, default) = (decimals?, default?);
    let value_type = value_type?.unwrap_or(ConfigType::Text);
    if value_type == ConfigType::Secret && default.is_some() {
        let problem = format!("`{}` is a secret with a default", entry.key);
        return Err(check.bad(entry.place(), problem, "`env`, or a reference in config.yml"));
    }
    if decimals.is_some() && value_type != ConfigType::Integer {
        let problem = format!("`{}` has `decimals`, and is not a number", entry.key);
        return Err(check.bad(entry.place(), problem, "`type: integer`"));
    }
    let default_value = match (decimals, default) {
        (Some(decimals), Some(default)) => {
            let expected = format!("a decimal number in quotes, with at most {decimals} decimals");
            let problem = format!("`default: {default}` of `{}`", entry.key);
            Some(without_point(&default, decimals).ok_or_else(|| check.bad(entry.place(), problem, expected))?)
        }
        (_, default) => default,
    };
    let decl = ConfigDecl {
        key: entry.key.clone(),
        value_type,
        required: required?.unwrap_or(false),
        default_value,
        env: env?,
        description: description?.unwrap_or_default(),
    };
    Ok((decl, decimals))
}

/// Returns a decimal number without its point, padded to all its decimals: `0.90` with four decimals is `9000`. None if the string is
/// not a decimal number, or has more decimals. No floating-point numbers are used.
fn without_point(text: &str, decimals: u32) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals as usize {
        return None;
    }
    let number: i64 = format!("{sign}{whole}{fraction:0<width$}", width = decimals as usize).parse().ok()?;
    Some(number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_number_becomes_a_whole_number_without_rounding() {
        for (text, decimals, expected) in [
            ("0.90", 4, Some("9000")),
            ("0.9", 4, Some("9000")),
            ("1", 4, Some("10000")),
            ("0.90000", 4, Some("9000")),
            ("-2.5", 1, Some("-25")),
            ("7", 0, Some("7")),
            ("7.0", 0, Some("7")),
            ("00.01", 2, Some("1")),
            ("0.12345", 4, None),
            ("0.", 4, None),
            (".9", 4, None),
            ("9e-1", 4, None),
            ("0,9", 4, None),
            ("90%", 4, None),
            ("", 4, None),
            ("-", 4, None),
            ("99999999999999999999", 4, None),
        ] {
            assert_eq!(without_point(text, decimals).as_deref(), expected, "{text}");
        }
    }
}
