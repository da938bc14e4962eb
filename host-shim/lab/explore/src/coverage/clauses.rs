//! The clauses of the catalog language, by section of the catalog.

mod business;
mod instances;
mod products;
mod types;

pub(crate) use business::of_business;
pub(crate) use products::of_products;
pub(crate) use types::of_types;
