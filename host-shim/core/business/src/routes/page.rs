//! The head of a page or a block: its path, who sees it, what it shows, and what its forms do.
//!
//! A page runs queries like a route (`read`) and shows answers of the API (`get`). Its forms call the API (`do`). So a page can do nothing
//! that its reader could not do over HTTP.

use crate::routes::expression::{Scope, ValueError};
use crate::routes::form::{Absent, Form};
use crate::routes::path::{self, Method, Pattern};
use crate::routes::reader::{Known, Scopes, is_used, optional_fields, typed_fields};
use crate::routes::reads::{Read, ReadFrom};
use crate::routes::route::Who;
use crate::routes::types::{Field, Type, Types, is_member_name};
use crate::yaml::{Checked, Checker, Entry, Fields, Node};
use extension_contract::{ConfigDecl, ConfigType};
use host_provider_api::url;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Who may see a page.
const READERS: [&str; 3] = ["public", "user", "admin"];
/// The page with the form, as path and query, in expressions of a form.
pub const PAGE: &str = "page";
/// The site, with its address, in expressions.
pub const SITE: &str = "site";
/// Maximum length of an address that a page calls, in bytes.
const ADDRESS_BYTES_MAX: usize = 2_000;

/// The head of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct PageHead {
    /// Path.
    pub pattern: Pattern,
    /// Title.
    pub title: String,
    /// Who sees it.
    pub who: Who,
    /// Its position in the navigation; none if it is not in it.
    pub nav: Option<Nav>,
    /// Query parameters.
    pub query: Vec<Field>,
    /// What it shows and does.
    pub parts: PageParts,
}

/// A position in the navigation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nav {
    /// The label.
    pub label: String,
    /// Sort key; smallest first.
    pub at: i64,
}

/// What a page or a block shows and does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PageParts {
    /// Names that the page passes to a block.
    pub with: Vec<String>,
    /// Queries.
    pub reads: Vec<Read>,
    /// Answers of the API.
    pub gets: Vec<PageGet>,
    /// What the forms do.
    pub actions: Vec<PageAction>,
}

/// An answer of the API that a page shows.
#[derive(Clone, Debug, PartialEq)]
pub struct PageGet {
    /// Name in the template.
    pub name: String,
    /// The path, without the query.
    pub path: Form,
    /// Query parameters.
    pub query: Vec<(String, Form)>,
    /// True if the page is shown without the answer when the API refuses it.
    pub is_optional: bool,
}

/// What a form does: the call of the API.
#[derive(Clone, Debug, PartialEq)]
pub struct PageAction {
    /// Name in the form's address.
    pub name: String,
    /// Method of the call.
    pub method: Method,
    /// Path of the call, without the query.
    pub path: Form,
    /// Query parameters of the call.
    pub query: Vec<(String, Form)>,
    /// Fields of the form. A field of the type `json` collects `NAME.…`.
    pub fields: Vec<Field>,
    /// Body of the call; by default, the fields.
    pub send: Option<Form>,
    /// Where the browser goes afterwards; by default, back to the page.
    pub to: Option<Form>,
    /// True if the reply logs somebody in or out.
    pub sets_session: bool,
    /// The message that the page shows after the call.
    pub said: Option<String>,
    /// True if the reply is shown on the page instead of a redirect, for a secret that is shown once.
    pub shows_reply: bool,
}

/// Reads the heads of pages. Pages may use configuration keys that are not secrets.
#[derive(Debug)]
pub struct PageReader<'c> {
    check: &'c Checker,
    config: Vec<&'c str>,
    /// Pages have no named types.
    types: Types,
}

