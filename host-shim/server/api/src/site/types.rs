//! The product types that the catalog declares, for requests that name a type.

use serde_json::Value;

/// A product type of the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductType {
    /// Name.
    pub name: String,
    /// Aliases.
    pub aliases: Vec<String>,
    /// True if its products are sold by the platform; otherwise they belong to accounts.
    pub is_sold: bool,
}

impl ProductType {
    /// Returns true for its name and its aliases.
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }
}

/// Returns the product types of a catalog document that the extension has checked.
pub(crate) fn product_types(catalog: &Value) -> Vec<ProductType> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let declared = catalog["product_types"].as_array().into_iter().flatten();
    declared
        .filter_map(|decl| {
            Some(ProductType {
                name: text(&decl["name"])?,
                aliases: decl["aliases"].as_array().into_iter().flatten().filter_map(text).collect(),
                is_sold: decl["catalog"] == true,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_type_is_found_by_each_of_its_names() {
        let catalog = json!({"product_types": [
            {"name": "plan", "catalog": true},
            {"name": "instance", "aliases": ["old_instance"], "fields": []},
        ]});
        let types = product_types(&catalog);
        let sold: Vec<(&str, bool)> = types.iter().map(|it| (it.name.as_str(), it.is_sold)).collect();
        assert_eq!(sold, [("plan", true), ("instance", false)]);
        assert!(types[1].is_named("old_instance") && types[1].is_named("instance") && !types[1].is_named("plan"));
        assert_eq!(product_types(&json!({})), []);
    }
}
