//! The part `extensions` of the configuration file: the products and their payments, and the configuration values of the
//! extension and of the business.

use crate::config::interpolate::only_variable;
use crate::config::reader::{ListedText, Reader, SecretValue, Section};
use host_business::yaml::bad_input::Place;
use host_business::yaml::{Node, Tree};
use host_provider_api::Secret;

/// Name of the extension's section, as given in its manifest.
pub(crate) const INSTANCE_PROVISIONER: &str = "instance_provisioner";
const PRODUCTS: &str = "products";
const SECTIONS: [&str; 2] = [INSTANCE_PROVISIONER, PRODUCTS];
const MEMBERS: [&str; 9] = [
    "enabled",
    "provider",
    "stripe_secret_key",
    "stripe_webhook_secret",
    "stripe_connect_webhook_secret",
    "stripe_publishable_key",
    "product_types",
    "checkout",
    "webhooks",
];
const CHECKOUT: [&str; 2] = ["success_url", "cancel_url"];
const WEBHOOKS: [&str; 3] = ["enabled", "endpoint", "events"];
const TYPE: [&str; 2] = ["name", "fields"];
const FIELD: [&str; 5] = ["name", "type", "required", "options", "unique"];
/// The only payment source.
const PROVIDERS: [&str; 1] = ["stripe"];
/// Longest path of a webhook, in bytes.
const PATH_BYTES_MAX: usize = 200;

/// Returns the keys of the part with the names of their sections.
pub(crate) fn known_keys() -> Vec<String> {
    let products =
        MEMBERS.iter().filter(|name| !["checkout", "webhooks"].contains(*name)).map(|name| (*name).to_owned());
    let checkout = CHECKOUT.iter().map(|name| format!("checkout.{name}"));
    let webhooks = WEBHOOKS.iter().map(|name| format!("webhooks.{name}"));
    let products = products.chain(checkout).chain(webhooks).map(|name| format!("extensions.{PRODUCTS}.{name}"));
    products.chain([format!("extensions.{INSTANCE_PROVISIONER}.KEY")]).collect()
}

/// The value of a configuration key of the extension or of the business. `Debug` omits the value, which may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct OwnValue {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Secret,
    /// The variable, if the value consists of exactly one.
    pub variable: Option<String>,
    pub(crate) place: Place,
}

impl std::fmt::Debug for OwnValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnValue").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The products and their payments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductsConfig {
    /// Key of Stripe's API.
    pub stripe_secret_key: Option<SecretValue>,
    /// Signing secret of Stripe's endpoint; two, separated by a comma, during a rotation.
    pub stripe_webhook_secret: Option<SecretValue>,
    /// Signing secret of the endpoint for connected accounts.
    pub stripe_connect_webhook_secret: Option<SecretValue>,
    /// Whether a publishable key is given, and where.
    pub(crate) stripe_publishable_key: Option<Place>,
    /// Names of product types that the catalog must have.
    pub product_types: Vec<ListedText>,
    /// Whether fields of types are listed, and where.
    pub(crate) type_fields: Option<Place>,
    /// Return URL of a checkout, in place of the catalog's.
    pub success_url: Option<String>,
    /// Return URL of a cancelled checkout, in place of the catalog's.
    pub cancel_url: Option<String>,
    /// False: Stripe's webhooks are not served.
    pub webhooks: Option<bool>,
    /// A further path of Stripe's webhooks.
    pub webhook_path: Option<String>,
    /// Types of Stripe events that the endpoint receives.
    pub webhook_events: Vec<ListedText>,
}

/// The part `extensions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionsConfig {
    /// The products.
    pub products: ProductsConfig,
    /// Values of configuration keys.
    pub own: Vec<OwnValue>,
}

impl ExtensionsConfig {
    /// Reads a section within a section; empty if it is missing.
    pub(crate) fn read(reader: &Reader<'_>, of: &Section<'_>) -> ExtensionsConfig {
        let Some(section) = reader.inner(of, "extensions", Some(&SECTIONS)) else { return ExtensionsConfig::default() };
        let products = reader.inner(&section, PRODUCTS, Some(&MEMBERS));
        let own = reader.inner(&section, INSTANCE_PROVISIONER, None);
        ExtensionsConfig {
            products: products.map(|products| read_products(reader, &products)).unwrap_or_default(),
            own: own.map(|own| read_own(reader, &own)).unwrap_or_default(),
        }
    }

