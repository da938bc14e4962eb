//! The clauses `events` and `on`: facts of the business's own, and what follows from a fact, once each.

use super::checks::{check_fields_hold, check_words, escaped, is_word, one_of};
use super::declared::{OwnResources, steps};
use super::desk::Desk;
use super::schema::Field;
use super::template::{Scope, places, places_of};
use crate::model::effect::request;
use crate::model::halt::{Ruled, internal, wrong_field};
use crate::model::json::Object;
use crate::model::keys::EffectKey;
use crate::model::notice::{self, To};
use extension_contract::FieldErrorCode;
use extension_small_deserialize::SmallDeserialize;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A fact that services tell of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDecl {
    /// What is told with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

/// What follows from a fact: a mail, or an effect. Of each there is one for a fact and its reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, SmallDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Reaction {
    /// The fact.
    pub event: String,
    /// Template of a mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// Who the mail goes to: `account`, as where it isn't said, `admin`, or an address that the fact tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Kind of an effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// What the mail or the effect is told: all that the fact tells where it isn't said.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub with: Object,
}

/// The facts of a business's own, by their names.
pub(crate) type Events = BTreeMap<String, EventDecl>;

/// Names of templates, each with its places.
pub(crate) type Templates = BTreeMap<String, Vec<String>>;

/// Facts that there are without being declared, with what they tell.
const KNOWN: [(&str, &[&str]); 8] = [
    ("campaign.sent", &["campaign"]),
    ("invoice.paid", &["invoice"]),
    ("invoice.payment_failed", &["invoice"]),
    ("payment.succeeded", &["purchase"]),
    ("subscription.canceled", &["subscription"]),
    ("subscription.created", &["subscription"]),
    ("subscription.updated", &["subscription"]),
    ("token.issued", &["token", "product"]),
];

/// Tell a fact that is known without being declared: its id is what everything that follows is kept under.
pub(crate) fn publish(desk: &mut Desk<'_>, event: &str, reference: &str, told: &[(&str, &str)]) -> Ruled<()> {
    if desk.catalog.settings()?.on.iter().all(|reaction| reaction.event != event) {
        return Ok(());
    }
    let mut fields = Object::new();
    for (name, value) in told {
        fields.insert((*name).to_owned(), json!(value));
    }
    react(desk, event, reference, &fields)
}

/// Carry out what follows from a fact, unless that was done.
pub(crate) fn react(desk: &mut Desk<'_>, event: &str, reference: &str, fields: &Object) -> Ruled<()> {
    let settings = desk.catalog.settings()?;
    let account = desk.account.owned()?.to_string();
    for reaction in settings.on.iter().filter(|reaction| reaction.event == event) {
        let mut of_account = Object::new();
        of_account.insert("id".to_owned(), json!(account));
        let scope = Scope::default().fields("event", fields).object("account", &of_account);
        let fill = |template: &Value| scope.fill(template).map_err(|place| internal(format!("{event}: {{{place}}}")));
        let with = match reaction.with.is_empty() {
            true => fields.clone(),
            false => scope.fill_object(&reaction.with).map_err(|place| internal(format!("{event}: {{{place}}}")))?,
        };
        if let Some(template) = &reaction.mail {
            // A subscription is created and cancelled under one id.
            let reference = format!("{event}:{reference}");
            match reaction.to.as_deref() {
                None | Some("account") => {
                    notice::send_once(&mut desk.account, template, To::Account, &reference, &json!(with))?;
                }
                Some("admin") => notice::send_once(&mut desk.account, template, To::Admin, &reference, &json!(with))?,
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
                desk.account.ask(request(kind, &key, &with, None)?);
            }
        }
    }
    Ok(())
}

/// The clauses hold together: facts have names of their own, and what follows from one exists.
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
                "it has another form: expected SUBJECT.PAST_PARTICIPLE, as in user.registered".to_owned(),
            );
        }
        if KNOWN.iter().any(|(known, _)| known == name) || commands.contains(&name.as_str()) {
            return wrong(&path, format!("`{name}` means something already: expected another name"));
        }
        check_fields_hold(&decl.fields, &path)?;
    }
    let names: Vec<&str> = KNOWN.iter().map(|(name, _)| *name).chain(events.keys().map(String::as_str)).collect();
    let known_steps = steps(own);
    let known_steps: Vec<&str> = known_steps.iter().map(String::as_str).filter(|step| *step != notice::KIND).collect();
    for (index, reaction) in on.iter().enumerate() {
        let path = format!("/on/{index}");
        if !names.contains(&reaction.event.as_str()) {
            let message = format!("`{}` is no fact: expected {}", reaction.event, one_of(&names));
            return wrong(&format!("{path}/event"), message);
        }
        let of_event: Vec<&str> = match KNOWN.iter().find(|(known, _)| *known == reaction.event) {
            Some((_, told)) => told.to_vec(),
            None => events
                .get(&reaction.event)
                .map(|decl| decl.fields.iter().map(|field| field.name.as_str()).collect())
                .unwrap_or_default(),
        };
        match (&reaction.mail, &reaction.run) {
            (Some(template), None) => {
                let told: Vec<&str> = match reaction.with.is_empty() {
                    true => of_event.clone(),
                    false => reaction.with.keys().map(String::as_str).collect(),
                };
                check_template(template, templates, &told, &format!("{path}/mail"))?;
            }
            (None, Some(kind)) => {
                if !known_steps.contains(&kind.as_str()) {
                    let message = format!(
                        "`{kind}` is no step, nor a verb of a resource in the business's own file: expected {}",
                        one_of(&known_steps)
                    );
                    return wrong(&format!("{path}/run"), message);
                }
                if reaction.to.is_some() {
                    return wrong(&format!("{path}/to"), "an effect goes to nobody: expected no `to`".to_owned());
                }
            }
            _ => return wrong(&path, "expected either `mail` or `run`".to_owned()),
        }
        if let Some(to) = reaction.to.as_deref().filter(|to| !["account", "admin"].contains(to)) {
            let place = to.strip_prefix("{event.").and_then(|to| to.strip_suffix('}'));
            if place.is_none_or(|name| !of_event.contains(&name)) || places_of(to).len() != 1 {
                let places: Vec<String> = of_event.iter().map(|name| format!("{{event.{name}}}")).collect();
                let known = places.iter().map(String::as_str).chain(["account", "admin"]).collect::<Vec<_>>();
                let message = format!("`{to}` is nobody: expected {}", one_of(&known));
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
            return wrong(&path, "it stands before already: expected it once".to_owned());
        }
    }
    Ok(())
}

/// A template that there is, with no place that the mail is not told.
pub(crate) fn check_template(template: &str, templates: &Templates, told: &[&str], path: &str) -> Ruled<()> {
    let message = match templates.get(template) {
        None => {
            let known: Vec<&str> = templates.keys().map(String::as_str).collect();
            format!("`{template}` is no template, since `templates` has no such file: expected {}", one_of(&known))
        }
        Some(places) => match places.iter().find(|place| !told.contains(&place.as_str())) {
            None => return Ok(()),
            Some(place) => format!("`{{{place}}}` in {template} is not told: expected {}", one_of(told)),
        },
    };
    Err(wrong_field(path, FieldErrorCode::NotAllowed, message))
}
