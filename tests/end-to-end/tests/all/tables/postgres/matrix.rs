//! Who reads which rows: of each view, and of the tables below.

use super::server::Caller::{Admin, Anonymous, Service, User};
use super::server::{Server, named};
use crate::tables::story::{BUSINESSES, tables};
use host_business::tables::{Kind, View, postgres::STORE_TABLES};
use serde_json::Value;
use std::collections::BTreeMap;

/// A user with rows, and one with other rows, of each business. The organization `of-ID` is that of a user.
const USERS: [(&str, &str, &str); 5] = [
    ("orchestra", "o1", "o2"),
    ("saas-plugins", "u1", "u2"),
    ("solobase", "u1", "u9"),
    ("tesslate", "A", "B"),
    ("twobot", "A", "B"),
];

/// Returns the account of a row, from the columns in which views have it.
fn owner(row: &Value) -> Option<String> {
    let names = ["account", "owner_id", "user_id", "buyer_id", "userId", "organizationId"];
    let found = names.iter().find_map(|name| row[*name].as_str());
    // A profile is named by its account.
    let found = found.or_else(|| row.get("stripe_customer_id").and_then(|_| row["id"].as_str()));
    found.map(|text| text.strip_prefix("user:").unwrap_or(text).to_owned())
}

fn is_catalog(view: &View) -> bool {
    matches!(view.kind, Kind::CatalogProduct | Kind::CatalogPrice)
}

// covers: PLG-57, PLG-71, D-43
#[test]
fn each_role_reads_its_rows_of_each_view() {
    let server = Server::with(&BUSINESSES);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (business, first, second) in USERS {
        let views = &tables(business).views;
        let queries: Vec<String> =
            views.iter().map(|view| format!("SELECT * FROM {}", named(business, &view.name))).collect();
        let all: Vec<Vec<Value>> = server
            .ask_all(Service, &queries)
            .into_iter()
            .map(|rows| rows.expect("a service reads everything"))
            .collect();
        let of_admin = server.ask_all(Admin, &queries);
        assert_eq!(of_admin, all.iter().cloned().map(Ok).collect::<Vec<_>>(), "{business}: an administrator");
        for caller in [first, second, "nobody"] {
            for ((view, all), found) in views.iter().zip(&all).zip(server.ask_all(User(caller), &queries)) {
                let place = format!("{business} {} as {caller}", view.name);
                match &view.kind {
                    Kind::Event => assert!(found.is_err_and(|told| told.contains("permission denied")), "{place}"),
                    _ if is_catalog(view) => assert_eq!(found.as_ref(), Ok(all), "{place}"),
                    _ => {
                        let is_own = |row: &&Value| owner(row).as_deref() == Some(caller);
                        let own: Vec<Value> = all.iter().filter(is_own).cloned().collect();
                        *counts.entry(caller).or_default() += own.len();
                        assert_eq!(found, Ok(own), "{place}");
                    }
                }
            }
        }
        for ((view, all), found) in views.iter().zip(&all).zip(server.ask_all(Anonymous, &queries)) {
            let place = format!("{business} {}: anybody", view.name);
            match is_catalog(view) {
                true => assert_eq!(found.as_ref(), Ok(all), "{place}"),
                false => assert!(found.is_err_and(|told| told.contains("permission denied")), "{place}"),
            }
        }
    }
    assert!(counts["o1"] > 1 && counts["u2"] > 3 && counts["A"] > 10 && counts["B"] > 2, "{counts:?}");
}

// covers: PLG-57
#[test]
fn an_organizations_rows_are_those_of_its_members_and_only_theirs() {
    let server = Server::with(&["twobot"]);
    server.sql("UPDATE scopes SET account = 'organization:of-A' WHERE account = 'organization:org_1'");
    let query = format!("SELECT \"organizationId\", \"boosterId\" FROM {}", named("twobot", "OrgPoolBooster"));
    let found = server.ask(User("A"), &query).expect("a view");
    assert_eq!(found, [serde_json::json!({"organizationId": "of-A", "boosterId": "ORG_MICRO"})]);
    assert_eq!(server.ask(User("B"), &query), Ok(Vec::new()));
}

// covers: PLG-57
#[test]
fn what_is_no_longer_sold_is_not_shown() {
    let server = Server::with(&["saas-plugins"]);
    let query = format!("SELECT id FROM {} ORDER BY id", named("saas-plugins", "products"));
    assert_eq!(server.ask(Anonymous, &query).expect("products").len(), 3);
    server.sql(
        "UPDATE rows SET body = jsonb_set(body::jsonb, '{values,active}', 'false')::json WHERE key = 'product:prod_sample_tool'",
    );
    assert_eq!(server.ask(Anonymous, &query).expect("products").len(), 2);
    assert_eq!(server.ask(User("u1"), &query).expect("products").len(), 2);
    assert_eq!(server.ask(Admin, &query).expect("products").len(), 3);
}

/// The tables of which a caller reads some columns, and the columns.
const READ: [(&str, &str); 4] = [
    ("claims", "key, holder"),
    ("events", "id, kind, account, error, outcome"),
    ("rows", "scope, key, body"),
    ("scopes", "id, account"),
];

