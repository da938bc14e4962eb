//! The endpoints for invoices, invoice items and invoice payments.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::api::catalog::ONE_TIME_PRICE_DATA;
use crate::api::customers::METHOD_TYPE;
use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT, TIMES};
use crate::api::method_options::OF_SUBSCRIPTION;
use crate::api::{Route, account_settings, preview, route};
use crate::billing::invoicing::invoice::{self, Draft};
use crate::billing::invoicing::invoice_settings::{CUSTOM_FIELDS, TAX_DISPLAY, account_tax_ids, custom_fields};
use crate::billing::items;
use crate::billing::settlement::outcome::AttemptCause;
use crate::billing::settlement::settle::{self, Outcome};
use crate::billing::tax::{self, RATES};
use crate::connect::division::{self, FEE_AMOUNT, ON_BEHALF_OF, TRANSFER_DATA};
use crate::descriptor;
use crate::discount::item;
use crate::discount::redeem::DISCOUNTS;
use crate::error::ApiError;
use crate::model;
use crate::model::billing::{NewLine, subscription_of};
use crate::object::Object;
use crate::params::{Args, Field, ParamKind, QUANTITY, SIGNED_AMOUNT, merge_metadata, off, opt, req};
use crate::payments::method::{self, Presence};
use crate::payments::{mandate, source};
use crate::pricing::{self, TAX_BEHAVIOR};
use crate::state::State;
use crate::tax::automatic::{self, AUTOMATIC_TAX};

pub(super) const PERIOD: ParamKind = ParamKind::Map(&[req("end", ParamKind::Time), req("start", ParamKind::Time)]);
pub(super) const PRICING: ParamKind = ParamKind::Map(&[req("price", ParamKind::Text)]);

const PAYMENT_SETTINGS: ParamKind = ParamKind::Map(&[
    opt("default_mandate", ParamKind::Text),
    opt("payment_method_options", OF_SUBSCRIPTION),
    opt("payment_method_types", ParamKind::List(&METHOD_TYPE)),
]);
const RENDERING: ParamKind = ParamKind::Map(&[
    opt("amount_tax_display", TAX_DISPLAY),
    opt("pdf", ParamKind::Map(&[opt("page_size", ParamKind::OneOf(&["a4", "auto", "letter"]))])),
    opt("template", ParamKind::Text),
    opt("template_version", ParamKind::Int(1, 1_000_000)),
]);

