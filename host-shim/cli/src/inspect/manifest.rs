//! Prints the manifest of an inspected component, and what it does not permit.

use extension_contract::{ConfigDecl, ConfigType, Declarations};
use host_business::manifest::{Manifest, type_name};
use host_replay::report::printable;
use host_scenario::manifest::{Found, of_component};
use std::path::Path;

/// Prints the manifest of a component. Returns false if the manifest has a mistake or does not permit the component.
pub(super) fn print(component: &Path, declarations: &Declarations, imports: &[String]) -> bool {
    let Found { manifest, file } = match of_component(component, declarations) {
        Ok(Some(found)) => found,
        Ok(None) => {
            println!("manifest: none; nothing is restricted");
            return true;
        }
        Err(mistakes) => {
            println!("manifest: wrong");
            mistakes.0.iter().for_each(|mistake| println!("  {}", printable(&mistake.to_string())));
            return false;
        }
    };
    println!("manifest: {}", file.map_or_else(|| "built in".to_owned(), |file| file.display().to_string()));
    for line in lines(&manifest) {
        println!("  {}", printable(&line));
    }
    match manifest.check(declarations, imports) {
        Ok(()) => true,
        Err(error) => {
            println!("not permitted:");
            error.problems.iter().for_each(|problem| println!("  {}", printable(problem)));
            false
        }
    }
}

/// Returns the lines that describe a manifest. A part that restricts nothing is `any`.
fn lines(manifest: &Manifest) -> Vec<String> {
    let permitted = &manifest.permitted;
    let data_version = manifest.data_version.map(|version| version.to_string());
    let texts = [
        ("name", Some(&manifest.name)),
        ("version", manifest.version.as_ref()),
        ("world", manifest.world.as_ref()),
        ("data version", data_version.as_ref()),
        ("configured as", manifest.config_key.as_ref()),
        ("component", manifest.component.as_ref()),
        ("description", manifest.description.as_ref()),
    ];
    let mut lines: Vec<String> =
        texts.into_iter().filter_map(|(name, text)| Some(format!("{name}: {}", text?))).collect();
    let permissions = permitted.permissions.as_ref().map(|all| {
        all.iter()
            .map(|(permission, text)| match text.is_empty() {
                true => permission.to_string(),
                false => format!("{permission}: {text}"),
            })
            .collect()
    });
    list(&mut lines, "permissions", permissions);
    list(&mut lines, "hooks", permitted.hooks.as_ref().map(|hooks| hooks.iter().cloned().collect()));
    list(&mut lines, "effects", permitted.effects.as_ref().map(|effects| effects.iter().cloned().collect()));
    list(&mut lines, "product types", manifest.product_types.clone());
    list(&mut lines, "configuration", manifest.config.as_ref().map(|config| config.iter().map(key).collect()));
    lines
}

fn list(lines: &mut Vec<String>, name: &str, items: Option<Vec<String>>) {
    match items {
        None => lines.push(format!("{name}: any")),
        Some(items) if items.is_empty() => lines.push(format!("{name}: none")),
        Some(items) => {
            lines.push(format!("{name}:"));
            lines.extend(items.into_iter().map(|item| format!("  {item}")));
        }
    }
}

/// Describes a configuration key; for a secret, only its key.
fn key(decl: &ConfigDecl) -> String {
    if decl.value_type == ConfigType::Secret {
        return format!("{} (secret)", decl.key);
    }
    let mut text = format!("{} ({}", decl.key, type_name(decl.value_type));
    if decl.required {
        text.push_str(", required");
    }
    if let Some(default) = &decl.default_value {
        text.push_str(&format!(", default {default}"));
    }
    if let Some(env) = &decl.env {
        text.push_str(&format!(", from {env}"));
    }
    text.push(')');
    text
}
