//! The catalog during one decision: the entries that were read, with the changes of the decision.
//!
//! The catalog belongs to the account `platform`. A price is a small typed row that already contains its grants, so the
//! row of a plan is read only for instances on this plan.

use super::names::{BUSINESS, ENABLED, PRODUCT_TYPE};
use super::price::{Mode, prices_of};
use super::sale::Sale;
use super::schema::TypeDecl;
use super::settings::Settings;
use super::terms::CatalogPrice;
use crate::model::halt::Ruled;
use crate::model::ids::PriceId;
use crate::model::json::{Object, decode};
use crate::model::keys::type_row_id;
use crate::model::reader::Reader;
use extension_contract::*;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The catalog during one decision: the entries that were read, with the changes of the decision.
pub(crate) struct Catalog<'h> {
    reader: Rc<Reader<'h>>,
    /// The mode of the event.
    pub mode: Mode,
    products: RefCell<BTreeMap<String, Option<Rc<Product>>>>,
    /// The decoded metadata of products.
    metadata: RefCell<BTreeMap<String, Rc<Object>>>,
    prices: RefCell<BTreeMap<String, Option<Rc<CatalogPrice>>>>,
    config: RefCell<BTreeMap<String, Option<ConfigValue>>>,
    settings: RefCell<Option<Rc<Settings>>>,
    types: RefCell<BTreeMap<String, Option<Rc<TypeDecl>>>>,
    all_types: RefCell<Option<Rc<Vec<Rc<TypeDecl>>>>>,
}

impl<'h> Catalog<'h> {
    /// Creates a catalog without loaded entries.
    pub fn new(reader: Rc<Reader<'h>>, mode: Mode) -> Self {
        Catalog {
            reader,
            mode,
            products: RefCell::default(),
            metadata: RefCell::default(),
            prices: RefCell::default(),
            config: RefCell::default(),
            settings: RefCell::default(),
            types: RefCell::default(),
            all_types: RefCell::default(),
        }
    }

    /// Stores the entries that `open` returned. A product or price that `named` contains and `open` did not return does
    /// not exist.
    pub fn take_in(&self, rows: Vec<CatalogRow>, named: &[Reference]) {
        for row in rows {
            let key = match &row {
                CatalogRow::Product(row) => CatalogKey::Product(row.id.clone()),
                CatalogRow::Price(row) => CatalogKey::Price(row.id.clone()),
                // The row has no key, but at most one setting is referenced.
                CatalogRow::Setting(_) => CatalogKey::Setting(ENABLED.to_owned()),
            };
            self.write_over(key, Some(row));
        }
        for name in named {
            if let Reference::Catalog(key @ (CatalogKey::Product(_) | CatalogKey::Price(_))) = name
                && !self.is_loaded(key)
            {
                self.write_over(key.clone(), None);
            }
        }
    }

    fn is_loaded(&self, key: &CatalogKey) -> bool {
        match key {
            CatalogKey::Product(id) => self.products.borrow().contains_key(id),
            CatalogKey::Price(id) => self.prices.borrow().contains_key(id),
            CatalogKey::Setting(id) => self.config.borrow().contains_key(id),
        }
    }

    /// Reads those entries of `keys` that are not loaded yet, in one call.
    pub fn load(&self, keys: &[CatalogKey]) -> Ruled<()> {
        let missing: Vec<CatalogKey> = keys.iter().filter(|key| !self.is_loaded(key)).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let rows = self.reader.catalog_read(&missing)?;
        for (key, row) in missing.into_iter().zip(rows) {
            self.write_over(key, row);
        }
        Ok(())
    }

    /// Sets an entry to the value that was read or that the decision writes; `None` if the entry does not exist.
    pub fn write_over(&self, key: CatalogKey, row: Option<CatalogRow>) {
        if let CatalogKey::Product(id) = &key {
            self.metadata.borrow_mut().remove(id);
        }
        match (key, row) {
            (CatalogKey::Product(id), Some(CatalogRow::Product(row))) => {
                self.products.borrow_mut().insert(id, Some(Rc::new(row)));
            }
            (CatalogKey::Price(id), Some(CatalogRow::Price(row))) => {
                self.prices.borrow_mut().insert(id, Some(Rc::new(CatalogPrice::of(row))));
            }
            (CatalogKey::Setting(id), Some(CatalogRow::Setting(value))) => {
                self.config.borrow_mut().insert(id, Some(value));
            }
            (CatalogKey::Product(id), _) => drop(self.products.borrow_mut().insert(id, None)),
            (CatalogKey::Price(id), _) => drop(self.prices.borrow_mut().insert(id, None)),
            (CatalogKey::Setting(id), _) => drop(self.config.borrow_mut().insert(id, None)),
        }
    }

