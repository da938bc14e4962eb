//! Lists of numbers as a text, which is shorter than JSON numbers and is encoded and decoded faster.

/// The characters of the digits. A character has five bits of a number; the characters of the second half mean that
/// more bits follow.
const DIGITS: &[u8; 64] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
/// Bits of a number in a character.
const BITS: u32 = 5;
/// Mark of a character after which more bits follow.
const MORE: u64 = 1 << BITS;

/// The digit of each ASCII character; 64 for other characters.
const DIGIT_OF: [u8; 128] = {
    let mut out = [64; 128];
    let mut digit = 0;
    while digit < DIGITS.len() {
        out[DIGITS[digit] as usize] = digit as u8;
        digit += 1;
    }
    out
};

/// Appends a number to a packed text.
pub(crate) fn push(text: &mut String, mut number: u64) {
    loop {
        let low = number % MORE;
        number >>= BITS;
        let digit = if number == 0 { low } else { low + MORE };
        text.push(char::from(DIGITS[(digit % 64) as usize]));
        if number == 0 {
            return;
        }
    }
}

/// Reads the numbers of a packed text, from first to last.
pub(crate) struct Numbers<'t>(std::slice::Iter<'t, u8>);

impl<'t> Numbers<'t> {
    /// Begins to read a text.
    pub fn of(text: &'t str) -> Numbers<'t> {
        Numbers(text.as_bytes().iter())
    }

    /// Returns whether all numbers are read.
    pub fn is_at_end(&self) -> bool {
        self.0.len() == 0
    }

    /// Returns the next number; `None` if the text ends or is not packed.
    pub fn next(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0u64, 0u32);
        loop {
            let digit = u64::from(*DIGIT_OF.get(usize::from(*self.0.next()?))?);
            if digit >= 64 || shift >= u64::BITS {
                return None;
            }
            let low = digit % MORE;
            // A packed number has at most 64 bits.
            if shift + BITS > u64::BITS && low >> (u64::BITS - shift) != 0 {
                return None;
            }
            number |= low << shift;
            if digit < MORE {
                return Some(number);
            }
            shift += BITS;
        }
    }
}

/// Returns the number of a signed one: small if it is near zero.
pub(crate) fn unsigned(number: i64) -> u64 {
    (number.wrapping_shl(1) ^ (number >> 63)) as u64
}

/// Returns the signed number of [`unsigned`].
pub(crate) fn signed(number: u64) -> i64 {
    ((number >> 1) as i64) ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_as_written() {
        let mut text = String::new();
        for number in [0, 31, 32, 1_000] {
            push(&mut text, number);
        }
        assert_eq!(text, "0vw1Ev");
        let mut numbers = Numbers::of("0vw1");
        assert_eq!(
            (numbers.next(), numbers.next(), numbers.next(), numbers.next()),
            (Some(0), Some(31), Some(32), None)
        );
    }

    /// Returns the first number of a text by arithmetic without a limit: the characters up to the first one of the lower half are
    /// digits to the base 32, the lowest first. A number has 64 bits, in at most 13 characters.
    fn first(text: &str) -> Option<u64> {
        let all = std::str::from_utf8(DIGITS).expect("ASCII");
        let digits: Vec<usize> = text.chars().map_while(|char| all.find(char)).collect();
        let end = digits.iter().position(|digit| *digit < 32).filter(|end| *end < 13)?;
        let number = digits[..=end].iter().rev().fold(0u128, |number, digit| number * 32 + *digit as u128 % 32);
        u64::try_from(number).ok()
    }

    #[test]
    fn a_text_that_is_not_packed_has_no_number() {
        let beyond = ["_____________", "____________g", "____________v", "_____________0"];
        for bad in ["", "!", "_", "é", "_!0"].into_iter().chain(beyond) {
            assert_eq!((Numbers::of(bad).next(), first(bad)), (None, None), "{bad}");
        }
        for (good, number) in [("____________f", u64::MAX), ("____________0", (1 << 60) - 1), ("0!", 0)] {
            assert_eq!((Numbers::of(good).next(), first(good)), (Some(number), Some(number)), "{good}");
        }
    }

    proptest! {
        #[test]
        fn a_text_has_the_number_of_its_digits(text in "[w-z_A-Z-]{0,14}[0-9a-v!é]{0,2}") {
            prop_assert_eq!(Numbers::of(&text).next(), first(&text));
        }

        #[test]
        fn numbers_survive_a_round_trip(all in proptest::collection::vec(any::<i64>(), 0..20)) {
            let mut text = String::new();
            all.iter().for_each(|number| push(&mut text, unsigned(*number)));
            let mut numbers = Numbers::of(&text);
            let read: Vec<i64> = std::iter::from_fn(|| numbers.next()).map(signed).collect();
            prop_assert_eq!(read, all);
            prop_assert!(numbers.is_at_end());
        }
    }
}
