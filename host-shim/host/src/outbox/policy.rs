//! When a passing failure is tried again.

use products_contract::RetryPolicy;

/// For effects that say nothing and whose kind is not declared either.
pub const DEFAULT_RETRY: RetryPolicy = RetryPolicy { max_attempts: 5, first_delay_ms: 1_000, max_delay_ms: 600_000 };

/// Milliseconds until the next attempt after `attempts` failed ones; none if there is no further one.
pub fn retry_delay_ms(policy: &RetryPolicy, attempts: u32) -> Option<i64> {
    if attempts >= policy.max_attempts {
        return None;
    }
    let doublings = attempts.saturating_sub(1).min(32);
    let delay = u64::from(policy.first_delay_ms) << doublings;
    Some(delay.min(u64::from(policy.max_delay_ms)) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_from_the_first_to_the_longest() {
        let policy = RetryPolicy { max_attempts: 6, first_delay_ms: 1_000, max_delay_ms: 5_000 };
        let delays: Vec<_> = (1..=7).map(|attempts| retry_delay_ms(&policy, attempts)).collect();
        assert_eq!(delays, [Some(1_000), Some(2_000), Some(4_000), Some(5_000), Some(5_000), None, None]);
    }

    #[test]
    fn many_attempts_do_not_overflow() {
        let policy = RetryPolicy { max_attempts: u32::MAX, first_delay_ms: u32::MAX, max_delay_ms: u32::MAX };
        assert_eq!(retry_delay_ms(&policy, u32::MAX - 1), Some(i64::from(u32::MAX)));
    }
}
