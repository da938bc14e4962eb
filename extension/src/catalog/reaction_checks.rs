//! Checks of the clauses `events` and `reactions`, and of the templates of mails.

use super::built_in_facts::BUILT_IN_FACTS;
use super::checks::{check_field_declarations, check_words};
use super::declared::{OwnResources, steps};
use super::reaction::{Events, Reaction, Templates};
use super::schema::TypeDecl;
use super::settings::Roles;
use super::template::{places, places_of};
use super::words::{escaped, is_word, one_of};
use crate::model::effects::MAIL_SEND;
use crate::model::halt::{Ruled, wrong_field};
use extension_contract::FieldErrorCode;
use serde_json::Value;

/// Kind of the step that invites a person.
const USER_INVITE: &str = "user.invite";
/// The role of who makes an organization.
const OWNER: &str = "owner";

/// Checks the clauses `events` and `reactions`: names are not in use yet, and reactions refer to declared names.
pub(crate) fn check_reactions(
    events: &Events,
    on: &[Reaction],
    templates: &Templates,
    own: &OwnResources,
    commands: &[&str],
) -> Ruled<()> {
    let wrong = |path: &str, message: String| Err(wrong_field(path, FieldErrorCode::NotAllowed, message));
    for (name, decl) in events {
        let path = format!("/events/{}", escaped(name));
        let words = name.split_once('.').filter(|(subject, verb)| is_word(subject) && is_word(verb));
        if words.is_none() {
            return wrong(
                &path,
                "the name has the wrong form: expected SUBJECT.PAST_PARTICIPLE, as in user.registered".to_owned(),
            );
        }
        if BUILT_IN_FACTS.iter().any(|fact| fact.name == name) || commands.contains(&name.as_str()) {
            return wrong(&path, format!("`{name}` is already in use: expected another name"));
        }
        check_field_declarations(&decl.fields, &path)?;
    }
    let names: Vec<&str> =
        BUILT_IN_FACTS.iter().map(|fact| fact.name).chain(events.keys().map(String::as_str)).collect();
    let known_steps = steps(own);
    let known_steps: Vec<&str> = known_steps.iter().map(String::as_str).filter(|step| *step != MAIL_SEND).collect();
    for (index, reaction) in on.iter().enumerate() {
        let path = format!("/reactions/{index}");
        if !names.contains(&reaction.event.as_str()) {
            let message = format!("`{}` is not a fact: expected {}", reaction.event, one_of(&names));
            return wrong(&format!("{path}/event"), message);
        }
        let of_event: Vec<&str> = match BUILT_IN_FACTS.iter().find(|fact| fact.name == reaction.event) {
            Some(fact) => fact.fields.to_vec(),
            None => events
                .get(&reaction.event)
                .map(|decl| decl.fields.iter().map(|field| field.name.as_str()).collect())
                .unwrap_or_default(),
        };
        match (&reaction.mail, &reaction.run) {
            (Some(template), None) => {
                let values: Vec<&str> = match reaction.with.is_empty() {
                    true => of_event.clone(),
                    false => reaction.with.keys().map(String::as_str).collect(),
                };
                check_template(template, templates, &values, &format!("{path}/mail"))?;
            }
            (None, Some(kind)) => {
                if !known_steps.contains(&kind.as_str()) {
                    let message = format!(
                        "`{kind}` is neither a step nor a verb of one of the business's own resources: expected {}",
                        one_of(&known_steps)
                    );
                    return wrong(&format!("{path}/run"), message);
                }
                if reaction.to.is_some() {
                    return wrong(&format!("{path}/to"), "an effect has no recipient: expected no `to`".to_owned());
                }
            }
            _ => return wrong(&path, "expected either `mail` or `run`".to_owned()),
        }
        if let Some(to) = reaction.to.as_deref().filter(|to| !["account", "admin"].contains(to)) {
            let place = to.strip_prefix("{event.").and_then(|to| to.strip_suffix('}'));
            if place.is_none_or(|name| !of_event.contains(&name)) || places_of(to).len() != 1 {
                let places: Vec<String> = of_event.iter().map(|name| format!("{{event.{name}}}")).collect();
                let known = places.iter().map(String::as_str).chain(["account", "admin"]).collect::<Vec<_>>();
                let message = format!("`{to}` is not a recipient: expected {}", one_of(&known));
                return wrong(&format!("{path}/to"), message);
            }
        }
        let words = [("event", Some(of_event)), ("account", Some(vec!["id"]))];
        check_words(&places(&reaction.with), &words, &format!("{path}/with"))?;
        let is_same = |other: &&Reaction| {
            (&other.event, &other.mail, &other.to, &other.run)
                == (&reaction.event, &reaction.mail, &reaction.to, &reaction.run)
        };
        if on[..index].iter().any(|other| is_same(&other)) {
            return wrong(&path, "the reaction is listed twice: expected it once".to_owned());
        }
    }
    Ok(())
}

