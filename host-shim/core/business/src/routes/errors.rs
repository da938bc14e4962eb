//! Maps errors to answers. A business may give a refusal of the extension its own status and code.

use crate::yaml::bad_input::BadInput;
use crate::yaml::{Checked, Checker, Entry, Node};
use extension_contract::Refusal;

/// The answer to an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// HTTP status, 400 to 499.
    pub status: u16,
    /// Stable code, for programs.
    pub code: String,
    /// Human-readable description; by default, the refusal's own.
    pub detail: Option<String>,
}

/// The answers to refusals: by code, or by code and detail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorMap(Vec<(String, ErrorAnswer)>);

impl ErrorMap {
    /// Reads a clause `errors`: an answer for each `CODE` or `CODE DETAIL`.
    pub(crate) fn read(check: &Checker, clause: &Node) -> Checked<ErrorMap> {
        let answers = check.each(check.map("errors", clause)?, |entry| {
            let key = read_key(check, entry);
            let answer = read_answer(check, &entry.key, &entry.value);
            Ok((key?, answer?))
        })?;
        Ok(ErrorMap(answers))
    }

    /// Returns the answer to a refusal: the one for its code and detail, or else the one for its code.
    pub fn answer(&self, refusal: &Refusal) -> Option<&ErrorAnswer> {
        let (code, details) = (refusal.code(), details(refusal));
        let is_meant = |key: &str| {
            let detail = key.strip_prefix(code).and_then(|rest| rest.strip_prefix(' '));
            detail.is_some_and(|meant| details.iter().any(|detail| is_detail(detail, meant)))
        };
        // The longest key is the most specific.
        let exact = self.0.iter().filter(|(key, _)| is_meant(key)).max_by_key(|(key, _)| key.len());
        exact.or_else(|| self.0.iter().find(|(key, _)| key == code)).map(|(_, answer)| answer)
    }

    /// Returns the answers, in the order of the file.
    pub fn answers(&self) -> impl Iterator<Item = &ErrorAnswer> {
        self.0.iter().map(|(_, answer)| answer)
    }

    /// Adds the answers of another file; returns the first key that both files have.
    pub(crate) fn extend(&mut self, other: ErrorMap) -> Option<String> {
        let both = other.0.iter().find(|(key, _)| self.0.iter().any(|(own, _)| own == key)).map(|(key, _)| key.clone());
        self.0.extend(other.0);
        both
    }
}

/// Returns the details of a refusal that a key may contain: the pointers of wrong fields, the quota with the product that
/// gives more, or the detail.
fn details(refusal: &Refusal) -> Vec<String> {
    match refusal {
        Refusal::Invalid(errors) => errors.iter().map(|error| error.path.clone()).collect(),
        Refusal::QuotaExceeded(quota) => match &quota.upgrade {
            Some(upgrade) => vec![format!("{}:{upgrade}", quota.quota)],
            None => vec![quota.quota.clone()],
        },
        other => vec![other.detail()],
    }
}

/// Returns true if `meant` is the detail, or its kind: `subdomain` for `subdomain:acme`.
fn is_detail(detail: &str, meant: &str) -> bool {
    detail == meant || detail.strip_prefix(meant).is_some_and(|rest| rest.starts_with(':'))
}

fn read_key(check: &Checker, entry: &Entry) -> Checked<String> {
    let code = entry.key.split(' ').next().unwrap_or_default();
    match Refusal::CODES.contains(&code) {
        true => Ok(entry.key.clone()),
        false => {
            Err(check.note(BadInput::unknown_name(entry.place(), code, "not a code of a refusal", Refusal::CODES)))
        }
    }
}