macro_rules! item_fields {
    ($($more:expr),* $(,)?) => {
        &[
            opt("amount", SIGNED_AMOUNT),
            opt("description", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("period", PERIOD),
            opt("price", ParamKind::Text),
            opt("price_data", ONE_TIME_PRICE_DATA),
            opt("pricing", PRICING),
            opt("quantity", QUANTITY),
            opt("unit_amount", SIGNED_AMOUNT),
            opt("unit_amount_decimal", ParamKind::Decimal),
            opt("discountable", ParamKind::Bool),
            opt("discounts", DISCOUNTS),
            opt("tax_behavior", TAX_BEHAVIOR),
            off("tax_code"),
            opt("tax_rates", RATES),
            $($more),*
        ]
    };
}

const CREATE_ITEM: &[Field] = item_fields![
    req("customer", ParamKind::Text),
    opt("currency", ParamKind::Currency),
    opt("invoice", ParamKind::Text),
    opt("subscription", ParamKind::Text),
];
const UPDATE_ITEM: &[Field] = item_fields![];

macro_rules! invoice_fields {
    ($($more:expr),* $(,)?) => {
        &[
            opt("auto_advance", ParamKind::Bool),
            opt("collection_method", ParamKind::OneOf(&["charge_automatically", "send_invoice"])),
            opt("days_until_due", ParamKind::Int(0, 730)),
            opt("default_payment_method", ParamKind::Text),
            opt("description", ParamKind::Text),
            opt("footer", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("account_tax_ids", ParamKind::List(&ParamKind::Text)),
            AUTOMATIC_TAX,
            opt("custom_fields", CUSTOM_FIELDS),
            opt("default_tax_rates", RATES),
            opt("discounts", DISCOUNTS),
            opt("due_date", ParamKind::Time),
            opt("payment_settings", PAYMENT_SETTINGS),
            opt("rendering", RENDERING),
            opt("statement_descriptor", ParamKind::Text),
            FEE_AMOUNT,
            ON_BEHALF_OF,
            opt("transfer_data", TRANSFER_DATA),
            $($more),*
        ]
    };
}

const CREATE: &[Field] = invoice_fields![
    opt("currency", ParamKind::Currency),
    opt("customer", ParamKind::Text),
    opt("pending_invoice_items_behavior", ParamKind::OneOf(&["exclude", "include"])),
    opt("subscription", ParamKind::Text),
];
const UPDATE: &[Field] = invoice_fields![];
const PAY: &[Field] = &[
    off("forgive"),
    opt("off_session", ParamKind::Bool),
    opt("paid_out_of_band", ParamKind::Bool),
    opt("payment_method", ParamKind::Text),
    opt("mandate", ParamKind::Text),
    opt("source", ParamKind::Text),
];
const PREVIEW: &[Field] = &[
    opt("customer", ParamKind::Text),
    opt("preview_mode", ParamKind::OneOf(&["next", "recurring"])),
    opt("schedule", ParamKind::Text),
    opt("subscription", ParamKind::Text),
    opt("subscription_details", preview::DETAILS),
    AUTOMATIC_TAX,
];
/// Parameters of `GET /v1/invoices/upcoming`, which newer versions lack. They are the parameters of `create_preview`,
/// but not nested in `subscription_details`.
const UPCOMING: &[Field] = &[
    opt("customer", ParamKind::Text),
    opt("schedule", ParamKind::Text),
    opt("subscription", ParamKind::Text),
    opt("subscription_items", preview::ITEMS),
    opt("subscription_proration_behavior", preview::PRORATION_BEHAVIOR),
    opt("subscription_proration_date", ParamKind::Time),
    opt("subscription_trial_end", preview::TRIAL_END),
    opt("subscription_billing_cycle_anchor", preview::ANCHOR),
    opt("subscription_cancel_at_period_end", ParamKind::Bool),
];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/invoiceitems", CREATE_ITEM, create_item),
    route(
        "GET",
        "/v1/invoiceitems",
        &[
            LIMIT,
            AFTER,
            BEFORE,
            CREATED,
            opt("customer", ParamKind::Text),
            opt("invoice", ParamKind::Text),
            opt("pending", ParamKind::Bool),
        ],
        |st, _, args| {
            let fits = |i: &Arc<Object>| {
                args.given("invoice").is_none_or(|v| i.get("invoice") == v)
                    && args.flag("pending").is_none_or(|p| i.get("invoice").is_null() == p)
                    && listing::in_created(args, i.int("date"))
            };
            listing::page(
                args,
                "/v1/invoiceitems",
                listing::newest(st, args, "invoiceitem", args.text("customer")).filter(fits),
            )
        },
    ),
    route("GET", "/v1/invoiceitems/{}", &[], |st, ids, _| Ok(st.load("invoiceitem", ids[0], "id")?.value())),
    route("POST", "/v1/invoiceitems/{}", UPDATE_ITEM, update_item),
    route("DELETE", "/v1/invoiceitems/{}", &[], |st, ids, _| {
        let item = pending_item(st, ids[0], "id")?;
        st.emit("invoiceitem.deleted", &item);
        st.remove(ids[0]);
        Ok(json!({ "id": ids[0], "object": "invoiceitem", "deleted": true }))
    }),
    route("POST", "/v1/invoices", CREATE, create),
    route(
        "GET",
        "/v1/invoices",
        &[
            LIMIT,
            AFTER,
            BEFORE,
            CREATED,
            opt("customer", ParamKind::Text),
            opt("subscription", ParamKind::Text),
            opt("status", ParamKind::OneOf(&["draft", "open", "paid", "uncollectible", "void"])),
            opt("collection_method", ParamKind::OneOf(&["charge_automatically", "send_invoice"])),
            opt("due_date", TIMES),
        ],
        |st, _, args| {
            let fits = |i: &Arc<Object>| {
                args.text("subscription").is_none_or(|s| subscription_of(i) == s)
                    && ["status", "collection_method"].iter().all(|m| args.given(m).is_none_or(|v| i.get(m) == v))
                    && listing::in_created(args, i.int("created"))
                    && (!args.has("due_date")
                        || i.int_at("due_date").is_some_and(|d| listing::in_times(args, "due_date", d)))
            };
            listing::page(
                args,
                "/v1/invoices",
                listing::newest(st, args, "invoice", args.text("customer")).filter(fits),
            )
        },
    ),
    route("POST", "/v1/invoices/create_preview", PREVIEW, |st, _, args| {
        preview::show(st, args, &args.map("subscription_details"))
    }),
    route("GET", "/v1/invoices/upcoming", UPCOMING, |st, _, args| preview::show(st, args, &preview::nested(args))),
    route("GET", "/v1/invoices/{}", &[], |st, ids, _| Ok(st.load("invoice", ids[0], "id")?.value())),
    route("POST", "/v1/invoices/{}", UPDATE, update),
    route("DELETE", "/v1/invoices/{}", &[], delete),
    route("GET", "/v1/invoices/{}/lines", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        let invoice = st.load("invoice", ids[0], "id")?;
        let lines = invoice.list_at("lines").iter().cloned().map(Object::of);
        listing::page_of(args, &format!("/v1/invoices/{}/lines", ids[0]), lines, |l| l.id(), Object::value)
    }),
    route("POST", "/v1/invoices/{}/finalize", &[opt("auto_advance", ParamKind::Bool)], |st, ids, args| {
        if let Some(advance) = args.flag("auto_advance") {
            st.load("invoice", ids[0], "id")?;
            st.change(ids[0], |i| i.set("auto_advance", advance));
        }
        invoice::finalize(st, ids[0])?;
        Ok(st.find(ids[0])?.value())
    }),
    route("POST", "/v1/invoices/{}/pay", PAY, pay),
    route("POST", "/v1/invoices/{}/send", &[], |st, ids, _| {
        if st.load("invoice", ids[0], "id")?.text("status") == "draft" {
            invoice::finalize(st, ids[0])?;
        }
        let sent = st.find(ids[0])?;
        st.emit("invoice.sent", &sent);
        Ok(sent.value())
    }),
    route("POST", "/v1/invoices/{}/void", &[], |st, ids, _| settle::void(st, ids[0])),
    route("POST", "/v1/invoices/{}/mark_uncollectible", &[], |st, ids, _| settle::mark_uncollectible(st, ids[0])),
    route(
        "GET",
        "/v1/invoice_payments",
        &[
            LIMIT,
            AFTER,
            BEFORE,
            opt("invoice", ParamKind::Text),
            opt("status", ParamKind::OneOf(&["canceled", "open", "paid"])),
            opt(
                "payment",
                ParamKind::Map(&[
                    req("type", ParamKind::OneOf(&["payment_intent", "charge"])),
                    opt("payment_intent", ParamKind::Text),
                    opt("charge", ParamKind::Text),
                ]),
            ),
        ],
        |st, _, args| {
            let intent = args.map("payment");
            let fits = |p: &Arc<Object>| {
                ["invoice", "status"].iter().all(|m| args.given(m).is_none_or(|v| p.get(m) == v))
                    && intent.given("payment_intent").is_none_or(|i| p.at("payment.payment_intent") == i)
            };
            listing::page(args, "/v1/invoice_payments", listing::newest(st, args, "invoice_payment", None).filter(fits))
        },
    ),
    route("GET", "/v1/invoice_payments/{}", &[], |st, ids, _| Ok(st.load("invoice_payment", ids[0], "id")?.value())),
];

