//! Checks of the clauses `events` and `reactions`, and of the templates of mails.

use super::built_in_facts::BUILT_IN_FACTS;
use super::checks::{check_field_declarations, check_words};
use super::declared::{OwnResources, steps};
use super::mistakes::Mistakes;
use super::reaction::{Events, Reaction, Templates};
use super::schema::TypeDecl;
use super::settings::Roles;
use super::template::{places_at, places_of};
use super::words::{is_word, one_of};
use crate::model::effect_kinds::MAIL_SEND;
use extension_contract::FieldErrorCode;
use extension_contract::pointer::escaped;
use serde_json::Value;

/// Kind of the step that invites a person.
const USER_INVITE: &str = "user.invite";
/// The role of who makes an organization.
const OWNER: &str = "owner";

/// The scope of the names of facts.
const EVENTS: &str = "events";

/// The names to which events and reactions refer.
pub(crate) struct Known<'c> {
    /// The templates of mails.
    pub templates: &'c Templates,
    /// The business's own resources.
    pub own: &'c OwnResources,
    /// The kinds of all commands.
    pub commands: &'c [&'static str],
}

/// Checks the clauses `events` and `reactions`: names are not in use yet, and reactions refer to declared names.
pub(crate) fn check_reactions(events: &Events, on: &[Reaction], known: &Known<'_>, mistakes: &mut Mistakes) {
    for (name, decl) in events {
        let path = format!("/events/{}", escaped(name));
        let words = name.split_once('.').filter(|(subject, verb)| is_word(subject) && is_word(verb));
        if words.is_none() {
            let expected = "SUBJECT.PAST_PARTICIPLE, as in user.registered";
            mistakes.wrong(&path, "the name has the wrong form", expected);
            mistakes.doubt(EVENTS);
        } else if BUILT_IN_FACTS.iter().any(|fact| fact.name == name) || known.commands.contains(&name.as_str()) {
            mistakes.wrong(&path, format!("`{name}` is already in use"), "another name");
        }
        check_field_declarations(&decl.fields, &path, mistakes);
    }
    for (index, reaction) in on.iter().enumerate() {
        let path = format!("/reactions/{index}");
        check_reaction(reaction, events, known, &path, mistakes);
        let is_same = |other: &&Reaction| {
            (&other.event, &other.mail, &other.to, &other.run)
                == (&reaction.event, &reaction.mail, &reaction.to, &reaction.run)
        };
        if on[..index].iter().any(|other| is_same(&other)) {
            mistakes.wrong(&path, "the reaction is listed twice", "it once");
        }
    }
}

/// Checks one reaction.
fn check_reaction(reaction: &Reaction, events: &Events, known: &Known<'_>, path: &str, mistakes: &mut Mistakes) {
    let built_in = BUILT_IN_FACTS.iter().find(|fact| fact.name == reaction.event);
    // Of an unknown event, or one whose fields could not all be read, no field is known.
    let is_left_out = mistakes.is_left_out(&format!("/events/{}", escaped(&reaction.event)));
    let of_event: Option<Vec<&str>> = match (built_in, events.get(&reaction.event)) {
        (Some(fact), _) => Some(fact.fields.to_vec()),
        (None, Some(_)) if is_left_out => None,
        (None, Some(decl)) => Some(decl.fields.iter().map(|field| field.name.as_str()).collect()),
        (None, None) => {
            let names = BUILT_IN_FACTS.iter().map(|fact| fact.name).chain(events.keys().map(String::as_str));
            let names: Vec<&str> = names.collect();
            if !mistakes.may_be(&reaction.event) {
                let place = format!("{path}/event");
                mistakes.unknown_in(EVENTS, &place, &reaction.event, "is not a fact", one_of(&names));
            }
            None
        }
    };
    match (&reaction.mail, &reaction.run) {
        (Some(template), None) => {
            let given: Vec<&str> = reaction.with.keys().map(String::as_str).collect();
            let values = if given.is_empty() { of_event.clone() } else { Some(given) };
            check_template(template, known.templates, values.as_deref(), &format!("{path}/mail"), mistakes);
        }
        (None, Some(kind)) => {
            let mut allowed = steps(known.own);
            allowed.retain(|step| *step != MAIL_SEND);
            if !allowed.contains(kind) {
                let what = "is neither a step nor a verb of one of the business's own resources";
                mistakes.unknown(&format!("{path}/run"), kind, what, one_of(&allowed));
            }
            if reaction.to.is_some() {
                mistakes.wrong(&format!("{path}/to"), "an effect has no recipient", "no `to`");
            }
        }
        _ => mistakes.wrong(path, "", "either `mail` or `run`"),
    }
    let to = reaction.to.as_deref().filter(|to| !["account", "admin"].contains(to) && reaction.run.is_none());
    if let (Some(to), Some(of_event)) = (to, &of_event) {
        let place = to.strip_prefix("{event.").and_then(|to| to.strip_suffix('}'));
        if place.is_none_or(|name| !of_event.contains(&name)) || places_of(to).len() != 1 {
            let places = of_event.iter().map(|name| format!("{{event.{name}}}"));
            let allowed = places.chain(["account", "admin"].map(str::to_owned));
            let allowed: Vec<String> = allowed.collect();
            mistakes.unknown_in(path, &format!("{path}/to"), to, "is not a recipient", one_of(&allowed));
        }
    }
    let words = [("event", of_event), ("account", Some(vec!["id"]))];
    check_words(&places_at(&reaction.with, &format!("{path}/with")), &words, mistakes);
}

