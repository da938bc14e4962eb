//! SQL that isolates the tenants of a server from each other.

use crate::postgres::config::Config;
use crate::postgres::failed::Failed;
use crate::postgres::names::Names;
use crate::postgres::record::Record;
use crate::postgres::servers::Server;
use postgres_protocol::escape::{escape_identifier, escape_literal};

/// Lists the common databases (`postgres`, `template1`) in which PUBLIC has a right.
const COMMON: &str = "SELECT string_agg(datname, ', ') FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) \
                      WHERE datname IN ('postgres', 'template1') AND grantee = 0";

/// Revokes PUBLIC's rights in the server's common databases, so that tenants can't connect to them. Refuses the call if
/// PUBLIC still has a right.
pub(crate) async fn close(server: &Server<'_>) -> Result<(), Failed> {
    let open = |row: tokio_postgres::Row| row.try_get::<_, Option<String>>(0);
    if open(server.client.query_typed_one(COMMON, &[]).await?)?.is_none() {
        return Ok(());
    }
    server.client.batch_execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC").await?;
    match open(server.client.query_typed_one(COMMON, &[]).await?)? {
        None => Ok(()),
        // A REVOKE by a role without the right to revoke causes a warning, not an error.
        Some(names) => {
            let problem =
                format!("everybody can connect to {names} of {}: expected nobody", server.settings.endpoint());
            Err(Failed::refused("not-isolated", problem))
        }
    }
}

/// Returns SQL that creates or updates the tenant's role, with a SCRAM verifier instead of the plain password. A new
/// role can't log in.
pub(crate) fn role(names: &Names, exists: bool, verifier: &str) -> String {
    let (role, verifier) = (escape_identifier(&names.role), escape_literal(verifier));
    let rights = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS";
    match exists {
        false => format!("CREATE ROLE {role} NOLOGIN {rights} PASSWORD {verifier};"),
        true => format!("ALTER ROLE {role} {rights} PASSWORD {verifier};"),
    }
}

/// Returns SQL that gives only the tenant's role access to the database, and that sets the timeouts of its sessions.
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

/// Returns SQL to run in the database. The tenant gets the schema `app` and no other rights. It can't create large
/// objects, because they belong to no schema and would escape backups and quotas.
pub(crate) fn inside(names: &Names) -> String {
    let role = escape_identifier(&names.role);
    // Refuses only the tenant's statements, and allows DROP, which frees space.
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

/// Returns SQL that revokes or restores the tenant's rights to write. The tenant owns its tables and could grant itself
/// the rights again, so all of its DDL statements except DROP are also refused.
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
