//! Loads a business folder. `catalog.yml` is for the extension; `business.yml` contains policies, permissions and the
//! business's own declarations, `config.yml` the configuration, `routes.yml` the HTTP API, `tables.yml` the views of the store
//! and `templates` the mails. A folder in `features` can add to all of these except the configuration and the views.

mod answers;
mod costs;
mod effects;
mod features;
mod measured;
mod own;
mod paths;
mod placeholders;
mod recorded;
mod retry;
mod templates;
mod variables;
mod webhooks;

use crate::manifest::Manifest;
pub use crate::pages::FOLDER as PAGES_FOLDER;
use crate::pages::PageSet;
use crate::routes::RouteTable;
use crate::tables::Tables;
use crate::template::MailSite;
use crate::yaml::bad_input::{BadInput, Mistakes, read_text};
use crate::yaml::{Checker, Entry, Node, Tree};
pub use answers::WebhookAnswer;
pub use costs::ResourceCost;
pub use effects::RequestedEffect;
use extension_contract::Declarations;
pub use features::business_of;
pub(crate) use features::is_of_another_file;
use host_engine::processor::Business;
pub use measured::MeasuredSize;
pub use own::BusinessDeclarations;
pub use paths::WebhookPath;
pub use recorded::{RecordedEffect, Recorder};
pub use retry::RetryDecl;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
pub use webhooks::WebhookDecl;

/// Name of the catalog file in a business folder.
pub const CATALOG_FILE: &str = "catalog.yml";
/// Name of the optional file with permissions and own declarations, in a business folder.
pub const BUSINESS_FILE: &str = "business.yml";
/// Name of the optional configuration file in a business folder.
pub const CONFIG_FILE: &str = "config.yml";

/// Name of the optional file with the HTTP API, in a business folder.
pub const ROUTES_FILE: &str = "routes.yml";

/// Name of the optional file with views of the store, in a business folder.
pub const TABLES_FILE: &str = "tables.yml";

/// A loaded business folder.
#[derive(Clone, Debug, PartialEq)]
pub struct BusinessFolder {
    /// Name of the business and of the folder.
    pub name: String,
    /// Path of the folder.
    pub folder: PathBuf,
    /// Payload of `catalog.load`: the catalog document with all other clauses for the extension and the mail templates.
    pub catalog: Value,
    /// The document with all clauses and with files and lines, for messages.
    pub lines: Arc<Node>,
    /// Own declarations of the business, in addition to those of the extension.
    pub own: BusinessDeclarations,
    /// The business's own declarations, in addition to those of the extension.
    pub templates: BTreeMap<String, Value>,
    /// Configuration as text; secrets are references.
    pub config: BTreeMap<String, String>,
    /// The clauses with the placeholders of the configuration; none if there are no placeholders.
    pub unfilled: Option<Arc<Node>>,
    /// The HTTP API.
    pub routes: Arc<RouteTable>,
    /// The views of the store.
    pub tables: Arc<Tables>,
}

impl BusinessFolder {
    /// Loads a folder.
    ///
    /// # Errors
    /// Fails with the mistakes in the first faulty part of the folder: its files, their clauses, or its configuration.
    pub fn load(folder: &Path) -> Result<BusinessFolder, Mistakes> {
        let features::MergedFiles { lines, templates, routes } = features::read(folder)?;
        let own = BusinessDeclarations::read(&lines)?;
        let file = folder.join(CONFIG_FILE);
        let config = match file.is_file() {
            true => config_values(&Node::parse(&file, &read_text(&file)?)?, &own)?,
            false => BTreeMap::new(),
        };
        placeholders::check(&lines, &own.config, &config)?;
        let routes = Arc::new(RouteTable::read(&routes, &own.config)?);
        let tables = folder.join(TABLES_FILE);
        let tables = match tables.is_file() {
            true => Tables::read(&Node::parse(&tables, &read_text(&tables)?)?)?,
            false => Tables::default(),
        };
        let unfilled = (!placeholders::named(&lines).is_empty()).then(|| Arc::new(lines.clone()));
        let lines = placeholders::fill(&lines, &own.config, &config);
        let catalog = catalog_payload(&lines, &templates, unfilled.as_deref());
        let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let name = absolute.file_name().map_or_else(|| "business".to_owned(), |n| n.to_string_lossy().into_owned());
        let (folder, lines, tables) = (folder.to_owned(), Arc::new(lines), Arc::new(tables));
        let business =
            BusinessFolder { name, folder, catalog, lines, own, templates, config, unfilled, routes, tables };
        // A server reads the pages when it starts; their mistakes are reported with the others.
        if business.page_folders().iter().any(|folder| folder.is_dir()) {
            business.pages()?;
        }
        Ok(business)
    }

