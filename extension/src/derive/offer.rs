//! Resolves the offer that a purchase command names: a product on sale at one of its prices. Checks whether the account
//! may buy it.

use super::sold;
use super::standing::AccountStanding;
use super::upgrade;
use crate::catalog::account_name::text_of;
use crate::catalog::buy::{Buy, Buyer};
use crate::catalog::price::{Interval, prices_of};
use crate::catalog::price_rows::with_id;
use crate::catalog::product::{is_purchasable, required_text, text};
use crate::catalog::sale::Sale;
use crate::catalog::template::Scope;
use crate::catalog::terms::CatalogPrice;
use crate::catalog::view::Catalog;
use crate::catalog::words::one_of;
use crate::desk::Desk;
use crate::model::halt::{Halt, Ruled, wrong_field};
use crate::model::json::Object;
use crate::model::records::purchase::{Sold, pending};
use extension_contract::{Account, BillingInterval, FieldErrorCode, LineItem, Money, Product, PurchaseValues, Refusal};
use serde_json::{Value, json};
use std::rc::Rc;

/// Members of a command that can name the product.
const NAMES: [&str; 3] = ["plan_id", "product_id", "plan"];

/// Metadata of a checkout that says which price it sells. With the quantity, a lost purchase can be recorded again.
pub(crate) const OFFERED_PRICE: &str = "purchase_price";
/// Metadata of a checkout that says which quantity it sells.
pub(crate) const OFFERED_QUANTITY: &str = "purchase_quantity";

/// A product on sale with a price and a quantity, selected by a command.
pub(crate) struct SelectedOffer {
    pub product: Rc<Product>,
    pub price: Rc<CatalogPrice>,
    pub quantity: u32,
    /// Whether the command names the quantity.
    pub names_quantity: bool,
    /// Whether the command names the interval.
    pub names_interval: bool,
    /// The clause `buy` of the product's type.
    pub buy: Buy,
    /// How the product itself is sold.
    pub sale: Sale,
    /// The product's fields, for templates.
    fields: Object,
}

/// Finds the offer that a command names: a product by its id, a plan also by its name, or an item of a product type by
/// the field that identifies the type's products. Selects the price of the named interval, or the first price.
pub(crate) fn find(catalog: &Catalog<'_>, body: &Object) -> Ruled<SelectedOffer> {
    let (name, id) = named_product(catalog, body)?;
    let product = catalog.product(&id)?.ok_or(Refusal::NotFound(name))?;
    let decl = catalog.type_named(&product.values.product_type)?;
    let decl = decl.filter(|decl| decl.catalog).ok_or_else(|| Refusal::NotFound(id.clone()))?;
    let is_on_sale = catalog.is_on_sale(&product)?;
    let metadata = catalog.metadata(&id)?;
    let unavailable = || Halt::Refused(Refusal::RequirementUnmet(format!("purchasable:{id}")));
    if !is_on_sale || !is_purchasable(&metadata) {
        return Err(unavailable());
    }
    let prices = prices_of(&product.values, &metadata, &catalog.settings()?.currency);
    let wanted = match text(body, "interval")? {
        None => prices.first(),
        Some(name) => {
            let found = Interval::parse(&name).and_then(|interval| prices.iter().find(|p| p.interval == interval));
            let names: Vec<&str> = prices.iter().map(|price| price.interval.name()).collect();
            Some(found.ok_or_else(|| wrong_field("/interval", FieldErrorCode::NotAllowed, "", one_of(&names)))?)
        }
    };
    let price_id = wanted.and_then(|price| price.id.as_ref()).ok_or_else(unavailable)?;
    let price = catalog.price(price_id)?.filter(|price| price.active).ok_or_else(unavailable)?;
    let buy = decl.buy.clone().unwrap_or_default();
    let sale = Sale::of(&decl, &metadata)?;
    let quantity = quantity(body, sale.quantities())?;
    let names = |member: &str| body.get(member).is_some_and(|value| !value.is_null());
    let (names_quantity, names_interval) = (names("quantity"), names("interval"));
    let fields = with_id(&metadata, &id);
    Ok(SelectedOffer { product, price, quantity, names_quantity, names_interval, buy, sale, fields })
}

