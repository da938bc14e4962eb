//! The part `businesses` of the configuration file: which businesses a server has, and how it serves each.

use crate::config::extensions::ExtensionsConfig;
use crate::config::issuers;
use crate::config::reader::{ListedText, Reader, Section};
use host_business::yaml::bad_input::{BadInput, Place};
use host_identity::issuers::IssuerSettings;
use host_provider_api::ProviderName;
use std::path::{Path, PathBuf};

/// Members that are also defaults of all businesses.
pub(crate) const DEFAULTS: [&str; 6] = ["mode", "providers", "provider_settings", "simulate", "extensions", "issuers"];
/// Members that are allowed only for a business.
pub(crate) const OWN_MEMBERS: [&str; 2] = ["folder", "hosts"];
const MODES: [&str; 3] = ["local", "test", "live"];
/// Longest host name, in bytes.
const HOST_BYTES_MAX: usize = 253;

/// How a business is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BusinessMode {
    /// With a local Stripe and local providers.
    Local,
    /// With Stripe's test mode.
    #[default]
    Test,
    /// With real money.
    Live,
}

/// A business of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessConfig {
    /// Folder of the business.
    pub folder: PathBuf,
    /// Host names, in lower case.
    pub hosts: Vec<String>,
    /// How it is served.
    pub mode: BusinessMode,
    /// Names of providers.
    pub providers: Vec<ProviderName>,
    /// File with the settings of the providers.
    pub provider_settings: Option<PathBuf>,
    /// Simulates the effects that no provider carries out.
    pub simulate: bool,
    /// Values for the extensions.
    pub extensions: ExtensionsConfig,
    /// The issuers that the business trusts.
    pub issuers: Vec<IssuerSettings>,
    /// Position in the file; none for a business given on the command line.
    pub(crate) place: Option<Place>,
}

impl BusinessConfig {
    /// Returns a business with the defaults.
    pub fn of_folder(folder: &Path) -> BusinessConfig {
        BusinessConfig {
            folder: folder.to_owned(),
            hosts: Vec::new(),
            mode: BusinessMode::Test,
            providers: Vec::new(),
            provider_settings: None,
            simulate: false,
            extensions: ExtensionsConfig::default(),
            issuers: Vec::new(),
            place: None,
        }
    }

    /// Returns the position in the file.
    pub fn place_in(&self, file: &Path) -> Place {
        self.place.clone().unwrap_or_else(|| Place::file(file))
    }

    /// Returns the fault for a folder in the file that does not exist.
    pub fn missing_folder(&self) -> Option<BadInput> {
        let place = self.place.clone().filter(|_| !self.folder.is_dir())?;
        Some(BadInput::new(place, "`folder` names no folder", "the path of a business, from the folder of this file"))
    }

    /// Returns these values for a business in another folder, without host names.
    #[must_use]
    pub fn in_folder(self, folder: &Path) -> BusinessConfig {
        BusinessConfig { folder: folder.to_owned(), hosts: Vec::new(), ..self }
    }
}

/// Reads the values that all businesses share.
pub(crate) fn read_defaults(reader: &Reader<'_>, section: &Section<'_>, beside: &Path) -> BusinessConfig {
    read_values(reader, section, BusinessConfig::of_folder(beside), beside)
}