    /// Returns the folders with mail templates: the business's own, and one for each feature.
    pub fn template_folders(&self) -> Vec<PathBuf> {
        self.folders_with(templates::FOLDER)
    }

    /// Returns the folders with this name in the business and in each of its features.
    fn folders_with(&self, name: &str) -> Vec<PathBuf> {
        let features = features::names(&self.folder).unwrap_or_default();
        std::iter::once(self.folder.clone()).chain(features).map(|folder| folder.join(name)).collect()
    }

    /// Returns the folders with pages: the business's own, and one for each feature.
    pub fn page_folders(&self) -> Vec<PathBuf> {
        self.folders_with(PAGES_FOLDER)
    }

    /// Reads the pages: the built-in ones, the business's own, and those of its features.
    ///
    /// # Errors
    /// Fails with the mistakes of the files.
    pub fn pages(&self) -> Result<PageSet, Mistakes> {
        let mut pages = PageSet::read(&self.name, &self.page_folders(), &self.own.config)?;
        pages.set_catalog(&self.catalog);
        Ok(pages)
    }

    /// Returns the business as it appears in its mails. Its pages are at `url`, and its console is at `console`.
    ///
    /// # Errors
    /// Fails with the mistakes of the pages.
    pub fn mail_site(&self, url: &str, console: &str) -> Result<MailSite, Mistakes> {
        let products = self.catalog["products"].as_array().into_iter().flatten();
        let name = |product: &Value| Some((product["id"].as_str()?.to_owned(), product["name"].as_str()?.to_owned()));
        Ok(MailSite { products: products.filter_map(name).collect(), ..self.pages()?.mail_site(url, console) })
    }

    /// Returns the business with changed clauses.
    fn changed(&self, change: impl Fn(&Node) -> Node) -> BusinessFolder {
        let (lines, unfilled) =
            (change(&self.lines), self.unfilled.as_ref().map(|unfilled| Arc::new(change(unfilled))));
        let catalog = catalog_payload(&lines, &self.templates, unfilled.as_deref());
        BusinessFolder { catalog, lines: Arc::new(lines), unfilled, ..self.clone() }
    }

    /// Returns the mistakes in the clauses that the host itself reads: names that neither the extension nor the catalog
    /// declares.
    pub fn mistakes(&self, declarations: &Declarations) -> Vec<BadInput> {
        let mut mistakes = self.own.mistakes(declarations, &self.lines);
        mistakes.extend(self.routes.mistakes(declarations));
        mistakes
    }

    /// Returns the business with only the clauses that the extension reads.
    #[must_use]
    pub fn of_extension(&self) -> BusinessFolder {
        let BusinessDeclarations { config, effects, decimals, .. } = self.own.clone();
        let own = BusinessDeclarations { config, effects, decimals, ..BusinessDeclarations::default() };
        BusinessFolder { own, routes: Arc::default(), ..self.clone() }
    }

    /// Returns the business for the engine: in a mode (true for real money), with configuration overrides and the
    /// permissions of the extension's manifest.
    pub fn for_engine(&self, livemode: bool, config: &[(String, String)], manifest: &Manifest) -> Business {
        Business {
            name: self.name.clone(),
            livemode,
            config: self.config_with(config),
            own: self.own.for_engine(),
            catalog_hash: self.hash(config),
            permitted: manifest.permitted.clone(),
            not_state: manifest.not_state.clone(),
        }
    }

