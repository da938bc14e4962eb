//! Keeps customers from requesting more than the providers can carry out. When too many effects that the commands of an
//! account's customers requested are open, a further command that requests one is refused. It may be sent again under
//! the same id after some of them have ended.

use super::decide::Decided;
use super::{Processor, is_same_command};
use extension_contract::{Account, ActorKind, Event, Outcome, Payload, QuotaRefusal, Refusal};
use host_store::{EffectRow, InboxRow, InboxState, OF_HOST, Stored};

/// Maximum number of open effects of an account that were requested by customers' commands.
pub const OPEN_EFFECTS_MAX: usize = 100;
/// Recorded in place of a component's hash if the host refused a customer's command.
const BY_LIMIT: &str = "limit";
/// The quota in the refusal. No feature of a catalog has a hyphen in its name.
const OPEN_EFFECTS: &str = "open-effects";

/// Returns the number of open effects, if the host refused a command because of them.
pub fn open_effects(refusal: &Refusal) -> Option<i64> {
    match refusal {
        Refusal::QuotaExceeded(quota) if quota.quota == OPEN_EFFECTS => Some(quota.used),
        _ => None,
    }
}

impl Processor {
    /// Sets a limit other than [`OPEN_EFFECTS_MAX`].
    pub fn set_open_effects_max(&mut self, open_effects_max: usize) {
        self.open_effects_max = open_effects_max;
    }

    /// Returns the decision, or a refusal if a customer's command requests an effect although too many are open.
    pub(super) fn within_limit(&self, event: &Event, decided: Decided) -> Stored<Decided> {
        let asks = decided.prepared.requested.iter().any(|asked| !OF_HOST.contains(&asked.kind.as_str()));
        let Some(account) = decided.account.as_ref().filter(|_| asks && is_of_customer(event)) else {
            return Ok(decided);
        };
        let used = self.asked_for_by_customers(event, account)?;
        if used < self.open_effects_max {
            return Ok(decided);
        }
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let (allowed, used) = (count(self.open_effects_max), count(used));
        let quota = QuotaRefusal { quota: OPEN_EFFECTS.to_owned(), allowed, used, upgrade: None };
        let refused = Decided::by_host(Outcome::Rejected(Refusal::QuotaExceeded(quota)));
        Ok(Decided { account: decided.account, decided_by: Some(BY_LIMIT), ..refused })
    }

    /// Counts an account's open effects that were requested by customers' commands from the same source as this command.
    fn asked_for_by_customers(&self, command: &Event, account: &Account) -> Stored<usize> {
        let mut open = self.store().effects_open(&self.scope(account.clone()))?;
        open.retain(|row| !OF_HOST.contains(&row.effect.kind.as_str()));
        if open.len() < self.open_effects_max {
            return Ok(open.len());
        }
        let mut asked = 0;
        for EffectRow { caused_by, .. } in &open {
            let cause = self.store().event(self.partition(), &command.source, caused_by)?;
            asked += usize::from(cause.is_some_and(|cause| is_of_customer(&cause.event)));
        }
        Ok(asked)
    }
}

/// Returns true for a command of a person acting for an account.
fn is_of_customer(event: &Event) -> bool {
    matches!(event.payload, Payload::Command(_)) && event.actor.kind == ActorKind::User
}

/// Returns true for the repetition of a command that was refused because of this limit; it is decided again.
pub(super) fn was_refused_by_limit(known: &InboxRow, again: &Event) -> bool {
    is_by_limit(known) && is_same_command(&known.event, again)
}

/// Returns true if the last run of a command was refused because of this limit.
pub fn is_by_limit(row: &InboxRow) -> bool {
    let by = row.provenance.as_ref().map(|provenance| provenance.component_hash.as_str());
    row.state == InboxState::Done && by == Some(BY_LIMIT) && !row.erased
}
