//! Generates ids from the seed and a counter only, with Stripe's alphabet and lengths.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The mixing function of the generator SplitMix64.
pub fn mix(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// Returns `length` letters and digits that depend only on the seed and the number.
pub fn characters(seed: u64, number: u64, length: usize) -> String {
    let base = mix(seed ^ mix(number));
    let mut out = String::with_capacity(length);
    let mut word = base;
    for index in 0..length {
        // Each 64-bit word yields ten characters.
        if index % 10 == 0 {
            word = mix(base.wrapping_add(index as u64));
        }
        out.push(ALPHABET[(word % 62) as usize] as char);
        word /= 62;
    }
    out
}

/// Returns an id such as `cus_NffrFeUfNV2Hib`.
pub fn id(prefix: &str, seed: u64, number: u64) -> String {
    let (lead, length) = match prefix {
        "acct" | "cus" | "prod" | "si" | "req" | "sub_sched" | "ppage" => ("", 14),
        "cs_test" => ("a1", 56),
        "whsec" => ("", 32),
        _ => ("1", 23),
    };
    format!("{prefix}_{lead}{}", characters(seed, number, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_deterministic_and_unique() {
        assert_eq!(id("cus", 1, 1), id("cus", 1, 1));
        assert_ne!(id("cus", 1, 1), id("cus", 2, 1));
        let many: BTreeSet<String> = (0..50_000).map(|n| id("cus", 7, n)).collect();
        assert_eq!(many.len(), 50_000);
    }
}
