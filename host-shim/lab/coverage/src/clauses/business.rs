//! What a business says beside its products: entitlements, rates, facts, what follows from them, mails and roles.

use crate::clause::{Clause, entries, text, values};
use extension_contract::Account;
use serde_json::Value;

/// The clauses of all that.
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
        let how = "an account is allowed something of it, or uses something of it";
        found.push(Clause::new(format!("entitlement {key}"), at.clone(), how, move |seen| {
            let is_meant =
                |found: &str| found.strip_prefix(&of_key).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
            seen.entitlements.iter().any(|found| is_meant(&found.key) && (found.allowed != 0 || found.used != 0))
        }));
        if !decl["alerts"].is_null() {
            let (name, at) = (format!("entitlement {key}/alerts"), format!("{at}/alerts"));
            let how = "an account is told that it comes to an end (mail `usage_alert`)";
            found.push(Clause::new(name, at, how, move |seen| {
                let told = |values: &Value| values.as_object().into_iter().flatten().any(|(_, value)| *value == key);
                seen.mails("usage_alert").any(|mail| told(&mail.payload["values"]))
            }));
        }
    }
    found
}

fn rates(catalog: &Value) -> Vec<Clause> {
    let mut found = Vec::new();
    for (meter, at, rate) in entries(&catalog["rates"], "/rates") {
        let of_meter = meter.clone();
        let how = "something is measured under the meter";
        found.push(Clause::new(format!("rate {meter}"), at.clone(), how, move |seen| {
            seen.measured().any(|usage| usage.meter == of_meter)
        }));
        let by = text(&rate["by"]);
        for (value, at, _) in entries(&rate["micros"], &format!("{at}/micros")) {
            let (name, meter, by) = (format!("rate {meter}/{value}"), meter.clone(), by.clone());
            let how = "something is measured under the meter with this attribute";
            found.push(Clause::new(name, at, how, move |seen| {
                let has = |(name, found): &(String, String)| *name == by && *found == value;
                seen.measured().any(|usage| usage.meter == meter && usage.attributes.iter().any(has))
            }));
        }
        let seller = text(&rate["seller"]["by"]);
        if !seller.is_empty() {
            let (name, at, meter) = (format!("rate {meter}/seller"), format!("{at}/seller"), meter.clone());
            let how = "a measurement under the meter names a product that somebody has a share of";
            found.push(Clause::new(name, at, how, move |seen| {
                let names = |(name, _): &(String, String)| *name == seller;
                seen.measured().any(|usage| usage.meter == meter && usage.attributes.iter().any(names))
            }));
        }
        if !rate["invoice"].is_null() {
            let how = "the invoice of a month's use is asked for";
            found.push(Clause::new(format!("rate {meter}/invoice"), format!("{at}/invoice"), how, |seen| {
                seen.asked.iter().any(|asked| asked.key.starts_with("usage-invoice:"))
            }));
        }
    }
    found
}

/// Facts of the business's own, and what follows from facts.
fn facts(catalog: &Value) -> Vec<Clause> {
    let mut found = Vec::new();
    for (fact, at, _) in entries(&catalog["events"], "/events") {
        let how = "the fact is told and applied";
        found.push(Clause::new(format!("event {fact}"), at, how, move |seen| {
            seen.happened.iter().any(|event| event.kind == fact && event.is_applied)
        }));
    }
    for (at, reaction) in values(&catalog["on"], "/on") {
        let (event, mail, run) = (text(&reaction["event"]), text(&reaction["mail"]), text(&reaction["run"]));
        let what = if mail.is_empty() { run.clone() } else { format!("mail {mail}") };
        let how = "what follows from the fact is asked for";
        found.push(Clause::new(format!("on {event}: {what}"), at, how, move |seen| match mail.is_empty() {
            true => seen.asked.iter().any(|asked| asked.key.starts_with(&format!("on:{event}:{run}:"))),
            false => seen.mails(&mail).any(|mail| mail.key.contains(&format!(":{event}:"))),
        }));
    }
    found
}

fn mails(catalog: &Value) -> Vec<Clause> {
    let mut found = Vec::new();
    if !catalog["campaigns"].is_null() {
        let how = "a campaign's mail to an account is asked for";
        found.push(Clause::new("campaigns", "/campaigns", how, |seen| {
            seen.asked.iter().any(|asked| asked.key.starts_with("to-member:"))
        }));
    }
    for (template, at, _) in entries(&catalog["templates"], "/templates") {
        let how = "a mail of the template is asked for";
        let name = format!("template {template}");
        found.push(Clause::new(name, at, how, move |seen| seen.mails(&template).next().is_some()));
    }
    found
}

/// What roles may ask: a question leaves nothing behind that it could be seen by.
const QUESTIONS: [&str; 4] = ["entitlements", "usage", "balances", "list"];

fn roles(catalog: &Value) -> Vec<Clause> {
    let mut found = Vec::new();
    let commands = entries(&catalog["may"], "/may").into_iter();
    for (command, at, _) in commands.filter(|(command, ..)| !QUESTIONS.contains(&command.as_str())) {
        let how = "a member of an organization gives the command there";
        found.push(Clause::new(format!("may {command}"), at, how, move |seen| {
            let is_there = matches!(seen.account, Account::Organization(_));
            is_there && seen.happened.iter().any(|event| event.kind == command && event.is_by_member)
        }));
    }
    found
}
