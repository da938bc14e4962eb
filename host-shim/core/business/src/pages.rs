//! The pages of a business. Some are built in; the folder `pages` of a business replaces them or adds others.
//!
//! A page is a file with a head and a template. The head says what the page reads and what its forms do; the template shows it. A
//! template is composed of blocks, which have their own heads. [`PageSet::read`] checks all of them. Nothing here does HTTP or knows an
//! account.

mod built_in;
mod filters;
mod set;
mod site;
mod source;

pub use crate::template::Locale;
pub use set::{AWAY_PAGE, Asset, ERROR_PAGE, FOLDER, NavEntry, Page, PageError, PageSet, files_below};
pub use site::SiteWords;
