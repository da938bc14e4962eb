//! The unique keys and indexes that requirements name: the tables below the views have them.

use super::server::{Server, named};
use crate::tables::story::BUSINESSES;
use host_business::tables::postgres::STORE_TABLES;

/// Runs a statement that must break a unique key; returns the name of the key's index.
fn refused(server: &Server, statement: &str) -> String {
    server.sql(&format!(
        "CREATE OR REPLACE FUNCTION pg_temp.tried() RETURNS text LANGUAGE plpgsql AS $f$ DECLARE found text; BEGIN {statement}; \
         RETURN 'it was accepted'; EXCEPTION WHEN unique_violation THEN GET STACKED DIAGNOSTICS found = CONSTRAINT_NAME; \
         RETURN found; END $f$; SELECT pg_temp.tried()"
    ))
    .lines()
    .last()
    .unwrap_or_default()
    .to_owned()
}

/// Inserts a second row like the one with this key.
fn again(server: &Server, key: &str) -> String {
    refused(server, &format!("INSERT INTO rows SELECT r.* FROM rows AS r WHERE r.key = '{key}'"))
}

// covers: PLG-58
#[test]
fn each_foreign_key_has_an_index_that_begins_with_its_columns() {
    let server = Server::empty();
    let missing = "SELECT c.conrelid::regclass || '.' || c.conname FROM pg_constraint AS c WHERE c.contype = 'f'
        AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.conrelid AND i.indpred IS NULL
            AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)";
    assert_eq!(server.sql(missing), "");
    assert_ne!(server.sql("SELECT count(*) FROM pg_constraint WHERE contype = 'f'"), "0");
    server.sql("ALTER TABLE replies ADD COLUMN event bigint REFERENCES events");
    assert_eq!(server.sql(missing), "replies.replies_event_fkey", "the query finds one without an index");
}

#[test]
fn all_tables_of_a_store_are_known_and_secured() {
    let server = Server::with(&["twobot"]);
    let tables = "SELECT relname FROM pg_class WHERE relnamespace = 'provisioner'::regnamespace AND relkind = 'r'";
    assert_eq!(server.sql(&format!("{tables} ORDER BY relname")), STORE_TABLES.join("\n"));
    assert_eq!(server.sql(&format!("{tables} AND NOT relrowsecurity")), "");
}

// covers: BOT-40, BOT-41, PLG-51, PLG-54, TES-04, TES-05, TES-06, TES-10, TES-11
#[test]
fn a_second_row_with_a_unique_value_is_refused() {
    let server = Server::with(&BUSINESSES);
    for key in
        ["record:items:workspace_addon:LARGE", "record:items:org_pool_booster:ORG_MICRO", "record:items:agent:lint"]
    {
        assert_eq!(again(&server, key), "rows_pkey", "{key}: a pair of account and item");
    }
    assert_eq!(again(&server, "record:sales:pur_d4f0bc5a29de06b5"), "rows_pkey", "a sale of a payment");
    // An id of Stripe belongs to one account of a business.
    for claim in [
        "twobot/test//stripe-subscription:sub_1",
        "tesslate/test//stripe-payment-intent:pi_1",
        "saas-plugins/test//stripe-subscription:sub_1",
    ] {
        assert_eq!(server.sql(&format!("SELECT count(*) FROM claims WHERE key = '{claim}'")), "1", "{claim}");
        assert_eq!(
            refused(&server, &format!("INSERT INTO claims (key, holder) VALUES ('{claim}', 'user:other')")),
            "claims_pkey"
        );
    }
    for purchase in ["purchase:pur_4862f447f2c7f272", "purchase:pur_6558838331b742a6"] {
        let other = format!("INSERT INTO rows SELECT r.scope, 'purchase:other', r.body, r.value, r.data_version, r.live, r.shown, NULL,
            r.written, r.refs, r.targets, NULL, NULL, r.payment_intent_id, 1, 1 FROM rows AS r WHERE r.key = '{purchase}'");
        assert_eq!(refused(&server, &other), "rows_by_payment_intent", "{purchase}");
    }
    let event = "INSERT INTO events SELECT (SELECT max(seq) + 1 FROM events), e.partition, e.source, e.id, e.kind, 1, e.envelope, 0, '', \
                 NULL, NULL, 3, 0, NULL, 0, NULL, NULL, 0, NULL FROM events AS e WHERE e.id = 'evt_3'";
    assert_eq!(refused(&server, event), "events_by_id", "an event");
    let request =
        "INSERT INTO facts SELECT f.scope, f.fact, 'other' FROM facts AS f WHERE f.fact = 'usage:tokens:req_1'";
    assert_eq!(refused(&server, request), "facts_pkey", "a request of usage");
    let rows = |view: &str| server.sql(&format!("SELECT count(*) FROM {}", named("tesslate", view)));
    assert_eq!(
        (rows("usage_logs").as_str(), rows("agent_access").as_str()),
        ("4", "2"),
        "a repeated request is not a row"
    );
}

// covers: ORC-46
#[test]
fn a_database_belongs_to_one_orchestra() {
    let server = Server::with(&["orchestra"]);
    let hosts = server.sql(&format!("SELECT database_host FROM {} ORDER BY 1", named("orchestra", "orchestras")));
    assert_eq!(hosts, "db.chamber.example\ndb.city.example");
    for claim in ["orchestra.database.endpoint:db.chamber.example", "orchestra.database.secret_ref:secret:chamber-db"] {
        let insert = format!("INSERT INTO claims (key, holder) VALUES ('orchestra/test//{claim}', 'user:o1')");
        assert_eq!(refused(&server, &insert), "claims_pkey", "{claim}");
    }
}
