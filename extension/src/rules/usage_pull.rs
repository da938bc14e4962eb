//! `usage.sync`, and the pages of a usage source's log: counts each request once, by its id.

use crate::actions::by_month;
use crate::actions::measurement::{Window, fact_of};
use crate::actions::spend;
use crate::actions::usage_pull::{self, PAGES_MAX, Page};
use crate::catalog::usage_source::UsageSource;
use crate::catalog::words::ID_BYTES;
use crate::desk::Desk;
use crate::model::correlation::Correlation;
use crate::model::halt::{Answer, Halt, Ruled, Verdict};
use crate::model::json::encode;
use crate::model::mail_kinds;
use crate::model::merge::earliest;
use crate::model::notice::send_once;
use crate::model::records::usage_request::UsageRequest;
use crate::model::records::usage_sync::UsageSync;
use crate::model::time::{parse_rfc3339, rfc3339};
use extension_contract::*;
use serde::Deserialize;
use serde_json::json;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A page of the log.
#[derive(Deserialize)]
struct PageOfLog {
    requests: Vec<LoggedRequest>,
    /// Whether there are further pages.
    more: bool,
}

/// A request in the log.
#[derive(Deserialize)]
struct LoggedRequest {
    id: String,
    /// RFC 3339.
    at: String,
    /// Amounts by the names of the clause's `meters`.
    quantities: BTreeMap<String, i64>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

/// What a page adds to a pull.
#[derive(Default)]
struct Counted {
    new: i64,
    cost_micros: i64,
    unpriced: i64,
    unpriced_since: Option<Timestamp>,
    /// Time of the last request.
    last: Option<Timestamp>,
}

/// `usage.sync`: reads the log now. The caller receives the reply after the last page.
pub(super) fn sync(desk: &mut Desk<'_>) -> Ruled<Verdict> {
    let reply_to = desk.reply_to.cloned();
    let Some(source) = usage_pull::source(desk)? else {
        let text = "usage source: expected `usage_source` in the catalog, its configuration, and the account of a user";
        return Err(Refusal::NotFound(text.to_owned()).into());
    };
    usage_pull::begin(desk, &source, reply_to)?;
    Ok(Outcome::Applied.into())
}

/// Handles a page of the log. The requests of a pull that counts as lost are counted, too, and nothing follows from it.
pub(super) fn pulled(desk: &mut Desk<'_>, about: &Correlation, report: &EffectReport) -> Ruled<Verdict> {
    let (source, Correlation::UsagePull { number, page, from, to }) = (usage_pull::source(desk)?, about) else {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange).into());
    };
    let Some(source) = source else { return end_without_log(desk, *number, "no-source") };
    let log = match &report.answer {
        Err(failure) => return end_without_log(desk, *number, &failure.code),
        Ok(answer) => extension_reader::from_str::<PageOfLog>(answer).ok().and_then(|log| measurements(&source, log)),
    };
    let Some((requests, more)) = log else { return end_without_log(desk, *number, "malformed") };
    let counted = count(desk, &requests)?;
    let mut sync = desk.account.row::<UsageSync>(UsageSync::ID)?.unwrap_or_default();
    if sync.running != *number {
        return Ok(Outcome::Applied.into());
    }
    sync.new = sync.new.saturating_add(counted.new);
    sync.cost_micros = sync.cost_micros.saturating_add(counted.cost_micros);
    sync.unpriced = sync.unpriced.saturating_add(counted.unpriced);
    sync.unpriced_since = earliest(sync.unpriced_since, counted.unpriced_since);
    let reply_to = desk.reply_to.cloned();
    if more && *page < PAGES_MAX {
        desk.account.put(UsageSync::ID, sync);
        let next = Page { number: *number, page: page.saturating_add(1), from: *from, to: *to };
        usage_pull::ask(desk, &source, &next, reply_to)?;
        return Ok(Outcome::Applied.into());
    }
    let reached = if more { counted.last.unwrap_or(*from) } else { *to };
    (sync.running, sync.synced_at) = (0, Some(desk.now));
    // Requests without a price are read again.
    sync.counted_until = sync.unpriced_since.map_or(reached, |since| since.min(reached));
    let reply = json!({
        "new": sync.new, "cost_micros": sync.cost_micros, "unpriced": sync.unpriced, "synced_at": rfc3339(desk.now),
    });
    desk.account.put(UsageSync::ID, sync);
    Ok(match reply_to {
        Some(_) => Verdict::answered(Answer::Value(encode(&reply)?)),
        None => Outcome::Applied.into(),
    })
}

