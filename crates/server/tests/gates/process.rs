//! The real program as a child process: started on one port again and again, and killed.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::client::Client;
use super::clock::{now, pause};
use super::dice::Dice;
use crate::cli::program::signal;

/// What a sabotaged build is to break; no other build looks at it.
const SABOTAGE: &str = "MAINSPRING_SABOTAGE";

fn sabotage() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "how `cargo x chaos sabotage` tells its builds")]
    std::env::var(SABOTAGE).ok()
}

pub struct Server {
    pub address: SocketAddr,
    data: PathBuf,
    log: PathBuf,
    /// What its next process is told beside where to listen.
    environment: Vec<(String, String)>,
    child: Option<Child>,
}

impl Server {
    /// Not started yet. Its folder and its log lie in `folder`.
    pub fn new(folder: &Path, dice: &mut Dice) -> Server {
        let data = folder.join("data");
        let mut environment = vec![("MAINSPRING_DATA".to_owned(), data.display().to_string())];
        environment.extend(sabotage().map(|switch| (SABOTAGE.to_owned(), switch)));
        Server { address: free_port(dice), data, log: folder.join("server.log"), environment, child: None }
    }

    /// For the processes from the next one on; what was said of a name before is forgotten.
    pub fn tell(&mut self, name: &str, value: &str) {
        self.environment.retain(|(told, _)| told != name);
        self.environment.push((name.to_owned(), value.to_owned()));
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
            .env_clear()
            .env("MAINSPRING_LOG", "info")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
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

    /// Another command of the program over this database, to its end.
    pub fn run(&self, args: &[&str], database: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mainspring"));
        command.args(args).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        let done = command.env("DATABASE_URL", database).output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub fn signal(&self, name: &str) {
        signal(self.child.as_ref().expect("it runs"), name);
    }

    /// SIGTERM, and waits until it has ended in order; its exit code.
    pub async fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.ended().await
    }

    /// Waits until it has ended by itself; its exit code, `None` when it did not.
    pub async fn ended(&mut self) -> Option<i32> {
        let mut child = self.child.take()?;
        let began = now();
        while began.elapsed() < Duration::from_secs(30) {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            pause(Duration::from_millis(2)).await;
        }
        drop(child.kill());
        drop(child.wait());
        None
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
        // Gates that begin in the same millisecond have the same dice, and each is a process of its own.
        let shift = u64::from(std::process::id()) * 7;
        let port = u16::try_from(15_000 + (dice.between(0, 16_000) + shift) % 16_000).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
