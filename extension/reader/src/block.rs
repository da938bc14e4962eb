//! Marks the bytes at which the reader stops in a JSON string or in whitespace, in blocks of 64 bytes.
//!
//! This is the only file of the crate with unsafe code: vector instructions and an unchecked conversion to `str`.
#![allow(unsafe_code)]

/// Size of a block in bytes.
pub(crate) const SIZE: usize = 64;

/// Marked bytes of a block: one bit per byte, the lowest bit for the first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Quotes, backslashes and control characters: the reader stops at these bytes in a JSON string.
    pub stops: u64,
    /// Bytes other than space and line feed: the reader stops at these bytes in whitespace.
    pub solid: u64,
}

use vector::marks;

/// The marks of all blocks of a text.
pub(crate) struct Index {
    /// Marks of each block. The bits after the last byte of the text are 0.
    pub blocks: Vec<Marks>,
    /// Whether all bytes are ASCII.
    is_ascii: bool,
}

/// Computes the marks of all blocks.
pub(crate) fn index(bytes: &[u8]) -> Index {
    let (blocks, rest) = bytes.as_chunks::<SIZE>();
    let mut marked = Vec::with_capacity(blocks.len() + 1);
    let mut is_ascii = true;
    for block in blocks {
        let (marks, ascii) = marks(block);
        is_ascii &= ascii;
        marked.push(marks);
    }
    if !rest.is_empty() {
        let mut block = [b' '; SIZE];
        block[..rest.len()].copy_from_slice(rest);
        let (marks, ascii) = marks(&block);
        is_ascii &= ascii;
        marked.push(marks);
    }
    Index { blocks: marked, is_ascii }
}

/// Returns the bytes as text, and the marks of all blocks. Fails if the bytes are not UTF-8.
pub(crate) fn text(bytes: &[u8]) -> Result<(&str, Index), std::str::Utf8Error> {
    let index = index(bytes);
    let text = match index.is_ascii {
        // SAFETY: every byte was checked to be ASCII, which is valid UTF-8.
        true => unsafe { std::str::from_utf8_unchecked(bytes) },
        false => std::str::from_utf8(bytes)?,
    };
    Ok((text, index))
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vector {
    use super::{Marks, SIZE};
    use core::arch::wasm32::{i8x16_bitmask, i8x16_eq, u8x16_le, u8x16_splat, v128, v128_load, v128_or, v128_xor};

    /// Returns the marks of the block, and whether it is ASCII.
    #[inline(always)]
    pub(super) fn marks(block: &[u8; SIZE]) -> (Marks, bool) {
        let (mut stops, mut blanks) = (0, 0);
        let mut all = u8x16_splat(0);
        let (quarters, _) = block.as_chunks::<16>();
        for (number, quarter) in quarters.iter().enumerate() {
            // SAFETY: the reference is valid for reads of sixteen bytes, and this load needs no alignment.
            let bytes = unsafe { v128_load(quarter.as_ptr().cast()) };
            all = v128_or(all, bytes);
            // XOR with 2 maps the quote and the control characters to values up to 0x20, and all other bytes to
            // larger values: a space becomes 0x22.
            let quotes_and_controls = u8x16_le(v128_xor(bytes, u8x16_splat(2)), u8x16_splat(0x20));
            stops |= bits(v128_or(quotes_and_controls, equal(bytes, b'\\'))) << (16 * number);
            blanks |= bits(v128_or(equal(bytes, b' '), equal(bytes, b'\n'))) << (16 * number);
        }
        (Marks { stops, solid: !blanks }, bits(all) == 0)
    }

    #[inline(always)]
    fn equal(bytes: v128, byte: u8) -> v128 {
        i8x16_eq(bytes, u8x16_splat(byte))
    }

    #[inline(always)]
    fn bits(found: v128) -> u64 {
        u64::from(i8x16_bitmask(found))
    }
}

#[cfg(target_arch = "x86_64")]
mod vector {
    use super::{Marks, SIZE};
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
        _mm_xor_si128,
    };

    /// Returns the marks of the block, and whether it is ASCII.
    #[inline(always)]
    pub(super) fn marks(block: &[u8; SIZE]) -> (Marks, bool) {
        let (mut stops, mut blanks, mut highs) = (0, 0, 0);
        let (quarters, _) = block.as_chunks::<16>();
        for (number, quarter) in quarters.iter().enumerate() {
            // SAFETY: the reference is valid for reads of sixteen bytes, this load needs no alignment, and every x86_64
            // has SSE2.
            let bytes = unsafe { _mm_loadu_si128(quarter.as_ptr().cast()) };
            // SAFETY: every x86_64 has SSE2; these instructions access no memory.
            let (stop, blank, high) = unsafe {
                // XOR with 2 maps the quote and the control characters to values up to 0x20, and all other bytes to
                // larger values: a space becomes 0x22.
                let moved = _mm_xor_si128(bytes, _mm_set1_epi8(2));
                let quotes_and_controls = _mm_cmpeq_epi8(_mm_min_epu8(moved, _mm_set1_epi8(0x20)), moved);
                let stop = _mm_or_si128(quotes_and_controls, equal(bytes, b'\\'));
                let blank = _mm_or_si128(equal(bytes, b' '), equal(bytes, b'\n'));
                (_mm_movemask_epi8(stop), _mm_movemask_epi8(blank), _mm_movemask_epi8(bytes))
            };
            highs |= high;
            stops |= u64::from(stop as u32) << (16 * number);
            blanks |= u64::from(blank as u32) << (16 * number);
        }
        (Marks { stops, solid: !blanks }, highs == 0)
    }

    #[inline(always)]
    fn equal(bytes: __m128i, byte: u8) -> __m128i {
        // SAFETY: every x86_64 has SSE2; this instruction accesses no memory.
        unsafe { _mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte as i8)) }
    }
}

