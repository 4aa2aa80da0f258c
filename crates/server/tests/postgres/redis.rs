//! A Redis of a test's own: started on one port again and again, killed and wiped.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::node::now;
use crate::cli::program::signal;

pub struct Redis {
    port: u16,
    child: Option<Child>,
}

impl Redis {
    /// `None`, aloud, where no `redis-server` is installed; `cargo x` installs it where it may.
    pub fn start() -> Option<Redis> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut redis = Redis { port, child: None };
        if !redis.is_installed() {
            println!("skipped: redis-server is not installed; install the package `redis-server`");
            return None;
        }
        redis.again();
        Some(redis)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// On the same port, empty.
    pub fn again(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        self.child = Some(command.current_dir(std::env::temp_dir()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let began = now();
        while self.say(&["ping"]) != "PONG" {
            assert!(began.elapsed() < Duration::from_secs(20), "redis-server does not answer");
        }
    }

    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// A signal to the process, by name.
    pub fn send(&self, name: &str) {
        signal(self.child.as_ref().unwrap(), name);
    }

    /// One command by redis-cli.
    pub fn say(&self, args: &[&str]) -> String {
        let said = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(args).output().unwrap();
        String::from_utf8_lossy(&said.stdout).trim().to_owned()
    }

    fn is_installed(&self) -> bool {
        Command::new("redis-server").arg("--version").output().is_ok() && Command::new("redis-cli").arg("--version").output().is_ok()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}
