//! A machine on which the server cannot start: it says why, touches nothing, and what ran before goes on.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::running::Running;
use crate::cli::program::{Done, Place, Watchdog};

const PLAN: &str = "name: Counting\nsteps:\n  - {id: one, action: logic.set, params: {n: 1}}\n";
const SERVE: [&str; 4] = ["serve", "--dev", "--listen", "127.0.0.1:0"];
const UNWRITABLE: &str = "  next: a folder: make it writable for this user, or choose another with `--data DIR`; a database: give the address of one that takes writes\n";

/// A data folder in which a run was done.
fn used() -> (Place, String) {
    let place = Place::new();
    place.write("plan.yaml", PLAN);
    place.run(&["run", "plan.yaml"]).expect(0);
    let shown = place.run(&["run", "show", "last", "-o", "json"]).expect(0).out;
    (place, shown)
}

fn refused(done: &Done) -> (i32, &str) {
    (done.code, done.err.as_str())
}

#[tokio::test]
async fn a_port_in_use() {
    let mut first = Running::start().await;
    let address = first.address.to_string();
    let place = Place::new();
    let done = place.run(&["serve", "--dev", "--listen", &address]);
    let said = format!("error[PORT_IN_USE]: {address} is in use by another program; stop it, or choose another address with --listen\n");
    assert_eq!(refused(&done), (6, said.as_str()));
    assert!(!place.data().exists(), "nothing was made");
    // On the same folder it is the folder that is taken.
    let done = first.place.run(&SERVE);
    let said = format!(
        "error[STORE_LOCKED]: another Mainspring (process {}) runs on the data folder {}\n  next: use its address with `--server URL`, or stop it first\n",
        first.process.id(),
        first.place.data().display()
    );
    assert_eq!(refused(&done), (6, said.as_str()));
    first.whole().await;
    assert_eq!(first.stop().0, 0);
}

#[test]
fn a_data_folder_that_cannot_be_written() {
    let (place, before) = used();
    let read_only = |args: &[&str]| -> Done {
        // In a view of the file system of its own, so that it holds for root too and ends with the process.
        let mut command = Command::new("unshare");
        let script = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && shift && exec \"$@\"";
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(place.data());
        command
            .arg(env!("CARGO_BIN_EXE_mainspring"))
            .args(args)
            .env_clear()
            .env("MAINSPRING_DATA", place.data())
            .env("PATH", "/usr/bin:/bin");
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _watchdog = Watchdog::over(&child);
        Done::of(child.wait_with_output().unwrap())
    };
    if may_mount() {
        for (args, file) in [(&SERVE[..], "engine.lock"), (&["run", "list"], "open.lock")] {
            let done = read_only(args);
            let place = place.data().join(file).display().to_string();
            let said = format!("error[STORE_READ_ONLY]: {place} cannot be written: Read-only file system (os error 30)\n{UNWRITABLE}");
            assert_eq!(refused(&done), (3, said.as_str()), "{args:?}");
        }
    } else {
        println!("skipped: a mount that is read-only, because this user may make no mounts; the mode of a folder stands in for it");
        let mode = |bits: u32| std::fs::set_permissions(place.data(), Permissions::from_mode(bits)).unwrap();
        mode(0o555);
        let probe = std::fs::File::create(place.data().join("probe"));
        // Root writes everywhere but into the kernel's own tree.
        let (folder, file, reason) = match probe {
            Ok(_) => {
                let folder = Path::new("/sys/mainspring").to_owned();
                (folder.clone(), folder.clone(), std::fs::create_dir(folder).unwrap_err())
            }
            // Without the lock's file, which could be opened: making it again is what fails.
            Err(error) => {
                mode(0o755);
                std::fs::remove_file(place.data().join("engine.lock")).unwrap();
                mode(0o555);
                (place.data(), place.data().join("engine.lock"), error)
            }
        };
        let done = place.run(&[&SERVE[..], &["--data", &folder.display().to_string()]].concat());
        mode(0o755);
        drop(std::fs::remove_file(place.data().join("probe")));
        let said = format!("error[STORE_READ_ONLY]: {} cannot be written: {reason}\n{UNWRITABLE}", file.display());
        assert_eq!(refused(&done), (3, said.as_str()));
    }
    assert_eq!(place.run(&["run", "show", "last", "-o", "json"]).expect(0).out, before, "what was there is there");
}

