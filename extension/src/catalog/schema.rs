//! Product types as data: their fields, who may set them, and the behaviour of their products.
//!
//! Validation reports the JSON Pointer of each error. [`json_schema`](TypeDecl::json_schema) exports the same rules; a
//! property test compares the two.

mod check;
mod field;
mod implied;
mod provision;
mod type_decl;

pub(crate) use check::{check, check_default, check_told, text_form};
pub(crate) use field::TEXT_CHARS_MAX;
pub use field::{Field, FieldType, Format, SetBy, Unique};
pub(crate) use provision::STOCK_MAX;
pub use provision::{ByHand, Doer, OnArchive, Reminder, Resource};
pub use type_decl::{
    Expected, FromCheckout, Idle, Lifecycle, Listing, Meter, PaidCredit, PlanLink, Redeem, RefundTerms, TokenDecl,
    TypeDecl, Url, Watch,
};
pub(crate) use type_decl::{PHASE, REFUSED};