    /// Returns these values, with missing ones taken from `other`.
    pub(crate) fn or(self, other: &ExtensionsConfig) -> ExtensionsConfig {
        let (mine, theirs) = (self.products, other.products.clone());
        let mut own = self.own;
        let further = other.own.iter().filter(|value| !own.iter().any(|known| known.key == value.key));
        let further: Vec<OwnValue> = further.cloned().collect();
        own.extend(further);
        let some = |list: Vec<ListedText>, other| if list.is_empty() { other } else { list };
        ExtensionsConfig {
            products: ProductsConfig {
                stripe_secret_key: mine.stripe_secret_key.or(theirs.stripe_secret_key),
                stripe_webhook_secret: mine.stripe_webhook_secret.or(theirs.stripe_webhook_secret),
                stripe_connect_webhook_secret: mine
                    .stripe_connect_webhook_secret
                    .or(theirs.stripe_connect_webhook_secret),
                stripe_publishable_key: mine.stripe_publishable_key.or(theirs.stripe_publishable_key),
                product_types: some(mine.product_types, theirs.product_types),
                type_fields: mine.type_fields.or(theirs.type_fields),
                success_url: mine.success_url.or(theirs.success_url),
                cancel_url: mine.cancel_url.or(theirs.cancel_url),
                webhooks: mine.webhooks.or(theirs.webhooks),
                webhook_path: mine.webhook_path.or(theirs.webhook_path),
                webhook_events: some(mine.webhook_events, theirs.webhook_events),
            },
            own,
        }
    }
}

fn read_products(reader: &Reader<'_>, section: &Section<'_>) -> ProductsConfig {
    if reader.truth(section, "enabled") == Some(false)
        && let Some(entry) = section.get("enabled")
    {
        let problem = format!("`{}: false`", section.path_of("enabled"));
        reader.fault(entry.place(), problem, "true: without products, a server has nothing to serve");
    }
    reader.word(section, "provider", &PROVIDERS);
    let mut products = ProductsConfig {
        stripe_secret_key: reader.secret(section, "stripe_secret_key"),
        stripe_webhook_secret: reader.secret(section, "stripe_webhook_secret"),
        stripe_connect_webhook_secret: reader.secret(section, "stripe_connect_webhook_secret"),
        stripe_publishable_key: reader
            .text(section, "stripe_publishable_key")
            .and(section.get("stripe_publishable_key"))
            .map(host_business::yaml::Entry::place),
        ..ProductsConfig::default()
    };
    for node in reader.list(section, "product_types") {
        read_type(reader, section, node, &mut products);
    }
    if let Some(checkout) = reader.inner(section, "checkout", Some(&CHECKOUT)) {
        let is_url = |text: &str| {
            let is_url = ["https://", "http://", "/"].iter().any(|start| text.starts_with(start));
            is_url.then(|| text.to_owned())
        };
        let expected = "a path of the site, or a URL that begins with https://";
        products.success_url = reader.parsed(&checkout, "success_url", expected, is_url);
        products.cancel_url = reader.parsed(&checkout, "cancel_url", expected, is_url);
    }
    if let Some(webhooks) = reader.inner(section, "webhooks", Some(&WEBHOOKS)) {
        products.webhooks = reader.truth(&webhooks, "enabled");
        let expected = "a path such as /api/webhooks/stripe, without a slash at its end";
        products.webhook_path = reader.parsed(&webhooks, "endpoint", expected, path);
        products.webhook_events = reader.texts(&webhooks, "events");
    }
    products
}

fn path(text: &str) -> Option<String> {
    let is_letter = |c: u8| c.is_ascii_alphanumeric() || b"-._~".contains(&c);
    let is_part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_letter);
    let is_path = text.strip_prefix('/').is_some_and(|parts| parts.split('/').all(is_part));
    (is_path && text.len() <= PATH_BYTES_MAX).then(|| text.to_owned())
}

/// Reads an entry of `product_types`: a name, or a name with fields.
fn read_type(reader: &Reader<'_>, section: &Section<'_>, node: &Node, products: &mut ProductsConfig) {
    let what = section.path_of("product_types");
    if !matches!(node.value, Tree::Map(_)) {
        products.product_types.extend(reader.listed(&what, node, "a name, or `{name, fields}`"));
        return;
    }
    let entry = reader.section(&what, node, Some(&TYPE));
    match entry.get("name") {
        Some(name) => products.product_types.extend(reader.listed(&entry.path_of("name"), &name.value, "a text")),
        None => {
            let problem = format!("an entry of `{what}` has no `name`");
            reader.fault(node.place(), problem, "`name`, and `fields` if there are some");
        }
    }
    for field in reader.list(&entry, "fields") {
        products.type_fields.get_or_insert_with(|| entry.place().clone());
        let field = reader.section(&entry.path_of("fields"), field, Some(&FIELD));
        if reader.text(&field, "name").is_none() && field.get("name").is_none() {
            reader.fault(
                field.place().clone(),
                format!("an entry of `{}` has no `name`", entry.path_of("fields")),
                "`name`",
            );
        }
        reader.text(&field, "type");
        reader.truth(&field, "required");
        reader.truth(&field, "unique");
        reader.texts(&field, "options");
    }
}

/// Reads the values of configuration keys. Their names and types are checked once the business is known.
fn read_own(reader: &Reader<'_>, section: &Section<'_>) -> Vec<OwnValue> {
    let mut own = Vec::new();
    for entry in section.entries() {
        let what = section.path_of(&entry.key);
        let expected = "a text, a whole number, true or false";
        let Some(value) = reader.filled(&what, &entry.value, expected) else { continue };
        let variable = entry.value.scalar().and_then(|text| only_variable(&text).map(str::to_owned));
        own.push(OwnValue { key: entry.key.clone(), value: Secret::new(value), variable, place: entry.place() });
    }
    own
}