/// The amount, currency, price and description of an invoice item.
struct ReadItem {
    line: NewLine,
    /// The amount of one unit as a decimal string, if it differs from that of the price and from the whole amount.
    each: Option<String>,
}

impl ReadItem {
    /// Returns the member `pricing` of the item.
    fn pricing(&self) -> Value {
        let each = self.each.clone().unwrap_or_else(|| self.line.amount.to_string());
        model::billing::pricing(&self.line.price, &json!(each))
    }
}

/// Reads the amount, currency, price and description of an invoice item.
fn read_item(st: &mut State, args: &Args, default_currency: &str) -> Result<ReadItem, ApiError> {
    let price_id = args.text("price").map(str::to_owned).or(args.map("pricing").text("price").map(str::to_owned));
    let quantity = args.int("quantity").unwrap_or(1);
    let mut unit = None;
    let (amount, currency, price, words) = if price_id.is_some() || args.given("price_data").is_some() {
        let mut entry = args.clone();
        if let Some(id) = price_id {
            entry.put("price", json!(id));
        }
        let priced = items::read_licensed(st, &entry, "")?;
        let price = priced.price.value();
        let words = items::product_name(st, &price);
        (pricing::amount(&price, quantity)?, priced.price.text("currency").to_owned(), price, words)
    } else {
        let each =
            args.int("unit_amount").map(|u| u.to_string()).or(args.text("unit_amount_decimal").map(str::to_owned));
        let amount = match (args.int("amount"), each) {
            (Some(amount), _) => amount,
            (None, Some(each)) => {
                let amount = pricing::amount(&json!({ "unit_amount_decimal": each }), quantity)?;
                unit = Some(each);
                amount
            }
            (None, None) => return Err(ApiError::missing("amount")),
        };
        (amount, args.text("currency").unwrap_or(default_currency).to_owned(), Value::Null, String::new())
    };
    let period = args.map("period");
    let line = NewLine {
        amount,
        currency,
        description: args.text("description").map_or(words, str::to_owned),
        period: (period.int("start").unwrap_or_default(), period.int("end").unwrap_or_default()),
        price,
        quantity,
        parent: Value::Null,
        metadata: merge_metadata(&json!({}), args)?,
        tax_rates: tax::read(st, args, "tax_rates", "tax_rates")?,
        discounts: Vec::new(),
    };
    Ok(ReadItem { line, each: unit })
}

