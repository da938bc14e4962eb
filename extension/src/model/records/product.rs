//! A product row of the account: an instance, or a row that another service maintains.

use crate::model::json::{Object, decode, encode};
use crate::model::shared::Shared;
use crate::model::table::Record;
use extension_contract::{Fallible, ProductValues, Row, RowKey, Write};
use std::cell::OnceCell;

/// The values of a product that is not deleted.
#[derive(Clone, Debug)]
pub(crate) struct ProductRow {
    values: Shared<ProductValues>,
    /// The decoded metadata. Once set, it replaces the text in `values`.
    metadata: OnceCell<Shared<Object>>,
}

impl From<ProductValues> for ProductRow {
    fn from(values: ProductValues) -> Self {
        ProductRow { values: values.into(), metadata: OnceCell::new() }
    }
}

impl ProductRow {
    /// Creates a row whose metadata differs from the text in `values`.
    pub fn with(values: Shared<ProductValues>, metadata: Shared<Object>) -> Self {
        ProductRow { values, metadata: OnceCell::from(metadata) }
    }

    /// Returns the product type.
    pub fn product_type(&self) -> &str {
        &self.values.product_type
    }

    /// Returns the values and the metadata. The metadata text in the values may be out of date.
    pub fn parts(&self, id: &str) -> Fallible<(Shared<ProductValues>, Shared<Object>)> {
        if let Some(metadata) = self.metadata.get() {
            return Ok((self.values.clone(), metadata.clone()));
        }
        let metadata: Object = decode("products", id, &self.values.metadata)?;
        Ok((self.values.clone(), self.metadata.get_or_init(|| metadata.into()).clone()))
    }

    /// Returns whether the row shares these values and this metadata by pointer.
    pub fn has(&self, values: &Shared<ProductValues>, metadata: &Shared<Object>) -> bool {
        self.values.is_same_as(values) && self.metadata.get().is_some_and(|own| own.is_same_as(metadata))
    }

    /// Returns the values with up-to-date metadata text.
    pub fn values(&self) -> Fallible<ProductValues> {
        let mut values = ProductValues::clone(&self.values);
        if let Some(metadata) = self.metadata.get() {
            values.metadata = encode(&**metadata)?;
        }
        Ok(values)
    }
}

impl Record for ProductRow {
    fn key(id: &str) -> RowKey {
        RowKey::Product(id.to_owned())
    }

    fn read(row: &Row) -> Fallible<Option<Self>> {
        Ok(match row {
            Row::Product(row) if !row.deleted => Some(row.values.clone().into()),
            _ => None,
        })
    }

    fn write(&self) -> Fallible<Write> {
        self.values().map(Write::Product)
    }

    fn is_live(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn values(metadata: &str) -> ProductValues {
        ProductValues {
            product_type: "instance".to_owned(),
            name: "My app".to_owned(),
            description: String::new(),
            active: true,
            price: None,
            interval: None,
            filters: Vec::new(),
            metadata: metadata.to_owned(),
        }
    }

    #[test]
    fn metadata_changed_as_an_object_replaces_the_text() {
        let row = ProductRow::from(values(r#"{ "b": 1 }"#));
        assert_eq!(row.values().expect("encoded").metadata, r#"{ "b": 1 }"#, "the metadata was not decoded");
        let (values, mut metadata) = row.parts("inst_1").expect("decoded");
        assert!(row.has(&values, &metadata));
        metadata.insert("a".to_owned(), json!(2));
        assert!(!row.has(&values, &metadata), "the row keeps its own metadata");
        let changed = ProductRow::with(values, metadata);
        assert_eq!(changed.values().expect("encoded").metadata, r#"{"a":2,"b":1}"#);
        assert_eq!(row.values().expect("encoded").metadata, r#"{"b":1}"#);
    }
}