    /// Returns a product of the catalog that is not deleted.
    pub fn product(&self, id: &str) -> Ruled<Option<Rc<Product>>> {
        if let Some(known) = self.products.borrow().get(id) {
            return Ok(known.clone().filter(|row| !row.deleted));
        }
        self.load(&[CatalogKey::Product(id.to_owned())])?;
        Ok(self.products.borrow().get(id).cloned().flatten().filter(|row| !row.deleted))
    }

    /// Returns the metadata of a product of the catalog; empty if there is no such product.
    pub fn metadata(&self, id: &str) -> Ruled<Rc<Object>> {
        if let Some(known) = self.metadata.borrow().get(id) {
            return Ok(known.clone());
        }
        let metadata: Rc<Object> = Rc::new(match self.product(id)? {
            Some(row) => decode("products", &row.id, &row.values.metadata)?,
            None => Object::new(),
        });
        self.metadata.borrow_mut().insert(id.to_owned(), metadata.clone());
        Ok(metadata)
    }

    /// Returns how a product of the catalog is sold; `None` if there is no such product, or its type is gone.
    pub fn sale_of(&self, id: &str) -> Ruled<Option<Sale>> {
        let Some(product) = self.product(id)? else { return Ok(None) };
        let Some(decl) = self.type_named(&product.values.product_type)? else { return Ok(None) };
        Sale::of(&decl, &*self.metadata(id)?).map(Some)
    }

    /// Returns a price by its id at Stripe.
    pub fn price(&self, id: &PriceId) -> Ruled<Option<Rc<CatalogPrice>>> {
        if let Some(known) = self.prices.borrow().get(&**id) {
            return Ok(known.clone());
        }
        self.load(&[CatalogKey::Price(id.to_string())])?;
        Ok(self.prices.borrow().get(&**id).cloned().flatten())
    }

