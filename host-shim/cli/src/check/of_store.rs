//! `provisioner check FOLDER --store STORE`: reports what a start with this store would refuse or change.

use crate::location::{Location, location};
use anyhow::Context;
use host_business::rehearsal::{Fall, OffSale, Rehearsal, rehearse};
use host_business::{Setup, StartError};
use host_replay::command::ExtensionArgs;
use host_replay::command::Format;
use host_replay::command::{EXIT_BAD_INPUT, refuse};
use host_replay::report::{github, printable};
use host_replay::runners::Workload;
use host_run::data::STORE;
use host_scenario::business::BusinessFolder;
use host_scenario::error::ReplayError;
use serde_json::json;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

/// Rehearses the start of a business on a store, which is left unchanged.
pub(super) fn check(
    paths: &[PathBuf],
    store: &str,
    is_live: bool,
    extension: &ExtensionArgs,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let usage = |problem: String| Ok(refuse(&ReplayError::Usage(problem)));
    let [folder] = paths else {
        return usage("--store: expected the folder of one business".to_owned());
    };
    let store = match place(store) {
        Ok(store) => store,
        Err(problem) => return usage(problem),
    };
    let business = match BusinessFolder::load(folder) {
        Ok(business) => business,
        Err(mistakes) => return Ok(refuse(&mistakes.into())),
    };
    let runners = extension.runners(false, Workload::Scenarios)?;
    let runner = runners.make()?;
    let manifest = match runners.manifest(runner.declarations()) {
        Ok(manifest) => manifest,
        Err(mistakes) => return Ok(refuse(&mistakes.into())),
    };
    let setup = Setup::new(business, is_live, &[], manifest);
    let mut reader = store.reader()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    reader.begin()?;
    let found = rehearse(&setup, &*reader, runner, i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    reader.end()?;
    match found {
        Ok(rehearsal) => {
            print(&rehearsal, format).context("the report can't be written")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(StartError::Catalog(mistakes)) => {
            super::print(&host_replay::check::Checked { businesses: 1, mistakes, ..Default::default() }, format)?;
            Ok(ExitCode::from(EXIT_BAD_INPUT))
        }
        Err(error) => Ok(refuse(&ReplayError::from(error))),
    }
}

/// Returns the location of a store, which may also be given as a server's data folder, or the folder of a business in
/// it.
fn place(text: &str) -> Result<Location, String> {
    let file = match Path::new(text).is_dir() {
        true => Path::new(text).join(STORE),
        false => match location("--store", text)? {
            Location::Sqlite(file) => file,
            of_database => return Ok(of_database),
        },
    };
    match file.is_file() {
        true => Ok(Location::Sqlite(file)),
        false => Err(format!("--store: {}: no such file; expected a store of a server", file.display())),
    }
}

fn accounts(number: usize) -> String {
    match number {
        0 => "nobody has it".to_owned(),
        1 => "1 account keeps it".to_owned(),
        _ => format!("{number} accounts keep it"),
    }
}

fn of_off_sale(OffSale { product, price, accounts: number }: &OffSale) -> String {
    let price = price.as_ref().map(|price| format!(" at {price}")).unwrap_or_default();
    format!("off sale: {product}{price}; {}", accounts(*number))
}

fn of_fall(Fall { product, price, key, before, after, accounts }: &Fall) -> String {
    let amount = |amount: i64| if amount < 0 { "unlimited".to_owned() } else { amount.to_string() };
    let whom = match accounts {
        0 => "for nobody".to_owned(),
        1 => "for 1 account at once".to_owned(),
        _ => format!("for {accounts} accounts at once"),
    };
    let at = price.as_ref().map(|price| format!(" at {price}")).unwrap_or_default();
    format!("falls: {key} of {product}{at} from {} to {}, {whom}", amount(*before), amount(*after))
}

fn print(rehearsal: &Rehearsal, format: Format) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let Rehearsal { off_sale, falls } = rehearsal;
    let summary = json!({"off_sale": off_sale.len(), "falls": falls.len()});
    match format {
        Format::Json => {
            for OffSale { product, price, accounts } in off_sale {
                let off = json!({"product": product, "price": price, "accounts": accounts});
                writeln!(out, "{}", json!({"off_sale": off}))?;
            }
            for Fall { product, price, key, before, after, accounts } in falls {
                let fall = json!({"product": product, "price": price, "key": key, "before": before, "after": after,
                    "accounts": accounts});
                writeln!(out, "{}", json!({"falls": fall}))?;
            }
            writeln!(out, "{}", json!({"summary": summary}))
        }
        _ => {
            let lines: Vec<String> = off_sale.iter().map(of_off_sale).chain(falls.iter().map(of_fall)).collect();
            if format == Format::Github {
                let mut text = String::new();
                lines.iter().for_each(|line| github::notice(&mut text, "check", line));
                return out.write_all(text.as_bytes());
            }
            for line in &lines {
                writeln!(out, "{}", printable(line))?;
            }
            match lines.is_empty() {
                true => writeln!(out, "the start changes nothing for anybody"),
                false => writeln!(out, "the start is not refused"),
            }
        }
    }
}
