//! The clauses of `business.yml`: configuration keys, resources with their effects, retries, webhooks and their paths, and
//! unused variables.

use super::decimal::{DECIMALS_MAX, without_point};
use super::paths::{self, WebhookPath};
use super::retry::{self, RetryDecl};
use super::text_of;
use super::variables;
use super::webhooks::{self, WebhookDecl};
use crate::bad_input::BadInput;
use extension_contract::{ConfigDecl, ConfigType, Declarations, EffectDecl, RetryPolicy};
use host_yaml::{Entry, Node};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Name of the clause of configuration keys.
pub(super) const CONFIG: &str = "config";
/// Name of the clause of resources.
pub(super) const RESOURCES: &str = "resources";
/// Members of a configuration key.
const MEMBERS: [&str; 6] = ["type", "required", "default", "env", "decimals", "description"];
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
    /// Webhooks of other providers.
    pub webhooks: Vec<WebhookDecl>,
    /// Further paths of webhooks, also of Stripe's.
    pub webhook_paths: Vec<WebhookPath>,
    /// The number of decimals with which the value of a key is written, by key.
    pub decimals: BTreeMap<String, u32>,
    /// The reason why an environment variable is not used, by variable.
    pub unused_variables: BTreeMap<String, String>,
}

impl BusinessDeclarations {
    /// Reads the clauses. The extension gets the same clauses and checks names and the verbs of resources.
    pub(super) fn read(document: &Node) -> Result<BusinessDeclarations, BadInput> {
        let clause = |name: &str| document.entries().unwrap_or_default().iter().find(|entry| entry.key == name);
        let mut own = BusinessDeclarations::default();
        if let Some(config) = clause(CONFIG) {
            for entry in mapping(config)? {
                let (decl, decimals) = key(entry)?;
                own.decimals.extend(decimals.map(|decimals| (decl.key.clone(), decimals)));
                own.config.push(decl);
            }
        }
        if let Some(resources) = clause(RESOURCES) {
            for resource in mapping(resources)? {
                let verbs = resource.value.words();
                own.effects.extend(verbs.into_iter().map(|verb| effect(&resource.key, verb)));
            }
        }
        if let Some(retries) = clause(retry::CLAUSE) {
            own.retries = retry::read(retries)?;
        }
        if let Some(webhooks) = clause(webhooks::CLAUSE) {
            own.webhooks = webhooks::read(webhooks)?;
        }
        if let Some(paths) = clause(paths::CLAUSE) {
            own.webhook_paths = paths::read(paths)?;
        }
        if let Some(unused) = clause(variables::CLAUSE) {
            own.unused_variables = variables::read(unused)?;
        }
        Ok(own)
    }

    /// Returns the mistakes: names that neither the extension nor the business's catalog declares.
    pub fn mistakes(&self, declarations: &Declarations, catalog: &Node) -> Vec<BadInput> {
        let declared = self.beside(declarations);
        let mut found = retry::unknown(&self.retries, &declared.effects);
        found.extend(webhooks::mistakes(&self.webhooks, &declared.config, catalog));
        found.extend(paths::mistakes(&self.webhook_paths, &self.webhooks));
        found
    }

    /// Returns the declarations without the retries at these JSON Pointers, and without the webhooks that contain one
    /// of them.
    pub(super) fn without(&self, pointers: &BTreeSet<String>) -> BusinessDeclarations {
        let mut own = self.clone();
        own.retries.retain(|retry| !pointers.contains(&retry.pointer()));
        let is_in = |webhook: &WebhookDecl| {
            let within = format!("{}/", webhook.pointer());
            pointers.iter().any(|pointer| pointer.starts_with(&within))
        };
        own.webhooks.retain(|webhook| !is_in(webhook));
        own
    }

    /// Returns the value of a key as the extension gets it: a decimal number without its point. Other values stay as they are.
    ///
    /// # Errors
    /// Fails with the number of decimals if the value is not a decimal number, or has more decimals.
    pub fn value_of(&self, key: &str, text: &str) -> Result<String, u32> {
        match self.decimals.get(key) {
            Some(decimals) => without_point(text, *decimals).ok_or(*decimals),
            None => Ok(text.to_owned()),
        }
    }

