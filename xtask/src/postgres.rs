//! A private PostgreSQL for the tests: made from the installed package, on a random port of loopback, gone afterwards.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::project::Project;

/// How tests learn where the server is: its superuser's address.
const URL: &str = "MAINSPRING_TEST_POSTGRES_URL";
/// How a test that stops and starts a server of its own finds the programs: what runs them as somebody who may, then their folder.
const PROGRAMS: &str = "MAINSPRING_TEST_POSTGRES_PROGRAMS";
const OLDEST: u32 = 15;
const SUPERUSER: &str = "mainspring_tests";

/// fsync stays on: what the tests measure and kill is what a real server does. No socket file: only loopback, with a password.
const SETTINGS: &str = "listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 300\nshared_buffers = 256MB\n\
                        max_wal_size = 2GB\nfsync = on\nsynchronous_commit = on\nlog_min_messages = warning\n";

/// Stops the server and removes its folder once our end of the pipe is closed, however this process ended: by a return, by
/// Ctrl-C, or by a kill. $1 the folder; what follows it runs a command as the server's user.
const WARDEN: &str = "trap '' INT TERM HUP; cat > /dev/null; folder=$1; shift; \
                      if [ -f \"$folder/data/postmaster.pid\" ]; then \"$@\" -D \"$folder/data\" -m immediate -s stop; fi; rm -rf \"$folder\"";

/// Runs until it is dropped.
pub(crate) struct Server {
    url: String,
    bin: PathBuf,
    before: Vec<String>,
    warden: Child,
}

impl Server {
    pub(crate) fn start() -> Result<Server> {
        let programs = Programs::find()?;
        let folder = std::env::temp_dir().join(format!("mainspring-postgres-{}", std::process::id()));
        let data = folder.join("data");
        fs::create_dir_all(&folder)?;
        let mut warden = Command::new("sh");
        warden.args(["-c", WARDEN, "warden"]).arg(&folder).args(&programs.before).arg(programs.bin.join("pg_ctl"));
        // From here on everything is cleaned up, whatever fails.
        let warden = warden.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("cannot start sh")?;
        let mut server = Server { url: String::new(), bin: programs.bin.clone(), before: programs.before.clone(), warden };
        let password = password()?;
        fs::write(folder.join("password"), &password)?;
        programs.give(&folder)?;
        // md5, because each of thousands of logins by scram costs 15 ms of a debug build.
        let initdb = ["--auth=md5", "--encoding=UTF8", "--locale=C.UTF-8", "--username", SUPERUSER, "--pwfile"];
        programs.run("initdb", |command| command.args(initdb).arg(folder.join("password")).arg("-D").arg(&data))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        fs::write(data.join("postgresql.auto.conf"), format!("{SETTINGS}port = {port}\n"))?;
        let log = folder.join("log");
        programs
            .run("pg_ctl", |command| command.args(["-s", "-w", "-t", "60"]).arg("-D").arg(&data).arg("-l").arg(&log).arg("start"))
            .with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        server.url = format!("postgres://{SUPERUSER}:{password}@127.0.0.1:{port}/postgres");
        Ok(server)
    }