/// Returns the product that a command names: its name for messages, and its id.
fn named_product(catalog: &Catalog<'_>, body: &Object) -> Ruled<(String, String)> {
    let given = NAMES.into_iter().find(|key| body.get(*key).is_some_and(|value| !value.is_null()));
    if body.contains_key("item") {
        return match given {
            None => item(catalog, body),
            Some(key) => {
                let (found, expected) =
                    (format!("the command also has `{key}`"), format!("only one of `{key}` and `item`"));
                Err(wrong_field("/item", FieldErrorCode::NotAllowed, found, expected))
            }
        };
    }
    // The product type alone does not name a product.
    let missing = if body.contains_key("product_type") { "item" } else { "plan_id" };
    let name = required_text(body, given.unwrap_or(missing))?;
    for decl in catalog.types()?.iter() {
        if let Some(family) = &decl.family
            && let Some(found) = catalog.plan_by_name(family, &name)?
        {
            return Ok((format!("plan {name}"), found));
        }
    }
    Ok((format!("plan {name}"), name))
}

/// Returns the product of a type whose `infer_by` field has the value of the member `item`.
fn item(catalog: &Catalog<'_>, body: &Object) -> Ruled<(String, String)> {
    let type_name = required_text(body, "product_type")?;
    // Products can be identified by a whole number as well as by a text.
    let value = match body.get("item") {
        Some(Value::Number(number)) => number.to_string(),
        _ => required_text(body, "item")?,
    };
    let types = catalog.types()?;
    let decl = types.iter().find(|decl| decl.catalog && (decl.name == type_name || decl.aliases.contains(&type_name)));
    let Some((decl, by)) = decl.and_then(|decl| Some((decl, decl.infer_by.as_ref()?))) else {
        let names: Vec<&str> = types.iter().filter(|d| d.catalog && d.infer_by.is_some()).map(|d| &*d.name).collect();
        let (found, expected) = ("", one_of(&names));
        return Err(wrong_field("/product_type", FieldErrorCode::NotAllowed, found, expected));
    };
    let value = decl.field(by).and_then(|field| field.aliases.get(&value)).cloned().unwrap_or(value);
    // The id of a product usually has the value, so that the products of all sellers need not be read.
    let usual = format!("prod_{value}");
    if let Some(row) = catalog.product(&usual)?
        && row.values.product_type == decl.name
        && catalog.metadata(&usual)?.get(by).is_some_and(|found| *found == json!(value))
        && catalog.is_on_sale(&row)?
    {
        return Ok((format!("{type_name} {value}"), usual));
    }
    let (mut known, mut off_sale) = (Vec::new(), None);
    for row in catalog.products(Some(&decl.name))? {
        let found = match catalog.metadata(&row.id)?.get(by) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => continue,
        };
        if found != value {
            known.push(found);
            continue;
        }
        match catalog.is_on_sale(&row)? {
            true => return Ok((format!("{type_name} {value}"), row.id.clone())),
            false => drop(off_sale.get_or_insert_with(|| row.id.clone())),
        }
    }
    if let Some(id) = off_sale {
        return Ok((format!("{type_name} {value}"), id));
    }
    Err(wrong_field("/item", FieldErrorCode::NotAllowed, "", one_of(&known)))
}

/// Reads the quantity of a command; the smallest one by default.
fn quantity(body: &Object, (least, most): (u32, u32)) -> Ruled<u32> {
    let wrong = || wrong_field("/quantity", FieldErrorCode::OutOfRange, "", format!("{least} to {most}"));
    match body.get("quantity") {
        None | Some(Value::Null) => Ok(least),
        Some(value) => {
            let quantity = value.as_u64().and_then(|quantity| u32::try_from(quantity).ok());
            quantity.filter(|quantity| (least..=most).contains(quantity)).ok_or_else(wrong)
        }
    }
}

impl SelectedOffer {
    /// Returns the group of offers of which an account has only one: the family of a plan, or the product itself.
    pub fn sold_as(&self) -> &str {
        self.price.family.as_deref().unwrap_or(&self.product.id)
    }

