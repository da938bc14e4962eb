//! What comes from the routes of a business and of every server: the OpenAPI document ([`document`]), which a page of the server shows to people, and a
//! client in TypeScript ([`typescript`]). Both are made from the same table as the answers of a server.

mod document;
mod events;
mod operation;
mod schema;
mod typescript;

pub(crate) use document::document;
pub(crate) use events::EVENTS;
pub(crate) use typescript::typescript;
