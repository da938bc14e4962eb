//! The way out of a refusal: what the account could buy to be allowed more.

use crate::catalog::Catalog;
use crate::catalog::amount::UNLIMITED;
use crate::catalog::template::Scope;
use crate::catalog::terms::with_id;
use crate::model::halt::Ruled;
use products_contract::QuotaRefusal;

use super::standing::Standing;

/// The cheapest product on sale that allows an amount by itself.
fn upgrade_for(catalog: &Catalog<'_>, key: &str, amount: i64) -> Ruled<Option<String>> {
    let types = catalog.types()?;
    let mut best: Option<(i64, String)> = None;
    for row in catalog.products(None)?.iter().filter(|row| row.values.active) {
        let decl = types.iter().find(|decl| decl.name == row.values.product_type);
        let granted = decl.and_then(|decl| decl.grants.get(key)).filter(|granted| granted.condition().is_none());
        let (Some(granted), Some(price)) = (granted, &row.values.price) else { continue };
        let metadata = catalog.metadata(&row.id)?;
        let fields = with_id(&metadata, &row.id);
        let allows = granted.amount().of(&metadata, &Scope::default().object("product", &fields)).unwrap_or(0);
        if (allows == UNLIMITED || allows >= amount)
            && best.as_ref().is_none_or(|(cheapest, _)| price.amount_minor < *cheapest)
        {
            best = Some((price.amount_minor, row.id.clone()));
        }
    }
    Ok(best.map(|(_, id)| id))
}

/// A refusal of more than is allowed, with the limit, what is used of it, and the way out.
pub(crate) fn refusal(
    catalog: &Catalog<'_>,
    standing: &Standing,
    key: &str,
    used: i64,
    amount: i64,
) -> Ruled<QuotaRefusal> {
    let upgrade = upgrade_for(catalog, key, used.saturating_add(amount))?;
    Ok(QuotaRefusal { quota: key.to_owned(), allowed: standing.allows(key), used, upgrade })
}
