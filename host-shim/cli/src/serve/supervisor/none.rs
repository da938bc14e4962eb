//! Does nothing on systems without systemd.

pub(super) fn serving() {}

pub(super) fn stopping() {}
