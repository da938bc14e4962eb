//! The endpoints for credit notes.

use serde_json::Value;

use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::billing::invoicing::credit_note;
use crate::error::ApiError;
use crate::object::Object;
use crate::params::{AMOUNT, Args, Field, ParamKind, QUANTITY, merge_metadata, off, opt, req};
use crate::state::State;

const LINE: ParamKind = ParamKind::Map(&[
    req("type", ParamKind::OneOf(&["custom_line_item", "invoice_line_item"])),
    opt("amount", AMOUNT),
    opt("description", ParamKind::Text),
    opt("invoice_line_item", ParamKind::Text),
    opt("quantity", QUANTITY),
    opt("unit_amount", AMOUNT),
    off("tax_amounts"),
    off("tax_rates"),
]);
macro_rules! note_fields {
    ($($more:expr),* $(,)?) => {
        &[
            req("invoice", ParamKind::Text),
            opt("amount", AMOUNT),
            opt("credit_amount", AMOUNT),
            opt("lines", ParamKind::List(&LINE)),
            opt("memo", ParamKind::Text),
            opt("metadata", ParamKind::Metadata),
            opt("out_of_band_amount", AMOUNT),
            opt("reason", ParamKind::OneOf(&["duplicate", "fraudulent", "order_change", "product_unsatisfactory"])),
            opt("refund_amount", AMOUNT),
            opt("effective_at", ParamKind::Time),
            $($more),*
        ]
    };
}

const CREATE: &[Field] = note_fields![];
const PREVIEWED_LINES: &[Field] = note_fields![LIMIT, AFTER, BEFORE];

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("POST", "/v1/credit_notes", CREATE, |st, _, args| credit_note::create(st, args)),
    route(
        "GET",
        "/v1/credit_notes",
        &[LIMIT, AFTER, BEFORE, CREATED, opt("customer", ParamKind::Text), opt("invoice", ParamKind::Text)],
        |st, _, args| listing::list(st, "credit_note", "/v1/credit_notes", args, &["invoice"]),
    ),
    route("GET", "/v1/credit_notes/preview", CREATE, preview),
    route("GET", "/v1/credit_notes/preview/lines", PREVIEWED_LINES, |st, ids, args| {
        let note = Object::of(preview(st, ids, args)?);
        let lines = note.list_at("lines").iter().cloned().map(Object::of);
        listing::page_of(args, "/v1/credit_notes/preview/lines", lines, |l| l.id(), Object::value)
    }),
    route("GET", "/v1/credit_notes/{}", &[], |st, ids, _| Ok(st.load("credit_note", ids[0], "id")?.value())),
    route(
        "POST",
        "/v1/credit_notes/{}",
        &[opt("memo", ParamKind::Text), opt("metadata", ParamKind::Metadata)],
        |st, ids, args| {
            let note = st.load("credit_note", ids[0], "id")?;
            let metadata = merge_metadata(note.get("metadata"), args)?;
            let changed = st.change_and_emit(ids[0], "credit_note.updated", |n| {
                if args.has("memo") {
                    n.set("memo", args.value("memo"));
                }
                n.set("metadata", metadata);
            });
            Ok(changed.value())
        },
    ),
    route("GET", "/v1/credit_notes/{}/lines", &[LIMIT, AFTER, BEFORE], |st, ids, args| {
        let note = st.load("credit_note", ids[0], "id")?;
        let lines = note.list_at("lines").iter().cloned().map(Object::of);
        listing::page_of(args, &format!("/v1/credit_notes/{}/lines", ids[0]), lines, |l| l.id(), Object::value)
    }),
    route("POST", "/v1/credit_notes/{}/void", &[], |st, ids, _| credit_note::void(st, ids[0])),
];

/// Issues the credit note of a request as a preview, which is rolled back.
fn preview(st: &mut State, _: &[&str], args: &Args) -> Result<Value, ApiError> {
    st.is_preview = true;
    credit_note::create(st, args)
}
