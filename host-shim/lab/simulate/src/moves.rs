//! A move: one action that concerns an account, with its parameters.

const DAY_S: i64 = 86_400;
/// Pauses between moves, in seconds.
pub const PAUSES: [i64; 6] = [60, 3_600, DAY_S, 4 * DAY_S, 9 * DAY_S, 33 * DAY_S];

/// A move with its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Move<K> {
    /// Kind of the move.
    pub kind: K,
    /// Selects one of several objects.
    pub pick: u8,
    /// Flags for variations of the move.
    pub flags: u16,
    /// Index in [`PAUSES`] of the pause before the move.
    pub pause: u8,
}

impl<K> Move<K> {
    /// Creates a move with flags and a pause only.
    pub fn plain(kind: K, flags: u16, pause: u8) -> Self {
        Move { kind, pick: 0, flags, pause }
    }

    /// Returns flag number `bit`, from 0 to 15.
    pub fn flag(&self, bit: u32) -> bool {
        self.flags >> bit & 1 == 1
    }

    /// Pause before the move, in seconds.
    pub fn pause_s(&self) -> i64 {
        PAUSES[usize::from(self.pause) % PAUSES.len()]
    }

    /// Index selected among `count` objects; None if `count` is 0.
    pub fn of(&self, count: usize) -> Option<usize> {
        usize::from(self.pick).checked_rem(count)
    }
}
