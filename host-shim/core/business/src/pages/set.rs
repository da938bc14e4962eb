//! All pages of a business: the built-in ones and its own.

use crate::pages::built_in::{LIVE, STYLE, TEMPLATES};
use crate::pages::filters;
use crate::pages::site::SiteWords;
use crate::pages::source::Source;
use crate::routes::{Nav, PageAction, PageHead, PageParts, PageReader, Who, decoded};
use crate::template::{Bounded, MailSite};
use crate::yaml::bad_input::{BadInput, Mistakes, Place, read_text};
use crate::yaml::{Checked, Checker, Node};
use extension_contract::ConfigDecl;
use host_provider_api::html::escaped;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the optional folder of pages in a business folder.
pub const FOLDER: &str = "pages";
/// The page that is shown in place of an instance that is not running.
pub const AWAY_PAGE: &str = "away";
/// The page that explains a failure.
pub const ERROR_PAGE: &str = "error";
/// Maximum number of instructions for one page.
const STEPS_MAX: u64 = 5_000_000;
/// Maximum length of a rendered page, in bytes.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Maximum length of a logo in bytes.
const LOGO_BYTES_MAX: u64 = 256 * 1024;
/// Names that every template may use.
const COMMON: [&str; 13] = [
    "away", "caller", "catalog", "errors", "form", "nav", "now", "page", "problem", "refresh", "reply", "said", "site",
];

/// A page cannot be shown. The error contains no value of the page, since values are personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct PageError {
    /// File of the template.
    pub file: String,
    /// Line in the file.
    pub line: usize,
    /// Description of the mistake.
    pub problem: String,
}

/// A page.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Name of the file, without `.html`.
    pub name: String,
    /// Its head, with the reads and actions of its blocks.
    pub head: PageHead,
}

/// A file that browsers load with a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Media type.
    pub media: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// An entry of the navigation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NavEntry {
    /// The label.
    pub label: String,
    /// Path of the page.
    pub path: String,
    /// Who sees the page.
    pub who: Who,
}

/// The pages of a business.
pub struct PageSet {
    sources: BTreeMap<String, Source>,
    pages: Vec<Page>,
    actions: BTreeMap<String, PageAction>,
    by_path: matchit::Router<usize>,
    environment: Environment<'static>,
    assets: BTreeMap<String, Asset>,
    words: SiteWords,
}

impl PartialEq for PageSet {
    fn eq(&self, other: &PageSet) -> bool {
        (&self.sources, &self.assets, &self.words) == (&other.sources, &other.assets, &other.words)
    }
}

impl fmt::Debug for PageSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PageSet").field("sources", &self.sources.keys()).finish_non_exhaustive()
    }
}

/// The files of a business: templates by name, and the other files.
struct Files {
    sources: BTreeMap<String, Source>,
    own: BTreeSet<String>,
    assets: BTreeMap<String, Asset>,
    site: Option<Node>,
}

