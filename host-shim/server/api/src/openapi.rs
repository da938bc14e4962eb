//! What comes from the routes of a business: the OpenAPI document ([`document`]), which a page of the server shows to people, and a
//! client in TypeScript ([`typescript`]). Both are made from the same table as the answers of a server.

mod document;
mod events;
mod own;
pub mod platform;
mod schema;
mod typescript;

pub use document::document;
pub use events::{EVENTS, EventType};
pub use typescript::typescript;
