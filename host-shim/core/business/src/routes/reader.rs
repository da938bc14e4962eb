//! Reads the routes of a file, and checks the names in their expressions.

use crate::routes::errors::{self, ErrorMap};
use crate::routes::fields::read_fields;
use crate::routes::form::{Form, read_name};
use crate::routes::path::{self, Method, Pattern};
use crate::routes::reads::{self, NEXT, PAGE_ROWS_MAX, PAGE_ROWS_USUAL, ROW, Read, ReadFrom};
use crate::routes::route::{Route, Who};
use crate::routes::types::{Field, Type, Types, is_member_name, read_type};
use crate::yaml::bad_input::BadInput;
use crate::yaml::{Checked, Checker, Entry, Fields, Node, Tree};
use serde_json::Value;
use std::collections::BTreeSet;

/// Names that every expression may use: the caller, the configuration, and the time of the request.
const ALWAYS: [&str; 4] = ["caller", "config", "now", "today"];
/// Members of `caller`.
const CALLER: [&str; 5] = ["account", "id", "ip", "kind", "token"];
/// Statuses that an answer may have.
const STATUSES: [u16; 3] = [200, 201, 202];

/// A file of routes.
#[derive(Clone, Debug)]
pub struct RouteFile {
    /// The file.
    pub lines: Node,
    /// The path of a feature, below which its routes must be: `/api/my-feature`.
    pub below: Option<String>,
    /// Name of the group of its routes.
    pub tag: Option<String>,
}

impl RouteFile {
    /// Creates the file of a business.
    pub fn of_business(lines: Node) -> RouteFile {
        RouteFile { lines, below: None, tag: None }
    }

    /// Creates the file of a feature, whose routes must be below `/api/NAME`.
    pub fn of_feature(name: &str, lines: Node) -> RouteFile {
        RouteFile { lines, below: Some(format!("/api/{name}")), tag: Some(title(name)) }
    }
}

/// What the routes of a business may refer to.
pub(crate) struct Known<'k> {
    /// Types of all files.
    pub types: &'k Types,
    /// Configuration keys that are not secrets.
    pub config: &'k [&'k str],
}

/// Reads the clause `routes` of a file.
pub(crate) fn read(check: &Checker, file: &RouteFile, clause: &Node, known: &Known<'_>) -> Checked<Vec<Route>> {
    check.each(check.map("routes", clause)?, |entry| read_route(check, file, entry, known))
}

