//! Old spellings of the catalog language. A catalog with one of them is refused with what to write instead; rows that an
//! earlier version stored are rewritten when they are read.

use super::amount::{UNLIMITED, UNLIMITED_WORD};
use super::condition::Condition;
use super::words::escaped;
use crate::model::halt::{Ruled, wrong_field};
use extension_contract::FieldErrorCode;
use serde_json::{Map, Value, json};

/// How a member is written now: its name and its value. `None` if the member is not an old spelling.
type Now = fn(&str, &Value) -> Option<(&'static str, Value)>;

/// An old spelling: the objects that may have it, their member (`*` for each), and how it is written now. In the place of the
/// objects, `*` is any name or number.
struct Rule(&'static str, &'static str, Now);

/// The clause of a type in a document.
const TYPE: &str = "product_types/*";
/// The clause of policies in a document.
const POLICIES: &str = "policies";
/// A name for a member that is left out: the meter's declaration has it.
const GONE: &str = "formula";
/// A name that stands for the member's own name.
const SAME: &str = "";

const RULES: [Rule; 31] = [
    Rule("", "business", |_, value| Some((POLICIES, value.clone()))),
    Rule("", "on", |_, value| Some(("reactions", value.clone()))),
    Rule(POLICIES, "grace_days", |_, days| Some(("grace", days_of(days)?))),
    Rule(POLICIES, "dunning_days", |_, days| Some(("dunning", each_day(days)?))),
    Rule(POLICIES, "over_limit_days", |_, days| Some(("over_limit", days_of(days)?))),
    Rule(POLICIES, "archive_after_days", |_, days| Some(("archive_after", days_of(days)?))),
    Rule(POLICIES, "retention_days", |_, days| Some(("delete_after", days_of(days)?))),
    Rule(POLICIES, "notice_days", |_, days| Some(("notice", each_day(days)?))),
    Rule(POLICIES, "name_block_days", |_, days| Some(("name_block", days_of(days)?))),
    Rule(POLICIES, "final_backup_days", |_, days| Some(("final_backup", days_of(days)?))),
    Rule(POLICIES, "error_credit_hours", |_, hours| Some(("error_credit_after", span(hours, 'h')?))),
    Rule("rates/*/seller", "micros", |_, field| Some((SAME, place("product", field)?))),
    Rule("rates/*/invoice", "if", |_, key| Some((SAME, allowed(key)?))),
    Rule(TYPE, "requires_plan", |_, value| (value == &Value::Bool(true)).then(|| ("if", json!("plan")))),
    Rule("product_types/*/refund", "days", |_, days| Some(("within", days_of(days)?))),
    Rule("product_types/*/split", "hold_days", |_, days| Some(("hold", days_of(days)?))),
    Rule("product_types/*/watch", "every_s", |_, seconds| Some(("every", span(seconds, 's')?))),
    Rule("product_types/*/buy", "if", |_, key| Some((SAME, allowed(key)?))),
    Rule("product_types/*/buy", "once_per", |_, field| {
        Some(("at_most", json!({"count": 1, "per": place("product", field)?})))
    }),
    Rule("product_types/*/buy/quantity", "max", |_, most| Some(("at_most", most.clone()))),
    Rule("product_types/*/grants", "*", |_, amount| Some((SAME, amount_of("product", amount)?))),
    Rule("product_types/*/grants/*", "amount", |_, amount| Some((SAME, amount_of("product", amount)?))),
    Rule("product_types/*/grants/*", "if", |_, key| Some((SAME, allowed(key)?))),
    Rule("product_types/*/consumes", "*", |_, amount| Some((SAME, amount_of("instance", amount)?))),
    Rule("product_types/*/on_paid/*", "credit", |_, amount| Some((SAME, amount_of("product", amount)?))),
    Rule("product_types/*/plan/quotas", "*", |_, field| Some((SAME, place("plan", field)?))),
    Rule("product_types/*/meters/*", "counter", |_, sums| {
        Some((GONE, json!(if sums == &Value::Bool(true) { "sum" } else { "last" })))
    }),
    Rule("product_types/*/tokens/*", "live", |_, most| Some(("at_most", most.clone()))),
    Rule("product_types/*/tokens/*", "if", |_, key| Some((SAME, allowed(key)?))),
    Rule("product_types/*/tokens/*/redeem", "effect", |_, kind| Some(("run", kind.clone()))),
    Rule("product_types/*/provisions/*", "stock", |_, stock| {
        Some(("at_most", json!({"count": stock.get("most")?, "per": stock.get("by")?})))
    }),
];

/// Returns a whole number with its unit; `None` for another value.
fn span(value: &Value, unit: char) -> Option<Value> {
    Some(Value::String(format!("{}{unit}", value.as_u64()?)))
}

fn days_of(value: &Value) -> Option<Value> {
    span(value, 'd')
}

fn each_day(value: &Value) -> Option<Value> {
    value.as_array()?.iter().map(days_of).collect::<Option<Vec<_>>>().map(Value::Array)
}

/// Returns the placeholder of a field that is only named; `None` for a template and for `unlimited`.
fn place(source: &str, value: &Value) -> Option<Value> {
    let name = value.as_str().filter(|name| !name.contains('{') && *name != UNLIMITED_WORD)?;
    Some(Value::String(format!("{{{source}.{name}}}")))
}

fn amount_of(source: &str, value: &Value) -> Option<Value> {
    match value {
        Value::Number(number) if number.as_i64() == Some(UNLIMITED) => Some(json!(UNLIMITED_WORD)),
        Value::Bool(truth) => Some(json!(i64::from(*truth))),
        other => place(source, other),
    }
}

/// Returns the condition about an entitlement that is only named.
fn allowed(value: &Value) -> Option<Value> {
    let key = value.as_str().filter(|key| Condition::parse(key).is_none())?;
    Some(Value::String(format!("allowed.{key}")))
}

/// Fails with the first old spelling in a document, and what to write instead.
pub(crate) fn refuse(document: &mut Value) -> Ruled<()> {
    for rule in &RULES {
        let mut found = None;
        visit(document, rule.0, "", &mut |path, object| {
            found = found.take().or_else(|| first(rule, path, object));
        });
        if let Some((path, message)) = found {
            let (found, expected) = message.split_once(": expected ").unwrap_or((&message, ""));
            return Err(wrong_field(&path, FieldErrorCode::NotAllowed, found, expected));
        }
    }
    Ok(())
}

/// Returns the first member of an object that a rule rewrites, with its path and the message.
fn first(rule: &Rule, path: &str, object: &Map<String, Value>) -> Option<(String, String)> {
    let member = |(name, value): (&String, &Value)| {
        let (now, written) = rule.now(name, value)?;
        let mut message = format!("`{name}: {}` is an old spelling: expected `{now}: {}`", flow(value), flow(&written));
        if now == GONE {
            message = format!("the clause `meters` says it: expected `{now}: {}` there", flow(&written));
        }
        if now == POLICIES {
            message = format!("policies stand in the business's own file: expected `{now}: {}` there", flow(&written));
        }
        Some((format!("{path}/{}", escaped(name)), message))
    };
    object.iter().find_map(member)
}

impl Rule {
    /// Returns how a member is written now; `None` if it is not an old spelling of this rule.
    fn now<'n>(&self, name: &'n str, value: &Value) -> Option<(&'n str, Value)> {
        if self.1 != "*" && self.1 != name {
            return None;
        }
        let (now, value) = self.2(name, value)?;
        Some((if now == SAME { name } else { now }, value))
    }
}

