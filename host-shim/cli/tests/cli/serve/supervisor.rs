//! A server tells systemd when it serves and when it stops. `cargo xtask test package` has the real systemd.

use super::{Running, command_of, log_of};
use std::os::unix::net::UnixDatagram;

#[test]
fn a_supervised_server_tells_when_it_serves_and_when_it_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, socket) = (folder.path().join("data"), folder.path().join("notify"));
    let supervisor = UnixDatagram::bind(&socket).expect("a socket");
    supervisor.set_read_timeout(Some(super::WAIT)).expect("set");
    let told = || {
        let mut bytes = [0; 100];
        let length = supervisor.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let mut command = command_of(&[], &data, &[]);
    command.env("NOTIFY_SOCKET", &socket);
    let server = Running::spawn_without_key(command, &log_of(&data));
    assert_eq!(told(), "READY=1\n");
    assert_eq!(server.send("GET /health", "", "").map(|(status, _)| status), Some(200), "it serves");
    server.stop();
    assert_eq!(told(), "STOPPING=1\n");
}
