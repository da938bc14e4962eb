//! Binds the address of a server.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};

/// Number of connections that may wait to be accepted. The system may allow fewer. The standard library's 128 are too few for
/// clients that all reconnect at once, as after a restart: a refused one retries only after a second.
const WAITING: i32 = 4_096;

/// Binds an address; port 0 selects a free port.
///
/// # Errors
/// Fails if the address is in use, or cannot be used.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted server takes over the port of its predecessor, as with the standard library. On Windows, this would let two
    // servers share a port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(WAITING)?;
    Ok(socket.into())
}
