//! Determines which account owns an object: the sandbox's own account, or a connected account. A request with
//! `Stripe-Account` acts for a connected account: it sees only the objects of this account, and creates objects of this
//! account. The row of an object has the owner in its key and kind, so objects of different accounts never collide.

use std::borrow::Cow;

use super::State;
use crate::object::Object;

/// Returns the name of a row or of a kind of rows, within the objects of its owner; an empty owner is the sandbox's own
/// account.
pub fn name_within<'n>(owner: &str, name: &'n str) -> Cow<'n, str> {
    // Ids and kinds contain no slash.
    if owner.is_empty() { Cow::Borrowed(name) } else { Cow::Owned(format!("{owner}/{name}")) }
}

/// Splits the name of a row into the owner and the key of the object.
fn divide(row: &str) -> (&str, &str) {
    row.split_once('/').filter(|(owner, _)| owner.starts_with("acct_")).unwrap_or(("", row))
}

impl State {
    /// Returns the id of the connected account for which the current request acts; empty for the sandbox's own account.
    pub fn acting(&self) -> &str {
        &self.acting
    }

    /// Sets the account for which the current request acts; an empty id is the sandbox's own account.
    pub fn act_for(&mut self, account: &str) {
        account.clone_into(&mut self.acting);
    }

    /// Runs an action for the account with this id; an empty id is the sandbox's own account.
    pub fn acting_for<T>(&mut self, account: &str, run: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.acting, account.to_owned());
        let outcome = run(self);
        self.acting = before;
        outcome
    }

    /// Returns a connected account, even while a request acts for it.
    pub fn connected_account(&self, id: &str) -> Option<std::sync::Arc<Object>> {
        self.find_row(id).filter(|found| found.kind() == "account")
    }

    /// Returns an account's object with a [key](crate::object::key), regardless of the account for which the request
    /// acts. An empty id is the sandbox's own account.
    pub fn find_of(&self, account: &str, id: &str) -> Option<std::sync::Arc<Object>> {
        self.find_row(&name_within(account, id))
    }

    /// Like [`State::next_due`], but separates the object's owner from its key: returns the time, the owner and the
    /// key.
    pub fn next_due_of(&self, clock: &str, until_s: i64) -> Option<(i64, String, String)> {
        let (time_s, row) = self.next_due(clock, until_s)?;
        let (owner, key) = divide(&row);
        Some((time_s, owner.to_owned(), key.to_owned()))
    }

    /// Removes all objects of a connected account.
    pub fn remove_all_of(&mut self, account: &str) {
        let rows = self.store.rows_of(account).unwrap_or_else(|error| self.fail(error));
        self.acting_for(account, |st| rows.iter().for_each(|row| st.remove(divide(row).1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_row_is_divided_into_owner_and_key() {
        for (owner, key) in [("", "cus_1"), ("acct_1", "cus_1"), ("acct_1", "coupon:SAVE"), ("", "acct_1")] {
            assert_eq!(divide(&name_within(owner, key)), (owner, key));
        }
    }
}
