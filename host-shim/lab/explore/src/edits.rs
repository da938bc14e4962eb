//! Edits: changes the catalog between two steps by adding, lowering or removing a clause. Anything sold before the edit must keep its
//! terms.

use crate::compose::Composer;
use crate::explorer::{Explorer, Finding, VariantKind, Written};
use crate::law::{Breach, Law, first_difference, requested_movements};
use crate::plan::{Act, Plan};
use crate::stage::{Mark, Stage, accounts};
use extension_contract::Account;
use host_replay::state::account_rows;
use host_scenario::error::ReplayError;
use host_scenario::model::Action;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Number of points in a story at which each edit is made.
const PLACES: usize = 3;
/// Sections that record sales: purchases, credits and shares.
const SOLD: [&str; 3] = ["purchases", "records/credits", "records/sales"];
/// Name of the flag, plan and field that an edit adds to the catalog.
const FLAG: &str = "explored";

/// What had been sold, and the money that had been requested, at one point of a run.
struct Sold {
    rows: Map<String, Value>,
    movements: Vec<String>,
    /// The accounts' standing: what one-time purchases and everything else allow, by account and entitlement.
    allowed: Value,
}

pub(crate) fn explore(explorer: &mut Explorer<'_>, written: &Written) -> Result<(), ReplayError> {
    let tale = explorer.stage.tale.clone();
    // A story that changes the catalog itself defines what should follow from the change.
    let changes = |action: &Action| match action {
        Action::Command(command) => command.kind == "catalog.load" || command.kind.starts_with("product."),
        Action::Product(_) => true,
        _ => false,
    };
    if tale.scenario.steps.iter().any(|step| changes(&step.action)) {
        return Ok(());
    }
    let mut composer = Composer::of(&tale)?;
    let acts = &written.plan.acts;
    let mut edits = Vec::new();
    for (name, catalog) in of_catalog(&tale.business.catalog) {
        // A command or a use after the edit may rightly have a different result, and so may a subscription that begins after it or changes
        // its price.
        let asks = |act: &Act| match &tale.scenario.steps[act.step].action {
            Action::Stripe(step) if step.kind == "customer.subscription.updated" => {
                step.previous.iter().any(|change| ["price", "items"].contains(&change.key.as_str()))
            }
            Action::Stripe(step) => step.kind == "customer.subscription.created",
            action => !action.is_payment_event() && action.event_id().is_some(),
        };
        let first = acts.iter().rposition(asks).map_or(1, |last| last + 1);
        for at in (first..=acts.len()).rev().step_by((acts.len() - first + 1).div_ceil(PLACES).max(1)) {
            let clock = written.marks[at].clock();
            let act = composer.command("catalog.load", Some(Account::Platform), catalog.clone(), clock)?;
            edits.push((name.clone(), at, act));
        }
    }
    let edits = explorer.limits.sampled_of(edits, explorer.limits.samples);
    let extended = composer.tale();
    let mut stage = Stage::start(&extended)?;
    let mut marks: Vec<Mark> = vec![stage.mark()?];
    let mut sold = vec![sold_now(&mut stage)?];
    for act in acts {
        stage.act(act)?;
        marks.push(stage.mark()?);
        sold.push(sold_now(&mut stage)?);
    }
    stage.rest(REST_MS)?;
    let should = sold_now(&mut stage)?;
    let outcomes = stage.watched().outcomes.clone();
    for (name, at, act) in edits {
        stage.go_to(&marks[at])?;
        let mut plan = Plan { rest_ms: REST_MS, ..written.plan.clone() };
        plan.acts.insert(at, act);
        plan.acts[at..].iter().try_for_each(|act| stage.act(act))?;
        stage.rest(REST_MS)?;
        let is_alike = outcomes.iter().all(|(id, outcome)| stage.watched().outcomes.get(id) == Some(outcome));
        let found = sold_now(&mut stage)?;
        // If a command has a different outcome, later sales rightly differ.
        let breach = if is_alike { difference(&sold[at], &should, &found) } else { None };
        if let Some(breach) = breach.or(crate::law::leftover(stage.host())?) {
            let variant = format!("{name} before step {}", at + 1);
            let (reference, tale) = (Plan { rest_ms: REST_MS, ..written.plan.clone() }, extended.clone());
            explorer.record_finding(Finding { kind: VariantKind::Edits, breach, variant, plan, reference, tale });
        }
        if !explorer.count_variants(VariantKind::Edits, 1, 1) {
            break;
        }
    }
    explorer.count_decisions(stage.decisions());
    Ok(())
}

