//! Starts s3rver, a second implementation of S3 besides moto. It supports few requests other than requests for objects.

use crate::install::node;
use crate::server::Server;
use std::process::Command;

/// The npm package, with a pinned version.
const S3RVER: &str = "s3rver@3.7.1";
/// The only access key of s3rver, used as id and as secret. s3rver parses signatures of version 4 but does not verify
/// them.
const KEY: &str = "S3RVER";

/// An s3rver, initially empty.
pub struct S3rver(Server);

impl S3rver {
    /// Installs s3rver if needed, and starts it.
    pub fn start() -> S3rver {
        let home = node("s3rver", &[S3RVER]);
        S3rver(Server::start(|port, folder| {
            let mut command = Command::new("node");
            command.arg(home.join("node_modules/s3rver/bin/s3rver.js"));
            command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "--no-vhost-buckets"]);
            command.arg("-d").arg(folder.join("data"));
            command
        }))
    }

    /// Returns the endpoint, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Returns the id and the secret of the access key.
    pub fn key(&self) -> (&'static str, &'static str) {
        (KEY, KEY)
    }

    /// Returns the server process.
    pub fn server(&self) -> &Server {
        &self.0
    }
}
