//! What copies refuse, each in words that say what to do, and with nothing lost.

use std::process::Command;

use super::home::Home;
use crate::bad_input::machine::may_mount;
use crate::cli::program::Done;

#[test]
fn a_move_of_what_is_served_or_onto_what_is_not_empty() {
    let (mut from, to) = (Home::in_folder(), Home::in_folder());
    from.run(&["credential", "set", "openai", "--field", "api_key=x"]).expect(0);
    to.run(&["run", "list"]).expect(0);
    let args = ["move", "--from", &from.url(), "--to", &to.url()];
    from.serve();
    let served = from.run(&args).expect(6);
    assert!(served.err.contains("error[STORE_LOCKED]"), "{}", served.err);
    from.kill();
    std::fs::copy(from.place.data().join("key"), to.place.data().join("key")).unwrap();
    let full = from.run(&args).expect(6);
    assert!(full.err.contains("error[STORE_NOT_EMPTY]") && full.err.contains("data keys"), "{}", full.err);
    from.run(&["credential", "list"]).expect(0);
    let same = from.run(&["move", "--from", &from.url(), "--to", &from.url()]).expect(2);
    assert!(same.err.contains("the same database"), "{}", same.err);
    let nothing = from.run(&["move", "--from", "sqlite:nowhere", "--to", &to.url()]).expect(5);
    assert!(nothing.err.contains("error[NOT_FOUND]"), "{}", nothing.err);
}

#[test]
fn another_key_is_refused_before_anything_is_written() {
    let (from, mut to) = (Home::in_folder(), Home::in_folder());
    from.run(&["credential", "set", "openai", "--field", "api_key=x"]).expect(0);
    let file = from.place.path("a.backup");
    from.run(&["backup", file.to_str().unwrap()]).expect(0);
    to.key = Some("0fUf5HrZFXQC6WUCMYdJc0VVe0vujB0XZW2uvD8RQiU=".to_owned());
    let wrong = to.run(&["restore", file.to_str().unwrap()]).expect(3);
    assert!(wrong.err.contains("error[VAULT_KEY_UNKNOWN]"), "{}", wrong.err);
    assert!(!to.place.data().exists(), "nothing is made");
    std::fs::write(&file, b"mainspring backup\nno").unwrap();
    let damaged = to.run(&["restore", file.to_str().unwrap()]).expect(3);
    assert!(damaged.err.contains("error[BACKUP_DAMAGED]"), "{}", damaged.err);
}

#[test]
fn a_full_disk_leaves_no_file_and_the_earlier_backup() {
    if !may_mount() {
        return println!("skipped: this user may make no mounts");
    }
    let home = Home::in_folder();
    home.run(&["credential", "set", "openai", "--field", "api_key=x"]).expect(0);
    let small = home.place.path("small");
    std::fs::create_dir(&small).unwrap();
    // 16 KiB, of which most is taken; the listing tells what is there afterwards.
    let script = "mount -t tmpfs -o size=16k tmpfs \"$1\" && echo earlier > \"$1/a.backup\" && head -c 12000 /dev/zero > \"$1/taken\" && \
                  { \"$2\" backup \"$1/a.backup\"; code=$?; ls \"$1\"; cat \"$1/a.backup\"; exit $code; }";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]).arg(&small).arg(env!("CARGO_BIN_EXE_mainspring"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("MAINSPRING_DATA", home.place.data());
    let done = Done::of(command.output().unwrap()).expect(1);
    assert!(done.err.contains("error[DISK_FULL]"), "{}", done.err);
    assert_eq!(done.out, "a.backup\ntaken\nearlier\n");
    home.run(&["credential", "list"]).expect(0);
}
