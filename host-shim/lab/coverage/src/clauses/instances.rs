//! `product_types`: what is said of products that accounts have of their own: what they use up, are made of and show.

use super::types::Of;
use crate::clause::{Clause, entries, text, values};
use crate::seen::{Had, Seen};
use crate::template::came_of;
use serde_json::Value;

/// A clause that is touched if one of the account's products of the type shows it.
fn shown(
    of: &Of<'_>,
    part: &str,
    pointer: &str,
    touched: &'static str,
    test: impl Fn(&Seen, &Had) -> bool + 'static,
) -> Clause {
    of.clause(part, pointer, touched, move |seen, product_type| seen.had_of(product_type).any(|had| test(seen, had)))
}

/// The clauses of one type.
pub(super) fn of_type(of: &Of<'_>) -> Vec<Clause> {
    let mut found = Vec::new();
    if of.decl["catalog"] != true {
        for (at, field) in values(&of.decl["fields"], &format!("{}/fields", of.at)) {
            let name = text(&field["name"]);
            let part = format!("fields/{name}");
            let how = "a product of the type has a value of the field";
            found.push(shown(of, &part, &at, how, move |_, had| is_there(&had.metadata, &name)));
        }
    }
    for (key, at, _) in entries(&of.decl["consumes"], &format!("{}/consumes", of.at)) {
        let how = "an account that has a product of the type uses something of the entitlement";
        found.push(shown(of, &format!("consumes/{key}"), &at, how, move |seen, _| {
            seen.entitlements.iter().any(|entitlement| entitlement.key == key && entitlement.used > 0)
        }));
    }
    let link = text(&of.decl["plan"]["field"]);
    if !link.is_empty() {
        let how = "a product of the type names the plan that pays for it";
        found.push(shown(of, "plan", &format!("{}/plan", of.at), how, move |_, had| is_there(&had.metadata, &link)));
    }
    found.extend(made(of));
    found.extend(lived(of));
    found
}

/// Whether metadata has a value.
fn is_there(metadata: &serde_json::Map<String, Value>, name: &str) -> bool {
    metadata.get(name).is_some_and(|value| !value.is_null())
}

/// What products of the type are made of.
fn made(of: &Of<'_>) -> Vec<Clause> {
    let mut found = Vec::new();
    for (at, resource) in values(&of.decl["provisions"], &format!("{}/provisions", of.at)) {
        let name = text(&resource["name"]);
        let part = format!("provisions/{name}");
        let of_name = name.clone();
        let how = "an effect of the resource or step is asked for, for a product of the type";
        found.push(shown(of, &part, &at, how, move |seen, had| {
            seen.asked_for(&had.id).any(|(entry, _)| is_entry(entry, &of_name))
        }));
        for (member, verb, how) in
            [("backup", "backup", "its backup is asked for"), ("suspends", "change", "a change of it is asked for")]
        {
            if resource[member].is_null() || resource[member] == false {
                continue;
            }
            let (part, at, name) = (format!("{part}/{member}"), format!("{at}/{member}"), name.clone());
            let verb = format!("{}.{verb}", text(&resource["resource"]));
            found.push(shown(of, &part, &at, how, move |seen, had| {
                seen.asked_for(&had.id).any(|(entry, asked)| is_entry(entry, &name) && asked.kind == verb)
            }));
        }
        if !resource["variant"].is_null() {
            let (part, at, name) = (format!("{part}/variant"), format!("{at}/variant"), name.clone());
            let how = "an effect of one of its variants is asked for";
            found.push(shown(of, &part, &at, how, move |seen, had| {
                seen.asked_for(&had.id).any(|(entry, _)| entry != name && is_entry(entry, &name))
            }));
        }
        if !resource["or_manual"].is_null() {
            let (part, at) = (format!("{part}/or_manual"), format!("{at}/or_manual"));
            let how = "a person is told to do it (mail `step_waiting`)";
            found.push(shown(of, &part, &at, how, move |seen, had| {
                let is_meant =
                    |values: &Value| values["instance"] == had.id.as_str() && values["step"] == name.as_str();
                seen.mails("step_waiting").any(|mail| is_meant(&mail.payload["values"]))
            }));
        }
    }
    if !of.decl["from_checkout"].is_null() {
        let how = "a checkout that was made elsewhere makes a product of the type";
        found.push(shown(of, "from_checkout", &format!("{}/from_checkout", of.at), how, |seen, had| {
            seen.records("sessions").any(|(_, session)| session["made"] == had.id.as_str())
        }));
    }
    found
}

/// Whether an entry of an instance is of this resource: it has its name, or its name and a variant.
fn is_entry(entry: &str, name: &str) -> bool {
    entry.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
}

/// What products of the type show while they are there, and how they end.
fn lived(of: &Of<'_>) -> Vec<Clause> {
    let mut found = Vec::new();
    for (field, at, words) in entries(&of.decl["views"], &format!("{}/views", of.at)) {
        for (status, at, word) in entries(words, &at) {
            let (part, field, word) = (format!("views/{field}/{status}"), field.clone(), text(word));
            let how = "a product of the type shows the word in the field";
            found.push(shown(of, &part, &at, how, move |_, had| {
                had.metadata.get(&field).and_then(Value::as_str) == Some(word.as_str())
            }));
        }
    }
    for (clause, timer, how) in [
        ("idle", "idle", "the time comes at which nobody has used a product of the type for long enough"),
        ("archive_after", "archive", "the time comes at which a product of the type is archived"),
        ("delete_after", "terminate", "the time comes at which an archived product of the type ends"),
    ] {
        if !of.decl["lifecycle"][clause].is_null() {
            let at = format!("{}/lifecycle/{clause}", of.at);
            found.push(shown(of, &format!("lifecycle/{clause}"), &at, how, move |seen, had| {
                seen.reminded(&format!("{timer}:{}:", had.id))
            }));
        }
    }
    for (at, expected) in values(&of.decl["expects"], &format!("{}/expects", of.at)) {
        let meter = text(&expected["meter"]);
        let how = "something is measured under the meter in an account that has a product of the type";
        found.push(shown(of, &format!("expects/{meter}"), &at, how, move |seen, _| {
            seen.measured().any(|usage| usage.meter == meter)
        }));
    }
    for (at, url) in values(&of.decl["url"], &format!("{}/url", of.at)) {
        let (part, template) = (format!("url/{}", text(&url["resource"])), text(&url["value"]));
        let how = "a product of the type shows such an address";
        found.push(shown(of, &part, &at, how, move |_, had| {
            let shown = had.metadata.get("resources").and_then(|resources| resources["url"].as_str());
            shown.is_some_and(|url| came_of(url, &template))
        }));
    }
    if !of.decl["watch"].is_null() {
        let how = "the watch of a product of the type is asked for";
        found.push(shown(of, "watch", &format!("{}/watch", of.at), how, |seen, had| {
            seen.asked_for(&had.id).any(|(_, asked)| asked.kind == "probe.watch")
        }));
    }
    for (at, meter) in values(&of.decl["meters"], &format!("{}/meters", of.at)) {
        let meter = text(&meter["meter"]);
        let how = "something is kept of the meter at a product of the type";
        found.push(shown(of, &format!("meters/{meter}"), &at, how, move |_, had| {
            had.metadata.get("usage").is_some_and(|usage| !usage[&meter].is_null())
        }));
    }
    found
}
