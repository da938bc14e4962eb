//! What comes from the routes of a business: the OpenAPI document ([`document`]), a page for people ([`page`]) and a client in
//! TypeScript ([`typescript`]). All three are made from the same table as the answers of a server.

mod document;
mod events;
mod own;
mod page;
pub mod platform;
mod schema;
mod typescript;

pub use document::document;
pub use events::{EVENTS, EventType};
pub use page::page;
pub use typescript::typescript;