impl<'c> PageReader<'c> {
    /// Creates a reader that collects mistakes.
    pub fn new(check: &'c Checker, config: &'c [ConfigDecl]) -> PageReader<'c> {
        let keys = config.iter().filter(|decl| decl.value_type != ConfigType::Secret);
        PageReader { check, config: keys.map(|decl| decl.key.as_str()).collect(), types: Types::default() }
    }

    fn known(&self) -> Known<'_> {
        Known { types: &self.types, config: &self.config }
    }

    /// Reads the head of a page.
    ///
    /// # Errors
    /// Fails if there are mistakes, which it reports.
    pub fn page(&self, head: &Node) -> Checked<PageHead> {
        let check = self.check;
        let mut fields = check.fields("the page", head)?;
        let pattern = fields.need("path").and_then(|node| {
            let text = check.filled_text("path", node)?;
            path::read_page(check, &Entry { key: format!("GET {text}"), line: node.place().line, value: node.clone() })
        });
        let title = fields.need("title").and_then(|node| check.filled_text("title", node));
        let who = fields.need("who").and_then(|node| {
            let word = check.word("who", node, &READERS)?;
            Ok(Who::ALL.iter().find(|(_, name)| *name == word).map_or(Who::Admin, |(who, _)| *who))
        });
        let nav = fields.optional("nav", |node| self.nav(node));
        let known = self.known();
        let query = optional_fields(check, &mut fields, "query", &known)?;
        let pattern = pattern?;
        let path: Vec<Field> = pattern.names().map(crate::routes::reader::text_field).collect();
        let scopes = Scopes { path: &path, query: &query, body: &[], known: &known, further: site() };
        let parts = self.parts(&mut fields, scopes)?;
        let reads_at = head.member("read");
        fields.finish()?;
        let who = who?;
        check.every(&parts.reads, |read| {
            let (problem, expected) = match (&read.from, who) {
                (ReadFrom::Catalog | ReadFrom::Rows(_), _) | (_, Who::Admin) => return Ok(()),
                (ReadFrom::Accounts, _) => ("reads all accounts", "`who: admin`"),
                (_, Who::Public) => {
                    ("reads an account, and a page for everybody has none", "only the query `catalog`, or `who: user`")
                }
                _ => return Ok(()),
            };
            let at = reads_at.and_then(|reads| reads.member(&read.name)).unwrap_or(head);
            Err(check.bad(at.place(), format!("`{}` {problem}", read.name), expected))
        })?;
        Ok(PageHead { title: title?, who, nav: nav?, pattern, query, parts })
    }

    /// Reads the head of a block.
    ///
    /// # Errors
    /// Fails if there are mistakes, which it reports.
    pub fn block(&self, head: &Node) -> Checked<PageParts> {
        let mut fields = self.check.fields("the block", head)?;
        let known = self.known();
        let scopes = Scopes { path: &[], query: &[], body: &[], known: &known, further: site() };
        let with = fields.optional("with", |node| self.check.texts("with", node))?;
        let parts = self.parts(&mut fields, scopes)?;
        fields.finish()?;
        Ok(PageParts { with: with.unwrap_or_default(), ..parts })
    }

    fn nav(&self, node: &Node) -> Checked<Nav> {
        let mut fields = self.check.fields("`nav`", node)?;
        let label = fields.need("label").and_then(|node| self.check.filled_text("label", node));
        let at = fields.need("at").and_then(|node| match node.json().as_i64() {
            Some(at) => Ok(at),
            None => Err(self.check.wrong("at", node, "a whole number")),
        });
        fields.finish()?;
        Ok(Nav { label: label?, at: at? })
    }

    fn parts(&self, fields: &mut Fields<'_, '_>, mut scopes: Scopes<'_>) -> Checked<PageParts> {
        let check = self.check;
        let (reads, _) = scopes.read_queries(check, fields, "read")?;
        let gets =
            fields.optional("get", |node| check.each(check.map("get", node)?, |entry| self.get(entry, &scopes)))?;
        let actions =
            fields.optional("do", |node| check.each(check.map("do", node)?, |entry| self.action(entry, &scopes)))?;
        Ok(PageParts { with: Vec::new(), reads, gets: gets.unwrap_or_default(), actions: actions.unwrap_or_default() })
    }

    fn get(&self, entry: &Entry, scopes: &Scopes<'_>) -> Checked<PageGet> {
        let check = self.check;
        let name = self.name(entry)?;
        if entry.value.entries().is_none() {
            let path = scopes.form(check, &entry.value)?;
            self.is_address(&path, &entry.value)?;
            return Ok(PageGet { name, path, query: Vec::new(), is_optional: false });
        }
        let mut fields = check.fields(format!("`{name}`"), &entry.value)?;
        let path = fields.need("path").and_then(|node| {
            let path = scopes.form(check, node)?;
            self.is_address(&path, node)?;
            Ok(path)
        });
        let query = self.query(&mut fields, scopes);
        let is_optional = fields.optional("optional", |node| check.truth("optional", node));
        fields.finish()?;
        Ok(PageGet { name, path: path?, query: query?, is_optional: is_optional?.unwrap_or(false) })
    }

    fn action(&self, entry: &Entry, scopes: &Scopes<'_>) -> Checked<PageAction> {
        let check = self.check;
        let name = self.name(entry)?;
        let mut fields = check.fields(format!("`{name}`"), &entry.value)?;
        let known = self.known();
        let form_fields = match fields.take("form") {
            Some(node) => typed_fields(check, "form", node, &known)?,
            None => Vec::new(),
        };
        let mut of_form =
            Scopes { path: &[], query: &[], body: &form_fields, known: &known, further: scopes.further.clone() };
        of_form.further.insert(PAGE.to_owned());
        let call = fields.need("call").and_then(|node| {
            let text = check.filled_text("call", node)?;
            let (method, path) = text.split_once(' ').unwrap_or_default();
            let expected = "a method and a path of the API, such as `POST /api/auth/login`";
            let Some(method) = Method::named(method) else {
                return Err(check.bad(node.place(), format!("`call: {text}` has no method"), expected));
            };
            let path = Form::text_of(check, node, path)?;
            of_form.names(check, node, path.names())?;
            self.is_address(&path, node)?;
            Ok((method, path))
        });
        let query = self.query(&mut fields, &of_form);
        let send = fields.optional("send", |node| of_form.payload(check, node));
        of_form.further.insert("reply".to_owned());
        let to = fields.optional("to", |node| of_form.form(check, node));
        let sets_session = fields.optional("session", |node| check.truth("session", node));
        let said = fields.optional("said", |node| check.filled_text("said", node));
        let shows_reply = fields.optional("show", |node| check.truth("show", node));
        fields.finish()?;
        let (method, path) = call?;
        let (query, send, to) = (query?, send?, to?);
        // Without `send`, all fields are sent.
        if let Some(send) = &send {
            let forms = query.iter().map(|(_, form)| form).chain([send, &path]).chain(&to);
            let names: BTreeSet<String> = forms.flat_map(Form::names).collect();
            check.every(&form_fields, |field| match is_used(&names, &format!("body.{}", field.name)) {
                true => Ok(()),
                false => {
                    let at =
                        entry.value.member("form").and_then(|form| form.member(&field.name)).unwrap_or(&entry.value);
                    let problem = format!("the call has no use for the field `{}`", field.name);
                    Err(check.bad(
                        at.place(),
                        problem,
                        format!("`{{body.{}}}` in `send`, or no such field", field.name),
                    ))
                }
            })?;
        }
        Ok(PageAction {
            name,
            method,
            path,
            query,
            fields: form_fields.clone(),
            send,
            to,
            sets_session: sets_session?.unwrap_or(false),
            said: said?,
            shows_reply: shows_reply?.unwrap_or(false),
        })
    }

    fn query(&self, fields: &mut Fields<'_, '_>, scopes: &Scopes<'_>) -> Checked<Vec<(String, Form)>> {
        let query = fields.optional("with", |node| {
            self.check.each(self.check.map("with", node)?, |entry| {
                Ok((entry.key.clone(), scopes.form(self.check, &entry.value)?))
            })
        });
        Ok(query?.unwrap_or_default())
    }

    fn name(&self, entry: &Entry) -> Checked<String> {
        match is_member_name(&entry.key) {
            true => Ok(entry.key.clone()),
            false => {
                let problem = format!("`{}` cannot be a name", entry.key);
                Err(self.check.bad(entry.place(), problem, "letters, digits and _"))
            }
        }
    }

    fn is_address(&self, path: &Form, node: &Node) -> Checked<()> {
        let is_path = match path {
            Form::Fixed(Value::String(text)) => is_api_path(text),
            Form::Text(parts) => {
                matches!(parts.first(), Some(crate::routes::form::Part::Letters(first)) if is_api_path(first))
            }
            _ => false,
        };
        match is_path {
            true => Ok(()),
            false => Err(self.check.bad(
                node.place(),
                "this is not a path of the API",
                "a path such as /api/auth/me, without a query",
            )),
        }
    }
}

