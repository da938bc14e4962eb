//! The routes of a business: the file of the business and those of its features.

use crate::errors::ErrorMap;
use crate::path::Method;
use crate::reader::{self, Known};
use crate::route::Route;
use crate::types::Types;
use extension_contract::{ConfigDecl, ConfigType, Declarations};
use host_yaml::bad_input::{BadInput, Mistakes};
use host_yaml::{Checked, Checker, Node};
use std::collections::BTreeMap;

/// Clauses of a file.
const CLAUSES: [&str; 3] = ["errors", "routes", "types"];

/// A file of routes.
#[derive(Clone, Debug)]
pub struct RouteFile {
    /// The file.
    pub lines: Node,
    /// The path of a feature, below which its routes are: `/api/my-feature`.
    pub below: Option<String>,
    /// Name of the group of its routes.
    pub tag: Option<String>,
}

impl RouteFile {
    /// Makes the file of a business.
    pub fn of_business(lines: Node) -> RouteFile {
        RouteFile { lines, below: None, tag: None }
    }

    /// Makes the file of a feature: its routes are below `/api/NAME`.
    pub fn of_feature(name: &str, lines: Node) -> RouteFile {
        RouteFile { lines, below: Some(format!("/api/{name}")), tag: Some(reader::title(name)) }
    }
}

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

/// A route that a request leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Matched<'t> {
    /// No route has the path.
    Nothing,
    /// Routes have the path, but for these methods.
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

    /// Returns the commands of routes that the extension does not have.
    pub fn mistakes(&self, declarations: &Declarations) -> Vec<BadInput> {
        let kinds = || declarations.commands.iter().map(|command| command.kind.as_str());
        let named = self.routes.iter().filter_map(|route| Some((route, route.command.as_deref()?)));
        let unknown = named.filter(|(_, command)| !kinds().any(|kind| kind == *command));
        unknown
            .map(|(route, command)| BadInput::unknown_name(route.command_at.clone(), command, "no command", kinds()))
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
            // The table has no two patterns for the same paths, and each is a valid one.
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
        match Method::named(method).and_then(|method| found.value.get(&method)) {
            Some(at) => {
                let parts = found.params.iter().map(|(name, part)| (name.to_owned(), part.to_owned()));
                Matched::Route(&self.routes[*at], parts.collect())
            }
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

/// Adds a route, unless another one has its path or its name.
fn add(check: &Checker, routes: &mut Vec<Route>, route: Route) -> Checked<()> {
    let there = |other: &Route| format!("{}:{}", other.place.file.display(), other.place.line);
    if let Some(other) = routes.iter().find(|other| reader::is_same(route.method, &route.pattern, other)) {
        let problem = format!("`{} {}` is already a route: {}", route.method.name(), route.pattern, there(other));
        return Err(check.bad(route.place, problem, "another path"));
    }
    // Paths that differ in the name of a part only would be two patterns for the same paths.
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