    /// Returns the declarations of the extension, extended by the declarations of the business.
    pub fn beside(&self, declarations: &Declarations) -> Declarations {
        let mut joined = declarations.clone();
        joined.config.extend(self.config.iter().cloned());
        joined.effects.extend(self.effects.iter().cloned());
        retry::apply(&self.retries, &mut joined.effects);
        joined
    }
}

fn effect(resource: &str, verb: &str) -> EffectDecl {
    let any = json!({"type": "object"}).to_string();
    EffectDecl {
        kind: format!("{resource}.{verb}"),
        payload_schema: any.clone(),
        result_schema: any,
        retry: RetryPolicy { delays_ms: if verb == "destroy" { RETRY_DESTROY_MS } else { RETRY_MS }.to_vec() },
    }
}

/// Returns the entries of a mapping.
pub(super) fn mapping(entry: &Entry) -> Result<&[Entry], BadInput> {
    entry.value.entries().ok_or_else(|| {
        let problem = format!("`{}` is {}", entry.key, entry.value.kind());
        BadInput::new(entry.place(), problem, "a mapping")
    })
}

/// Reads one configuration key, with the number of decimals with which its value is written.
fn key(entry: &Entry) -> Result<(ConfigDecl, Option<u32>), BadInput> {
    let mut decimals = None;
    let mut decl = ConfigDecl {
        key: entry.key.clone(),
        value_type: ConfigType::Text,
        required: false,
        default_value: None,
        env: None,
        description: String::new(),
    };
    for member in mapping(entry)? {
        let value = member.value.json();
        let wrong = |expected: &str| {
            let problem = format!("`{}` of `{}` is {}", member.key, entry.key, member.value.kind());
            BadInput::new(member.place(), problem, expected)
        };
        let text = || value.as_str().map(str::to_owned).ok_or_else(|| wrong("a text"));
        match member.key.as_str() {
            "type" => decl.value_type = type_named(member, &text()?)?,
            "required" => decl.required = value.as_bool().ok_or_else(|| wrong("true or false"))?,
            "default" => {
                let default = text_of(&value);
                decl.default_value = Some(default.ok_or_else(|| wrong("a text, a whole number or a truth value"))?);
            }
            "env" => {
                let name = text()?;
                if !variables::is_name(&name) {
                    return Err(wrong("a name of letters, digits and _, not beginning with a digit"));
                }
                decl.env = Some(name);
            }
            "decimals" => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                let number = number.filter(|number| *number <= DECIMALS_MAX);
                decimals = Some(number.ok_or_else(|| wrong(&format!("a whole number from 0 to {DECIMALS_MAX}")))?);
            }
            "description" => decl.description = text()?,
            name => {
                let problem = format!("unknown member `{name}` of `{}`", entry.key);
                let bad = BadInput::new(member.place(), problem, MEMBERS.join(", "));
                return Err(bad.guessing(name, MEMBERS));
            }
        }
    }
    if decl.value_type == ConfigType::Secret && decl.default_value.is_some() {
        let problem = format!("`{}` is a secret with a default", entry.key);
        return Err(BadInput::new(entry.place(), problem, "`env`, or a reference in config.yml"));
    }
    if let Some(decimals) = decimals {
        if decl.value_type != ConfigType::Integer {
            let problem = format!("`{}` has `decimals`, and is not a number", entry.key);
            return Err(BadInput::new(entry.place(), problem, "`type: integer`"));
        }
        if let Some(default) = &decl.default_value {
            let expected = format!("a decimal number in quotes, with at most {decimals} decimals");
            let wrong = || BadInput::new(entry.place(), format!("`default: {default}` of `{}`", entry.key), expected);
            decl.default_value = Some(without_point(default, decimals).ok_or_else(wrong)?);
        }
    }
    Ok((decl, decimals))
}

fn type_named(member: &Entry, name: &str) -> Result<ConfigType, BadInput> {
    let names = TYPES.map(|(known, _)| known);
    let known = TYPES.iter().find(|(known, _)| *known == name).map(|(_, value_type)| *value_type);
    known.ok_or_else(|| {
        let problem = format!("`{name}` is not a type of configuration values");
        BadInput::new(member.place(), problem, names.join(", ")).guessing(name, names)
    })
}