impl PageSet {
    /// Reads the pages of a business: the built-in ones, and those in the given folders, which replace them.
    ///
    /// # Errors
    /// Fails with all mistakes of the files.
    pub fn read(name: &str, folders: &[PathBuf], config: &[ConfigDecl]) -> Result<PageSet, Mistakes> {
        let Files { sources, own, mut assets, site } = files(folders)?;
        Checker::read(|check| {
            let (words, without) = match &site {
                Some(node) => read_site(check, node, name)?,
                None => (SiteWords::usual(name), Vec::new()),
            };
            let reader = PageReader::new(check, config);
            let (mut heads, mut blocks) = (BTreeMap::new(), BTreeMap::new());
            check.every(&sources, |(file, source)| {
                let Some(head) = &source.head else { return Ok(()) };
                match file.contains('/') {
                    true => drop(blocks.insert(file.as_str(), reader.block(head)?)),
                    false => drop(heads.insert(file.as_str(), reader.page(head)?)),
                }
                Ok(())
            })?;
            check.every(&without, |name| match heads.remove(format!("{name}.html").as_str()) {
                Some(_) => Ok(()),
                None => {
                    let place = site.as_ref().map_or_else(|| Place::file(Path::new(FOLDER)), Node::place);
                    let known = TEMPLATES.iter().filter_map(|(file, _)| file.strip_suffix(".html"));
                    Err(check.note(BadInput::unknown_name(place, name, "not a page", known)))
                }
            })?;
            let environment = environment(check, &sources)?;
            let mut set = PageSet {
                pages: Vec::new(),
                actions: BTreeMap::new(),
                by_path: matchit::Router::new(),
                environment,
                assets: std::mem::take(&mut assets),
                words,
                sources: BTreeMap::new(),
            };
            // Own pages come first: a built-in page with the same path is left out.
            let (first, last): (Vec<_>, Vec<_>) = heads.into_iter().partition(|(file, _)| own.contains(*file));
            let mut taken: BTreeMap<String, &str> = BTreeMap::new();
            check.every(first.into_iter().chain(last), |(file, head)| {
                let source = &sources[file];
                match (taken.insert(head.pattern.to_string(), file), own.contains(file)) {
                    (Some(other), true) => {
                        let problem = format!("`{}` is already the path of {other}", head.pattern);
                        return Err(check.bad(Place::line(&source.file, 1), problem, "another path"));
                    }
                    (Some(_), false) => return Ok(()),
                    (None, _) => {}
                }
                set.add(check, file, head, &sources, &blocks)
            })?;
            set.sources = sources.clone();
            set.add_assets();
            Ok(set)
        })
    }

    /// Adds a page with the reads and actions of its blocks.
    fn add(
        &mut self,
        check: &Checker,
        file: &str,
        head: PageHead,
        sources: &BTreeMap<String, Source>,
        blocks: &BTreeMap<&str, PageParts>,
    ) -> Checked<()> {
        let source = &sources[file];
        let place = || Place::line(&source.file, 1);
        let used = used_by(check, file, sources)?;
        let mut parts = head.parts.clone();
        for block in used.iter().filter_map(|name| blocks.get(name.as_str())) {
            merge(check, &place(), &mut parts, block)?;
        }
        for action in &parts.actions {
            match self.actions.insert(action.name.clone(), action.clone()) {
                Some(other) if other != *action => {
                    let problem = format!("`do: {}` differs from the action of this name on another page", action.name);
                    return Err(check.bad(place(), problem, "another name"));
                }
                _ => {}
            }
        }
        let of_parts =
            parts.reads.iter().map(|read| read.name.as_str()).chain(parts.gets.iter().map(|get| get.name.as_str()));
        let names: BTreeSet<&str> = COMMON.iter().copied().chain(of_parts).collect();
        check.every(std::iter::once(file).chain(used.iter().map(String::as_str)), |template| {
            let with = blocks.get(template).map(|block| block.with.as_slice()).unwrap_or_default();
            let given: BTreeSet<&str> = names.iter().copied().chain(with.iter().map(String::as_str)).collect();
            self.check_names(check, template, &sources[template], &given)
        })?;
        let head = PageHead { parts, ..head };
        let name = file.trim_end_matches(".html").to_owned();
        if head.pattern.as_str() != "/" {
            let inserted = self.by_path.insert(head.pattern.as_str(), self.pages.len());
            inserted.map_err(|error| check.bad(place(), format!("`{}`: {error}", head.pattern), "another path"))?;
        }
        self.pages.push(Page { name, head });
        Ok(())
    }

    /// Reports names that no template defines, and filters and tests that do not exist.
    fn check_names(&self, check: &Checker, name: &str, source: &Source, known: &BTreeSet<&str>) -> Checked<()> {
        let Ok(template) = self.environment.get_template(name) else { return Ok(()) };
        let globals: BTreeSet<&str> = self.environment.globals().map(|(name, _)| name).collect();
        let undeclared = template.undeclared_variables(false);
        let mut unknown: Vec<&String> = undeclared
            .iter()
            .filter(|name| !known.contains(name.as_str()) && !globals.contains(name.as_str()))
            .collect();
        unknown.sort();
        check.every(unknown, |name| {
            let line = source.template.lines().position(|line| line.contains(name.as_str())).map_or(1, |at| at + 1);
            let place = Place::line(&source.file, line);
            Err(check.note(BadInput::unknown_name(place, name, "not available here", known.iter().copied())))
        })?;
        // Parsing does not find unknown filters and tests; rendering an empty page finds those that it reaches.
        match template.render(()) {
            Err(error) if is_mistake(error.kind()) => {
                let place = Place::line(&source.file, error.line().unwrap_or(1));
                let problem = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
                Err(check.bad(place, problem, "a filter or test of minijinja or of docs/learn/pages.md"))
            }
            _ => Ok(()),
        }
    }

