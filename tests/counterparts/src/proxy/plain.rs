//! Forwards exchanges of any protocol in which the client waits for the server's response.

use super::{Fault, Shared, reset};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Forwards data in both directions until one side or a fault ends the connection.
pub(super) fn pass(mut client: &TcpStream, upstream: SocketAddr, shared: &Shared) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream)?;
    let next: Arc<Mutex<Option<Fault>>> = Arc::default();
    let is_reset = Arc::new(AtomicBool::new(false));
    let answers = {
        let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
        let (next, is_reset, shared) = (next.clone(), is_reset.clone(), shared.clone());
        thread::spawn(move || -> io::Result<()> {
            let mut buffer = [0; 16 * 1024];
            loop {
                let read = from.read(&mut buffer)?;
                shared.pass();
                if read == 0 && is_reset.load(Ordering::SeqCst) {
                    return Ok(());
                }
                if read == 0 {
                    return to.shutdown(Shutdown::Both);
                }
                let fault = next.lock().unwrap_or_else(PoisonError::into_inner).take();
                match fault {
                    Some(Fault::ResetAfter) => {
                        reset(&to);
                        return Ok(());
                    }
                    Some(Fault::Truncate) => {
                        to.write_all(&buffer[..read / 2])?;
                        return to.shutdown(Shutdown::Both);
                    }
                    Some(Fault::Delay(wait)) => thread::sleep(wait),
                    _ => {}
                }
                to.write_all(&buffer[..read])?;
            }
        })
    };
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = client.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        shared.pass();
        match shared.strike(&buffer[..read]) {
            Some(Fault::Refuse | Fault::ResetBefore | Fault::Status(..)) => {
                is_reset.store(true, Ordering::SeqCst);
                reset(client);
                break;
            }
            fault => *next.lock().unwrap_or_else(PoisonError::into_inner) = fault,
        }
        server.write_all(&buffer[..read])?;
    }
    // The server may have closed the connection already.
    let _ = server.shutdown(Shutdown::Both);
    // A reset connection makes the other thread end with an error.
    let _ = answers.join();
    Ok(())
}
