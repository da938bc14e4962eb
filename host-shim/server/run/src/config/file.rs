//! The configuration file of a server, `solobase.config.yml`.

use crate::config::business::{self, BusinessConfig, DEFAULTS};
use crate::config::environment::Environment;
use crate::config::extensions;
use crate::config::interpolate;
use crate::config::issuers;
use crate::config::reader::{Reader, SecretValue, Section};
use axum::http::HeaderName;
use host_business::tables::postgres::Roles;
use host_business::yaml::bad_input::{BadInput, Mistakes};
use host_business::yaml::{Checker, Node};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Default name of the file.
pub const CONFIG_FILE: &str = "solobase.config.yml";
/// Levels of the log.
pub const LOG_LEVELS: [&str; 4] = ["error", "warn", "info", "debug"];
/// Formats of the log's lines.
pub const LOG_FORMATS: [&str; 2] = ["text", "json"];
const SECTIONS: [&str; 6] = ["server", "database", "storage", "data", "log", "businesses"];
const SERVER: [&str; 5] = ["country_header", "host", "port", "trusted_proxies", "url"];
/// The expected form of the server's address, as messages describe it.
const URL_EXPECTED: &str = "an address for browsers, without a path: https://manage.example.com";
const DATABASE: [&str; 4] = ["type", "url", "tables", "roles"];
const ROLES: [&str; 4] = ["anonymous", "user", "admin", "service"];
const STORAGE: [&str; 3] = ["type", "bucket", "region"];
const LOG: [&str; 2] = ["level", "format"];
/// Default address, the same as for `serve`.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Default port, the same as for `serve`.
const PORT: u16 = 8090;

/// The database of the accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A SQLite file in the data folder.
    Sqlite,
    /// A PostgreSQL server.
    Postgresql {
        /// Its URL, including the password.
        url: Option<SecretValue>,
    },
}

/// The storage of the server's own files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// The data folder.
    Local,
    /// A bucket.
    S3 {
        /// Name of the bucket.
        bucket: Option<String>,
        /// Region of the bucket.
        region: Option<String>,
    },
}

/// A read configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Path of the file.
    pub file: PathBuf,
    /// Address.
    pub listen: SocketAddr,
    /// Address of the server for browsers, without a trailing slash; by default `http://` and the listening address.
    pub url: Option<String>,
    /// The proxies whose `X-Forwarded-For` is trusted; by default those on this machine.
    pub trusted_proxies: Option<Vec<IpNet>>,
    /// The header in which a proxy says the visitor's country; without it, the country is that of the browser's language.
    pub country_header: Option<HeaderName>,
    /// Database of the server itself.
    pub database: Database,
    /// The roles that may read the views of `tables.yml`; none if a server leaves the views unchanged.
    pub views: Option<Roles>,
    /// Storage of the server itself.
    pub storage: Storage,
    /// The data folder; by default that of the command line.
    pub data: Option<PathBuf>,
    /// Level of the log, one of [`LOG_LEVELS`].
    pub log_level: Option<&'static str>,
    /// Format of the log's lines, one of [`LOG_FORMATS`].
    pub log_format: Option<&'static str>,
    /// The businesses, at least one.
    pub businesses: Vec<BusinessConfig>,
    /// The values that all businesses share.
    pub defaults: BusinessConfig,
    /// Positions of values that this server does not support.
    unserved: Vec<BadInput>,
}

/// Returns the keys of the file with the names of their sections: `server.port`.
pub fn known_keys() -> Vec<String> {
    let below = |section: &str, names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("{section}.{name}")).collect()
    };
    let is_value = |name: &&&str| !["server", "database", "storage", "log", "extensions"].contains(*name);
    let mut keys: Vec<String> =
        SECTIONS.iter().chain(&DEFAULTS).filter(is_value).map(|name| (*name).to_owned()).collect();
    for (section, names) in [
        ("server", &SERVER[..]),
        ("database", &DATABASE),
        ("database.roles", &ROLES),
        ("storage", &STORAGE),
        ("log", &LOG),
    ] {
        keys.extend(below(section, names));
    }
    keys.retain(|key| key != "database.roles");
    keys.extend(below("businesses", &business::OWN_MEMBERS));
    keys.extend(extensions::known_keys());
    keys.extend(issuers::known_keys());
    keys
}

