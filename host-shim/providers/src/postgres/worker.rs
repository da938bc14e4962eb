//! The worker role, with which `pg_dump` and `pg_restore` log in: a temporary role that is a member only of the
//! tenant's role.
//!
//! Restoring a backup runs the tenant's code, for example CHECK constraints. In an administrator's session, that code
//! could use the administrator's rights; in a session of the worker role, it has only the tenant's rights.

use crate::postgres::failed::Failed;
use crate::postgres::names::Names;
use crate::postgres::servers::Server;
use host_provider_api::{Call, MadeSecret, ResourceId, Secret};
use postgres_protocol::escape::{escape_identifier, escape_literal};
use postgres_protocol::password::scram_sha_256;

/// Number of random bytes in the worker role's password.
const PASSWORD_BYTES: usize = 32;
/// Number of connections that a dump needs, with a reserve.
const CONNECTIONS: u32 = 2;

/// The worker role of one job, with its password.
pub(crate) struct Worker {
    pub names: Names,
    pub password: Secret,
}

/// Returns the secret with the worker role's password. Creates it if needed.
fn secret(call: &Call, id: &ResourceId) -> Result<MadeSecret, Failed> {
    Ok(call.make_secret(&format!("{}#work", id.id), PASSWORD_BYTES)?)
}

/// Deletes the worker role's password.
pub(crate) fn forget(call: &Call, id: &ResourceId) -> Result<(), Failed> {
    Ok(call.forget_secret(&secret(call, id)?.reference)?)
}

/// Creates a worker role, runs `work` with it, and drops the role. First drops the worker role of a crashed process.
pub(crate) async fn with<T>(
    server: &Server<'_>,
    call: &Call,
    names: &Names,
    work: impl AsyncFnOnce(Worker) -> Result<T, Failed>,
) -> Result<T, Failed> {
    let id = call.resource_id();
    let password = call.secret(&secret(call, &id)?.reference)?;
    let (worker, role) = (escape_identifier(&names.worker), escape_identifier(&names.role));
    let verifier = escape_literal(&scram_sha_256(password.expose().as_bytes()));
    server.end_sessions(&names.worker).await?;
    let made = format!(
        "DROP ROLE IF EXISTS {worker};
         CREATE ROLE {worker} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT NOREPLICATION NOBYPASSRLS
           CONNECTION LIMIT {CONNECTIONS} PASSWORD {verifier} IN ROLE {role}"
    );
    server.client.batch_execute(&made).await?;
    let done = work(Worker { names: names.clone(), password }).await;
    // If the work and the cleanup both fail, the error of the work is returned.
    let gone = match server.client.batch_execute(&format!("DROP ROLE IF EXISTS {worker}")).await {
        Ok(()) => forget(call, &id),
        Err(error) => Err(error.into()),
    };
    let done = done?;
    gone.map(|()| done)
}