/// Time after the last step within which a consequence would show: two days, in milliseconds.
const REST_MS: i64 = 2 * 24 * 3_600_000;

fn sold_now(stage: &mut Stage<'_>) -> Result<Sold, ReplayError> {
    let host = stage.host();
    let mut rows = Map::new();
    for account in accounts(host)? {
        let mut of_account = account_rows(host.processor(), &account)?;
        for section in SOLD {
            let found = of_account.sections.remove(section).unwrap_or_default();
            rows.extend(found.into_iter().map(|(id, row)| (format!("{section} {id} of {account}"), row)));
        }
    }
    let mut allowed = crate::law::standing(host)?;
    // Claims to names of the catalog's own products change with the catalog, and the quantity in use is not something sold.
    allowed.as_object_mut().into_iter().for_each(|of| drop(of.remove("claims")));
    for (_, of_account) in allowed.as_object_mut().into_iter().flatten() {
        for (_, row) in of_account["entitlements"].as_object_mut().into_iter().flatten() {
            row.as_object_mut().into_iter().for_each(|row| drop(row.remove("used")));
        }
    }
    Ok(Sold { rows, movements: requested_movements(host)?, allowed })
}

/// Returns what an edit has changed in earlier sales.
fn difference(before: &Sold, should: &Sold, found: &Sold) -> Option<Breach> {
    let broken = |what: String| Some(Breach::new(Law::Sold, what));
    if let Some(more) = found.movements.iter().find(|movement| !should.movements.contains(movement)) {
        return broken(format!("also requested: {more}"));
    }
    if let Some(less) = should.movements.iter().find(|movement| !found.movements.contains(movement)) {
        return broken(format!("not requested: {less}"));
    }
    let kept: BTreeSet<&String> = before.rows.keys().collect();
    let of = |sold: &Sold| -> Value {
        let rows = sold.rows.iter().filter(|(id, _)| kept.contains(id));
        Value::Object(rows.map(|(id, row)| (id.clone(), row.clone())).collect())
    };
    if let Some(what) = first_difference(&of(should), &of(found)) {
        return broken(what);
    }
    let what = first_difference(&should.allowed, &found.allowed)?;
    broken(what)
}

