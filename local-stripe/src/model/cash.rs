//! Builders of customers' cash balances, their transactions, and the instructions for bank transfers.

use serde_json::{Value, json};

use crate::object::Object;

/// The `type` of the payment method that pays from a cash balance.
pub const KIND: &str = "customer_balance";

/// A way in which bank transfers arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// The `type`.
    pub kind: &'static str,
    /// The currency's lower-case code.
    pub currency: &'static str,
    /// The country of the account that receives the transfers.
    pub country: &'static str,
    /// The type of the account's address.
    pub address: &'static str,
    /// The networks through which it can be reached.
    pub networks: &'static [&'static str],
}

/// The ways in which bank transfers arrive, one for each currency of cash balances.
pub const TRANSFERS: [Transfer; 5] = [
    Transfer {
        kind: "us_bank_transfer",
        currency: "usd",
        country: "US",
        address: "aba",
        networks: &["ach", "domestic_wire_us"],
    },
    Transfer { kind: "eu_bank_transfer", currency: "eur", country: "IE", address: "iban", networks: &["sepa"] },
    Transfer {
        kind: "gb_bank_transfer",
        currency: "gbp",
        country: "GB",
        address: "sort_code",
        networks: &["bacs", "fps"],
    },
    Transfer { kind: "jp_bank_transfer", currency: "jpy", country: "JP", address: "zengin", networks: &["zengin"] },
    Transfer { kind: "mx_bank_transfer", currency: "mxn", country: "MX", address: "spei", networks: &["spei"] },
];

/// Builds an empty cash balance. It is stored under the id `sandbox.cash:` followed by the customer's id.
pub fn balance(customer: &Object) -> Object {
    Object::of(json!({
        "id": stored_as(customer.id()),
        "object": "sandbox.cash_balance",
        "available": {},
        "customer": customer.id(),
        "mode": null,
    }))
    .on_clock_of(customer)
}

/// Returns the id under which a customer's cash balance is stored.
pub fn stored_as(customer: &str) -> String {
    format!("sandbox.cash:{customer}")
}

/// Returns a stored cash balance as clients see it.
pub fn shown(balance: &Object) -> Object {
    let available = balance.get("available").as_object().filter(|sums| !sums.is_empty());
    Object::of(json!({
        "object": "cash_balance",
        "available": available,
        "customer": balance.get("customer"),
        "customer_account": null,
        "livemode": false,
        "settings": {
            "reconciliation_mode": balance.text_at("mode").unwrap_or("automatic"),
            "using_merchant_default": balance.get("mode").is_null(),
        },
    }))
    .on_clock_of(balance)
}

/// Builds a transaction of a cash balance: the reason, the amount and the resulting balance in minor units. The details
/// are a member named after the type.
pub fn transaction(
    id: String,
    created_s: i64,
    balance: &Object,
    (currency, amount, ending): (&str, i64, i64),
    kind: &str,
    details: Value,
) -> Object {
    let mut made = Object::of(json!({
        "id": id,
        "object": "customer_cash_balance_transaction",
        "created": created_s,
        "currency": currency,
        "customer": balance.get("customer"),
        "customer_account": null,
        "ending_balance": ending,
        "livemode": false,
        "net_amount": amount,
        "type": kind,
    }))
    .on_clock_of(balance);
    if !details.is_null() {
        made.set(kind, details);
    }
    made
}

/// Builds the details of an incoming bank transfer.
pub fn funded(transfer: &Transfer, reference: Value) -> Value {
    let sender = match transfer.kind {
        "us_bank_transfer" => json!({ "network": "ach", "sender_name": null }),
        "eu_bank_transfer" => json!({ "bic": null, "iban_last4": "3000", "sender_name": null }),
        "gb_bank_transfer" => json!({ "account_number_last4": "2345", "sender_name": null, "sort_code": "108800" }),
        "jp_bank_transfer" => json!({ "sender_bank": null, "sender_branch": null, "sender_name": null }),
        _ => Value::Null,
    };
    let mut details = json!({ "reference": reference, "type": transfer.kind });
    if !sender.is_null() {
        details[transfer.kind] = sender;
    }
    json!({ "bank_transfer": details })
}

/// Builds the member `bank_transfer` of funding instructions: the account to which a customer sends money. The account
/// is made up.
pub fn bank_transfer(transfer: &Transfer, customer: &str, country: Option<&str>) -> Value {
    let nowhere = json!({ "city": null, "country": transfer.country, "line1": null, "line2": null, "postal_code": null, "state": null });
    // The digits of the account number depend only on the customer.
    let digits: u64 = customer.bytes().fold(7, |sum, byte| (sum * 31 + u64::from(byte)) % 100_000_000);
    let mut address = json!({
        "account_holder_address": nowhere, "account_holder_name": "Local sandbox", "bank_address": nowhere,
    });
    let more = match transfer.address {
        "aba" => json!({
            "account_number": format!("11119{digits:08}"), "account_type": "checking", "bank_name": "STRIPE TEST BANK",
            "routing_number": "110000000",
        }),
        "iban" => json!({
            "bic": "STTEIE2DXXX", "country": country.unwrap_or(transfer.country),
            "iban": format!("{}00STTE000000{digits:08}", country.unwrap_or(transfer.country)),
        }),
        "sort_code" => json!({ "account_number": format!("{digits:08}"), "sort_code": "000000" }),
        "zengin" => json!({
            "account_number": format!("{:07}", digits % 10_000_000), "account_type": "futsu", "bank_code": "0000",
            "bank_name": "STRIPE TEST BANK", "branch_code": "000", "branch_name": "TEST",
        }),
        _ => json!({ "bank_code": "000", "bank_name": "STRIPE TEST BANK", "clabe": format!("0000000000{digits:08}") }),
    };
    if let (Value::Object(address), Value::Object(more)) = (&mut address, more) {
        address.extend(more);
    }
    let mut financial = json!({ "supported_networks": transfer.networks, "type": transfer.address });
    financial[transfer.address] = address;
    json!({
        "country": country.unwrap_or(transfer.country), "financial_addresses": [financial], "type": transfer.kind,
    })
}
