//! Tasks that wait for operators are listed with their steps and due times, until they are done.

use end_to_end::world::{START_MS, Setup, World, command, orchestra};
use extension_contract::{Account, Actor, ActorKind, Page, Question};
use host_engine::processor::Questions;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;
const ORCHESTRA: &str = "orch_philharmonic";

fn subscribe(world: &mut World) {
    let start = START_MS / 1000;
    let item = json!({
        "id": "si_1", "object": "subscription_item", "quantity": 1, "price": {"id": "price_orchestra_pro", "object": "price"},
        "current_period_start": start, "current_period_end": start + 31 * 86_400,
    });
    let subscription = json!({
        "id": "sub_1", "object": "subscription", "customer": "cus_A", "status": "active", "metadata": {"user_id": "A"},
        "items": {"object": "list", "has_more": false, "data": [item]},
    });
    let event = json!({
        "id": "evt_1", "object": "event", "type": "customer.subscription.created", "created": start, "livemode": false,
        "api_version": "2025-03-31.basil", "data": {"object": subscription},
    });
    assert_eq!(world.carry_out(&event), "applied");
}

fn gives(world: &mut World, id: &str, kind: &str, by: (&str, &str), payload: Value) {
    assert_eq!(world.carry_out(&command(id, kind, by, "user:A", payload)), "applied");
}

/// The open tasks of the account with the status `filter`, or with any status.
fn tasks(world: &mut World, filter: Option<&str>) -> Vec<Value> {
    let actor = Actor { kind: ActorKind::Admin, subject: "dora".to_owned(), roles: Vec::new() };
    let question = Question { account: Account::User("A".to_owned()), actor, at: START_MS };
    let page = Page { after: None, limit: 10 };
    let listed = world.processor_mut().ask_list(&question, "tasks", filter, &page).expect("tasks");
    listed.iter().map(|entry| serde_json::from_str(&entry.value).expect("JSON")).collect()
}

// covers: ORC-34
#[test]
fn operators_see_waiting_tasks_until_they_are_done() {
    let mut world = World::start(Setup { business: orchestra(), ..Setup::default() });
    subscribe(&mut world);
    let product = json!({"name": "City", "metadata": {"subdomain": "philharmonic", "contact_email": "a@b.example"}});
    gives(&mut world, "cmd_1", "instance.create", ("user", "A"), product);
    let open = tasks(&mut world, None);
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((&open[0]["id"], &open[0]["status"]), (&json!(ORCHESTRA), &json!("waiting")));
    let step = &open[0]["steps"][0];
    assert_eq!(
        (&step["step"], &step["code"], step["due"].as_i64()),
        (&json!("database"), &json!("not-configured"), Some(START_MS + DAY_MS))
    );

    gives(
        &mut world,
        "cmd_2",
        "step.assign",
        ("admin", "dora"),
        json!({"id": ORCHESTRA, "step": "database", "to": "eve"}),
    );
    assert_eq!(tasks(&mut world, Some("waiting"))[0]["steps"][0]["assigned_to"], "eve");
    world.advance_to(START_MS + DAY_MS).expect("the store has no fault");
    assert_eq!((tasks(&mut world, Some("waiting")).len(), tasks(&mut world, Some("overdue")).len()), (0, 1));

    let outputs = json!({"endpoint": "db.philharmonic.example", "secret_ref": "secret:philharmonic"});
    let completion = json!({"id": ORCHESTRA, "step": "database", "outputs": outputs});
    gives(&mut world, "cmd_3", "step.complete", ("admin", "dora"), completion);
    assert_eq!(tasks(&mut world, None), [json!(null); 0]);
}