/// Returns the edits of a catalog that leave the terms of plans alone, each with its name and the whole catalog.
fn of_catalog(catalog: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let types = catalog["product_types"].as_array().map_or(0, Vec::len);
    for number in 0..types {
        let of_type = |edit: &dyn Fn(&mut Map<String, Value>) -> bool| {
            let mut edited = catalog.clone();
            let changed = edited["product_types"][number].as_object_mut().is_some_and(edit);
            changed.then_some(edited)
        };
        let name = catalog["product_types"][number]["name"].as_str().unwrap_or_default();
        let is_sold = catalog["product_types"][number]["catalog"] == true;
        let is_plan = catalog["product_types"][number]["family"].is_string();
        if is_sold && !is_plan {
            let condition = of_type(&|kind| {
                let buy = kind.entry("buy").or_insert_with(|| json!({}));
                let is_free = buy.get("if").is_none();
                buy["if"] = json!(format!("allowed.{FLAG}"));
                is_free
            });
            found.extend(condition.map(|mut edited| {
                add_plan(&mut edited);
                (format!("{name} is sold under a condition"), edited)
            }));
            let limited = of_type(&|kind| {
                let buy = kind.entry("buy").or_insert_with(|| json!({}));
                let is_free = buy.get("at_most").is_none() && buy.get("quantity").is_none();
                buy["at_most"] = json!({"count": 1, "per": format!("{{product.{FLAG}}}")});
                let fields = kind.entry("fields").or_insert_with(|| json!([])).as_array_mut();
                let added = fields.map(|fields| fields.push(json!({"name": FLAG, "type": "string", "required": true})));
                is_free && added.is_some()
            });
            found.extend(limited.map(|mut edited| {
                let products = edited["products"].as_array_mut().into_iter().flatten();
                products.filter(|of| of["product_type"] == name).for_each(|of| of["metadata"][FLAG] = json!("one"));
                (format!("{name} is sold once"), edited)
            }));
        }
        for clause in ["split", "refund", "on_paid"] {
            let removed = of_type(&|kind| kind.remove(clause).is_some());
            found.extend(removed.map(|mut edited| {
                if clause == "split" {
                    without_sellers(&mut edited, number);
                }
                (format!("{name} loses `{clause}`"), edited)
            }));
        }
        for step in 0..catalog["product_types"][number]["provisions"].as_array().map_or(0, Vec::len) {
            let step_name = catalog["product_types"][number]["provisions"][step]["name"].as_str().unwrap_or_default();
            let fewer = of_type(&|kind| {
                let of_other = |of: &Value| of["resource"] != step_name;
                let others = kind.get_mut("provisions").and_then(Value::as_array_mut).into_iter().flatten();
                for after in others.filter_map(|other| other.get_mut("after").and_then(Value::as_array_mut)) {
                    after.retain(|of| of != step_name);
                }
                kind.get_mut("url").and_then(Value::as_array_mut).into_iter().for_each(|url| url.retain(of_other));
                let steps = kind["provisions"].as_array_mut();
                steps.is_some_and(|steps| steps.len() > 1 && steps.remove(step).is_object())
            });
            found.extend(fewer.map(|edited| (format!("{name} loses {step_name}"), edited)));
        }
    }
    for (number, product) in catalog["products"].as_array().into_iter().flatten().enumerate() {
        let id = product["id"].as_str().unwrap_or_default();
        if product["default"] != true {
            let mut without = catalog.clone();
            if let Some(products) = without["products"].as_array_mut() {
                products.remove(number);
            }
            found.push((format!("{id} is no longer sold"), without));
        }
        if product["prices"]["once"].is_null() {
            continue;
        }
        let mut lowered = catalog.clone();
        let members = lowered["products"][number]["metadata"].as_object_mut().into_iter().flatten();
        let mut is_lower = false;
        for (_, value) in members {
            if let Some(amount) = value.as_i64().filter(|amount| *amount > 1) {
                *value = json!(amount / 2);
                is_lower = true;
            }
        }
        if is_lower {
            found.push((format!("{id} gives half"), lowered));
        }
    }
    found
}

/// Adds a flag, and a plan that grants it but that nobody has.
fn add_plan(catalog: &mut Value) {
    catalog["entitlements"][FLAG] = json!({"kind": "flag"});
    let slug = json!([{"name": "slug", "type": "string", "required": true}]);
    let kind =
        json!({"name": FLAG, "catalog": true, "family": FLAG, "infer_by": "slug", "fields": slug, "grants": {FLAG: 1}});
    let product = json!({
        "id": format!("prod_{FLAG}"), "product_type": FLAG, "name": "Explored", "metadata": {"slug": FLAG},
        "prices": {"month": {"amount": 100, "id": format!("price_{FLAG}")}},
    });
    for (list, entry) in [("product_types", kind), ("products", product)] {
        catalog[list].as_array_mut().into_iter().for_each(|list| list.push(entry.clone()));
    }
}

/// Removes everything that depends on a type's shares: its approval, and the usage prices that go to sellers.
fn without_sellers(catalog: &mut Value, number: usize) {
    if let Some(kind) = catalog["product_types"][number].as_object_mut() {
        kind.remove("listing");
    }
    for (_, rate) in catalog["rates"].as_object_mut().into_iter().flatten() {
        rate.as_object_mut().into_iter().for_each(|rate| drop(rate.remove("seller")));
    }
}
