//! What `manifest.yml` states about an extension for the host, and the check that it permits the component next to it.

mod parse;

use extension_contract::{ConfigDecl, ConfigType, Declarations};
use host_store::{NotState, Permission, Permitted};
use std::fmt::Display;

/// Name of the manifest's file.
pub const FILE: &str = "manifest.yml";

/// A manifest. Only the name is required; a part that is none restricts nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Name of the extension, equal to the one that its component declares.
    pub name: String,
    /// Key of the extension in servers' configuration files.
    pub config_key: Option<String>,
    /// Version of the extension.
    pub version: Option<String>,
    /// Description for operators.
    pub description: Option<String>,
    /// World of the component, for example `solobase:products/extension@0.2.0-dev`.
    pub world: Option<String>,
    /// Version of the data that the extension writes.
    pub data_version: Option<u32>,
    /// Path of the component.
    pub component: Option<String>,
    /// Parts of the extension's rows that are excluded from the state: `state: {without: [{rows, member, because}, …]}`.
    pub not_state: NotState,
    /// Permissions, effects and hooks.
    pub permitted: Permitted,
    /// Configuration keys.
    pub config: Option<Vec<ConfigDecl>>,
    /// Names of product types.
    pub product_types: Option<Vec<String>>,
}

/// The reason why a manifest does not permit a component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines().join("\n"))]
pub struct NotPermitted {
    /// Name in the manifest.
    pub manifest: String,
    /// Name that the component declares.
    pub component: String,
    /// The problems, at least one, each a sentence about the component.
    pub problems: Vec<String>,
}

impl NotPermitted {
    /// Returns one line per problem.
    pub fn lines(&self) -> Vec<String> {
        let NotPermitted { manifest, component, problems } = self;
        let line = |problem: &String| {
            format!("the manifest of `{manifest}` does not permit the component `{component}`: {problem}")
        };
        problems.iter().map(line).collect()
    }
}

impl Manifest {
    /// Checks the declarations and the imports of a component. A manifest without a name counts as missing, and permits
    /// everything.
    ///
    /// # Errors
    /// Fails with all problems if the manifest does not permit the component.
    pub fn check(&self, declarations: &Declarations, imports: &[String]) -> Result<(), NotPermitted> {
        if self.name.is_empty() {
            return Ok(());
        }
        let mut problems = Vec::new();
        self.check_identity(declarations, imports, &mut problems);
        self.check_imports(imports, &mut problems);
        self.check_effects(declarations, &mut problems);
        self.check_product_types(declarations, &mut problems);
        for decl in &declarations.config {
            self.check_key(decl, &mut problems);
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(NotPermitted { manifest: self.name.clone(), component: declarations.name.clone(), problems })
    }

    fn check_identity(&self, declared: &Declarations, imports: &[String], problems: &mut Vec<String>) {
        if declared.name != self.name {
            problems.push(format!("its name is `{}`; expected `{}`, the manifest's `name`", declared.name, self.name));
        }
        if let Some(version) = self.version.as_ref().filter(|version| **version != declared.version) {
            let own = &declared.version;
            problems.push(format!("its version is `{own}`; expected `{version}`, the manifest's `version`"));
        }
        if let Some(version) = self.data_version.filter(|version| *version != declared.data_version) {
            let own = declared.data_version;
            problems.push(format!("its data version is {own}; expected {version}, the manifest's `data_version`"));
        }
        if let Some(package) = self.world.as_deref().and_then(package_of)
            && let Some(import) = imports.iter().find(|import| package_of(import).is_none_or(|own| own != package))
        {
            let (name, version) = package;
            let expected = format!("the package `{name}@{version}` of the manifest's `world`");
            problems.push(format!("it imports `{import}`; expected an interface of {expected}"));
        }
    }

    fn check_imports(&self, imports: &[String], problems: &mut Vec<String>) {
        for import in imports {
            let needed = match import.split_once('/').and_then(|(_, interface)| interface.split('@').next()) {
                Some("account" | "catalog") => Permission::ProductsRead,
                Some("claims") => Permission::ClaimsTake,
                _ => continue,
            };
            if !self.permitted.has(needed) {
                problems.push(format!("it imports `{import}`, which needs the permission `{needed}`"));
            }
        }
    }

    fn check_effects(&self, declared: &Declarations, problems: &mut Vec<String>) {
        let needed = Permission::EffectsEnqueue;
        if let Some(effect) = declared.effects.first().filter(|_| !self.permitted.has(needed)) {
            problems.push(format!("it declares the effect `{}`, which needs the permission `{needed}`", effect.kind));
        }
        for effect in declared.effects.iter().filter(|effect| !self.permitted.permits_effect(&effect.kind)) {
            problems.push(format!("it declares the effect `{}`, which the manifest does not permit", effect.kind));
        }
    }

    fn check_product_types(&self, declared: &Declarations, problems: &mut Vec<String>) {
        let Some(known) = &self.product_types else { return };
        for decl in declared.product_types.iter().filter(|decl| !known.contains(&decl.name)) {
            problems.push(format!("it declares the product type `{}`, which the manifest does not list", decl.name));
        }
    }

    fn check_key(&self, decl: &ConfigDecl, problems: &mut Vec<String>) {
        let Some(config) = &self.config else { return };
        let key = &decl.key;
        let Some(known) = config.iter().find(|known| known.key == *key) else {
            problems.push(format!("it declares the configuration key `{key}`, which the manifest does not list"));
            return;
        };
        let none_or = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        let mut compare = |field: &str, own: &dyn Display, expected: &dyn Display| {
            let (own, expected) = (own.to_string(), expected.to_string());
            if own != expected {
                problems.push(format!(
                    "its configuration key `{key}` has `{field}: {own}`; expected `{field}: {expected}`, as in the manifest"
                ));
            }
        };
        compare("type", &type_name(decl.value_type), &type_name(known.value_type));
        compare("secret", &is_secret(decl), &is_secret(known));
        compare("required", &decl.required, &known.required);
        compare("default", &none_or(&decl.default_value), &none_or(&known.default_value));
        compare("env", &none_or(&decl.env), &none_or(&known.env));
    }
}

/// Returns the package in the name of an interface or a world, with its version.
fn package_of(name: &str) -> Option<(&str, &str)> {
    let (package, rest) = name.split_once('/')?;
    Some((package, rest.split_once('@')?.1))
}

/// Returns the type of a configuration value, as manifests write it.
pub fn type_name(value_type: ConfigType) -> &'static str {
    match value_type {
        ConfigType::Text | ConfigType::Secret => "string",
        ConfigType::Integer => "integer",
        ConfigType::Boolean => "boolean",
    }
}

fn is_secret(decl: &ConfigDecl) -> bool {
    decl.value_type == ConfigType::Secret
}

#[cfg(test)]
mod tests;
