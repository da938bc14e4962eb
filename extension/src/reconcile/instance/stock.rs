//! Stock: items that a business has a limited number of. Each item is a claim, so two accounts cannot take the same
//! item.

use crate::catalog::schema::Resource as Decl;
use crate::catalog::template::Scope;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::model::halt::Ruled;
use crate::model::json::Object;
use crate::model::keys::ClaimKey;
use crate::model::records::instance::ResourceStatus;
use serde_json::Value;

/// Code of a manual task for a resource that is out of stock.
pub(super) const OUT_OF_STOCK: &str = "out-of-stock";

/// The result of [`take`].
pub(super) enum Stock {
    /// The resource needs no stock item.
    Unlimited,
    /// The claim key of the item that was taken.
    Taken(String),
    /// No item is left.
    Out,
}

/// Takes an item for a resource that is to be created.
pub(super) fn take(desk: &mut Desk<'_>, instance: &Instance, decl: &Decl, plan: &Object) -> Ruled<Stock> {
    let Some(stock) = &decl.at_most else { return Ok(Stock::Unlimited) };
    let scope = Scope::default().fields("plan", plan).fields("instance", &instance.metadata);
    let Ok(Value::String(of)) = scope.fill(&Value::String(stock.per.clone())) else { return Ok(Stock::Unlimited) };
    let Some(most) = stock.count.get(&of) else { return Ok(Stock::Unlimited) };
    let space = format!("stock.{}.{}.{of}", instance.decl.name, decl.name);
    let key = |number: u32| String::from(ClaimKey::Name { space: &space, value: &number.to_string() });
    let keys: Vec<String> = (1..=*most).map(key).collect();
    Ok(desk.account.claim_one_of(&keys)?.map_or(Stock::Out, Stock::Taken))
}

/// Releases the items of resources that no longer use them.
pub(super) fn release_unused(desk: &mut Desk<'_>, instance: &mut Instance) {
    let mut unused = Vec::new();
    for resource in instance.record.resources.values_mut() {
        let may_exist = resource.task.as_ref().is_some_and(|task| task.may_exist);
        let is_unused = match resource.status {
            ResourceStatus::Absent | ResourceStatus::Skipped => true,
            ResourceStatus::ByHand => !may_exist,
            _ => false,
        };
        if is_unused {
            unused.extend(resource.stock.take());
        }
    }
    if !unused.is_empty() {
        desk.account.release_claims(unused, None);
    }
}