fn create_item(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let customer = st.load("customer", args.text("customer").unwrap_or_default(), "customer")?;
    let target = args.text("invoice").map(|i| st.load("invoice", i, "invoice")).transpose()?;
    let item = new_item(st, args, &customer, target.as_deref())?;
    if let Some(target) = target {
        let line = invoice::item_line(st, target.id(), &item);
        let mut next = Object::clone(&target);
        let mut lines = next.list_at("lines").to_vec();
        lines.push(line);
        invoice::set_lines(st, &mut next, lines, &customer)?;
        st.change_and_emit(target.id(), "invoice.updated", |i| *i = next);
    }
    Ok(item.value())
}

/// Creates an invoice item as requested, either pending or for a draft invoice, and emits its event. Adds no line to the invoice.
///
/// # Errors
/// A parameter is invalid, or the invoice is not a draft or belongs to another customer or currency.
pub(super) fn new_item(
    st: &mut State,
    args: &Args,
    customer: &Object,
    target: Option<&Object>,
) -> Result<Arc<Object>, ApiError> {
    let default_currency =
        if customer.text("currency").is_empty() { "usd" } else { customer.text("currency") }.to_owned();
    let read = read_item(st, args, &default_currency)?;
    let (pricing, mut new) = (read.pricing(), read.line);
    let now = st.now(customer);
    if !args.has("period") {
        new.period = (now, now);
    }
    new.discounts = own_discounts(st, args, customer, new.amount, &new.currency)?.unwrap_or_default();
    let id = st.new_id("ii");
    let has_words = !new.description.is_empty();
    let mut item = model::billing::invoice_item(id.clone(), now, customer, new);
    item.set("pricing", pricing);
    item.as_invoice_item_mut().tax_behavior = args.value("tax_behavior");
    if !has_words {
        item.set("description", Value::Null);
    }
    if let Some(discountable) = args.flag("discountable") {
        item.set("discountable", discountable);
    }
    if let Some(subscription) = args.text("subscription") {
        st.load("subscription", subscription, "subscription")?;
        item.set("parent", json!({ "subscription_details": { "subscription": subscription, "subscription_item": null }, "type": "subscription_details" }));
    }
    if let Some(target) = target {
        check_fits(&item, target, "invoice")?;
        item.set("invoice", target.id());
    }
    let item = st.put(item);
    st.emit("invoiceitem.created", &item);
    Ok(item)
}

