//! Derives the caller from the claims of a token.

use crate::access::{Caller, Reach};
use crate::issuers::settings::IssuerSettings;
use extension_contract::{Account, Actor, ActorKind};
use host_store::Partition;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Maximum length of a user's id in bytes. OpenID Connect Core 1.0 allows 255; an account's id allows less.
const SUBJECT_BYTES_MAX: usize = 240;

/// Returns the caller of a valid token; none if its subject cannot be the id of an account.
pub(crate) fn caller(settings: &IssuerSettings, claims: &Map<String, Value>, partition: &Partition) -> Option<Caller> {
    let subject = claims.get("sub").and_then(Value::as_str)?;
    let is_id = (1..=SUBJECT_BYTES_MAX).contains(&subject.len()) && subject.bytes().all(|c| c.is_ascii_graphic());
    if !is_id {
        return None;
    }
    let has = |values: &dyn Fn(&crate::issuers::RoleSettings) -> &[String]| {
        settings.roles.as_ref().is_some_and(|roles| {
            let given = texts(claims, &roles.claim);
            values(roles).iter().any(|value| given.contains(&value.as_str()))
        })
    };
    let (kind, reach) = if has(&|roles| &roles.operators) {
        (ActorKind::Admin, Reach::All)
    } else if has(&|roles| &roles.services) {
        (ActorKind::Service, Reach::All)
    } else {
        (ActorKind::User, Reach::Accounts(vec![Account::User(subject.to_owned())]))
    };
    Some(Caller {
        // Requests of a user are counted together, whichever token they use.
        key: format!("user:{subject}"),
        partition: partition.clone(),
        actor: Actor { kind, subject: subject.to_owned(), roles: Vec::new() },
        reach,
        in_accounts: BTreeMap::new(),
    })
}

/// Returns the strings of a claim.
fn texts<'c>(claims: &'c Map<String, Value>, path: &str) -> Vec<&'c str> {
    let mut names = path.split('.');
    let first = names.next().and_then(|name| claims.get(name));
    match names.try_fold(first, |value, name| value.map(|value| value.get(name))).flatten() {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuers::RoleSettings;
    use serde_json::json;

    fn of(claims: Value, roles: Option<RoleSettings>) -> Option<(ActorKind, Reach)> {
        let settings = IssuerSettings {
            issuer: "https://id.example".to_owned(),
            keys: None,
            audience: Some("api".to_owned()),
            roles,
            login: None,
        };
        let partition = Partition { business: "shop".to_owned(), livemode: false };
        let claims = claims.as_object().cloned().expect("claims");
        caller(&settings, &claims, &partition).map(|caller| (caller.actor.kind, caller.reach))
    }

    #[test]
    fn a_subject_is_a_user_in_the_own_account_unless_a_claim_says_more() {
        let own = |id: &str| Some((ActorKind::User, Reach::Accounts(vec![Account::User(id.to_owned())])));
        let roles = |claim: &str| {
            let values = |text: &str| vec![text.to_owned()];
            Some(RoleSettings { claim: claim.to_owned(), operators: values("admin"), services: values("service_role") })
        };
        assert_eq!(of(json!({"sub": "u1", "role": "admin"}), None), own("u1"), "no claim is believed by itself");
        assert_eq!(of(json!({"sub": "u1", "role": "authenticated"}), roles("role")), own("u1"));
        assert_eq!(of(json!({"sub": "u1", "role": "admin"}), roles("role")), Some((ActorKind::Admin, Reach::All)));
        let service = json!({"sub": "s", "app": {"roles": ["x", "service_role"]}});
        assert_eq!(of(service, roles("app.roles")), Some((ActorKind::Service, Reach::All)));
        assert_eq!(of(json!({"sub": "u1", "role": {"admin": "admin"}}), roles("role")), own("u1"));
        for bad in
            [json!({}), json!({"sub": 7}), json!({"sub": ""}), json!({"sub": "a/b c"}), json!({"sub": "x".repeat(400)})]
        {
            assert_eq!(of(bad.clone(), roles("role")), None, "{bad}");
        }
    }
}
