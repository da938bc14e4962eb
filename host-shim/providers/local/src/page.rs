//! The HTML page of a function.

use host_provider_api::html::escaped;
use serde_json::Value;
use std::fmt::Write;

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#1c1c1c;background:#fff}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .5rem;border-bottom:1px solid #ddd}\
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}th,td{border-color:#444}}";

/// Renders a page with a heading, a line and a table of names and values. Escapes all of them.
pub(crate) fn page(title: &str, line: &str, rows: &[(String, String)]) -> String {
    let (title, line) = (escaped(title), escaped(line));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1><p>{line}</p>"
    );
    if !rows.is_empty() {
        out.push_str("<table><caption>Settings</caption><tbody>");
        for (name, value) in rows {
            // Writing to a string can't fail.
            let _ = write!(out, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escaped(name), escaped(value));
        }
        out.push_str("</tbody></table>");
    }
    out.push_str("</main></body></html>\n");
    out
}

/// Returns the names and values of an object's members as rows. Strings have no quotes.
pub(crate) fn rows(object: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    object.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_tenants_are_escaped() {
        let shown = page("<b>", "\"&'", &[("<i>".to_owned(), "</td>".to_owned())]);
        assert!(!shown.contains("<b>") && !shown.contains("<i>") && shown.contains("&lt;/td&gt;"), "{shown}");
        assert!(shown.contains("&quot;&amp;&#39;"), "{shown}");
    }
}
