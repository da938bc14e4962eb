//! The page of each business in `docs/businesses`: its lists of routes and pages, which this test makes from the folder of the business.
//! `UPDATE_GOLDEN=1` rewrites the lists.

use super::{Document, files, root};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The businesses with a page.
const BUSINESSES: [&str; 5] = ["solobase", "twobot", "saas-plugins", "orchestra", "tesslate"];

fn page(business: &str) -> Document {
    Document::read(format!("docs/businesses/{business}.md"))
}

/// Returns the value of a key of a YAML mapping with this indentation.
fn value<'t>(line: &'t str, indent: &str, key: &str) -> Option<&'t str> {
    Some(line.strip_prefix(indent)?.strip_prefix(key)?.strip_prefix(": ")?.trim().trim_matches('"'))
}

/// A row of a list: what stands in its columns.
type Row = [String; 3];

/// Returns the routes of one file: line, who may use it, and what it is about.
fn routes(file: &Path) -> Vec<Row> {
    let feature = file.components().skip_while(|part| part.as_os_str() != "features").nth(1);
    let prefix = feature.map(|name| format!("/api/{}", name.as_os_str().to_string_lossy())).unwrap_or_default();
    let mut found: Vec<Row> = Vec::new();
    for line in Document::read(file).text.lines() {
        let route = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':'));
        let route = route.filter(|line| line.starts_with(char::is_uppercase)).and_then(|line| line.split_once(" /"));
        if let Some((method, path)) = route {
            let path = format!("{prefix}/{path}");
            found.push([format!("{method} {}", path.trim_end_matches('/')), String::new(), String::new()]);
        }
        if let Some(last) = found.last_mut() {
            if let Some(who) = value(line, "    ", "who") {
                who.clone_into(&mut last[1]);
            }
            if let Some(about) = value(line, "    ", "about") {
                last[2] = about.trim_end_matches('.').to_owned();
            }
        }
    }
    found
}

/// Returns the pages of one file: path, who may see it, and its title.
fn pages(file: &Path) -> Option<Row> {
    let text = Document::read(file).text;
    let head: Vec<&str> = text.split("---\n").nth(1)?.lines().collect();
    let of = |key: &str| head.iter().find_map(|line| value(line, "", key)).unwrap_or_default().to_owned();
    (!of("path").is_empty()).then(|| [of("path"), of("who"), of("title")])
}

fn rendered(heads: [&str; 3], rows: &[Row], without: &str) -> String {
    if rows.is_empty() {
        return format!("{without}\n");
    }
    let mut text = format!("| {} |\n|---|---|---|\n", heads.join(" | "));
    for [what, who, about] in rows {
        text.push_str(&format!("| `{what}` | {who} | {about} |\n"));
    }
    text
}

/// Replaces the text between `<!-- NAME -->` and `<!-- end -->`.
fn replaced(text: &str, name: &str, list: &str) -> String {
    let begin = format!("<!-- {name} -->\n");
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("no `{begin}`"));
    let (_, after) = rest.split_once("<!-- end -->").expect("an end");
    format!("{before}{begin}{list}<!-- end -->{after}")
}

/// Returns the page with the lists of its folder.
fn current(business: &str) -> String {
    let folder = format!("fixtures/businesses/{business}");
    let of_routes: Vec<Row> = files(&folder, "routes.yml").iter().flat_map(|file| routes(file)).collect();
    let mut of_pages: Vec<Row> = files(&folder, ".html").iter().filter_map(|file| pages(file)).collect();
    of_pages.sort();
    let routes = rendered(["route", "who", "what"], &of_routes, "This business has no routes of its own.");
    let pages = rendered(["page", "who", "title"], &of_pages, "This business has no pages of its own.");
    replaced(&replaced(&page(business).text, "routes", &routes), "pages", &pages)
}

#[test]
fn the_page_of_each_business_lists_the_routes_and_pages_of_its_folder() {
    for business in BUSINESSES {
        let document = page(business);
        let current = current(business);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(root().join(&document.path), &current).expect("written");
        } else {
            assert!(
                document.text == current,
                "{} is not current; UPDATE_GOLDEN=1 rewrites it",
                document.path.display()
            );
        }
    }
}

// covers: SOL-54
#[test]
fn the_code_names_no_business() {
    let mut named = Vec::new();
    for file in ["host-shim", "extension"].iter().flat_map(|folder| files(folder, ".rs")) {
        let path = file.display().to_string();
        if path.contains("/tests/") || path.contains("/testing/") || path.contains("/target/") {
            continue;
        }
        let text = Document::read(&file).text;
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (at, line) in code.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//");
            let names = BUSINESSES.iter().any(|name| line.contains(&format!("\"{name}\"")));
            // The name of the default configuration file and of the example is no rule about a business.
            if !is_comment && names && (line.contains("==") || line.contains("=>") || line.contains("match")) {
                named.push(format!("{path}:{}: {}", at + 1, line.trim()));
            }
        }
    }
    assert_eq!(named, Vec::<String>::new());
}

// covers: PLG-04
#[test]
fn the_page_of_the_plugin_shop_lists_its_features() {
    let folders = fs::read_dir(root().join("fixtures/businesses/saas-plugins/features")).expect("features");
    let features: BTreeSet<String> =
        folders.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    let page = page("saas-plugins");
    let rows = page.chapter("Features").expect("a chapter").lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: BTreeSet<String> = rows.filter_map(|row| row.split('`').next()).map(str::to_owned).collect();
    assert_eq!(listed, features);
}

#[test]
fn routes_and_pages_are_read_from_their_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("features/shop/routes.yml");
    fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    let text = "routes:\n  GET /:\n    name: all\n    about: All of it.\n    who: public\n  POST /{id}/send:\n    who: admin\n";
    fs::write(&file, text).expect("written");
    let found = routes(&file);
    assert_eq!(found[0], ["GET /api/shop", "public", "All of it"].map(str::to_owned));
    assert_eq!(found[1], ["POST /api/shop/{id}/send", "admin", ""].map(str::to_owned));
    assert_eq!(replaced("a\n<!-- x -->\nold\n<!-- end -->\nb", "x", "new\n"), "a\n<!-- x -->\nnew\n<!-- end -->\nb");
}