/// Checks that an invoice item can be on an invoice.
///
/// # Errors
/// The invoice is not a draft, or belongs to another customer or currency.
pub(super) fn check_fits(item: &Object, target: &Object, param: &str) -> Result<(), ApiError> {
    let is_alike = ["customer", "currency"].iter().all(|member| item.get(member) == target.get(member));
    if target.text("status") == "draft" && is_alike {
        return Ok(());
    }
    let message = "The invoice must be a draft of the same customer and currency.";
    Err(ApiError::coded("invoice_not_editable", message).about(param))
}

pub(super) fn pending_item(st: &State, id: &str, param: &str) -> Result<Arc<Object>, ApiError> {
    let item = st.load("invoiceitem", id, param)?;
    if !item.get("invoice").is_null() {
        let message = "This invoice item is already on an invoice, so it can't be changed here.";
        return Err(ApiError::coded("invoice_not_editable", message));
    }
    Ok(item)
}

/// Returns the parameters of an update, with the item's price added if the update changes the amount. A new quantity keeps the item's
/// price, and a new price keeps its quantity.
fn priced_anew(item: &Object, args: &Args) -> Option<Args> {
    const PRICES: [&str; 6] = ["amount", "price", "price_data", "pricing", "unit_amount", "unit_amount_decimal"];
    let mut next = args.clone();
    match (PRICES.iter().any(|member| args.has(member)), args.has("quantity")) {
        (false, false) => return None,
        (false, true) if item.get("price").is_null() => {
            next.put("unit_amount_decimal", item.at("pricing.unit_amount_decimal").clone());
        }
        (false, true) => next.put("price", item.at("price.id").clone()),
        (true, false) if !args.has("amount") => next.put("quantity", item.get("quantity").clone()),
        (true, _) => {}
    }
    Some(next)
}

fn update_item(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let item = pending_item(st, ids[0], "id")?;
    Ok(change_item(st, &item, args)?.value())
}

/// Changes an invoice item according to a request. Leaves the lines of invoices unchanged.
///
/// # Errors
/// A parameter is invalid.
pub(super) fn change_item(st: &mut State, item: &Object, args: &Args) -> Result<Arc<Object>, ApiError> {
    let metadata = merge_metadata(item.get("metadata"), args)?;
    let rates = args.has("tax_rates").then(|| tax::read(st, args, "tax_rates", "tax_rates")).transpose()?;
    let new = match priced_anew(item, args) {
        Some(args) => Some(read_item(st, &args, item.text("currency"))?),
        None => None,
    };
    let amount = new.as_ref().map_or(item.int("amount"), |new| new.line.amount);
    let customer = st.copy_if_any(item.text("customer"));
    let discounts = own_discounts(st, args, &customer, amount, item.text("currency"))?;
    let changed = st.change(item.id(), |i| {
        if let Some(discounts) = discounts {
            i.set("discounts", discounts.iter().map(|discount| discount["id"].clone()).collect::<Vec<_>>());
        }
        if let Some(new) = new {
            i.set("pricing", new.pricing());
            let new = new.line;
            i.set("amount", new.amount);
            i.set("net_amount", new.amount);
            i.set("quantity", new.quantity);
            i.set("quantity_decimal", new.quantity.to_string());
            i.set("price", new.price);
        }
        for member in ["description", "discountable", "period"] {
            if args.has(member) {
                i.set(member, args.value(member));
            }
        }
        if args.has("tax_behavior") {
            i.as_invoice_item_mut().tax_behavior = args.value("tax_behavior");
        }
        i.set("metadata", metadata);
        if let Some(rates) = rates {
            i.set("tax_rates", rates);
        }
    });
    Ok(changed)
}