#[test]
fn a_file_where_the_data_folder_should_be() {
    let place = Place::new();
    place.write("taken", "something of somebody's");
    for below in ["taken", "taken/data"] {
        let folder = place.path(below).display().to_string();
        let done = place.run(&[&SERVE[..], &["--data", &folder]].concat());
        let said = format!("error[STORE_READ_ONLY]: {folder} cannot be written: a file stands where a folder is needed\n{UNWRITABLE}");
        assert_eq!(refused(&done), (3, said.as_str()), "{below}");
    }
    assert_eq!(std::fs::read_to_string(place.path("taken")).unwrap(), "something of somebody's");
}

#[tokio::test]
async fn a_database_of_a_newer_version() {
    let (place, before) = used();
    // As a newer version would have left it: its list of migrations has a name that this one does not know. The names are
    // equally long, so that the file stays a database.
    let file = place.data().join("mainspring.db");
    rename_in(&file, b"0003_access", b"9999_future");
    let newer = content(&file);
    let said = "error[STORE_NEWER]: the database has migration \"9999_future\", which this version does not know; start the version that wrote it, or a newer one\n  next: `mainspring --version` says which version this is\n";
    for args in [&SERVE[..], &["run", "list"], &["run", "plan.yaml"], &["plan", "list"]] {
        assert_eq!(refused(&place.run(args)), (3, said), "{args:?}");
    }
    assert!(content(&file) == newer, "nothing in it was touched");
    rename_in(&file, b"9999_future", b"0003_access");
    assert_eq!(place.run(&["run", "show", "last", "-o", "json"]).expect(0).out, before);
    let command = place.command(&SERVE);
    let mut server = Running::of(place, command).await;
    assert_eq!(
        server.get("/api/runs?limit=10").await.body["runs"].as_array().unwrap().len(),
        2,
        "the run of before, and the server's first"
    );
    server.whole().await;
    assert_eq!(server.get("/health/migrations").await.body["pending"], json!([]));
}

#[test]
fn a_database_without_one_of_its_tables() {
    let (place, before) = used();
    // As a hand would have left it that renamed one.
    let file = place.data().join("mainspring.db");
    rename_in(&file, b"idempotency", b"idempotence");
    let lacking = content(&file);
    let said = "error[TABLES_MISSING]: the database lacks idempotency, which this version needs; restore it from a whole backup\n  next: ";
    for args in [&SERVE[..], &["run", "list"]] {
        let done = place.run(args).expect(3);
        assert!(done.err.starts_with(said), "{args:?}: {}", done.err);
    }
    let done = place.run(&["doctor", "--fix", "--listen", "127.0.0.1:0"]).expect(3);
    assert!(done.out.contains("✗  tables") && done.out.contains("[TABLES_MISSING]"), "{}", done.out);
    assert!(content(&file) == lacking, "nothing in it was touched");
    rename_in(&file, b"idempotence", b"idempotency");
    assert_eq!(place.run(&["run", "show", "last", "-o", "json"]).expect(0).out, before);
}

/// The database without the two places in which SQLite counts how often it was opened for writing.
fn content(file: &Path) -> Vec<u8> {
    let mut bytes = std::fs::read(file).unwrap();
    for counter in [24..28, 92..96] {
        bytes[counter].fill(0);
    }
    bytes
}

fn rename_in(file: &Path, from: &[u8], to: &[u8]) {
    let mut bytes = std::fs::read(file).unwrap();
    let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    // Its row and its place in the index; more may stand in pages that are free.
    assert!(places.len() >= 2, "{places:?}");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    std::fs::write(file, bytes).unwrap();
}

/// Whether this user may have mounts of its own; Linux decides.
pub fn may_mount() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /tmp"]);
    command.output().is_ok_and(|output| output.status.success())
}
