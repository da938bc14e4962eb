//! All routes of a server. A new one is added to `routes` of its module; the router, the OpenAPI document, the TypeScript client and
//! the tables in the documentation are generated from there.

use crate::description::Description;
use crate::server_route::ServerRoute;
use crate::{
    clock, command, endpoints, event, health, identity, metrics, openapi, operator, products, query, registry, routes,
    stream, webhook,
};
use host_business::routes::RouteTable;
use serde_json::Value;

/// Returns the routes of a business. If it asks for them, they include the platform's own spellings of the products routes.
pub(crate) fn all(has_platform_paths: bool) -> Vec<ServerRoute> {
    let server = [
        webhook::routes(),
        command::routes(),
        event::routes(),
        stream::routes(),
        query::routes(),
        registry::routes(),
        routes::routes(),
        health::routes(),
        metrics::answer::routes(),
    ];
    let of = |tag: &'static str, routes: Vec<ServerRoute>| routes.into_iter().map(move |route| route.tag(tag));
    let operator = [operator::routes(), metrics::onboarding::routes(), clock::routes()];
    let server = server.into_iter().flatten();
    let others = of("Operator", operator.into_iter().flatten().collect())
        .chain(of("Users", identity::routes()))
        .chain(of("Endpoints", endpoints::routes()));
    server.chain(others).chain(products::routes(has_platform_paths)).collect()
}

/// Returns the documentation of the routes, except those that are left out.
fn described(routes: &[ServerRoute]) -> Vec<&Description> {
    routes.iter().map(|route| &route.description).filter(|of| of.is_listed).collect()
}

/// Returns the OpenAPI document of a business's API, with the routes of every server, and with the platform's own paths if the business
/// has them. `version` is the API version shown to readers.
pub fn document(table: &RouteTable, business: &str, has_platform_paths: bool, version: &str) -> Value {
    openapi::document(table, &described(&all(has_platform_paths)), business, version)
}

/// Returns the text of a TypeScript client. `name` is the name of the object with the business's routes, such as `billingApi`; those of
/// every server are in the object `server`.
pub fn typescript(table: &RouteTable, name: &str) -> String {
    openapi::typescript(table, &described(&all(false)), name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::description::{Given, Shape, check_member, fields, shapes};
    use host_business::routes::is_taken;
    use std::collections::BTreeSet;
    use std::fmt::Write;
    use std::{env, fs};

    /// The groups of routes, each of which is a table in a document.
    const TABLES: [(&str, &str); 7] = [
        ("Server", "operate/serving.md"),
        ("Operator", "operate/serving.md"),
        ("Products", "reference/platform-routes.md"),
        ("Platform", "reference/platform-routes.md"),
        ("Not served", "reference/platform-routes.md"),
        ("Users", "operate/users.md"),
        ("Endpoints", "operate/webhooks.md"),
    ];

    /// Returns the text in the last column of a table row.
    fn words(of: &Description) -> String {
        let members = match of.body {
            Given::Members(members) => fields(members),
            _ => Vec::new(),
        };
        let members = members.iter().map(|field| match field.value_type.is_optional() {
            true => format!("`{}?`", field.name),
            false => format!("`{}`", field.name),
        });
        let mut words = of.about.to_owned();
        let members = members.collect::<Vec<_>>().join(", ");
        if !members.is_empty() {
            _ = write!(words, " Body: {members}.");
        }
        if !of.detail.is_empty() {
            _ = write!(words, " {}", of.detail);
        }
        words
    }

    /// Returns the method and path as a table row shows them.
    fn line(of: &Description) -> String {
        let query: Vec<String> = fields(of.query).iter().map(|field| format!("{}=", field.name)).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        match of.is_listed {
            true => format!("`{} {}{query}`", of.method, of.path),
            false => format!("`{}`", of.path),
        }
    }

    /// Returns the rows of a table. Neighbouring routes that do the same share a row.
    fn table(routes: &[ServerRoute], tag: &str) -> String {
        let mut rows: Vec<(Vec<String>, &str, String)> = Vec::new();
        for of in routes.iter().map(|route| &route.description).filter(|of| of.tag == tag) {
            let (who, words) = (of.access.name(), words(of));
            match rows.last_mut().filter(|row| row.1 == who && row.2 == words) {
                Some(row) if row.0.contains(&line(of)) => {}
                Some(row) => row.0.push(line(of)),
                None => rows.push((vec![line(of)], who, words)),
            }
        }
        rows.iter().fold("| path | who may | what |\n|---|---|---|\n".to_owned(), |mut text, (lines, who, words)| {
            _ = writeln!(text, "| {} | {who} | {words} |", lines.join(", "));
            text
        })
    }

    #[test]
    fn the_documents_list_all_routes() {
        let routes = all(true);
        for (tag, document) in TABLES {
            let file = format!("{}/../../../docs/{document}", env!("CARGO_MANIFEST_DIR"));
            let known = fs::read_to_string(&file).expect("a document");
            let begin = format!("<!-- routes {tag} -->\n");
            let (before, rest) = known.split_once(&begin).unwrap_or_else(|| panic!("{document}: {begin}"));
            let (_, after) = rest.split_once("<!-- end -->").expect("an end");
            let text = format!("{before}{begin}{}<!-- end -->{after}", table(&routes, tag));
            if env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&file, &text).expect("written");
            } else {
                assert!(
                    known == text,
                    "`UPDATE_GOLDEN=1 cargo test -p host-api --lib table` writes the tables of {document}"
                );
            }
        }
        let tags: BTreeSet<&str> = routes.iter().map(|route| route.description.tag).collect();
        assert_eq!(tags, TABLES.map(|(tag, _)| tag).into());
    }

    #[test]
    fn every_route_is_described_once_and_its_types_can_be_read() {
        let routes = all(true);
        let (mut lines, mut names) = (BTreeSet::new(), BTreeSet::new());
        for of in routes.iter().map(|route| &route.description) {
            assert!(lines.insert((of.method, of.path)), "{} {} twice", of.method, of.path);
            assert!(of.name.is_empty() || names.insert(of.name), "{} twice", of.name);
            assert!(of.about.ends_with('.') || !of.is_listed, "{} {}: {}", of.method, of.path, of.about);
            let body = if let Given::Members(members) = of.body { members } else { &[] };
            for member in body.iter().chain(of.query) {
                assert_eq!(check_member(member).named(), None, "{member}");
            }
        }
        let descriptions: Vec<&Description> = routes.iter().map(|route| &route.description).collect();
        shapes(descriptions).into_iter().for_each(Shape::check);
    }

    // The code that reads `routes.yml` is in a lower-level crate, and has its own list.
    #[test]
    fn no_business_has_a_route_at_a_path_of_every_server() {
        for route in all(true) {
            let path = route.description.path;
            assert!(
                is_taken(path) || ["/api/products", "/b/", "/ext/"].iter().any(|of| path.starts_with(of)),
                "{path}"
            );
        }
    }
}
