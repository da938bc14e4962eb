//! Messages between the account that owns a listed product and the platform, which lists it.

use crate::catalog::account_name::account_of;
use crate::catalog::schema::TypeDecl;
use crate::desk::Desk;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::json::Object;
use crate::model::keys::EffectKey;
use crate::model::message::{self, Message};
use crate::model::records::listing::ListingStatus;
use extension_contract::{Account, Effect};
use serde_json::json;

/// Requests that no product of the account be on sale any more.
pub(crate) fn unlist_all(desk: &mut Desk<'_>) -> Ruled<()> {
    let own = desk.account.owned()?;
    for decl in desk.catalog.types()?.iter().filter(|decl| decl.listing.is_some()) {
        for row in desk.catalog.products(Some(&decl.name))?.iter().filter(|row| row.values.active) {
            if owner(decl, &*desk.catalog.metadata(&row.id)?).as_ref() != Some(&own) {
                continue;
            }
            let key = EffectKey::Listing { product: row.id.clone(), asked_by: desk.event_hash() };
            let body = [("active".to_owned(), json!(false))].into_iter().collect();
            let message = Message::Listing(message::Listing { product: row.id.clone(), body });
            send(desk, Account::Platform, &row.id, &key, &message)?;
        }
    }
    Ok(())
}

/// Returns the account that owns a product of the catalog; `None` if only operators list products of its type.
pub(crate) fn owner(decl: &TypeDecl, metadata: &Object) -> Option<Account> {
    decl.listing?;
    account_of(metadata.get(owner_field(decl)?)?.as_str()?)
}

/// Notifies the owner of a product's listing status.
pub(crate) fn notify_owner(
    desk: &mut Desk<'_>,
    to: Account,
    product: &str,
    name: String,
    status: ListingStatus,
    reason: Option<&str>,
) -> Ruled<()> {
    let key = EffectKey::Listed { product: product.to_owned(), asked_by: desk.event_hash() };
    let reason = reason.map(str::to_owned);
    let message = Message::Listed(message::Listed { product: product.to_owned(), name, status, reason });
    send(desk, to, product, &key, &message)
}

/// Sends a message about a product. Messages about the same product are delivered in order.
pub(crate) fn send(desk: &mut Desk<'_>, to: Account, product: &str, key: &EffectKey, message: &Message) -> Ruled<()> {
    let effect = request(key, message, None)?;
    desk.account.ask(Effect { to: Some(to), ordering_key: Some(format!("listing:{product}")), ..effect });
    Ok(())
}

/// Returns the field of a type that names the receiver of a product's share.
pub(crate) fn owner_field(decl: &TypeDecl) -> Option<&str> {
    decl.split.as_ref()?.field()
}
