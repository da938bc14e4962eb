//! Contact sheets of mails: a picture for each business, made by Chromium.

use super::Rendered;
use end_to_end::world::root;
use host_provider_api::html::escaped;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Number of mails beside each other.
const COLUMNS: usize = 4;
/// Width of a mail before it is made smaller.
const WIDTH: usize = 640;
/// How much smaller the mails are, in percent.
const SCALE: usize = 50;
/// Between the mails.
const GAP: usize = 12;

/// Writes a sheet for each business with the mails to its customers, one with German mails, and one with the mails to operators.
pub fn write(sheets: &[(String, bool, Vec<Rendered>)]) {
    let folder = root().join("docs/images/mails");
    std::fs::create_dir_all(&folder).expect("the folder");
    for (business, is_translated, mails) in sheets {
        let (name, is_for_operators) = match (business.as_str(), is_translated) {
            ("no templates", _) => ("operators".to_owned(), true),
            (business, true) => (format!("{business}-de"), false),
            (business, false) => (business.to_owned(), false),
        };
        picture(&folder.join(format!("{name}.png")), &one_of_each(mails, is_for_operators));
    }
}

/// Returns one mail of each template, that with the most words.
fn one_of_each(mails: &[Rendered], is_for_operators: bool) -> Vec<&Rendered> {
    let mut chosen: Vec<&Rendered> =
        mails.iter().filter(|mail| mail.sent.is_for_operators() == is_for_operators).collect();
    chosen.sort_by_key(|mail| (&mail.sent.template, std::cmp::Reverse(mail.plain.len())));
    let mut known = BTreeSet::new();
    chosen.retain(|mail| known.insert(&mail.sent.template));
    chosen
}

/// Returns about how high a mail is: frame, head, lines and the spaces between paragraphs.
fn height(mail: &Rendered) -> usize {
    let lines = mail.plain.trim_end().lines().map(|line| match line {
        "" => 18,
        line if line.starts_with("- ") => 42 + (line.len() / 60) * 24,
        line => 26 + (line.len() / 72) * 26,
    });
    290 + (mail.subject.len() / 48) * 30 + lines.sum::<usize>()
}

fn picture(file: &Path, mails: &[&Rendered]) {
    let scaled = |pixels: usize| pixels * SCALE / 100;
    let width = scaled(WIDTH);
    let heights: Vec<usize> =
        mails.chunks(COLUMNS).map(|row| row.iter().map(|mail| height(mail)).max().unwrap_or(0)).collect();
    let mut page = format!(
        "<!doctype html><meta charset=\"utf-8\"><style>body{{margin:{GAP}px;background:#cfd3da;display:grid;gap:{GAP}px;\
         grid-template-columns:repeat({COLUMNS},{width}px)}}div{{width:{width}px;overflow:hidden}}\
         iframe{{width:{WIDTH}px;border:0;transform:scale(.{SCALE});transform-origin:0 0}}</style>"
    );
    for (row, height) in mails.chunks(COLUMNS).zip(&heights) {
        for mail in row {
            let (small, html) = (scaled(*height), escaped(&mail.html));
            // Writing to a text cannot fail.
            let _ = write!(
                page,
                "<div style=\"height:{small}px\"><iframe style=\"height:{height}px\" srcdoc=\"{html}\"></iframe></div>"
            );
        }
    }
    let all: usize = heights.iter().map(|height| scaled(*height) + GAP).sum();
    let window = (COLUMNS * (width + GAP) + GAP, all + GAP);
    let dir = tempfile::tempdir().expect("a folder");
    let source = dir.path().join("sheet.html");
    std::fs::write(&source, page).expect("the page");
    let mut chromium = Command::new(counterparts::chromium());
    chromium
        .args(["--headless", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", dir.path().join("profile").display()))
        .arg(format!("--window-size={},{}", window.0, window.1))
        .arg(format!("--screenshot={}", file.display()))
        .arg(format!("file://{}", source.display()));
    counterparts::succeeds(&mut chromium, std::time::Duration::from_secs(60));
    assert!(file.is_file(), "{}", file.display());
}