/// Reads the values of a section; missing ones are taken from `default`.
fn read_values(reader: &Reader<'_>, section: &Section<'_>, default: BusinessConfig, beside: &Path) -> BusinessConfig {
    let mode = reader.word(section, "mode", &MODES).map(|word| match word {
        "local" => BusinessMode::Local,
        "live" => BusinessMode::Live,
        _ => BusinessMode::Test,
    });
    let mut providers = Vec::new();
    for ListedText { text, written, place } in reader.texts(section, "providers") {
        match text.parse() {
            Ok(name) => providers.push(name),
            Err(_) => {
                let problem = format!("an entry of `{}` is not a provider", section.path_of("providers"));
                let names = ProviderName::ALL.map(ProviderName::as_str);
                reader.check.note(BadInput::new(place, problem, names.join(", ")).guessing(&written, names));
            }
        }
    }
    let settings = reader.text(section, "provider_settings").map(|path| beside.join(path));
    if let (Some(path), Some(entry)) = (&settings, section.get("provider_settings"))
        && !path.is_file()
    {
        let problem = format!("`{}` names no file", section.path_of("provider_settings"));
        reader.fault(entry.place(), problem, "the path of a file, from the folder of this file");
    }
    BusinessConfig {
        mode: mode.unwrap_or(default.mode),
        providers: if providers.is_empty() { default.providers } else { providers },
        provider_settings: settings.or(default.provider_settings),
        simulate: reader.truth(section, "simulate").unwrap_or(default.simulate),
        extensions: ExtensionsConfig::read(reader, section).or(&default.extensions),
        issuers: issuers::read(reader, section).unwrap_or(default.issuers),
        ..BusinessConfig::of_folder(beside)
    }
}

/// Reads the businesses: those of the list, or the one in whose folder the file is.
pub(crate) fn read(
    reader: &Reader<'_>,
    section: &Section<'_>,
    default: BusinessConfig,
    beside: &Path,
) -> Vec<BusinessConfig> {
    let Some(entry) = section.get("businesses") else { return vec![default] };
    let mut businesses: Vec<BusinessConfig> = Vec::new();
    let items = reader.list(section, "businesses");
    if items.is_empty() && entry.value.items().is_some() {
        reader.fault(entry.place(), "`businesses` is empty", "at least one business, or no `businesses`");
    }
    for (at, node) in items.iter().enumerate() {
        let path = format!("businesses.{at}");
        let item = reader.section(&path, node, Some(&[OWN_MEMBERS.as_slice(), DEFAULTS.as_slice()].concat()));
        let folder = match reader.text(&item, "folder") {
            Some(folder) => beside.join(folder),
            None => {
                if item.get("folder").is_none() {
                    reader.fault(
                        node.place(),
                        format!("`{path}` has no `folder`"),
                        "`folder`, the folder of the business",
                    );
                }
                continue;
            }
        };
        let hosts = read_hosts(reader, &item);
        let values = read_values(reader, &item, default.clone(), beside);
        let business = BusinessConfig { folder, hosts, place: Some(node.place()), ..values };
        note_same(reader, &businesses, &business, &path);
        businesses.push(business);
    }
    businesses
}

/// Reports a business whose name or host name another business already has.
fn note_same(reader: &Reader<'_>, others: &[BusinessConfig], business: &BusinessConfig, path: &str) {
    let place = business.place.clone().unwrap_or_else(|| Place::file(&business.folder));
    let name = business.folder.file_name();
    if others.iter().any(|other| other.folder.file_name() == name) {
        let problem = format!("`{path}.folder` has the name of another business");
        reader.fault(place.clone(), problem, "folders with different names");
    }
    let is_taken = |host: &&String| others.iter().any(|other| other.hosts.contains(host));
    if business.hosts.iter().any(|host| is_taken(&host)) {
        let problem = format!("`{path}.hosts`: another business has one of these host names");
        reader.fault(place, problem, "each host name once");
    }
}

fn read_hosts(reader: &Reader<'_>, section: &Section<'_>) -> Vec<String> {
    let is_letter = |c: u8| c.is_ascii_alphanumeric() || b"-.".contains(&c);
    let is_host = |host: &str| (1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(is_letter);
    let mut hosts = Vec::new();
    for ListedText { text, place, .. } in reader.texts(section, "hosts") {
        match is_host(&text) {
            true => hosts.push(text.to_ascii_lowercase()),
            false => {
                let problem = format!("an entry of `{}` is not a host name", section.path_of("hosts"));
                reader.fault(place, problem, "a host name without a port, such as manage.example.com");
            }
        }
    }
    hosts
}
