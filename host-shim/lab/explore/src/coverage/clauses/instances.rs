//! Clauses of `product_types` for instances: fields, consumption, provisions, lifecycle and metrics.

use super::types::TypeDecl;
use crate::coverage::account_state::{AccountState, Instance};
use crate::coverage::clause::{Clause, entries, text, values};
use crate::coverage::template::matches_template;
use serde_json::Value;

/// A clause that is reached if an instance of the type meets `test`.
fn instance_clause(
    of: &TypeDecl<'_>,
    part: &str,
    pointer: &str,
    touched: &'static str,
    test: impl Fn(&AccountState, &Instance) -> bool + 'static,
) -> Clause {
    of.clause(part, pointer, touched, move |state, product_type| {
        state.instances_of(product_type).any(|instance| test(state, instance))
    })
}

/// The clauses of one type that concern instances.
pub(super) fn of_type(of: &TypeDecl<'_>) -> Vec<Clause> {
    let mut found = Vec::new();
    if of.decl["catalog"] != true {
        for (at, field) in values(&of.decl["fields"], &format!("{}/fields", of.at)) {
            let name = text(&field["name"]);
            let part = format!("fields/{name}");
            let how = "an instance of the type has a value of the field";
            found.push(instance_clause(of, &part, &at, how, move |_, instance| is_there(&instance.metadata, &name)));
        }
    }
    for (key, at, _) in entries(&of.decl["consumes"], &format!("{}/consumes", of.at)) {
        let how = "an account with an instance of the type uses the entitlement";
        found.push(instance_clause(of, &format!("consumes/{key}"), &at, how, move |state, _| {
            state.entitlements.iter().any(|entitlement| entitlement.key == key && entitlement.used > 0)
        }));
    }
    let link = text(&of.decl["plan"]["field"]);
    if !link.is_empty() {
        let how = "an instance of the type names the plan that pays for it";
        found.push(instance_clause(of, "plan", &format!("{}/plan", of.at), how, move |_, instance| {
            is_there(&instance.metadata, &link)
        }));
    }
    found.extend(provisions(of));
    found.extend(lifecycle(of));
    found
}

/// True if the metadata has a value with this name, and the value is not null.
fn is_there(metadata: &serde_json::Map<String, Value>, name: &str) -> bool {
    metadata.get(name).is_some_and(|value| !value.is_null())
}

/// The clauses of `provisions` and `from_checkout`.
fn provisions(of: &TypeDecl<'_>) -> Vec<Clause> {
    let mut found = Vec::new();
    for (at, resource) in values(&of.decl["provisions"], &format!("{}/provisions", of.at)) {
        let name = text(&resource["name"]);
        let part = format!("provisions/{name}");
        let of_name = name.clone();
        let how = "an effect of the resource or step is requested for an instance of the type";
        found.push(instance_clause(of, &part, &at, how, move |state, instance| {
            state.effects_of_instance(&instance.id).any(|(entry, _)| is_entry(entry, &of_name))
        }));
        for (member, verb, how) in
            [("backup", "backup", "its backup is requested"), ("suspends", "change", "a change of it is requested")]
        {
            if resource[member].is_null() || resource[member] == false {
                continue;
            }
            let (part, at, name) = (format!("{part}/{member}"), format!("{at}/{member}"), name.clone());
            let verb = format!("{}.{verb}", text(&resource["resource"]));
            found.push(instance_clause(of, &part, &at, how, move |state, instance| {
                state
                    .effects_of_instance(&instance.id)
                    .any(|(entry, asked)| is_entry(entry, &name) && asked.kind == verb)
            }));
        }
        if !resource["variant"].is_null() {
            let (part, at, name) = (format!("{part}/variant"), format!("{at}/variant"), name.clone());
            let how = "an effect of one of its variants is requested";
            found.push(instance_clause(of, &part, &at, how, move |state, instance| {
                state.effects_of_instance(&instance.id).any(|(entry, _)| entry != name && is_entry(entry, &name))
            }));
        }
        if !resource["or_manual"].is_null() {
            let (part, at) = (format!("{part}/or_manual"), format!("{at}/or_manual"));
            let how = "an operator is asked to do it (mail `step_waiting`)";
            found.push(instance_clause(of, &part, &at, how, move |state, instance| {
                let is_meant =
                    |values: &Value| values["instance"] == instance.id.as_str() && values["step"] == name.as_str();
                state.mails("step_waiting").any(|mail| is_meant(&mail.payload["values"]))
            }));
        }
    }
    if !of.decl["from_checkout"].is_null() {
        let how = "a checkout made elsewhere creates an instance of the type";
        found.push(instance_clause(
            of,
            "from_checkout",
            &format!("{}/from_checkout", of.at),
            how,
            |state, instance| state.records("sessions").any(|(_, session)| session["made"] == instance.id.as_str()),
        ));
    }
    found
}

