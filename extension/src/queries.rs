//! Queries: the products on sale, an account's entitlements, usage and balances, and lists of its rows.

mod bills;
mod recurring;

use crate::catalog::entitlement::{EntitlementKind, declared};
use crate::catalog::known_coupon::KnownCoupons;
use crate::catalog::meter::{included_by, is_sum};
use crate::catalog::names::BUSINESS;
use crate::catalog::price::{Mode, PRICE_ID, only_id, prices_of};
use crate::catalog::product::is_purchasable;
use crate::catalog::sale::{AFTER_TRIAL, Sale, TRIAL, TrialStart, TrialThen};
use crate::catalog::schema::{self, TypeDecl};
use crate::catalog::terms::CatalogPrice;
use crate::catalog::view::Catalog;
use crate::catalog::words::one_of;
use crate::derive::currency;
use crate::derive::included::{Span, included};
use crate::derive::period::period_of;
use crate::derive::standing::{AccountStanding, standing};
use crate::desk::Desk;
use crate::input::actor;
use crate::model::account::Account;
use crate::model::halt::{Halt, Ruled};
use crate::model::json::{Object, decode, encode};
use crate::model::keys::FactKey;
use crate::model::reader::Reader;
use crate::model::records::counter::Counter;
use crate::model::records::instance::{InstanceRecord, ResourceStatus};
use crate::model::records::ledger::Balances;
use crate::model::records::lot::Lot;
use crate::model::records::payouts::Payouts;
use crate::model::records::product::ProductRow;
use crate::model::records::purchase::Details;
use crate::model::records::session::{Session, SessionStatus};
use crate::model::records::sign_up_trial::SignUpTrialRow;
use crate::model::records::subscription::SubscriptionRow;
use crate::model::records::summary::Summary;
use crate::model::records::top_up::TopUp;
use crate::model::records::usage::{MeterMonth, UsageDay, UsageMonth, Uses};
use crate::model::records::usage_request::{UsageRequest, between, time_key};
use crate::model::records::usage_sync::UsageSync;
use crate::model::table::Record;
use crate::model::time::{month_id, month_of};
use bills::{Bills, bills};
use extension_contract::*;
use recurring::Code;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

fn problem(halt: Halt) -> Problem {
    match halt {
        Halt::Refused(refusal) => Problem::Refused(refusal),
        Halt::Failed(failure) => Problem::Failed(failure),
        Halt::Ended(outcome) => {
            Problem::Failed(Failure::Internal(format!("a query ended with outcome `{}`", outcome.name())))
        }
    }
}

