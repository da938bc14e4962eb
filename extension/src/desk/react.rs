//! Runs the business's reactions to facts. Each reaction to a fact runs once.

use super::Desk;
use crate::catalog::built_in_facts::BuiltInFact;
use crate::catalog::template::Scope;
use crate::model::effect::request;
use crate::model::halt::{Ruled, internal};
use crate::model::json::Object;
use crate::model::keys::EffectKey;
use crate::model::mail::To;
use crate::model::notice;
use serde_json::{Value, json};

/// Runs the reactions to a built-in fact. `reference` identifies the fact in the keys of the reactions.
/// `values` are the values of the fact's fields.
pub(crate) fn publish(desk: &mut Desk<'_>, fact: &BuiltInFact, reference: &str, values: &[&str]) -> Ruled<()> {
    if desk.catalog.settings()?.reactions.iter().all(|reaction| reaction.event != fact.name) {
        return Ok(());
    }
    let mut fields = Object::new();
    for (name, value) in fact.fields.iter().zip(values) {
        fields.insert((*name).to_owned(), json!(value));
    }
    react(desk, fact.name, reference, &fields)
}

/// Runs the reactions to a fact that have not run before.
pub(crate) fn react(desk: &mut Desk<'_>, event: &str, reference: &str, fields: &Object) -> Ruled<()> {
    let settings = desk.catalog.settings()?;
    let account = desk.account.owned()?.to_string();
    for reaction in settings.reactions.iter().filter(|reaction| reaction.event == event) {
        let mut of_account = Object::new();
        of_account.insert("id".to_owned(), json!(account));
        let scope = Scope::default().fields("event", fields).object("account", &of_account);
        let fill = |template: &Value| {
            scope.fill(template).map_err(|place| internal(format!("reaction to {event}: `{{{place}}}` is not defined")))
        };
        let with = match reaction.with.is_empty() {
            true => fields.clone(),
            false => scope
                .fill_object(&reaction.with)
                .map_err(|place| internal(format!("reaction to {event}: `{{{place}}}` is not defined")))?,
        };
        if let Some(template) = &reaction.mail {
            // Different facts may have the same reference, such as the creation and the cancellation of one
            // subscription.
            let reference = format!("{event}:{reference}");
            match reaction.to.as_deref() {
                None | Some("account") => {
                    notice::send_template(&mut desk.account, template, To::Account, &reference, &json!(with))?;
                }
                Some("admin") => {
                    notice::send_template(&mut desk.account, template, To::Admin, &reference, &json!(with))?;
                }
                Some(place) => {
                    let address = fill(&json!(place))?;
                    if let Some(address) = address.as_str().filter(|address| !address.is_empty()) {
                        notice::send_to(&mut desk.account, template, address, &reference, &with)?;
                    }
                }
            }
        }
        if let Some(kind) = &reaction.run {
            let key =
                EffectKey::Reaction { event: event.to_owned(), run: kind.clone(), reference: reference.to_owned() };
            if desk.account.record_fact(&key.to_string())? {
                desk.account.ask(request(&key, &with, None)?);
            }
        }
    }
    Ok(())
}
