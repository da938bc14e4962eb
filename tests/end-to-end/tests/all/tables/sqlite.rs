//! The views in SQLite.

use super::story::{BUSINESSES, Filled, partition, tables, view};
use host_business::tables::{Tables, Type, sqlite};
use host_store::{Partition, SqliteStore};
use rusqlite::{Connection, ErrorCode};
use serde_json::{Value, json};

/// Returns some columns of the rows of a view.
fn columns<const N: usize>(filled: &Filled, name: &str, columns: [&str; N]) -> Vec<[Value; N]> {
    let rows = filled.rows(view(&filled.partition.business, name));
    rows.iter().map(|row| columns.map(|column| row[column].clone())).collect()
}

// covers: BOT-40, BOT-41, BOT-42
#[test]
fn add_ons_and_boosters_are_rows_of_their_accounts() {
    let filled = Filled::with_views("twobot");
    let shown = ["userId", "tier", "status", "stripeSubscriptionId", "interval", "cancelAtPeriodEnd"];
    let expected = [
        ["A", "LARGE", "active", "sub_2", "year"].map(Value::from).to_vec(),
        ["A", "MICRO", "active", "sub_1", "month"].map(Value::from).to_vec(),
        ["B", "MICRO", "canceled", "sub_3", "month"].map(Value::from).to_vec(),
    ];
    let mut found = columns(&filled, "UserWorkspaceAddon", shown);
    found.sort_by_key(|row| (row[0].to_string(), row[1].to_string()));
    assert_eq!(found.iter().map(|row| row[..5].to_vec()).collect::<Vec<_>>(), expected, "the account C left");
    assert_eq!(found.map_last(), [json!(false), json!(true), json!(false)]);
    let boosters =
        columns(&filled, "OrgPoolBooster", ["organizationId", "boosterId", "status", "stripeSubscriptionId"]);
    assert_eq!(boosters, [["org_1", "ORG_MICRO", "active", "sub_6"].map(Value::from)]);
}

/// The last of several columns.
trait MapLast {
    fn map_last(&self) -> Vec<Value>;
}

impl<const N: usize> MapLast for Vec<[Value; N]> {
    fn map_last(&self) -> Vec<Value> {
        self.iter().map(|row| row[N - 1].clone()).collect()
    }
}

// covers: PLG-37, PLG-54
#[test]
fn a_webhook_is_one_row_with_its_status_attempts_and_times() {
    let filled = Filled::with_views("saas-plugins");
    let found = columns(&filled, "webhook_events", ["event_id", "type", "status", "attempts", "error"]);
    let expected = [
        ["evt_3", "customer.discount.created", "ignored"],
        ["evt_1", "customer.subscription.created", "processed"],
        ["evt_2", "customer.subscription.created", "processed"],
    ];
    let mut expected =
        expected.map(|[id, kind, status]| [json!(id), json!(kind), json!(status), json!(1), Value::Null]).to_vec();
    expected.sort_by_key(|row| row[0].to_string());
    let mut found = found;
    found.sort_by_key(|row| row[0].to_string());
    assert_eq!(found, expected, "the repeated delivery of evt_1 is not a row");
    let set = "UPDATE events SET state = ?1, outcome = ?2, error = ?3 WHERE id = 'evt_1' AND partition = \
               (SELECT id FROM partitions WHERE business = 'saas-plugins')";
    for (state, outcome, status) in [
        (0, None, "received"),
        (1, None, "received"),
        (2, Some("{\"deferred\":1}"), "received"),
        (4, None, "failed"),
        (3, Some("{\"rejected\":{\"not-found\":\"x\"}}"), "failed"),
        (3, Some("{\"duplicate\":\"x\"}"), "ignored"),
        (3, Some("{\"stale\":{}}"), "ignored"),
        (3, Some("\"applied\""), "processed"),
    ] {
        filled.connection.execute(set, rusqlite::params![state, outcome, "told"]).expect("changed");
        let found = columns(&filled, "webhook_events", ["event_id", "status", "error"]);
        assert!(found.contains(&[json!("evt_1"), json!(status), json!("told")]), "{state} {outcome:?}: {found:?}");
    }
    let again = "INSERT INTO events (seq, partition, source, id, kind, received_at, envelope, payload_kind, state, at, failures, runs, \
                 erased) SELECT seq + 100, partition, source, id, kind, 1, envelope, 0, state, at, failures, runs, erased \
                 FROM events WHERE id = 'evt_1'";
    assert_eq!(refusal(&filled.connection, again), Some(ErrorCode::ConstraintViolation));
}

