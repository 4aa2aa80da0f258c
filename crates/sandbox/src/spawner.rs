//! The thread that starts children: the kernel ends a child with the thread that started it, so that one has to last.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::child::ASKED;
use crate::sabotage;

/// What a child is started with.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub program: PathBuf,
    pub arguments: Vec<String>,
}

struct Order {
    runtime: Handle,
    start: Start,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// Orders to the thread; it ends, and every child with it, when this is dropped.
pub(crate) struct Spawner(mpsc::Sender<Order>);

impl Spawner {
    pub(crate) fn begin() -> io::Result<Spawner> {
        let (orders, taken) = mpsc::channel::<Order>();
        std::thread::Builder::new().name("code-spawner".to_owned()).spawn(move || {
            for order in taken {
                let _inside = order.runtime.enter();
                drop(order.answer.send(spawn(&order.start)));
            }
        })?;
        Ok(Spawner(orders))
    }

    pub(crate) async fn start(&self, start: Start) -> io::Result<Child> {
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts children is gone");
        self.0.send(Order { runtime: Handle::current(), start, answer }).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn spawn(start: &Start) -> io::Result<Child> {
    let mut command = Command::new(&start.program);
    command.arg0("mainspring").arg(ASKED).args(&start.arguments);
    // Nothing of the environment: it holds keys. One zone for everybody: the machine's is nobody's business.
    // And large blocks apart from the heap: they grow without a copy beside them, and go back to the kernel when they are free.
    command
        .env_clear()
        .env("TZ", "UTC0")
        .env("MALLOC_MMAP_THRESHOLD_", "131072")
        .env("MALLOC_TRIM_THRESHOLD_", "131072")
        .envs(sabotage::inherited());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).current_dir("/").kill_on_drop(true);
    command.spawn()
}
