//! Keys of rows as bytes, in the order of the values: null, numbers, texts in byte order.

use crate::cell::{Cell, Entity};
use crate::error::Stored;
use crate::schema::Column;
use extension_contract::Account;
use std::sync::Arc;

/// A key.
pub(super) type Key = Arc<[u8]>;

/// Follows all keys that begin with the same values, since each further value begins with a smaller byte.
pub(super) const END: u8 = 0xff;

/// Returns the key of a row. A scope is no part of it in a table of accounts, whose rows are kept by account.
pub(super) fn of_row<E: Entity>(row: &E, columns: &[Column]) -> Stored<Key> {
    let mut bytes = Vec::with_capacity(48);
    push_row(row, columns, &mut bytes)?;
    Ok(bytes.into())
}

/// Adds the values of a row.
pub(super) fn push_row<E: Entity>(row: &E, columns: &[Column], bytes: &mut Vec<u8>) -> Stored<()> {
    let columns = if E::TABLE.of_accounts { &columns[1..] } else { columns };
    columns.iter().try_for_each(|column| {
        push(&row.cell(*column)?, bytes);
        Ok(())
    })
}

/// Returns the key of a row with these values, for a table of accounts without the scope.
pub(super) fn of_cells(cells: &[Cell<'_>], is_of_accounts: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(48);
    cells.iter().skip(usize::from(is_of_accounts)).for_each(|cell| push(cell, &mut bytes));
    bytes
}

/// Adds a value.
pub(super) fn push(cell: &Cell<'_>, bytes: &mut Vec<u8>) {
    match cell {
        Cell::Null => bytes.push(0),
        Cell::Int(number) => {
            bytes.push(1);
            bytes.extend_from_slice(&(number ^ i64::MIN).to_be_bytes());
        }
        Cell::Text(text) => push_text(text.as_bytes(), bytes),
        Cell::Bytes(text) => push_text(text, bytes),
        Cell::Scope(scope) => {
            push_partition(&scope.business, scope.livemode, bytes);
            push_account(&scope.account, bytes);
        }
        Cell::Partition(business, livemode) => push_partition(business, *livemode, bytes),
        Cell::Account(account) => push_account(account, bytes),
    }
}

fn push_partition(business: &str, livemode: bool, bytes: &mut Vec<u8>) {
    push_text(business.as_bytes(), bytes);
    bytes.push(livemode.into());
}

/// Adds an account; accounts have no order.
fn push_account(account: &Account, bytes: &mut Vec<u8>) {
    match account {
        Account::Platform => bytes.push(3),
        Account::User(id) => push_text(id.as_bytes(), bytes),
        Account::Organization(id) => {
            bytes.push(4);
            push_text(id.as_bytes(), bytes);
        }
    }
}

/// Adds a text and its end, which is smaller than any text that goes on: a zero byte inside of the text is followed by a one.
fn push_text(text: &[u8], bytes: &mut Vec<u8>) {
    bytes.push(2);
    if text.contains(&0) {
        for part in text.split_inclusive(|byte| *byte == 0) {
            bytes.extend_from_slice(part);
            bytes.extend(part.ends_with(&[0]).then_some(1));
        }
    } else {
        bytes.extend_from_slice(text);
    }
    bytes.extend_from_slice(&[0, 0]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(cells: &[Cell<'_>]) -> Vec<u8> {
        of_cells(cells, false)
    }

    proptest! {
        #[test]
        fn keys_have_the_order_of_their_values(
            one in ("[\0a\u{ff}]{0,3}", any::<i64>(), "[\0b]{0,2}"), other in ("[\0a\u{ff}]{0,3}", any::<i64>(), "[\0b]{0,2}")
        ) {
            let cells = |(text, number, last): &(String, i64, String)| {
                bytes(&[text.clone().into(), (*number).into(), last.clone().into()])
            };
            prop_assert_eq!(cells(&one).cmp(&cells(&other)), one.cmp(&other));
        }

        #[test]
        fn the_end_of_a_value_follows_every_key_that_begins_with_it(text in "[\0a\u{ff}]{0,3}", more in "[\0a\u{ff}]{1,3}") {
            let end = [bytes(&[Cell::from(&text)]), vec![END]].concat();
            let longer = bytes(&[Cell::from([text.clone(), more.clone()].concat())]);
            prop_assert!(longer > end);
            prop_assert!(bytes(&[Cell::from(&text), Cell::from(&more)]) < end);
            prop_assert!(bytes(&[Cell::from(&text), Cell::Int(i64::MAX)]) < end);
        }
    }
}
