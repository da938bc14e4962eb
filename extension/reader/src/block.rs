//! Sixteen bytes at a time: where in them something ends. The only file with unsafe code, for loads and vector instructions.
#![allow(unsafe_code)]

/// Bytes of a block.
pub(crate) const SIZE: usize = 16;

pub(crate) use vector::Block;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vector {
    use super::SIZE;
    use core::arch::wasm32::{
        i8x16_bitmask, i8x16_eq, i8x16_ne, u8x16_gt, u8x16_le, u8x16_splat, u8x16_sub, v128, v128_load, v128_or, v128_xor,
    };

    /// Sixteen bytes of the text.
    #[derive(Clone, Copy)]
    pub(crate) struct Block(v128);

    impl Block {
        #[inline(always)]
        pub fn new(bytes: &[u8; SIZE]) -> Block {
            // SAFETY: the reference is valid for reads of sixteen bytes, and this load needs no alignment.
            Block(unsafe { v128_load(bytes.as_ptr().cast()) })
        }

        /// Index of the first quote, backslash or control character; 16 if there is none.
        #[inline(always)]
        pub fn text_stop(self) -> usize {
            // Exclusive or with 2 takes the quote to 0x20, keeps controls below it and takes nothing else there.
            let quote_or_control = u8x16_le(v128_xor(self.0, u8x16_splat(2)), u8x16_splat(0x20));
            first(v128_or(quote_or_control, i8x16_eq(self.0, u8x16_splat(b'\\'))))
        }

        /// Index of the first byte that is not a space; 16 if there is none.
        #[inline(always)]
        pub fn no_space(self) -> usize {
            first(i8x16_ne(self.0, u8x16_splat(b' ')))
        }

        /// Index of the first byte that is not a digit; 16 if there is none.
        #[inline(always)]
        pub fn no_digit(self) -> usize {
            first(u8x16_gt(u8x16_sub(self.0, u8x16_splat(b'0')), u8x16_splat(9)))
        }
    }

    #[inline(always)]
    fn first(found: v128) -> usize {
        (u32::from(i8x16_bitmask(found)) | 1 << SIZE).trailing_zeros() as usize
    }
}

#[cfg(target_arch = "x86_64")]
mod vector {
    use super::SIZE;
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_min_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
        _mm_sub_epi8, _mm_xor_si128,
    };

    /// Sixteen bytes of the text.
    #[derive(Clone, Copy)]
    pub(crate) struct Block(__m128i);

    impl Block {
        #[inline(always)]
        pub fn new(bytes: &[u8; SIZE]) -> Block {
            // SAFETY: the reference is valid for reads of sixteen bytes, this load needs no alignment, and every x86_64
            // has SSE2.
            Block(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
        }

        /// Index of the first quote, backslash or control character; 16 if there is none.
        #[inline(always)]
        pub fn text_stop(self) -> usize {
            // SAFETY: every x86_64 has SSE2; these instructions touch no memory.
            let found = unsafe {
                // Exclusive or with 2 takes the quote to 0x20, keeps controls below it and takes nothing else there.
                let moved = _mm_xor_si128(self.0, _mm_set1_epi8(2));
                let quote_or_control = _mm_cmpeq_epi8(_mm_min_epu8(moved, _mm_set1_epi8(0x20)), moved);
                let backslash = _mm_cmpeq_epi8(self.0, _mm_set1_epi8(b'\\' as i8));
                _mm_movemask_epi8(_mm_or_si128(quote_or_control, backslash))
            };
            first(found)
        }

        /// Index of the first byte that is not a space; 16 if there is none.
        #[inline(always)]
        pub fn no_space(self) -> usize {
            // SAFETY: every x86_64 has SSE2; these instructions touch no memory.
            let spaces = unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(self.0, _mm_set1_epi8(b' ' as i8))) };
            first(!spaces)
        }

        /// Index of the first byte that is not a digit; 16 if there is none.
        #[inline(always)]
        pub fn no_digit(self) -> usize {
            // SAFETY: every x86_64 has SSE2; these instructions touch no memory.
            let digits = unsafe {
                let value = _mm_sub_epi8(self.0, _mm_set1_epi8(b'0' as i8));
                _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(value, _mm_set1_epi8(9)), value))
            };
            first(!digits)
        }
    }

    #[inline(always)]
    fn first(found: i32) -> usize {
        (found as u32 | 1 << SIZE).trailing_zeros() as usize
    }
}