    fn add_assets(&mut self) {
        let text = |media, text: &str| Asset { media, bytes: text.as_bytes().to_vec() };
        self.assets.insert("app.css".to_owned(), text("text/css; charset=utf-8", STYLE));
        self.assets.insert("live.js".to_owned(), text("text/javascript; charset=utf-8", LIVE));
        let letter = self.words.title.chars().next().unwrap_or('·').to_string();
        let logo = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect width=\"32\" height=\"32\" rx=\"8\" fill=\"#3552d6\"/>\
             <text x=\"16\" y=\"22\" font-family=\"system-ui, sans-serif\" font-size=\"18\" font-weight=\"700\" fill=\"#fff\" text-anchor=\"middle\">{}</text></svg>",
            escaped(&letter)
        );
        self.assets.entry("logo.svg".to_owned()).or_insert_with(|| text("image/svg+xml", &logo));
    }

    /// Makes the business's catalog available to the templates.
    pub fn set_catalog(&mut self, catalog: &Value) {
        self.environment.add_global("catalog", minijinja::Value::from_serialize(catalog));
    }

    /// Returns the words of the business.
    pub fn words(&self) -> &SiteWords {
        &self.words
    }

    /// Returns the business as it appears in its mails. The pages are at `url`, those of the console at `console`, both without a
    /// trailing slash.
    pub fn mail_site(&self, url: &str, console: &str) -> MailSite {
        let usual = MailSite::new(self.words.title.clone(), url);
        let path = |name: &str| self.named(name).map(|page| page.head.pattern.to_string());
        let theme = self.asset("theme.css").map(|theme| String::from_utf8_lossy(&theme.bytes).into_owned());
        let colour = |name: &str| theme.as_deref().and_then(|theme| colour(theme, name)).map(str::to_owned);
        let (accent, accent_text) = match colour("--accent:") {
            Some(accent) => (accent, colour("--accent-text:").unwrap_or(usual.accent_text)),
            None => (usual.accent, usual.accent_text),
        };
        MailSite {
            support: self.words.support.clone(),
            billing: path("billing").unwrap_or_else(|| "/".to_owned()),
            dashboard: path("dashboard").unwrap_or_else(|| "/".to_owned()),
            instance: path("instance").filter(|path| path.contains("{id}")),
            console: format!("{console}/admin"),
            accent,
            accent_text,
            ..usual
        }
    }

    /// Returns the pages.
    pub fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// Returns the page with a name.
    pub fn named(&self, name: &str) -> Option<&Page> {
        self.pages.iter().find(|page| page.name == name)
    }

    /// Finds the page for a path, and the values in the path.
    pub fn find(&self, path: &str) -> Option<(&Page, Vec<(String, String)>)> {
        if path == "/" {
            let first = self.pages.iter().find(|page| page.head.pattern.as_str() == "/")?;
            return Some((first, Vec::new()));
        }
        let found = self.by_path.at(path.strip_suffix('/').unwrap_or(path)).ok()?;
        let values = found.params.iter().map(|(name, value)| Some((name.to_owned(), decoded(value)?)));
        Some((&self.pages[*found.value], values.collect::<Option<_>>()?))
    }

    /// Returns the action of a form with a name.
    pub fn action(&self, name: &str) -> Option<&PageAction> {
        self.actions.get(name)
    }

    /// Returns a file that browsers load with a page.
    pub fn asset(&self, name: &str) -> Option<&Asset> {
        self.assets.get(name)
    }

    /// Returns the navigation, in order.
    pub fn nav(&self) -> Vec<NavEntry> {
        let of = |page: &Page| page.head.nav.clone().map(|nav| (nav, page.head.pattern.to_string(), page.head.who));
        let mut entries: Vec<(Nav, String, Who)> = self.pages.iter().filter_map(of).collect();
        entries.sort_by(|(a, a_path, _), (b, b_path, _)| (a.at, a_path).cmp(&(b.at, b_path)));
        entries.into_iter().map(|(nav, path, who)| NavEntry { label: nav.label, path, who }).collect()
    }

    /// Renders a page.
    ///
    /// # Errors
    /// Fails if an expression of the template does not fit its values, or if the page is too long.
    pub fn show(&self, page: &Page, values: &Map<String, Value>) -> Result<String, PageError> {
        let file = format!("{}.html", page.name);
        let mut out = Bounded::new(PAGE_BYTES_MAX);
        let shown =
            self.environment.get_template(&file).and_then(|template| template.render_captured_to(values, &mut out));
        match shown {
            // A head leaves empty lines behind.
            Ok(_) => Ok(out.into_text().unwrap_or_default().trim_start().to_owned()),
            Err(error) => Err(PageError {
                file: error.name().unwrap_or(&file).to_owned(),
                line: error.line().unwrap_or(1),
                problem: error.kind().to_string(),
            }),
        }
    }
}

