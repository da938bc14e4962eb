//! Tells systemd when the server serves and when it stops, so that a unit with `Type=notify` has started once it serves.

use sd_notify::NotifyState;

/// Tells the supervisor that the server accepts requests. Does nothing if the server has no supervisor.
pub(super) fn serving() {
    tell(NotifyState::Ready);
}

/// Tells the supervisor that the server ends. Does nothing if the server has no supervisor.
pub(super) fn stopping() {
    tell(NotifyState::Stopping);
}

/// A server that cannot reach its supervisor serves all the same.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("systemd cannot be told about the state of the server: {error}");
    }
}
