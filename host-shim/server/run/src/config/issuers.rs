//! The part `issuers` of the configuration file: the issuers that a business trusts to identify users.

use crate::config::reader::{Reader, Section};
use host_business::yaml::Node;
use host_identity::issuers::{IssuerSettings, LoginSettings, RoleSettings};

const ISSUER: [&str; 5] = ["issuer", "keys", "audience", "roles", "login"];
const ROLES: [&str; 3] = ["claim", "operators", "services"];
const LOGIN: [&str; 3] = ["name", "client_id", "client_secret"];

/// Returns the keys of the part with the names of their sections.
pub(crate) fn known_keys() -> Vec<String> {
    let inner = |section: &str, names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("issuers.{section}{name}")).collect()
    };
    let own: Vec<&str> = ISSUER.iter().copied().filter(|name| !["roles", "login"].contains(name)).collect();
    [inner("", &own), inner("roles.", &ROLES), inner("login.", &LOGIN)].concat()
}

/// Reads the list; none if the section does not have one.
pub(crate) fn read(reader: &Reader<'_>, section: &Section<'_>) -> Option<Vec<IssuerSettings>> {
    section.get("issuers")?;
    let path = section.path_of("issuers");
    let mut issuers: Vec<IssuerSettings> = Vec::new();
    for (at, node) in reader.list(section, "issuers").iter().enumerate() {
        let Some(issuer) = one(reader, &format!("{path}.{at}"), node) else { continue };
        let login = |issuer: &IssuerSettings| issuer.login.as_ref().map(|login| login.name.clone());
        let is_same = |other: &IssuerSettings| {
            other.issuer == issuer.issuer || (other.login.is_some() && login(other) == login(&issuer))
        };
        if issuers.iter().any(is_same) {
            let problem = format!("`{path}.{at}` has the issuer or the name of another one");
            reader.fault(node.place(), problem, "each issuer and each `login.name` once");
        }
        issuers.push(issuer);
    }
    Some(issuers)
}

fn one(reader: &Reader<'_>, path: &str, node: &Node) -> Option<IssuerSettings> {
    let section = reader.section(path, node, Some(&ISSUER));
    let issuer = reader.required(&section, "issuer");
    let roles = reader.inner(&section, "roles", Some(&ROLES)).map(|roles| RoleSettings {
        claim: reader.required(&roles, "claim").unwrap_or_default(),
        operators: values(reader, &roles, "operators"),
        services: values(reader, &roles, "services"),
    });
    let login = reader.inner(&section, "login", Some(&LOGIN)).map(|login| LoginSettings {
        name: reader.required(&login, "name").unwrap_or_default(),
        client_id: reader.required(&login, "client_id").unwrap_or_default(),
        client_secret: reader.secret(&login, "client_secret").map(|secret| secret.value),
    });
    let settings = IssuerSettings {
        issuer: issuer?,
        keys: reader.text(&section, "keys"),
        audience: reader.text(&section, "audience"),
        roles,
        login,
    };
    // A missing name has already been reported.
    let is_named = settings.login.as_ref().is_none_or(|login| !login.name.is_empty());
    if let Err(error) = settings.check()
        && is_named
    {
        reader.fault(node.place(), format!("`{path}`: {error}"), "an issuer as in docs/reference/configuration.md");
    }
    Some(settings)
}

fn values(reader: &Reader<'_>, section: &Section<'_>, name: &str) -> Vec<String> {
    reader.texts(section, name).into_iter().map(|listed| listed.text).collect()
}
