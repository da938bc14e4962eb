//! Computes when a transient failure is retried.

/// Default delays after failed attempts, in milliseconds; used if neither the effect nor its kind has a retry policy.
pub const DEFAULT_DELAYS_MS: [u32; 4] = [1_000, 2_000, 4_000, 8_000];

/// Returns the milliseconds until the next attempt after `attempts` failed attempts; none if there is no further
/// attempt.
pub fn retry_delay_ms(delays_ms: &[u32], attempts: u32) -> Option<i64> {
    let failed_before = usize::try_from(attempts.saturating_sub(1)).ok()?;
    delays_ms.get(failed_before).map(|delay| i64::from(*delay))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failed_attempt_has_its_own_delay_and_the_last_has_none() {
        let delays: Vec<_> = (1..=5).map(|attempts| retry_delay_ms(&[10_000, 30_000, 5_000], attempts)).collect();
        assert_eq!(delays, [Some(10_000), Some(30_000), Some(5_000), None, None]);
        assert_eq!(retry_delay_ms(&DEFAULT_DELAYS_MS, u32::MAX), None);
        assert_eq!(retry_delay_ms(&[], 1), None);
    }
}
