//! The account's balance and its movements.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::listing::{self, AFTER, BEFORE, CREATED, LIMIT};
use crate::api::{Route, route};
use crate::params::{Kind, opt};
use crate::state::State;

/// The endpoints.
pub const ROUTES: &[Route] = &[
    route("GET", "/v1/balance", &[], |st, _, _| Ok(balance(st))),
    route(
        "GET",
        "/v1/balance_transactions",
        &[
            LIMIT,
            AFTER,
            BEFORE,
            CREATED,
            opt("source", Kind::Text),
            opt("type", Kind::Text),
            opt("currency", Kind::Currency),
        ],
        |st, _, args| {
            listing::list(st, "balance_transaction", "/v1/balance_transactions", args, &["source", "type", "currency"])
        },
    ),
    route("GET", "/v1/balance_transactions/{}", &[], |st, ids, _| {
        Ok(st.load("balance_transaction", ids[0], "id")?.value())
    }),
];

/// What there is in each currency: everything is available at once.
fn balance(st: &State) -> Value {
    let mut sums: BTreeMap<String, i64> = BTreeMap::from([("usd".to_owned(), 0)]);
    for movement in st.newest("balance_transaction", None) {
        let sum = sums.entry(movement.text("currency").to_owned()).or_default();
        *sum = sum.saturating_add(movement.int("net"));
    }
    let by_currency = |amount: fn(i64) -> i64| -> Value {
        let one = |(currency, sum): (&String, &i64)| {
            let amount = amount(*sum);
            json!({ "amount": amount, "currency": currency, "source_types": { "card": amount } })
        };
        sums.iter().map(one).collect()
    };
    json!({
        "object": "balance",
        "available": by_currency(|sum| sum),
        "connect_reserved": [{ "amount": 0, "currency": "usd" }],
        "livemode": false,
        "pending": by_currency(|_| 0),
    })
}
