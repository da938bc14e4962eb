//! A server process that is killed at the end of its test.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Time limit for a server to listen.
const START: Duration = Duration::from_secs(60);

/// Returns a port of 127.0.0.1 that is free now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a listener has an address").port()
}

/// A server process on a port of 127.0.0.1, killed on drop.
pub struct Server {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Server {
    /// Calls `command` with a free port and a temporary folder, starts the returned command, and waits until it listens
    /// on the port.
    pub fn start(command: impl FnOnce(u16, &std::path::Path) -> Command) -> Server {
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a scratch folder"));
        let mut command = command(port, folder.path());
        let log = File::create(folder.path().join("log")).expect("the log of a server");
        let errors = log.try_clone().expect("a second handle on the log");
        let shown = format!("{command:?}");
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        let child = child.unwrap_or_else(|error| panic!("{shown}: {error}"));
        let mut server = Server { child, address: (Ipv4Addr::LOCALHOST, port).into(), folder };
        let begun = Instant::now();
        while TcpStream::connect(server.address).is_err() {
            let ended = server.child.try_wait().expect("a child that was started can be asked");
            let is_late = begun.elapsed() > START;
            assert!(ended.is_none() && !is_late, "{shown} does not listen on {}:\n{}", server.address, server.log());
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Returns the server's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the id of the server's process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the server's temporary folder.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Returns the text that the server has written to its standard output and standard error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The result does not matter: the test is over.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
