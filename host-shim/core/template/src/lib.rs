//! Which templates does a business have, and what text do they make? A template is written in the language of the
//! crate minijinja: `{{ placeholder }}`, `{% if placeholder %}`, `{{ placeholder | upper }}`. The host parses the templates of a business
//! when it loads the business; the mail provider fills them in.

mod bounded;
mod error;
mod mail;
mod old;
mod statement;
mod template;

pub use bounded::Bounded;
pub use error::{Form, TemplateError};
pub use mail::{FILE_BYTES_MAX, MailTemplate, MailText, TEXT_BYTES_MAX, is_name};
pub use statement::{Statement, of_files};
pub use template::Template;