fn create(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    let sub = args.text("subscription").map(|s| st.load("subscription", s, "subscription")).transpose()?;
    let customer_id = match (args.text("customer"), &sub) {
        (Some(id), _) => id.to_owned(),
        (None, Some(sub)) => sub.text("customer").to_owned(),
        (None, None) => return Err(ApiError::missing("customer")),
    };
    let customer = st.load("customer", &customer_id, "customer")?;
    let pending_currency = st
        .newest("invoiceitem", Some(&customer_id))
        .find(|i| i.get("invoice").is_null())
        .map(|i| i.text("currency").to_owned());
    let currency = args.text("currency").map(str::to_owned).or(pending_currency).unwrap_or_else(|| {
        if customer.text("currency").is_empty() { "usd".to_owned() } else { customer.text("currency").to_owned() }
    });
    let behavior = args.text("pending_invoice_items_behavior").unwrap_or("exclude");
    let takes_pending = behavior == "include" || sub.is_some();
    let of_sub = sub.as_ref().map_or(Value::Null, |sub| sub.get("transfer_data").clone());
    let shared = json!({ "automatic_tax": model::billing::no_automatic_tax(), "transfer_data": of_sub });
    let settings = read_settings(st, args, &customer_id, shared)?;
    let now = st.now(&customer);
    let pending = invoice::pending_items(st, &customer_id, &currency, sub.as_deref());
    let bought = pending.iter().fold(0_i64, |sum, item| sum.saturating_add(item.int("amount")));
    let discounts = own_discounts(st, args, &customer, bought, &currency)?;
    let draft = Draft {
        customer: &customer_id,
        currency: &currency,
        reason: "manual",
        subscription: sub.as_deref(),
        lines: Vec::new(),
        takes_pending,
        period: None,
    };
    let id = invoice::draft(st, draft, |i| {
        let advance = args.flag("auto_advance").unwrap_or(false);
        i.set("auto_advance", advance);
        i.set("automatically_finalizes_at", if advance { json!(now + crate::calendar::HOUR_S) } else { Value::Null });
        settings.into_iter().for_each(|(name, value)| set(i, name, value));
        if let Some(discounts) = &discounts {
            i.as_invoice_mut().discounts = discounts.clone();
        }
    })?;
    Ok(st.find(&id)?.value())
}

/// Redeems the discounts that a request sets on an invoice or on an invoice item. Returns `None` if the request has no
/// `discounts`.
pub(super) fn own_discounts(
    st: &mut State,
    args: &Args,
    customer: &Object,
    amount: i64,
    currency: &str,
) -> Result<Option<Vec<Value>>, ApiError> {
    if !args.has("discounts") {
        return Ok(None);
    }
    item::redeem_for(st, &args.list("discounts"), "discounts", customer, amount, currency).map(Some)
}

/// Reads the settings of a request as members of an invoice. `shared` is how the payment is divided so far.
fn read_settings(
    st: &mut State,
    args: &Args,
    customer: &str,
    shared: Value,
) -> Result<Vec<(&'static str, Value)>, ApiError> {
    let mut out = Vec::new();
    descriptor::check(args, "")?;
    for member in ["collection_method", "description", "footer", "statement_descriptor"] {
        if args.has(member) {
            out.push((member, args.value(member)));
        }
    }
    if args.has("default_tax_rates") {
        out.push(("default_tax_rates", tax::read(st, args, "default_tax_rates", "default_tax_rates")?));
    }
    let mut shared = Object::of(shared);
    if args.has("automatic_tax") {
        automatic::apply(st, &mut shared, args)?;
        out.push(("automatic_tax", shared.get("automatic_tax").clone()));
    }
    division::apply(st, &mut shared, args, "", None)?;
    for member in ["application_fee_amount", "on_behalf_of", "transfer_data"] {
        if args.has(member) {
            out.push((member, shared.get(member).clone()));
        }
    }
    if args.has("account_tax_ids") {
        let ids = account_tax_ids(st, &args.list("account_tax_ids"), "account_tax_ids")?;
        out.push(("account_tax_ids", ids));
    }
    if args.has("custom_fields") {
        out.push(("custom_fields", custom_fields(&args.list("custom_fields"), "custom_fields")?));
    }
    if args.has("payment_settings") {
        let given = args.map("payment_settings");
        if let Some(mandate) = given.text("default_mandate") {
            st.load("mandate", mandate, "payment_settings[default_mandate]")?;
        }
        let members = ["default_mandate", "payment_method_options", "payment_method_types"];
        let settings = members.into_iter().map(|member| (member.to_owned(), given.value(member)));
        out.push(("payment_settings", settings.collect()));
    }
    if args.has("rendering") {
        out.push(("rendering", rendering(st, args)?));
    }
    if let Some(days) = args.int("days_until_due") {
        out.push(("days_until_due", json!(days)));
    }
    if let Some(due) = args.int("due_date") {
        out.push(("due_date", json!(due)));
    }
    if args.text("collection_method") == Some("send_invoice") && !args.has("days_until_due") && !args.has("due_date") {
        return Err(ApiError::missing("days_until_due"));
    }
    if let Some(name) = args.text("default_payment_method") {
        let found = method::resolve(st, name, "default_payment_method")?;
        if found.text("customer") != customer {
            return Err(ApiError::no_such("PaymentMethod", name, "default_payment_method"));
        }
        out.push(("default_payment_method", json!(found.id())));
    }
    out.push(("metadata", merge_metadata(&json!({}), args)?));
    Ok(out)
}