// covers: PLG-51, PLG-52
#[test]
fn subscriptions_and_products_are_named_as_at_stripe() {
    let filled = Filled::with_views("saas-plugins");
    let found = columns(&filled, "subscriptions", ["stripe_subscription_id", "user_id", "product_id", "status"]);
    let expected = [["sub_1", "u1", "prod_sample_editor", "active"], ["sub_2", "u2", "prod_sample_monitor", "active"]];
    assert_eq!(found, expected.map(|row| row.map(Value::from)));
    let again = "INSERT INTO rows SELECT * FROM rows WHERE key = 'subscription:sub_1'";
    assert_eq!(refusal(&filled.connection, again), Some(ErrorCode::ConstraintViolation));
    let ids = columns(&filled, "products", ["stripe_product_id"]);
    let mut known: Vec<&Value> = ids.iter().map(|[id]| id).filter(|id| !id.is_null()).collect();
    let count = known.len();
    known.sort_by_key(|id| id.to_string());
    known.dedup();
    assert_eq!((known.len(), count), (2, 2));
}

// covers: TES-04
#[test]
fn a_sale_is_the_sum_of_its_parts() {
    let filled = Filled::with_views("tesslate");
    let names = ["buyer_id", "agent_id", "creator_account", "stripe_payment_intent_id"];
    assert_eq!(
        columns(&filled, "marketplace_transactions", names),
        [["A", "agent_smith", "user:zoe", "pi_2"].map(Value::from)]
    );
    let amounts = ["gross_amount", "creator_amount", "platform_amount", "refunded_amount"];
    let [amounts] = columns(&filled, "marketplace_transactions", amounts).try_into().expect("one sale");
    let [gross, creator, platform, refunded] = amounts.map(|amount| amount.as_i64().expect("an amount"));
    assert_eq!((gross, creator, platform, refunded), (1999, 1349, 150, 500));
    assert_eq!(gross, creator + platform + refunded);
}

// covers: TES-05, TES-07, TES-08, TES-10, TES-11
#[test]
fn purchases_of_a_user_are_rows() {
    let filled = Filled::with_views("tesslate");
    let packs = columns(
        &filled,
        "credit_purchases",
        ["user_id", "package", "amount", "credits", "status", "stripe_payment_intent_id"],
    );
    let small = [json!("A"), json!("small"), json!(500), json!(500), json!("paid"), json!("pi_1")];
    let large = [json!("B"), json!("large"), json!(5000), json!(5000), json!("pending"), Value::Null];
    assert_eq!(packs, [small, large]);
    let billing = [
        "user_id",
        "stripe_customer_id",
        "stripe_subscription_id",
        "subscription_tier",
        "deployed_projects_count",
        "credit_balance",
    ];
    let billing = columns(&filled, "user_billing", billing);
    let ada = [json!("A"), json!("cus_A"), json!("sub_p"), json!("premium"), json!(2), json!(500)];
    let bob = [json!("B"), json!("cus_B"), Value::Null, json!("free"), json!(0), json!(0)];
    assert!(billing.contains(&ada) && billing.contains(&bob), "{billing:?}");
    let creators = columns(&filled, "user_billing", ["user_id", "creator_stripe_account_id"]);
    assert!(creators.contains(&[json!("zoe"), json!("acct_zoe")]), "{creators:?}");
    let projects = ["user_id", "slug", "is_deployed", "url", "deploy_type", "stripe_payment_intent_id"];
    let projects = columns(&filled, "projects", projects);
    let project = |slug: &str, deploy_type: &str, payment: Value| {
        [json!("A"), json!(slug), json!(true), json!("https://one.example"), json!(deploy_type), payment]
    };
    // The plan covers one project, and the slot another.
    assert_eq!(projects, [project("one", "included", Value::Null), project("two", "purchased", json!("pi_3"))]);
    let slots =
        columns(&filled, "deploy_slots", ["user_id", "stripe_payment_intent_id", "status", "quantity", "project_id"]);
    assert_eq!(slots, [[json!("A"), json!("pi_3"), json!("paid"), json!(1), json!("dep_two")]]);
    let mut agents = columns(&filled, "agent_access", ["agent_id", "pricing_type", "status"]);
    agents.sort_by_key(|row| row[0].to_string());
    assert_eq!(
        agents,
        [["agent_lint", "free", "paid"], ["agent_smith", "onetime", "paid"]].map(|row| row.map(Value::from))
    );
    for again in [
        "INSERT INTO rows SELECT scope, 'purchase:other', data_version, live, shown, kind, fingerprint, written, refs, NULL, NULL, \
         payment_intent_id, created_at, updated_at, body, value FROM rows WHERE payment_intent_id = 'pi_1'",
        "INSERT INTO rows SELECT * FROM rows WHERE key = 'record:items:agent:smith'",
    ] {
        assert_eq!(refusal(&filled.connection, again), Some(ErrorCode::ConstraintViolation), "{again}");
    }
}

