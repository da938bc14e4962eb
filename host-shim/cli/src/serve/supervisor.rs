//! Notifies systemd when the server starts and stops serving, so that a unit with `Type=notify` counts as started once
//! it serves.

use sd_notify::NotifyState;

/// Notifies the supervisor that the server accepts requests. Does nothing if the server has no supervisor.
pub(super) fn serving() {
    tell(NotifyState::Ready);
}

/// Notifies the supervisor that the server is stopping. Does nothing if the server has no supervisor.
pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

/// A server that cannot reach its supervisor still serves.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("systemd cannot be told about the state of the server: {error}");
    }
}