fn rendering(st: &State, args: &Args) -> Result<Value, ApiError> {
    if args.given("rendering").is_none() {
        return Ok(Value::Null);
    }
    let given = args.map("rendering");
    let size = given.map("pdf").text("page_size").unwrap_or("auto").to_owned();
    let (template, version) = account_settings::template(st, &given, "rendering[template]")?;
    Ok(json!({
        "amount_tax_display": given.value("amount_tax_display"),
        "pdf": { "page_size": size },
        "template": template,
        "template_version": version,
    }))
}

/// Sets one setting of an invoice.
fn set(invoice: &mut Object, name: &str, value: Value) {
    match name {
        "application_fee_amount" => invoice.as_invoice_mut().application_fee_amount = value.as_i64(),
        "days_until_due" => invoice.as_invoice_mut().days_until_due = value.as_i64(),
        "transfer_data" => invoice.as_invoice_mut().transfer_data = value,
        _ => invoice.set(name, value),
    }
}

/// The settings of a draft that determine its taxes.
const TAXES: [&str; 2] = ["automatic_tax", "default_tax_rates"];

fn update(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let invoice = st.load("invoice", ids[0], "id")?;
    let draft = invoice.text("status") == "draft";
    let of_drafts = [
        "application_fee_amount",
        "automatic_tax",
        "collection_method",
        "days_until_due",
        "default_payment_method",
        "default_tax_rates",
        "on_behalf_of",
        "transfer_data",
    ];
    if !draft && of_drafts.iter().any(|m| args.has(m)) {
        let message = "Finalized invoices can't be updated in this way.";
        return Err(ApiError::coded("invoice_not_editable", message));
    }
    let shared = json!({
        "application_fee_amount": &invoice.as_invoice().application_fee_amount, "automatic_tax": invoice.get("automatic_tax"),
        "transfer_data": &invoice.as_invoice().transfer_data,
    });
    let mut settings = read_settings(st, args, invoice.text("customer"), shared)?;
    settings.retain(|(name, _)| *name != "metadata");
    let metadata = merge_metadata(invoice.get("metadata"), args)?;
    let now = st.now(&invoice);
    let advance = args.flag("auto_advance");
    let customer = st.copy_if_any(invoice.text("customer"));
    let discounts = own_discounts(st, args, &customer, invoice.int("subtotal"), invoice.text("currency"))?;
    let mut next = Object::clone(&invoice);
    if let Some(discounts) = discounts {
        if !draft {
            return Err(ApiError::coded("invoice_not_editable", "Only a draft's discounts can be changed."));
        }
        next.as_invoice_mut().discounts = discounts;
    }
    for (member, value) in settings.iter().filter(|(member, _)| TAXES.contains(member)) {
        next.set(member, value.clone());
    }
    if draft && (args.has("discounts") || TAXES.iter().any(|member| args.has(member))) {
        let lines = next.list_at("lines").to_vec();
        invoice::set_lines(st, &mut next, lines, &customer)?;
    }
    // The taxes of `next` have been computed.
    settings.retain(|(name, _)| !TAXES.contains(name));
    let changed = st.change_and_emit(ids[0], "invoice.updated", |i| {
        *i = next;
        settings.into_iter().for_each(|(name, value)| set(i, name, value));
        i.set("metadata", metadata);
        if let Some(advance) = advance {
            i.set("auto_advance", advance);
            i.set(
                "automatically_finalizes_at",
                if advance && draft { json!(now + crate::calendar::HOUR_S) } else { Value::Null },
            );
        }
    });
    Ok(changed.value())
}