/// Name of the site in expressions: `{site.url}`.
fn site() -> BTreeSet<String> {
    [SITE.to_owned()].into()
}

fn is_api_path(text: &str) -> bool {
    let begins =
        ["/api/", "/b/", "/ext/", "/health", "/metrics", "/openapi.json"].iter().any(|begin| text.starts_with(begin));
    begins && !text.contains(['?', '#', ' ']) && !text.contains("..")
}

/// Returns the address of a call: the path and the query with the values of a scope. Values cannot change which path is called.
///
/// # Errors
/// Fails if a value does not exist or the address is too long.
pub fn address(path: &Form, query: &[(String, Form)], scope: &Scope) -> Result<String, ValueError> {
    let wrong = |problem: &str| ValueError { expression: "address".to_owned(), problem: problem.to_owned() };
    let mut address = path.text_with(scope, encoded)?;
    let mut separator = '?';
    for (name, form) in query {
        let value = match form.value(scope, Absent::LeftOut)? {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) if text.is_empty() => continue,
            Some(Value::String(text)) => text,
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            Some(_) => return Err(wrong("a value of the query is not text")),
        };
        address.push(separator);
        address.push_str(&encoded(name));
        address.push('=');
        address.push_str(&encoded(&value));
        separator = '&';
    }
    match address.len() <= ADDRESS_BYTES_MAX {
        true => Ok(address),
        false => Err(wrong("it is too long")),
    }
}