// covers: PLG-57, PLG-71
#[test]
fn the_tables_below_show_no_more_than_the_views() {
    let server = Server::with(&BUSINESSES);
    for caller in [Anonymous, User("A"), User("u1"), Admin] {
        let whole = STORE_TABLES.map(|table| format!("SELECT * FROM provisioner.{table}"));
        let hidden =
            ["events.payload", "events.raw", "events.envelope", "effects.payload", "effects.context", "effects.token"];
        let hidden = hidden.map(|hidden| {
            let (table, column) = hidden.split_once('.').expect("a column");
            format!("SELECT {column} FROM provisioner.{table}")
        });
        let queries = [whole.as_slice(), &hidden].concat();
        for (query, answer) in queries.iter().zip(server.ask_all(caller, &queries)) {
            let is_denied = answer.as_ref().is_err_and(|told| told.contains("permission denied"));
            assert!(is_denied, "{caller:?} {query}: {answer:?}");
        }
        for change in [
            "DELETE FROM provisioner.rows",
            "UPDATE provisioner.rows SET body = '{}'",
            "INSERT INTO provisioner.scopes (partition, account, revision) VALUES (1, 'user:x', 0)",
        ] {
            let told = server.change(caller, change);
            assert!(
                told.as_ref().is_some_and(|told| told.contains("permission denied")),
                "{caller:?} {change}: {told:?}"
            );
        }
    }
    // A user of one business is also, with the same id, a user of another business in the same store.
    for caller in ["A", "u1", "nobody"] {
        for (table, columns) in READ {
            let found = server.ask(User(caller), &format!("SELECT {columns} FROM provisioner.{table}"));
            let own = format!("'user:{caller}'");
            let expected = match table {
                "claims" => {
                    format!("SELECT {columns} FROM claims WHERE holder = {own} AND key LIKE '%//stripe-customer:%'")
                }
                "scopes" => format!("SELECT {columns} FROM scopes WHERE account IN ({own}, 'platform')"),
                "rows" => format!(
                    "SELECT r.scope, r.key, r.body FROM rows AS r JOIN scopes AS s ON s.id = r.scope WHERE s.account = {own} \
                     OR s.account = 'platform' AND (r.key LIKE 'product:%' OR r.key LIKE 'price:%')"
                ),
                _ => {
                    assert!(found.is_err(), "{caller} {table}: {found:?}");
                    continue;
                }
            };
            let may: Vec<Value> = serde_json::from_str(
                &server.sql(&format!("SELECT coalesce(jsonb_agg(to_jsonb(q)), '[]') FROM ({expected}) AS q")),
            )
            .expect("JSON");
            for row in found.expect("some columns") {
                assert!(may.contains(&row), "{caller} {table}: {row}");
            }
        }
    }
    // Kinds of records that no view shows are not shown below either, also to their owner.
    let keys = server.ask(User("u1"), "SELECT key FROM provisioner.rows WHERE key LIKE 'record:tokens:%'");
    assert_eq!(keys, Ok(Vec::new()));
    assert_ne!(server.sql("SELECT count(*) FROM rows WHERE key LIKE 'record:tokens:%'"), "0");
}

// covers: PLG-57
#[test]
fn the_views_with_the_rights_of_their_owner_show_own_rows_only() {
    let server = Server::with(&BUSINESSES);
    for (view, scope, first, second) in [
        ("tesslate_test.host_accounts", "id", "A", "B"),
        ("tesslate_test.host_measurements", "scope", "A", "B"),
        ("saas_plugins_test.host_accounts", "id", "u1", "u2"),
        ("saas_plugins_test.host_effects", "scope", "u1", "u2"),
    ] {
        let query = format!("SELECT DISTINCT {scope} AS scope FROM {view}");
        let all = server.ask(Admin, &query).expect("an administrator reads everything");
        assert_eq!(server.ask(Service, &query).as_ref(), Ok(&all), "{view}: a service");
        for caller in [first, second, "nobody"] {
            let own = format!(
                "SELECT s.id FROM scopes AS s JOIN partitions AS p ON p.id = s.partition WHERE s.account = 'user:{caller}' \
                 AND p.business = '{}'",
                if view.starts_with("tesslate") { "tesslate" } else { "saas-plugins" }
            );
            let own: Vec<Value> =
                server.sql(&own).lines().map(|id| serde_json::from_str(id).expect("a number")).collect();
            let found = server.ask(User(caller), &query).expect("own rows");
            assert!(found.iter().all(|row| own.contains(&row["scope"])), "{view} as {caller}: {found:?}, own {own:?}");
            assert_eq!(
                found.is_empty(),
                caller == "nobody" || !all.iter().any(|row| own.contains(&row["scope"])),
                "{view}"
            );
        }
        let told = server.ask(Anonymous, &query);
        assert!(told.as_ref().is_err_and(|told| told.contains("permission denied")), "{view}: {told:?}");
    }
}

// covers: PLG-57
#[test]
fn claims_that_are_no_json_or_name_nobody_show_nothing() {
    let server = Server::with(&["saas-plugins"]);
    let view = named("saas-plugins", "subscriptions");
    for claims in
        ["", "{}", "{\"sub\": null}", "{\"sub\": \"\"}", "{\"sub\": \"platform\"}", "{\"sub\": \"u1' OR true --\"}"]
    {
        let quoted = claims.replace('\'', "''");
        let found = server
            .sql(&format!("SET ROLE authenticated; SET request.jwt.claims = '{quoted}'; SELECT count(*) FROM {view}"));
        assert_eq!(found, "0", "{claims}");
    }
}
