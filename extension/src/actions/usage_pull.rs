//! Requests the pages of a usage source's log. An account has at most one pull at a time. Each pull begins some time before
//! the end of the earlier one, because a request can appear in the log after a later request.

use super::measurement::Window;
use crate::catalog::usage_source::UsageSource;
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::effect::request;
use crate::model::halt::Ruled;
use crate::model::keys::EffectKey;
use crate::model::records::closed::Closed;
use crate::model::records::usage_sync::UsageSync;
use crate::model::time::{HOUR_MS, rfc3339};
use extension_contract::{Account, BULK_MAX, Effect, Refusal, Timestamp};
use serde_json::json;

/// Time that each pull repeats: a request can take this long before it appears in the log with the time of its beginning.
const REPEATED_MS: i64 = HOUR_MS;
/// Time in which a page has an answer.
const ANSWERED_WITHIN_MS: i64 = 10 * 60 * 1000;
/// Maximum number of requests of a page. Each writes a row and costs fuel.
const SIZE_MAX: usize = 50;
/// Maximum number of pages of a pull. The next pull continues after the last request.
pub(crate) const PAGES_MAX: i64 = 1_000;

/// A page of a pull.
pub(crate) struct Page {
    /// Number of the pull.
    pub number: i64,
    /// Number of the page, from 1.
    pub page: i64,
    /// Beginning of the pulled time.
    pub from: Timestamp,
    /// End of the pulled time.
    pub to: Timestamp,
}

/// Returns the source whose log has the account's usage; `None` for an account without one. Sources know users only.
pub(crate) fn source(desk: &mut Desk<'_>) -> Ruled<Option<UsageSource>> {
    let Some(source) = desk.catalog.settings()?.usage_source.clone() else { return Ok(None) };
    let is_open_user =
        matches!(desk.account.owner(), Some(Account::User(_))) && desk.account.get::<Closed>(Closed::ID)?.is_none();
    let is_set = match source.setting() {
        Some(key) => desk.catalog.setting(key)?.is_some(),
        None => true,
    };
    Ok((is_open_user && is_set).then_some(source))
}

/// Returns the time before which the account's usage is counted; `None` without a source.
pub(crate) fn counted_until(desk: &mut Desk<'_>) -> Ruled<Option<Timestamp>> {
    if source(desk)?.is_none() {
        return Ok(None);
    }
    Ok(desk.account.get::<UsageSync>(UsageSync::ID)?.map(|sync| sync.counted_until))
}

/// Begins a pull. Fails if one is running.
pub(crate) fn begin(desk: &mut Desk<'_>, source: &UsageSource, reply_to: Option<String>) -> Ruled<()> {
    let mut sync = desk.account.row::<UsageSync>(UsageSync::ID)?.unwrap_or_default();
    if sync.is_running(desk.now) {
        let text = format!("usage is being read since {}", rfc3339(sync.asked_at));
        return Err(Refusal::BadTransition(text).into());
    }
    let earliest = Window::at(desk.now).start;
    let from = sync.counted_until.saturating_sub(REPEATED_MS).max(earliest);
    sync.number = sync.number.saturating_add(1);
    (sync.running, sync.asked_at) = (sync.number, desk.now);
    (sync.new, sync.cost_micros, sync.unpriced, sync.unpriced_since) = (0, 0, 0, None);
    let page = Page { number: sync.number, page: 1, from, to: desk.now };
    desk.account.put(UsageSync::ID, sync);
    ask(desk, source, &page, reply_to)
}

/// Requests a page.
pub(crate) fn ask(desk: &mut Desk<'_>, source: &UsageSource, page: &Page, reply_to: Option<String>) -> Ruled<()> {
    let Account::User(user) = desk.account.owned()? else { return Ok(()) };
    let settings = desk.catalog.settings()?;
    let quantities: Vec<&String> = source.meters.keys().collect();
    let payload = json!({
        "user": user, "from": rfc3339(page.from), "to": rfc3339(page.to), "page": page.page, "size": size(source),
        "quantities": quantities, "attributes": source.attributes(&settings.meters),
    });
    let key = EffectKey::UsagePull { number: page.number, page: page.page };
    let about = Correlation::UsagePull { number: page.number, page: page.page, from: page.from, to: page.to };
    let effect = request(&key, &payload, Some(&about))?;
    let deadline = Some(desk.now.saturating_add(ANSWERED_WITHIN_MS));
    desk.account.ask(Effect { reply_to, deadline, ..effect });
    Ok(())
}

/// Returns the number of requests of a page: their measurements are looked up in one call.
fn size(source: &UsageSource) -> usize {
    (BULK_MAX / source.meters.len().max(1)).clamp(1, SIZE_MAX)
}