// covers: TES-06
#[test]
fn each_request_is_a_row_with_its_part_of_the_costs_of_its_day() {
    let filled = Filled::with_views("tesslate");
    let found = |view: &str, quantity: &str| {
        let names = ["request_id", "user_id", "model", "agent_id", quantity, "cost_micros", "creator_fee_micros"];
        let mut found = columns(&filled, view, names);
        found.sort_by_key(|row| row[0].to_string());
        found
    };
    let row = |id: &str, model: &str, agent: Option<&str>, tokens: i64, cost: i64, fee: Option<i64>| {
        [json!(id), json!("A"), json!(model), json!(agent), json!(tokens), json!(cost), json!(fee)]
    };
    let quill = Some("agent_quill");
    let expected = [
        row("req_1", "large", None, 100, 1_200, None),
        row("req_2", "small", quill, 50, 600, Some(500)),
        row("req_3", "small", quill, 30, 360, Some(300)),
        row("req_4", "small", None, 7, 14, None),
    ];
    for (view, quantity) in [("usage_logs", "tokens"), ("usage_reports", "quantity")] {
        assert_eq!(found(view, quantity), expected, "{view}: the repeated req_1 with another quantity is not a row");
    }
    let sum: i64 = filled
        .connection
        .query_row(
            "SELECT sum(u.value ->> 'cost_micros') FROM rows AS r, json_each(r.value, '$.uses') AS u WHERE r.key LIKE 'record:usage_days:%'",
            [],
            |row| row.get(0),
        )
        .expect("a sum");
    assert_eq!(sum, 1_200 + 600 + 360 + 14, "the parts add up to the day");
    let again = "INSERT INTO facts SELECT * FROM facts WHERE fact = 'usage:tokens:req_1'";
    assert_eq!(refusal(&filled.connection, again), Some(ErrorCode::ConstraintViolation));
}

// covers: ORC-46
#[test]
fn a_database_belongs_to_one_orchestra() {
    let filled = Filled::with_views("orchestra");
    let hosts = columns(&filled, "orchestras", ["subdomain", "database_host"]);
    assert_eq!(
        hosts,
        [["chamber", "db.chamber.example"], ["philharmonic", "db.city.example"]].map(|row| row.map(Value::from))
    );
    let again = "INSERT INTO claims (key, holder) VALUES ('orchestra/test//orchestra.database.endpoint:db.city.example', 'user:o2')";
    assert_eq!(refusal(&filled.connection, again), Some(ErrorCode::ConstraintViolation));
}

/// Returns why SQLite refuses a statement.
fn refusal(connection: &Connection, statement: &str) -> Option<ErrorCode> {
    connection.execute(statement, []).err().and_then(|error| error.sqlite_error_code())
}

// covers: PLG-50, PLG-53, PLG-55, PLG-56
#[test]
fn each_view_of_each_business_has_rows() {
    for business in BUSINESSES {
        let filled = Filled::with_views(business);
        for view in &tables(business).views {
            let rows = filled.rows(view);
            assert!(!rows.is_empty() || view.name == "purchases", "{business} {}", view.name);
        }
    }
}

