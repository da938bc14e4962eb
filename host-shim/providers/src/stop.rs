//! Waits for a signal to stop the program.

use std::io;
use tokio::runtime::{Builder, Runtime};

/// The signals that stop the program: an interrupt (Ctrl-C) and SIGTERM. They are handled once [`StopSignal::listen`] has been called.
#[derive(Debug)]
pub struct StopSignal {
    runtime: Runtime,
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
    /// SIGHUP, which makes a server reload its secrets.
    #[cfg(unix)]
    hangups: Option<tokio::signal::unix::Signal>,
}

impl StopSignal {
    /// Begins to listen. A program must call this before it announces that it is running.
    ///
    /// # Errors
    ///
    /// Fails if the signals can't be handled.
    pub fn listen() -> io::Result<StopSignal> {
        let runtime = Builder::new_current_thread().enable_io().build()?;
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let signals = {
                let _entered = runtime.enter();
                [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?]
            };
            Ok(StopSignal { runtime, signals, hangups: None })
        }
        #[cfg(not(unix))]
        Ok(StopSignal { runtime })
    }

    /// Also begins to listen for SIGHUP, which would otherwise end the program. [`wait_and_read`](Self::wait_and_read) reports it.
    ///
    /// # Errors
    ///
    /// Fails if the signal can't be handled.
    pub fn and_hangups(mut self) -> io::Result<StopSignal> {
        #[cfg(unix)]
        {
            let hangup = tokio::signal::unix::SignalKind::hangup();
            let _entered = self.runtime.enter();
            self.hangups = Some(tokio::signal::unix::signal(hangup)?);
        }
        Ok(self)
    }

    /// Returns when a signal to stop has arrived, and calls `read` for each SIGHUP before that.
    ///
    /// # Errors
    ///
    /// Fails if the signals can't be handled.
    #[cfg(unix)]
    pub fn wait_and_read(mut self, mut read: impl FnMut()) -> io::Result<()> {
        use std::future::poll_fn;
        use std::task::Poll;
        loop {
            let (signals, hangups) = (&mut self.signals, &mut self.hangups);
            let is_stop = self.runtime.block_on(poll_fn(|context| {
                let is_stop = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
                let is_hangup = hangups.as_mut().is_some_and(|signal| signal.poll_recv(context).is_ready());
                if is_stop || is_hangup { Poll::Ready(is_stop) } else { Poll::Pending }
            }));
            match is_stop {
                true => return Ok(()),
                false => read(),
            }
        }
    }

    /// Returns when a signal has arrived. There is no SIGHUP.
    ///
    /// # Errors
    ///
    /// Fails if the signals can't be handled.
    #[cfg(not(unix))]
    pub fn wait_and_read(self, _read: impl FnMut()) -> io::Result<()> {
        self.wait()
    }

    /// Returns when a signal has arrived.
    ///
    /// # Errors
    ///
    /// Fails if the signals can't be handled.
    #[cfg(unix)]
    pub fn wait(self) -> io::Result<()> {
        self.wait_and_read(|| ())
    }

    /// Returns when a signal has arrived.
    ///
    /// # Errors
    ///
    /// Fails if the signals can't be handled.
    #[cfg(not(unix))]
    pub fn wait(self) -> io::Result<()> {
        self.runtime.block_on(tokio::signal::ctrl_c())
    }
}