/// Ends a pull that has no log. The next pull begins at the same time, so the operators are notified only once.
fn end_without_log(desk: &mut Desk<'_>, number: i64, code: &str) -> Ruled<Verdict> {
    let mut sync = desk.account.row::<UsageSync>(UsageSync::ID)?.unwrap_or_default();
    if sync.running != number {
        return Ok(Outcome::Ignored(IgnoreReason::NoChange).into());
    }
    sync.running = 0;
    let since = rfc3339(sync.counted_until);
    desk.account.put(UsageSync::ID, sync);
    send_once(&mut desk.account, &mail_kinds::USAGE_UNREAD, &since, &json!({"counted_until": since, "code": code}))?;
    Ok(Verdict::answered(Answer::Refused(Refusal::Inconsistent(format!("usage source: {code}")))))
}

/// Returns the measurements of each request, and whether there are further pages; `None` if a request has a wrong form.
fn measurements(source: &UsageSource, log: PageOfLog) -> Option<(Vec<Vec<Usage>>, bool)> {
    let mut out = Vec::with_capacity(log.requests.len());
    for request in log.requests {
        if request.id.is_empty() || request.id.len() > ID_BYTES {
            return None;
        }
        let at = parse_rfc3339(&request.at)?;
        let attributes: Vec<(String, String)> = request.attributes.into_iter().collect();
        let mut of_request = Vec::with_capacity(source.meters.len());
        for (name, meter) in &source.meters {
            let quantity = request.quantities.get(name).copied().unwrap_or(0);
            if quantity < 0 {
                return None;
            }
            // A request without any quantity is a line of the log with a measurement of nothing.
            let (id, meter, attributes) = (request.id.clone(), meter.clone(), attributes.clone());
            of_request.push(Usage { id, meter, quantity, at, attributes });
        }
        out.push(of_request);
    }
    Some((out, log.more))
}

/// Counts the measurements that are new, have a price and can still be billed.
fn count(desk: &mut Desk<'_>, requests: &[Vec<Usage>]) -> Ruled<Counted> {
    let mut counted = Counted::default();
    let all: Vec<&Usage> = requests.iter().flatten().collect();
    let facts: Vec<String> = all.iter().map(|usage| fact_of(usage)).collect();
    let is_new = desk.account.unknown_of(&facts)?;
    let rows: Vec<String> = is_new.iter().map(|place| UsageRequest::id_of(all[*place].at, &all[*place].id)).collect();
    desk.account.load::<UsageRequest>(&rows)?;
    let settings = desk.catalog.settings()?;
    let window = Window::at(desk.now);
    for request in requests {
        let mut adds = false;
        for usage in request {
            counted.last = counted.last.max(Some(usage.at));
            let fact = fact_of(usage);
            if window.place(usage.at) == Ordering::Less || desk.account.is_known(&fact)? {
                continue;
            }
            let rate = settings.rates.get(&usage.meter);
            let cost = rate.map(|rate| (rate, spend::cost(desk, rate, usage)));
            match cost {
                Some((rate, Ok(cost))) => {
                    desk.account.record_new_fact(fact);
                    let charged = by_month::count(desk, rate, usage, &cost)?;
                    counted.cost_micros = counted.cost_micros.saturating_add(charged);
                    adds = true;
                }
                Some((_, Err(halt))) if !matches!(halt, Halt::Refused(_)) => return Err(halt),
                _ => {
                    counted.unpriced += 1;
                    counted.unpriced_since = earliest(counted.unpriced_since, Some(usage.at));
                    report_unpriced(desk, rate.map_or("", |rate| spend::unpriced_by(rate, usage)), usage)?;
                }
            }
        }
        counted.new += i64::from(adds);
    }
    Ok(counted)
}

/// Notifies the operators once of each value of the attribute `by` that has no price.
fn report_unpriced(desk: &mut Desk<'_>, by: &str, usage: &Usage) -> Ruled<()> {
    let value = usage.attributes.iter().find(|(name, _)| name == by).map(|(_, value)| value.as_str());
    let reference = format!("{}:{}", usage.meter, value.unwrap_or_default());
    let values = json!({"meter": usage.meter, "by": by, "value": value});
    send_once(&mut desk.account, &mail_kinds::USAGE_UNPRICED, &reference, &values)
}
