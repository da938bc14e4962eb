//! Tests the permissions of every command and query, for every kind of actor and role: in the actor's own account, in
//! another account, in an organization and in the platform. The expected permissions are a table in this file,
//! independent of `business.yml`.

use end_to_end::world::{START_MS, Setup, World, twobot};
use extension_contract::{Account, Actor, ActorKind, Event, Page, Payload, Problem, Question, Refusal};
use host_engine::processor::{AskError, Questions, Report};

/// Commands, each with the roles of an organization that may send it. No role may send the commands of the platform.
const COMMANDS: [(&str, &[&str]); 33] = [
    ("catalog.load", &[]),
    ("product.create", &["owner", "member"]),
    ("product.update", &["owner", "member"]),
    ("product.list", &["owner"]),
    ("instance.create", &["owner"]),
    ("instance.keep", &["owner"]),
    ("instance.suspend", &[]),
    ("instance.resume", &["owner"]),
    ("instance.retry", &["owner", "member"]),
    ("instance.delete", &["owner"]),
    ("step.complete", &["owner"]),
    ("step.assign", &[]),
    ("step.abandon", &[]),
    ("campaign.create", &[]),
    ("campaign.update", &[]),
    ("campaign.send", &[]),
    ("campaign.cancel", &[]),
    ("mail.subscribe", &["owner"]),
    ("mail.unsubscribe", &["owner"]),
    ("token.issue", &["owner"]),
    ("token.redeem", &["owner"]),
    ("token.revoke", &["owner"]),
    ("purchase.create", &["owner", "billing"]),
    ("subscription.change", &["owner", "billing"]),
    ("subscription.cancel", &["owner", "billing"]),
    ("purchase.refund", &["owner", "billing"]),
    ("account.register", &["owner"]),
    ("account.portal", &["owner", "billing"]),
    ("account.connect", &["owner"]),
    ("usage.admit", &["owner"]),
    ("usage.consume", &["owner", "member"]),
    ("usage.invoice", &[]),
    // Last, because later commands of a closed account are refused.
    ("account.close", &[]),
];
/// Queries, each with the roles that may send it: all roles if the business lists no role.
const QUERIES: [(&str, &[&str]); 4] =
    [("entitlements", &ROLES), ("usage", &ROLES), ("balances", &["owner", "billing"]), ("list", &ROLES)];
const ROLES: [&str; 6] = ["owner", "member", "billing", "viewer", "guest", "stranger"];

fn user(subject: &str, roles: &[&str]) -> Actor {
    let roles = roles.iter().map(|role| (*role).to_owned()).collect();
    Actor { kind: ActorKind::User, subject: subject.to_owned(), roles }
}

/// All actors: users with each role, without a role and with two roles, and the other kinds.
fn actors() -> Vec<Actor> {
    let people = ROLES.iter().map(|role| user("A", &[role]));
    let others = [ActorKind::Admin, ActorKind::Service, ActorKind::System];
    let others = others.map(|kind| Actor { kind, subject: "x".to_owned(), roles: Vec::new() });
    people.chain([user("A", &[]), user("A", &["guest", "billing"])]).chain(others).collect()
}

fn accounts() -> [Account; 4] {
    let [own, other] = ["A", "B"].map(|id| Account::User(id.to_owned()));
    [own, other, Account::Organization("O".to_owned()), Account::Platform]
}

/// True if the table, whose entry is `roles`, allows the actor to send the command or query in the account.
fn is_allowed(actor: &Actor, account: &Account, roles: &[&str]) -> bool {
    match (actor.kind, account) {
        (ActorKind::User, Account::User(id)) => id == "A",
        (ActorKind::User, Account::Organization(_)) => actor.roles.iter().any(|role| roles.contains(&role.as_str())),
        (ActorKind::User, Account::Platform) => false,
        _ => true,
    }
}

fn event_of(kind: &str, actor: &Actor, account: &Account, number: usize) -> Event {
    Event {
        id: format!("cmd_{number}"),
        source: "api".to_owned(),
        kind: kind.to_owned(),
        business: "twobot".to_owned(),
        account: Some(account.clone()),
        livemode: Some(false),
        received_at: START_MS,
        attempt: 1,
        actor: actor.clone(),
        reply_to: None,
        payment: None,
        // The payload need not be valid, because the test checks only the permission.
        payload: Payload::Command(r#"{"id": "nothing", "unknown_member": 1}"#.to_owned()),
    }
}

fn is_forbidden(report: &Report) -> bool {
    report.result.reason().is_some_and(|reason| reason.starts_with("forbidden"))
}

#[test]
fn a_command_is_permitted_by_actor_role_and_account() {
    let mut world = World::start(Setup { business: twobot(), ..Setup::default() });
    let mut cells = 0;
    for (kind, roles) in COMMANDS {
        for actor in actors() {
            for account in accounts() {
                cells += 1;
                let reports = world.accept(event_of(kind, &actor, &account, cells)).expect("the store has no fault");
                let report = reports.first().expect("each command is decided");
                // A permitted command is refused for its payload or its account.
                let is_catalogs = kind == "catalog.load" || kind.starts_with("campaign.");
                let is_operators =
                    ["account.close", "instance.suspend", "step.abandon", "step.assign", "usage.invoice"]
                        .contains(&kind)
                        && actor.kind == ActorKind::User;
                let elsewhere = is_catalogs && account != Account::Platform;
                let expected = !is_allowed(&actor, &account, roles) || elsewhere || is_operators;
                let what = format!("{kind} by {actor:?} in {account:?}: {:?}", report.result.reason());
                assert_eq!(is_forbidden(report), expected, "{what}");
                assert_ne!(report.result.name(), "failed", "{what}");
                // Commands about the account itself need no payload.
                let needs_more = !is_catalogs && !kind.starts_with("account.") && !kind.starts_with("mail.");
                assert!(!needs_more || report.result.name() != "applied", "applied without a valid payload: {what}");
            }
        }
    }
    assert_eq!(cells, COMMANDS.len() * 11 * 4);
}

#[test]
fn a_query_is_permitted_by_actor_role_and_account() {
    let mut world = World::start(Setup { business: twobot(), ..Setup::default() });
    for (name, roles) in QUERIES {
        for actor in actors() {
            for account in accounts() {
                let question = Question { account: account.clone(), actor: actor.clone(), at: START_MS };
                let processor = world.processor_mut();
                let answer = match name {
                    "entitlements" => processor.ask_entitlements(&question).map(drop),
                    "usage" => processor.ask_usage(&question, 0, START_MS).map(drop),
                    "balances" => processor.ask_balances(&question).map(drop),
                    _ => processor.ask_list(&question, "purchases", None, &Page { after: None, limit: 10 }).map(drop),
                };
                // Everybody may query the platform.
                let is_open = account == Account::Platform && actor.kind == ActorKind::User;
                let expected = is_open || is_allowed(&actor, &account, roles);
                let is_refused = matches!(answer, Err(AskError::Problem(Problem::Refused(Refusal::Forbidden(_)))));
                assert_eq!(is_refused, !expected, "{name} by {actor:?} about {account:?}: {answer:?}");
            }
        }
    }
}
