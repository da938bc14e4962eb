//! Holds what a host has against what the oracle says.

use end_to_end::oracle::Expected;
use end_to_end::world::World;
use host_providers::scripted::ScriptedAnswer;
use products_contract::{Account, Actor, Balance, Question};
use serde_json::Value;
use std::collections::BTreeMap;

/// The rows of an account, of a table or a collection of records, by id.
fn rows<'d>(document: &'d Value, account: &str, kind: &str) -> BTreeMap<&'d str, &'d Value> {
    let accounts = document["accounts"].as_array().into_iter().flatten();
    let own = accounts.filter(|rows| rows["account"] == account);
    let listed = own.flat_map(|rows| [&rows[kind], &rows["records"][kind]]).filter_map(Value::as_array).flatten();
    listed.filter_map(|row| Some((row["id"].as_str()?, row))).collect()
}

/// What every account's ledger has, by account of the business, account of the ledger and unit.
fn ledgers(document: &Value) -> BTreeMap<(String, String, String), i64> {
    let mut out = BTreeMap::new();
    for own in document["accounts"].as_array().into_iter().flatten() {
        let account = own["account"].as_str().unwrap_or_default();
        let balances = rows(document, account, "account").remove("balances").map(|row| &row["value"]);
        for (ledger, units) in balances.and_then(Value::as_object).into_iter().flatten() {
            for (unit, amount) in units.as_object().into_iter().flatten() {
                let key = (account.to_owned(), ledger.clone(), unit.clone());
                out.insert(key, amount.as_i64().unwrap_or_default());
            }
        }
    }
    out
}

/// Sums to zero in each account and unit, and what one owes another is what the other is owed.
fn balances(document: &Value) -> Result<(), String> {
    let ledgers = ledgers(document);
    let mut sums: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for ((account, _, unit), amount) in &ledgers {
        *sums.entry((account, unit)).or_default() += amount;
    }
    if let Some(((account, unit), sum)) = sums.into_iter().find(|(_, sum)| *sum != 0) {
        return Err(format!("the ledger of {account} sums to {sum} {unit}"));
    }
    let mut owed: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for ((account, ledger, _), amount) in &ledgers {
        match ledger.strip_prefix("due:") {
            Some("sales") => owed.entry(account).or_default().1 += amount,
            Some(other) => owed.entry(other).or_default().0 += amount,
            None => {}
        }
    }
    match owed.into_iter().find(|(_, (ours, theirs))| ours + theirs != 0) {
        Some((creator, (ours, theirs))) => Err(format!("{creator} is owed {ours}, and has {theirs}")),
        None => Ok(()),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, found: &T) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("{what}: expected {expected:?}, found {found:?}")) }
}

/// How often the same words may be told: once, but reminders on each of their days.
fn most(template: &str, expected: &Expected) -> usize {
    match template {
        "payment_failed" => expected.reminders.0,
        "step_reminder" | "step_overdue" => usize::MAX,
        _ if template.ends_with("_soon") => expected.reminders.1,
        _ => 1,
    }
}

/// What providers did: each notice once, what follows from a fact once for each, and the months' invoices.
fn followed(world: &World, expected: &Expected) -> Result<(), String> {
    let mut mails: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut campaigns: BTreeMap<String, usize> = BTreeMap::new();
    let mut invoices = Vec::new();
    for entry in world.scripted().journal() {
        let (call, ScriptedAnswer::Ok(_)) = (entry.call, entry.answer) else { continue };
        match call.kind.as_str() {
            "mail.send" => {
                let template = call.payload["template"].as_str().unwrap_or_default().to_owned();
                *mails.entry((format!("{} {}", call.scope, call.payload), template.clone())).or_default() += 1;
                if let Some(campaign) = call.payload["values"]["campaign"].as_str() {
                    *campaigns.entry(campaign.to_owned()).or_default() += 1;
                }
                *found.entry(format!("mail:{template}")).or_default() += 1;
            }
            "stripe.invoice.create" => invoices.push(call.payload["total_minor"].as_i64().unwrap_or_default()),
            kind => *found.entry(kind.to_owned()).or_default() += 1,
        }
    }
    if let Some(((mail, _), times)) = mails.into_iter().find(|((_, template), times)| *times > most(template, expected))
    {
        return Err(format!("{times} times the mail {mail}"));
    }
    same("invoices of use", &expected.invoices, &invoices)?;
    for (then, times) in &expected.followed {
        same(then, times, &found.get(then).copied().unwrap_or(0))?;
    }
    for (campaign, times) in &expected.campaigns {
        same(campaign, times, &campaigns.get(campaign).copied().unwrap_or(0))?;
    }
    Ok(())
}

/// All that must hold at one moment.
pub fn judge(world: &mut World, account: &Account, expected: &Expected) -> Result<(), String> {
    let document = world.document();
    let name = account.to_string();
    balances(&document)?;
    let found = world.entitlements(account);
    let allowed = found.iter().filter(|one| one.allowed != 0).map(|one| (one.key.clone(), one.allowed)).collect();
    same("entitlements", &expected.entitlements, &allowed)?;
    for (key, used) in &expected.counted {
        let counted = found.iter().find(|one| one.key == *key).map_or(0, |one| one.used);
        same(&format!("use of {key}"), used, &counted)?;
    }
    let question = Question { account: account.clone(), actor: Actor::system(), at: world.clock() };
    let balances = world.processor_mut().ask_balances(&question).map_err(|refused| format!("{refused:?}"))?;
    let of = |ledger: &str| balances.iter().find(|balance| balance.ledger == ledger);
    same("cash", &expected.cash, &of("cash:stripe").map_or(0, |balance| balance.available))?;
    let credits = of("credits_left").map_or((0, 0), |balance: &Balance| (balance.available, -balance.pending));
    same("credits that are left and owed", &expected.credits, &credits)?;
    let ledgers = ledgers(&document);
    for (creator, (least, most)) in &expected.shares {
        let of_creator = ledgers.iter().filter(|((of, ledger, _), _)| of == creator && ledger == "due:sales");
        let share: i64 = of_creator.map(|(_, amount)| amount).sum();
        if share < *least || share > *most {
            return Err(format!("{creator} has {share} of the sales, expected {least} to {most}"));
        }
    }
    let instances = rows(&document, &name, "products");
    let status =
        |id: &String| instances.get(id.as_str()).and_then(|row| row["metadata"]["status"].as_str()).unwrap_or("none");
    for id in &expected.running {
        same(&format!("{id}, which is paid for"), &"running", &status(id))?;
    }
    for id in &expected.idle {
        if status(id) == "running" {
            return Err(format!("{id} runs, and nobody pays for it"));
        }
    }
    followed(world, expected)?;
    let tokens = rows(&document, &name, "tokens");
    for (id, (expected, redeemed)) in &expected.tokens {
        let row = tokens.get(id.as_str()).map_or(&Value::Null, |row| &row["value"]);
        let found = (row["status"].as_str().unwrap_or("none"), row["redeemed"].as_i64().unwrap_or(0));
        same(&format!("token {id}"), &(*expected, *redeemed), &found)?;
    }
    Ok(())
}
