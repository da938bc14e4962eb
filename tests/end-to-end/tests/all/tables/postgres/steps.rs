//! Up, down, and up again.

use super::server::Caller::{Admin, User};
use super::server::{Server, named};
use crate::tables::story::{BUSINESSES, partition, tables};
use host_business::tables::postgres::{NameError, Roles, down, up};
use host_business::tables::space;
use host_store::Partition;

/// The schemas of views, with the number of their views, functions and policies.
const MADE: &str = "SELECT n.nspname, (SELECT count(*) FROM pg_class AS c WHERE c.relnamespace = n.oid),
    (SELECT count(*) FROM pg_proc AS f WHERE f.pronamespace = n.oid),
    (SELECT count(*) FROM pg_policy AS p WHERE p.polname LIKE n.nspname || ':%')
    FROM pg_namespace AS n WHERE obj_description(n.oid, 'pg_namespace') LIKE 'views of tables.yml: %' ORDER BY 1";

// covers: TES-09
#[test]
fn views_go_and_come_back_on_an_empty_and_on_a_filled_database() {
    let server = Server::empty();
    for round in 0..2 {
        for business in BUSINESSES {
            server.up(business).expect("up");
        }
        let made = server.sql(MADE);
        assert_eq!(made.lines().count(), BUSINESSES.len(), "{made}");
        for business in BUSINESSES {
            server.up(business).expect("up again");
        }
        assert_eq!(server.sql(MADE), made, "round {round}");
        for business in BUSINESSES {
            server.down(business).expect("down");
            server.down(business).expect("nothing is left to remove");
        }
        assert_eq!(server.sql(MADE), "");
        assert_eq!(server.sql("SELECT count(*) FROM pg_policy"), "0");
        assert_eq!(
            server.sql(
                "SELECT count(*) FROM information_schema.column_privileges WHERE grantee = 'authenticated' \
            AND table_schema = 'provisioner'"
            ),
            "0"
        );
        if round == 0 {
            server.fill();
        }
    }
}

#[test]
fn a_business_that_goes_leaves_the_others() {
    let server = Server::with(&["saas-plugins", "twobot"]);
    let live = Partition { livemode: true, ..partition("twobot") };
    server
        .script(&up(tables("twobot"), &live, &Roles::default()).expect("names").script)
        .expect("live mode beside test mode");
    let query = format!("SELECT tier FROM {} ORDER BY 1", named("twobot", "UserWorkspaceAddon"));
    let before = server.ask(User("A"), &query);
    assert_eq!(before.as_ref().map(Vec::len), Ok(2));
    assert_eq!(server.ask(User("A"), "SELECT * FROM twobot_live.\"UserWorkspaceAddon\""), Ok(Vec::new()));
    server.down("saas-plugins").expect("down");
    server.script(&down(&live, &Roles::default()).expect("names")).expect("down");
    assert_eq!(server.ask(User("A"), &query), before);
    assert_eq!(server.ask(Admin, &query).map(|rows| rows.len()), Ok(3), "the account that left shows nothing");
}

#[test]
fn a_server_without_the_roles_has_the_views_for_its_owner() {
    let server = Server::without_roles();
    server.fill();
    server.up("tesslate").expect("up");
    assert_eq!(server.sql(&format!("SELECT count(*) FROM {}", named("tesslate", "usage_logs"))), "4");
    assert_eq!(server.sql("SELECT count(*) FROM pg_policy"), "0", "a policy without a role would be for everybody");
    server.down("tesslate").expect("down");
}

#[test]
fn somebody_elses_schema_and_views_are_left_alone() {
    let server = Server::empty();
    server.sql("CREATE SCHEMA twobot_test; CREATE TABLE twobot_test.notes (text text)");
    for told in [server.up("twobot"), server.down("twobot")] {
        let told = told.expect_err("a schema of somebody else").to_string();
        assert!(told.contains("the schema twobot_test is not that of"), "{told}");
    }
    server.up("tesslate").expect("up");
    server.sql("CREATE VIEW own AS SELECT user_id FROM tesslate_test.projects");
    let told = server.up("tesslate").expect_err("a view on a view").to_string();
    assert!(told.contains("other objects depend on it"), "{told}");
    assert_eq!(server.sql("SELECT count(*) FROM own"), "0", "the failed script changed nothing");
}

#[test]
fn names_are_quoted_whatever_they_are() {
    let server = Server::empty();
    server.sql("CREATE ROLE \"o'hara \"\" $do$\"");
    let odd = Partition { business: "o'hara $do$; -- \"x\"".to_owned(), livemode: false };
    let roles = Roles { user: "o'hara \" $do$".to_owned(), ..Roles::default() };
    server.script(&up(tables("twobot"), &odd, &roles).expect("names").script).expect("up");
    let may = format!("SELECT has_schema_privilege('o''hara \" $do$', '{}', 'USAGE')", space(&odd));
    assert_eq!(server.sql(&may), "t");
    server.script(&down(&odd, &roles).expect("names")).expect("down");
    let long = Partition { business: "b".repeat(60), livemode: false };
    assert!(matches!(up(tables("twobot"), &long, &Roles::default()), Err(NameError::Long(_, 65))));
    let roles = Roles { admin: String::new(), ..Roles::default() };
    assert_eq!(down(&partition("twobot"), &roles), Err(NameError::Role(String::new())));
}
