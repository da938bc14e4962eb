//! A thread that repeats some work until it is asked to stop.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Work that is repeated on its own thread.
pub(crate) trait Work: Send {
    /// Returns the name of the thread.
    fn name(&self) -> &'static str;

    /// Does the work. Returns the time until the next call.
    fn work(&mut self, stop: &Stop) -> Duration;
}

/// A thread that works in the background.
pub(crate) struct Background {
    /// None once the thread is asked to stop.
    stop: Option<Sender<()>>,
    thread: JoinHandle<()>,
}

/// Tells the work whether it should stop.
pub(crate) struct Stop(Receiver<()>);

impl Stop {
    /// Returns true once the thread is asked to stop.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.try_recv() != Err(TryRecvError::Empty)
    }

    /// Waits. Returns false if the thread was asked to stop.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        self.0.recv_timeout(time) == Err(RecvTimeoutError::Timeout)
    }
}

impl Background {
    /// Starts the thread.
    pub(crate) fn start(mut work: Box<dyn Work>) -> io::Result<Background> {
        let (stop, stopped) = channel();
        let stopped = Stop(stopped);
        let thread = thread::Builder::new().name(work.name().to_owned()).spawn(move || {
            loop {
                let time = work.work(&stopped);
                if !stopped.wait(time) {
                    return;
                }
            }
        })?;
        Ok(Background { stop: Some(stop), thread })
    }

    /// Asks the thread to stop, without waiting for it.
    pub(crate) fn ask_to_stop(&mut self) {
        self.stop = None;
    }

    /// Asks threads to stop, and waits for work that has begun.
    pub(crate) fn stop_all(all: Vec<Background>) {
        // Each one is asked before the first is waited for.
        let threads: Vec<_> = all.into_iter().map(|Background { thread, .. }| thread).collect();
        for thread in threads {
            // A thread that has panicked has ended too.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{SyncSender, sync_channel};

    /// Immediately sends whether it has been asked to stop, or waits and then sends whether it has not.
    struct Report {
        sender: SyncSender<bool>,
        waits: bool,
    }

    impl Work for Report {
        fn name(&self) -> &'static str {
            "test"
        }

        fn work(&mut self, stop: &Stop) -> Duration {
            let _ = self.sender.send(if self.waits { stop.wait(Duration::MAX) } else { stop.is_asked() });
            if self.waits { Duration::MAX } else { Duration::ZERO }
        }
    }

    #[test]
    fn the_work_is_repeated_until_the_thread_is_stopped() {
        let (sender, worked) = sync_channel(0);
        let background = Background::start(Box::new(Report { sender, waits: false })).expect("a thread");
        assert_eq!((worked.recv(), worked.recv()), (Ok(false), Ok(false)));
        drop(worked);
        Background::stop_all(vec![background]);
    }

    #[test]
    fn a_stop_ends_a_wait() {
        let (sender, worked) = sync_channel(1);
        let background = Background::start(Box::new(Report { sender, waits: true })).expect("a thread");
        Background::stop_all(vec![background]);
        assert_eq!(worked.recv(), Ok(false));
    }
}