/// True if an entry of an instance belongs to the resource `name`: `NAME`, or `NAME@VARIANT`.
fn is_entry(entry: &str, name: &str) -> bool {
    entry.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('@'))
}

/// The clauses of `views`, `lifecycle`, `expects`, `url`, `watch` and `meters`.
fn lifecycle(of: &TypeDecl<'_>) -> Vec<Clause> {
    let mut found = Vec::new();
    for (field, at, words) in entries(&of.decl["views"], &format!("{}/views", of.at)) {
        for (status, at, word) in entries(words, &at) {
            let (part, field, word) = (format!("views/{field}/{status}"), field.clone(), text(word));
            let how = "an instance of the type shows the word in the field";
            found.push(instance_clause(of, &part, &at, how, move |_, instance| {
                instance.metadata.get(&field).and_then(Value::as_str) == Some(word.as_str())
            }));
        }
    }
    for (clause, timer, how) in [
        ("idle", "idle", "the idle time of an instance of the type passes"),
        ("archive_after", "archive", "the archive time of an instance of the type passes"),
        ("delete_after", "terminate", "the deletion time of an archived instance of the type passes"),
    ] {
        if !of.decl["lifecycle"][clause].is_null() {
            let at = format!("{}/lifecycle/{clause}", of.at);
            found.push(instance_clause(of, &format!("lifecycle/{clause}"), &at, how, move |state, instance| {
                state.timer_fired(&format!("{timer}:{}:", instance.id))
            }));
        }
    }
    for (at, expected) in values(&of.decl["expects"], &format!("{}/expects", of.at)) {
        let meter = text(&expected["meter"]);
        let how = "an account with an instance of the type has a measurement of the meter";
        found.push(instance_clause(of, &format!("expects/{meter}"), &at, how, move |state, _| {
            state.measured().any(|usage| usage.meter == meter)
        }));
    }
    for (at, url) in values(&of.decl["url"], &format!("{}/url", of.at)) {
        let (part, template) = (format!("url/{}", text(&url["resource"])), text(&url["value"]));
        let how = "an instance of the type shows such an address";
        found.push(instance_clause(of, &part, &at, how, move |_, instance| {
            let shown = instance.metadata.get("resources").and_then(|resources| resources["url"].as_str());
            shown.is_some_and(|url| matches_template(url, &template))
        }));
    }
    if !of.decl["watch"].is_null() {
        let how = "the watch of an instance of the type is requested";
        found.push(instance_clause(of, "watch", &format!("{}/watch", of.at), how, |state, instance| {
            state.effects_of_instance(&instance.id).any(|(_, asked)| asked.kind == "probe.watch")
        }));
    }
    for (at, meter) in values(&of.decl["meters"], &format!("{}/meters", of.at)) {
        let (is_running_time, meter) = (!meter["every"].is_null(), text(&meter["meter"]));
        if is_running_time {
            let how = "a day ends in which an instance of the type runs";
            found.push(instance_clause(of, &format!("meters/{meter}"), &at, how, |state, instance| {
                state.timer_fired(&format!("running:{}:", instance.id))
            }));
            continue;
        }
        let how = "an instance of the type has a value of the meter";
        found.push(instance_clause(of, &format!("meters/{meter}"), &at, how, move |_, instance| {
            instance.metadata.get("usage").is_some_and(|usage| !usage[&meter].is_null())
        }));
    }
    found
}