impl ServerConfig {
    /// Reads a file.
    ///
    /// # Errors
    /// Fails with all faults of the file, in the order of their lines.
    pub fn read(file: &Path, environment: &Environment) -> Result<ServerConfig, Mistakes> {
        Checker::read(|check| {
            let node = interpolate::read(check, file)?;
            Ok(ServerConfig::of(&Reader { environment, check }, file, &node))
        })
    }

    fn of(reader: &Reader<'_>, file: &Path, node: &Node) -> ServerConfig {
        let known = [SECTIONS.as_slice(), DEFAULTS.as_slice()].concat();
        let section = reader.section("", node, Some(&known));
        let beside = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let beside = beside.unwrap_or(Path::new(".")).to_owned();
        let (database, storage) = (read_database(reader, &section), read_storage(reader, &section));
        let log = reader.inner(&section, "log", Some(&LOG));
        let defaults = business::read_defaults(reader, &section, &beside);
        ServerConfig {
            file: file.to_owned(),
            views: read_views(reader, &section),
            listen: read_listen(reader, &section),
            url: read_url(reader, &section),
            trusted_proxies: read_proxies(reader, &section),
            country_header: read_country_header(reader, &section),
            data: reader.text(&section, "data").map(|data| beside.join(data)),
            log_level: log.as_ref().and_then(|log| reader.word(log, "level", &LOG_LEVELS)),
            log_format: log.as_ref().and_then(|log| reader.word(log, "format", &LOG_FORMATS)),
            businesses: business::read(reader, &section, defaults.clone(), &beside),
            defaults,
            unserved: storage.1.into_iter().collect(),
            database,
            storage: storage.0,
        }
    }

    /// Returns the values that are valid but not supported by this server yet.
    pub fn unserved(&self) -> &[BadInput] {
        &self.unserved
    }
}

fn read_listen(reader: &Reader<'_>, section: &Section<'_>) -> SocketAddr {
    let Some(server) = reader.inner(section, "server", Some(&SERVER)) else { return (HOST, PORT).into() };
    let parse = |text: &str| if text == "localhost" { Some(HOST) } else { text.parse().ok() };
    let host = reader.parsed(&server, "host", "an IP address such as 0.0.0.0, or localhost", parse);
    let port = reader.whole(&server, "port", 0..=u16::MAX);
    (host.unwrap_or(HOST), port.unwrap_or(PORT)).into()
}

fn read_url(reader: &Reader<'_>, section: &Section<'_>) -> Option<String> {
    let server = reader.inner(section, "server", None)?;
    let parse = |text: &str| {
        let (scheme, host) = text.split_once("://")?;
        let is_host = |c: u8| c.is_ascii_alphanumeric() || b"-.:[]".contains(&c);
        let host = host.strip_suffix('/').unwrap_or(host);
        let is_address = ["http", "https"].contains(&scheme) && !host.is_empty() && host.bytes().all(is_host);
        is_address.then(|| format!("{scheme}://{}", host.to_ascii_lowercase()))
    };
    reader.parsed(&server, "url", URL_EXPECTED, parse)
}

/// Reads the addresses and networks of proxies.
fn read_proxies(reader: &Reader<'_>, section: &Section<'_>) -> Option<Vec<IpNet>> {
    let server = reader.inner(section, "server", None)?;
    server.get("trusted_proxies")?;
    let listed = reader.texts(&server, "trusted_proxies");
    let network = |text: &str| text.parse().ok().or_else(|| text.parse().map(IpAddr::into).ok());
    let read = listed.iter().filter_map(|entry| {
        let network: Option<IpNet> = network(&entry.text);
        if network.is_none() {
            let problem = format!("`server.trusted_proxies` has `{}`", entry.written);
            reader.fault(entry.place.clone(), problem, "IP addresses, or networks such as 10.0.0.0/8");
        }
        network
    });
    Some(read.collect())
}