fn delete(st: &mut State, ids: &[&str], _: &Args) -> Result<Value, ApiError> {
    let invoice = st.load("invoice", ids[0], "id")?;
    if invoice.text("status") != "draft" || !subscription_of(&invoice).is_empty() {
        let message = "You can only delete draft invoices that don't belong to a subscription.";
        return Err(ApiError::coded("invoice_not_editable", message));
    }
    let held: Vec<String> = st
        .newest("invoiceitem", Some(invoice.text("customer")))
        .filter(|i| i.text("invoice") == ids[0])
        .map(|i| i.id().to_owned())
        .collect();
    for item in held {
        st.remove(&item);
    }
    st.emit("invoice.deleted", &invoice);
    st.remove(ids[0]);
    Ok(json!({ "id": ids[0], "object": "invoice", "deleted": true }))
}

fn pay(st: &mut State, ids: &[&str], args: &Args) -> Result<Value, ApiError> {
    let id = ids[0];
    let invoice = st.load("invoice", id, "id")?;
    match invoice.text("status") {
        "draft" => invoice::finalize(st, id)?,
        "open" | "uncollectible" => {}
        "paid" => return Err(ApiError::coded("invoice_already_paid", "Invoice is already paid")),
        status => {
            return Err(ApiError::coded(
                "invoice_not_editable",
                format!("An invoice with status {status} can't be paid."),
            ));
        }
    }
    let open = st.find(id)?;
    if open.text("status") == "paid" {
        return Ok(open.value());
    }
    settle::check_not_processing(st, &open)?;
    if open.text("status") == "uncollectible" {
        st.change(id, |i| i.set("status", "open"));
    }
    if args.flag("paid_out_of_band") == Some(true) {
        st.change(id, |i| i.as_invoice_mut().paid_out_of_band = true);
        crate::payments::intent::cancel_if_open(st, &open.as_invoice().payment_intent);
        settle::paid(st, id);
        return Ok(st.find(id)?.value());
    }
    let paid_with = match (args.text("payment_method"), args.text("source")) {
        (Some(_), Some(_)) => {
            let message = "You may only specify one of these parameters: payment_method, source.";
            return Err(ApiError::invalid(message).about("source"));
        }
        (None, Some(id)) => {
            let card =
                source::load(st, open.text("customer"), id).map_err(|_| ApiError::no_such("source", id, "source"))?;
            card.id().to_owned()
        }
        (Some(name), None) => {
            let found = method::resolve(st, name, "payment_method")?;
            method::check_owner(&found, open.text("customer"))?;
            found.id().to_owned()
        }
        (None, None) => settle::method_of(st, &open).ok_or_else(settle::no_method)?,
    };
    if args.given("mandate").is_some() {
        let mut intent = st.copy_if_any(&open.as_invoice().payment_intent);
        mandate::note(st, &mut intent, args, &*st.find(&paid_with)?)?;
        st.put(intent);
    }
    let presence = if args.flag("off_session") == Some(true) { Presence::OffSession } else { Presence::OnSession };
    match settle::attempt_with(st, id, &paid_with, AttemptCause::Hand, presence) {
        Outcome::Paid | Outcome::Processing => Ok(st.find(id)?.value()),
        Outcome::NeedsAction => {
            let message = "This payment requires additional user action before it can be completed successfully. Payment can be completed using the PaymentIntent associated with the invoice.";
            Err(ApiError::card("invoice_payment_intent_requires_action", None, message))
        }
        Outcome::Failed(error) => Err(error),
    }
}
