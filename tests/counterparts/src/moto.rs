//! Starts moto, a local simulation of AWS.

use crate::install::venv;
use crate::server::Server;
use std::process::Command;

/// The requirement for pip, with a pinned version.
const MOTO: &str = "moto[server]==5.2.5";

/// A moto server, initially empty.
pub struct Moto(Server);

impl Moto {
    /// Installs moto if needed, and starts it.
    pub fn start() -> Moto {
        let home = venv("moto", &[MOTO]);
        Moto(Server::start(|port, _| {
            let mut command = Command::new(home.join("bin/moto_server"));
            command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
            // Nonexistent regions are rejected, as by AWS.
            command.env("MOTO_ALLOW_NONEXISTENT_REGION", "false");
            // Without these, services on ECS never have a running task, and certificates are issued only after a
            // minute.
            command.env("MOTO_ECS_SERVICE_RUNNING", "1").env("MOTO_ACM_VALIDATION_WAIT", "0");
            command
        }))
    }

    /// Returns the endpoint, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Returns the server process.
    pub fn server(&self) -> &Server {
        &self.0
    }
}
