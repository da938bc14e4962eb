//! Who dumps and restores: a login for that work alone, which is a member of the tenant's role and nothing else.
//!
//! Reading a backup back runs what the tenant wrote, a check of a table for example. As long as it is the administrator's session,
//! such a function can become the administrator again; in the worker's it can become nobody but the tenant.

use crate::failed::Failed;
use crate::names::Names;
use crate::servers::Server;
use host_provider_api::{Call, MadeSecret, ResourceId, Secret};
use postgres_protocol::escape::{escape_identifier, escape_literal};
use postgres_protocol::password::scram_sha_256;

/// Bytes of randomness of its password.
const PASSWORD_BYTES: usize = 32;
/// Connections that it needs at most: a dump has one.
const CONNECTIONS: u32 = 2;

/// The login, for the time of one work.
pub(crate) struct Worker {
    pub names: Names,
    pub password: Secret,
}

/// The secret of a worker's password, made now if need be.
fn secret(call: &Call, id: &ResourceId) -> Result<MadeSecret, Failed> {
    Ok(call.make_secret(&format!("{}#work", id.id), PASSWORD_BYTES)?)
}

/// Forgets the password of a worker that there may have been.
pub(crate) fn forget(call: &Call, id: &ResourceId) -> Result<(), Failed> {
    Ok(call.forget_secret(&secret(call, id)?.reference)?)
}

/// Does work with a worker, who is gone afterwards. One that an earlier process left is put out first, with what it still does.
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
    // What went wrong before says more than what goes wrong now.
    let gone = match server.client.batch_execute(&format!("DROP ROLE IF EXISTS {worker}")).await {
        Ok(()) => forget(call, &id),
        Err(error) => Err(error.into()),
    };
    let done = done?;
    gone.map(|()| done)
}
