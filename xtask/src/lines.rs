//! `cargo xtask lines`: counts the lines of each business. A business is data, so lines of programs do not count.

use anyhow::{Context, Result};
use component_builder::workspace_root;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Count the lines of each business: data, pages, mails and scenarios. Empty lines do not count.
#[derive(clap::Args)]
pub struct Options {}

/// The lines of a business.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Catalog, settings, routes and views, including those of features.
    pub data: usize,
    /// Pages and their styles.
    pub pages: usize,
    /// Templates of mails.
    pub mails: usize,
    /// Scenarios, which test the business.
    pub scenarios: usize,
}

/// Runs the command.
///
/// # Errors
///
/// Fails if a file of a business can't be read.
pub fn run(_: &Options) -> Result<()> {
    let places = ["fixtures/businesses", "fixtures/catalogs", "examples"].map(|place| workspace_root().join(place));
    print!("{}", report(&places)?);
    Ok(())
}

/// Returns the table of all businesses of some folders: those with a `catalog.yml`.
///
/// # Errors
///
/// Fails if a file can't be read.
pub fn report(places: &[PathBuf]) -> Result<String> {
    let mut businesses = BTreeMap::new();
    for place in places {
        for entry in fs::read_dir(place).with_context(|| format!("cannot read {}", place.display()))? {
            let entry = entry?;
            if entry.path().join("catalog.yml").is_file() {
                businesses.insert(entry.file_name().to_string_lossy().into_owned(), entry.path());
            }
        }
    }
    let mut text = format!("{:22}{:>8}{:>8}{:>8}{:>11}\n", "business", "data", "pages", "mails", "scenarios");
    for (name, folder) in businesses {
        let Lines { data, pages, mails, scenarios } = of_business(&folder)?;
        let _ = writeln!(text, "{name:22}{data:>8}{pages:>8}{mails:>8}{scenarios:>11}");
    }
    Ok(text)
}

/// Returns the lines of one business.
///
/// # Errors
///
/// Fails if a file can't be read.
pub fn of_business(folder: &Path) -> Result<Lines> {
    let mut lines = Lines::default();
    count(folder, Kind::Data, &mut lines)?;
    Ok(lines)
}

/// The type of the files in a folder.
#[derive(Clone, Copy)]
enum Kind {
    Data,
    Pages,
    Mails,
    Scenarios,
}

fn count(folder: &Path, kind: Kind, lines: &mut Lines) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            let kind = match entry.file_name().to_str() {
                Some("pages") => Kind::Pages,
                Some("templates") => Kind::Mails,
                Some("scenarios") => Kind::Scenarios,
                _ => kind,
            };
            count(&path, kind, lines)?;
            continue;
        }
        // A file that is not text, such as an image, has no lines.
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let found = String::from_utf8(text).unwrap_or_default().lines().filter(|line| !line.trim().is_empty()).count();
        *match kind {
            Kind::Data => &mut lines.data,
            Kind::Pages => &mut lines.pages,
            Kind::Mails => &mut lines.mails,
            Kind::Scenarios => &mut lines.scenarios,
        } += found;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_by_kind_without_empty_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let shop = folder.path().join("shop");
        for (file, text) in [
            ("catalog.yml", "a: 1\n\nb: 2\n"),
            ("features/a/catalog.yml", "c: 3\n"),
            ("pages/blocks/one.html", "<p>\n</p>\n"),
            ("templates/hello.txt", "Hello\n"),
            ("scenarios/more/one.yml", "name: x\n"),
        ] {
            let file = shop.join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            fs::write(file, text).expect("written");
        }
        fs::create_dir(folder.path().join("no-business")).expect("made");
        let expected = Lines { data: 3, pages: 2, mails: 1, scenarios: 1 };
        assert_eq!(of_business(&shop).expect("counted"), expected);
        let report = report(&[folder.path().to_owned()]).expect("a report");
        let rows: Vec<Vec<&str>> = report.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows, [vec!["business", "data", "pages", "mails", "scenarios"], vec!["shop", "3", "2", "1", "1"]]);
    }

    // covers: SOL-60
    #[test]
    fn solobase_has_fewer_lines_than_its_source_plans() {
        let lines = of_business(&workspace_root().join("fixtures/businesses/solobase")).expect("counted");
        assert!(lines.data > 100 && lines.scenarios > 1_000, "{lines:?}");
        assert!(lines.data + lines.pages + lines.mails <= 800, "{lines:?}");
    }
}
