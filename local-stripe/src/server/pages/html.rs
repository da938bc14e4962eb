//! HTML templates with automatic escaping: every value is escaped unless it is an [`Html`].

use std::borrow::Cow;

use serde_json::Value;

/// A piece of HTML.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Html(String);

impl Html {
    /// Wraps text that is already HTML. Only [`html!`] calls this function, with escaped values.
    pub(super) fn of_template(text: String) -> Self {
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<I: IntoIterator<Item = Html>>(parts: I) -> Self {
        Self(parts.into_iter().map(|p| p.0).collect())
    }
}

/// A value that can be used in a template.
pub(super) trait Markup {
    fn markup(&self) -> Cow<'_, str>;
}

impl Markup for Html {
    fn markup(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.0)
    }
}

impl Markup for str {
    fn markup(&self) -> Cow<'_, str> {
        Cow::Owned(escape(self))
    }
}

impl Markup for String {
    fn markup(&self) -> Cow<'_, str> {
        self.as_str().markup()
    }
}

impl Markup for i64 {
    fn markup(&self) -> Cow<'_, str> {
        Cow::Owned(self.to_string())
    }
}

impl<M: Markup + ?Sized> Markup for &M {
    fn markup(&self) -> Cow<'_, str> {
        (**self).markup()
    }
}

/// `None` renders as nothing.
impl<M: Markup> Markup for Option<M> {
    fn markup(&self) -> Cow<'_, str> {
        self.as_ref().map_or(Cow::Borrowed(""), Markup::markup)
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// Fills a template with named values. `concat!` keeps `format!` from capturing variables by name, because those would
/// not be escaped.
macro_rules! html {
    ($template:expr $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::server::pages::html::Html::of_template(
            format!(concat!($template), $($name = $crate::server::pages::html::Markup::markup(&$value)),*)
        )
    };
}
pub(super) use html;

/// Returns the URL if a page may link to it. Only `http` and `https` are allowed, so that no link runs `javascript:`.
pub(super) fn web_url(url: &str) -> Option<&str> {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    let is_web = matches!(scheme.as_deref(), Some("http" | "https"));
    // Browsers drop control characters and change backslashes, so the link would lead to a different URL.
    (is_web && !url.chars().any(|c| c.is_control() || c == '\\')).then_some(url)
}

/// Returns a JSON string as a URL, if a page may link to it; see [`web_url`].
pub(super) fn url_of(value: &Value) -> Option<&str> {
    value.as_str().and_then(web_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_markup_is_not() {
        let name = "<b>\"a\" & 'b'</b>";
        let inner = html!("<i>{name}</i>", name = name);
        assert_eq!(inner.as_str(), "<i>&lt;b&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/b&gt;</i>");
        let outer = html!("{inner}{none}{n}", inner = inner, none = None::<&str>, n = 5);
        assert_eq!(outer.as_str(), format!("{}5", inner.as_str()));
    }

    #[test]
    fn only_http_and_https_urls_are_linked() {
        for good in ["http://127.0.0.1:1/ok?s={CHECKOUT_SESSION_ID}", "HTTPS://shop.test"] {
            assert_eq!(web_url(good), Some(good));
        }
        for bad in [
            "javascript:alert(1)",
            "javascript://x/%0aalert(1)",
            "data:text/html,x",
            " http://x",
            "//x",
            "java\nscript://",
            "http://a\u{1}b",
            "/p",
            "",
        ] {
            assert_eq!(web_url(bad), None, "{bad}");
        }
    }
}
