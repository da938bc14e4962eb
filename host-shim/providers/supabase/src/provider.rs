//! Dispatches calls to the verbs.

use crate::api::Api;
use crate::config::Config;
use crate::failure::Failed;
use crate::verbs::{Work, change, destroy, ensure, observe};
use host_http::Client;
use host_provider_api::{Call, CallOutcome, Provider};

/// Effect kinds that it carries out. Others (`database.migrate`) are another provider's.
pub const KINDS: [&str; 4] = ["database.ensure", "database.change", "database.destroy", "database.observe"];

/// Databases at Supabase, one project each. The provider has no state of its own.
///
/// | verb | payload | outputs |
/// |---|---|---|
/// | `observe` | `organization`; with `adopt`: `name`, `outputs` with `endpoint`, `secret_ref` | `exists`, `state`, `outputs` |
/// | `ensure` | `name`, `organization`, `region`, `plan` | `id`, `endpoint`, `name`, `database`, `user`, `secret_ref` |
/// | `change` | `state`, `organization`, `region` | the same and `state` |
/// | `destroy` | `organization` | nothing |
///
/// Backups, migrations and seeds are `unsupported`: the API makes scheduled backups only. [`Awake`](crate::Awake)
/// combines it with a provider that makes backups.
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