#[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
use words as vector;

/// The portable implementation, for targets without vector code above. Handles eight bytes at a time as one integer.
#[cfg_attr(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64"), cfg(test))]
mod words {
    use super::{Marks, SIZE};

    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;

    /// Returns the marks of the block, and whether it is ASCII.
    pub(super) fn marks(block: &[u8; SIZE]) -> (Marks, bool) {
        let (mut stops, mut blanks, mut all) = (0, 0, 0);
        let (words, _) = block.as_chunks::<8>();
        for (number, word) in words.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            all |= word;
            let stop = equal(word, b'"') | equal(word, b'\\') | below_space(word);
            stops |= gathered(stop) << (8 * number);
            blanks |= gathered(equal(word, b' ') | equal(word, b'\n')) << (8 * number);
        }
        (Marks { stops, solid: !blanks }, all & TOPS == 0)
    }

    /// Compares each byte of `word` with `byte`. The result has the top bit set in the bytes that are equal.
    fn equal(word: u64, byte: u8) -> u64 {
        let difference = word ^ (ONES * u64::from(byte));
        // The addition does not carry into the next byte: the low 7 bits plus 0x7f are at most 0xfe.
        !(((difference & !TOPS) + !TOPS) | difference) & TOPS
    }

    /// Compares each byte of `word` with 0x20. The result has the top bit set in the bytes that are smaller.
    fn below_space(word: u64) -> u64 {
        !(((word & !TOPS) + ONES * 0x60) | word) & TOPS
    }

    /// Packs the eight top bits into a byte.
    fn gathered(tops: u64) -> u64 {
        // Each bit is shifted by a different multiple of seven, so that all end up in the top byte, in order.
        (tops >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
    }
}

#[cfg(test)]
mod tests {
    use super::{Marks, SIZE, marks, words};

    fn check(bytes: &[u8; SIZE]) {
        let mark = |is: fn(u8) -> bool| {
            let marked = bytes.iter().enumerate().filter(|(_, byte)| is(**byte));
            marked.fold(0_u64, |bits, (place, _)| bits | 1 << place)
        };
        let stops = mark(|byte| byte == b'"' || byte == b'\\' || byte < 0x20);
        let solid = mark(|byte| byte != b' ' && byte != b'\n');
        let expected = (Marks { stops, solid }, bytes.is_ascii());
        assert_eq!(marks(bytes), expected, "{bytes:?}");
        assert_eq!(words::marks(bytes), expected, "{bytes:?}, portable implementation");
    }

    #[test]
    fn every_byte_is_marked_at_every_position() {
        for around in [b' ', b'"', b'a', 0, 0x7f, 0x80, 0xff] {
            for byte in 0..=u8::MAX {
                for place in 0..SIZE {
                    let mut bytes = [around; SIZE];
                    bytes[place] = byte;
                    check(&bytes);
                }
            }
        }
    }

    #[test]
    fn a_block_needs_no_alignment() {
        let memory: Vec<u8> = (0..=u8::MAX).chain(0..=u8::MAX).collect();
        for start in 0..SIZE {
            memory[start..].as_chunks().0.iter().for_each(check);
        }
    }
}
