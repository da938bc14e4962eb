//! What keeps tenants of one server apart.

use crate::config::Config;
use crate::failed::Failed;
use crate::names::Names;
use crate::record::Record;
use crate::servers::Server;
use postgres_protocol::escape::{escape_identifier, escape_literal};

/// The databases of a server that everybody might connect to.
const COMMON: &str = "SELECT string_agg(datname, ', ') FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) \
                      WHERE datname IN ('postgres', 'template1') AND grantee = 0";

/// Closes the server's own databases to tenants, and refuses a server where that can't be had.
pub(crate) async fn close(server: &Server<'_>) -> Result<(), Failed> {
    let open = |row: tokio_postgres::Row| row.try_get::<_, Option<String>>(0);
    if open(server.client.query_typed_one(COMMON, &[]).await?)?.is_none() {
        return Ok(());
    }
    server.client.batch_execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC").await?;
    match open(server.client.query_typed_one(COMMON, &[]).await?)? {
        None => Ok(()),
        // Who may not take a right away is told so with a warning, which nobody reads.
        Some(names) => {
            let problem =
                format!("everybody can connect to {names} of {}: expected nobody", server.settings.endpoint());
            Err(Failed::refused("not-isolated", problem))
        }
    }
}

/// The role of a tenant, which may nothing yet, and its password in a form that only tells whether a password is it.
pub(crate) fn role(names: &Names, exists: bool, verifier: &str) -> String {
    let (role, verifier) = (escape_identifier(&names.role), escape_literal(verifier));
    let rights = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS";
    match exists {
        false => format!("CREATE ROLE {role} NOLOGIN {rights} PASSWORD {verifier};"),
        true => format!("ALTER ROLE {role} {rights} PASSWORD {verifier};"),
    }
}

/// Around the database: who comes in, and how long a session may do what.
pub(crate) fn around(names: &Names, config: &Config) -> String {
    let (role, database) = (escape_identifier(&names.role), escape_identifier(&names.database));
    let (statement, idle) = (config.statement_timeout.as_millis(), config.idle_timeout.as_millis());
    format!(
        "REVOKE ALL ON DATABASE {database} FROM PUBLIC;
         GRANT CONNECT ON DATABASE {database} TO {role};
         ALTER ROLE {role} IN DATABASE {database} SET search_path = app;
         ALTER ROLE {role} IN DATABASE {database} SET statement_timeout = {statement};
         ALTER ROLE {role} IN DATABASE {database} SET idle_in_transaction_session_timeout = {idle};
         ALTER ROLE {role} IN DATABASE {database} SET idle_session_timeout = {idle};
         ALTER DATABASE {database} ALLOW_CONNECTIONS true;"
    )
}

/// In the database: a schema of the tenant's own and nothing else. Large objects belong to no schema and would escape backups and
/// quotas.
pub(crate) fn inside(names: &Names) -> String {
    let role = escape_identifier(&names.role);
    // A rule that only binds the tenant: what frees space stays possible.
    let guard = format!(
        "BEGIN
           IF session_user = {} AND tg_tag NOT LIKE 'DROP %' THEN
             RAISE insufficient_privilege USING MESSAGE = 'writes are refused: the quota is used up';
           END IF;
         END",
        escape_literal(&names.role)
    );
    format!(
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;
         CREATE SCHEMA IF NOT EXISTS app AUTHORIZATION {role};
         REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea), lo_put(oid, bigint, bytea),
           lowrite(integer, bytea), lo_open(oid, integer) FROM PUBLIC;
         CREATE SCHEMA IF NOT EXISTS guard;
         REVOKE ALL ON SCHEMA guard FROM PUBLIC;
         CREATE OR REPLACE FUNCTION guard.refuse_writes() RETURNS event_trigger LANGUAGE plpgsql AS {};",
        escape_literal(&guard)
    )
}

/// Takes the tenant's rights to write away, or gives them back. An owner could give them to itself again, which is a change of
/// definitions: those are refused as well.
pub(crate) fn writes(record: &Record) -> String {
    let role = escape_identifier(&record.names.role);
    let in_database = format!("ALTER ROLE {role} IN DATABASE {}", escape_identifier(&record.names.database));
    match record.writes_refused {
        true => format!(
            "DROP EVENT TRIGGER IF EXISTS writes_refused;
             CREATE EVENT TRIGGER writes_refused ON ddl_command_start EXECUTE FUNCTION guard.refuse_writes();
             REVOKE INSERT, UPDATE ON ALL TABLES IN SCHEMA app FROM {role};
             {in_database} SET default_transaction_read_only = on;"
        ),
        false => format!(
            "DROP EVENT TRIGGER IF EXISTS writes_refused;
             GRANT INSERT, UPDATE ON ALL TABLES IN SCHEMA app TO {role};
             {in_database} RESET default_transaction_read_only;"
        ),
    }
}