/// Reads `{status: 402, code: subscription_required}`.
pub(crate) fn read_answer(check: &Checker, of: &str, node: &Node) -> Checked<ErrorAnswer> {
    let mut fields = check.fields(format!("`{of}`"), node)?;
    let status = fields.need("status").and_then(|node| {
        let status = node.json().as_u64().and_then(|status| u16::try_from(status).ok());
        let is_error = status.filter(|status| (400..500).contains(status));
        is_error.ok_or_else(|| check.bad(node.place(), "`status` is not a status of an error", "400 to 499"))
    });
    let code = fields.need("code").and_then(|node| {
        let code = check.filled_text("code", node)?;
        match code.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"_-".contains(&c)) {
            true => Ok(code),
            false => Err(check.bad(node.place(), format!("`code: {code}`"), "lower-case letters, digits, _ and -")),
        }
    });
    let detail = fields.optional("detail", |node| check.filled_text("detail", node));
    fields.finish()?;
    Ok(ErrorAnswer { status: status?, code: code?, detail: detail? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::bad_input::Mistakes;
    use extension_contract::{FieldError, FieldErrorCode, QuotaRefusal};
    use std::path::Path;

    fn read(text: &str) -> Result<ErrorMap, Mistakes> {
        let node = Node::parse(Path::new("routes.yml"), text).expect("valid YAML");
        Checker::read(|check| ErrorMap::read(check, &node))
    }

    #[test]
    fn the_answer_for_the_detail_precedes_the_one_for_the_code() {
        let map = read(
            "quota-exceeded: {status: 409, code: limit}\nquota-exceeded projects: {status: 403, code: project_limit}\n\
             quota-exceeded deploys: {status: 409, code: deploy_limit}\nquota-exceeded deploys:slot: {status: 402, code: slot_required}\nquota-exceeded deploys:prod_premium: {status: 403, code: upgrade_required}\n\
             invalid /metadata/subdomain: {status: 422, code: subdomain_invalid}\nname-taken subdomain: {status: 409, code: taken}\n",
        )
        .expect("a map");
        let code = |refusal: &Refusal| map.answer(refusal).map(|answer| answer.code.clone());
        let quota = |quota: &str, upgrade: Option<&str>| {
            let upgrade = upgrade.map(str::to_owned);
            Refusal::QuotaExceeded(QuotaRefusal { quota: quota.into(), allowed: 1, used: 1, upgrade })
        };
        assert_eq!(code(&quota("projects", None)).as_deref(), Some("project_limit"));
        assert_eq!(code(&quota("projects", Some("prod_premium"))).as_deref(), Some("project_limit"));
        assert_eq!(code(&quota("deploys", None)).as_deref(), Some("deploy_limit"));
        assert_eq!(code(&quota("seats", None)).as_deref(), Some("limit"));
        assert_eq!(
            code(&quota("deploys", Some("slot"))).as_deref(),
            Some("slot_required"),
            "the longest key says most"
        );
        assert_eq!(code(&quota("deploys", Some("prod_premium"))).as_deref(), Some("upgrade_required"));
        let invalid = |path: &str| {
            let error = FieldError::new(path, FieldErrorCode::Missing, "");
            Refusal::Invalid(vec![error])
        };
        assert_eq!(code(&invalid("/metadata/subdomain")).as_deref(), Some("subdomain_invalid"));
        assert_eq!(code(&invalid("/metadata/subdomains")), None);
        assert_eq!(code(&Refusal::NameTaken("subdomain:acme".into())).as_deref(), Some("taken"));
        assert_eq!(code(&Refusal::NameTaken("subdomains:acme".into())), None);
    }

    #[test]
    fn each_refusal_of_the_contract_may_have_an_answer() {
        for code in Refusal::CODES {
            read(&format!("{code}: {{status: 402, code: a}}\n")).expect(code);
        }
    }

    #[test]
    fn mistakes_are_told_with_their_lines() {
        for (text, told) in [
            ("no-entitlment: {status: 402, code: a}\n", "did you mean `no-entitlement`?"),
            ("not-found: {status: 200, code: a}\n", "400 to 499"),
            ("not-found: {status: 404, code: A}\n", "lower-case"),
            ("not-found: {status: 404, code: a, why: b}\n", "`why`"),
            ("not-found: 404\n", "a mapping"),
        ] {
            let mistake = read(text).expect_err(text).to_string();
            assert!(mistake.starts_with("routes.yml:1") && mistake.contains(told), "{mistake}");
        }
    }
}
