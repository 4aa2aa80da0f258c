//! The program `redis-server`, which some tests start by themselves: installed where that may be done, and missed aloud.

use std::process::{Command, Stdio};

/// Tests that want it say `skipped:` where it is not there; nothing else needs it.
pub(crate) fn provide() {
    if is_installed() {
        return;
    }
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if root {
        println!("note: Redis is missing; installing the package redis-server");
        for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends", "redis-server"]] {
            let mut command = Command::new("apt-get");
            command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
            if !command.status().is_ok_and(|status| status.success()) {
                break;
            }
        }
    }
    if !is_installed() {
        println!("note: there is no redis-server, so the tests with Redis are skipped; install the package `redis-server`");
    }
}

fn is_installed() -> bool {
    let runs = |program: &str| Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    runs("redis-server") && runs("redis-cli")
}