    /// Returns the folder's configuration with `overrides`. A value that is not a decimal number, although its key requires
    /// one, is kept unchanged; the host refuses it when it starts.
    pub fn config_with(&self, overrides: &[(String, String)]) -> BTreeMap<String, String> {
        let mut config = self.config.clone();
        let value = |(key, text): &(String, String)| {
            (key.clone(), self.own.value_of(key, text).unwrap_or_else(|_| text.clone()))
        };
        config.extend(overrides.iter().map(value));
        config
    }

    /// Returns the business with the configuration values `overrides` in its catalog.
    #[must_use]
    pub fn filled(&self, overrides: &[(String, String)]) -> BusinessFolder {
        let Some(unfilled) = &self.unfilled else { return self.clone() };
        let lines = placeholders::fill(unfilled, &self.own.config, &self.config_with(overrides));
        let catalog = catalog_payload(&lines, &self.templates, Some(unfilled));
        BusinessFolder { catalog, lines: Arc::new(lines), ..self.clone() }
    }

    /// Returns the business with another policy: a string in the clause `policies`.
    #[must_use]
    pub fn with_policy(&self, name: &str, value: &str) -> BusinessFolder {
        self.changed(|lines| with_policy(lines, name, Tree::Text(value.to_owned())))
    }

    /// Returns the business whose checkouts return to this server: at the paths of its `success_url` and `cancel_url`.
    #[must_use]
    pub fn with_checkouts_at(&self, url: &str) -> BusinessFolder {
        self.changed(|lines| {
            let mut lines = lines.clone();
            move_checkouts(&mut lines, url);
            lines
        })
    }

    /// Returns the business with one more origin for its own pages.
    #[must_use]
    pub fn with_origin(&self, origin: &str) -> BusinessFolder {
        self.changed(|lines| with_origin(lines, origin))
    }

    /// Returns the origins of the business's own pages, as listed in the policy `origins`.
    pub fn origins(&self) -> Vec<String> {
        let origins = self.catalog[POLICIES]["origins"].as_array().into_iter().flatten();
        origins.filter_map(|origin| origin.as_str().map(str::to_owned)).collect()
    }

    /// Returns the configuration keys that the catalog uses in `${config.KEY}`.
    pub fn keys_in_catalog(&self) -> BTreeSet<String> {
        self.unfilled.as_ref().map(|unfilled| placeholders::named(unfilled)).unwrap_or_default().into_iter().collect()
    }

    /// Returns the SHA-256, hex, of the RFC 8785 form of `{"catalog", "config"}`, with `overrides`. Decisions depend on
    /// this data, in addition to the event and the account. The order of entries does not change the hash.
    pub fn hash(&self, overrides: &[(String, String)]) -> String {
        let document = json!({"catalog": self.filled(overrides).catalog, "config": self.config_with(overrides)});
        let canonical = serde_json_canonicalizer::to_vec(&document).expect("finite numbers and text keys");
        hex::encode(Sha256::digest(canonical))
    }
}

/// Members of the catalog with the pages to which a checkout returns.
const CHECKOUT_URLS: [&str; 2] = ["success_url", "cancel_url"];
/// Name of the clause of policies.
pub(crate) const POLICIES: &str = "policies";

fn with_policy(lines: &Node, name: &str, value: Tree) -> Node {
    let entry = |key: &str, value| Entry { key: key.to_owned(), line: 0, value };
    let mut lines = lines.clone();
    if lines.entry_mut(POLICIES).is_none() {
        lines.push(entry(POLICIES, Node::of(Tree::Map(Vec::new()))));
    }
    if let Some(policies) = lines.entry_mut(POLICIES) {
        match policies.entry_mut(name) {
            Some(known) => known.value = value,
            None => policies.push(entry(name, Node::of(value))),
        }
    }
    lines
}

/// Returns the path of an address, including its slash; none if it has no path.
fn path_of(address: &str) -> Option<&str> {
    let of_variable = || address.strip_prefix("${").and_then(|rest| rest.split_once('}'));
    let (_, rest) = address.split_once("://").or_else(of_variable)?;
    rest.find('/').map(|at| &rest[at..])
}

