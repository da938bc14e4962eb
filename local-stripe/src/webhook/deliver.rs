//! Delivers an event to an endpoint, with one HTTP request per attempt.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;

/// The timeout for an endpoint's response.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum length in bytes of a response that is read in order to reuse its connection.
const ANSWER_BYTES_MAX: usize = 64 * 1_024;

/// The HTTP client of all deliveries.
pub type Http = Client<HttpsConnector<HttpConnector>, Body>;

/// Creates a client that keeps connections open and trusts the certificate authorities of the configuration.
pub fn client(trust: ClientConfig) -> Http {
    let mut connector = HttpConnector::new();
    // Without this option, each small body would wait for the endpoint's delayed TCP acknowledgement.
    connector.set_nodelay(true);
    connector.enforce_http(false);
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(trust).https_or_http().enable_http1().wrap_connector(connector);
    Client::builder(TokioExecutor::new()).build(connector)
}

/// Posts one signed body. Returns whether the endpoint responded with 2xx. A redirect is a failure, as at Stripe.
pub async fn post(http: &Http, url: &str, signature: &str, body: String) -> bool {
    let request = Request::post(url)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::USER_AGENT, "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .header(header::ACCEPT, "*/*; q=0.5, application/xml")
        .header("stripe-signature", signature)
        .body(Body::from(body));
    let Ok(request) = request else { return false };
    let exchange = async {
        let response = http.request(request).await.ok()?;
        let success = response.status().is_success();
        // The content of the response is ignored, but it must be read before the connection is reused.
        let _ = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        Some(success)
    };
    tokio::time::timeout(ANSWER_TIMEOUT, exchange).await.ok().flatten().unwrap_or(false)
}
