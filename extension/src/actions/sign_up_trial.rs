//! Begins the trial of a new account with its first event (`trial: {at: sign_up}`).

use crate::catalog::sale::TrialThen;
use crate::desk::Desk;
use crate::model::halt::Ruled;
use crate::model::keys::FactKey;
use crate::model::records::sign_up_trial::SignUpTrialRow;
use crate::model::time::plus_days;

/// Commands that do not mean that somebody uses the account. They begin no trial.
const OTHERS: [&str; 4] = ["account.close", "trial.end", "trial.extend", "usage.admit"];

/// Begins the trial, unless the account had events before or may not try the plan. Returns whether it has begun.
pub(crate) fn begin(desk: &mut Desk<'_>) -> Ruled<bool> {
    if !desk.account.is_empty() || OTHERS.contains(&desk.kind) {
        return Ok(false);
    }
    let Some(owner) = desk.account.owner().cloned() else { return Ok(false) };
    let settings = desk.catalog.settings()?;
    let Some(trial) = settings.sign_up.as_ref().filter(|trial| trial.is_for(&owner)) else { return Ok(false) };
    // An account whose rows have all been settled is not new, either.
    if desk.account.is_known(&FactKey::Registered.to_string())? {
        return Ok(false);
    }
    let sold_as = trial.tried.family.as_deref().unwrap_or(&trial.product_id);
    if !desk.account.record_fact(&FactKey::Trial(sold_as).to_string())? {
        return Ok(false);
    }
    let row = SignUpTrialRow {
        product: trial.product_id.clone(),
        began: desk.now,
        until: plus_days(desk.now, trial.days),
        bought: None,
        bought_by: None,
        leads_to_checkout: trial.then == TrialThen::Checkout,
        quantity: trial.quantity,
        tried: trial.tried.clone(),
        changes: Vec::new(),
    };
    desk.account.put(SignUpTrialRow::ID, row);
    Ok(true)
}
