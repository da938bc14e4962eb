//! Creates the product for a paid checkout that was created outside of the system, from the session's metadata (ORC-02,
//! ORC-03). A refused product is stored with the error, so that a person can correct it.

use crate::catalog::desk::Desk;
use crate::catalog::instance::Instance;
use crate::catalog::making::{begin_metadata, insert};
use crate::catalog::product::normalise;
use crate::catalog::schema::{FromCheckout, TypeDecl};
use crate::catalog::template::{Scope, places, places_of};
use crate::model::halt::{Halt, Ruled, internal};
use crate::model::json::{Object, decode, encode, short_hash};
use crate::model::mails;
use crate::model::notice::send_once;
use crate::model::records::instance::{InstanceRecord, InstanceStatus, State};
use crate::model::records::product::ProductRow;
use crate::model::records::session::{Session, SessionStatus};
use extension_contract::{ActorKind, ProductValues, Refusal};
use serde_json::{Value, json};

/// Creates the products of paid sessions that have no product yet.
pub(super) fn reconcile(desk: &mut Desk<'_>) -> Ruled<()> {
    for (id, session) in desk.account.all::<Session>()? {
        let Some(text) = session.made_with.as_ref().filter(|_| session.made.is_none()) else { continue };
        if session.status != SessionStatus::Paid {
            continue;
        }
        let written: Object = decode(Session::COLLECTION, &id, text)?;
        let types = desk.catalog.types()?;
        let declared = types.iter().find_map(|decl| Some((decl, decl.from_checkout.as_ref()?)));
        let Some((decl, made)) = declared.filter(|(_, made)| has_fields_for(made, &written)) else { continue };
        let made = make(desk, decl, made, &short_hash(&id), &written)?;
        desk.account.put(&id, Session { made: Some(made), ..Session::clone(&session) });
    }
    Ok(())
}

/// Returns whether a session has any field that the clause uses, other than the e-mail address.
fn has_fields_for(made: &FromCheckout, written: &Object) -> bool {
    let places = places_of(&made.name).into_iter().chain(places(&made.metadata));
    let keys = places.filter_map(|place| place.strip_prefix("session."));
    keys.filter(|key| *key != "email").any(|key| written.contains_key(key))
}

fn make(desk: &mut Desk<'_>, decl: &TypeDecl, made: &FromCheckout, seed: &str, written: &Object) -> Ruled<String> {
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
    match proposed.and_then(|proposed| insert(desk, proposed, None, seed)) {
        Err(Halt::Refused(refusal)) => insert_refused(desk, decl, name, metadata, seed, &refusal),
        made => made,
    }
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
    metadata.insert("status".to_owned(), json!(InstanceStatus::Error.name()));
    metadata.insert("error".to_owned(), json!({"code": refusal.code(), "message": refusal.detail()}));
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
    instance.save(&mut desk.account)?;
    let values = json!({"instance": id, "code": refusal.code(), "detail": refusal.detail(), "given": metadata});
    send_once(&mut desk.account, &mails::NEEDS_ATTENTION, &id, &values)?;
    Ok(id)
}
