//! Deliveries over TLS. The certificate of an endpoint must come from an authority of the machine or of the user.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use local_stripe::server::{Options, Server, ServerError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_rustls::TlsAcceptor;

use crate::client::Client;

/// Starts an endpoint and writes its certificate authority to the file `ca`. Returns the endpoint's URL and a receiver
/// of its requests.
async fn endpoint(ca: &Path) -> (String, UnboundedReceiver<String>) {
    let mut of_ca = CertificateParams::new(Vec::new()).unwrap();
    of_ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(of_ca, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(ca, issuer.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("https://{}/hook", listener.local_addr().unwrap());
    let (arrived, arrivals) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that doesn't trust the certificate disconnects.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let (mut text, mut buffer) = (String::new(), [0; 4_096]);
            while !text.trim_end().ends_with('}') {
                let count = stream.read(&mut buffer).await.unwrap_or(0);
                if count == 0 {
                    break;
                }
                text.push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            // The receiver is dropped at the end of the test.
            let _ = arrived.send(text);
        }
    });
    (url, arrivals)
}

#[tokio::test]
async fn an_endpoint_is_trusted_if_its_certificate_authority_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    let (url, mut arrivals) = endpoint(&ca).await;
    let form = format!("url={url}&enabled_events[]=product.created");
    let (_stranger, client) = Client::start(Options { retry_s: Vec::new(), ..Options::default() }).await;
    client.post("/v1/webhook_endpoints", &form).await;
    client.post("/v1/products", "name=Pro").await;
    let none = tokio::time::timeout(Duration::from_millis(700), arrivals.recv()).await;
    assert!(none.is_err(), "delivered to an untrusted endpoint");
    let (_friend, client) = Client::start(Options { webhook_ca: Some(ca), ..Options::default() }).await;
    client.post("/v1/webhook_endpoints", &form).await;
    client.post("/v1/products", "name=Pro").await;
    let text = tokio::time::timeout(Duration::from_secs(10), arrivals.recv()).await.unwrap().unwrap();
    assert!(text.starts_with("POST /hook HTTP/1.1") && text.contains("product.created"), "{text}");
}

#[tokio::test]
async fn invalid_certificate_authorities_are_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for path in [empty, folder.path().join("absent.pem")] {
        let refused = Server::start(Options { webhook_ca: Some(path.clone()), ..Options::default() }).await;
        let Err(ServerError::Trust(error)) = refused else { panic!("{} was accepted", path.display()) };
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}
