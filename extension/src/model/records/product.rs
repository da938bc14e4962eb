//! A product row of the account: an instance, or what somebody else keeps there.

use crate::model::table::Record;
use products_contract::{Fallible, ProductValues, Row, RowKey, Write};

/// The values of a product that is not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProductRow(pub ProductValues);

impl Record for ProductRow {
    fn key(id: &str) -> RowKey {
        RowKey::Product(id.to_owned())
    }

    fn read(row: &Row) -> Fallible<Option<Self>> {
        Ok(match row {
            Row::Product(row) if !row.deleted => Some(ProductRow(row.values.clone())),
            _ => None,
        })
    }

    fn write(&self) -> Fallible<Write> {
        Ok(Write::Product(self.0.clone()))
    }

    fn is_live(&self) -> bool {
        false
    }
}
