//! Generates, from the routes of a business and of every server, the OpenAPI document ([`document`]), which a page of the server shows to
//! people, and a TypeScript client ([`typescript`]). Both come from the table that the server itself answers by.

mod document;
mod events;
mod operation;
mod schema;
mod typescript;

pub(crate) use document::document;
pub(crate) use events::EVENTS;
pub(crate) use typescript::typescript;