/// Replaces the origins of the addresses to which checkouts return. A leading `${config.KEY}` counts as an origin too.
fn move_checkouts(lines: &mut Node, url: &str) {
    match &mut lines.value {
        Tree::Map(entries) => {
            for entry in entries {
                match &mut entry.value.value {
                    Tree::Text(text) if CHECKOUT_URLS.contains(&entry.key.as_str()) => {
                        if let Some(path) = path_of(text) {
                            *text = format!("{url}{path}");
                        }
                    }
                    _ => move_checkouts(&mut entry.value, url),
                }
            }
        }
        Tree::List(items) => items.iter_mut().for_each(|item| move_checkouts(item, url)),
        _ => {}
    }
}

fn with_origin(lines: &Node, origin: &str) -> Node {
    let known = lines.member(POLICIES).and_then(|policies| policies.member("origins")).and_then(Node::items);
    let mut origins: Vec<Node> = known.unwrap_or_default().to_vec();
    if !origins.iter().any(|node| node.scalar().is_some_and(|known| known == origin)) {
        origins.push(Node::text(origin));
    }
    with_policy(lines, "origins", Tree::List(origins))
}

/// Builds the payload of `catalog.load`: all clauses for the extension, and the mail templates. The extension does not get the
/// configuration keys whose values are already in the catalog, because it could not use them.
fn catalog_payload(lines: &Node, templates: &BTreeMap<String, Value>, unfilled: Option<&Node>) -> Value {
    let mut catalog = lines.json();
    if let Value::Object(document) = &mut catalog {
        let filled_in = unfilled.map(|unfilled| placeholders::only_filled_in(unfilled, lines)).unwrap_or_default();
        if let Some(Value::Object(keys)) = document.get_mut(own::CONFIG).filter(|_| !filled_in.is_empty()) {
            keys.retain(|key, _| !filled_in.contains(key));
            if keys.is_empty() {
                document.remove(own::CONFIG);
            }
        }
        for &clause in features::OF_HOST {
            document.remove(clause);
        }
        if !templates.is_empty() {
            document.insert(templates::FOLDER.to_owned(), json!(templates));
        }
    }
    catalog
}

/// Returns a configuration value as text; none for a list, a mapping or a fraction.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

