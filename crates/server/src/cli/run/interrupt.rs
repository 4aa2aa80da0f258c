//! Ctrl-C and the like, while a run is followed: the first asks the run to end, the second leaves at once.

use tokio::sync::mpsc;

/// What was asked of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// Ctrl-C.
    Key,
    /// SIGTERM: the machine goes down, so the run is left to whoever goes on with it.
    Terminate,
}

/// Interrupts since [`Interrupts::listen`].
pub(crate) struct Interrupts(mpsc::UnboundedReceiver<Interrupt>);

impl Interrupts {
    /// Listens from now on; until then an interrupt ends the process, as it does any other.
    pub(crate) fn listen() -> Interrupts {
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(forward(sender));
        Interrupts(receiver)
    }

    /// The next one. Never resolves when the system has no such signals.
    pub(crate) async fn next(&mut self) -> Interrupt {
        match self.0.recv().await {
            Some(interrupt) => interrupt,
            None => std::future::pending().await,
        }
    }
}

#[cfg(unix)]
async fn forward(sender: mpsc::UnboundedSender<Interrupt>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut key), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
        return std::future::pending().await;
    };
    loop {
        let interrupt = tokio::select! {
            seen = key.recv() => seen.map(|()| Interrupt::Key),
            seen = terminate.recv() => seen.map(|()| Interrupt::Terminate),
        };
        match interrupt {
            Some(interrupt) if sender.send(interrupt).is_ok() => {}
            _ => return,
        }
    }
}

#[cfg(not(unix))]
async fn forward(sender: mpsc::UnboundedSender<Interrupt>) {
    while tokio::signal::ctrl_c().await.is_ok() {
        if sender.send(Interrupt::Key).is_err() {
            return;
        }
    }
}
