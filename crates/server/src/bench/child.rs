//! A server in its own process: this very program, started as users start it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use mainspring_model::clock::Clock;
use serde_json::Value;

use super::load::{self, Connection};
use crate::settings::Settings;
use crate::wire::SystemClock;

/// A running `mainspring serve --dev`; killed when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process to the first answer of readiness, in microseconds.
    pub ready_us: u64,
}

impl Server {
    /// Starts the server on a free port and waits until it is ready.
    ///
    /// # Errors
    /// It did not start, or was not ready within ten seconds.
    pub async fn start(data: &Path) -> anyhow::Result<Server> {
        Server::start_with(&Settings { data: data.to_owned(), ..Settings::default() }).await
    }

    /// The same over the database that the settings name; its address comes to the child by the environment, as it came here.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_with(settings: &Settings) -> anyhow::Result<Server> {
        Server::start_as(settings, &["--dev"]).await
    }

    /// One that asks who calls.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_asking(settings: &Settings) -> anyhow::Result<Server> {
        Server::start_as(settings, &[]).await
    }

    async fn start_as(settings: &Settings, mode: &[&str]) -> anyhow::Result<Server> {
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let clock = SystemClock::new();
        let began = clock.monotonic_us();
        let mut command = Command::new(std::env::current_exe()?);
        if settings.postgres.is_none() {
            command.env_remove("DATABASE_URL").env_remove("MAINSPRING_DATABASE_URL");
        }
        let child = command
            .args(["serve", "--listen", &address.to_string()])
            .args(mode)
            // Not as a flag: a folder on the line would be meant instead of a database.
            .env("MAINSPRING_DATA", &settings.data)
            .env("MAINSPRING_LOG", "error")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("the server could not be started")?;
        let mut server = Server { child, address, ready_us: 0 };
        while clock.monotonic_us() - began < 10_000_000 {
            if let Ok(mut connection) = Connection::to(address).await
                && let Ok((200, _)) = connection.exchange(&load::get("/health/readiness")).await
            {
                server.ready_us = clock.monotonic_us() - began;
                return Ok(server);
            }
            clock.sleep_until(clock.now() + 1).await;
        }
        anyhow::bail!("the server was not ready within ten seconds")
    }

    /// Sends one request.
    ///
    /// # Errors
    /// No answer, or one that is not JSON or not `expect`.
    pub async fn call(&self, request: &[u8], expect: u16) -> anyhow::Result<Value> {
        let (status, body) = Connection::to(self.address).await?.exchange(request).await?;
        anyhow::ensure!(status == expect, "{status}: {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }

    /// Saves a plan and gives its id.
    ///
    /// # Errors
    /// The plan was refused.
    pub async fn save(&self, plan: &Value) -> anyhow::Result<String> {
        let answer = self.call(&load::post("/api/plans", &plan.to_string()), 201).await?;
        Ok(answer["plan"]["id"].as_str().context("the answer has no plan id")?.to_owned())
    }

    /// CPU time that the server has used, in microseconds.
    pub fn cpu_us(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |place: usize| fields.get(place).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        // The kernel counts in hundredths of a second.
        (ticks(11) + ticks(12)) * 10_000.0
    }

    /// Memory held, in bytes.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        line.split_whitespace().next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ending a bench needs no goodbye.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
