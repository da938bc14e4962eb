//! Sweeps the connected accounts that the store knows. Each account has its own mark. An account whose events cannot be
//! listed keeps its mark and does not stop the other accounts.

use host_api::site::sweep::{SweepError, Swept};

/// Maximum number of accounts per sweep, at one request each: about a quarter of an hour. The next sweep continues after
/// the last one.
const ACCOUNTS_MAX: usize = 5_000;
/// Number of accounts that are read from the store together.
const PAGE: usize = 200;

/// The connected accounts, over all sweeps.
#[derive(Debug, Default)]
pub(crate) struct ConnectedAccounts {
    /// The last account of a sweep that did not cover all accounts.
    after: Option<String>,
}

/// The result of a sweep of connected accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SweptAccounts {
    /// Number of swept accounts.
    pub(crate) swept: usize,
    /// Number of events whose deliveries were lost.
    pub(crate) missed: usize,
    /// Number of events that cannot be read.
    pub(crate) refused: usize,
    /// Number of accounts whose events could not be listed, for example because they ended the connection.
    pub(crate) failed: usize,
}

impl ConnectedAccounts {
    /// Sweeps the accounts. `accounts` returns a page of them, in order; `sweep` sweeps one. Ends early if `is_stopped`.
    pub(crate) fn sweep(
        &mut self,
        mut accounts: impl FnMut(Option<&str>, usize) -> Result<Vec<String>, SweepError>,
        mut sweep: impl FnMut(&str) -> Result<Swept, SweepError>,
        is_stopped: impl Fn() -> bool,
    ) -> Result<SweptAccounts, SweepError> {
        let (mut result, mut left) = (SweptAccounts::default(), ACCOUNTS_MAX);
        while left > 0 {
            let limit = PAGE.min(left);
            let page = accounts(self.after.as_deref(), limit)?;
            let is_last = page.len() < limit;
            for account in &page {
                if is_stopped() {
                    return Ok(result);
                }
                match sweep(account) {
                    Ok(swept) => {
                        result.swept += 1;
                        result.missed += swept.missed;
                        result.refused += swept.refused;
                    }
                    Err(SweepError::List(_)) => result.failed += 1,
                    Err(error) => return Err(error),
                }
                self.after = Some(account.clone());
            }
            if is_last {
                self.after = None;
                break;
            }
            left -= page.len();
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("acct_{number:05}")).collect()
    }

    fn page(all: &[String], after: Option<&str>, limit: usize) -> Vec<String> {
        all.iter().filter(|name| after.is_none_or(|after| name.as_str() > after)).take(limit).cloned().collect()
    }

    #[test]
    fn an_account_that_fails_stops_no_other() {
        let all = names(3);
        let mut known = ConnectedAccounts::default();
        let mut asked = Vec::new();
        let accounts = |after: Option<&str>, limit| Ok(page(&all, after, limit));
        let result = known.sweep(
            accounts,
            |account| {
                asked.push(account.to_owned());
                match account {
                    "acct_00001" => Err(SweepError::List("no access".to_owned())),
                    _ => Ok(Swept { listed: 3, missed: 1, early: 1, refused: 1, ..Swept::default() }),
                }
            },
            || false,
        );
        assert_eq!(result.expect("swept"), SweptAccounts { swept: 2, missed: 2, refused: 2, failed: 1 });
        assert_eq!(asked, all);
    }

    #[test]
    fn a_sweep_is_bounded_and_the_next_one_goes_on_after_it() {
        let all = names(ACCOUNTS_MAX + PAGE);
        let mut known = ConnectedAccounts::default();
        let mut count = |stop_after: usize| {
            let seen = std::cell::Cell::new(0);
            let result = known.sweep(
                |after, limit| Ok(page(&all, after, limit)),
                |_| {
                    seen.set(seen.get() + 1);
                    Ok(Swept::default())
                },
                || seen.get() >= stop_after,
            );
            result.expect("swept").swept
        };
        assert_eq!(count(usize::MAX), ACCOUNTS_MAX);
        assert_eq!(count(usize::MAX), PAGE, "the rest");
        assert_eq!(count(3), 3, "a stop ends it early");
        assert_eq!(count(usize::MAX), ACCOUNTS_MAX, "and it goes on there");
    }

    #[test]
    fn a_site_that_has_stopped_ends_the_sweep() {
        let mut known = ConnectedAccounts::default();
        let ended = || SweepError::NotAsked(host_api::site::questions::NotAsked::Ended);
        let result = known.sweep(|_, _| Ok(names(2)), |_| Err(ended()), || false);
        assert!(matches!(result, Err(SweepError::NotAsked(_))), "{result:?}");
    }
}
