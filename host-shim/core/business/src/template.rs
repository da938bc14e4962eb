//! The templates of a business and the text that they produce. Templates are written in the language of the minijinja
//! crate: `{{ placeholder }}`, `{% if placeholder %}`, `{{ placeholder | upper }}`. The host parses the templates when
//! it loads the business; the mail provider fills them in.

mod built_in;
mod error;
mod filters;
mod guard;
mod layout;
mod locale;
mod mail;
mod marked;
mod site;
mod text;
mod words;

pub use built_in::{built_in, built_in_mails, without_template};
pub use error::{Form, TemplateError};
pub use layout::{LAYOUT, check_layout};
pub use locale::Locale;
pub(crate) use locale::digits;
pub use mail::{FILE_BYTES_MAX, MailTemplate, MailText, TEXT_BYTES_MAX, is_language, is_name, is_switched_off};
pub use site::{MailContext, MailSite};
pub use text::{Bounded, Statement, Template, of_files};
pub use words::words;