/// Reads the configuration values as text.
fn config_values(document: &Node, own: &BusinessDeclarations) -> Result<BTreeMap<String, String>, Mistakes> {
    Checker::read(|check| {
        check.each(check.map("config.yml", document)?, |Entry { key, value, .. }| {
            let expected = "a text, a whole number or a truth value";
            let text = text_of(&value.json()).ok_or_else(|| check.wrong(key, value, expected))?;
            let value = own.value_of(key, &text).map_err(|decimals| {
                let expected = format!("a decimal number in quotes, with at most {decimals} decimals");
                check.bad(value.place(), format!("`{key}: {text}`"), expected)
            });
            Ok((key.clone(), value?))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_folder::TestFolder;

    fn loaded(catalog: &str, config: &str) -> BusinessFolder {
        TestFolder::of(&[(CATALOG_FILE, catalog), (CONFIG_FILE, config)]).load().expect("a business")
    }

    #[test]
    fn permissions_are_read_from_business_yml_only() {
        let folder = TestFolder::of(&[(CATALOG_FILE, "a: 1\n")]);
        folder.write(BUSINESS_FILE, "may: {purchase.create: [owner]}\n");
        let business = folder.load().expect("a business");
        assert_eq!(business.catalog, json!({"a": 1, "may": {"purchase.create": ["owner"]}}));
        folder.write(BUSINESS_FILE, "# roles\nmya: {}\n");
        let mistake = folder.load().expect_err("an unknown clause").to_string();
        assert!(
            mistake.contains("business.yml:2") && mistake.contains("`mya`") && mistake.contains("may"),
            "{mistake}"
        );
        folder.write(CATALOG_FILE, "a: 1\nmay: {}\n");
        let mistake = folder.load().expect_err("roles in the catalog").to_string();
        assert!(mistake.contains("catalog.yml:2") && mistake.contains("business.yml"), "{mistake}");
    }

    #[test]
    fn the_hash_depends_on_the_values_and_not_on_their_notation() {
        let first = loaded("a: 1\nb: {c: [2, 3]}\n", "x: 1\ny: true\n");
        let same = loaded("b:\n  c: [2, 3]\na: 1\n", "y: 'true'\nx: '1'\n");
        assert_eq!(first.hash(&[]), same.hash(&[]));
        assert_eq!(first.hash(&[]), first.hash(&[("x".into(), "1".into())]), "an override that changes nothing");
        let others = [loaded("a: 2\nb: {c: [2, 3]}\n", "x: 1\ny: true\n"), loaded("a: 1\nb: {c: [2, 3]}\n", "x: 1\n")];
        assert!(others.iter().all(|other| other.hash(&[]) != first.hash(&[])));
        assert_ne!(first.hash(&[("x".into(), "2".into())]), first.hash(&[]));
    }

    #[test]
    fn a_folder_without_a_configuration_file_has_an_empty_configuration() {
        let folder = TestFolder::of(&[(CATALOG_FILE, "a: 1\n")]);
        let business = folder.load().expect("a business");
        assert_eq!(business.config, BTreeMap::new());
        assert_eq!(Some(business.name.as_str()), folder.path().file_name().and_then(|name| name.to_str()));
    }

    #[test]
    fn further_paths_of_webhooks_are_for_the_host_only() {
        let folder = TestFolder::of(&[(CATALOG_FILE, "a: 1\n")]);
        let load = |paths: &str| {
            folder.write(BUSINESS_FILE, &format!("webhook_paths: {paths}\n"));
            folder.load()
        };
        let business = load("{/api/billing/webhook: stripe}").expect("a business");
        assert_eq!(business.catalog, json!({"a": 1}), "the extension does not see them");
        let [path] = &*business.own.webhook_paths else { panic!("one path") };
        assert_eq!((path.path.as_str(), path.webhook.as_str()), ("/api/billing/webhook", "stripe"));
        for wrong in ["billing", "/", "/a/", "/a//b", "/a/../b", "/a b", "/a%2fb", "/api/webhooks/other"] {
            let mistake = load(&format!("{{\"{wrong}\": stripe}}")).expect_err(wrong);
            assert!(mistake.to_string().contains("business.yml:1"), "{mistake}");
        }
        load("{/hook: [stripe]}").expect_err("a list");
        let none = extension_contract::Declarations::default();
        let unknown = load("{/hook: strip}").expect("a business");
        let mistakes = unknown.own.mistakes(&none, &unknown.lines);
        assert!(mistakes.len() == 1 && mistakes[0].to_string().contains("stripe"), "{mistakes:?}");
    }

    #[test]
    fn the_words_for_deliveries_are_for_the_host_only() {
        let folder = TestFolder::of(&[(CATALOG_FILE, "a: 1\n")]);
        let load = |answers: &str| {
            folder.write(BUSINESS_FILE, &format!("webhook_answers: {answers}\n"));
            folder.load()
        };
        let business = load("{stripe: {success: Success, failure: Webhook Error}}").expect("a business");
        assert_eq!(business.catalog, json!({"a": 1}), "the extension does not see them");
        let [answer] = &*business.own.webhook_answers else { panic!("one webhook") };
        assert_eq!((answer.success.as_str(), answer.failure.as_str()), ("Success", "Webhook Error"));
        for wrong in [
            "{stripe: Success}",
            "{stripe: {success: a}}",
            "{stripe: {success: a, failure: []}}",
            "{stripe: {success: a, failure: b, c: d}}",
        ] {
            let mistake = load(wrong).expect_err(wrong);
            assert!(mistake.to_string().contains("business.yml:1"), "{mistake}");
        }
        let unknown = load("{strip: {success: a, failure: b}}").expect("a business");
        let mistakes = unknown.own.mistakes(&extension_contract::Declarations::default(), &unknown.lines);
        assert!(mistakes.len() == 1 && mistakes[0].to_string().contains("stripe"), "{mistakes:?}");
    }

    #[test]
    fn values_of_the_configuration_stand_in_the_catalog_with_their_types() {
        let folder = TestFolder::of(&[(CATALOG_FILE, "a: 1\n")]);
        let keys = "config:\n  price: {type: integer, default: 500, env: PRICE}\n  site: {default: \"https://a.example\"}\n  \
                    share: {type: integer, decimals: 4, default: \"0.90\"}\n  sold: {type: boolean, default: true}\n  \
                    key: {type: secret}\n  zone: {}\n";
        folder.write(BUSINESS_FILE, keys);
        let catalog = "a: \"${config.price}\"\nb: [\"${config.site}/x?p=${config.price}\", \"${config.sold}\"]\nc: ${config.share}\n\
                       d: \"{config.price}\"\n";
        folder.write(CATALOG_FILE, catalog);
        let business = folder.load().expect("a business");
        let clause = |business: &BusinessFolder, name: &str| business.catalog[name].clone();
        assert_eq!(clause(&business, "a"), json!(500));
        assert_eq!(clause(&business, "b"), json!(["https://a.example/x?p=500", true]));
        assert_eq!((clause(&business, "c"), clause(&business, "d")), (json!(9000), json!("{config.price}")));
        let keys: Vec<&String> = business.catalog["config"].as_object().expect("a mapping").keys().collect();
        assert_eq!(keys, ["key", "price", "zone"], "the extension gets the keys that it may name");
        let given = [("price".to_owned(), "700".to_owned()), ("share".to_owned(), "0.855".to_owned())];
        let filled = business.filled(&given);
        assert_eq!((clause(&filled, "a"), clause(&filled, "c")), (json!(700), json!(8550)));
        assert_eq!(business.config_with(&given)["share"], "8550");
        assert_ne!(business.hash(&given), business.hash(&[]));
        assert_eq!(business.keys_in_catalog(), ["price", "share", "site", "sold"].map(str::to_owned).into());
        for (wrong, expected) in
            [("prcie", "did you mean `price`?"), ("key", "not a secret"), ("zone", "`zone` has no value")]
        {
            folder.write(CATALOG_FILE, &format!("x: 1\na: [\"${{config.{wrong}}}\"]\n"));
            let mistake = folder.load().expect_err(wrong).to_string();
            assert!(mistake.contains("catalog.yml:2") && mistake.contains(expected), "{mistake}");
        }
        folder.write(CATALOG_FILE, "a: \"${config.zone}\"\n");
        folder.write(CONFIG_FILE, "zone: z1\n");
        assert_eq!(folder.load().expect("a business").catalog["a"], "z1");
        folder.write(CONFIG_FILE, "zone: z1\nshare: \"0.123456\"\n");
        let mistake = folder.load().expect_err("too many decimals").to_string();
        assert!(mistake.contains("config.yml:2") && mistake.contains("at most 4 decimals"), "{mistake}");
    }

    #[test]
    fn a_policy_is_replaced_or_added_with_and_without_placeholders() {
        for (catalog, policies) in [
            ("a: 1\n", ""),
            ("b: \"${config.x}\"\n", "policies: {success_url: \"https://a.example/${config.x}\", grace: 3d}\n"),
        ] {
            let own = format!("{policies}config: {{x: {{default: x}}}}\n");
            let loaded = TestFolder::of(&[(CATALOG_FILE, catalog), (BUSINESS_FILE, &own)]).load().expect("a business");
            let url = &loaded.catalog["policies"]["success_url"];
            assert!(policies.is_empty() || url == "https://a.example/x", "a policy has placeholders: {url}");
            let business = loaded.with_policy("success_url", "https://b.example");
            let filled = business.filled(&[("x".to_owned(), "y".to_owned())]);
            for business in [&business, &filled] {
                assert_eq!(business.catalog["policies"]["success_url"], "https://b.example", "{catalog}");
            }
            assert!(filled.catalog.get("b").is_none_or(|b| b == "y"), "{catalog}");
        }
    }

    #[test]
    fn an_effect_is_recorded_if_the_business_declares_it_and_it_makes_nothing() {
        let folder = TestFolder::of(&[(CATALOG_FILE, "a: 1\n")]);
        let of = |recorded: &str| {
            folder.write(BUSINESS_FILE, &format!("resources: {{log: [track, ensure]}}\nrecorded: {recorded}\n"));
            folder.load()
        };
        let declarations = extension_contract::Declarations::default();
        let mistakes = |recorded: &str| {
            let business = of(recorded).expect("a business");
            let found = business.own.mistakes(&declarations, &business.lines);
            found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let business = of("{log.track: counts}").expect("a business");
        assert_eq!((&*business.own.recorded[0].kind, &*business.own.recorded[0].about), ("log.track", "counts"));
        assert_eq!(business.catalog.get("recorded"), None, "the extension does not see them");
        assert_eq!(mistakes("{log.track: counts}"), "");
        for wrong in ["{log.ensure: x}", "{log.tracks: x}", "{mail.send: x}"] {
            let told = mistakes(wrong);
            assert!(told.contains("business.yml:2") && told.contains("log.track"), "{told}");
        }
        for wrong in ["{log.track: }", "{log.track: [x]}", "[log.track]"] {
            let mistake = of(wrong).expect_err(wrong).to_string();
            assert!(mistake.contains("business.yml:2"), "{mistake}");
        }
    }

    #[test]
    fn a_business_says_why_a_variable_is_not_used() {
        let folder = TestFolder::of(&[(CATALOG_FILE, "a: 1\n")]);
        folder.write(BUSINESS_FILE, "unused_variables: {REDIS_URL: the application's cache}\n");
        let business = folder.load().expect("a business");
        assert_eq!(business.own.unused_variables["REDIS_URL"], "the application's cache");
        assert_eq!(business.catalog, json!({"a": 1}), "the extension does not see them");
        for wrong in ["{REDIS-URL: x}", "{REDIS_URL: }", "{REDIS_URL: [x]}", "{1A: x}", "[A]"] {
            folder.write(BUSINESS_FILE, &format!("unused_variables: {wrong}\n"));
            let mistake = folder.load().expect_err(wrong).to_string();
            assert!(mistake.contains("business.yml:1"), "{mistake}");
        }
        for wrong in [
            "{env: 1A}",
            "{decimals: 2}",
            "{type: integer, decimals: 10}",
            "{type: integer, decimals: 2, default: \"0.901\"}",
        ] {
            folder.write(BUSINESS_FILE, &format!("config:\n  a: {wrong}\n"));
            let mistake = folder.load().expect_err(wrong).to_string();
            assert!(mistake.contains("business.yml:2"), "{mistake}");
        }
    }

    #[test]
    fn a_mistake_in_a_file_is_reported_with_its_line() {
        let problem = |catalog: &str, config: Option<&str>| {
            let config = config.map(|text| (CONFIG_FILE, text));
            let files: Vec<_> = [(CATALOG_FILE, catalog)].into_iter().chain(config).collect();
            let Mistakes(told) = TestFolder::of(&files).load().expect_err("refused");
            let [bad] = told.as_slice() else { panic!("{told:?}") };
            let file = bad.place.file.file_name().map(|name| name.to_string_lossy().into_owned());
            (file.unwrap_or_default(), bad.place.line, bad.problem.clone(), bad.expected.clone())
        };
        let single = "a text, a whole number or a truth value".to_owned();
        let mistake = problem("a: 1\n", Some("x: 1\ny: [1]\n"));
        assert_eq!(mistake, ("config.yml".into(), 2, "`y` is a list".into(), single.clone()));
        let mistake = problem("a: 1\n", Some("x: 1.5\n"));
        assert_eq!(mistake, ("config.yml".into(), 1, "`x` is a number".into(), single));
        let mistake = problem("a: 1\n", Some("- x\n"));
        assert_eq!(mistake, ("config.yml".into(), 1, "`config.yml` is a list".into(), "a mapping".into()));
        let mistake = problem("- a\n", None);
        assert_eq!(mistake, ("catalog.yml".into(), 0, "the catalog is not a mapping".into(), "a mapping".into()));
        assert_eq!((problem("a: 1\nb: [\n", None).0, problem("a: 1\na: 2\n", None).1), ("catalog.yml".into(), 2));
    }
}
