//! The routes of a business: the file of the business and those of its features.

use crate::routes::errors::ErrorMap;
use crate::routes::path::{Method, decoded};
use crate::routes::reader::{self, Known, RouteFile};
use crate::routes::route::Route;
use crate::routes::types::Types;
use crate::yaml::bad_input::{BadInput, Mistakes};
use crate::yaml::{Checked, Checker};
use extension_contract::{ConfigDecl, ConfigType, Declarations};
use std::collections::{BTreeMap, BTreeSet};

/// Clauses of a file.
const CLAUSES: [&str; 3] = ["errors", "routes", "types"];

/// The routes of a business, with the types and errors that they share.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouteTable {
    /// Named types.
    pub types: Types,
    /// Answers to refusals, for all requests to the business.
    pub errors: ErrorMap,
    /// Routes, in the order of the files.
    pub routes: Vec<Route>,
}

/// The result of looking up a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Matched<'t> {
    /// No route has the path.
    Nothing,
    /// Routes have the path, but for other methods.
    OtherMethods(Vec<Method>),
    /// The route, and the variable parts of the path.
    Route(&'t Route, Vec<(String, String)>),
}

/// Finds the route of a request.
#[derive(Clone, Debug)]
pub struct RouteFinder {
    routes: Vec<Route>,
    by_path: matchit::Router<BTreeMap<Method, usize>>,
}

impl RouteTable {
    /// Reads and checks the files of a business.
    ///
    /// # Errors
    /// Fails with all mistakes.
    pub fn read(files: &[RouteFile], config: &[ConfigDecl]) -> Result<RouteTable, Mistakes> {
        let keys = config.iter().filter(|decl| decl.value_type != ConfigType::Secret);
        let keys: Vec<&str> = keys.map(|decl| decl.key.as_str()).collect();
        Checker::read(|check| {
            let types = read_types(check, files)?;
            let known = Known { types: &types, config: &keys };
            let (mut routes, mut errors): (Vec<Route>, _) = (Vec::new(), ErrorMap::default());
            check.every(files, |file| {
                check.only_known("routes.yml", check.map("routes.yml", &file.lines)?, &CLAUSES)?;
                let clause = file.lines.member("errors");
                let own = reader::read_errors(check, clause);
                if let Some(routes_of_file) = file.lines.member("routes") {
                    for route in reader::read(check, file, routes_of_file, &known)? {
                        add(check, &mut routes, route)?;
                    }
                }
                match (errors.extend(own?), clause) {
                    (Some(key), Some(clause)) => {
                        let problem = format!("`{key}` of `errors` is already defined");
                        Err(check.bad(clause.member(&key).unwrap_or(clause).place(), problem, "one answer"))
                    }
                    _ => Ok(()),
                }
            })?;
            Ok(RouteTable { types, errors, routes })
        })
    }

    /// Returns the commands used by routes that the extension does not have.
    pub fn mistakes(&self, declarations: &Declarations) -> Vec<BadInput> {
        let kinds = || declarations.commands.iter().map(|command| command.kind.as_str());
        let named = self.routes.iter().filter_map(|route| Some((route, route.command.as_deref()?)));
        let unknown = named.filter(|(_, command)| !kinds().any(|kind| kind == *command));
        unknown
            .map(|(route, command)| BadInput::unknown_name(route.command_at.clone(), command, "not a command", kinds()))
            .collect()
    }

    /// Returns the configuration keys that the routes use.
    pub fn config_keys(&self) -> BTreeSet<String> {
        let names = self.routes.iter().flat_map(Route::names);
        names
            .filter_map(|name| {
                name.strip_prefix("config.").map(|rest| rest.split('.').next().unwrap_or(rest).to_owned())
            })
            .collect()
    }

    /// Returns a finder of these routes.
    pub fn finder(&self) -> RouteFinder {
        let mut patterns: BTreeMap<&str, BTreeMap<Method, usize>> = BTreeMap::new();
        for (at, route) in self.routes.iter().enumerate() {
            patterns.entry(route.pattern.as_str()).or_default().insert(route.method, at);
        }
        let mut by_path = matchit::Router::new();
        for (pattern, methods) in patterns {
            // The table has no two patterns for the same paths, and each pattern is valid.
            let inserted = by_path.insert(pattern, methods);
            debug_assert!(inserted.is_ok(), "{pattern}: {inserted:?}");
        }
        RouteFinder { routes: self.routes.clone(), by_path }
    }
}

