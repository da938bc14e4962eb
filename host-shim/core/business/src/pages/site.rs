//! The words of a business on its pages: `pages/site.yml`.

use crate::routes::title;
use crate::yaml::{Checked, Checker, Node};

/// Maximum length of a text in characters.
const CHARS_MAX: usize = 400;

/// The words of a business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteWords {
    /// Display name.
    pub title: String,
    /// One sentence about what it offers.
    pub about: String,
    /// Address for support requests.
    pub support: Option<String>,
}

impl SiteWords {
    /// Returns the default words for a business that has written none: `my-shop` becomes `My Shop`.
    pub(crate) fn usual(name: &str) -> SiteWords {
        SiteWords { title: title(name), about: "Choose a plan, and begin in a minute.".to_owned(), support: None }
    }

    /// Reads the file; the defaults apply to whatever it does not set.
    pub(crate) fn read(self, check: &Checker, node: &Node) -> Checked<SiteWords> {
        let mut fields = check.fields("site.yml", node)?;
        let text = |node: &Node, what: &str| {
            let text = check.filled_text(what, node)?;
            match text.chars().count() <= CHARS_MAX {
                true => Ok(text),
                false => Err(check.bad(
                    node.place(),
                    format!("`{what}` is too long"),
                    format!("at most {CHARS_MAX} characters"),
                )),
            }
        };
        let title = fields.optional("title", |node| text(node, "title"));
        let about = fields.optional("about", |node| text(node, "about"));
        let support = fields.optional("support", |node| text(node, "support"));
        fields.finish()?;
        Ok(SiteWords { title: title?.unwrap_or(self.title), about: about?.unwrap_or(self.about), support: support? })
    }
}