/// Encodes a string as one part of a path or a query. Also encodes its dots, since they could lead to another path.
fn encoded(text: &str) -> String {
    url::encoded(text, b"").replace('.', "%2E")
}

/// Reads the fields of a form, which are strings: `NAME.MEMBER` is a member of a field of the type `json`, and `NAME:integer` is a number.
/// An empty string counts as no value.
///
/// # Errors
/// Fails with the wrong and missing fields.
pub fn read_form(fields: &[Field], texts: &[(String, String)]) -> crate::routes::values::Given {
    let is_object =
        |name: &str| fields.iter().any(|field| field.name == name && *field.value_type.required() == Type::Json);
    let (mut objects, mut plain): (Map<String, Value>, Vec<(String, String)>) = (Map::new(), Vec::new());
    for (name, text) in texts.iter().filter(|(_, text)| !text.trim().is_empty()) {
        match name.split_once('.') {
            Some((object, member)) if is_object(object) => {
                let members = objects.entry(object).or_insert_with(|| Value::Object(Map::new()));
                let (member, value) = typed(member, text);
                if let Value::Object(members) = members {
                    members.insert(member.to_owned(), value);
                }
            }
            _ => plain.push((name.clone(), text.clone())),
        }
    }
    let simple: Vec<Field> = fields.iter().filter(|field| !is_object(&field.name)).cloned().collect();
    let mut values = crate::routes::values::read_texts(&simple, &plain)?;
    values.extend(objects);
    Ok(values)
}