    /// Takes the product's price with an interval, if it has one on sale.
    pub fn take_interval(&mut self, catalog: &Catalog<'_>, interval: Option<&BillingInterval>) -> Ruled<()> {
        let metadata = catalog.metadata(&self.product.id)?;
        let prices = prices_of(&self.product.values, &metadata, &catalog.settings()?.currency);
        for id in prices.iter().filter_map(|price| price.id.as_ref()) {
            let price = catalog.price(id)?.filter(|price| price.active && price.interval.as_ref() == interval);
            if let Some(price) = price {
                self.price = price;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Fails if the account may not buy the offer: the account is of the wrong kind, is the seller, lacks the
    /// plan that the condition requires, or already owns the item.
    pub fn check_buyer(&self, desk: &Desk<'_>, standing: &AccountStanding) -> Ruled<()> {
        let account = desk.account.owned()?;
        let is_for_account = self.buy.account.is_none_or(|buyer| buyer.is(&account));
        if !is_for_account {
            let whom = if self.buy.account == Some(Buyer::User) { "people" } else { "organizations" };
            let (found, expected) = (format!("{} is sold to {whom}", self.product.id), "");
            return Err(wrong_field("/product_id", FieldErrorCode::NotAllowed, found, expected));
        }
        if self.price.terms()?.split.as_ref().is_some_and(|share| share.to == text_of(&account)) {
            return Err(Refusal::Forbidden(format!("{} is sold by this account", self.product.id)).into());
        }
        if let Some(key) = self.buy.required()
            && !standing.is_granted_by_plan(key)
        {
            let refusal = upgrade::refusal(desk, standing, key, 0, 1)?;
            return Err(Refusal::QuotaExceeded(refusal).into());
        }
        match self.price.terms()?.item.as_ref().is_some_and(|item| standing.items.contains_key(item)) {
            true => Err(Refusal::AlreadyOwned(self.product.id.clone()).into()),
            false => Ok(()),
        }
    }

    /// Returns whether it is sold once and gives credits.
    pub fn is_credit(&self) -> Ruled<bool> {
        Ok(self.price.interval.is_none() && self.price.terms()?.credit.is_some_and(|credits| credits > 0))
    }

    /// Returns the terms of what is sold once. A subscription follows the catalog at each renewal.
    pub fn sold(&self) -> Ruled<Vec<Sold>> {
        match self.price.interval {
            None => Ok(vec![sold::terms_of(&self.price)?]),
            Some(_) => Ok(Vec::new()),
        }
    }

    /// Returns the agreed values of a purchase that is not paid yet: the product, its price and the sum.
    pub fn agreed(&self, unit_price: Money, provider: &str) -> Ruled<PurchaseValues> {
        let sum = unit_price.amount_minor.checked_mul(i64::from(self.quantity));
        let too_much = || wrong_field("/quantity", FieldErrorCode::OutOfRange, "the sum exceeds 64 bits", "");
        let amount = Money { amount_minor: sum.ok_or_else(too_much)?, currency: unit_price.currency.clone() };
        let item = LineItem {
            product_id: self.product.id.clone(),
            price_id: Some(self.price.id.to_string()),
            name: self.product.values.name.clone(),
            quantity: self.quantity,
            unit_price,
        };
        Ok(pending(provider.to_owned(), vec![item], amount))
    }

    /// Returns the metadata for the checkout and for the objects that it creates.
    pub fn metadata(&self, account: &Account) -> Ruled<Object> {
        let id = match account {
            Account::User(id) | Account::Organization(id) => id.as_str(),
            Account::Platform => "",
        };
        let account = [("id".to_owned(), json!(id))].into_iter().collect::<Object>();
        let scope = Scope::default().object("product", &self.fields).object("account", &account);
        self.filled(scope.fill_object(&self.buy.metadata))
    }

    /// Fills in a URL template of the clause `buy`.
    pub fn url(&self, template: Option<&String>) -> Ruled<Option<String>> {
        let Some(template) = template else { return Ok(None) };
        let scope = Scope::default().object("product", &self.fields);
        let filled = self.filled(scope.fill(&Value::String(template.clone())))?;
        Ok(filled.as_str().map(str::to_owned))
    }

    /// Converts the error for a template placeholder. The catalog check ensures that the placeholder names a field, but
    /// this product may lack the field.
    fn filled<T>(&self, filled: Result<T, String>) -> Ruled<T> {
        filled.map_err(|place| Refusal::RequirementUnmet(format!("{}:{place}", self.product.id)).into())
    }
}
