//! Tests that a token is valid only for its owner, its product and one day, and that similar ids and hashes are
//! refused.

use end_to_end::world::{START_MS, Setup, World, command, saas_plugins};
use serde_json::{Value, json};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
pub(super) const EDITOR: &str = "prod_sample_editor";

/// Starts a host on which the user A pays for the editor. The user B pays for no product.
pub(super) fn subscribed() -> World {
    let mut world = World::start(Setup { business: saas_plugins(), ..Setup::default() });
    subscription(&mut world, "evt_1", "sub_1", "created", "active");
    world
}

pub(super) fn subscription(world: &mut World, id: &str, subscription: &str, verb: &str, status: &str) {
    let now = world.clock() / 1000;
    let item = json!({
        "id": "si_1", "object": "subscription_item", "quantity": 1, "price": {"id": "price_editor_m", "object": "price"},
        "current_period_start": START_MS / 1000, "current_period_end": START_MS / 1000 + 31 * 86_400,
    });
    let mut object = json!({
        "id": subscription, "object": "subscription", "customer": "cus_A", "status": status, "metadata": {"user_id": "A"},
        "items": {"object": "list", "has_more": false, "data": [item]},
    });
    if status == "canceled" {
        object["ended_at"] = json!(now);
    }
    let event = json!({
        "id": id, "object": "event", "type": format!("customer.subscription.{verb}"), "created": now, "livemode": false,
        "api_version": "2025-03-31.basil", "data": {"object": object},
    });
    assert_eq!(world.carry_out(&event), "applied");
}

/// Gives a command of a user, or of the service `host`, in an account. Returns its outcome.
pub(super) fn gives(world: &mut World, id: &str, kind: &str, who: &str, account: &str, payload: Value) -> String {
    let by = (if who == "host" { "service" } else { "user" }, who);
    world.carry_out(&command(id, kind, by, account, payload))
}

fn issue(world: &mut World, product: &str) -> String {
    gives(world, "issue", "token.issue", "A", "user:A", json!({"product": product}))
}

/// The tokens of A, with their ids.
pub(super) fn tokens(world: &World) -> Vec<(String, Value)> {
    let document = world.document();
    let accounts = document["accounts"].as_array().expect("accounts");
    let own = accounts.iter().find(|account| account["account"] == "user:A").expect("A has rows");
    let tokens = own["records"]["tokens"].as_array().expect("tokens").iter();
    tokens.map(|token| (token["id"].as_str().expect("an id").to_owned(), token["value"].clone())).collect()
}

/// The id and the stored hash of A's only token.
fn token(world: &World) -> (String, String) {
    let (id, row) = tokens(world).pop().expect("a token");
    (id, row["sha256"].as_str().expect("its hash").to_owned())
}

fn redeem(world: &mut World, id: &str, account: &str, sha256: &str) -> String {
    let (token, _) = token(world);
    gives(world, id, "token.redeem", "host", account, json!({"id": token, "sha256": sha256}))
}

// covers: PLG-41
#[test]
fn a_token_is_valid_for_one_day() {
    for (after_ms, expected) in [
        (0, "applied"),
        (1, "applied"),
        (12 * HOUR_MS, "applied"),
        (DAY_MS - 1000, "applied"),
        (DAY_MS - 1, "applied"),
        (DAY_MS, "requirement-unmet(token_expired)"),
        (DAY_MS + 1, "requirement-unmet(token_expired)"),
        (30 * DAY_MS, "requirement-unmet(token_expired)"),
    ] {
        let mut world = subscribed();
        assert_eq!(issue(&mut world, EDITOR), "applied");
        let (_, hash) = token(&world);
        world.advance_to(START_MS + after_ms).expect("the store has no fault");
        assert_eq!(redeem(&mut world, "r", "user:A", &hash), expected, "after {after_ms} ms");
    }
}

