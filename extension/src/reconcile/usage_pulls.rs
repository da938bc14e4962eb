//! Reads the log of the account's usage source at regular times (TES-63).

use super::schedule::DesiredSchedule;
use crate::actions::usage_pull;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::TimerKey;
use crate::model::records::usage_sync::UsageSync;

/// Begins a pull that is due, and sets the timer of the next one. The first one follows a while after the account appeared.
pub(super) fn reconcile(desk: &mut Desk<'_>, desired: &mut DesiredSchedule) -> Ruled<()> {
    let Some(source) = usage_pull::source(desk)? else { return Ok(()) };
    let sync = match desk.account.row::<UsageSync>(UsageSync::ID)? {
        Some(sync) => sync,
        None => {
            let sync = UsageSync { asked_at: desk.now, ..UsageSync::default() };
            desk.account.put(UsageSync::ID, sync.clone());
            sync
        }
    };
    let mut due = source.every.after(sync.asked_at);
    if due <= desk.now {
        due = match sync.lost_at().filter(|lost_at| *lost_at > desk.now) {
            Some(lost_at) => lost_at,
            None => {
                usage_pull::begin(desk, &source, None)?;
                source.every.after(desk.now)
            }
        };
    }
    desired.timer(desk.now, TimerKey::UsagePull { due }, due);
    Ok(())
}
