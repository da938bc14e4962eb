//! The provider: which calls it carries out, with which payloads and outputs.

use crate::http::Client;
use crate::supabase::api::Api;
use crate::supabase::config::Config;
use crate::supabase::failure::Failed;
use crate::supabase::verbs::{Work, change, destroy, ensure, observe};
use host_provider_api::{Call, CallOutcome, Provider};

/// Effect kinds that the provider carries out. Another provider carries out the other kinds, for example
/// `database.migrate`.
pub const KINDS: [&str; 4] = ["database.ensure", "database.change", "database.destroy", "database.observe"];

/// The provider of databases at Supabase. It has no state.
///
/// | verb | payload | outputs |
/// |---|---|---|
/// | `observe` | `organization`; with `adopt`: `name`, `outputs` with `endpoint`, `secret_ref` | `exists`, `state`, `outputs` |
/// | `ensure` | `name`, `organization`, `region`, `plan` | `id`, `endpoint`, `name`, `database`, `user`, `secret_ref` |
/// | `change` | `state`, `organization`, `region` | as `ensure`, and `state` |
/// | `destroy` | `organization` | none |
///
/// Calls for backups, migrations and seeds are refused as `unsupported`: the API makes scheduled backups only.
/// [`Awake`](crate::supabase::Awake) keeps a project running while another provider backs it up.
pub struct Supabase {
    config: Config,
    client: Client,
}

impl Supabase {
    /// Creates the provider with these settings.
    pub fn new(config: Config) -> Supabase {
        let client = Client::new(&config.url, config.limits);
        Supabase { config, client }
    }

    fn carry_out(&self, call: &Call) -> Result<CallOutcome, Failed> {
        let api = Api::new(&self.config, &self.client)?;
        let redacted = api.redacted();
        let work = Work::new(api, &self.config, call)?;
        let outcome = match call.verb() {
            "observe" => observe::observe(&work),
            "ensure" => ensure::ensure(&work),
            "change" => change::change(&work),
            _ => destroy::destroy(&work),
        };
        Ok(redacted.outcome(outcome.unwrap_or_else(CallOutcome::from)))
    }
}

impl Provider for Supabase {
    fn call(&self, call: &Call) -> CallOutcome {
        if call.resource() != "database" || !call.is_resource_call() {
            return CallOutcome::unsupported(call);
        }
        self.carry_out(call).unwrap_or_else(CallOutcome::from)
    }
}
