//! The child as a program of its own: what the tests of this crate start. An installation starts itself.
//!
//! As `parent` it is a parent itself, whose child never ends. With `probe <name>` it gives up everything as any child, and then tries what a taken-over interpreter would try.

use std::ffi::OsString;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};
use std::time::Duration;

use mainspring_model::action::Context;
use mainspring_model::clock::FakeClock;
use mainspring_model::id::Owner;
use mainspring_sandbox::{Isolation, Sandbox, Settings, child, provider};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::sys::{ptrace, socket};
use nix::unistd::{Uid, getppid, setuid};

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if child::is_asked(&arguments) {
        return child::run(&arguments);
    }
    match (arguments.get(1).and_then(|one| one.to_str()), arguments.get(2).and_then(|one| one.to_str())) {
        (Some("probe"), Some(name)) => probe(name),
        (Some("parent"), _) => parent(),
        _ => {
            eprintln!("code-child is started by the tests of mainspring-sandbox");
            ExitCode::from(2)
        }
    }
}

/// Runs code without an end, until it is killed.
fn parent() -> ExitCode {
    let settings = Settings { program: std::env::current_exe().unwrap_or_default(), isolation: Isolation::Filter, ..Settings::standard() };
    let provider = provider(Sandbox::new(settings));
    let (Some(action), Ok(runtime)) = (provider.action("javascript"), tokio::runtime::Builder::new_current_thread().enable_all().build())
    else {
        return ExitCode::from(2);
    };
    let clock = std::sync::Arc::new(FakeClock::at(0));
    let cx = Context::apart(Owner::LOCAL, "step", clock, Duration::from_secs(600));
    let end = runtime.block_on(action.call(serde_json::json!({"code": "for (;;);"}), &cx));
    eprintln!("{end:?}");
    ExitCode::from(4)
}

/// Ends well when the kernel only said no: a filter ends the process instead.
fn probe(name: &str) -> ExitCode {
    let parent = getppid();
    if let Err(reason) = child::confined(Isolation::Filter, 64 << 20) {
        eprintln!("{reason}");
        return ExitCode::from(3);
    }
    match name {
        "nothing" => {}
        "open a file" => drop(std::fs::read("/etc/hostname")),
        // Nothing here may do harm when it is let through: a sabotaged build lets it.
        "write a file" => drop(std::fs::write("/nowhere/probe", "x")),
        "list a folder" => drop(std::fs::read_dir("/")),
        "read the environment of the parent" => drop(std::fs::read(format!("/proc/{parent}/environ"))),
        "connect" => drop(TcpStream::connect("127.0.0.1:1")),
        "listen" => drop(TcpListener::bind("127.0.0.1:0")),
        "open a local socket" => drop(UnixStream::connect("/run/probe")),
        "send a datagram" => drop(UdpSocket::bind("127.0.0.1:0")),
        "start a program" => drop(Command::new("/bin/true").spawn()),
        "start a thread" => drop(std::thread::Builder::new().spawn(|| ())),
        "raise its limits" => _ = setrlimit(Resource::RLIMIT_NOFILE, 64, 64),
        "become another user" => _ = setuid(Uid::from_raw(0)),
        "mount a folder" => _ = mount(None::<&str>, "/nowhere", Some("tmpfs"), MsFlags::empty(), None::<&str>),
        "signal the parent" => _ = kill(parent, Signal::SIGURG),
        "leave the namespaces" => _ = unshare(CloneFlags::CLONE_NEWUSER),
        "trace itself" => _ = ptrace::traceme(),
        "open a queue" => {
            drop(socket::socketpair(socket::AddressFamily::Unix, socket::SockType::Stream, None, socket::SockFlag::empty()));
        }
        "run memory" => drop(nix::sys::memfd::memfd_create("probe", nix::sys::memfd::MFdFlags::empty())),
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}