impl RouteFinder {
    /// Finds the route of a method and a path, which may end in a slash.
    pub fn find(&self, method: &str, path: &str) -> Matched<'_> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let Ok(found) = self.by_path.at(path) else { return Matched::Nothing };
        let parts = found.params.iter().map(|(name, part)| Some((name.to_owned(), decoded(part)?)));
        let Some(parts) = parts.collect::<Option<Vec<_>>>() else { return Matched::Nothing };
        match Method::named(method).and_then(|method| found.value.get(&method)) {
            Some(at) => Matched::Route(&self.routes[*at], parts),
            None => Matched::OtherMethods(found.value.keys().copied().collect()),
        }
    }

    /// Returns the routes.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }
}

fn read_types(check: &Checker, files: &[RouteFile]) -> Checked<Types> {
    let mut types = Types::default();
    check.every(files, |file| {
        let Some(clause) = file.lines.member("types") else { return Ok(()) };
        let own = Types::read(check, clause)?;
        check.every(own.0, |(name, fields)| match types.0.insert(name.clone(), fields) {
            Some(_) => {
                let place = clause.member(&name).unwrap_or(clause).place();
                Err(check.bad(place, format!("the type `{name}` is already defined"), "another name"))
            }
            None => Ok(()),
        })
    })?;
    let clauses = files.iter().filter_map(|file| file.lines.member("types"));
    check.every(clauses, |clause| types.check_members(check, clause))?;
    Ok(types)
}

