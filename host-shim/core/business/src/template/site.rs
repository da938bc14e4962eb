//! Values that every mail can show in addition to its own: the business, its pages, and the recipient.

use crate::template::locale::Locale;
use host_provider_api::url::encoded;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The default colour of buttons in mails, for a business without a theme.
const ACCENT: &str = "#3552d6";
/// The colour of the text on it.
const ACCENT_TEXT: &str = "#ffffff";

/// A business as it appears in its mails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailSite {
    /// Display name.
    pub title: String,
    /// Address for support requests.
    pub support: Option<String>,
    /// Address of the pages, without a trailing slash.
    pub url: String,
    /// Path of the page with the subscriptions and invoices.
    pub billing: String,
    /// Path of the page that users see first.
    pub dashboard: String,
    /// Path of the page of an instance, with `{id}`; none if the business has no such page.
    pub instance: Option<String>,
    /// Address of the console, without a trailing slash.
    pub console: String,
    /// Colour of buttons, `#rrggbb`.
    pub accent: String,
    /// Colour of the text on buttons, `#rrggbb`.
    pub accent_text: String,
    /// Names of the catalog's products, by id.
    pub products: BTreeMap<String, String>,
}

impl MailSite {
    /// Returns a business with the built-in pages at an address.
    pub fn new(title: String, url: &str) -> MailSite {
        MailSite {
            title,
            support: None,
            url: url.to_owned(),
            billing: "/billing".to_owned(),
            dashboard: "/dashboard".to_owned(),
            instance: Some("/instances/{id}".to_owned()),
            console: format!("{url}/admin"),
            accent: ACCENT.to_owned(),
            accent_text: ACCENT_TEXT.to_owned(),
            products: BTreeMap::new(),
        }
    }
}

impl Default for MailSite {
    fn default() -> MailSite {
        MailSite::new("Host".to_owned(), "http://localhost")
    }
}

/// Who gets a mail, and how numbers and dates are written.
#[derive(Clone, Copy, Debug)]
pub struct MailContext<'c> {
    /// The business.
    pub site: &'c MailSite,
    /// Name of the template.
    pub template: &'c str,
    /// True if the mail goes to the operators.
    pub is_for_operators: bool,
    /// The account that the mail is about.
    pub account: &'c str,
    /// Names of the instances that the mail is about, by id, as far as known.
    pub instances: &'c BTreeMap<String, String>,
    /// Format of numbers and dates, and the preferred language.
    pub locale: Locale,
}

/// Names that templates may use in addition to the values of their mails.
pub(crate) const NAMES: [&str; 13] = [
    "links.account",
    "links.billing",
    "links.console",
    "links.dashboard",
    "links.instance",
    "mail.account",
    "mail.instance",
    "mail.is_for_operators",
    "mail.template",
    "mail.values",
    "site.support",
    "site.title",
    "site.url",
];

impl MailContext<'_> {
    /// Returns the values of a mail together with the names that every template may use. A value of the same name takes
    /// precedence.
    pub(crate) fn with(&self, values: &Map<String, Value>) -> Map<String, Value> {
        let MailSite { title, support, url, billing, dashboard, instance, console, .. } = self.site;
        let dashboard = format!("{url}{dashboard}");
        let of_instance = values.get("instance").and_then(Value::as_str).zip(instance.as_deref());
        let of_instance = of_instance.map(|(id, path)| format!("{url}{}", path.replace("{id}", &encoded(id, b":"))));
        let mut all = Map::new();
        all.insert("site".to_owned(), json!({"title": title, "support": support, "url": url}));
        all.insert(
            "links".to_owned(),
            json!({
                "billing": format!("{url}{billing}"), "instance": of_instance.as_ref().unwrap_or(&dashboard),
                "dashboard": dashboard, "console": console,
                "account": format!("{console}/accounts/{}", encoded(self.account, b":")),
            }),
        );
        let instance = values.get("instance").and_then(Value::as_str);
        let instance = instance.map(|id| self.instances.get(id).map_or(id, String::as_str));
        all.insert(
            "mail".to_owned(),
            json!({
                "template": self.template, "account": self.account, "is_for_operators": self.is_for_operators,
                "instance": instance, "locale": self.locale.tag, "products": self.site.products,
                "instances": self.instances, "values": values,
            }),
        );
        all.extend(values.iter().map(|(name, value)| (name.clone(), value.clone())));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_pages_of_the_business() {
        let mut site = MailSite::new("Shop".to_owned(), "https://shop.example/app");
        let with = |site: &MailSite, values: Value| {
            let locale = Locale::usual();
            let instances = &[("inst 1".to_owned(), "My site".to_owned())].into();
            let account = "user:a/b";
            let context = MailContext { site, template: "a", is_for_operators: false, account, instances, locale };
            context.with(values.as_object().expect("an object"))
        };
        let all = with(&site, json!({"instance": "inst 1"}));
        assert_eq!(all["mail"]["instance"], "My site");
        assert_eq!(with(&site, json!({"instance": "inst_2"}))["mail"]["instance"], "inst_2", "without a known name");
        let links = all["links"].clone();
        assert_eq!(links["instance"], "https://shop.example/app/instances/inst%201");
        assert_eq!(links["billing"], "https://shop.example/app/billing");
        assert_eq!(links["account"], "https://shop.example/app/admin/accounts/user:a%2Fb");
        site.instance = None;
        let links = with(&site, json!({"instance": "inst_1"}))["links"].clone();
        assert_eq!(links["instance"], "https://shop.example/app/dashboard", "a business without pages of instances");
        assert_eq!(with(&site, json!({"site": "own"}))["site"], "own", "a value of the mail takes precedence");
    }

    #[test]
    fn the_names_of_templates_are_those_that_have_values() {
        let site = MailSite::default();
        let locale = Locale::usual();
        let (account, instances) = ("platform", &BTreeMap::new());
        let context = MailContext { site: &site, template: "a", is_for_operators: true, account, instances, locale };
        let all = Value::Object(context.with(&Map::new()));
        for name in NAMES {
            assert!(all.pointer(&format!("/{}", name.replace('.', "/"))).is_some(), "{name}");
        }
    }
}