#[cfg(not(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64")))]
mod vector {
    pub(crate) use super::words::Block;
}

/// The same with plain words of eight bytes, for machines without an own way above, and to hold that against it in tests.
#[cfg_attr(any(all(target_arch = "wasm32", target_feature = "simd128"), target_arch = "x86_64"), cfg(test))]
mod words {
    use super::SIZE;

    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;

    /// Sixteen bytes of the text.
    #[derive(Clone, Copy)]
    pub(crate) struct Block(u64, u64);

    impl Block {
        #[inline(always)]
        pub fn new(bytes: &[u8; SIZE]) -> Block {
            let whole = u128::from_le_bytes(*bytes);
            Block(whole as u64, (whole >> 64) as u64)
        }

        /// Index of the first quote, backslash or control character; 16 if there is none.
        #[inline(always)]
        pub fn text_stop(self) -> usize {
            self.first(|word| zero(word ^ splat(b'"')) | zero(word ^ splat(b'\\')) | below(word, 0x20))
        }

        /// Index of the first byte that is not a space; 16 if there is none.
        #[inline(always)]
        pub fn no_space(self) -> usize {
            self.first(|word| word ^ splat(b' '))
        }

        /// Index of the first byte that is not a digit; 16 if there is none.
        #[inline(always)]
        pub fn no_digit(self) -> usize {
            // A digit has the upper half 3 and keeps it when 6 is added, which carries out of no byte whose half is 3.
            let halves = splat(0xf0);
            self.first(|word| (word & halves ^ splat(0x30)) | ((word & !halves) + splat(6) & splat(0x10)))
        }

        /// Index of the first byte that `mark` leaves a bit in; marks behind the first need not be right.
        #[inline(always)]
        fn first(self, mark: impl Fn(u64) -> u64) -> usize {
            let (low, high) = (mark(self.0), mark(self.1));
            if low != 0 { low.trailing_zeros() as usize / 8 } else { 8 + high.trailing_zeros() as usize / 8 }
        }
    }

    fn splat(byte: u8) -> u64 {
        ONES * u64::from(byte)
    }

    fn zero(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word & TOPS
    }

    fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(splat(limit)) & !word & TOPS
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, SIZE, words};

    fn expected(bytes: &[u8; SIZE], stops: impl Fn(u8) -> bool) -> usize {
        bytes.iter().position(|byte| stops(*byte)).unwrap_or(SIZE)
    }

    fn check(bytes: &[u8; SIZE]) {
        let text = expected(bytes, |byte| byte == b'"' || byte == b'\\' || byte < 0x20);
        let space = expected(bytes, |byte| byte != b' ');
        let digit = expected(bytes, |byte| !byte.is_ascii_digit());
        let block = Block::new(bytes);
        assert_eq!((block.text_stop(), block.no_space(), block.no_digit()), (text, space, digit), "{bytes:?}");
        let block = words::Block::new(bytes);
        assert_eq!((block.text_stop(), block.no_space(), block.no_digit()), (text, space, digit), "{bytes:?} in words");
    }

    /// Every byte at every place, alone among bytes that stop nothing and before ones that stop everything.
    #[test]
    fn the_first_stop_is_found_wherever_it_stands() {
        for quiet in [b' ', b'5', b'a', 0x7f, 0xc3, 0xff] {
            for behind in [quiet, 0, b'"', b'\\', 0x1f, b'!', b'/', b':'] {
                for byte in 0..=u8::MAX {
                    for place in 0..SIZE {
                        let mut bytes = [quiet; SIZE];
                        bytes[place..].fill(behind);
                        bytes[place] = byte;
                        check(&bytes);
                    }
                }
            }
        }
    }

    /// A block may begin at any address.
    #[test]
    fn a_block_needs_no_alignment() {
        let memory: Vec<u8> = (0..=u8::MAX).collect();
        for start in 0..memory.len() - SIZE {
            check(memory[start..].first_chunk().unwrap());
        }
    }
}
