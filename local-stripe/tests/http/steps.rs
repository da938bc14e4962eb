//! The pages of single steps of a customer, and the documents of quotes, over HTTP.

use local_stripe::server::Options;
use serde_json::json;

use crate::client::{Client, id};

/// Returns the path of a page by its URL.
fn path_of(client: &Client, url: &serde_json::Value) -> String {
    url.as_str().unwrap().strip_prefix(client.base.as_str()).unwrap().to_owned()
}

#[tokio::test]
async fn the_page_of_micro_deposits_asks_for_the_code_until_it_is_right() {
    let (_server, client) = Client::start(Options::default()).await;
    let form = "amount=1000&currency=usd&confirm=true&payment_method_types[0]=us_bank_account&payment_method_data[type]=us_bank_account\
                &payment_method_data[us_bank_account][account_number]=000123456789\
                &payment_method_options[us_bank_account][verification_method]=microdeposits";
    let pi = client.post("/v1/payment_intents", form).await;
    let page = path_of(&client, &pi["next_action"]["verify_with_microdeposits"]["hosted_verification_url"]);
    assert!(client.form("GET", &page, "").await.text.contains("Verify your bank account"));
    assert_eq!(client.form("GET", &format!("/_sandbox/3ds/{}", id(&pi)), "").await.status, 404, "it is no card");
    let wrong = client.form("POST", &page, "descriptor_code=SM99ZZ").await;
    assert!(wrong.text.contains("role=\"alert\"") && wrong.text.contains("does not match"), "{}", wrong.text);
    let right = client.form("POST", &page, "descriptor_code=SM11AA").await;
    assert!(right.text.contains("is verified"), "{}", right.text);
    assert_eq!(client.get(&format!("/v1/payment_intents/{}", id(&pi))).await["status"], "processing");
    assert_eq!(client.form("GET", &page, "").await.status, 404);
}

#[tokio::test]
async fn the_page_of_a_bank_transfer_shows_what_is_missing() {
    let (_server, client) = Client::start(Options::default()).await;
    let customer = id(&client.post("/v1/customers", "").await);
    let form = format!(
        "amount=1000&currency=usd&customer={customer}&confirm=true&payment_method_types[0]=customer_balance\
         &payment_method_data[type]=customer_balance&payment_method_options[customer_balance][funding_type]=bank_transfer\
         &payment_method_options[customer_balance][bank_transfer][type]=us_bank_transfer"
    );
    let pi = client.post("/v1/payment_intents", &form).await;
    let action = &pi["next_action"]["display_bank_transfer_instructions"];
    let page = path_of(&client, &action["hosted_instructions_url"]);
    let fund = format!("/v1/test_helpers/customers/{customer}/fund_cash_balance");
    client.post(&fund, "amount=400&currency=usd").await;
    let shown = client.form("GET", &page, "").await.text;
    assert!(shown.contains("$6.00") && shown.contains(action["reference"].as_str().unwrap()), "{shown}");
    client.post(&fund, "amount=600&currency=usd").await;
    assert_eq!(client.form("GET", &page, "").await.status, 404);
}

#[tokio::test]
async fn the_page_of_an_identity_check_ends_it_and_redirects_back() {
    let (_server, client) = Client::start(Options::default()).await;
    let form = "type=document&return_url=https://example.com/done";
    let session = client.post("/v1/identity/verification_sessions", form).await;
    let page = path_of(&client, &session["url"]);
    assert!(client.form("GET", &page, "").await.text.contains("Verification success"));
    let failed = client.form("POST", &page, "outcome=consent_declined").await;
    assert!(
        failed.text.contains("https://example.com/done") || failed.header("location") == "https://example.com/done"
    );
    client.form("POST", &page, "outcome=verified").await;
    let verified = client.get(&format!("/v1/identity/verification_sessions/{}", id(&session))).await;
    assert_eq!((&verified["status"], &verified["url"]), (&json!("verified"), &json!(null)));
    assert_eq!(client.form("GET", &page, "").await.status, 404);
}

#[tokio::test]
async fn the_document_of_a_quote_is_a_pdf_and_an_invoice_shows_its_credits() {
    let (_server, client) = Client::start(Options::default()).await;
    let quote = id(&client.post("/v1/quotes", "").await);
    let document = client.form("GET", &format!("/v1/quotes/{quote}/pdf"), "").await;
    assert_eq!((document.status, document.header("content-type")), (200, "application/pdf"));
    assert!(document.text.starts_with("%PDF-") && document.text.trim_end().ends_with("%%EOF"));
    let meter = "display_name=Calls&event_name=calls&default_aggregation[formula]=sum";
    let meter = id(&client.post("/v1/billing/meters", meter).await);
    let product = id(&client.post("/v1/products", "name=Calls").await);
    let price = format!(
        "product={product}&currency=usd&unit_amount=1&recurring[interval]=month&recurring[usage_type]=metered&recurring[meter]={meter}"
    );
    let price = id(&client.post("/v1/prices", &price).await);
    let card = "payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa";
    let customer = id(&client.post("/v1/customers", card).await);
    let sub = id(&client.post("/v1/subscriptions", &format!("customer={customer}&items[0][price]={price}")).await);
    let grant = "amount[type]=monetary&amount[monetary][currency]=usd&amount[monetary][value]=300&applicability_config[scope][price_type]=metered";
    client.post("/v1/billing/credit_grants", &format!("customer={customer}&{grant}")).await;
    let used = format!("event_name=calls&payload[stripe_customer_id]={customer}&payload[value]=1000");
    client.post("/v1/billing/meter_events", &used).await;
    client.post("/_sandbox/clock", "advance_by=2800000").await;
    let sub = client.get(&format!("/v1/subscriptions/{sub}")).await;
    let invoice = client.get(&format!("/v1/invoices/{}", sub["latest_invoice"].as_str().unwrap())).await;
    let page = client.form("GET", &path_of(&client, &invoice["hosted_invoice_url"]), "").await.text;
    assert!(page.contains("Credit grant applied") && page.contains("-$3.00") && page.contains("$7.00"), "{page}");
    assert!(!page.contains("Discount"), "{page}");
}