fn names(connection: &Connection) -> Vec<String> {
    let mut all =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name").expect("a query");
    all.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("names")
}

fn version(connection: &Connection) -> i64 {
    connection.query_row("PRAGMA schema_version", [], |row| row.get(0)).expect("a number")
}

#[test]
fn each_column_has_the_type_that_the_file_says() {
    for business in BUSINESSES {
        let filled = Filled::with_views(business);
        for view in &tables(business).views {
            let name = sqlite::view_name(&filled.partition, &view.name);
            let mut all = filled.connection.prepare("SELECT type FROM pragma_table_info(?1)").expect("a query");
            let found: Vec<String> =
                all.query_map([name], |row| row.get(0)).expect("columns").collect::<Result<_, _>>().expect("types");
            let expected = view.columns.iter().map(|column| match column.column_type {
                Type::Integer | Type::Boolean => "INT",
                Type::Text | Type::Json | Type::Timestamp => "TEXT",
            });
            assert_eq!(found, expected.collect::<Vec<_>>(), "{business} {}", view.name);
        }
    }
}

// covers: TES-09, TES-103
#[test]
fn views_go_and_come_back_on_an_empty_and_on_a_filled_file() {
    for business in BUSINESSES {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        drop(SqliteStore::open(&path).expect("a store"));
        let empty = Connection::open(&path).expect("opened");
        let filled = Filled::of(business);
        for mut connection in [empty, Connection::open(filled.path()).expect("opened")] {
            let (tables, partition) = (tables(business), partition(business));
            let count = tables.views.len();
            for _ in 0..2 {
                assert_eq!(sqlite::apply(&mut connection, tables, &partition), Ok(count));
                let (made, before) = (names(&connection), version(&connection));
                assert_eq!(made.len(), count);
                assert_eq!(sqlite::apply(&mut connection, tables, &partition), Ok(count));
                assert_eq!(version(&connection), before, "the same views are not made again");
                assert_eq!(sqlite::remove(&mut connection, &partition), Ok(count));
                assert_eq!(names(&connection), [""; 0]);
                assert_eq!(sqlite::remove(&mut connection, &partition), Ok(0));
            }
            let script = sqlite::up(tables, &partition).join(";\n");
            connection.execute_batch(&script).expect("the printed script");
            assert_eq!(names(&connection).len(), count);
            connection.execute_batch(&sqlite::down(tables, &partition).join(";\n")).expect("the printed script");
            assert_eq!(names(&connection), [""; 0]);
        }
    }
}

#[test]
fn businesses_and_modes_share_a_file_and_views_of_others_are_left_alone() {
    let mut filled = Filled::with_views("twobot");
    let live = Partition { livemode: true, ..filled.partition.clone() };
    sqlite::apply(&mut filled.connection, tables("twobot"), &live).expect("live mode");
    sqlite::apply(&mut filled.connection, tables("saas-plugins"), &partition("saas-plugins"))
        .expect("another business");
    let count = |filled: &Filled, name: &str| -> i64 {
        filled.connection.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0)).expect("a view")
    };
    assert_eq!(count(&filled, "twobot_test_UserWorkspaceAddon"), 3);
    assert_eq!(count(&filled, "twobot_live_UserWorkspaceAddon"), 0);
    assert_eq!(count(&filled, "saas_plugins_test_products"), 3);
    sqlite::remove(&mut filled.connection, &live).expect("removed");
    assert_eq!(count(&filled, "twobot_test_UserWorkspaceAddon"), 3);
    filled.connection.execute_batch("CREATE VIEW twobot_live_OrgPoolBooster AS SELECT 1 AS own").expect("an own view");
    let refused = sqlite::apply(&mut filled.connection, tables("twobot"), &live);
    assert!(refused.is_err_and(|error| error.to_string().contains("already exists")));
    assert_eq!(count(&filled, "twobot_live_OrgPoolBooster"), 1);
    // A view that the file no longer has goes.
    let fewer = Tables { views: tables("twobot").views[..1].to_vec() };
    assert_eq!(sqlite::apply(&mut filled.connection, &fewer, &partition("twobot")), Ok(1));
    assert!(!names(&filled.connection).contains(&"twobot_test_OrgPoolBooster".to_owned()));
}
