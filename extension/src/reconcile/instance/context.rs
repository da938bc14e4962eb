//! The account's data that determines the desired state of its instances.

use crate::derive::standing::AccountStanding;
use crate::reconcile::limits::Room;

/// The account's data that determines the desired state of its instances.
pub(crate) struct Context<'v> {
    pub standing: &'v AccountStanding,
    pub room: &'v Room,
    /// Fingerprint of `standing` and `room`.
    pub reached: &'v str,
}
