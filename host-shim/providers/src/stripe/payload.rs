//! Reads and validates the members of payloads.

use super::kinds::currency;
use crate::stripe::failure::Failed;
use host_provider_api::Call;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;
use stripe_types::Currency;

/// Maximum characters of an id, Stripe's limit.
const ID_CHARS_MAX: usize = 255;

/// The members of a call's payload.
#[derive(Clone, Copy)]
pub(crate) struct Payload<'c>(&'c Value);

impl<'c> Payload<'c> {
    pub fn of(call: &'c Call) -> Payload<'c> {
        Payload(&call.payload)
    }

    /// Returns a member that is present and not null.
    fn given(self, member: &str) -> Option<&'c Value> {
        self.0.get(member).filter(|value| !value.is_null())
    }

    pub fn text(self, member: &'static str) -> Result<&'c str, Failed> {
        self.maybe_text(member)?.ok_or(Failed::Payload { member, expected: "a text that is not empty" })
    }

    /// Returns a string; none if it is missing, null or empty.
    pub fn maybe_text(self, member: &'static str) -> Result<Option<&'c str>, Failed> {
        match self.given(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(Failed::Payload { member, expected: "a text" }),
        }
    }

    /// Returns the address to which a Stripe page returns the customer; none if it is missing. A path is relative to
    /// the site.
    pub fn maybe_return_url(self, member: &'static str, site: Option<&str>) -> Result<Option<Cow<'c, str>>, Failed> {
        let Some(url) = self.maybe_text(member)? else { return Ok(None) };
        match (url.starts_with('/'), site) {
            (false, _) => Ok(Some(Cow::Borrowed(url))),
            (true, Some(site)) => Ok(Some(Cow::Owned(format!("{site}{url}")))),
            (true, None) => Err(Failed::NoSite(member)),
        }
    }

    /// Returns a required address to which a Stripe page returns the customer.
    pub fn return_url(self, member: &'static str, site: Option<&str>) -> Result<Cow<'c, str>, Failed> {
        self.maybe_return_url(member, site)?.ok_or(Failed::Payload { member, expected: "a text that is not empty" })
    }

    /// Returns a required Stripe id, which is safe in a request path.
    pub fn id(self, member: &'static str) -> Result<&'c str, Failed> {
        self.maybe_id(member)?.ok_or(Failed::Payload { member, expected: "an id of Stripe" })
    }

    pub fn maybe_id(self, member: &'static str) -> Result<Option<&'c str>, Failed> {
        let Some(id) = self.maybe_text(member)? else { return Ok(None) };
        match is_id(id) {
            true => Ok(Some(id)),
            false => Err(Failed::Payload { member, expected: "an id of Stripe" }),
        }
    }

    /// Returns a required amount in minor units, at least 1.
    pub fn amount(self, member: &'static str) -> Result<i64, Failed> {
        self.maybe_amount(member)?.ok_or(Failed::Payload { member, expected: "minor units, 1 or more" })
    }

    pub fn maybe_amount(self, member: &'static str) -> Result<Option<i64>, Failed> {
        let Some(value) = self.given(member) else { return Ok(None) };
        let amount = value.as_i64().filter(|amount| *amount > 0);
        amount.map(Some).ok_or(Failed::Payload { member, expected: "minor units, 1 or more" })
    }

    pub fn maybe_count(self, member: &'static str) -> Result<Option<u64>, Failed> {
        let Some(value) = self.given(member) else { return Ok(None) };
        value.as_u64().map(Some).ok_or(Failed::Payload { member, expected: "a whole number" })
    }

    pub fn maybe_int(self, member: &'static str) -> Result<Option<i64>, Failed> {
        let Some(value) = self.given(member) else { return Ok(None) };
        value.as_i64().map(Some).ok_or(Failed::Payload { member, expected: "a whole number" })
    }

    pub fn maybe_flag(self, member: &'static str) -> Result<Option<bool>, Failed> {
        let Some(value) = self.given(member) else { return Ok(None) };
        value.as_bool().map(Some).ok_or(Failed::Payload { member, expected: "true or false" })
    }

    /// Returns amounts in minor units by currency, at least `least`; empty if the member is missing.
    pub fn amounts_by_currency(self, member: &'static str, least: i64) -> Result<Vec<(Currency, i64)>, Failed> {
        let wrong = || Failed::Payload { member, expected: "an object of minor units by currency" };
        let amounts = self.maybe_object(member)?.into_iter().flatten();
        let read = |(code, minor): (&String, &Value)| {
            let minor = minor.as_i64().filter(|minor| *minor >= least).ok_or_else(wrong)?;
            Ok((currency(code)?, minor))
        };
        amounts.map(read).collect()
    }

    /// Returns whether prices include taxes (`tax_behavior`); none if Stripe computes no taxes.
    pub fn includes_taxes(self) -> Result<Option<bool>, Failed> {
        let member = "tax_behavior";
        match self.maybe_text(member)? {
            None => Ok(None),
            Some("exclusive") => Ok(Some(false)),
            Some("inclusive") => Ok(Some(true)),
            Some(_) => Err(Failed::Payload { member, expected: "exclusive or inclusive" }),
        }
    }

    pub fn list(self, member: &'static str) -> Result<&'c [Value], Failed> {
        let list = self.given(member).and_then(Value::as_array);
        list.map(Vec::as_slice).ok_or(Failed::Payload { member, expected: "a list" })
    }

    /// Returns a list of ids; empty if it is missing.
    pub fn ids(self, member: &'static str) -> Result<Vec<&'c str>, Failed> {
        let wrong = Failed::Payload { member, expected: "a list of ids of Stripe" };
        let Some(value) = self.given(member) else { return Ok(Vec::new()) };
        let ids = value.as_array().and_then(|ids| ids.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        ids.filter(|ids| ids.iter().all(|id| is_id(id))).ok_or(wrong)
    }

    /// Returns an object; none if it is missing or null.
    pub fn maybe_object(self, member: &'static str) -> Result<Option<&'c Map<String, Value>>, Failed> {
        match self.given(member) {
            None => Ok(None),
            Some(Value::Object(members)) => Ok(Some(members)),
            Some(_) => Err(Failed::Payload { member, expected: "an object" }),
        }
    }

    /// Returns the payload's `metadata`. Null values are left out. Values other than strings are serialized as JSON.
    pub fn metadata(self) -> Result<HashMap<String, String>, Failed> {
        match self.given("metadata") {
            None => Ok(HashMap::new()),
            Some(Value::Object(members)) => Ok(texts(members)),
            Some(_) => Err(Failed::Payload { member: "metadata", expected: "an object" }),
        }
    }

    /// Returns the `metadata` of an object in the payload.
    pub fn metadata_of(self, member: &'static str) -> Result<Option<HashMap<String, String>>, Failed> {
        let Some(value) = self.given(member) else { return Ok(None) };
        match value.get("metadata") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(members)) => Ok(Some(texts(members))),
            Some(_) => Err(Failed::Payload { member, expected: "an object with `metadata`" }),
        }
    }
}

/// Returns true if a string is safe as an id in a request path.
pub(crate) fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !text.is_empty() && text.len() <= ID_CHARS_MAX && text.bytes().all(plain)
}

fn texts(members: &Map<String, Value>) -> HashMap<String, String> {
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    members.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_invalid_member_is_reported_by_name() {
        let payload =
            json!({"id": "a/../b", "amount": 0, "count": -1, "flag": "yes", "text": 1, "empty": "", "no": null});
        let payload = Payload(&payload);
        let member = |failed: Option<Failed>| match failed {
            Some(Failed::Payload { member, .. }) => member,
            other => panic!("{other:?}"),
        };
        assert_eq!(member(payload.id("id").err()), "id");
        assert_eq!(member(payload.amount("amount").err()), "amount");
        assert_eq!(member(payload.maybe_count("count").err()), "count");
        assert_eq!(member(payload.maybe_flag("flag").err()), "flag");
        assert_eq!(member(payload.text("text").err()), "text");
        assert_eq!(member(payload.text("empty").err()), "empty");
        assert_eq!(member(payload.list("no").err()), "no");
        assert_eq!(member(payload.ids("flag").err()), "flag");
        assert_eq!(payload.ids("no"), Ok(Vec::new()));
        assert_eq!((payload.maybe_text("no"), payload.maybe_id("missing")), (Ok(None), Ok(None)));
    }

    #[test]
    fn a_path_to_return_to_is_one_of_the_site() {
        let payload = json!({"path": "/billing?x={CHECKOUT_SESSION_ID}", "address": "https://b.example/paid"});
        let url = |member, site| Payload(&payload).maybe_return_url(member, site).map(|url| url.map(Cow::into_owned));
        let site = Some("https://a.example/app");
        assert_eq!(url("path", site), Ok(Some("https://a.example/app/billing?x={CHECKOUT_SESSION_ID}".to_owned())));
        assert_eq!(url("address", site), Ok(Some("https://b.example/paid".to_owned())));
        assert_eq!(url("address", None), Ok(Some("https://b.example/paid".to_owned())));
        assert_eq!((url("none", None), url("path", None)), (Ok(None), Err(Failed::NoSite("path"))));
        assert!(Payload(&payload).return_url("none", site).is_err());
    }

    #[test]
    fn metadata_values_are_strings() {
        let payload = json!({"metadata": {"a": "1", "b": null, "c": 2, "d": ["x"]}});
        let metadata = Payload(&payload).metadata().expect("an object");
        let expected =
            [("a", "1"), ("c", "2"), ("d", "[\"x\"]")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(metadata, HashMap::from(expected));
        assert!(Payload(&json!({"metadata": 1})).metadata().is_err());
    }
}