// covers: PLG-44
#[test]
fn only_an_entitled_owner_gets_a_token_for_a_product() {
    for (product, who, account, expected) in [
        (EDITOR, "A", "user:A", "applied"),
        ("prod_sample_monitor", "A", "user:A", "requirement-unmet(product_not_included)"),
        (EDITOR, "B", "user:B", "requirement-unmet(subscription_required)"),
        (EDITOR, "B", "user:A", "forbidden"),
        (EDITOR, "A", "organization:O", "forbidden"),
        (EDITOR, "A", "platform", "forbidden"),
        ("prod_none", "A", "user:A", "invalid(/product"),
        ("", "A", "user:A", "invalid(/product"),
        ("../prod_sample_editor", "A", "user:A", "invalid(/product"),
        ("prod_sample_editor/../prod_sample_monitor", "A", "user:A", "invalid(/product"),
        ("prod_sample_editor%2f..", "A", "user:A", "invalid(/product"),
        ("type:software", "A", "user:A", "invalid(/product"),
        ("business", "A", "user:A", "invalid(/product"),
    ] {
        let mut world = subscribed();
        let result = gives(&mut world, "issue", "token.issue", who, account, json!({"product": product}));
        assert!(result.starts_with(expected), "{product} by {who} in {account}: {result}");
    }
}

#[test]
fn a_wrong_hash_does_not_redeem_a_token() {
    let mut world = subscribed();
    assert_eq!(issue(&mut world, EDITOR), "applied");
    let (id, hash) = token(&world);
    let flipped = format!("{}{}", if hash.starts_with('0') { '1' } else { '0' }, &hash[1..]);
    for (case, (token, given, expected)) in [
        (id.as_str(), hash.as_str(), "applied"),
        (&id, &hash.to_uppercase(), "applied"),
        (&id, &flipped, "forbidden(token)"),
        (&id, &"0".repeat(64), "forbidden(token)"),
        (&id, &hash[..63], "invalid(/sha256"),
        (&id, &format!("{hash}0"), "invalid(/sha256"),
        (&id, &format!("{}g", &hash[..63]), "invalid(/sha256"),
        (&id, "", "invalid(/sha256"),
        (&id, &id, "invalid(/sha256"),
        ("tok_0000000000000000", &hash, "not-found(tok_0000000000000000)"),
        ("../tokens", &hash, "not-found(../tokens)"),
        ("", &hash, "invalid(/id"),
        (&format!("{id}/"), &hash, "not-found("),
    ]
    .into_iter()
    .enumerate()
    {
        let payload = json!({"id": token, "sha256": given});
        let result = gives(&mut world, &format!("r{case}"), "token.redeem", "host", "user:A", payload);
        assert!(result.starts_with(expected), "{token} with {given}: {result}");
    }
    assert!(redeem(&mut world, "other", "user:B", &hash).starts_with("not-found("), "the token belongs to A");
}

#[test]
fn repeated_commands_apply_once_and_a_revoked_token_stays_revoked() {
    let mut world = subscribed();
    assert_eq!(issue(&mut world, EDITOR), "applied");
    assert_eq!(issue(&mut world, EDITOR), "duplicate", "the same command");
    let (id, hash) = token(&world);
    assert_eq!(redeem(&mut world, "first", "user:A", &hash), "applied");
    assert_eq!(redeem(&mut world, "first", "user:A", &hash), "duplicate", "the same command");
    assert_eq!(redeem(&mut world, "second", "user:A", &hash), "applied", "another one");
    assert_eq!(tokens(&world)[0].1["redeemed"], 2);
    subscription(&mut world, "evt_2", "sub_1", "deleted", "canceled");
    assert_eq!(redeem(&mut world, "third", "user:A", &hash), "requirement-unmet(token_revoked)");
    let revoke = |world: &mut World, command_id: &str| {
        gives(world, command_id, "token.revoke", "A", "user:A", json!({"id": id}))
    };
    assert_eq!(revoke(&mut world, "late"), "bad-transition(token revoked)");
    let (_, row) = &tokens(&world)[0];
    assert_eq!((&row["status"], &row["redeemed"]), (&json!("revoked"), &json!(2)));
    assert!(!world.document().to_string().contains("secret:"), "the state contains no token and no reference to it");
}
