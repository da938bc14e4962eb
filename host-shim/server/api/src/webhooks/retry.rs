//! Computes when a failed delivery is retried: at the times that Standard Webhooks recommends, over about three days.

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

/// Delay after each failed attempt, in milliseconds.
const DELAYS: [i64; 9] =
    [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
/// Maximum number of attempts.
pub const ATTEMPTS_MAX: u32 = DELAYS.len() as u32 + 1;
/// How long an endpoint may fail without a success before it is disabled, in milliseconds: three days.
pub const FAILING_MS: i64 = 72 * HOUR;

/// Returns the time until the next attempt after this many failed ones, in milliseconds; none after the last attempt.
pub fn after(attempts: u32) -> Option<i64> {
    let last = usize::try_from(attempts).ok()?.checked_sub(1)?;
    DELAYS.get(last).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attempts_cover_three_days() {
        let all: i64 = (1..ATTEMPTS_MAX).filter_map(after).sum();
        assert!((FAILING_MS..80 * HOUR).contains(&all), "{all}");
        assert_eq!((after(1), after(ATTEMPTS_MAX), after(0)), (Some(5 * SECOND), None, None));
    }
}
