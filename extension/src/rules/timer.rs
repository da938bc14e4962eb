//! Timers. Most timers only trigger the reconciliation. The timer of the time limit in `error` reports the instance.

use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::halt::Ruled;
use crate::model::keys::TimerKey;
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::instance::InstanceStatus;
use extension_contract::Outcome;
use serde_json::json;

/// Decides a timer. The caller determines after all stages whether the timer changed anything.
pub(super) fn decide(desk: &mut Desk<'_>, timer: Option<&TimerKey>) -> Ruled<Outcome> {
    let Some(TimerKey::Error { instance: id, .. }) = timer else { return Ok(Outcome::Applied) };
    let Some(mut instance) = Instance::find(desk, id)? else { return Ok(Outcome::Applied) };
    if instance.is(InstanceStatus::Error) && instance.record.lost_since.is_none() {
        instance.record.lost_since = instance.failed_at();
        instance.save(&mut desk.account)?;
        let values = json!({"instance": id, "error": instance.record.error});
        let reference = timer.map(TimerKey::to_string).unwrap_or_default();
        send_once(&mut desk.account, &mail_kinds::INSTANCE_UNRESOLVED, &reference, &values)?;
    }
    Ok(Outcome::Applied)
}
