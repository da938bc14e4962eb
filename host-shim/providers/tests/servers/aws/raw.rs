//! HTTP requests without the SDK.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Status and body of a response.
pub type Response = (u16, String);

fn send(address: SocketAddr, request: &str) -> Response {
    let mut stream = TcpStream::connect(address).expect("a server that listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket takes its options");
    stream.write_all(request.as_bytes()).expect("a request that is taken");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// Fetches `http://127.0.0.1:PORT/…`.
pub fn get(url: &str) -> Response {
    let rest = url.strip_prefix("http://").expect("a plain address");
    let (host, path) = rest.split_once('/').expect("an address with a path");
    let address = host.parse().expect("an address of this machine");
    send(address, &format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

/// Creates a role for functions and returns its ARN.
pub fn make_role(address: SocketAddr, name: &str) -> String {
    let policy = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D";
    let body = format!("Action=CreateRole&Version=2010-05-08&RoleName={name}&AssumeRolePolicyDocument={policy}");
    let signed =
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nAuthorization: {signed}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = send(address, &request);
    // Another test on this server may have created the role.
    assert!(status == 200 || answer.contains("EntityAlreadyExists"), "{answer}");
    format!("arn:aws:iam::123456789012:role/{name}")
}

/// Returns the text of the first element with this name in the response to a query of EC2.
pub fn first_of(address: SocketAddr, service: &str, action: &str, element: &str) -> String {
    let body = format!("Action={action}&Version=2016-11-15");
    let signed = format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nAuthorization: {signed}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = send(address, &request);
    assert_eq!(status, 200, "{answer}");
    let (_, rest) = answer.split_once(&format!("<{element}>")).expect("the element");
    rest.split('<').next().unwrap_or_default().to_owned()
}
