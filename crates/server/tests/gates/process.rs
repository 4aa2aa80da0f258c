//! The real program as a child process: started on one port and one data folder again and again, and killed.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::client::Client;
use super::clock::{now, pause};
use super::dice::Dice;

pub struct Server {
    pub address: SocketAddr,
    data: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Not started yet. Its folder and its log lie in `folder`.
    pub fn new(folder: &Path, dice: &mut Dice) -> Server {
        Server { address: free_port(dice), data: folder.join("data"), log: folder.join("server.log"), child: None }
    }

    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Everything that all its processes said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Memory that is not swapped out, in KiB, as the machine counts it.
    pub fn resident(&self) -> u64 {
        let id = self.child.as_ref().expect("it runs").id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse().unwrap()
    }

    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "the process before was killed");
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_mainspring"))
            .args(["serve", "--dev", "--listen", &self.address.to_string()])
            .arg("--data")
            .arg(&self.data)
            .env_clear()
            .env("MAINSPRING_LOG", "info")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Waits until it says that it is ready; how long that took.
    pub async fn ready(&mut self) -> Duration {
        let began = now();
        let mut client = Client::new(self.address);
        while !matches!(client.get("/health/readiness").await, Ok((200, _))) {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().unwrap()) {
                let log = self.log();
                let tail = log.lines().rev().take(10).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
                panic!("the server ended by itself ({status}) before it was ready:\n{tail}");
            }
            assert!(began.elapsed() < Duration::from_secs(60), "the server is not ready after a minute:\n{}", self.log());
            pause(Duration::from_millis(1)).await;
        }
        began.elapsed()
    }

    pub async fn start(&mut self) -> Duration {
        self.spawn();
        self.ready().await
    }

    /// SIGKILL, and waits until the process is gone with all its connections. `false`: it had ended by itself.
    pub fn kill(&mut self) -> bool {
        let Some(mut child) = self.child.take() else { return false };
        let alive = matches!(child.try_wait(), Ok(None));
        // `kill` is SIGKILL here; a process that ended meanwhile is no failure.
        drop(child.kill());
        drop(child.wait());
        alive
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that stays ours between two lives: below the range from which the machine takes ports for outgoing connections.
fn free_port(dice: &mut Dice) -> SocketAddr {
    loop {
        let port = u16::try_from(dice.between(15_000, 31_000)).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