    /// The variables that a command which runs tests is given.
    pub(crate) fn variables(&self) -> [(&'static str, String); 2] {
        [(URL, self.url.clone()), (PROGRAMS, format!("{} {}", self.before.join(" "), self.bin.display()))]
    }

    /// An empty database with a role that owns it and one for nodes: the variables by which a node finds them.
    pub(crate) fn database(&self, name: &str) -> Result<[(&'static str, String); 2]> {
        for sql in [
            format!("create role {name}_owner login createrole password 'owner'"),
            format!("create role {name}_node login password 'node'"),
            format!("create database {name} owner {name}_owner"),
        ] {
            let status = Command::new(self.bin.join("psql")).args(["-X", "-q", "-v", "ON_ERROR_STOP=1", &self.url, "-c", &sql]).status();
            if !status.context("cannot start psql")?.success() {
                bail!("the database {name} could not be made");
            }
        }
        let (_, place) = self.url.rsplit_once('@').context("the server's address names a user")?;
        let (place, _) = place.rsplit_once('/').context("the server's address names a database")?;
        let url = |role: &str| format!("postgres://{name}_{role}:{role}@{place}/{name}");
        Ok([("DATABASE_URL", url("node")), ("MIGRATE_DATABASE_URL", url("owner"))])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.warden.stdin.take());
        let _ = self.warden.wait();
    }
}

/// `cargo x with-postgres <command…>`: runs it with a server of its own beside it.
pub(crate) fn with(project: &Project, args: &[String]) -> Result<ExitCode> {
    let Some((program, rest)) = args.split_first() else { bail!("`with-postgres` wants a command, such as `cargo nextest run`") };
    crate::redis::provide();
    let server = Server::start()?;
    let status =
        project.command(program).args(rest).envs(server.variables()).status().with_context(|| format!("cannot start {program}"))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The server's programs, and how they are run as somebody who may: initdb refuses root.
struct Programs {
    bin: PathBuf,
    before: Vec<String>,
    user: Option<String>,
}

impl Programs {
    fn find() -> Result<Programs> {
        let root = text(Command::new("id").arg("-u"))?.trim() == "0";
        let bin = match installed() {
            Some(bin) => bin,
            None if root => install()?,
            None => bail!("the tests need PostgreSQL {OLDEST} or newer: install the package `postgresql`"),
        };
        if !root {
            return Ok(Programs { bin, before: vec!["env".to_owned()], user: None });
        }
        let is_user = |name: &&str| Command::new("id").arg(name).output().is_ok_and(|output| output.status.success());
        let user = ["postgres", "nobody"].into_iter().find(is_user).context("there is neither a user postgres nor a user nobody")?;
        let group = text(Command::new("id").args(["-g", user]))?.trim().to_owned();
        let before = ["setpriv", "--reuid", user, "--regid", &group, "--clear-groups"].map(str::to_owned).to_vec();
        Ok(Programs { bin, before, user: Some(user.to_owned()) })
    }

    fn run(&self, program: &str, arguments: impl FnOnce(&mut Command) -> &mut Command) -> Result<()> {
        let mut command = Command::new(&self.before[0]);
        command.args(&self.before[1..]).arg(self.bin.join(program));
        // A folder that everybody may stand in, and no handle of ours: what runs on must not keep a pipe open.
        arguments(&mut command).current_dir("/").stdin(Stdio::null());
        let log = tempfile_for(program)?;
        let status = command.stdout(Stdio::null()).stderr(log.1).status().with_context(|| format!("cannot start {program}"))?;
        let said = fs::read_to_string(&log.0).unwrap_or_default();
        let _ = fs::remove_file(&log.0);
        if status.success() { Ok(()) } else { bail!("{program} failed: {}", said.trim()) }
    }

    /// Makes the folder the server's own.
    fn give(&self, folder: &Path) -> Result<()> {
        if let Some(user) = &self.user {
            let status = Command::new("chown").arg("-R").arg(user).arg(folder).status().context("cannot start chown")?;
            if !status.success() {
                bail!("{} could not be given to {user}", folder.display());
            }
        }
        Ok(())
    }
}

/// A file, not a pipe: the server inherits it and would keep a pipe open for as long as it runs.
fn tempfile_for(program: &str) -> Result<(PathBuf, fs::File)> {
    let path = std::env::temp_dir().join(format!("mainspring-{program}-{}.log", std::process::id()));
    let file = fs::File::create(&path)?;
    Ok((path, file))
}

/// The newest version that Debian's packages, and those that follow them, put aside by number; else what is on the path.
fn installed() -> Option<PathBuf> {
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok().filter(|version| *version >= OLDEST);
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    let newest = versions.filter(|path| path.join("bin/initdb").is_file()).filter_map(|path| Some((number(&path)?, path))).max();
    if let Some((_, path)) = newest {
        return Some(path.join("bin"));
    }
    let bin = PathBuf::from(text(Command::new("pg_config").arg("--bindir")).ok()?.trim());
    bin.join("initdb").is_file().then_some(bin)
}

fn install() -> Result<PathBuf> {
    println!("note: PostgreSQL is missing; installing the package postgresql");
    package("postgresql")?;
    installed().with_context(|| format!("the package postgresql brought no version from {OLDEST} on"))
}

/// Installs one of the distribution's packages.
fn package(name: &str) -> Result<()> {
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends", name]] {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()).stderr(Stdio::null());
        let status = command.status();
        if !status.with_context(|| format!("cannot start apt-get; install {name} by hand"))?.success() {
            bail!("apt-get {} failed", arguments.join(" "));
        }
    }
    Ok(())
}

/// libfaketime, which one gate misleads nodes with: installed where we may. That gate says so when it has none.
pub(crate) fn provide_faketime() {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let there = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).any(|path| path.is_file());
    let root = || text(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !there && root() {
        println!("note: libfaketime is missing; installing the package faketime");
        if let Err(error) = package("faketime") {
            println!("note: {error:#}; the gate of wrong clocks will be skipped");
        }
    }
}

fn text(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?} failed");
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn password() -> Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
