//! A PostgreSQL of one test's own, which it may stop and start: by the programs that `cargo x` found or installed.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// What runs a command as somebody who may be a server, then the folder of the programs; spaces between.
const PROGRAMS: &str = "MAINSPRING_TEST_POSTGRES_PROGRAMS";

/// Syncs as a real server does. Many sessions: nodes that lost theirs come back while the old ones still end.
const SETTINGS: &str = "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 200\nshared_buffers = 128MB\n\
                        fsync = on\nsynchronous_commit = on\nlog_min_messages = warning\n";

/// Stops the server and removes its folder when our end of the pipe is closed, however this process ended.
const WARDEN: &str = "trap '' INT TERM HUP; cat > /dev/null; folder=$1; shift; \
                      if [ -f \"$folder/data/postmaster.pid\" ]; then \"$@\" -D \"$folder/data\" -m immediate -s stop; fi; rm -rf \"$folder\"";

/// Runs until it is dropped.
pub struct Postmaster {
    folder: PathBuf,
    before: Vec<String>,
    bin: PathBuf,
    port: u16,
    warden: Child,
}

impl Postmaster {
    pub fn start() -> Postmaster {
        #[expect(clippy::disallowed_methods, reason = "how `cargo x` tells a test where the programs are")]
        let programs = std::env::var(PROGRAMS).unwrap_or_else(|_| panic!("{PROGRAMS} is not set: run the tests by `cargo x test`"));
        let mut before: Vec<String> = programs.split(' ').map(str::to_owned).collect();
        let bin = PathBuf::from(before.pop().unwrap());
        let folder = std::env::temp_dir().join(format!("mainspring-postmaster-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut warden = Command::new("sh");
        warden.args(["-c", WARDEN, "warden"]).arg(&folder).args(&before).arg(bin.join("pg_ctl"));
        let warden = warden.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Postmaster { folder, before, bin, port, warden };
        if let Some(user) = server.before.iter().position(|word| word == "--reuid").map(|place| &server.before[place + 1]) {
            assert!(Command::new("chown").arg(user).arg(&server.folder).status().unwrap().success());
        }
        // Loopback and a database of an hour: whoever is on this machine may come in.
        server.run("initdb", &["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--username=gate", "-D", &server.data()]);
        server.run("pg_ctl", &["-s", "-w", "-D", &server.data(), "-l", &server.log(), "-o", &server.options(), "start"]);
        server
    }

    /// Of its superuser.
    pub fn url(&self) -> String {
        format!("postgres://gate:gate@127.0.0.1:{}/postgres", self.port)
    }

    /// As a crash: no session is told, nothing is written. It is back, and has recovered, when this returns.
    pub fn restart(&self) {
        self.run("pg_ctl", &["-s", "-D", &self.data(), "-m", "immediate", "stop"]);
        self.run("pg_ctl", &["-s", "-w", "-D", &self.data(), "-l", &self.log(), "-o", &self.options(), "start"]);
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    fn log(&self) -> String {
        self.folder.join("log").display().to_string()
    }

    fn options(&self) -> String {
        let settings = SETTINGS.lines().map(|line| line.replace(" = ", "="));
        settings.map(|setting| format!("-c {setting}")).chain([format!("-p {}", self.port)]).collect::<Vec<_>>().join(" ")
    }

    fn run(&self, program: &str, args: &[&str]) {
        let mut command = Command::new(&self.before[0]);
        command.args(&self.before[1..]).arg(self.bin.join(program)).args(args).current_dir("/");
        // No pipe of ours: the server inherits what it is given and would keep it open.
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{program}: {}", fs::read_to_string(self.log()).unwrap_or_default());
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        drop(self.warden.stdin.take());
        drop(self.warden.wait());
    }
}