/// True for a mistake in the template, whatever its values are.
fn is_mistake(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnknownFilter
            | ErrorKind::UnknownTest
            | ErrorKind::UnknownFunction
            | ErrorKind::TemplateNotFound
            | ErrorKind::UnknownBlock
    )
}

/// Returns the templates that a template uses, directly or through others.
fn used_by(check: &Checker, file: &str, sources: &BTreeMap<String, Source>) -> Checked<BTreeSet<String>> {
    let (mut used, mut open) = (BTreeSet::new(), vec![file.to_owned()]);
    while let Some(next) = open.pop() {
        let source = &sources[&next];
        for name in source.used() {
            if !sources.contains_key(name) {
                let known: Vec<&str> = sources.keys().map(String::as_str).collect();
                return Err(check.note(BadInput::unknown_name(
                    Place::line(&source.file, 1),
                    name,
                    "not a template",
                    known,
                )));
            }
            if name != file && used.insert(name.to_owned()) {
                open.push(name.to_owned());
            }
        }
    }
    Ok(used)
}

/// Adds the reads and actions of a block. Two blocks may share a name for the same read.
fn merge(check: &Checker, place: &Place, parts: &mut PageParts, block: &PageParts) -> Checked<()> {
    let clash = |what: &str, name: &str| {
        let problem = format!("two blocks of the page have `{what}: {name}`, and they differ");
        Err(check.bad(place.clone(), problem, "another name in one of them"))
    };
    for read in &block.reads {
        match parts.reads.iter().find(|known| known.name == read.name) {
            Some(known) if known != read => return clash("read", &read.name),
            Some(_) => {}
            None => parts.reads.push(read.clone()),
        }
    }
    for get in &block.gets {
        match parts.gets.iter().find(|known| known.name == get.name) {
            Some(known) if known != get => return clash("get", &get.name),
            Some(_) => {}
            None => parts.gets.push(get.clone()),
        }
    }
    for action in &block.actions {
        if !parts.actions.contains(action) {
            parts.actions.push(action.clone());
        }
    }
    Ok(())
}

fn read_site(check: &Checker, node: &Node, name: &str) -> Checked<(SiteWords, Vec<String>)> {
    let mut without = Vec::new();
    let mut rest = node.clone();
    if let Some(named) = node.member("without") {
        without = check.texts("without", named)?;
        rest = node.without(&["/without".to_owned()].into());
    }
    Ok((SiteWords::usual(name).read(check, &rest)?, without))
}

fn environment(check: &Checker, sources: &BTreeMap<String, Source>) -> Checked<Environment<'static>> {
    let mut environment = Environment::new();
    environment.set_debug(false);
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(STEPS_MAX));
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_formatter(|out, state, value| match value.is_none() {
        // Null is empty, not a word.
        true => Ok(()),
        false => minijinja::escape_formatter(out, state, value),
    });
    filters::add(&mut environment);
    check.every(sources, |(name, source)| {
        let added = environment.add_template_owned(name.clone(), source.template.clone());
        added.map_err(|error| {
            let problem = error.detail().unwrap_or("it is not a template").to_owned();
            check.bad(Place::line(&source.file, error.line().unwrap_or(1)), problem, "a template of minijinja")
        })
    })?;
    Ok(environment)
}

