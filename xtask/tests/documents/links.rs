//! Each link of a document leads to a file of the repository and to a heading of it.

use super::{Document, documents, files, root};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Returns the name by which links reach a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn anchors(document: &Document) -> Vec<String> {
    let headings = document.lines().filter(|(_, line, is_code)| !is_code && line.starts_with('#'));
    headings.map(|(_, line, _)| anchor(line.trim_start_matches('#'))).collect()
}

/// Returns the targets of the links of a line.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// Returns a path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// Returns what is wrong with a link, if something is.
fn fault(document: &Document, target: &str) -> Option<String> {
    let (file, heading) = target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)));
    let path = match file {
        "" => document.path.clone(),
        file => plain(&document.path.parent().unwrap_or(Path::new("")).join(file)),
    };
    if !root().join(&path).exists() {
        return Some(format!("`{target}` leads to no file"));
    }
    let heading = heading.filter(|_| path.extension().is_some_and(|end| end == "md"))?;
    let has_it = anchors(&Document::read(&path)).iter().any(|known| known == heading);
    (!has_it).then(|| format!("`{target}` leads to no heading"))
}

#[test]
fn each_link_leads_to_a_file_and_a_heading() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for document in documents() {
        for (at, line, _) in document.lines().filter(|(_, _, is_code)| !is_code) {
            for target in targets(line).filter(|target| !target.contains(':') && !target.contains('{')) {
                seen += 1;
                let fault = fault(&document, target);
                wrong.extend(fault.map(|fault| format!("{}:{at}: {fault}", document.path.display())));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(seen > 200, "{seen} links");
}

#[test]
fn every_page_is_at_most_two_clicks_from_the_readme() {
    let linked = |from: &BTreeSet<PathBuf>| -> BTreeSet<PathBuf> {
        let mut reached = from.clone();
        for path in from.iter().filter(|path| path.extension().is_some_and(|end| end == "md")) {
            let document = Document::read(path);
            let folder = path.parent().unwrap_or(Path::new(""));
            for (_, line, _) in document.lines().filter(|(_, _, is_code)| !is_code) {
                let files = targets(line).filter(|target| !target.contains(':')).filter_map(|it| it.split('#').next());
                reached.extend(files.map(|file| plain(&folder.join(file))));
            }
        }
        reached
    };
    let reached = linked(&linked(&BTreeSet::from(["README.md".into()])));
    // The decisions are a folder of their own, which is linked.
    let pages = files("docs", ".md").into_iter().filter(|page| !page.starts_with("docs/decisions"));
    let far: Vec<PathBuf> =
        pages.chain(["docs/decisions".into(), "SECURITY.md".into()]).filter(|page| !reached.contains(page)).collect();
    assert_eq!(far, Vec::<PathBuf>::new());
}

#[test]
fn links_and_headings_are_read() {
    assert_eq!(anchor("The platform's `products` routes"), "the-platforms-products-routes");
    assert_eq!(targets("[a](b.md#c) and [d](#e)").collect::<Vec<_>>(), ["b.md#c", "#e"]);
    let document = Document { path: "docs/here.md".into(), text: "# One\n```\n# code\n```\n".into() };
    assert_eq!(anchors(&document), ["one"]);
    for (target, expected) in [
        ("../README.md", None),
        ("nowhere.md", Some("`nowhere.md` leads to no file")),
        ("glossary.md#nowhere", Some("`glossary.md#nowhere` leads to no heading")),
    ] {
        assert_eq!(fault(&document, target).as_deref(), expected);
    }
}
