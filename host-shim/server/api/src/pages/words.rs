//! Words a refusal for the person at the browser: what it means, and what helps.

use extension_contract::{QuotaRefusal, Refusal};
use serde_json::{Value, json};

/// The words for a refused form.
pub(super) struct RefusalWords {
    /// What is shown at the top of the page: title, detail, code and the products that would help.
    pub(super) problem: Value,
    /// The field that is wrong, with the message next to it.
    pub(super) field: Option<(String, String)>,
}

/// Returns the words for an answer of the API. A business's own words take precedence.
pub(super) fn told(refusal: Option<&Refusal>, body: &Value, catalog: &Value) -> RefusalWords {
    let said = body["detail"].as_str().unwrap_or_default();
    let is_own = refusal.is_some_and(|refusal| refusal.detail() != said);
    let (title, detail, offers, field) = match refusal {
        Some(Refusal::QuotaExceeded(quota)) => {
            ("The limit is reached", of_quota(quota), offers(catalog, quota.upgrade.as_deref()), None)
        }
        Some(Refusal::NoEntitlement(key)) => {
            let detail = match key.as_str() {
                "plan" => "You need a plan for this.".to_owned(),
                other => format!("Your plan does not include {}.", spaced(other)),
            };
            ("Choose a plan first", detail, vec![json!({"product_id": null, "name": "See the plans"})], None)
        }
        Some(Refusal::NameTaken(claim)) => {
            let (field, name) = claim.split_once(':').unwrap_or(("", claim));
            let text = format!("`{name}` is taken. Choose another one.");
            ("The name is taken", text.clone(), Vec::new(), Some((field.to_owned(), text)))
        }
        Some(Refusal::InsufficientBalance(ledger)) => {
            ("The balance is too low", format!("You have too few {}.", spaced(ledger)), Vec::new(), None)
        }
        Some(Refusal::AlreadyOwned(_)) => {
            ("You have it already", "You can have this only once.".to_owned(), Vec::new(), None)
        }
        _ => ("That did not work", sentence(said), Vec::new(), None),
    };
    let detail = if is_own && !said.is_empty() { sentence(said) } else { detail };
    let field = field.map(|(field, text)| (field, if is_own { detail.clone() } else { text }));
    RefusalWords { problem: json!({"title": title, "detail": detail, "code": body["code"], "offers": offers}), field }
}

fn of_quota(quota: &QuotaRefusal) -> String {
    let name = sentence(&spaced(&quota.quota));
    let name = name.trim_end_matches('.');
    match quota.allowed {
        _ if quota.quota.starts_with("may_") => "Your plan does not allow this.".to_owned(),
        0 => format!("{name}: your plan has none."),
        allowed => format!("{name}: your plan allows {allowed}, and all of them are in use."),
    }
}

/// Returns the product that would allow more, with its name.
fn offers(catalog: &Value, upgrade: Option<&str>) -> Vec<Value> {
    let named = |id: &str| {
        let found = catalog["products"].as_array().into_iter().flatten().find(|product| product["id"] == id);
        json!({"product_id": id, "name": found.map_or_else(|| json!(id), |product| product["name"].clone())})
    };
    upgrade.map(named).into_iter().collect()
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// Returns a text as a sentence, with a capital letter and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.trim().chars();
    let Some(first) = letters.next() else { return String::new() };
    let text: String = first.to_uppercase().chain(letters).collect();
    if text.ends_with(['.', '!', '?']) { text } else { format!("{text}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(refusal: Refusal, detail: Option<&str>) -> (String, String, Option<(String, String)>) {
        let body = json!({"detail": detail.map_or_else(|| refusal.detail(), str::to_owned), "code": "x"});
        let catalog = json!({"products": [{"id": "prod_pro", "name": "Pro"}]});
        let RefusalWords { problem, field } = told(Some(&refusal), &body, &catalog);
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        (format!("{} {}", text("title"), text("detail")), problem["offers"].to_string(), field)
    }

    #[test]
    fn a_refusal_is_told_in_words_with_what_helps() {
        let quota = |allowed, upgrade: Option<&str>| {
            let upgrade = upgrade.map(str::to_owned);
            Refusal::QuotaExceeded(QuotaRefusal { quota: "api_keys".into(), allowed, used: 0, upgrade })
        };
        let told = problem(quota(2, Some("prod_pro")), None);
        assert_eq!(told.0, "The limit is reached Api keys: your plan allows 2, and all of them are in use.");
        assert_eq!(told.1, "[{\"name\":\"Pro\",\"product_id\":\"prod_pro\"}]");
        assert_eq!(problem(quota(0, None), None).0, "The limit is reached Api keys: your plan has none.");
        let taken = problem(Refusal::NameTaken("subdomain:choir".into()), None);
        assert_eq!(taken.2, Some(("subdomain".into(), "`choir` is taken. Choose another one.".into())));
        let own = problem(Refusal::NameTaken("subdomain:choir".into()), Some("another orchestra has it"));
        assert_eq!(own.2, Some(("subdomain".into(), "Another orchestra has it.".into())), "the words of the business");
        let plan = problem(Refusal::NoEntitlement("plan".into()), None);
        assert_eq!(plan.0, "Choose a plan first You need a plan for this.");
        let other = problem(Refusal::BadTransition("it is sent".into()), None);
        assert_eq!((other.0.as_str(), other.2), ("That did not work It is sent.", None));
    }
}
