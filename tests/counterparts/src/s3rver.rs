//! s3rver: a second S3, of object calls.

use crate::install::node;
use crate::server::Server;
use std::process::Command;

/// The version.
const S3RVER: &str = "s3rver@3.7.1";
/// The one key that it knows, id and secret alike. It reads signatures of version 4 and does not check them.
const KEY: &str = "S3RVER";

/// An s3rver, empty.
pub struct S3rver(Server);

impl S3rver {
    /// Installs s3rver if need be, and starts it.
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

    /// Its endpoint, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Id and secret of the key that it knows.
    pub fn key(&self) -> (&'static str, &'static str) {
        (KEY, KEY)
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.0
    }
}