/// Calls `seen` with each object at a pattern, and its path below `path`.
fn visit(value: &mut Value, pattern: &str, path: &str, seen: &mut dyn FnMut(&str, &mut Map<String, Value>)) {
    if pattern.is_empty() {
        if let Some(object) = value.as_object_mut() {
            seen(path, object);
        }
        return;
    }
    let (head, rest) = pattern.split_once('/').unwrap_or((pattern, ""));
    let mut step = |name: &str, member: &mut Value| visit(member, rest, &format!("{path}/{}", escaped(name)), seen);
    match value {
        Value::Object(members) => {
            let named = members.iter_mut().filter(|(name, _)| head == "*" || *name == head);
            named.for_each(|(name, value)| step(name, value));
        }
        Value::Array(items) if head == "*" => {
            items.iter_mut().enumerate().for_each(|(index, item)| step(&index.to_string(), item));
        }
        _ => {}
    }
}

/// Rewrites the old spellings in a stored type.
pub(crate) fn rewrite_type(decl: &mut Value) {
    for rule in &RULES {
        if let Some(pattern) = rule.0.strip_prefix(TYPE) {
            rewrite(decl, pattern.trim_start_matches('/'), rule);
        }
    }
}

/// Rewrites the old spellings in the stored policies, which have other clauses beside them.
pub(crate) fn rewrite_settings(settings: &mut Value) {
    for rule in &RULES {
        rewrite(settings, if rule.0 == POLICIES { "" } else { rule.0 }, rule);
    }
}

