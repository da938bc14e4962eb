//! `database.change` and `database.destroy`: suspend, resume, limit and drop a database.

use crate::postgres::config::Config;
use crate::postgres::connect::within;
use crate::postgres::desired::DesiredSettings;
use crate::postgres::ensure::refuse_lost;
use crate::postgres::failed::Failed;
use crate::postgres::isolate;
use crate::postgres::names::Names;
use crate::postgres::record::{self, Record, State};
use crate::postgres::servers::Servers;
use crate::postgres::worker;
use host_provider_api::{Call, CallOutcome};
use postgres_protocol::escape::escape_identifier;
use serde_json::json;

/// Number of random bytes in a tenant's password, if `destroy` has to create it in order to get its reference.
const PASSWORD_BYTES: usize = 32;

pub(crate) fn change(config: &Config, call: &Call) -> Result<CallOutcome, Failed> {
    let (id, desired) = (call.resource_id(), DesiredSettings::of(&call.payload)?);
    let names = Names::of(&id)?;
    within(config.call_timeout, async {
        let (servers, found) = Servers::reach_locked(config, call, &id, &names).await?;
        let (number, mut record) = found.needed(call)?;
        let server = &servers.0[number];
        refuse_lost(server, &record).await?;
        record.generation = i64::from(call.generation);
        record.quota = desired.quota.unwrap_or(record.quota);
        record.connections = desired.connections.unwrap_or(record.connections);
        match desired.is_suspended {
            Some(true) => record.state = State::Suspended,
            Some(false) => record.state = State::Running,
            None => {}
        }
        if let Some(writes_refused) = desired.writes_refused {
            record.writes_refused = writes_refused;
            server.inside(&names).await?.batch_execute(&isolate::writes(&record)).await?;
        }
        server.save(&record).await?;
        if record.state == State::Suspended {
            server.end_sessions(&names.role).await?;
        }
        let mut outputs = record.outputs(&server.settings.endpoint());
        outputs["state"] = json!(record.state.name());
        Ok(CallOutcome::Done(outputs))
    })
}

pub(crate) fn destroy(config: &Config, call: &Call) -> Result<CallOutcome, Failed> {
    let id = call.resource_id();
    let names = Names::of(&id)?;
    within(config.call_timeout, async {
        let (servers, found) = Servers::reach_locked(config, call, &id, &names).await?;
        // The generation is stored even if there is no database: an older call may still arrive.
        let server = &servers.0[found.at.unwrap_or(0)];
        let gone = Record {
            generation: i64::from(call.generation),
            state: State::Ended,
            is_restoring: false,
            ..found.record.clone().unwrap_or_else(|| Record {
                names: names.clone(),
                id: id.clone(),
                generation: 0,
                state: State::Ended,
                is_restoring: false,
                restored: None,
                writes_refused: false,
                quota: None,
                connections: 0,
                secret_ref: String::new(),
            })
        };
        if found.at.is_some() {
            let (has_role, _) = server.has(&names).await?;
            if has_role {
                let shut = format!("ALTER ROLE {} NOLOGIN", escape_identifier(&names.role));
                server.client.batch_execute(&shut).await?;
                server.end_sessions(&names.role).await?;
            }
            server.drop_all(&names).await?;
        }
        server.client.batch_execute(&[record::SCHEMA, &gone.store()].concat()).await?;
        // A crashed call may have created the secret. `make_secret` returns its reference.
        worker::forget(call, &id)?;
        let made = call.make_secret(&id.id, PASSWORD_BYTES)?;
        call.forget_secret(&made.reference)?;
        Ok(CallOutcome::Done(json!({})))
    })
}
