//! The products, prices, fields and resources of a loaded catalog to which a scenario can refer. They come from the rows of the account
//! `platform`.

use crate::rig::Rig;
use extension_contract::Account;
use host_engine::view;
use host_scenario::error::ReplayError;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Product type of the rows that contain product types.
const PRODUCT_TYPE: &str = "product_type";

/// A loaded catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loaded {
    /// Ids of the prices.
    pub prices: BTreeSet<String>,
    /// Ids of the catalog's products, and their values of the field that identifies products of their type.
    pub products: BTreeSet<String>,
    /// The product types.
    pub types: Vec<LoadedType>,
}

/// A product type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoadedType {
    /// Name and aliases.
    pub names: BTreeSet<String>,
    /// The field that identifies a product of the type.
    pub infer_by: Option<String>,
    /// Metadata fields, including those that the extension adds; none if any key is allowed.
    pub fields: Option<BTreeSet<String>>,
    /// Resources and steps of `provisions`, each with the kind of its resource; a step has none.
    pub entries: BTreeMap<String, Option<String>>,
    /// Outputs that a person reports, by entry.
    pub asks: BTreeMap<String, BTreeSet<String>>,
}

impl Loaded {
    /// Reads the catalog of a started host.
    ///
    /// # Errors
    ///
    /// Fails if the store can't be read.
    pub(crate) fn of(host: &Rig) -> Result<Loaded, ReplayError> {
        let rows = view::rows(host.processor(), &Account::Platform, "products")?;
        let rows = || rows.as_object().into_iter().flatten();
        let of_types = rows().filter(|(_, row)| row["product_type"] == PRODUCT_TYPE);
        let types: Vec<LoadedType> = of_types.map(|(_, row)| LoadedType::of(&row["metadata"])).collect();
        let prices = view::prices(host.processor())?;
        let mut products = BTreeSet::new();
        for (id, row) in rows() {
            let is_of = |of: &&LoadedType| row["product_type"].as_str().is_some_and(|name| of.names.contains(name));
            let Some(of) = types.iter().find(is_of) else { continue };
            let value = of.infer_by.as_ref().and_then(|field| row["metadata"][field].as_str());
            products.extend([Some(id.as_str()), value].into_iter().flatten().map(str::to_owned));
        }
        Ok(Loaded { prices: keys(&prices), products, types })
    }

    /// Returns the entries of all types with this name.
    pub(crate) fn entries<'l>(&'l self, name: &'l str) -> impl Iterator<Item = (&'l LoadedType, Option<&'l str>)> {
        self.types.iter().filter_map(move |of| Some((of, of.entries.get(name)?.as_deref())))
    }

    /// Returns the fields that products of these types can have; none if a type allows any key.
    pub(crate) fn fields<'l>(types: impl Iterator<Item = &'l LoadedType>) -> Option<BTreeSet<String>> {
        types.map(|of| of.fields.clone()).try_fold(BTreeSet::new(), |mut all, fields| {
            all.extend(fields?);
            Some(all)
        })
    }
}

impl LoadedType {
    fn of(decl: &Value) -> LoadedType {
        let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let names_in =
            |value: &Value| items(value).iter().filter_map(|item| text(&item["name"])).collect::<BTreeSet<_>>();
        let aliases = items(&decl["aliases"]);
        let provisions = items(&decl["provisions"]);
        let named = || provisions.iter().filter_map(|entry| Some((text(&entry["name"])?, entry)));
        LoadedType {
            names: aliases.iter().chain([&decl["name"]]).filter_map(text).collect(),
            infer_by: text(&decl["infer_by"]),
            fields: (decl["extras"] != true).then(|| names_in(&decl["fields"])),
            entries: named().map(|(name, entry)| (name, text(&entry["resource"]))).collect(),
            asks: named().map(|(name, entry)| (name, names_in(&entry["or_manual"]["asks"]))).collect(),
        }
    }
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}
