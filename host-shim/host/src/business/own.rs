//! What a business declares of its own in `business.yml`: configuration keys, and resources with their effects.

use super::text_of;
use crate::bad_input::BadInput;
use crate::yaml::{Entry, Lined};
use products_contract::{ConfigDecl, ConfigType, Declarations, EffectDecl, RetryPolicy};
use serde_json::json;

/// The clause of the configuration keys.
pub(super) const CONFIG: &str = "config";
/// The clause of the resources.
pub(super) const RESOURCES: &str = "resources";
/// What can be said of a configuration key.
const MEMBERS: [&str; 5] = ["type", "required", "default", "env", "description"];
/// Types of configuration values, by their names.
const TYPES: [(&str, ConfigType); 4] = [
    ("string", ConfigType::Text),
    ("integer", ConfigType::Integer),
    ("boolean", ConfigType::Boolean),
    ("secret", ConfigType::Secret),
];
/// Five tries in about five minutes.
const RETRY: RetryPolicy = RetryPolicy { max_attempts: 5, first_delay_ms: 5_000, max_delay_ms: 120_000 };
/// Ten tries in about an hour and a half, for what frees something.
const RETRY_DESTROY: RetryPolicy = RetryPolicy { max_attempts: 10, first_delay_ms: 5_000, max_delay_ms: 1_800_000 };

/// What a business declares beside what the extension does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Configuration keys.
    pub config: Vec<ConfigDecl>,
    /// Effect kinds of its resources.
    pub effects: Vec<EffectDecl>,
}

impl Own {
    /// Reads the clauses. Names, and the verbs of resources, are judged by the extension, which is given the same.
    pub(super) fn read(document: &Lined) -> Result<Own, BadInput> {
        let clause = |name: &str| document.entries().unwrap_or_default().iter().find(|entry| entry.key == name);
        let mut own = Own::default();
        if let Some(config) = clause(CONFIG) {
            own.config = mapping(config)?.iter().map(key).collect::<Result<_, _>>()?;
        }
        if let Some(resources) = clause(RESOURCES) {
            for resource in mapping(resources)? {
                let verbs = resource.value.words();
                own.effects.extend(verbs.into_iter().map(|verb| effect(&resource.key, verb)));
            }
        }
        Ok(own)
    }

    /// The declarations of the extension with these.
    pub fn beside(&self, declarations: &Declarations) -> Declarations {
        let mut joined = declarations.clone();
        joined.config.extend(self.config.iter().cloned());
        joined.effects.extend(self.effects.iter().cloned());
        joined
    }
}

fn effect(resource: &str, verb: &str) -> EffectDecl {
    let any = json!({"type": "object"}).to_string();
    EffectDecl {
        kind: format!("{resource}.{verb}"),
        payload_schema: any.clone(),
        result_schema: any,
        retry: if verb == "destroy" { RETRY_DESTROY } else { RETRY },
    }
}

/// The entries of a mapping.
fn mapping(entry: &Entry) -> Result<&[Entry], BadInput> {
    entry.value.entries().ok_or_else(|| {
        let problem = format!("`{}` is {}", entry.key, entry.value.kind());
        BadInput::new(entry.place(), problem, "a mapping")
    })
}

/// One configuration key.
fn key(entry: &Entry) -> Result<ConfigDecl, BadInput> {
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
            "env" => decl.env = Some(text()?),
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
    Ok(decl)
}

fn type_named(member: &Entry, name: &str) -> Result<ConfigType, BadInput> {
    let names = TYPES.map(|(known, _)| known);
    let known = TYPES.iter().find(|(known, _)| *known == name).map(|(_, value_type)| *value_type);
    known.ok_or_else(|| {
        let problem = format!("`{name}` is no type of a configuration value");
        BadInput::new(member.place(), problem, names.join(", ")).guessing(name, names)
    })
}
