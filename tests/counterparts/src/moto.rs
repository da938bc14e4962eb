//! moto: an AWS of one's own.

use crate::install::venv;
use crate::server::Server;
use std::process::Command;

/// The version.
const MOTO: &str = "moto[server]==5.2.5";

/// A moto server, empty.
pub struct Moto(Server);

impl Moto {
    /// Installs moto if need be, and starts it.
    pub fn start() -> Moto {
        let home = venv("moto", &[MOTO]);
        Moto(Server::start(|port, _| {
            let mut command = Command::new(home.join("bin/moto_server"));
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            // The access key says which account it is, where nobody checks it.
            command.env("MOTO_ALLOW_NONEXISTENT_REGION", "false");
            command
        }))
    }

    /// Its endpoint, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.0
    }
}
