//! Moves of the people around one account: what happens, with what it depends on.

const DAY_S: i64 = 86_400;
/// Pauses between moves, in seconds.
pub const PAUSES: [i64; 6] = [60, 3_600, DAY_S, 4 * DAY_S, 9 * DAY_S, 33 * DAY_S];

/// One thing that happens, with what it depends on.
#[derive(Clone, Copy, Debug)]
pub struct Move<K> {
    /// What.
    pub kind: K,
    /// Which of several, and how much.
    pub pick: u8,
    /// Ways in which it can happen.
    pub flags: u16,
    /// Which pause comes before it.
    pub pause: u8,
}

impl<K> Move<K> {
    /// A move that depends on nothing else, after the pause of that number.
    pub fn plain(kind: K, flags: u16, pause: u8) -> Self {
        Move { kind, pick: 0, flags, pause }
    }

    /// One of the ways in which it can happen.
    pub fn flag(&self, bit: u32) -> bool {
        self.flags >> bit & 1 == 1
    }

    /// Seconds that pass before it.
    pub fn pause_s(&self) -> i64 {
        PAUSES[usize::from(self.pause) % PAUSES.len()]
    }

    /// Which of so many; none of none.
    pub fn of(&self, count: usize) -> Option<usize> {
        usize::from(self.pick).checked_rem(count)
    }
}
