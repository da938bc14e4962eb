//! What there is so many of in the whole business: each is a name that one account holds, so that no two take the last one.

use crate::catalog::desk::Desk;
use crate::catalog::instance::Instance;
use crate::catalog::schema::Resource as Decl;
use crate::catalog::template::Scope;
use crate::model::halt::Ruled;
use crate::model::json::Object;
use crate::model::keys::ClaimKey;
use crate::model::records::instance::ResourceStatus;
use serde_json::Value;

/// Why a machine was not asked: there is none left.
pub(super) const OUT_OF_STOCK: &str = "out-of-stock";

/// What becomes of a request for one.
pub(super) enum Stock {
    /// It needs none.
    Unlimited,
    /// It has this one.
    Taken(String),
    /// There is none left.
    Out,
}

/// Take one for a resource that is to be made.
pub(super) fn take(desk: &mut Desk<'_>, instance: &Instance, decl: &Decl, plan: &Object) -> Ruled<Stock> {
    let Some(stock) = &decl.stock else { return Ok(Stock::Unlimited) };
    let scope = Scope::default().fields("plan", plan).fields("instance", &instance.metadata);
    let Ok(Value::String(of)) = scope.fill(&Value::String(stock.by.clone())) else { return Ok(Stock::Unlimited) };
    let Some(most) = stock.most.get(&of) else { return Ok(Stock::Unlimited) };
    let space = format!("stock.{}.{}.{of}", instance.decl.name, decl.name);
    let key = |number: u32| String::from(ClaimKey::Name { space: &space, value: &number.to_string() });
    let keys: Vec<String> = (1..=*most).map(key).collect();
    Ok(desk.account.claim_one_of(&keys)?.map_or(Stock::Out, Stock::Taken))
}

/// Give back what nothing is made of any more.
pub(super) fn give_back(desk: &mut Desk<'_>, instance: &mut Instance) {
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
