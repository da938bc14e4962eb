//! Creation of an account's product: takes its claims, writes its row and adopts it for reconciliation.

use super::Desk;
use super::instance::{Instance, names};
use crate::catalog::product::Proposed;
use crate::catalog::schema::TypeDecl;
use crate::model::halt::Ruled;
use crate::model::json::{Object, encode};
use crate::model::records::instance::{InstanceRecord, InstanceStatus, Names, State};
use crate::model::records::product::ProductRow;
use crate::model::time::rfc3339;
use extension_contract::{Account, Refusal};
use serde_json::{Value, json};

/// Takes the claims of unique fields, unless they are held already. The refusal names the taken claim, but not the
/// account that holds it.
pub(crate) fn take_names(desk: &mut Desk<'_>, decl: &TypeDecl, metadata: &Object, held: Names) -> Ruled<()> {
    if held == Names::Held {
        return Ok(());
    }
    match desk.account.claim_free(&names(decl, metadata))? {
        None => Ok(()),
        Some(key) => Err(Refusal::NameTaken(key).into()),
    }
}

/// Inserts a product row and returns its id, which is derived from `seed` if the product's type has no `id_by`.
pub(crate) fn insert(desk: &mut Desk<'_>, mut proposed: Proposed, purchase: Option<&str>, seed: &str) -> Ruled<String> {
    take_names(desk, &proposed.decl, &proposed.metadata, Names::Free)?;
    let by = proposed.decl.id_by.as_ref().and_then(|key| proposed.metadata.get(key)).and_then(Value::as_str);
    let prefix = proposed.decl.id_prefix.as_deref().unwrap_or("prod");
    let mut id = match by {
        Some(name) => format!("{prefix}_{name}"),
        None => format!("{prefix}_{seed}"),
    };
    // An id that was used before belongs to a row that is kept for its history.
    if desk.is_product_id_taken(&id)? {
        id = format!("{id}_{seed}");
    }
    begin_metadata(desk, &proposed.decl, &mut proposed.metadata, purchase)?;
    proposed.values.metadata = encode(&proposed.metadata)?;
    desk.account.load::<ProductRow>(&[id.clone()])?;
    desk.account.put(&id, ProductRow::from(proposed.values));
    adopt(desk, &id)?;
    Ok(id)
}

/// Marks an instance as managed by this component.
pub(crate) fn adopt(desk: &mut Desk<'_>, id: &str) -> Ruled<()> {
    let mut instance = Instance::load(desk, id)?;
    let kept = instance.record.kept();
    instance.record = InstanceRecord { state: State::default(), made_at: desk.now, names: Names::Held, ..kept }.into();
    instance.take_report()?;
    instance.save(&mut desk.account)
}

/// Sets the initial metadata of an instance.
pub(crate) fn begin_metadata(
    desk: &Desk<'_>,
    decl: &TypeDecl,
    metadata: &mut Object,
    purchase: Option<&str>,
) -> Ruled<()> {
    let mut set = |key: &str, value: Value| {
        if decl.field(key).is_some() {
            metadata.insert(key.to_owned(), value);
        }
    };
    set("status", json!(InstanceStatus::Provisioning.name()));
    set("health_status", json!("unknown"));
    set("created_at", json!(rfc3339(desk.now)));
    if let Account::User(id) = desk.account.owned()? {
        set("user_id", json!(id));
    }
    if let Some(purchase) = purchase {
        set("purchase_id", json!(purchase));
    }
    Ok(())
}
