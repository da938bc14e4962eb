//! Threads that answer questions. Each has a reader and an extension of its own, so that no question waits for a decision.

use host::processor::Answerer;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// A question to answer.
type AskFn = Box<dyn FnOnce(&mut Answerer) + Send>;

/// The reason why a question was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// The maximum number of questions is waiting.
    #[error("{waiting} questions wait")]
    Busy {
        /// Maximum number of waiting questions.
        waiting: usize,
    },
    /// The site has stopped.
    #[error("the site has stopped")]
    Ended,
}

/// Sends questions to the threads that answer them; a clone sends to the same threads.
#[derive(Clone)]
pub struct Questioner {
    sender: SyncSender<AskFn>,
    waiting_max: usize,
}

impl Questioner {
    /// Asks without waiting. The function runs on a thread of its own, and passes its answer on by itself.
    ///
    /// # Errors
    /// Fails if too many questions wait or the site has stopped; the function is then not called.
    pub fn try_ask(&self, body: impl FnOnce(&mut Answerer) + Send + 'static) -> Result<(), NotAsked> {
        self.sender.try_send(Box::new(body)).map_err(|error| match error {
            TrySendError::Full(_) => NotAsked::Busy { waiting: self.waiting_max },
            TrySendError::Disconnected(_) => NotAsked::Ended,
        })
    }
}

/// Starts one thread for each answerer. They end when the last [`Questioner`] is dropped.
pub(crate) fn spawn(answerers: Vec<Answerer>, waiting_max: usize) -> io::Result<(Questioner, Vec<JoinHandle<()>>)> {
    let (sender, receiver) = sync_channel::<AskFn>(waiting_max);
    let receiver = Arc::new(Mutex::new(receiver));
    let spawn = |(number, mut answerer): (usize, Answerer)| {
        let receiver = receiver.clone();
        thread::Builder::new().name(format!("question-{number}")).spawn(move || {
            while let Some(body) = take(&receiver) {
                body(&mut answerer);
            }
        })
    };
    let threads = answerers.into_iter().enumerate().map(spawn).collect::<io::Result<_>>()?;
    Ok((Questioner { sender, waiting_max }, threads))
}

fn take(receiver: &Mutex<Receiver<AskFn>>) -> Option<AskFn> {
    // The lock is not held while a question is answered, so a panic cannot damage the receiver.
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
