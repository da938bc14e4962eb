//! Tests that of two creators who request the same name before either request is answered, only one gets it.

use super::support::rows;
use end_to_end::world::{Setup, World, tesslate};
use serde_json::{Value, json};

fn list(world: &mut World, who: &str) {
    let command = json!({
        "id": format!("cmd_{who}"), "command": "product.list", "account": format!("user:{who}"),
        "actor": {"kind": "user", "id": who},
        "payload": {"product_type": "agent", "name": "Bard", "price": 0, "metadata": {"slug": "bard", "pricing": "free"}},
    });
    let reports = world.deliver(command.to_string().as_bytes()).expect("the store has no fault");
    assert_eq!(reports[0].result.name(), "applied", "{:?}", reports[0].result.reason());
}

fn listing(world: &World, who: &str) -> Value {
    rows(&world.document(), &format!("user:{who}"), "listings").remove("prod_bard").expect("a listing")
}

// covers: TES-57
#[test]
fn the_first_request_for_a_name_wins_and_the_other_is_refused() {
    let mut world = World::start(Setup { business: tesslate(), ..Setup::default() });
    for who in ["zoe", "eve"] {
        list(&mut world, who);
        assert_eq!(listing(&world, who)["status"], "asked");
    }
    world.settle().expect("the store has no fault");
    assert_eq!(listing(&world, "zoe")["status"], "unlisted", "it waits for an administrator");
    let refused = listing(&world, "eve");
    assert_eq!((&refused["status"], &refused["reason"]), (&json!("refused"), &json!("name-taken")));
    let document = world.document();
    let accounts = document["accounts"].as_array().expect("accounts").iter();
    let products = accounts.filter_map(|rows| rows["products"].as_array()).flatten();
    let bard: Vec<&Value> = products.filter(|product| product["id"] == "prod_bard").collect();
    assert_eq!(bard.len(), 1);
    assert_eq!(bard[0]["metadata"]["creator"], "user:zoe", "{}", bard[0]);
}