/// Returns the name and the value of a member whose name is followed by a type.
fn typed<'n>(member: &'n str, text: &str) -> (&'n str, Value) {
    match member.split_once(':') {
        Some((name, "integer")) => (name, text.trim().parse::<i64>().map_or_else(|_| Value::from(text), Value::from)),
        Some((name, "boolean")) => (name, Value::from(["true", "on", "1"].contains(&text))),
        _ => (member, Value::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::bad_input::Mistakes;
    use serde_json::json;
    use std::path::Path;

    fn page(text: &str) -> Result<PageHead, String> {
        let node = Node::parse(Path::new("pages/a.html"), text).expect("valid YAML");
        let read = Checker::read(|check| PageReader::new(check, &[]).page(&node));
        read.map_err(|Mistakes(told)| told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    const HEAD: &str = "path: /a/{id}\ntitle: A\nwho: user\n";

    #[test]
    fn a_head_is_read_with_everything_that_it_has() {
        let head = page(&format!(
            "{HEAD}nav: {{label: All, at: 3}}\nquery: {{state: string?}}\nread: {{offers: catalog}}\n\
             get: {{me: /api/auth/me, one: {{path: \"/api/things/{{path.id}}\", with: {{state: \"{{query.state}}\"}}, optional: true}}}}\n\
             do: {{buy: {{call: \"POST /api/products/{{body.plan}}/purchase\", form: {{plan: string, metadata: json?}}, send: {{metadata: \"{{body.metadata}}\"}}, to: \"{{reply.url}}\"}}}}\n"
        ))
        .expect("a page");
        assert_eq!((head.pattern.as_str(), head.who, head.nav.map(|nav| nav.at)), ("/a/{id}", Who::User, Some(3)));
        let parts = head.parts;
        assert_eq!((parts.reads.len(), parts.gets.len(), parts.actions.len()), (1, 2, 1));
        let scope = Scope::new(
            [("path", json!({"id": "x/../y?z"})), ("query", json!({"state": "a&b"}))]
                .map(|(name, value)| (name.to_owned(), value)),
        );
        let get = &parts.gets[1];
        let expected = "/api/things/x%2F%2E%2E%2Fy%3Fz?state=a%26b";
        assert_eq!(address(&get.path, &get.query, &scope).as_deref(), Ok(expected), "a value leads to no other path");
    }

    #[test]
    fn mistakes_of_a_head_are_told() {
        for (text, told) in [
            ("title: A\nwho: user\n".to_owned(), "`path`"),
            (format!("{HEAD}giv: 1\n"), "unknown field `giv`"),
            (HEAD.replace("user", "service"), "public, user, admin"),
            (HEAD.replace("/a/{id}", "/api/x"), "not below /api"),
            (format!("{HEAD}read: {{a: plans}}\n"), "`plans` is not a query"),
            (format!("{HEAD}read: {{a: accounts}}\n"), "`a` reads all accounts; expected `who: admin`"),
            (
                format!("{HEAD}read: {{a: purchases}}\n").replace("user", "public"),
                "`a` reads an account, and a page for everybody has none",
            ),
            (
                format!(
                    "{HEAD}do: {{a: {{call: \"POST /api/x\", form: {{why: string?, b: string}}, send: {{b: \"{{body.b}}\"}}}}}}\n"
                ),
                "the call has no use for the field `why`",
            ),
            (format!("{HEAD}get: {{a: \"/api/x/{{path.ib}}\"}}\n"), "expected one of path.id"),
            (format!("{HEAD}get: {{a: https://evil.example}}\n"), "not a path of the API"),
            (format!("{HEAD}do: {{a: {{call: /api/x}}}}\n"), "has no method"),
            (
                format!("{HEAD}do: {{a: {{call: \"POST /api/x\", send: {{a: \"{{body.x}}\"}}}}}}\n"),
                "`body.x` is not available here",
            ),
        ] {
            let mistakes = page(&text).expect_err(&text);
            assert!(mistakes.contains(told), "{told}: {mistakes}");
        }
    }

    #[test]
    fn a_form_gives_typed_values() {
        let field = |name: &str, of: &str| Field {
            name: name.into(),
            value_type: Type::parse(of).expect("a type"),
            about: String::new(),
            default: None,
        };
        let fields = [field("name", "string"), field("count", "integer?"), field("metadata", "json?")];
        let form = |texts: &[(&str, &str)]| {
            let texts: Vec<_> = texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
            read_form(&fields, &texts)
        };
        let given = form(&[
            ("name", "App"),
            ("count", "3"),
            ("metadata.subdomain", "ada"),
            ("metadata.seats:integer", "4"),
            ("metadata.big:boolean", "on"),
            ("metadata.none", " "),
        ]);
        let expected = json!({"name": "App", "count": 3, "metadata": {"subdomain": "ada", "seats": 4, "big": true}});
        assert_eq!(given.map(Value::Object), Ok(expected));
        let wrong = form(&[("name", ""), ("count", "x"), ("other", "1")]).expect_err("wrong");
        let paths: Vec<&str> = wrong.listed().iter().map(|error| error.path.as_str()).collect();
        assert_eq!(paths, ["/count", "/other", "/name"]);
    }

    #[test]
    fn twice_the_fields_of_a_form_take_at_most_three_times_the_steps() {
        let field = |name: &str, of: &str| Field {
            name: name.into(),
            value_type: Type::parse(of).expect("a type"),
            about: String::new(),
            default: None,
        };
        let fields = [field("name", "string"), field("metadata", "json?")];
        let form = |name: fn(usize) -> String, count: usize| {
            let texts: Vec<_> = (0..count).map(|at| (name(at), "1".to_owned())).collect();
            crate::routes::steps::counted(|| drop(read_form(&fields, &texts)))
        };
        let kinds: [fn(usize) -> String; 3] = [|at| format!("x{at}"), |_| "name".to_owned(), |at| format!("y.{at}")];
        for name in kinds {
            let [once, twice] = [1_000, 2_000].map(|count| form(name, count));
            assert!(once >= 1_000 && twice <= 3 * once, "{}: {once} and {twice} steps", name(0));
        }
    }
}
