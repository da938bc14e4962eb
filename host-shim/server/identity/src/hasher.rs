//! Checks and hashes passwords on a few threads with a bounded queue and turns. So passwords take neither memory nor processor time from
//! other requests, and whoever sends many of them waits only for their own.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use host_engine::turns::{Sender, Taker, Turn, queue};
use std::io;
use std::thread;

/// Memory of one hash in KiB, number of passes, and number of lanes: the minimum that OWASP recommends for Argon2id.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// Length of a salt in random bytes.
const SALT_BYTES: usize = 16;

/// Work for a thread.
type Work = Box<dyn FnOnce(&Argon2<'static>) + Send>;

/// Too many passwords are waiting to be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many logins at the same time")]
pub struct Busy;

/// Hashes and verifies passwords. The threads end with the last clone.
#[derive(Clone)]
pub struct Hasher {
    sender: Sender<Work>,
    turn: Turn,
}

impl Hasher {
    /// Starts the threads. At most `waiting` passwords of callers may wait. The work counts as the server's own until [`Hasher::in_turn`]
    /// says whose it is.
    ///
    /// # Errors
    /// Fails if a thread cannot be started.
    pub fn start(threads: usize, waiting: usize) -> io::Result<Hasher> {
        let (sender, taker) = queue::<Work>(waiting);
        for number in 0..threads.max(1) {
            let taker = taker.clone();
            thread::Builder::new().name(format!("hash-{number}")).spawn(move || work(&taker))?;
        }
        Ok(Hasher { sender, turn: Turn::Server })
    }

    /// Returns a handle to the same threads, for work in a turn.
    #[must_use]
    pub fn in_turn(&self, turn: Turn) -> Hasher {
        Hasher { sender: self.sender.clone(), turn }
    }

    /// Hashes a password that is strong enough. The function receives the result of the check together with the hash, which is none if the
    /// system has no random bytes; or the reason why the password was not hashed.
    ///
    /// # Errors
    /// Fails if too many passwords are waiting; the function is then not called.
    pub(crate) fn judge_and_hash<T, E>(
        &self,
        password: String,
        judge: impl FnOnce(&str) -> Result<T, E> + Send + 'static,
        then: impl FnOnce(Result<(T, Option<String>), E>) + Send + 'static,
    ) -> Result<(), Busy> {
        self.send(Box::new(move |argon| then(judge(&password).map(|judged| (judged, hashed(argon, &password))))))
    }

    /// Verifies a password. Without a hash, this takes the same time and fails, so that an unknown user cannot be distinguished from a
    /// wrong password.
    ///
    /// # Errors
    /// Fails if too many passwords are waiting; the function is then not called.
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
        self.sender.try_send(self.turn.clone(), work).map_err(|_| Busy)
    }
}

fn work(taker: &Taker<Work>) {
    let (memory, passes, lanes) = COST;
    // The parameters are within the limits of Argon2.
    let params = Params::new(memory, passes, lanes, None).unwrap_or_default();
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    while let Some(work) = taker.take() {
        work(&argon);
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
        let then = move |made: Result<_, &'static str>| told.send(made).expect("a receiver");
        hasher.judge_and_hash("correct horse".into(), |_| Ok("strong"), then).expect("room");
        let (judged, hash) = answers.recv().expect("an answer").expect("a judgement");
        let hash = hash.expect("a hash");
        assert_eq!(judged, "strong");
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

    /// Keeps the only thread of a hasher busy until the result is dropped.
    fn occupied(hasher: &Hasher) -> std::sync::mpsc::Sender<()> {
        let (go, wait) = channel::<()>();
        let (begun, began) = channel();
        hasher
            .send(Box::new(move |_| {
                begun.send(()).expect("a receiver");
                let _ = wait.recv();
            }))
            .expect("room");
        began.recv().expect("the thread is busy");
        go
    }

    #[test]
    fn more_passwords_than_wait_are_refused_at_once() {
        let hasher = Hasher::start(1, 1).expect("a thread");
        let go = occupied(&hasher);
        assert_eq!(hasher.verify("one".into(), None, |_| {}), Ok(()), "it waits");
        assert_eq!(hasher.verify("two".into(), None, |_| {}), Err(Busy));
        drop(go);
    }

    #[test]
    fn one_caller_leaves_room_for_others_and_waits_for_the_own_passwords() {
        let hasher = Hasher::start(1, 8).expect("a thread");
        let go = occupied(&hasher);
        let (sender, done) = channel();
        let send = |name: &'static str| {
            let told = sender.clone();
            hasher.in_turn(Turn::of_caller(name)).send(Box::new(move |_| told.send(name).expect("a receiver")))
        };
        assert_eq!((0..8).filter(|_| send("eve").is_ok()).count(), 2, "a quarter of what may wait");
        assert_eq!((send("ada"), send("bob")), (Ok(()), Ok(())));
        drop(go);
        let done: Vec<&str> = (0..4).map(|_| done.recv().expect("an answer")).collect();
        assert_eq!(done, ["eve", "ada", "bob", "eve"]);
    }

    /// Checking a password can take longer than hashing it, so neither is done on the calling thread.
    #[test]
    fn a_password_is_judged_on_a_thread_of_the_hasher() {
        let hasher = Hasher::start(1, 8).expect("a thread");
        let (sender, answers) = channel();
        let judge = |_: &str| Err::<(), _>(thread::current().name().map(str::to_owned));
        let then = move |made: Result<((), Option<String>), _>| sender.send(made).expect("a receiver");
        hasher.judge_and_hash("weak".into(), judge, then).expect("room");
        let judged_by = answers.recv().expect("an answer").expect_err("the password is weak");
        assert_eq!(judged_by.as_deref(), Some("hash-0"));
    }
}
