//! Hashes passwords on a few threads. More logins than wait in the queue are refused, so that they cost neither memory nor the
//! processor's time of webhooks.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Memory of one hash in KiB, its passes and its lanes: the minimum that OWASP recommends for Argon2id.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// Number of random bytes of a salt.
const SALT_BYTES: usize = 16;

/// Work for a thread.
type Work = Box<dyn FnOnce(&Argon2<'static>) + Send>;

/// Too many passwords wait to be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many logins at the same time")]
pub struct Busy;

/// Hashes and verifies passwords. The threads end with the last clone.
#[derive(Clone)]
pub struct Hasher(SyncSender<Work>);

impl Hasher {
    /// Starts the threads. At most `waiting` passwords wait.
    ///
    /// # Errors
    /// Fails if a thread cannot be started.
    pub fn start(threads: usize, waiting: usize) -> io::Result<Hasher> {
        let (sender, receiver) = sync_channel::<Work>(waiting);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..threads.max(1) {
            let receiver = receiver.clone();
            thread::Builder::new().name(format!("hash-{number}")).spawn(move || work(&receiver))?;
        }
        Ok(Hasher(sender))
    }

    /// Hashes a password. The function receives the hash, or none if the system has no random bytes.
    ///
    /// # Errors
    /// Fails if too many passwords wait; the function is then not called.
    pub fn hash(&self, password: String, then: impl FnOnce(Option<String>) + Send + 'static) -> Result<(), Busy> {
        self.send(Box::new(move |argon| then(hashed(argon, &password))))
    }

    /// Verifies a password. Without a hash, it takes the same time and is wrong: an unknown user cannot be told from a wrong password.
    ///
    /// # Errors
    /// Fails if too many passwords wait; the function is then not called.
    pub fn verify(
        &self,
        password: String,
        hash: Option<String>,
        then: impl FnOnce(bool) + Send + 'static,
    ) -> Result<(), Busy> {
        self.send(Box::new(move |argon| {
            let is_right = match &hash {
                Some(hash) => {
                    PasswordHash::new(hash).is_ok_and(|hash| argon.verify_password(password.as_bytes(), &hash).is_ok())
                }
                None => {
                    drop(hashed(argon, &password));
                    false
                }
            };
            then(is_right);
        }))
    }

    fn send(&self, work: Work) -> Result<(), Busy> {
        self.0.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Busy,
        })
    }
}

fn work(receiver: &Mutex<Receiver<Work>>) {
    let (memory, passes, lanes) = COST;
    // The parameters are within the limits of Argon2.
    let params = Params::new(memory, passes, lanes, None).unwrap_or_default();
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    loop {
        // A panic of another thread leaves a queue that is still a queue.
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(work) => work(&argon),
            Err(_) => return,
        }
    }
}

fn hashed(argon: &Argon2<'_>, password: &str) -> Option<String> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).ok()?;
    let salt = SaltString::encode_b64(&salt).ok()?;
    argon.hash_password(password.as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_password_is_verified_by_its_hash_only() {
        let hasher = Hasher::start(1, 8).expect("a thread");
        let (sender, answers) = channel();
        let told = sender.clone();
        hasher.hash("correct horse".into(), move |hash| told.send(hash).expect("a receiver")).expect("room");
        let hash = answers.recv().expect("an answer").expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let (sender, answers) = channel();
        for (password, hash) in [
            ("correct horse", Some(hash.clone())),
            ("wrong horse", Some(hash)),
            ("correct horse", None),
            ("x", Some("damaged".into())),
        ] {
            let told = sender.clone();
            hasher
                .verify(password.into(), hash, move |is_right| told.send(is_right).expect("a receiver"))
                .expect("room");
        }
        let all: Vec<bool> = (0..4).map(|_| answers.recv().expect("an answer")).collect();
        assert_eq!(all, [true, false, false, false]);
    }

    #[test]
    fn more_passwords_than_wait_are_refused_at_once() {
        let hasher = Hasher::start(1, 1).expect("a thread");
        let (go, wait) = channel::<()>();
        let (begun, began) = channel();
        hasher
            .send(Box::new(move |_| {
                begun.send(()).expect("a receiver");
                // The test drops the sender.
                let _ = wait.recv();
            }))
            .expect("room");
        began.recv().expect("the thread is busy");
        assert_eq!(hasher.hash("one".into(), |_| {}), Ok(()), "it waits");
        assert_eq!(hasher.hash("two".into(), |_| {}), Err(Busy));
        drop(go);
    }
}
