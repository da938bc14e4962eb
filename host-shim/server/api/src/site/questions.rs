//! The threads that answer questions. Each has its own reader and extension, so that no question waits for a decision. Callers take
//! turns.

use host_engine::processor::Answerer;
use host_engine::turns::{NotQueued, Sender, Turn, queue};
use std::io;
use std::thread::{self, JoinHandle};

/// A question to answer.
type AskFn = Box<dyn FnOnce(&mut Answerer) + Send>;

/// The reason why a question was not accepted.
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
pub struct Questioner(Sender<AskFn>);

impl Questioner {
    /// Asks on behalf of the server itself, like [`Questioner::try_ask_in`].
    ///
    /// # Errors
    /// Fails if too many questions are waiting or the site has stopped; the function is then not called.
    pub fn try_ask(&self, body: impl FnOnce(&mut Answerer) + Send + 'static) -> Result<(), NotAsked> {
        self.try_ask_in(Turn::Server, body)
    }

    /// Asks in somebody's turn, without waiting. The function runs on another thread and passes its answer on by itself.
    ///
    /// # Errors
    /// Fails if too many questions are waiting or the site has stopped; the function is then not called.
    pub fn try_ask_in(&self, turn: Turn, body: impl FnOnce(&mut Answerer) + Send + 'static) -> Result<(), NotAsked> {
        self.0.try_send(turn, Box::new(body)).map_err(|error| match error {
            NotQueued::Full { waiting } => NotAsked::Busy { waiting },
            NotQueued::Ended => NotAsked::Ended,
        })
    }

    /// Lets the threads end after the waiting questions, even if there are other clones.
    pub(crate) fn end(&self) {
        self.0.end();
    }
}

/// Starts one thread for each answerer. They end after [`Questioner::end`], or when the last [`Questioner`] is dropped.
pub(crate) fn spawn(answerers: Vec<Answerer>, waiting_max: usize) -> io::Result<(Questioner, Vec<JoinHandle<()>>)> {
    let (sender, taker) = queue::<AskFn>(waiting_max);
    let spawn = |(number, mut answerer): (usize, Answerer)| {
        let taker = taker.clone();
        thread::Builder::new().name(format!("question-{number}")).spawn(move || {
            while let Some(body) = taker.take() {
                body(&mut answerer);
            }
        })
    };
    let threads = answerers.into_iter().enumerate().map(spawn).collect::<io::Result<_>>()?;
    Ok((Questioner(sender), threads))
}