fn read_route(check: &Checker, file: &RouteFile, entry: &Entry, known: &Known<'_>) -> Checked<Route> {
    let (method, pattern) = path::read(check, entry, file.below.as_deref())?;
    let mut fields = check.fields(format!("`{}`", entry.key), &entry.value)?;
    let name = fields.need("name").and_then(|node| read_route_name(check, node));
    let about = fields.need("about").and_then(|node| check.filled_text("about", node));
    let tag = fields.optional("tag", |node| check.filled_text("tag", node));
    let who = fields.need("who").and_then(|node| {
        let word = check.word("who", node, &Who::ALL.map(|(_, name)| name))?;
        Ok(Who::ALL.iter().find(|(_, name)| *name == word).map_or(Who::Admin, |(who, _)| *who))
    });
    let path: Vec<Field> = pattern.names().map(text_field).collect();
    let query = optional_fields(check, &mut fields, "query", known);
    let body_at = fields.take_entry("body");
    let body = body_at.map(|entry| typed_fields(check, "body", &entry.value, known)).transpose();
    let (query, body) = (query?, body?.unwrap_or_default());
    if let Some(entry) = body_at.filter(|_| !method.has_body()) {
        check.bad(entry.place(), format!("`{}` has a body", method.name()), "POST, PUT or PATCH, or `query`");
    }

    let of_request = Scopes { path: &path, query: &query, body: &body, known, further: BTreeSet::new() };
    let account = fields.optional("account", |node| of_request.form(check, node));
    let secrets = fields.optional("secrets", |node| {
        check.each(check.map("secrets", node)?, |entry| {
            if !is_member_name(&entry.key) {
                return Err(check.bad(
                    entry.place(),
                    format!("`{}` cannot be a name", entry.key),
                    "letters, digits and _",
                ));
            }
            Ok((entry.key.clone(), of_request.form(check, &entry.value)?))
        })
    });
    let holder = fields.optional("holder", |node| of_request.form(check, node));
    let (account, holder) = (account?, holder?);
    let secrets: Vec<(String, Form)> = secrets?.unwrap_or_default();
    let who = who?;
    let mut scopes = of_request;
    let (reads, is_paged) = scopes.read_queries(check, &mut fields, "read")?;
    let before_command = scopes.further.clone();
    if !secrets.is_empty() {
        scopes.further.insert("secrets".to_owned());
    }
    let command_at = fields.take_entry("command");
    let command = command_at.map(|entry| check.filled_text("command", &entry.value)).transpose();
    let payload_at = fields.take_entry("payload");
    let payload = payload_at.map(|entry| scopes.payload(check, &entry.value)).transpose();
    if let Some(entry) = payload_at.filter(|_| command_at.is_none()) {
        check.bad(entry.place(), "`payload` without `command`", "the command that gets the payload");
    }
    scopes.further = before_command;
    if command_at.is_some() {
        scopes.further.insert("reply".to_owned());
    }
    let (then, is_paged_then) = scopes.read_queries(check, &mut fields, "then")?;
    let is_paged = is_paged || is_paged_then;
    let reveal = fields.optional("reveal", |node| read_name(check, node));
    if is_paged {
        scopes.further.insert(NEXT.to_owned());
    }
    let status = fields.optional("status", |node| {
        let status = node.json().as_u64().and_then(|status| u16::try_from(status).ok());
        let known = status.filter(|status| STATUSES.contains(status));
        known.ok_or_else(|| check.bad(node.place(), "`status` is not a status of an answer", "200, 201 or 202"))
    });
    let answer = fields.optional("answer", |node| {
        let of = read_type(check, "answer", node)?;
        known.types.check(check, &of, node)?;
        Ok(of)
    });
    let give_at = fields.take("give");
    let give = give_at.map(|node| scopes.form(check, node)).transpose();
    let errors = fields.optional("errors", |node| ErrorMap::read(check, node));
    let place = entry.place();
    fields.finish()?;
    let answer = answer?.unwrap_or(Type::Json);
    if let Some(node) = give_at {
        shape(check, node, &answer, known.types)?;
    }
    let command = command?;
    if command.is_none() && give_at.is_none() {
        return Err(check.bad(place, "the route does nothing", "`command`, `give`, or both"));
    }
    if let Some(read) = reads.iter().chain(&then).find(|read| read.from == ReadFrom::Accounts && who != Who::Admin) {
        let problem = format!("`{}` reads all accounts", read.name);
        return Err(check.bad(entry.place(), problem, "`who: admin`"));
    }
    let is_of_catalog = |read: &Read| matches!(read.from, ReadFrom::Catalog | ReadFrom::Rows(_));
    check_account(
        check,
        entry,
        who,
        (account.is_some(), holder.is_some()),
        command.is_none() && reads.iter().chain(&then).all(is_of_catalog),
    )?;
    let route = Route {
        name: name?,
        about: about?,
        tag: tag?.or_else(|| file.tag.clone()).unwrap_or_else(|| tag_of(&pattern)),
        method,
        who,
        account,
        holder,
        path,
        query,
        body,
        secrets,
        reads,
        command,
        payload: payload?.unwrap_or_else(|| Form::Map(Vec::new())),
        then,
        reveal: reveal?,
        status: status?.unwrap_or(200),
        answer,
        give: give?,
        errors: errors?.unwrap_or_default(),
        command_at: command_at.map_or_else(|| place.clone(), |entry| entry.value.place()),
        place,
        pattern,
    };
    check_use(check, &route, &entry.value)?;
    match is_paged {
        true => Ok(Route { query: [route.query, page_fields().to_vec()].concat(), ..route }),
        false => Ok(route),
    }
}

