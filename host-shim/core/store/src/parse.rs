//! Parses the texts of references and of the keys of rows.

use extension_contract::{CatalogKey, RecordKey, Reference, RowKey};

/// Parses the text of a reference.
pub fn reference(text: &str) -> Option<Reference> {
    let (kind, rest) = text.split_once(':')?;
    Some(match kind {
        "row" => Reference::Row(row_key(rest)?),
        "catalog" => {
            let (kind, id) = rest.split_once(':')?;
            Reference::Catalog(match kind {
                "catalog-product" => CatalogKey::Product(id.to_owned()),
                "catalog-price" => CatalogKey::Price(id.to_owned()),
                "setting" => CatalogKey::Setting(id.to_owned()),
                _ => return None,
            })
        }
        "name" => Reference::Name(rest.to_owned()),
        _ => return None,
    })
}

/// Parses the `Display` form of a `RowKey`.
pub fn row_key(text: &str) -> Option<RowKey> {
    let (kind, id) = text.split_once(':')?;
    let owned = id.to_owned();
    Some(match kind {
        "product" => RowKey::Product(owned),
        "price" => RowKey::Price(owned),
        "purchase" => RowKey::Purchase(owned),
        "subscription" => RowKey::Subscription(owned),
        "record" => {
            let (collection, id) = id.split_once(':')?;
            RowKey::Record(RecordKey { collection: collection.to_owned(), id: id.to_owned() })
        }
        _ => return None,
    })
}
