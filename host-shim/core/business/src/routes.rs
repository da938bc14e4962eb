//! The HTTP API of a business as data: `routes.yml`. A route has a method and a path, the callers who may use it, the values that it
//! accepts, the queries and the command that it sends, and the form of its answer. [`RouteTable::read`] checks a file like a
//! catalog: every mistake is reported with its line. A server answers requests from the table, which is also the source of the
//! OpenAPI document, the client and the access matrix. Nothing here does HTTP or knows an account.

mod errors;
mod expression;
mod fields;
mod filters;
mod form;
pub mod limits;
mod page;
mod path;
mod reader;
mod reads;
mod route;
#[cfg(test)]
mod steps;
mod table;
mod types;
mod values;
mod wrong;

pub use errors::{ErrorAnswer, ErrorMap};
pub use expression::{Expression, Scope, ValueError};
pub use form::{Absent, Form};
pub use page::{Nav, PAGE, PageAction, PageGet, PageHead, PageParts, PageReader, SITE, address, read_form};
pub use path::{Method, Pattern, decoded, is_taken};
pub use reader::{RouteFile, title};
pub use reads::{LISTS, NEXT, PAGE_ROWS_MAX, QUERIES, REQUESTS, ROW, Read, ReadFrom, Sort};
pub use route::{Route, Who};
pub use table::{Matched, RouteFinder, RouteTable};
pub use types::{Field, Type, Types};
pub use values::{AnswerError, Given, check_answer, read_body, read_texts};
pub use wrong::{WrongValues, pointer_to};