/// Checks that each value of a request is used somewhere, and that each query is used: either an expression of the route refers
/// to it, or its `none` answers the request.
fn check_use(check: &Checker, route: &Route, node: &Node) -> Checked<()> {
    let names = route.names();
    let of_request = [("query", &route.query), ("body", &route.body)];
    let of_request = of_request.iter().flat_map(|(root, fields)| {
        fields.iter().map(move |field| (*root, field.name.as_str(), format!("{root}.{}", field.name)))
    });
    let queries = [("read", &route.reads), ("then", &route.then)];
    let queries = queries.iter().flat_map(|(clause, reads)| {
        let reads = reads.iter().filter(|read| read.none.is_none());
        reads.map(move |read| (*clause, read.name.as_str(), read.name.clone()))
    });
    let secrets = route.secrets.iter().map(|(name, _)| ("secrets", name.as_str(), format!("secrets.{name}")));
    check.every(of_request.chain(queries).chain(secrets), |(clause, member, name)| {
        if is_used(&names, &name) {
            return Ok(());
        }
        let at = node.member(clause).map(|clause| clause.member(member).unwrap_or(clause)).unwrap_or(node);
        let problem = format!("nothing of the route uses `{name}`");
        Err(check.bad(at.place(), problem, format!("an expression with `{name}`, or no `{member}`")))
    })
}

/// Returns whether one of the names is this name, a part of it, or a whole that contains it.
pub(crate) fn is_used(names: &BTreeSet<String>, name: &str) -> bool {
    let is_within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    names.iter().any(|used| is_within(used, name) || is_within(name, used))
}

/// Checks that a route has an account if it needs one, and that it lets only those who may do so name somebody else's account.
fn check_account(
    check: &Checker,
    entry: &Entry,
    who: Who,
    (has_account, has_holder): (bool, bool),
    is_of_catalog: bool,
) -> Checked<()> {
    let wrong = |problem: &str, expected: &str| Err(check.bad(entry.place(), problem, expected));
    match who {
        Who::Token if has_account || has_holder => {
            wrong("the token determines the account", "no `account` and no `holder`, or another `who`")
        }
        Who::Public if has_account || has_holder || !is_of_catalog => {
            wrong("a public route has no account", "only the query `catalog`, or another `who`")
        }
        Who::User if has_account || has_holder => {
            wrong("a user's account is the user's own", "no `account` and no `holder`, or another `who`")
        }
        Who::OrgAdmin if !has_account || has_holder => {
            wrong("the organization is not named", "`account: \"organization:{body.organization}\"`")
        }
        _ if has_account && has_holder => wrong("the route has `account` and `holder`", "one of them"),
        _ => Ok(()),
    }
}

/// Returns the fields in a request for a page.
fn page_fields() -> [Field; 2] {
    let field = |name: &str, value_type: Type, about: String, default: Option<Value>| Field {
        name: name.to_owned(),
        value_type,
        about,
        default,
    };
    [
        field(
            "limit",
            Type::Integer,
            format!("Rows of the page, at most {PAGE_ROWS_MAX}"),
            Some(PAGE_ROWS_USUAL.into()),
        ),
        field("after", Type::Optional(Type::Text.into()), "`next` of the page before".to_owned(), None),
    ]
}

pub(crate) fn text_field(name: &str) -> Field {
    Field { name: name.to_owned(), value_type: Type::Text, about: String::new(), default: None }
}

/// Returns the group of a route that names none: the path segment after `/api`.
fn tag_of(pattern: &Pattern) -> String {
    let parts = pattern.as_str().split('/').filter(|part| !part.is_empty() && *part != "api");
    title(parts.map(str::to_owned).next().as_deref().unwrap_or("api"))
}

