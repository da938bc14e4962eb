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

    /// True for `percent` of a hundred moves. The answers to two questions do not depend on each other, nor on single
    /// flags of the move.
    pub fn chance(&self, question: &str, percent: usize) -> bool {
        self.number(question) % 100 < percent
    }

    /// A number that depends on the move and on `question` only.
    pub fn number(&self, question: &str) -> usize {
        let [low, high] = self.flags.to_le_bytes();
        let bytes = question.bytes().chain([self.pick, low, high]);
        let hash = bytes.fold(0xCBF2_9CE4_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        // The low bits of the hash depend on the low bits of the last byte only.
        (hash ^ hash >> 15) as usize >> 3
    }

    /// Index selected among `count` objects; None if `count` is 0.
    pub fn of(&self, count: usize) -> Option<usize> {
        usize::from(self.pick).checked_rem(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Given all moves, a chance is true for its part of them, and two questions have answers of their own.
    #[test]
    fn a_chance_is_true_for_its_part_of_the_moves() {
        let moves = (0..=u16::MAX).map(|flags| Move { kind: (), pick: (flags % 251) as u8, flags, pause: 0 });
        let (mut first, mut both) = (0, 0);
        for each in moves {
            first += usize::from(each.chance("a", 30));
            both += usize::from(each.chance("a", 30) && each.chance("b", 30));
            assert!(!each.chance("a", 0) && each.chance("a", 100));
        }
        assert!((18_000..21_300).contains(&first), "{first}");
        assert!((4_700..7_100).contains(&both), "{both}");
    }
}
