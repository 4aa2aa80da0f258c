//! `cargo x conform`: schemathesis calls every operation of the OpenAPI document with what the document allows and with what it
//! does not, and compares each answer with what is documented.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::project::Project;

/// The release of schemathesis that is used, so that a new one changes nothing unseen.
const VERSION: &str = "4.32.5";

/// Left out: a document says what is well-formed, and a plan or a cron expression is refused (422, as documented) for what it
/// means. A step that cannot be done is 200 with `success: false`, and unknown query fields are passed over, as agreed.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
    response_schema_conformance,unsupported_method,allow_header_conformance,use_after_free,ignored_auth";

/// Streams that never end; they have tests of their own.
const ENDLESS: &[&str] = &["stream_live"];

/// Cases of the short form, which `cargo x test` runs, and what the long one is asked for.
const QUICK: u32 = 1_000;
const FULL: u32 = 6_000;

/// Examples of one operation by which rounds are made; what the coverage phase adds comes on top.
const EXAMPLES: (u32, u32) = (4, 60);

pub(crate) fn conform(project: &Project, args: &[String]) -> Result<ExitCode> {
    let mut seed = None;
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match (arg.as_str(), rest.next().and_then(|value| value.parse::<u64>().ok())) {
            ("--seed", Some(value)) => seed = Some(value),
            _ => bail!("usage: cargo x conform [--seed S]"),
        }
    }
    let Some(tool) = provide(project) else { bail!("schemathesis cannot be installed: python3 with venv and pip are needed") };
    Ok(if run(project, &tool, EXAMPLES.1, FULL, seed)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The short form. Where there is no Python it says so and holds.
pub(crate) fn quick(project: &Project) -> Result<bool> {
    match provide(project) {
        Some(tool) => run(project, &tool, EXAMPLES.0, QUICK, None),
        None => {
            println!("note: no python3 with venv and pip, so schemathesis does not run; the interface is checked by our own tests only");
            Ok(true)
        }
    }
}

/// The program, in a virtual environment of its own.
fn provide(project: &Project) -> Option<PathBuf> {
    let folder = project.target.join(format!("schemathesis-{VERSION}"));
    let tool = folder.join("bin").join("st");
    if tool.is_file() {
        return Some(tool);
    }
    let quiet = |command: &mut Command| command.stdin(Stdio::null()).status().is_ok_and(|status| status.success());
    println!("note: installing schemathesis {VERSION} into {}", folder.display());
    let made = quiet(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    let package = format!("schemathesis=={VERSION}");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", &package];
    (made && quiet(Command::new(folder.join("bin").join("python")).args(pip)) && tool.is_file()).then_some(tool)
}

fn run(project: &Project, tool: &Path, examples: u32, least: u32, seed: Option<u64>) -> Result<bool> {
    if !project.cargo(["build", "--quiet", "--locked", "-p", "mainspring-server", "--bin", "mainspring"])? {
        bail!("the server does not build");
    }
    let served = Served::start(&project.target.join("debug").join("mainspring"), &project.scratch("conform"))?;
    let mut command = Command::new(tool);
    command
        .args(["run", &format!("http://{}/api/openapi.json", served.address), "--no-color", "--continue-on-failure"])
        .args(["--header", &format!("Authorization: Bearer {}", served.key)])
        .args(["--checks", CHECKS, "--max-examples", &examples.to_string(), "--request-timeout", "30", "--warnings", "off"])
        .args(["--suppress-health-check", "all"])
        .current_dir(&served.folder)
        .env("PYTHONUNBUFFERED", "1")
        .stdin(Stdio::null());
    for operation in ENDLESS {
        command.args(["--exclude-operation-id", operation]);
    }
    if let Some(seed) = seed {
        command.args(["--seed", &seed.to_string()]);
    }
    let output = command.output().context("schemathesis does not start")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (operations, cases) = (number_before(&said, "Tested:"), number_before(&said, "Test cases:"));
    let held = output.status.success() && cases.is_some_and(|cases| cases >= least);
    if !held {
        println!("{said}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    println!(
        "conform: {} operations, {} cases (at least {least}), {}",
        operations.unwrap_or(0),
        cases.unwrap_or(0),
        if output.status.success() { "every answer is documented, no server error" } else { "FAILED" }
    );
    Ok(held)
}

/// The first number after a heading of the summary.
fn number_before(said: &str, heading: &str) -> Option<u32> {
    let (_, rest) = said.rsplit_once(heading)?;
    rest.split_whitespace().find_map(|word| word.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok())
}

/// The program on a folder of its own, for strangers and for one key; ended when dropped.
struct Served {
    child: Child,
    address: String,
    key: String,
    folder: PathBuf,
}

impl Served {
    fn start(binary: &Path, folder: &Path) -> Result<Served> {
        if folder.exists() {
            std::fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        std::fs::create_dir_all(folder)?;
        let data = folder.join("data");
        let made = Command::new(binary).args(["api-key", "create", "-q", "--name", "conform", "--data"]).arg(&data).output()?;
        if !made.status.success() {
            bail!("no key could be made: {}", String::from_utf8_lossy(&made.stderr));
        }
        let key = String::from_utf8(made.stdout)?.trim().to_owned();
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let log = std::fs::File::create(folder.join("server.log"))?;
        let child = Command::new(binary)
            .args(["serve", "--listen", &address, "--data"])
            .arg(&data)
            .env("MAINSPRING_METRICS_TOKEN", "of-nobody-who-calls-here-0123456789")
            // Closed, it would answer 503, which is as it should be and counts as an error of the server.
            .env("MAINSPRING_ENABLE_REGISTRATION", "true")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut served = Served { child, address, key, folder: folder.to_owned() };
        served.wait_until_ready()?;
        Ok(served)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended ({status}); see {}", self.folder.join("server.log").display());
            }
            if std::net::TcpStream::connect(&self.address).is_ok() {
                return Ok(());
            }
            // A child process tells nobody when it listens.
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut log = String::new();
        std::fs::File::open(self.folder.join("server.log"))?.read_to_string(&mut log)?;
        bail!("the server does not listen after 30 s:\n{log}")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read() {
        let said = "Test cases: none yet\nAPI Operations:\n  Selected: 54/57\n  Tested: 54\n\nTest cases:\n  2698 generated, 26 found 26 unique failures\n";
        assert_eq!((number_before(said, "Tested:"), number_before(said, "Test cases:")), (Some(54), Some(2698)));
        assert_eq!(number_before(said, "Nothing:"), None);
    }
}
