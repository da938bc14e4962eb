//! Waits for a signal to stop the program.

use std::io;
use tokio::runtime::{Builder, Runtime};

/// The signals that stop the program: an interrupt (Ctrl-C) and SIGTERM. They count from [`StopSignal::listen`] on.
#[derive(Debug)]
pub struct StopSignal {
    runtime: Runtime,
    #[cfg(unix)]
    signals: [tokio::signal::unix::Signal; 2],
}

impl StopSignal {
    /// Begins to listen. A program that tells others that it runs must listen before.
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
            Ok(StopSignal { runtime, signals })
        }
        #[cfg(not(unix))]
        Ok(StopSignal { runtime })
    }

    /// Returns when a signal has come.
    ///
    /// # Errors
    ///
    /// Fails if the signals can't be handled.
    #[cfg(unix)]
    pub fn wait(mut self) -> io::Result<()> {
        use std::future::poll_fn;
        use std::task::Poll;
        let signals = &mut self.signals;
        self.runtime.block_on(poll_fn(|context| {
            let ready = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if ready { Poll::Ready(()) } else { Poll::Pending }
        }));
        Ok(())
    }

    /// Returns when a signal has come.
    ///
    /// # Errors
    ///
    /// Fails if the signals can't be handled.
    #[cfg(not(unix))]
    pub fn wait(self) -> io::Result<()> {
        self.runtime.block_on(tokio::signal::ctrl_c())
    }
}