/// Checks the steps of a type that send mails: their template exists, and each of its placeholders has a value.
pub(crate) fn check_mail_steps(decl: &TypeDecl, templates: &Templates, path: &str) -> Ruled<()> {
    for (index, step) in decl.provisions.iter().enumerate() {
        if step.run.as_deref() != Some(MAIL_SEND) {
            continue;
        }
        let path = format!("{path}/provisions/{index}/with");
        let template = step.with.get("template").and_then(Value::as_str);
        let Some(template) = template else {
            return Err(wrong_field(
                &format!("{path}/template"),
                FieldErrorCode::Missing,
                "expected the name of a template",
            ));
        };
        // A template whose name is known only with the instance is not compared.
        if !places_of(template).is_empty() {
            continue;
        }
        let members = |name: &str| step.with.get(name).and_then(Value::as_object);
        let values = ["values", "secrets"].into_iter().filter_map(members).flat_map(|values| values.keys());
        let values: Vec<&str> = values.map(String::as_str).collect();
        check_template(template, templates, &values, &format!("{path}/template"))?;
    }
    Ok(())
}

/// Checks that steps invite people with roles that `may` lists. Without a list a server has roles of its own.
pub(crate) fn check_invited_roles(decl: &TypeDecl, may: &Roles, path: &str) -> Ruled<()> {
    let mut known: Vec<&str> = may.values().flatten().map(String::as_str).chain([OWNER]).collect();
    known.sort_unstable();
    known.dedup();
    for (index, step) in decl.provisions.iter().enumerate() {
        let role = step.with.get("role").and_then(Value::as_str).filter(|role| places_of(role).is_empty());
        let Some(role) = role.filter(|_| step.run.as_deref() == Some(USER_INVITE)) else { continue };
        if !may.is_empty() && !known.contains(&role) {
            let message = format!("`{role}` is not a role in `may`: expected {}", one_of(&known));
            let place = format!("{path}/provisions/{index}/with/role");
            return Err(wrong_field(&place, FieldErrorCode::NotAllowed, message));
        }
    }
    Ok(())
}

/// Checks that a template exists and that all its placeholders are names of values.
pub(crate) fn check_template(template: &str, templates: &Templates, values: &[&str], path: &str) -> Ruled<()> {
    let message = match templates.get(template) {
        None => {
            let known: Vec<&str> = templates.keys().map(String::as_str).collect();
            format!("`{template}` is not a template, since `templates` has no such file: expected {}", one_of(&known))
        }
        Some(places) => match places.iter().find(|place| !values.contains(&place.as_str())) {
            None => return Ok(()),
            Some(place) => format!("`{place}` in {template} has no value: expected {}", one_of(values)),
        },
    };
    Err(wrong_field(path, FieldErrorCode::NotAllowed, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::halt::Halt;
    use extension_contract::Refusal;

    #[test]
    fn a_placeholder_without_a_value_is_refused_with_its_name() {
        let templates = |places: &[&str]| -> Templates {
            [("welcome".to_owned(), places.iter().map(|place| (*place).to_owned()).collect())].into()
        };
        let check =
            |name: &str, places: &[&str]| match check_template(name, &templates(places), &["email", "user"], "/x") {
                Ok(()) => None,
                Err(Halt::Refused(Refusal::Invalid(errors))) => Some(errors[0].message.clone()),
                Err(_) => panic!("another refusal"),
            };
        assert_eq!(check("welcome", &["email"]), None);
        for place in ["emial", "user.name"] {
            let expected = format!("`{place}` in welcome has no value: expected one of email, user");
            assert_eq!(check("welcome", &["email", place]), Some(expected));
        }
        assert!(check("bye", &[]).expect("no template").starts_with("`bye` is not a template"));
    }
}