/// Reads the files: the built-in ones, and those in the folders.
fn files(folders: &[PathBuf]) -> Result<Files, Mistakes> {
    let mut sources = BTreeMap::new();
    for (name, text) in TEMPLATES {
        sources.insert((*name).to_owned(), Source::parse(&Path::new(FOLDER).join(name), text)?);
    }
    let mut files = Files { sources, own: BTreeSet::new(), assets: BTreeMap::new(), site: None };
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for path in files_below(folder)? {
            add_file(&mut files, folder, &path)?;
        }
    }
    Ok(files)
}

fn add_file(files: &mut Files, folder: &Path, path: &Path) -> Result<(), BadInput> {
    let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().replace('\\', "/");
    let media = match name.as_str() {
        "site.yml" => {
            files.site = Some(Node::parse(path, &read_text(path)?)?);
            return Ok(());
        }
        "theme.css" => "text/css; charset=utf-8",
        "logo.svg" => "image/svg+xml",
        name if name.ends_with(".html") && is_name(name.trim_end_matches(".html")) => {
            files.sources.insert(name.to_owned(), Source::parse(path, &read_text(path)?)?);
            files.own.insert(name.to_owned());
            return Ok(());
        }
        _ => {
            let expected = "NAME.html of a-z, 0-9 and _, blocks/NAME.html, site.yml, theme.css or logo.svg";
            return Err(BadInput::new(Place::file(path), "this is not a file of pages", expected));
        }
    };
    let unreadable = |error: io::Error| BadInput::new(Place::file(path), error.to_string(), "a file that can be read");
    if path.metadata().map_err(unreadable)?.len() > LOGO_BYTES_MAX {
        return Err(BadInput::new(
            Place::file(path),
            "the file is too long",
            format!("at most {LOGO_BYTES_MAX} bytes"),
        ));
    }
    files.assets.insert(name, Asset { media, bytes: std::fs::read(path).map_err(unreadable)? });
    Ok(())
}

fn is_name(name: &str) -> bool {
    let name = name.strip_prefix("blocks/").unwrap_or(name);
    !name.is_empty() && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
}

/// Returns the files in a folder and its subfolders, sorted by name.
///
/// # Errors
/// Fails if a folder cannot be read.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>, BadInput> {
    let unreadable =
        |error: io::Error| BadInput::new(Place::file(folder), error.to_string(), "a folder that can be read");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        match path.is_dir() {
            true => found.extend(files_below(&path)?),
            false => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}