fn rewrite(value: &mut Value, pattern: &str, rule: &Rule) {
    visit(value, pattern, "", &mut |_, object| {
        for (name, value) in std::mem::take(object) {
            match rule.now(&name, &value) {
                Some((GONE, _)) => None,
                Some((now, value)) => object.insert(now.to_owned(), value),
                None => object.insert(name, value),
            };
        }
    });
}

/// Writes a value in a line of YAML.
fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| format!("{name}: {}", flow(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) => {
            text.clone()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::halt::Halt;
    use extension_contract::Refusal;

    fn told(mut document: Value) -> String {
        match refuse(&mut document) {
            Ok(()) => String::new(),
            Err(Halt::Refused(Refusal::Invalid(errors))) => format!("{}: {}", errors[0].path, errors[0].message()),
            Err(_) => "another refusal".to_owned(),
        }
    }

    #[test]
    fn an_old_spelling_is_refused_with_the_line_to_write_instead() {
        let of_type = |clause: Value| json!({"product_types": [{"name": "a"}, clause]});
        for (document, expected) in [
            (
                json!({"policies": {"grace_days": 3}}),
                "/policies/grace_days: `grace_days: 3` is an old spelling: expected `grace: 3d`",
            ),
            (
                json!({"policies": {"dunning_days": [0, 3]}}),
                "/policies/dunning_days: `dunning_days: [0, 3]` is an old spelling: expected `dunning: [0d, 3d]`",
            ),
            (json!({"on": []}), "/on: `on: []` is an old spelling: expected `reactions: []`"),
            (
                json!({"business": {"currency": "usd"}}),
                "/business: policies stand in the business's own file: expected `policies: {currency: usd}` there",
            ),
            (
                of_type(json!({"buy": {"once_per": "tier"}})),
                "/product_types/1/buy/once_per: `once_per: tier` is an old spelling: expected `at_most: {count: 1, per: \"{product.tier}\"}`",
            ),
            (
                of_type(json!({"grants": {"a/b": "sites"}})),
                "/product_types/1/grants/a~1b: `a/b: sites` is an old spelling: expected `a/b: \"{product.sites}\"`",
            ),
            (
                of_type(json!({"tokens": [{"if": "download:{product.id}"}]})),
                "/product_types/1/tokens/0/if: `if: \"download:{product.id}\"` is an old spelling: expected `if: \"allowed.download:{product.id}\"`",
            ),
            (
                of_type(json!({"provisions": [{"stock": {"by": "{plan.tier}", "most": {"free": 2}}}]})),
                "/product_types/1/provisions/0/stock: `stock: {by: \"{plan.tier}\", most: {free: 2}}` is an old spelling: expected `at_most: {count: {free: 2}, per: \"{plan.tier}\"}`",
            ),
        ] {
            assert_eq!(told(document), expected);
        }
        let new = json!({"policies": {"grace": "3d"}, "reactions": [], "product_types": ["a", {"buy": {"if": "allowed.b"},
            "grants": {"a": "unlimited", "b": 2, "c": {"amount": "{product.c}", "if": "allowed.d"}}}]});
        assert_eq!(told(new), "");
    }

    #[test]
    fn stored_rows_are_rewritten() {
        let mut decl = json!({"name": "a", "requires_plan": true, "refund": {"days": 3}, "consumes": {"b": "c"},
            "grants": {"d": {"amount": "e", "if": "f"}, "g": true}, "plan": {"family": "h", "quotas": {"i": "j"}},
            "tokens": [{"live": 2, "if": "k", "redeem": {"effect": "l"}}]});
        rewrite_type(&mut decl);
        let expected = json!({"name": "a", "if": "plan", "refund": {"within": "3d"}, "consumes": {"b": "{instance.c}"},
            "grants": {"d": {"amount": "{product.e}", "if": "allowed.f"}, "g": 1},
            "plan": {"family": "h", "quotas": {"i": "{plan.j}"}},
            "tokens": [{"at_most": 2, "if": "allowed.k", "redeem": {"run": "l"}}]});
        assert_eq!(decl, expected);
        let mut settings = json!({"grace_days": 7, "on": [{"event": "a"}], "compare_after": "1d",
            "rates": {"b": {"seller": {"by": "c", "micros": "d"}, "invoice": {"min": 5, "if": "e"}}}});
        rewrite_settings(&mut settings);
        let expected = json!({"grace": "7d", "reactions": [{"event": "a"}], "compare_after": "1d",
            "rates": {"b": {"seller": {"by": "c", "micros": "{product.d}"}, "invoice": {"min": 5, "if": "allowed.e"}}}});
        assert_eq!(settings, expected);
    }
}
