//! Reads every kind of object from a sandbox with async-stripe, and every event in a folder. Usage: `check URL
//! EVENTS_DIR`. Fails if an object can't be deserialized, or if a kind has no objects.

use std::process::ExitCode;

use stripe::{Client, ClientBuilder};
use stripe_billing::invoice::ListInvoice;
use stripe_billing::invoice_item::ListInvoiceItem;
use stripe_billing::invoice_payment::ListInvoicePayment;
use stripe_billing::subscription::ListSubscription;
use stripe_billing::test_helpers_test_clock::ListTestHelpersTestClock;
use stripe_checkout::checkout_session::ListCheckoutSession;
use stripe_core::balance_transaction::ListBalanceTransaction;
use stripe_core::charge::ListCharge;
use stripe_core::customer::ListCustomer;
use stripe_core::dispute::ListDispute;
use stripe_core::event::ListEvent;
use stripe_core::payment_intent::ListPaymentIntent;
use stripe_core::refund::ListRefund;
use stripe_misc::webhook_endpoint::ListWebhookEndpoint;
use stripe_payment::payment_method::ListPaymentMethod;
use stripe_product::price::ListPrice;
use stripe_product::product::ListProduct;

type Failure = Box<dyn std::error::Error>;

macro_rules! read_all {
    ($client:expr, $failures:expr, $($list:expr => $name:literal),* $(,)?) => {$(
        match $list.send($client).await {
            Ok(page) if page.data.is_empty() => $failures.push(format!("{}: there is none", $name)),
            Ok(page) => println!("{}: {} read", $name, page.data.len()),
            Err(error) => $failures.push(format!("{}: {error}", $name)),
        }
    )*};
}

async fn objects(client: &Client, failures: &mut Vec<String>) {
    read_all!(client, failures,
        ListCustomer::new().limit(100) => "customers",
        ListPaymentMethod::new().limit(100) => "payment methods",
        ListProduct::new().limit(100) => "products",
        ListPrice::new().limit(100) => "prices",
        ListCheckoutSession::new().limit(100) => "checkout sessions",
        ListSubscription::new().status(stripe_billing::subscription::ListSubscriptionStatus::All).limit(100) => "subscriptions",
        ListInvoice::new().limit(100) => "invoices",
        ListInvoiceItem::new().limit(100) => "invoice items",
        ListInvoicePayment::new().limit(100) => "invoice payments",
        ListPaymentIntent::new().limit(100) => "payment intents",
        ListCharge::new().limit(100) => "charges",
        ListRefund::new().limit(100) => "refunds",
        ListDispute::new().limit(100) => "disputes",
        ListBalanceTransaction::new().limit(100) => "balance transactions",
        ListEvent::new().limit(100) => "events",
        ListWebhookEndpoint::new().limit(100) => "webhook endpoints",
        ListTestHelpersTestClock::new().limit(100) => "test clocks",
    );
}

fn events(folder: &str, failures: &mut Vec<String>) -> Result<(), Failure> {
    let mut read = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let mut reader = serde_json::Deserializer::from_str(&text);
        match serde_path_to_error::deserialize::<_, stripe_webhook::Event>(&mut reader) {
            Ok(_) => read += 1,
            Err(error) => failures.push(format!("{}: {error}", path.display())),
        }
    }
    println!("events of the folder: {read} read");
    if read == 0 {
        failures.push("no event was read".into());
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, folder] = arguments.as_slice() else {
        return Err("usage: check URL EVENTS_DIR".into());
    };
    let client = ClientBuilder::new("sk_test_async_stripe").url(url.as_str()).build()?;
    let mut failures = Vec::new();
    objects(&client, &mut failures).await;
    events(folder, &mut failures)?;
    failures.iter().for_each(|f| eprintln!("{f}"));
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
