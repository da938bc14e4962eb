//! `provisioner new NAME`: creates the folder of a business from a template, which is one of the examples in this
//! repository.

use anyhow::Context;
use clap::{Parser, ValueEnum};
use host_replay::command::EXIT_BAD_INPUT;
use include_dir::{Dir, DirEntry, include_dir};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Make the folder of a new business that sells
///
/// Copies a template: a catalog, scenarios, and a page that says what to change first. The business passes `check`, its
/// scenarios hold, and `serve --local` sells it on this machine.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// The folder to make; its last part is the name of the business
    #[arg(value_name = "NAME")]
    folder: PathBuf,

    /// What the business is like
    #[arg(long, value_enum, default_value_t = Template::PerSeat)]
    template: Template,
}

const AFTER_HELP: &str = "Examples:
  provisioner new my-saas                         plans for teams, by the seat
  provisioner new my-saas --template credits      packs of credits that pay for use
  provisioner serve my-saas --local               sell it on this machine

Exit codes: 0 made, 2 bad usage, or the folder exists and is not empty.";

/// A template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Template {
    /// Plans for teams, by the seat, with a trial
    PerSeat,
    /// Packs of credits that pay for metered use
    Credits,
    /// An instance for each customer, with a database of its own
    DatabasePerCustomer,
    /// Files or licences that are paid once
    Downloads,
    /// Use that is counted, and paid by an invoice each month
    Usage,
}

static PER_SEAT: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/per-seat");
static CREDITS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/credits");
static DATABASE_PER_CUSTOMER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/database-per-customer");
static DOWNLOADS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/downloads");
static USAGE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../examples/usage");

impl Template {
    fn files(self) -> &'static Dir<'static> {
        match self {
            Template::PerSeat => &PER_SEAT,
            Template::Credits => &CREDITS,
            Template::DatabasePerCustomer => &DATABASE_PER_CUSTOMER,
            Template::Downloads => &DOWNLOADS,
            Template::Usage => &USAGE,
        }
    }
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let folder = &args.folder;
    let is_taken = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => folder.exists(),
    };
    if is_taken {
        eprintln!("error: {} exists, and is not an empty folder; expected a new name", folder.display());
        return Ok(ExitCode::from(EXIT_BAD_INPUT));
    }
    let name = args.template.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    write(args.template.files(), folder, &|text| adapted(text, &name, folder))?;
    let shown = folder.display();
    println!("made {shown} like {name}; {shown}/README.md explains what to change first");
    println!("  provisioner check {shown}");
    println!("  provisioner replay {shown}");
    println!("  provisioner serve {shown} --local");
    Ok(ExitCode::SUCCESS)
}

/// Writes the files of a template, with adapted texts.
fn write(files: &Dir<'_>, folder: &Path, adapt: &dyn Fn(&str) -> String) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for entry in files.entries() {
        let file = folder.join(entry.path().file_name().unwrap_or_default());
        match entry {
            DirEntry::Dir(inner) => write(inner, &file, adapt)?,
            DirEntry::File(of_template) => {
                let contents = match of_template.contents_utf8() {
                    Some(text) => adapt(text).into_bytes(),
                    None => of_template.contents().to_vec(),
                };
                fs::write(&file, contents).with_context(|| file.display().to_string())?;
            }
        }
    }
    Ok(())
}

/// Returns a text without the line that refers to a schema in this repository, and with the new folder in its commands.
fn adapted(text: &str, example: &str, folder: &Path) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n').filter(|line| !line.starts_with("# yaml-language-server: ")) {
        match line.strip_prefix("provisioner ").and_then(|rest| rest.split_once(example)) {
            Some((before, after)) => out.push_str(&format!("provisioner {before}{}{after}", folder.display())),
            None => out.push_str(line),
        }
    }
    out
}