/// Checks the steps of a type that send mails: their template exists, and each of its placeholders has a value.
pub(crate) fn check_mail_steps(decl: &TypeDecl, templates: &Templates, path: &str, mistakes: &mut Mistakes) {
    for (index, step) in decl.provisions.iter().enumerate() {
        if step.run.as_deref() != Some(MAIL_SEND) {
            continue;
        }
        let path = format!("{path}/provisions/{index}/with/template");
        let Some(template) = step.with.get("template").and_then(Value::as_str) else {
            mistakes.add(&path, FieldErrorCode::Missing, "", "the name of a template");
            continue;
        };
        // A template whose name is known only with the instance is not compared.
        if !places_of(template).is_empty() {
            continue;
        }
        let members = |name: &str| step.with.get(name).and_then(Value::as_object);
        let values = ["values", "secrets"].into_iter().filter_map(members).flat_map(|values| values.keys());
        let values: Vec<&str> = values.map(String::as_str).collect();
        check_template(template, templates, Some(&values), &path, mistakes);
    }
}

/// Checks that steps invite people with roles that `may` lists. Without a list a server has roles of its own.
pub(crate) fn check_invited_roles(decl: &TypeDecl, may: &Roles, path: &str, mistakes: &mut Mistakes) {
    let mut known: Vec<&str> = may.values().flatten().map(String::as_str).chain([OWNER]).collect();
    known.sort_unstable();
    known.dedup();
    for (index, step) in decl.provisions.iter().enumerate() {
        let role = step.with.get("role").and_then(Value::as_str).filter(|role| places_of(role).is_empty());
        let Some(role) = role.filter(|_| step.run.as_deref() == Some(USER_INVITE)) else { continue };
        if !may.is_empty() && !known.contains(&role) {
            let place = format!("{path}/provisions/{index}/with/role");
            mistakes.unknown(&place, role, "is not a role in `may`", one_of(&known));
        }
    }
}

/// Checks that a template exists and that all its placeholders are names of values, if these are known.
pub(crate) fn check_template(
    template: &str,
    templates: &Templates,
    values: Option<&[&str]>,
    path: &str,
    mistakes: &mut Mistakes,
) {
    let Some(places) = templates.get(template) else {
        let known: Vec<&String> = templates.keys().collect();
        let what = "is not a template, since `templates` has no such file";
        return mistakes.unknown(path, template, what, one_of(&known));
    };
    let Some(values) = values else { return };
    for place in places.iter().filter(|place| !values.contains(&place.as_str())) {
        let what = format!("in {template} has no value");
        mistakes.unknown_in(path, path, place, &what, one_of(values));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::reaction::EventDecl;
    use crate::model::halt::Halt;
    use extension_contract::Refusal;

    fn first_mistake(mistakes: Mistakes) -> Option<String> {
        match mistakes.finish() {
            Ok(()) => None,
            Err(Halt::Refused(Refusal::Invalid(errors))) => Some(errors[0].message()),
            Err(_) => panic!("another refusal"),
        }
    }

    // covers: PLG-09
    #[test]
    fn a_fact_is_named_by_a_subject_and_a_participle() {
        let (templates, own) = (Templates::new(), OwnResources::new());
        let known = Known { templates: &templates, own: &own, commands: &["token.issue"] };
        let mistake = |name: &str| {
            let events: Events = [(name.to_owned(), EventDecl { fields: Vec::new() })].into();
            let mut mistakes = Mistakes::default();
            check_reactions(&events, &[], &known, &mut mistakes);
            first_mistake(mistakes)
        };
        assert_eq!(mistake("user.registered"), None);
        for name in ["registered", "user registered", "User.registered", "user.", ".registered", "user.was.registered"]
        {
            let message = mistake(name).expect("a mistake");
            assert!(message.ends_with("expected SUBJECT.PAST_PARTICIPLE, as in user.registered"), "{name}: {message}");
        }
        for name in BUILT_IN_FACTS.iter().map(|fact| fact.name).chain(["token.issue"]) {
            assert!(mistake(name).is_some_and(|message| message.contains("is already in use")), "{name}");
        }
    }

    #[test]
    fn a_placeholder_without_a_value_is_refused_with_its_name() {
        let templates = |places: &[&str]| -> Templates {
            [("welcome".to_owned(), places.iter().map(|place| (*place).to_owned()).collect())].into()
        };
        let check = |name: &str, places: &[&str]| {
            let mut mistakes = Mistakes::default();
            check_template(name, &templates(places), Some(&["email", "user"]), "/x", &mut mistakes);
            first_mistake(mistakes)
        };
        assert_eq!(check("welcome", &["email"]), None);
        for place in ["emial", "user.name"] {
            let expected = format!("`{place}` in welcome has no value: expected one of email, user");
            assert_eq!(check("welcome", &["email", place]), Some(expected));
        }
        assert!(check("bye", &[]).expect("no template").starts_with("`bye` is not a template"));
    }
}