/// Reads the name of the header with a visitor's country.
fn read_country_header(reader: &Reader<'_>, section: &Section<'_>) -> Option<HeaderName> {
    let server = reader.inner(section, "server", None)?;
    let text = reader.text(&server, "country_header")?;
    let name: Option<HeaderName> = text.parse().ok();
    if let (None, Some(entry)) = (&name, server.get("country_header")) {
        let problem = format!("`server.country_header` is `{text}`");
        reader.fault(entry.place(), problem, "the name of a header, such as CF-IPCountry");
    }
    name
}

/// Reports members that the type of a section does not have.
fn only_with(reader: &Reader<'_>, section: &Section<'_>, names: &[&str], word: &str) {
    for entry in names.iter().filter_map(|name| section.get(name)) {
        let problem = format!("`{}` is only for `type: {word}`", section.path_of(&entry.key));
        reader.fault(entry.place(), problem, "no such key");
    }
}

/// Returns the message about a value that is valid but not supported.
fn not_served(section: &Section<'_>, found: &str, expected: &str) -> Option<BadInput> {
    let place = section.get("type").map_or_else(|| section.place().clone(), host_business::yaml::Entry::place);
    let problem = format!("`{}: {found}` is correct, and this server cannot serve it yet", section.path_of("type"));
    Some(BadInput::new(place, problem, expected))
}

fn read_database(reader: &Reader<'_>, section: &Section<'_>) -> Database {
    let Some(section) = reader.inner(section, "database", Some(&DATABASE)) else { return Database::Sqlite };
    match reader.word(&section, "type", &["sqlite", "postgresql"]) {
        Some("postgresql") => {
            if section.get("url").is_none() {
                reader.missing(&section, "url");
            }
            Database::Postgresql { url: reader.secret(&section, "url") }
        }
        Some(_) => {
            only_with(reader, &section, &["url", "roles"], "postgresql");
            Database::Sqlite
        }
        None => {
            if section.get("type").is_none() {
                reader.missing(&section, "type");
            }
            Database::Sqlite
        }
    }
}

/// Reads whether the server creates the views, and for which database roles.
fn read_views(reader: &Reader<'_>, section: &Section<'_>) -> Option<Roles> {
    let mut roles = Roles::default();
    // The code that reads the database section reports unknown members.
    let Some(section) = reader.inner(section, "database", None) else { return Some(roles) };
    if let Some(named) = reader.inner(&section, "roles", Some(&ROLES)) {
        let fields = [&mut roles.anonymous, &mut roles.user, &mut roles.admin, &mut roles.service];
        let is_name = |text: &str| (1..=63).contains(&text.len()).then(|| text.to_owned());
        for (name, field) in ROLES.into_iter().zip(fields) {
            if let Some(role) = reader.parsed(&named, name, "the name of a role, of at most 63 bytes", is_name) {
                *field = role;
            }
        }
    }
    reader.truth(&section, "tables").unwrap_or(true).then_some(roles)
}

fn read_storage(reader: &Reader<'_>, section: &Section<'_>) -> (Storage, Option<BadInput>) {
    let Some(section) = reader.inner(section, "storage", Some(&STORAGE)) else {
        return (Storage::Local, None);
    };
    match reader.word(&section, "type", &["local", "s3"]) {
        Some("s3") => {
            if section.get("bucket").is_none() {
                reader.missing(&section, "bucket");
            }
            let (bucket, region) = (reader.text(&section, "bucket"), reader.text(&section, "region"));
            (Storage::S3 { bucket, region }, not_served(&section, "s3", "local, the folder `data`"))
        }
        Some(_) => {
            only_with(reader, &section, &["bucket", "region"], "s3");
            (Storage::Local, None)
        }
        None => {
            if section.get("type").is_none() {
                reader.missing(&section, "type");
            }
            (Storage::Local, None)
        }
    }
}