/// Returns the first colour of a variable in a style, if it is written as `#rrggbb`.
fn colour<'t>(theme: &'t str, variable: &str) -> Option<&'t str> {
    let rest = theme.split_once(variable)?.1.trim_start();
    let colour = rest.split([';', '}']).next()?.trim();
    let is_colour =
        colour.len() == 7 && colour.starts_with('#') && colour[1..].bytes().all(|byte| byte.is_ascii_hexdigit());
    is_colour.then_some(colour)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_folder::TestFolder;
    use serde_json::json;

    fn read(files: &[(&str, &str)]) -> Result<PageSet, String> {
        let folder = TestFolder::of(&[]);
        files.iter().for_each(|(name, text)| folder.write(&format!("{FOLDER}/{name}"), text));
        PageSet::read("my-shop", &[folder.path().join(FOLDER)], &[]).map_err(|error| folder.shorten(&error))
    }

    fn shown(set: &PageSet, name: &str, values: Value) -> String {
        let page = set.named(name).expect("a page");
        let values = values.as_object().expect("an object");
        set.show(page, values).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    #[test]
    fn every_built_in_page_is_shown_with_nothing_to_show() {
        let set = read(&[]).expect("pages");
        for page in set.pages() {
            let text = shown(
                &set,
                &page.name,
                json!({"site": {"title": "Shop", "locale": "en-US"}, "page": {"title": page.head.title}}),
            );
            assert!(text.starts_with("<!doctype html>") && text.contains("</html>"), "{}: {text}", page.name);
        }
        assert_eq!(set.words().title, "My Shop");
        assert!(set.asset("logo.svg").is_some() && set.asset("app.css").is_some() && set.asset("x").is_none());
        assert_eq!(
            set.find("/instances/i1").map(|(page, values)| (page.name.clone(), values)),
            Some(("instance".into(), vec![("id".into(), "i1".into())]))
        );
        assert_eq!(set.find("/instances/new").map(|(page, _)| page.name.clone()), Some("new_instance".into()));
    }

    /// A catalog with a plan that is tried, and with an add-on.
    fn sold() -> Value {
        let price = |id: &str| {
            json!([{
                "id": id, "amount": {"amount_minor": 1200, "currency": "usd"}, "interval": {"unit": "month"},
                "terms": {"currencies": {"eur": 1100}},
            }])
        };
        json!({
            "catalog": {
                "product_types": [{"name": "plan", "family": "plan"}, {"name": "slot"}],
                "policies": {"currency": ["usd", "eur"], "cancel_offer": {"coupon": "STAY"}},
                "coupons": {"STAY": {"amount_minor": {"usd": 1000, "eur": 900}}},
            },
            "offers": [
                {"id": "studio", "name": "Studio", "product_type": "plan", "prices": price("price_studio"), "metadata": {"after_trial": "checkout"}},
                {"id": "slot", "name": "Slot", "product_type": "slot", "prices": price("price_slot"), "metadata": {}},
            ],
            "site": {"base": "", "locale": "en-US"},
        })
    }

    #[test]
    fn only_an_account_that_has_not_paid_since_its_trial_reads_that_it_has_ended() {
        let set = read(&[]).expect("pages");
        let ended = |id: &str, price: &str, trial_end: Option<i64>, period_end: i64| json!({"id": id, "status": "canceled", "trial_end": trial_end, "items": [{"price_id": price, "period_end": period_end}]});
        let tried = ended("a", "price_studio", Some(10), 10);
        for (subscriptions, is_told) in [
            (json!([tried]), true),
            (json!([ended("b", "price_slot", None, 30), tried]), true),
            (json!([ended("b", "price_studio", None, 30), tried]), false),
            (json!([ended("b", "price_studio", Some(10), 30)]), false),
            (json!([]), false),
        ] {
            let mut values = sold();
            values["subscriptions"] = subscriptions.clone();
            let told = shown(&set, "billing", values).contains("Your trial has ended, and you weren't charged.");
            assert_eq!(told, is_told, "{subscriptions}");
        }
    }

    #[test]
    fn an_offer_to_stay_has_the_currency_of_the_subscription() {
        let set = read(&[]).expect("pages");
        for (currency, off) in [(json!("eur"), "Stay for €9.00 less"), (Value::Null, "Stay for $10.00 less")] {
            let mut values = sold();
            values["subscriptions"] = json!([{
                "id": "a", "status": "active", "cancel_at_period_end": true,
                "items": [{"price_id": "price_studio", "amount": {"amount_minor": 1100, "currency": currency}, "interval": {"unit": "month"}}],
            }]);
            let billing = shown(&set, "billing", values);
            assert!(billing.contains(off), "{off}: {billing}");
        }
    }

    #[test]
    fn a_code_is_told_where_a_form_sends_it_and_kept_by_the_links_of_the_currencies() {
        let set = read(&[]).expect("pages");
        let pricing = |held: Value, with_slot: bool| {
            let mut values = sold();
            if !with_slot {
                values["offers"].as_array_mut().expect("a list").truncate(1);
            }
            values["mine"] = json!({"entries": held});
            values["page"] = json!({
                "query": {"code": "HALF", "plan": "studio"}, "here": "/pricing?code=HALF", "account": "organization:o",
                "for_account": "?account=organization%3Ao",
            });
            shown(&set, "pricing", values)
        };
        let held = json!([{"value": {"status": "active", "items": [{"price_id": "price_studio"}]}}]);
        let place = |page: &str, text: &str| page.find(text);
        let said = "The checkout applies the code HALF.";
        let new = pricing(json!([]), true);
        assert!(place(&new, said).is_some() && place(&new, said) < place(&new, "plan-studio"), "{new}");
        assert!(new.contains("currency=eur&amp;plan=studio&amp;code=HALF&amp;account=organization%3Ao"), "{new}");
        let add_ons = pricing(held.clone(), true);
        assert!(
            place(&add_ons, said) > place(&add_ons, "plan-studio")
                && place(&add_ons, said) < place(&add_ons, "product-slot")
        );
        assert!(add_ons.contains("href=\"/billing?account=organization%3Ao\""), "{add_ons}");
        assert_eq!(add_ons.matches(said).count(), 1, "{add_ons}");
        assert!(!pricing(held, false).contains(said));
    }

    #[test]
    fn a_business_replaces_adds_and_leaves_out_pages() {
        let own = "---\npath: /pricing\ntitle: Ours\nwho: public\nread: {offers: catalog}\n---\n{% for offer in offers %}{{ offer.name }};{% endfor %}";
        let set = read(&[
            ("plans.html", own),
            ("blocks/problem.html", "---\nwith: [problem]\n---\n!{{ problem.title }}"),
            ("site.yml", "title: The <Shop>\nsupport: help@shop.example\nwithout: [new_instance]\n"),
            ("theme.css", ":root { --accent: red; }"),
        ])
        .expect("pages");
        assert_eq!(set.find("/pricing").map(|(page, _)| page.name.as_str()), Some("plans"));
        assert_eq!(shown(&set, "plans", json!({"offers": [{"name": "<b>"}, {"name": "B"}]})), "&lt;b&gt;;B;");
        assert_eq!(
            set.find("/instances/new").map(|(page, _)| page.name.as_str()),
            Some("instance"),
            "the built-in page is left out"
        );
        let login = shown(&set, "login", json!({"problem": {"title": "No"}, "site": {"title": "The <Shop>"}}));
        assert!(login.contains("!No") && login.contains("The &lt;Shop&gt;"), "{login}");
        assert!(set.asset("theme.css").is_some());
        let site = set.mail_site("https://shop.example", "https://host.example");
        assert_eq!(site.accent, MailSite::default().accent, "a colour by its name is not taken");
        assert_eq!((site.billing.as_str(), site.instance.as_deref()), ("/billing", Some("/instances/{id}")));
        assert_eq!(site.console, "https://host.example/admin");
        let theme = ":root { --accent-text: #0a0a0a; --accent: #0b6b66 } @media { :root { --accent: #ffffff; } }";
        assert_eq!((colour(theme, "--accent:"), colour(theme, "--accent-text:")), (Some("#0b6b66"), Some("#0a0a0a")));
    }

    #[test]
    fn mistakes_of_pages_are_told_with_file_and_line() {
        let head = "---\npath: /a\ntitle: A\nwho: public\n---\n";
        for (files, told) in [
            (vec![("a.html", format!("{head}{{{{ offers }}}}"))], "/pages/a.html:6: `offers` is not available here"),
            (vec![("a.html", format!("{head}\n{{{{ page | uper }}}}"))], "/pages/a.html:7: filter uper is unknown"),
            (vec![("a.html", format!("{head}{{% include \"blocks/x.html\" %}}"))], "`blocks/x.html` is not a template"),
            (vec![("a.html", format!("{head}{{% if %}}"))], "/pages/a.html:6: "),
            (vec![("a.html", head.replace("who: public", "who: all"))], "/pages/a.html:4: "),
            (vec![("a.html", head.to_owned()), ("b.html", head.to_owned())], "already the path of a.html"),
            (vec![("a.txt", String::new())], "/pages/a.txt: this is not a file of pages"),
            (vec![("site.yml", "titel: x".to_owned())], "did you mean `title`?"),
            (vec![("site.yml", "without: [shop]".to_owned())], "`shop` is not a page"),
        ] {
            let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
            let mistakes = read(&files).expect_err(told);
            assert!(mistakes.contains(told), "{told}: {mistakes}");
        }
    }
}
