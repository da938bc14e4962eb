//! The page that documents the API, for people. It needs no script.

use crate::document::errors;
use host_provider_api::html::escaped;
use host_routes::{Field, Route, RouteTable, Type};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Look of the page, in light and dark.
const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --link: light-dark(#0645ad, #8ab4f8); }
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
a { color: var(--link); }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
article { border: 1px solid var(--line); border-radius: .5rem; margin: 1rem 0; padding: 0 1rem; }
h3 { font-size: 1rem; }
h3 b { background: var(--soft); border-radius: .25rem; padding: .1rem .4rem; }
table { border-collapse: collapse; margin: .5rem 0 1rem; width: 100%; }
td, th { border-top: 1px solid var(--line); padding: .3rem .5rem; text-align: left; vertical-align: top; }
";

/// Returns the page of a business's API.
pub fn page(table: &RouteTable, business: &str) -> String {
    let mut by_tag: BTreeMap<&str, Vec<&Route>> = BTreeMap::new();
    table.routes.iter().for_each(|route| by_tag.entry(&route.tag).or_default().push(route));
    let title = escaped(&format!("API of {business}")).into_owned();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         <p>Send a token as <code>Authorization: Bearer TOKEN</code>. Programs read <a href=\"../openapi.json\">openapi.json</a>.</p>\n"
    );
    for (tag, routes) in by_tag {
        let _ = writeln!(html, "<section>\n<h2>{}</h2>", escaped(tag));
        routes.iter().for_each(|route| article(&mut html, table, route));
        html.push_str("</section>\n");
    }
    html.push_str("<section>\n<h2>Types</h2>\n");
    for (name, fields) in &table.types.0 {
        let _ = writeln!(html, "<h3 id=\"{name}\"><code>{name}</code></h3>");
        rows(&mut html, "Member", fields.iter());
    }
    html.push_str("</section>\n</main>\n</body>\n</html>\n");
    html
}

fn article(html: &mut String, table: &RouteTable, route: &Route) {
    let (method, path) = (route.method.name(), route.pattern.as_str());
    let _ = writeln!(html, "<article id=\"{}\">\n<h3><b>{method}</b> <code>{}</code></h3>", route.name, escaped(path));
    let _ = writeln!(html, "<p>{} For: {}.</p>", escaped(&route.about), route.who.name());
    for (name, fields) in [("Path", &route.path), ("Query", &route.query), ("Body", &route.body)] {
        if !fields.is_empty() {
            rows(html, name, fields.iter());
        }
    }
    let _ = writeln!(html, "<p>Answer {}: {}</p>", route.status, shown(&route.answer));
    let errors = errors(table, route).into_iter().map(|(status, codes)| {
        let codes: Vec<String> = codes.into_iter().map(|code| format!("<code>{}</code>", escaped(code))).collect();
        format!("{status} {}", codes.join(", "))
    });
    let _ = writeln!(html, "<p>Errors: {}</p>\n</article>", errors.collect::<Vec<_>>().join("; "));
}

fn rows<'f>(html: &mut String, name: &str, fields: impl Iterator<Item = &'f Field>) {
    let _ = writeln!(
        html,
        "<table>\n<tr><th scope=\"col\">{name}</th><th scope=\"col\">Type</th><th scope=\"col\">What</th></tr>"
    );
    for Field { name, value_type, about, .. } in fields {
        let (name, value_type, about) = (escaped(name), shown(value_type), escaped(about));
        let _ = writeln!(html, "<tr><td><code>{name}</code></td><td>{value_type}</td><td>{about}</td></tr>");
    }
    html.push_str("</table>\n");
}

fn shown(of: &Type) -> String {
    match of {
        Type::Text => "string".to_owned(),
        Type::Integer => "integer".to_owned(),
        Type::Boolean => "boolean".to_owned(),
        Type::Time => "time".to_owned(),
        Type::Date => "date".to_owned(),
        Type::Json => "any JSON".to_owned(),
        Type::Words(words) => words.iter().map(|word| format!("<code>{word}</code>")).collect::<Vec<_>>().join(" or "),
        Type::Named(name) => format!("<a href=\"#{name}\">{name}</a>"),
        Type::List(inner) => format!("list of {}", shown(inner)),
        Type::Optional(inner) => format!("{}, or null", shown(inner)),
    }
}
