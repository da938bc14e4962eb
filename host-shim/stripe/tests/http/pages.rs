//! The buyer's pages, without a browser.

use local_stripe::server::Options;

use crate::client::{Client, id};

async fn session(client: &Client, mode: &str) -> String {
    let product = id(&client.post("/v1/products", "name=<b>Shirt</b>").await);
    let recurring = if mode == "subscription" { "&recurring[interval]=month" } else { "" };
    let price =
        id(&client.post("/v1/prices", &format!("product={product}&currency=usd&unit_amount=1500{recurring}")).await);
    let form = format!(
        "mode={mode}&line_items[0][price]={price}&line_items[0][quantity]=2&success_url=http://shop.test/ok?s={{CHECKOUT_SESSION_ID}}&cancel_url=http://shop.test/no"
    );
    id(&client.post("/v1/checkout/sessions", &form).await)
}

fn card(number: &str) -> String {
    format!("number={number}&expiry=12 / 34&cvc=123&email=a@example.com&name=A")
}

#[tokio::test]
async fn the_form_says_what_it_is_and_escapes() {
    let (_server, client) = Client::start(Options::default()).await;
    let page = client.form("GET", &format!("/c/pay/{}", session(&client, "payment").await), "").await;
    assert_eq!(page.status, 200);
    for wanted in ["Local sandbox", "&lt;b&gt;Shirt", "$30.00", "http://shop.test/no", "name=\"number\""] {
        assert!(page.text.contains(wanted), "{wanted} in {}", page.text);
    }
    assert!(!page.text.contains("<b>Shirt"));
    assert_eq!(client.form("GET", "/c/pay/cs_test_no", "").await.status, 404);
}

#[tokio::test]
async fn declined_then_paid_in_both_modes() {
    let (_server, client) = Client::start(Options::default()).await;
    for mode in ["payment", "subscription"] {
        let session = session(&client, mode).await;
        let path = format!("/c/pay/{session}");
        for (number, words) in [
            ("4000 0000 0000 0002", "Your card was declined."),
            ("4242", "Your card number is incorrect."),
            ("4000000000009995", "insufficient funds"),
        ] {
            let page = client.form("POST", &path, &card(number)).await;
            assert_eq!(page.status, 402, "{}", page.text);
            assert!(page.text.contains(words), "{words} in {}", page.text);
        }
        let paid = client.form("POST", &path, &card("4242 4242 4242 4242")).await;
        assert_eq!(
            (paid.status, paid.header("location")),
            (303, format!("http://shop.test/ok?s={session}").as_str()),
            "{}",
            paid.text
        );
        assert!(client.form("GET", &path, "").await.text.contains("This checkout is over"));
        assert_eq!(client.get(&format!("/v1/checkout/sessions/{session}")).await["status"], "complete");
    }
}

#[tokio::test]
async fn three_d_secure_fails_and_passes() {
    let (_server, client) = Client::start(Options::default()).await;
    for mode in ["payment", "subscription"] {
        let session = session(&client, mode).await;
        for (outcome, status) in [("failure", 402), ("success", 303)] {
            let asked = client.form("POST", &format!("/c/pay/{session}"), &card("4000002500003155")).await;
            assert_eq!(asked.status, 303);
            let step = asked.header("location").strip_prefix(client.base.as_str()).unwrap().to_owned();
            assert!(client.form("GET", &step, "").await.text.contains("Complete authentication"));
            let answer = client.form("POST", &step, &format!("outcome={outcome}")).await;
            assert_eq!(answer.status, status, "{mode} {outcome} {}", answer.text);
        }
        assert_eq!(client.get(&format!("/v1/checkout/sessions/{session}")).await["payment_status"], "paid");
    }
}