/// Runs a query about an account, if the caller may read the account.
pub(crate) fn run<T>(
    host: &mut dyn Imports,
    question: &Question,
    name: &str,
    answer: impl FnOnce(&mut Desk<'_>) -> Ruled<T>,
) -> Result<T, Problem> {
    answer(&mut open_desk(host, question, name)?).map_err(problem)
}

/// Opens the account of a query.
fn open_desk<'d>(host: &'d mut dyn Imports, question: &'d Question, name: &str) -> Result<Desk<'d>, Problem> {
    let names = vec![Reference::Catalog(CatalogKey::Product(BUSINESS.to_owned()))];
    let opened = match host.open(&Placement::known(names.clone()), &[]) {
        Ok(Opened::Here(here)) => *here,
        Ok(Opened::Elsewhere) => {
            return Err(Problem::Failed(Failure::Internal("the account of a query could not be opened".to_owned())));
        }
        Err(error) => return Err(Problem::Failed(error.into())),
    };
    let reader = Rc::new(Reader::new(host));
    let mut desk = Desk {
        account: Account::new(reader.clone(), Some(opened.account)),
        catalog: Catalog::new(reader, Mode::Test),
        now: question.at,
        payment_time: question.at,
        business: "",
        event_id: "",
        kind: "query",
        actor: &question.actor,
        payment: None,
        reply_to: None,
    };
    desk.catalog.take_in(opened.catalog, &names);
    let settings = desk.catalog.settings().map_err(problem)?;
    if !actor::may_read(&question.actor, &question.account, name, &settings.may) {
        let text = format!("{} may not read this account", question.actor.subject);
        return Err(Problem::Refused(Refusal::Forbidden(text)));
    }
    desk.account.take_in(opened.rows, &names, &[]).map_err(Problem::Failed)?;
    Ok(desk)
}

/// `schemas.validate`: checks the type, the fields and whether the actor may set them.
pub(crate) fn validate(catalog: &Catalog<'_>, candidate: &Candidate) -> Result<ProductValues, Problem> {
    let invalid = |path: &str, code: FieldErrorCode, found: String| {
        Problem::Refused(Refusal::Invalid(vec![FieldError::new(path, code, found)]))
    };
    let proposed = &candidate.proposed;
    let name = &proposed.product_type;
    let types = catalog.types().map_err(Problem::Failed)?;
    let decl = types.iter().find(|decl| decl.name == *name || decl.aliases.contains(name)).ok_or_else(|| {
        invalid("/product_type", FieldErrorCode::NotAllowed, format!("`{name}` is not a product type"))
    })?;
    let read = |text: &str| {
        extension_reader::from_str::<Object>(text)
            .map_err(|error| invalid("/metadata", FieldErrorCode::WrongType, error.to_string()))
    };
    let current = candidate.current.as_ref().map(|values| read(&values.metadata)).transpose()?;
    let metadata = read(&proposed.metadata)?;
    let checked = schema::check(decl, candidate.by, current.as_ref(), &metadata)
        .map_err(|errors| Problem::Refused(Refusal::Invalid(errors)))?;
    let metadata = encode(&checked).map_err(Problem::Failed)?;
    Ok(ProductValues { product_type: decl.name.clone(), metadata, ..proposed.clone() })
}

/// For a type whose products are listed by accounts: how many of them one view of the catalog reads, so that its cost
/// does not grow with the number of sellers. The list `offers` has all of them, a page at a time.
const LISTED_MAX: u32 = 200;

/// Beginning of the filter of the list `offers` for one product.
const ONE: &str = "id:";

/// Returns the products on sale, ordered by their `display_order`, then by id. For a type whose products are listed by
/// accounts, only the first [`LISTED_MAX`] are considered.
pub(crate) fn catalog(desk: &mut Desk<'_>) -> Ruled<Vec<Offer>> {
    let mut offers = Vec::new();
    let chosen = currency::chosen(desk)?;
    for decl in desk.catalog.types()?.iter().filter(|decl| decl.catalog) {
        if desk.catalog.is_withdrawn(&decl.name)? {
            continue;
        }
        let products = match decl.listing {
            Some(_) => desk.catalog.page_of(&decl.name, None, LISTED_MAX)?,
            None => desk.catalog.products(Some(&decl.name))?,
        };
        for product in products.into_iter().filter(|row| row.values.active) {
            offers.push(offer_of(desk, &product, chosen.as_deref())?);
        }
    }
    offers.sort_by(|a: &(i64, Offer), b| (a.0, &a.1.product.id).cmp(&(b.0, &b.1.product.id)));
    Ok(offers.into_iter().map(|(_, offer)| offer).collect())
}

/// Returns a product on sale as an offer, with its place in the order. `chosen` is the currency in which the account pays.
fn offer_of(desk: &mut Desk<'_>, product: &Product, chosen: Option<&str>) -> Ruled<(i64, Offer)> {
    let mut product = product.clone();
    let mut metadata: Object = decode("products", &product.id, &product.values.metadata)?;
    let mut prices = Vec::new();
    let settings = desk.catalog.settings()?;
    for id in prices_of(&product.values, &metadata, &settings.currency).into_iter().filter_map(|price| price.id) {
        if let Some(price) = desk.catalog.price(&id)?.filter(|price| price.active) {
            prices.push(currency::shown(&price, chosen, &desk.catalog.settings()?.currency)?);
        }
    }
    if let (Some(_), Some(main), Some(first)) = (chosen, &mut product.values.price, prices.first()) {
        main.clone_from(&first.amount);
    }
    let order = metadata.get("display_order").and_then(Value::as_i64).unwrap_or(i64::MAX);
    let available = !prices.is_empty() && is_purchasable(&metadata);
    // An account gets one trial, and is not offered another.
    if metadata.contains_key(TRIAL) {
        let sold_as = prices.iter().find_map(|price| price.family.as_deref()).unwrap_or(&product.id);
        let trial = Sale::trial_of(&metadata)?;
        // Only a new account tries a plan without a subscription.
        let is_sign_up = trial.is_some_and(|trial| trial.at == TrialStart::SignUp);
        if is_sign_up && !desk.account.is_platform() || desk.account.is_known(&FactKey::Trial(sold_as).to_string())? {
            metadata.remove(TRIAL);
            if let Some(trial) = trial.filter(|trial| trial.then == TrialThen::Checkout) {
                metadata.insert(AFTER_TRIAL.to_owned(), json!(trial.then.name()));
            }
            product.values.metadata = encode(&metadata)?;
        }
    }
    Ok((order, Offer { product, prices, available }))
}

/// Returns a page of the products of a type, or one product (`id:ID`). A product that is not on sale has an empty object, so that each page
/// costs the same and the last id leads to the next page.
fn offers(desk: &mut Desk<'_>, filter: &str, page: &Page) -> Ruled<Vec<Listed>> {
    let chosen = currency::chosen(desk)?;
    let products = match filter.strip_prefix(ONE) {
        Some(id) => desk.catalog.product(id)?.into_iter().collect(),
        None => desk.catalog.page_of(filter, page.after.as_deref(), page.limit)?,
    };
    let types = desk.catalog.types()?;
    let mut out = Vec::with_capacity(products.len());
    for product in products {
        let is_sold = types.iter().any(|decl| decl.catalog && decl.name == product.values.product_type);
        let value = match is_sold && desk.catalog.is_on_sale(&product)? {
            true => {
                let (_, Offer { product, prices, available }) = offer_of(desk, &product, chosen.as_deref())?;
                json!({"product": product, "prices": prices, "available": available})
            }
            false => json!({}),
        };
        out.push(Listed { id: product.id.clone(), value: encode(&value)? });
    }
    Ok(out)
}

/// Returns when the source of an entitlement will end, and when the entitlement's counter is reset.
fn times(standing: &AccountStanding, key: &str) -> (Option<Timestamp>, Option<Timestamp>) {
    let granting = standing.plans.iter().find(|(_, plan)| plan.grants.iter().any(|grant| grant.key == key));
    let item = match granting {
        Some((family, _)) => standing.plan_item(family),
        None => standing.period(),
    };
    let Some((facts, item)) = item else { return (granting.and_then(|(_, plan)| plan.tried_until), None) };
    let state = facts.row.state();
    let period_end = state.cancel_at_period_end.then_some(item.period_end);
    (state.cancel_at.or(period_end).or(facts.grace_end), Some(item.period_end))
}

/// Returns the account's entitlements with the used amounts. The measurements of a meter count for the entitlement that names the
/// meter.
pub(crate) fn entitlements(desk: &mut Desk<'_>) -> Ruled<Vec<Entitlement>> {
    let standing = standing(desk)?;
    let summary = desk.account.get::<Summary>(Summary::ID)?.unwrap_or_default();
    let settings = standing.settings.clone();
    let measured = |meter: Option<&String>| summary.measured.get(meter?).copied();
    let mut out = Vec::new();
    let included = included_amounts(desk, &standing)?;
    for (key, allowance) in &standing.allowed {
        if included.iter().any(|of| of.key == *key) {
            continue;
        }
        let allowed = allowance.amount;
        let sources: Vec<String> = allowance.sources.iter().map(|(source, _)| source.clone()).collect();
        let (ends_at, period_end) = times(&standing, key);
        if let Some(decl) = declared(&settings.entitlements, key).filter(|d| d.kind == EntitlementKind::Counter) {
            let period = period_of(&standing, key, decl, desk.now);
            let used = desk.account.get::<Counter>(key)?.map_or(0, |counter| counter.used(period.start));
            let resets_at = Some(period.end);
            out.push(Entitlement { key: key.clone(), allowed, used, resets_at, ends_at, sources });
            continue;
        }
        let consumed = summary.consumed.get(key).copied().unwrap_or(0);
        let meter = declared(&settings.entitlements, key).and_then(|decl| decl.meter.as_ref());
        let used = consumed.saturating_add(measured(meter).unwrap_or(0));
        out.push(Entitlement {
            key: key.clone(),
            allowed,
            used,
            resets_at: period_end.filter(|_| meter.is_some_and(|meter| is_sum(&settings.meters, meter))),
            ends_at,
            sources,
        });
    }
    out.extend(included);
    out.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(out)
}

/// Returns the amounts that are included in the price of usage, with what was used of them in this month.
fn included_amounts(desk: &mut Desk<'_>, standing: &AccountStanding) -> Ruled<Vec<Entitlement>> {
    let settings = standing.settings.clone();
    let (start, end) = month_of(desk.now);
    let mut out = Vec::new();
    for meter in settings.rates.keys() {
        let Some((key, _)) = included_by(&settings.entitlements, &settings.rates, meter) else { continue };
        let month = desk.account.get::<UsageMonth>(&month_id(start))?;
        let known = month.as_ref().and_then(|month| month.meters.get(meter));
        let mut granted = known.map(|known| known.granted.clone()).unwrap_or_default();
        let span = (Span { start, end }, desk.now);
        let allowed = included(standing, desk.account.owner(), key, span, &mut granted)?;
        let held = standing.allowed.get(key);
        if allowed == 0 && held.is_none() {
            continue;
        }
        let sources = held.into_iter().flat_map(|held| &held.sources).map(|(source, _)| source.clone()).collect();
        let (ends_at, _) = times(standing, key);
        let used = known.map_or(0, MeterMonth::quantity);
        out.push(Entitlement { key: key.clone(), allowed, used, resets_at: Some(end), ends_at, sources });
    }
    Ok(out)
}

/// Returns the usage between two times: the billed usage of the days that begin between them, and the current
/// measurements of the account's instances.
pub(crate) fn usage(desk: &mut Desk<'_>, start: Timestamp, end: Timestamp) -> Ruled<Vec<UsageTotal>> {
    if start >= end {
        let (found, expected) = ("", "an end after the start");
        return Err(crate::model::halt::wrong_field("/end", FieldErrorCode::OutOfRange, found, expected));
    }
    let currency = currency::of_usage(desk)?;
    let mut uses = Uses::default();
    desk.account.load_whole(UsageDay::COLLECTION)?;
    for (_, day) in desk.account.all::<UsageDay>()? {
        if (start..end).contains(&day.start) {
            day.uses.0.iter().cloned().for_each(|used| uses.add(used));
        }
    }
    let paid = uses.0.into_iter().map(|used| UsageTotal {
        meter: used.meter,
        attributes: used.attributes,
        quantity: used.quantity,
        cost_micros: used.cost_micros,
        requests: used.requests,
        covered_micros: used.covered_micros,
        currency: currency.clone(),
    });
    let mut out: Vec<UsageTotal> = paid.collect();
    desk.account.load_whole(InstanceRecord::COLLECTION)?;
    for (id, record) in desk.account.all::<InstanceRecord>()? {
        for (meter, quantity) in &record.adds.measured {
            if record.measured_at.get(meter).is_some_and(|at| (start..end).contains(at)) {
                out.push(UsageTotal {
                    meter: meter.clone(),
                    attributes: vec![("instance".to_owned(), id.clone())],
                    quantity: *quantity,
                    cost_micros: 0,
                    requests: 0,
                    covered_micros: 0,
                    currency: currency.clone(),
                });
            }
        }
    }
    Ok(out)
}

/// Returns the balances of the account's ledgers by ledger and currency, with debit positive, and its remaining credits
/// in millionths of the currency's unit.
pub(crate) fn balances(desk: &mut Desk<'_>) -> Ruled<Vec<Balance>> {
    let balances = desk.account.get::<Balances>(Balances::ID)?.unwrap_or_default();
    let mut out = Vec::new();
    for (ledger, by_currency) in &balances.0 {
        for (unit, available) in by_currency {
            out.push(Balance { ledger: ledger.clone(), unit: unit.clone(), available: *available, pending: 0 });
        }
    }
    let mut left: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (_, lot) in desk.account.all::<Lot>()? {
        let (available, owed) = left.entry(format!("{}_micros", lot.currency)).or_insert((0, 0));
        *available = available.saturating_add(lot.left_micros());
        *owed = owed.saturating_add(lot.owed_micros - lot.repaid_micros);
    }
    // The debt is deducted from the next payment.
    let left = left.into_iter().map(|(unit, (available, owed))| Balance {
        ledger: "credits_left".to_owned(),
        unit,
        available,
        pending: -owed,
    });
    out.extend(left);
    Ok(out)
}

/// Returns the reply with a product as it is at the end of a decision.
pub(crate) fn product_answer(desk: &mut Desk<'_>, id: &str) -> Fallible<Json> {
    let row = match desk.account.get::<ProductRow>(id) {
        Ok(row) => row,
        Err(Halt::Failed(failure)) => return Err(failure),
        Err(_) => None,
    };
    let row = row.ok_or_else(|| Failure::Internal(format!("product `{id}` does not exist after it was saved")))?;
    product_json(id, &row.values()?)
}

/// Returns a page of the rows of a kind, filtered by status if the kind has one.
pub(crate) fn list(
    host: &mut dyn Imports,
    question: &Question,
    kind: &str,
    filter: Option<&str>,
    page: &Page,
) -> Result<Vec<Listed>, Problem> {
    if kind == "offers" {
        let filter = filter.ok_or_else(|| {
            let error = FieldError::new("/filter", FieldErrorCode::Missing, "");
            let error = error.expecting("a product type, or `id:ID`");
            Problem::Refused(Refusal::Invalid(vec![error]))
        })?;
        return run(host, question, "list", |desk| offers(desk, filter, page));
    }
    let (types, of_subscriptions) = run(host, question, "list", |desk| match kind {
        "tasks" => Ok((desk.catalog.types()?, None)),
        "subscriptions" => {
            let settings = desk.catalog.settings()?;
            let discounts = (settings.coupons.clone(), settings.currency.to_string());
            Ok((Rc::default(), Some((currency::chosen(desk)?, discounts))))
        }
        _ => Ok((Rc::default(), None)),
    })?;
    let (currency, (coupons, default)) = of_subscriptions.unwrap_or_default();
    let rows = match kind {
        "instances" | "products" => RowKind::Product,
        "tasks" => RowKind::Record(InstanceRecord::COLLECTION.to_owned()),
        "purchases" => RowKind::Purchase,
        "subscriptions" => RowKind::Subscription,
        "payouts" => RowKind::Record(Payouts::COLLECTION.to_owned()),
        "trial" => RowKind::Record(SignUpTrialRow::COLLECTION.to_owned()),
        "top_up" => RowKind::Record(TopUp::COLLECTION.to_owned()),
        "usage_sync" => RowKind::Record(UsageSync::COLLECTION.to_owned()),
        "usage_requests" => return requests(host, filter, page),
        "contacts" => RowKind::Record(Session::COLLECTION.to_owned()),
        "access_log" | "campaigns" | "credits" | "invoices" | "ledger" | "listings" | "earned" | "earnings"
        | "payments" | "sales" | "tokens" | "usage_days" => RowKind::Record(kind.to_owned()),
        _ => {
            let error = FieldError::new("/kind", FieldErrorCode::NotAllowed, "");
            let error = error.expecting(one_of(&KINDS)).suggesting(kind);
            return Err(Problem::Refused(Refusal::Invalid(vec![error])));
        }
    };
    let failed = |failure: Failure| Problem::Failed(failure);
    let mut out: Vec<Listed> = Vec::new();
    let mut after = page.after.clone();
    loop {
        let listing = Listing { kind: rows.clone(), prefix: String::new(), descending: false, after };
        let found = host.more(&Selection::Listed(listing), page.limit).map_err(|error| failed(error.into()))?;
        let full = found.len() == page.limit as usize;
        after = None;
        let bills = match kind {
            "subscriptions" => bills(host, &found)?,
            _ => Vec::new(),
        };
        let sold = match kind {
            "subscriptions" => sold_by(host, &found, &bills, currency.as_deref())?,
            _ => BTreeMap::new(),
        };
        let mut bills = bills.into_iter();
        for stored in found {
            let (id, status, value) = match kind {
                "subscriptions" => {
                    let discounts = (&sold, &coupons, default.as_str());
                    subscription(&stored.row, bills.next().unwrap_or_default(), discounts).map_err(failed)?
                }
                "tasks" => open_tasks(&stored.row, &types).map_err(failed)?,
                "contacts" => contact(&stored.row).map_err(failed)?,
                "credits" => credits(&stored.row).map_err(failed)?,
                "trial" => sign_up_trial(&stored.row).map_err(failed)?,
                _ => entry(&stored.row).map_err(failed)?,
            };
            after = Some(id.clone());
            let is_shown = match kind {
                "tasks" | "contacts" => status.is_some(),
                "payouts" => id == Payouts::ID,
                "usage_sync" => id == UsageSync::ID,
                "trial" => id == SignUpTrialRow::ID,
                "top_up" => id == TopUp::ID,
                _ => true,
            };
            if is_shown
                && filter.is_none_or(|wanted| status.as_deref() == Some(wanted))
                && out.len() < page.limit as usize
            {
                out.push(Listed { id, value });
            }
        }
        if !full || out.len() == page.limit as usize {
            return Ok(out);
        }
    }
}

/// The kinds of lists.
const KINDS: [&str; 24] = [
    "instances",
    "products",
    "purchases",
    "subscriptions",
    "invoices",
    "payments",
    "ledger",
    "listings",
    "earned",
    "earnings",
    "payouts",
    "sales",
    "tasks",
    "credits",
    "tokens",
    "top_up",
    "trial",
    "usage_days",
    "usage_requests",
    "usage_sync",
    "access_log",
    "campaigns",
    "offers",
    "contacts",
];

/// Returns a page of the log of requests, the oldest first. The filter is `START/END` in milliseconds; the end is not included.
fn requests(host: &mut dyn Imports, filter: Option<&str>, page: &Page) -> Result<Vec<Listed>, Problem> {
    let wrong = |text: &str| {
        let (found, expected) = (format!("`{text}` has another form"), "START/END in milliseconds");
        let error = FieldError::new("/filter", FieldErrorCode::BadFormat, found).expecting(expected);
        Problem::Refused(Refusal::Invalid(vec![error]))
    };
    let times = filter.map(|text| between(text).ok_or_else(|| wrong(text))).transpose()?;
    let after = page.after.clone().or_else(|| times.map(|(start, _)| time_key(start)));
    let kind = RowKind::Record(UsageRequest::COLLECTION.to_owned());
    let listing = Listing { kind, prefix: String::new(), descending: false, after };
    let found = host.more(&Selection::Listed(listing), page.limit).map_err(|error| Problem::Failed(error.into()))?;
    let end = times.map(|(_, end)| time_key(end));
    let rows = found.into_iter().take_while(|stored| end.as_deref().is_none_or(|end| stored.row.id() < end));
    let mut out = Vec::new();
    for stored in rows {
        let (id, _, value) = entry(&stored.row).map_err(Problem::Failed)?;
        out.push(Listed { id, value });
    }
    Ok(out)
}

/// Returns id, status and JSON of a row for a list.
fn entry(row: &Row) -> Fallible<(String, Option<String>, Json)> {
    let status_of = |value: &Value| value.get("status").and_then(Value::as_str).map(str::to_owned);
    let object = |collection: &str, id: &str, text: &str| decode::<Value>(collection, id, text);
    Ok(match row {
        Row::Product(row) => {
            let value = product_json(&row.id, &row.values)?;
            let status = status_of(&object("products", &row.id, &value)?);
            (row.id.clone(), status, value)
        }
        Row::Purchase(row) => {
            // The paid amount includes the taxes and discounts of the checkout.
            let Details { counts, .. } = decode("purchases", &row.id, &row.values.metadata)?;
            let paid_at = counts.as_ref().and_then(|counted| counted.paid_at.or(counted.completed_at));
            let paid = counts.filter(|counted| counted.status == SessionStatus::Paid).map(|counted| Money {
                amount_minor: counted.total_minor,
                currency: row.values.total.currency.clone(),
            });
            let value = json!({
                "id": row.id, "status": row.values.status, "items": row.values.items, "total": row.values.total,
                "paid": paid, "tax": row.values.tax, "refunded": row.values.refunded,
                "subscription": row.values.subscription_id, "session": row.values.session_id, "paid_at": paid_at,
            });
            (row.id.clone(), status_of(&value), encode(&value)?)
        }
        Row::Subscription(_) => subscription(row, Bills::default(), (&BTreeMap::new(), &KnownCoupons::new(), ""))?,
        Row::Record(row) => {
            let mut value: Value = object(&row.collection, &row.id, &row.value)?;
            value["id"] = json!(row.id);
            (row.id.clone(), status_of(&value), encode(&value)?)
        }
        Row::Price(row) => (row.id.clone(), None, encode(row)?),
    })
}

/// Returns what the prices of these subscriptions sell, by their ids, with amounts in the currency in which the account pays. Prices
/// that are no longer on sale are among them.
fn sold_by(
    host: &mut dyn Imports,
    rows: &[StoredRow],
    bills: &[Bills],
    currency: Option<&str>,
) -> Result<BTreeMap<String, Value>, Problem> {
    let mut read = |keys: BTreeSet<CatalogKey>| -> Result<Vec<CatalogRow>, Problem> {
        let keys: Vec<CatalogKey> = keys.into_iter().collect();
        let found = host.catalog_read(&keys).map_err(|error| Problem::Failed(error.into()))?;
        Ok(found.into_iter().flatten().collect())
    };
    let items = rows.iter().flat_map(|stored| match &stored.row {
        Row::Subscription(row) => row.values.items.as_slice(),
        _ => &[],
    });
    let planned = bills.iter().filter_map(|bills| bills.pending.as_ref()).map(|change| change.price.to_string());
    let ids = items.map(|item| item.price_id.clone()).chain(planned);
    let found = read(ids.map(CatalogKey::Price).collect())?;
    let prices: Vec<CatalogPrice> = found
        .into_iter()
        .filter_map(|row| match row {
            CatalogRow::Price(row) => Some(CatalogPrice::of(row)),
            _ => None,
        })
        .collect();
    let products = read(prices.iter().map(|price| CatalogKey::Product(price.product_id.to_string())).collect())?;
    let names: BTreeMap<String, String> = products
        .into_iter()
        .filter_map(|row| match row {
            CatalogRow::Product(row) if !row.deleted => Some((row.id, row.values.name)),
            _ => None,
        })
        .collect();
    let mut sold = BTreeMap::new();
    for price in prices {
        let amount = currency::amount(&price, currency).map_err(problem)?;
        let described = json!({
            "product_id": price.product_id, "name": names.get(&*price.product_id), "amount": amount,
            "interval": price.interval,
        });
        sold.insert(price.id.to_string(), described);
    }
    Ok(sold)
}

/// Returns id, status and JSON of a subscription for a list. `sold` is what its prices sell.
fn subscription(
    row: &Row,
    bills: Bills,
    (sold, coupons, default): (&BTreeMap<String, Value>, &KnownCoupons, &str),
) -> Fallible<(String, Option<String>, Json)> {
    let Row::Subscription(stored) = row else { return entry(row) };
    let read = SubscriptionRow::read(row)?;
    let because = read.as_ref().map(SubscriptionRow::because).unwrap_or_default();
    let kept_with = read.as_ref().and_then(|row| row.kept_with.clone());
    let code = read.as_ref().and_then(|row| code_of(row, bills.code.clone()));
    let figures = read.as_ref().map_or(Value::Null, |row| {
        recurring::recurring(row, bills.pending.as_ref(), code.as_ref(), (sold, coupons, default))
    });
    let (began_at, ended_at, standing, was_customer) = read.as_ref().map_or((None, None, "ended", false), |row| {
        let ended_at = row.is_final().then(|| row.ended_at());
        (Some(row.first_at), ended_at, recurring::standing(row), recurring::was_customer(row))
    });
    let paused_until = read.and_then(|row| row.paused).map(|paused| paused.until);
    let Bills { pending, owed, .. } = bills;
    let planned = pending.map(|change| json!({"price_id": change.price, "quantity": change.quantity, "at": change.at}));
    let item = |item: &SubscriptionItem| {
        let mut shown = json!(item);
        for name in ["product_id", "name", "amount", "interval"] {
            shown[name] = sold.get(&item.price_id).map_or(Value::Null, |sold| sold[name].clone());
        }
        shown
    };
    let items: Vec<Value> = stored.values.items.iter().map(item).collect();
    let value = json!({
        "id": stored.id, "status": stored.values.status, "items": items,
        "cancel_at_period_end": stored.values.cancel_at_period_end, "cancel_at": stored.values.cancel_at,
        "trial_end": stored.values.trial_end, "grace_end": stored.values.grace_end,
        "reason": because.reason, "comment": because.comment,
        "paused_until": paused_until, "kept_with": kept_with, "planned_change": planned, "owed": owed,
        "standing": standing, "began_at": began_at, "ended_at": ended_at, "was_customer": was_customer,
        "monthly": figures["monthly"], "next_charge": figures["next"], "next_charge_at": figures["next_at"],
        "discount": figures["discount"],
    });
    let status = value["status"].as_str().map(str::to_owned);
    Ok((stored.id.clone(), status, encode(&value)?))
}

/// Returns a lot of credits for a list, without what operators wrote about it.
fn credits(row: &Row) -> Fallible<(String, Option<String>, Json)> {
    let Row::Record(row) = row else { return entry(row) };
    let lot: Lot = decode(&row.collection, &row.id, &row.value)?;
    let value = json!({
        "id": row.id, "at": lot.at, "expires_at": lot.expires_at, "currency": lot.currency, "given": lot.given.is_some(),
        "granted_micros": lot.granted_micros, "left_micros": lot.left_micros(), "expired_micros": lot.expired_micros,
    });
    Ok((row.id.clone(), None, encode(&value)?))
}

/// Returns the code whose discount a subscription has: the one with which its customer stayed, or that of its purchase.
fn code_of(row: &SubscriptionRow, of_purchase: Option<String>) -> Option<Code> {
    let kept = row.kept_with.clone().zip(row.kept_at).map(|(code, since)| (code, since, false));
    let bought = of_purchase.map(|code| (code, row.first_at, true));
    kept.or(bought).map(|(code, since, is_of_purchase)| Code { code, since, is_of_purchase })
}

/// Returns the trial of the account for a list, without what operators wrote about it. Other rows have no JSON.
fn sign_up_trial(row: &Row) -> Fallible<(String, Option<String>, Json)> {
    let Row::Record(row) = row else { return entry(row) };
    if row.id != SignUpTrialRow::ID {
        return Ok((row.id.clone(), None, "{}".to_owned()));
    }
    let trial: SignUpTrialRow = decode(&row.collection, &row.id, &row.value)?;
    let value = json!({
        "id": row.id, "product": trial.product, "began": trial.began, "until": trial.until, "bought": trial.bought,
        "quantity": trial.quantity, "leads_to_checkout": trial.leads_to_checkout,
    });
    Ok((row.id.clone(), None, encode(&value)?))
}

/// Returns the buyer's address of a checkout that was made elsewhere, with its status; `None` for other checkouts.
fn contact(row: &Row) -> Fallible<(String, Option<String>, Json)> {
    let Row::Record(row) = row else { return entry(row) };
    let session: Session = decode(&row.collection, &row.id, &row.value)?;
    let written = session.made_with.as_ref().map(|text| decode::<Value>(&row.collection, &row.id, text)).transpose()?;
    let email = written.as_ref().and_then(|written| written.get("email")).and_then(Value::as_str);
    let at = session.completed_at.or(session.paid_at);
    let value = json!({"id": row.id, "email": email, "at": at, "status": session.status});
    let status = email.and_then(|_| value["status"].as_str().map(str::to_owned));
    Ok((row.id.clone(), status, encode(&value)?))
}

/// Returns the open manual tasks of an instance, with the status of the most urgent task; `None` if there is no task.
fn open_tasks(row: &Row, types: &[Rc<TypeDecl>]) -> Fallible<(String, Option<String>, Json)> {
    let Row::Record(row) = row else { return entry(row) };
    let record: InstanceRecord = decode(&row.collection, &row.id, &row.value)?;
    let decl = types.iter().find(|decl| decl.name == record.product_type);
    let by_hand = |step: &str| {
        let provision = decl?.provisions.iter().find(|provision| provision.has(step))?;
        provision.or_manual.as_ref()
    };
    let open = record.resources.iter().filter_map(|(step, resource)| {
        let status = match (resource.status, resource.task.as_deref()?) {
            (ResourceStatus::ByHand, task) if task.is_overdue => "overdue",
            (ResourceStatus::ByHand, _) => "waiting",
            (ResourceStatus::Checking, _) => "checking",
            _ => return None,
        };
        let mut task = json!(resource.task);
        task["step"] = json!(step);
        task["status"] = json!(status);
        if let Some(by_hand) = by_hand(step) {
            task["how"] = json!(by_hand.how);
            task["asks"] = by_hand.asks.iter().map(|field| json!(field.name)).collect();
        }
        Some((status, task))
    });
    let (statuses, steps): (Vec<&str>, Vec<Value>) = open.unzip();
    let status =
        statuses.into_iter().max_by_key(|status| ["checking", "waiting", "overdue"].iter().position(|s| s == status));
    let value = json!({"id": row.id, "product_type": record.product_type, "status": status, "steps": steps});
    Ok((row.id.clone(), status.map(str::to_owned), encode(&value)?))
}

/// Returns a product as in the API: status, subdomain, resources and the Stripe ids of the product and its only
/// price are repeated at the top level (D-04).
fn product_json(id: &str, values: &ProductValues) -> Fallible<String> {
    let metadata: Object = decode("products", id, &values.metadata)?;
    let mut out = json!({
        "id": id,
        "type": values.product_type,
        "product_type": values.product_type,
        "name": values.name,
        "description": values.description,
        "active": values.active,
        "price": values.price.as_ref().map(|price| price.amount_minor),
        "currency": values.price.as_ref().map(|price| price.currency.clone()),
        "billing_interval": values.interval.map(|interval| interval.unit),
    });
    if let Some(object) = out.as_object_mut() {
        for key in ["status", "subdomain", "resources", "stripe_product_id"] {
            if let Some(value) = metadata.get(key) {
                object.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(price) = only_id(values, &metadata) {
            object.insert(PRICE_ID.to_owned(), json!(price));
        }
        object.insert("metadata".to_owned(), Value::Object(metadata));
    }
    encode(&out)
}
