//! Clauses outside of products: entitlements, rates, facts, reactions, mails and roles.

use crate::coverage::clause::{Clause, entries, text, values};
use extension_contract::Account;
use serde_json::Value;

/// All clauses outside of products.
pub(crate) fn of_business(catalog: &Value) -> Vec<Clause> {
    let mut found = entitlements(catalog);
    found.extend(rates(catalog));
    found.extend(facts(catalog));
    found.extend(mails(catalog));
    found.extend(roles(catalog));
    found
}

fn entitlements(catalog: &Value) -> Vec<Clause> {
    let mut found = Vec::new();
    for (key, at, decl) in entries(&catalog["entitlements"], "/entitlements") {
        let of_key = key.clone();
        let how = "an account has an allowance of it or uses it";
        found.push(Clause::new(format!("entitlement {key}"), at.clone(), how, move |state| {
            let is_meant =
                |found: &str| found.strip_prefix(&of_key).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
            state.entitlements.iter().any(|found| is_meant(&found.key) && (found.allowed != 0 || found.used != 0))
        }));
        if !decl["alerts"].is_null() {
            let (name, at) = (format!("entitlement {key}/alerts"), format!("{at}/alerts"));
            let how = "an account is warned that it is nearly used up (mail `usage_alert`)";
            found.push(Clause::new(name, at, how, move |state| {
                let names_key =
                    |values: &Value| values.as_object().into_iter().flatten().any(|(_, value)| *value == key);
                state.mails("usage_alert").any(|mail| names_key(&mail.payload["values"]))
            }));
        }
    }
    found
}

fn rates(catalog: &Value) -> Vec<Clause> {
    let mut found = Vec::new();
    for (meter, at, rate) in entries(&catalog["rates"], "/rates") {
        let of_meter = meter.clone();
        let how = "the meter has a measurement";
        found.push(Clause::new(format!("rate {meter}"), at.clone(), how, move |state| {
            state.measured().any(|usage| usage.meter == of_meter)
        }));
        let by = text(&rate["by"]);
        for (value, at, _) in entries(&rate["micros"], &format!("{at}/micros")) {
            let (name, meter, by) = (format!("rate {meter}/{value}"), meter.clone(), by.clone());
            let how = "the meter has a measurement with this attribute";
            found.push(Clause::new(name, at, how, move |state| {
                let has = |(name, found): &(String, String)| *name == by && *found == value;
                state.measured().any(|usage| usage.meter == meter && usage.attributes.iter().any(has))
            }));
        }
        let seller = text(&rate["seller"]["by"]);
        if !seller.is_empty() {
            let (name, at, meter) = (format!("rate {meter}/seller"), format!("{at}/seller"), meter.clone());
            let how = "a measurement of the meter names a product with a revenue share";
            found.push(Clause::new(name, at, how, move |state| {
                let names = |(name, _): &(String, String)| *name == seller;
                state.measured().any(|usage| usage.meter == meter && usage.attributes.iter().any(names))
            }));
        }
        if !rate["invoice"].is_null() {
            let how = "the invoice for a month of usage is requested";
            found.push(Clause::new(format!("rate {meter}/invoice"), format!("{at}/invoice"), how, |state| {
                state.effects.iter().any(|asked| asked.key.starts_with("usage-invoice:"))
            }));
        }
    }
    found
}

/// Facts of the business, and reactions to facts.
fn facts(catalog: &Value) -> Vec<Clause> {
    let mut found = Vec::new();
    for (fact, at, _) in entries(&catalog["events"], "/events") {
        let how = "the fact is received and applied";
        found.push(Clause::new(format!("event {fact}"), at, how, move |state| {
            state.events.iter().any(|event| event.kind == fact && event.is_applied)
        }));
    }
    for (at, reaction) in values(&catalog["reactions"], "/reactions") {
        let (event, mail, run) = (text(&reaction["event"]), text(&reaction["mail"]), text(&reaction["run"]));
        let what = if mail.is_empty() { run.clone() } else { format!("mail {mail}") };
        let how = "the reaction to the fact is requested";
        found.push(Clause::new(format!("reaction to {event}: {what}"), at, how, move |state| match mail.is_empty() {
            true => state.effects.iter().any(|asked| asked.key.starts_with(&format!("on:{event}:{run}:"))),
            false => state.mails(&mail).any(|mail| mail.key.contains(&format!(":{event}:"))),
        }));
    }
    found
}

fn mails(catalog: &Value) -> Vec<Clause> {
    let mut found = Vec::new();
    if !catalog["campaigns"].is_null() {
        let how = "a mail of a campaign is requested";
        found.push(Clause::new("campaigns", "/campaigns", how, |state| {
            state.effects.iter().any(|asked| asked.key.starts_with("to-member:"))
        }));
    }
    for (template, at, _) in entries(&catalog["templates"], "/templates") {
        let how = "a mail of the template is requested";
        let name = format!("template {template}");
        found.push(Clause::new(name, at, how, move |state| state.mails(&template).next().is_some()));
    }
    found
}

/// Queries that `may` can list alongside commands. They have no clause, because the store does not record queries.
const QUERIES: [&str; 4] = ["entitlements", "usage", "balances", "list"];

fn roles(catalog: &Value) -> Vec<Clause> {
    let mut found = Vec::new();
    let commands = entries(&catalog["may"], "/may").into_iter();
    for (command, at, _) in commands.filter(|(command, ..)| !QUERIES.contains(&command.as_str())) {
        let how = "a member of an organization sends the command for it";
        found.push(Clause::new(format!("may {command}"), at, how, move |state| {
            let is_there = matches!(state.account, Account::Organization(_));
            is_there && state.events.iter().any(|event| event.kind == command && event.is_by_member)
        }));
    }
    found
}
