//! The host names of instances, from the addresses of types that contain one unique field, such as
//! `https://{instance.subdomain}.example.com`.

use serde_json::Value;

/// The host names that a catalog gives its instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InstanceHosts(Vec<Pattern>);

/// A host name that belongs to an instance, if an account has the claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstanceHost {
    /// Key of the claim: `SPACE:VALUE`.
    pub(crate) claim: String,
    /// The field whose value is in the host name.
    pub(crate) field: String,
    /// The part of the host name that stands for the field.
    pub(crate) value: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    before: String,
    after: String,
    field: String,
    space: String,
}

impl InstanceHosts {
    /// Reads the addresses of a catalog. Skips addresses whose host does not contain exactly one unique field.
    pub(crate) fn of(catalog: &Value) -> InstanceHosts {
        let types = catalog["product_types"].as_array().into_iter().flatten();
        InstanceHosts(types.flat_map(patterns).collect())
    }

    /// Returns the instance of a lower-case host name.
    pub(crate) fn instance(&self, host: &str) -> Option<InstanceHost> {
        self.0.iter().find_map(|pattern| {
            let value = host.strip_prefix(&pattern.before)?.strip_suffix(&pattern.after)?;
            let is_label = !value.is_empty() && value.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
            is_label.then(|| InstanceHost {
                claim: format!("{}:{value}", pattern.space),
                field: pattern.field.clone(),
                value: value.to_owned(),
            })
        })
    }
}

fn patterns(declared: &Value) -> Vec<Pattern> {
    let url = &declared["url"];
    let each = url.as_array().into_iter().flatten().map(|one| &one["value"]);
    each.chain([url]).filter_map(Value::as_str).filter_map(|text| pattern(declared, text)).collect()
}

/// Returns the pattern of an address, or none if its host has other placeholders or a field that is not unique.
fn pattern(declared: &Value, url: &str) -> Option<Pattern> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?.to_ascii_lowercase();
    let (before, rest) = host.split_once("{instance.")?;
    let (field, after) = rest.split_once('}')?;
    // `{instance.subdomain}` alone would match every host name.
    if !after.starts_with('.') || before.contains('{') || after.contains('{') || after.contains(':') {
        return None;
    }
    let fields = declared["fields"].as_array()?;
    let unique = &fields.iter().find(|declared| declared["name"] == *field)?["unique"];
    let space = match unique.as_str() {
        Some(space) => space.to_owned(),
        None if unique.as_bool() == Some(true) => format!("{}.{field}", declared["name"].as_str()?),
        None => return None,
    };
    Some(Pattern { before: before.to_owned(), after: after.to_owned(), field: field.to_owned(), space })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn catalog(url: &Value) -> Value {
        let fields =
            json!([{"name": "subdomain", "unique": "subdomain"}, {"name": "own", "unique": true}, {"name": "name"}]);
        json!({"product_types": [{"name": "plan"}, {"name": "site", "fields": fields, "url": url}]})
    }

    fn claim(url: &Value, host: &str) -> Option<String> {
        InstanceHosts::of(&catalog(url)).instance(host).map(|found| found.claim)
    }

    #[test]
    fn a_host_name_with_a_unique_field_belongs_to_the_claim_of_the_field() {
        let url = json!("https://{instance.subdomain}.shop.example/start");
        assert_eq!(claim(&url, "choir.shop.example").as_deref(), Some("subdomain:choir"));
        let several = json!([{"value": "{compute.url}"}, {"resource": "cdn", "value": "https://app-{instance.own}.shop.example"}]);
        assert_eq!(claim(&several, "app-choir.shop.example").as_deref(), Some("site.own:choir"));
        for other in
            ["shop.example", ".shop.example", "a.b.shop.example", "choir.shop.example.org", "choir_1.shop.example"]
        {
            assert_eq!(claim(&url, other), None, "{other}");
        }
    }

    #[test]
    fn addresses_without_one_unique_field_take_no_host_name() {
        for url in [
            "{compute.url}",
            "https://{instance.name}.shop.example",
            "https://{instance.subdomain}",
            "https://{instance.subdomain}.{instance.name}.example",
            "https://shop.example/{instance.subdomain}",
        ] {
            assert_eq!(claim(&json!(url), "choir.shop.example"), None, "{url}");
        }
    }
}