/// Returns a title made from the name of a folder or a path: `My Feature` for `my-feature`.
pub fn title(name: &str) -> String {
    let words = name.split(['-', '_']).map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Reads the name of a route, which becomes the name of a client's method.
fn read_route_name(check: &Checker, node: &Node) -> Checked<String> {
    let name = check.filled_text("name", node)?;
    match name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(|c| c.is_ascii_alphanumeric()) {
        true => Ok(name),
        false => Err(check.bad(node.place(), format!("`name: {name}`"), "a name of a method, such as `getConfig`")),
    }
}

pub(crate) fn typed_fields(check: &Checker, what: &str, node: &Node, known: &Known<'_>) -> Checked<Vec<Field>> {
    let fields = read_fields(check, what, node)?;
    known.types.check_fields(check, &fields, node)?;
    Ok(fields)
}

pub(crate) fn optional_fields(
    check: &Checker,
    fields: &mut Fields<'_, '_>,
    what: &'static str,
    known: &Known<'_>,
) -> Checked<Vec<Field>> {
    let Some(node) = fields.take(what) else { return Ok(Vec::new()) };
    let read = typed_fields(check, what, node, known)?;
    let is_single =
        |field: &&Field| !matches!(field.value_type.required(), Type::List(_) | Type::Named(_) | Type::Json);
    match read.iter().find(|field| !is_single(field)) {
        Some(field) => Err(check.bad(node.place(), format!("`{}` cannot be in a {what}", field.name), "a simple type")),
        None => Ok(read),
    }
}

/// The names that expressions may use.
pub(crate) struct Scopes<'s> {
    pub(crate) path: &'s [Field],
    pub(crate) query: &'s [Field],
    pub(crate) body: &'s [Field],
    pub(crate) known: &'s Known<'s>,
    /// Names of queries, and `reply`, `secrets`, `next` or `row` where they exist.
    pub(crate) further: BTreeSet<String>,
}

impl Scopes<'_> {
    /// Reads a form whose expressions may use only these names.
    pub(crate) fn form(&self, check: &Checker, node: &Node) -> Checked<Form> {
        let form = Form::read(check, node)?;
        self.names(check, node, form.names())?;
        Ok(form)
    }

    /// Reads a payload, which is an object.
    pub(crate) fn payload(&self, check: &Checker, node: &Node) -> Checked<Form> {
        check.map("payload", node)?;
        self.form(check, node)
    }

    pub(crate) fn names(&self, check: &Checker, node: &Node, names: BTreeSet<String>) -> Checked<()> {
        check.every(names, |name| match self.mistake(&name) {
            Some((what, known)) => {
                Err(check.note(BadInput::unknown_name(node.place(), &name, what, known.iter().map(String::as_str))))
            }
            None => Ok(()),
        })
    }

    /// Returns the text for an unknown name, such as `not a value of the request`, with the known names; none for a known name.
    fn mistake(&self, name: &str) -> Option<(&'static str, Vec<String>)> {
        let (root, rest) = name.split_once('.').unwrap_or((name, ""));
        let member = rest.split('.').next().unwrap_or_default();
        let of_fields = |fields: &[Field]| {
            let is_known = member.is_empty() || fields.iter().any(|field| field.name == member);
            let all = || fields.iter().map(|field| format!("{root}.{}", field.name)).collect();
            (!is_known).then(|| ("not a value of the request", all()))
        };
        let of_texts = |texts: &[&str], what| {
            let is_known = member.is_empty() || texts.contains(&member);
            (!is_known).then(|| (what, texts.iter().map(|text| format!("{root}.{text}")).collect()))
        };
        match root {
            "path" if !self.path.is_empty() => of_fields(self.path),
            "query" if !self.query.is_empty() => of_fields(self.query),
            "body" if !self.body.is_empty() => of_fields(self.body),
            "caller" => of_texts(&CALLER, "not a value of the caller"),
            "config" => of_texts(self.known.config, "not a configuration key that answers may use"),
            root if ALWAYS.contains(&root) || self.further.contains(root) => None,
            _ => {
                let requests = [("path", self.path), ("query", self.query), ("body", self.body)];
                let requests =
                    requests.iter().filter(|(_, fields)| !fields.is_empty()).map(|(name, _)| (*name).to_owned());
                let known = requests.chain(ALWAYS.map(str::to_owned)).chain(self.further.iter().cloned());
                Some(("not available here", known.collect()))
            }
        }
    }

    /// Reads a clause of queries and adds their names. Returns the queries, and whether one is paged.
    pub(crate) fn read_queries(
        &mut self,
        check: &Checker,
        fields: &mut Fields<'_, '_>,
        clause: &'static str,
    ) -> Checked<(Vec<Read>, bool)> {
        let Some(node) = fields.take(clause) else { return Ok((Vec::new(), false)) };
        let reads = reads::read_all(check, clause, node)?;
        let mut is_paged = false;
        for read in &reads {
            let at = node.member(&read.name).unwrap_or(node);
            if ALWAYS
                .iter()
                .chain(&["path", "query", "body", "reply", "secrets", NEXT, ROW])
                .any(|taken| *taken == read.name)
                || self.further.contains(&read.name)
            {
                return Err(check.bad(at.place(), format!("`{}` is already a name", read.name), "another name"));
            }
            self.names(check, at, read.names())?;
            if read.is_paged && std::mem::replace(&mut is_paged, true) {
                return Err(check.bad(at.place(), "two queries are paged", "one page for each answer"));
            }
            self.further.insert(read.name.clone());
        }
        Ok((reads, is_paged))
    }
}

