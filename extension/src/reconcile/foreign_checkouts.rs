//! Creates the product for a paid checkout that was created outside of the system, from the session's metadata (ORC-02,
//! ORC-03). A refused product is stored with the error, so that a person can correct it.

use crate::catalog::price::prices_of;
use crate::catalog::product::normalise;
use crate::catalog::schema::{FromCheckout, TypeDecl};
use crate::catalog::template::Scope;
use crate::desk::Desk;
use crate::desk::instance::Instance;
use crate::desk::making::{begin_metadata, insert};
use crate::model::halt::{Halt, Ruled, internal, wrong_field};
use crate::model::json::{Object, decode, encode, short_hash};
use crate::model::mail_kinds;
use crate::model::notice::send_once;
use crate::model::records::instance::{InstanceRecord, State};
use crate::model::records::product::ProductRow;
use crate::model::records::session::{Session, SessionStatus};
use extension_contract::{ActorKind, FieldErrorCode, LineItem, ProductValues, Refusal};
use serde_json::{Value, json};
use std::rc::Rc;

/// Creates the products of paid sessions that have no product yet.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    for (id, session) in desk.account.all::<Session>()? {
        let Some(text) = session.made_with.as_ref().filter(|_| session.made.is_none()) else { continue };
        if session.status != SessionStatus::Paid {
            continue;
        }
        let written: Object = decode(Session::COLLECTION, &id, text)?;
        let Some((decl, made)) = declared(desk, &written)? else { continue };
        let made = make(desk, &decl, made, &short_hash(&id), &written)?;
        desk.account.put(&id, Session { made: Some(made), ..Session::clone(&session) });
    }
    Ok(())
}

/// Returns the product type that is made from a session with this metadata, and its clause.
fn declared(desk: &Desk<'_>, written: &Object) -> Ruled<Option<(Rc<TypeDecl>, FromCheckout)>> {
    let types = desk.catalog.types()?;
    let found = types.iter().find_map(|decl| Some((decl, decl.from_checkout.as_ref()?)));
    let found = found.filter(|(_, made)| made.is_meant(written.keys().map(String::as_str)));
    Ok(found.map(|(decl, made)| (decl.clone(), made.clone())))
}

/// Returns the plan that the metadata of a session names, as the item of its purchase; none if the catalog does not
/// allow the metadata to decide, or if the metadata name no plan with a price.
pub(super) fn plan_of(desk: &Desk<'_>, session: &Session) -> Ruled<Option<LineItem>> {
    let Some(text) = &session.made_with else { return Ok(None) };
    let written: Object = decode(Session::COLLECTION, &session.purchase, text)?;
    match declared(desk, &written)? {
        Some((decl, made)) => named_plan(desk, &decl, &made, &written, &session.currency),
        None => Ok(None),
    }
}

fn named_plan(
    desk: &Desk<'_>,
    decl: &TypeDecl,
    made: &FromCheckout,
    written: &Object,
    currency: &str,
) -> Ruled<Option<LineItem>> {
    let (Some(template), Some(link)) = (&made.plan, &decl.plan) else { return Ok(None) };
    let named = Scope::default().fields("session", written).fill(&json!(template));
    let Some(name) = named.ok().as_ref().and_then(Value::as_str).map(str::to_owned) else { return Ok(None) };
    let Some(id) = desk.catalog.plan_by_name(&link.family, &name)? else { return Ok(None) };
    let Some(product) = desk.catalog.product(&id)? else { return Ok(None) };
    let metadata = desk.catalog.metadata(&id)?;
    let prices = prices_of(&product.values, &metadata, &desk.catalog.settings()?.currency);
    let first = prices.into_iter().find_map(|price| {
        let amount = price.amount_in(currency).unwrap_or(price.amount);
        Some((price.id?, amount))
    });
    Ok(first.map(|(price_id, unit_price)| LineItem {
        product_id: id,
        price_id: Some(price_id.into()),
        name: product.values.name.clone(),
        quantity: 1,
        unit_price,
    }))
}

fn make(desk: &mut Desk<'_>, decl: &TypeDecl, made: FromCheckout, seed: &str, written: &Object) -> Ruled<String> {
    let scope = Scope::default().fields("session", written);
    let unknown = |place: String| internal(format!("unknown placeholder `{{{place}}}` in product type {}", decl.name));
    let name = scope.fill(&Value::String(made.name.clone())).map_err(unknown)?;
    let name = name.as_str().unwrap_or_default().to_owned();
    let metadata = scope.fill_object(&made.metadata).map_err(unknown)?;
    let mut body = Object::new();
    body.insert("product_type".to_owned(), json!(decl.name));
    body.insert("name".to_owned(), json!(name));
    body.insert("metadata".to_owned(), Value::Object(metadata.clone()));
    let proposed = normalise(&desk.catalog, ActorKind::System, &body, None);
    let made = proposed.and_then(|proposed| {
        names_plan(desk, decl, &made, written)?;
        insert(desk, proposed, None, seed)
    });
    match made {
        Err(Halt::Refused(refusal)) => insert_refused(desk, decl, name, metadata, seed, &refusal),
        made => made,
    }
}

/// Refuses metadata that names no plan, if the catalog wants one: whatever Stripe has told of subscriptions so far.
fn names_plan(desk: &Desk<'_>, decl: &TypeDecl, made: &FromCheckout, written: &Object) -> Ruled<()> {
    let Some(template) = &made.plan else { return Ok(()) };
    if named_plan(desk, decl, made, written, "")?.is_some() {
        return Ok(());
    }
    let found = format!("{template} of the checkout names no plan with a price");
    Err(wrong_field("/plan", FieldErrorCode::Missing, found, ""))
}

/// Stores a refused product with the error. `instance.retry` creates it after a correction.
fn insert_refused(
    desk: &mut Desk<'_>,
    decl: &TypeDecl,
    name: String,
    mut metadata: Object,
    seed: &str,
    refusal: &Refusal,
) -> Ruled<String> {
    let id = format!("{}_{seed}", decl.id_prefix.as_deref().unwrap_or("prod"));
    begin_metadata(desk, decl, &mut metadata, None)?;
    let values = ProductValues {
        product_type: decl.name.clone(),
        name: if name.is_empty() { id.clone() } else { name },
        description: String::new(),
        active: true,
        price: None,
        interval: None,
        filters: Vec::new(),
        metadata: encode(&metadata)?,
    };
    desk.account.load::<ProductRow>(std::slice::from_ref(&id))?;
    desk.account.put(&id, ProductRow::from(values));
    let mut instance = Instance::load(desk, &id)?;
    instance.record = InstanceRecord { state: State::refused(), made_at: desk.now, ..InstanceRecord::default() }.into();
    instance.fail_with(refusal.into());
    instance.save(&mut desk.account)?;
    let given = &*instance.metadata;
    let values = json!({"instance": id, "code": refusal.code(), "detail": refusal.detail(), "given": given});
    send_once(&mut desk.account, &mail_kinds::NEEDS_ATTENTION, &id, &values)?;
    Ok(id)
}
