//! The base bodies of `fixtures/stripe`, compiled into the program for businesses outside the fixtures.

/// Includes the files of an API version: returns the name of the version, and the name and text of each file.
macro_rules! version {
    ($version:literal: $($file:literal)*) => {
        ($version, &[$(($file, include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"), "/../../../fixtures/stripe/", $version, "/", $file
        )))),*])
    };
}

/// Name and text of each file.
pub(super) type Files = [(&'static str, &'static str)];

/// All API versions. A test compares this list with the folder `fixtures/stripe`.
pub(super) const VERSIONS: [(&str, &Files); 2] = [
    version!("2020-08-27": "account.json" "charge.json" "checkout.session.json" "customer.json" "dispute.json" "event.json"
        "invoice.json" "invoice_line.json" "payment_intent.json" "payment_method.json" "places.yml" "price.json" "product.json"
        "radar.early_fraud_warning.json" "refund.json" "subscription.json" "subscription_item.json"
        "subscription_schedule.json"),
    version!("2025-03-31.basil": "account.json" "charge.json" "checkout.session.json" "customer.json" "dispute.json"
        "event.json" "invoice.json" "invoice_line.json" "invoice_payment.json" "payment_intent.json" "payment_method.json" "places.yml"
        "price.json" "product.json" "radar.early_fraud_warning.json" "refund.json" "subscription.json"
        "subscription_item.json" "subscription_schedule.json"),
];