/// Checks that the given members of an answer fit its type.
fn shape(check: &Checker, node: &Node, of: &Type, types: &Types) -> Checked<()> {
    let wrong = |expected: String| Err(check.bad(node.place(), format!("the answer is {}", node.kind()), expected));
    match (&node.value, of.required()) {
        (_, Type::Json) => Ok(()),
        (Tree::Text(text), _) if text.contains('{') => Ok(()),
        (Tree::Map(_), Type::List(inner)) if node.member("each").is_some() => match node.member("give") {
            Some(give) => shape(check, give, inner, types),
            None => Ok(()),
        },
        (Tree::List(items), Type::List(inner)) => check.every(items, |item| shape(check, item, inner, types)),
        (Tree::Map(entries), Type::Named(name)) if node.member("each").is_none() => {
            let fields = types.0.get(name).map(Vec::as_slice).unwrap_or_default();
            let unknown = check.every(entries, |entry| match fields.iter().find(|field| field.name == entry.key) {
                Some(field) => shape(check, &entry.value, &field.value_type, types),
                None => {
                    let known = fields.iter().map(|field| field.name.as_str());
                    let what = format!("not a member of {name}");
                    Err(check.note(BadInput::unknown_name(entry.place(), &entry.key, &what, known)))
                }
            });
            let missing = fields.iter().filter(|field| node.member(&field.name).is_none());
            let missing = check.every(missing, |field| {
                let problem = format!("the answer has no `{}` of {name}", field.name);
                Err(check.bad(
                    node.place(),
                    problem,
                    format!("`{}`, which is {}", field.name, field.value_type.shown()),
                ))
            });
            unknown.and(missing)
        }
        (Tree::List(_) | Tree::Map(_), simple) => wrong(simple.shown()),
        (Tree::Null, _) if of.is_optional() => Ok(()),
        (_, simple) => match crate::routes::values::problem_of(simple, &node.json(), types, "") {
            Some(problem) => wrong(problem.message()),
            None => Ok(()),
        },
    }
}

/// Reads the clause `errors`.
pub(crate) fn read_errors(check: &Checker, clause: Option<&Node>) -> Checked<ErrorMap> {
    clause.map(|clause| errors::ErrorMap::read(check, clause)).transpose().map(Option::unwrap_or_default)
}

/// Returns true for two routes that match the same requests.
pub(crate) fn is_same(method: Method, pattern: &Pattern, other: &Route) -> bool {
    let shape = |pattern: &Pattern| {
        let parts = pattern.as_str().split('/').map(|part| if part.starts_with('{') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    };
    method == other.method && shape(pattern) == shape(&other.pattern)
}
