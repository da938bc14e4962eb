//! Which connected accounts are swept, and from when? Each account that the store knows has a mark of its own. An account
//! whose events cannot be listed keeps its mark and stops no other account.

use host_site::sweep::{SweepError, Swept};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Maximum accounts of one sweep, at a request each: about a quarter of an hour. The next sweep goes on after the last one.
const ACCOUNTS_MAX: usize = 5_000;
/// Number of accounts that are read from the store together.
const PAGE: usize = 200;

/// Times of the newest listed events by connected account, in seconds since the epoch.
pub(crate) type Marks = BTreeMap<String, i64>;

/// The connected accounts, over all sweeps.
#[derive(Debug, Default)]
pub(crate) struct ConnectedAccounts {
    pub(crate) marks: Marks,
    /// The last account of a sweep that did not reach all accounts.
    after: Option<String>,
}

/// The result of a sweep of connected accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SweptAccounts {
    /// Number of swept accounts.
    pub(crate) swept: usize,
    /// Number of events whose deliveries were lost.
    pub(crate) missed: usize,
    /// Number of accounts whose events could not be listed, for example since they ended the connection.
    pub(crate) failed: usize,
    /// Number of accounts that have more events than a list has.
    pub(crate) cut_off: usize,
}

impl ConnectedAccounts {
    pub(crate) fn new(marks: Marks) -> ConnectedAccounts {
        ConnectedAccounts { marks, after: None }
    }

    /// Sweeps the accounts. `accounts` returns a page of them, in order; `sweep` sweeps one from a time. An account without a
    /// mark begins at `first_s`. Ends early if `is_stopped`.
    pub(crate) fn sweep(
        &mut self,
        first_s: i64,
        mut accounts: impl FnMut(Option<&str>, usize) -> Result<Vec<String>, SweepError>,
        mut sweep: impl FnMut(&str, i64) -> Result<Swept, SweepError>,
        is_stopped: impl Fn() -> bool,
    ) -> Result<SweptAccounts, SweepError> {
        let (mut result, mut left) = (SweptAccounts::default(), ACCOUNTS_MAX);
        while left > 0 {
            let limit = PAGE.min(left);
            let page = accounts(self.after.as_deref(), limit)?;
            let is_last = page.len() < limit;
            self.forget_others(&page, is_last);
            for account in &page {
                if is_stopped() {
                    return Ok(result);
                }
                let mark = self.marks.entry(account.clone()).or_insert(first_s);
                match sweep(account, *mark) {
                    Ok(swept) => {
                        *mark = (*mark).max(swept.newest_s.unwrap_or(*mark));
                        result.swept += 1;
                        result.missed += swept.missed;
                        result.cut_off += usize::from(!swept.is_complete);
                    }
                    Err(SweepError::List(_) | SweepError::Entry(_)) => result.failed += 1,
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

    /// Removes the marks of the accounts that the store no longer knows, within the range of a page.
    fn forget_others(&mut self, page: &[String], is_last: bool) {
        let from = self.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let to = page.last().filter(|_| !is_last).map_or(Bound::Unbounded, |last| Bound::Included(last.as_str()));
        let in_range = self.marks.range::<str, _>((from, to)).map(|(account, _)| account);
        let gone: Vec<String> = in_range.filter(|account| page.binary_search(account).is_err()).cloned().collect();
        for account in &gone {
            self.marks.remove(account);
        }
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

    fn swept(newest_s: Option<i64>) -> Swept {
        Swept { listed: 2, missed: 1, early: 1, newest_s, is_complete: true }
    }

    #[test]
    fn each_account_begins_at_its_own_mark_and_one_that_fails_keeps_it() {
        let all = names(3);
        let mut known = ConnectedAccounts::new([(all[1].clone(), 50), ("acct_gone".to_owned(), 60)].into());
        let mut asked = Vec::new();
        let accounts = |after: Option<&str>, limit| Ok(page(&all, after, limit));
        let result = known.sweep(
            7,
            accounts,
            |account, since| {
                asked.push((account.to_owned(), since));
                match account {
                    "acct_00001" => Err(SweepError::List("no access".to_owned())),
                    "acct_00002" => Ok(Swept { is_complete: false, ..swept(None) }),
                    _ => Ok(swept(Some(90))),
                }
            },
            || false,
        );
        assert_eq!(result.expect("swept"), SweptAccounts { swept: 2, missed: 2, failed: 1, cut_off: 1 });
        assert_eq!(asked, [(all[0].clone(), 7), (all[1].clone(), 50), (all[2].clone(), 7)]);
        let marks = [(all[0].clone(), 90), (all[1].clone(), 50), (all[2].clone(), 7)];
        assert_eq!(known.marks, marks.into(), "the mark of an account that is gone is forgotten");
    }

    #[test]
    fn a_sweep_is_bounded_and_the_next_one_goes_on_after_it() {
        let all = names(ACCOUNTS_MAX + PAGE);
        let mut known = ConnectedAccounts::default();
        let mut count = |stop_after: usize| {
            let seen = std::cell::Cell::new(0);
            let result = known.sweep(
                0,
                |after, limit| Ok(page(&all, after, limit)),
                |_, _| {
                    seen.set(seen.get() + 1);
                    Ok(swept(None))
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
        let ended = || SweepError::NotAsked(host_site::questions::NotAsked::Ended);
        let result = known.sweep(0, |_, _| Ok(names(2)), |_, _| Err(ended()), || false);
        assert!(matches!(result, Err(SweepError::NotAsked(_))), "{result:?}");
    }
}
