//! Visits of payment links over HTTP.

use local_stripe::server::Options;

use crate::client::{Client, id};

#[tokio::test]
async fn a_visit_redirects_to_a_checkout_page_that_confirms_the_payment() {
    let (_server, client) = Client::start(Options::default()).await;
    let product = id(&client.post("/v1/products", "name=Shirt").await);
    let price = id(&client.post("/v1/prices", &format!("product={product}&currency=usd&unit_amount=1500")).await);
    let form = format!("line_items[0][price]={price}&line_items[0][quantity]=1");
    let link = client.post("/v1/payment_links", &form).await;
    let path = link["url"].as_str().unwrap().strip_prefix(client.base.as_str()).unwrap().to_owned();
    let visit = client.form("GET", &path, "").await;
    assert_eq!(visit.status, 303, "{}", visit.text);
    let page = visit.header("location").strip_prefix(client.base.as_str()).unwrap().to_owned();
    let card = "number=4242424242424242&expiry=12 / 34&cvc=123&email=a@example.com&name=A";
    let paid = client.form("POST", &page, card).await;
    assert_eq!((paid.status, paid.header("location")), (303, visit.header("location")));
    assert!(client.form("GET", &page, "").await.text.contains("This checkout is over"));
    assert_eq!(client.get("/v1/checkout/sessions").await["data"][0]["payment_link"], link["id"]);
    client.post(&format!("/v1/payment_links/{}", id(&link)), "active=false&inactive_message=Sold out").await;
    let closed = client.form("GET", &path, "").await;
    assert_eq!((closed.status, closed.text.contains("Sold out")), (400, true), "{}", closed.text);
    assert_eq!(client.form("GET", "/b/plink_none", "").await.status, 404);
}
