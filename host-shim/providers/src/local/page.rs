//! The HTML page of a function.

use host_provider_api::html::escaped;
use serde_json::Value;

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#1c1c1c;background:#fff}\
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}}";

/// Renders a page with a heading and a line. Escapes both.
pub(crate) fn page(title: &str, line: &str) -> String {
    let (title, line) = (escaped(title), escaped(line));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1><p>{line}</p></main></body></html>\n"
    )
}

/// Returns the names and values of an object's members as rows. Strings are shown without quotes.
pub(crate) fn rows(object: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    object.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_tenants_are_escaped() {
        let shown = page("<b>", "\"&'<i></td>");
        assert!(!shown.contains("<b>") && !shown.contains("<i>") && shown.contains("&lt;/td&gt;"), "{shown}");
        assert!(shown.contains("&quot;&amp;&#39;"), "{shown}");
    }
}