    /// Returns prices by their ids at Stripe, in the order of the ids, read in one call.
    pub fn prices<'i>(&self, ids: impl Iterator<Item = &'i PriceId> + Clone) -> Ruled<Vec<Option<Rc<CatalogPrice>>>> {
        if ids.clone().any(|id| !self.prices.borrow().contains_key(&**id)) {
            self.load(&ids.clone().map(|id| CatalogKey::Price(id.to_string())).collect::<Vec<_>>())?;
        }
        ids.map(|id| self.price(id)).collect()
    }

    /// Returns a configuration value; `None` if an optional value is not set.
    pub fn setting(&self, key: &str) -> Ruled<Option<ConfigValue>> {
        if let Some(known) = self.config.borrow().get(key) {
            return Ok(known.clone());
        }
        self.load(&[CatalogKey::Setting(key.to_owned())])?;
        Ok(self.config.borrow().get(key).cloned().flatten())
    }

    /// Returns the products of a type, or of all types for `None`, in order of their ids. Omits deleted products.
    pub fn products(&self, product_type: Option<&str>) -> Fallible<Vec<Rc<Product>>> {
        let query = match product_type {
            Some(name) => CatalogQuery::ProductType(name.to_owned()),
            None => CatalogQuery::All,
        };
        let mut found: BTreeMap<String, Rc<Product>> =
            self.reader.catalog_find(&query)?.into_iter().map(|row| (row.id.clone(), Rc::new(row))).collect();
        // Apply the writes of this decision.
        for (id, row) in &*self.products.borrow() {
            match row {
                Some(row) if !row.deleted && product_type.is_none_or(|name| row.values.product_type == name) => {
                    found.insert(id.clone(), row.clone());
                }
                _ => drop(found.remove(id)),
            }
        }
        Ok(found.into_values().collect())
    }

    /// Returns a page of the stored products of a type, in order of their ids, also of those that are not on sale.
    pub fn page_of(&self, product_type: &str, after: Option<&str>, limit: u32) -> Ruled<Vec<Rc<Product>>> {
        let query = CatalogQuery::ProductType(product_type.to_owned());
        Ok(self.reader.catalog_page(&query, after, limit)?.into_iter().map(Rc::new).collect())
    }

    /// Returns the policies of the business, or the defaults if no catalog is loaded yet.
    pub fn settings(&self) -> Ruled<Rc<Settings>> {
        if let Some(settings) = &*self.settings.borrow() {
            return Ok(settings.clone());
        }
        let settings = Rc::new(match self.product(BUSINESS)? {
            Some(row) if row.values.product_type == BUSINESS => decode("products", BUSINESS, &row.values.metadata)?,
            _ => Settings::default(),
        });
        *self.settings.borrow_mut() = Some(settings.clone());
        Ok(settings)
    }

    /// Returns the version of the policies' row; 0 if no catalog is loaded yet.
    pub fn settings_version(&self) -> Ruled<RowVersion> {
        Ok(self.product(BUSINESS)?.map_or(0, |row| row.version))
    }

    /// Uses these policies and types instead of the stored policies and types, so that a whole catalog can be checked
    /// before it is stored.
    pub fn decide_by(&self, settings: Settings, types: Vec<TypeDecl>) {
        *self.settings.borrow_mut() = Some(Rc::new(settings));
        let types: Vec<Rc<TypeDecl>> = types.into_iter().map(Rc::new).collect();
        *self.types.borrow_mut() = types.iter().map(|decl| (decl.name.clone(), Some(decl.clone()))).collect();
        *self.all_types.borrow_mut() = Some(Rc::new(types));
    }

    /// Reads the stored product types.
    pub fn stored_types(&self) -> Fallible<Vec<TypeDecl>> {
        let rows = self.products(Some(PRODUCT_TYPE))?;
        let mut out = Vec::with_capacity(rows.len());
        for row in rows {
            out.push(decode_type(&row)?);
            self.products.borrow_mut().entry(row.id.clone()).or_insert(Some(row));
        }
        Ok(out)
    }

    /// Returns whether the catalog document no longer names a type. Nothing new of the type is sold or created.
    pub fn is_withdrawn(&self, type_name: &str) -> Ruled<bool> {
        Ok(self.product(&type_row_id(type_name))?.is_some_and(|row| !row.values.active))
    }

    /// Returns whether a product is on sale: it is active, and its type is in the catalog.
    pub fn is_on_sale(&self, product: &Product) -> Ruled<bool> {
        Ok(product.values.active && !self.is_withdrawn(&product.values.product_type)?)
    }

    /// Returns all product types.
    pub fn types(&self) -> Fallible<Rc<Vec<Rc<TypeDecl>>>> {
        if let Some(types) = &*self.all_types.borrow() {
            return Ok(types.clone());
        }
        let types = Rc::new(self.stored_types()?.into_iter().map(Rc::new).collect::<Vec<_>>());
        *self.all_types.borrow_mut() = Some(types.clone());
        Ok(types)
    }

    /// Returns a product type by its name.
    pub fn type_named(&self, name: &str) -> Ruled<Option<Rc<TypeDecl>>> {
        if let Some(known) = self.types.borrow().get(name) {
            return Ok(known.clone());
        }
        let id = type_row_id(name);
        let decl = match self.product(&id)? {
            Some(row) if row.values.product_type == PRODUCT_TYPE => Some(Rc::new(decode_type(&row)?)),
            _ => self.types()?.iter().find(|decl| decl.name == name).cloned(),
        };
        self.types.borrow_mut().insert(name.to_owned(), decl.clone());
        Ok(decl)
    }

    /// Returns the version of a type's row; 0 if the type has no row.
    pub fn type_version(&self, name: &str) -> Ruled<RowVersion> {
        Ok(self.product(&type_row_id(name))?.map_or(0, |row| row.version))
    }

    /// Returns whether a product is on sale at a price.
    pub fn sells(&self, product: &Product, price_id: &PriceId) -> Ruled<bool> {
        let metadata = self.metadata(&product.id)?;
        let prices = prices_of(&product.values, &metadata, &self.settings()?.currency);
        Ok(product.values.active && prices.iter().any(|price| price.id.as_ref() == Some(price_id)))
    }

    /// Returns the product id of a plan of a family. `name` is this id, or the plan's slug (the `infer_by` field of its
    /// type). Of several plans with the slug, a plan on sale comes first.
    pub fn plan_by_name(&self, family: &str, name: &str) -> Ruled<Option<String>> {
        let mut off_sale = None;
        for decl in self.types()?.iter().filter(|decl| decl.family.as_deref() == Some(family)) {
            for row in self.products(Some(&decl.name))? {
                if row.id == name {
                    return Ok(Some(row.id.clone()));
                }
                let Some(slug) = &decl.infer_by else { continue };
                let metadata: Object = decode("products", &row.id, &row.values.metadata)?;
                if metadata.get(slug).and_then(Value::as_str) == Some(name) {
                    match self.is_on_sale(&row)? {
                        true => return Ok(Some(row.id.clone())),
                        false => drop(off_sale.get_or_insert_with(|| row.id.clone())),
                    }
                }
            }
        }
        Ok(off_sale)
    }
}

fn decode_type(row: &Product) -> Fallible<TypeDecl> {
    decode("products", &row.id, &row.values.metadata)
}