/// Adds a route, unless an earlier route has its path or its name.
fn add(check: &Checker, routes: &mut Vec<Route>, route: Route) -> Checked<()> {
    let there = |other: &Route| format!("{}:{}", other.place.file.display(), other.place.line);
    if let Some(other) = routes.iter().find(|other| reader::is_same(route.method, &route.pattern, other)) {
        let problem = format!("`{} {}` is already a route: {}", route.method.name(), route.pattern, there(other));
        return Err(check.bad(route.place, problem, "another path"));
    }
    // Paths that differ only in the name of a variable part would be two patterns for the same paths.
    let others = routes.iter().filter(|other| reader::is_same(other.method, &route.pattern, other));
    if let Some(other) = others.into_iter().find(|other| other.pattern != route.pattern) {
        let problem = format!("`{}` has other names than {} of {}", route.pattern, other.pattern, there(other));
        return Err(check.bad(route.place, problem, "the same names for the same parts"));
    }
    if let Some(other) = routes.iter().find(|other| other.name == route.name) {
        let problem = format!("`name: {}` is already the name of a route: {}", route.name, there(other));
        return Err(check.bad(route.place, problem, "another name"));
    }
    routes.push(route);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Node;
    use std::path::Path;

    fn read_files(files: &[(&str, Option<&str>)]) -> Result<RouteTable, Vec<String>> {
        let files: Vec<RouteFile> = files
            .iter()
            .map(|(text, feature)| {
                let name = feature.map_or("routes.yml".to_owned(), |name| format!("{name}.yml"));
                let lines = Node::parse(Path::new(&name), text).expect("valid YAML");
                feature.map_or_else(
                    || RouteFile::of_business(lines.clone()),
                    |name| RouteFile::of_feature(name, lines.clone()),
                )
            })
            .collect();
        let key = |key: &str, value_type| ConfigDecl {
            key: key.to_owned(),
            value_type,
            required: false,
            default_value: None,
            env: None,
            description: String::new(),
        };
        let config = [key("price", ConfigType::Integer), key("token", ConfigType::Secret)];
        RouteTable::read(&files, &config).map_err(|Mistakes(told)| told.iter().map(ToString::to_string).collect())
    }

    /// Reads a single route with these members, after a type.
    fn route(members: &str) -> Result<RouteTable, Vec<String>> {
        let text = format!(
            "types: {{Plan: {{id: string, price: integer?}}}}\nroutes:\n  POST /api/a/{{id}}: {{name: a, about: A., {members}}}\n"
        );
        read_files(&[(&text, None)])
    }

    #[test]
    fn a_route_is_read_with_everything_that_it_has() {
        let text = "who: user, query: {all: boolean?}, body: {plan: Plan, count: {type: integer, default: 1}}, \
                    read: {plans: catalog, one: {from: products, where: \"{row.id == path.id}\", one: true, none: {status: 404, code: none}}}, \
                    command: a.b, payload: {id: \"{one.id}\", of: \"{body}\", all: \"{query.all}\", n: \"{plans[0].id}\"}, then: {rights: entitlements}, reveal: token, status: 201, \
                    answer: Plan, give: {id: \"{reply.id}\", price: \"{rights.seats.allowed or config.price}\"}, errors: {not-found: {status: 404, code: gone}}";
        let table = route(text).expect("a table");
        let [only] = table.routes.as_slice() else { panic!("{table:?}") };
        assert_eq!((only.name.as_str(), only.status, only.tag.as_str()), ("a", 201, "A"));
        assert_eq!((only.reads.len(), only.then.len(), only.errors.answers().count()), (2, 1, 1));
        let none = Declarations::default();
        assert_eq!(table.mistakes(&none).len(), 1, "no command has this name");
        let finder = table.finder();
        let Matched::Route(found, parts) = finder.find("POST", "/api/a/7/") else { panic!("no route") };
        assert_eq!((found.name.as_str(), parts), ("a", vec![("id".to_owned(), "7".to_owned())]));
        let Matched::Route(_, parts) = finder.find("POST", "/api/a/user%3Aada") else { panic!("no route") };
        assert_eq!(parts, vec![("id".to_owned(), "user:ada".to_owned())]);
        assert_eq!(finder.find("POST", "/api/a/%FF"), Matched::Nothing, "it is not text");
        assert_eq!(finder.find("GET", "/api/a/7"), Matched::OtherMethods(vec![Method::Post]));
        assert_eq!(finder.find("POST", "/api/a/7/b"), Matched::Nothing);
    }

    #[test]
    fn every_mistake_of_a_route_is_told() {
        for (members, told) in [
            ("who: usr, give: 1", "did you mean `user`?"),
            ("who: user", "the route does nothing"),
            ("who: user, giv: 1, command: a", "unknown field `giv`"),
            ("who: user, payload: {}, give: 1", "`payload` without `command`"),
            ("who: user, command: a, payload: 1", "a mapping"),
            ("who: user, command: a, body: {x: text}", "`x: text` is not a type"),
            ("who: user, command: a, body: {x: Plann}", "did you mean `Plan`?"),
            ("who: user, command: a, body: {x: {type: integer, default: one}}", "a whole number"),
            ("who: user, command: a, query: {x: Plan}", "cannot be in a query"),
            ("who: user, command: a, payload: {x: \"{body.x}\"}", "`body.x` is not available here"),
            ("who: user, command: a, body: {y: string}, payload: {x: \"{body.x}\"}", "expected one of body.y"),
            ("who: user, command: a, payload: {x: \"{path.idd}\"}", "expected one of path.id"),
            ("who: user, command: a, payload: {x: \"{reply.id}\"}", "`reply.id` is not available here"),
            ("who: user, give: \"{reply.id}\"", "`reply.id` is not available here"),
            ("who: user, give: \"{config.token}\"", "not a configuration key that answers may use"),
            ("who: user, give: \"{caller.name}\"", "not a value of the caller"),
            ("who: user, read: {a: plans}, give: 1", "`plans` is not a query"),
            ("who: user, read: {a: usage}, give: 1", "`usage` has no time"),
            ("who: user, read: {reply: catalog}, give: 1", "already a name"),
            ("who: user, read: {a: {from: catalog, where: \"{b.id}\"}}, give: 1", "`b.id` is not available here"),
            ("who: user, read: {a: {from: catalog, where: yes}}, give: 1", "`where`"),
            ("who: user, read: {a: {from: catalog, sort: \"-a b\"}}, give: 1", "`sort: -a b`"),
            ("who: user, read: {a: {from: catalog, one: true, paged: true}}, give: 1", "`one` and `paged`"),
            ("who: user, read: {a: {from: catalog, none: {status: 404, code: x}}}, give: 1", "`none` without `one`"),
            ("who: user, read: {a: {from: entitlements, one: true}}, give: 1", "mapping of entitlements"),
            (
                "who: user, read: {a: {from: ledger, paged: true}, b: {from: ledger, paged: true}}, give: 1",
                "two queries are paged",
            ),
            ("who: user, read: {a: accounts}, give: 1", "`a` reads all accounts"),
            ("who: user, account: platform, give: 1", "a user's account is the user's own"),
            ("who: public, command: a", "a public route has no account"),
            ("who: public, read: {a: ledger}, give: 1", "a public route has no account"),
            ("who: org-admin, command: a", "the organization is not named"),
            ("who: token, account: platform, command: a", "the token determines the account"),
            ("who: admin, account: platform, holder: x, command: a", "`account` and `holder`"),
            ("who: user, give: {id: x}, answer: Plan", "no `price` of Plan"),
            ("who: user, give: {id: x, price: 1, name: y}, answer: Plan", "not a member of Plan"),
            ("who: user, give: {id: 7, price: 1}, answer: Plan", "a text"),
            ("who: user, give: {id: [x], price: 1}, answer: Plan", "the answer is a list"),
            ("who: user, give: [], answer: Pan", "`Pan` is not a type"),
            ("who: user, give: 1, status: 404", "200, 201 or 202"),
            ("who: user, body: {why: string?}, command: a", "nothing of the route uses `body.why`"),
            ("who: user, query: {x: string?}, give: 1", "nothing of the route uses `query.x`"),
            ("who: user, read: {offers: catalog}, give: 1", "nothing of the route uses `offers`"),
            ("who: user, secrets: {key: x}, command: a", "nothing of the route uses `secrets.key`"),
            ("who: user, secrets: {a b: x}, command: a", "cannot be a name"),
        ] {
            let mistakes = route(members).expect_err(members);
            assert!(mistakes.iter().any(|mistake| mistake.contains(told)), "{members}: {mistakes:?}");
            assert!(mistakes.iter().all(|mistake| mistake.starts_with("routes.yml:3")), "{mistakes:?}");
        }
    }

    #[test]
    fn paths_and_names_belong_to_one_route() {
        let one = |key: &str, name: &str| format!("  {key}: {{name: {name}, about: A., who: public, give: 1}}\n");
        let both = |a: String, b: String| read_files(&[(&format!("routes:\n{a}{b}"), None)]);
        for (key, told) in [
            ("GET api/a", "cannot be a path"),
            ("GET /api//a", "cannot be a path"),
            ("GET /api/../a", "cannot be a path"),
            ("GET /api/{a b}", "cannot be a path"),
            ("GET /api/x{a}", "cannot be a path"),
            ("FETCH /api/a", "is not a route"),
            ("GET /api/{a}/{a}", "twice"),
            ("GET /health", "every server has"),
            ("GET /api/auth/login", "every server has"),
            ("GET /openapi.json", "every server has"),
        ] {
            let told_all = read_files(&[(&format!("routes:\n{}", one(key, "a")), None)]).expect_err(key);
            assert!(told_all.len() == 1 && told_all[0].contains(told), "{key}: {told_all:?}");
        }
        assert!(read_files(&[(&format!("routes:\n{}", one("GET /healthy", "a")), None)]).is_ok());
        let twice = both(one("GET /api/a/{id}", "a"), one("GET /api/a/{key}", "b")).expect_err("one path");
        assert!(twice[0].contains("is already a route: routes.yml:2"), "{twice:?}");
        let named = both(one("GET /api/a/{id}", "a"), one("PUT /api/a/{key}", "b")).expect_err("two names");
        assert!(named[0].contains("other names"), "{named:?}");
        let names = both(one("GET /api/a", "a"), one("PUT /api/a", "a")).expect_err("one name");
        assert!(names[0].contains("already the name of a route"), "{names:?}");
        let table = both(one("GET /api/a/{id}", "a"), one("GET /api/a/new", "b")).expect("two routes");
        let finder = table.finder();
        let name = |path: &str| match finder.find("GET", path) {
            Matched::Route(route, _) => route.name.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!((name("/api/a/new").as_str(), name("/api/a/old").as_str()), ("b", "a"), "a written part precedes");
    }

    #[test]
    fn features_have_routes_below_their_paths_and_share_types_and_errors() {
        let base = "types: {Plan: {id: string}}\nerrors: {not-found: {status: 404, code: gone}}\nroutes: {}\n";
        let feature = "routes:\n  GET /: {name: a, about: A., who: public, give: {id: x}, answer: Plan}\n  GET /{id}: {name: b, about: B., who: public, give: 1}\n";
        let table = read_files(&[(base, None), (feature, Some("my-feature"))]).expect("a table");
        let paths: Vec<&str> = table.routes.iter().map(|route| route.pattern.as_str()).collect();
        assert_eq!(paths, ["/api/my-feature", "/api/my-feature/{id}"]);
        assert_eq!(table.routes[0].tag, "My Feature");
        let told = read_files(&[(base, None), (base, Some("other"))]).expect_err("defined twice");
        assert!(told[0].contains("other.yml:1") && told[0].contains("type `Plan` is already defined"), "{told:?}");
        let again = "errors: {not-found: {status: 410, code: x}}\n";
        let told = read_files(&[(base, None), (again, Some("other"))]).expect_err("defined twice");
        assert!(told[0].contains("other.yml:1") && told[0].contains("`not-found` of `errors`"), "{told:?}");
        let told = read_files(&[("route: {}\n", None)]).expect_err("a wrong clause");
        assert!(told[0].contains("did you mean `routes`?"), "{told:?}");
    }
}
