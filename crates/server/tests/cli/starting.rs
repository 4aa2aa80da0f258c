//! The checks of the start: each fails here once for a real reason, and the server refuses or says so.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use super::program::{Done, Place, Watchdog, signal};

const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];
/// Drawn at random once, and in no document.
const TOKEN: &str = "c39e07a15fb82d64c39e17a05fb82d6f";

fn with(place: &Place, args: &[&str], variables: &[(&str, &str)]) -> Done {
    let child = place.command(args).envs(variables.iter().copied()).spawn().unwrap();
    let _watchdog = Watchdog::over(&child);
    Done::of(child.wait_with_output().unwrap())
}

/// What a server says until it listens; then it is told to end.
fn started(place: &Place, args: &[&str], variables: &[(&str, &str)]) -> String {
    let mut child = place.command(&[&SERVE[..], args].concat()).envs(variables.iter().copied()).stdout(Stdio::null()).spawn().unwrap();
    let _watchdog = Watchdog::over(&child);
    let mut said = String::new();
    let mut reader = BufReader::new(child.stderr.take().unwrap());
    while !said.contains("on http://") {
        assert_ne!(reader.read_line(&mut said).unwrap(), 0, "the server ended: {said}");
    }
    signal(&child, "TERM");
    let rest = std::io::read_to_string(reader).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}{rest}");
    said
}

/// Flags, variables, and what is said of them.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn production_refuses_what_is_only_warned_of_elsewhere() {
    let place = Place::new();
    let known = format!("postgres://node:changeme@127.0.0.1:1/x?application_name={TOKEN}");
    let cases: [Case<'_>; 6] = [
        (&["--dev"], &[], "dev mode: --dev trusts every caller on this machine"),
        (&["--cors-origin", "*"], &[], "cors: http.cors_origins (--cors-origin) has \"*\""),
        (
            &[],
            &[("CORS_ORIGINS", "https://a.example,b.example")],
            "cors: http.cors_origins (CORS_ORIGINS) has \"b.example\", which is no origin",
        ),
        (&[], &[("MAINSPRING_METRICS_TOKEN", "0123456789abcdef0")], "secrets: metrics.token (MAINSPRING_METRICS_TOKEN): it is shorter"),
        (&[], &[("MAINSPRING_METRICS_TOKEN", "aaaaaaaabbbbbbbbaaaaaaaabbbbbbbb")], "little variety"),
        (&[], &[("DATABASE_URL", &known)], "secrets: database.url (DATABASE_URL): its password is known"),
    ];
    for (args, variables, words) in cases {
        let production = [variables, &[("ENVIRONMENT", "production")]].concat();
        let done = with(&place, &[&SERVE[..], args].concat(), &production).expect(3);
        assert!(done.err.starts_with("error[UNSAFE_SETTING]: ") && done.err.contains(words), "{words}\n{}", done.err);
        assert!(!place.data().exists(), "nothing was made");
        let done = with(&place, &["doctor", "--listen", "127.0.0.1:0"], &production);
        assert!(variables.is_empty() != done.out.contains("[UNSAFE_SETTING]"), "{}", done.out);
        if !variables.iter().any(|(name, _)| *name == "DATABASE_URL") && !args.contains(&"--dev") {
            let said = started(&Place::new(), args, variables);
            assert!(said.contains("WARN") && said.contains("the server starts all the same"), "{said}");
        }
    }
    let said = started(&place, &[], &[("ENVIRONMENT", "production"), ("MAINSPRING_METRICS_TOKEN", TOKEN)]);
    // No mail server is set.
    let warned = said.lines().filter(|line| line.contains("WARN") && !line.contains("\"check\":\"smtp\"")).count();
    assert!(said.contains("\"check\":\"key ring\"") && warned == 0, "each check is a line of the log: {said}");
}

#[test]
fn a_settings_file_with_secrets_is_nobody_elses() {
    let place = Place::new();
    place.write("mainspring.toml", &format!("environment = \"production\"\nmetrics.token = \"{TOKEN}\"\n"));
    std::fs::set_permissions(place.path("mainspring.toml"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let done = place.run(&SERVE).expect(3);
    let words = "secrets: mainspring.toml has secrets and can be read by others (mode 0644); `mainspring doctor --fix`";
    assert!(done.err.contains(words), "{}", done.err);
    let fixed = place.run(&["doctor", "--fix", "--listen", "127.0.0.1:0"]).expect(0).out;
    assert!(
        fixed.contains("fixed: made the data folder") && fixed.contains("fixed: mainspring.toml was mode 0644 and is 0600 now"),
        "{fixed}"
    );
    assert_eq!(std::fs::metadata(place.data()).unwrap().permissions().mode() & 0o777, 0o700);
    started(&place, &[], &[]);
}

#[test]
fn doctor_mends_the_key_file_and_says_so_once() {
    let place = Place::new();
    place.run(&["plan", "list"]).expect(0);
    let key = place.data().join("key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let done = place.run(&SERVE).expect(3);
    assert!(done.err.starts_with("error[VAULT_KEY_FILE_PERMISSIONS]: ") || done.err.contains("can be read by others"), "{}", done.err);
    let done = place.run(&["doctor", "--listen", "127.0.0.1:0"]).expect(3);
    assert!(done.out.contains("✗  key ring"), "{}", done.out);
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o640, "without --fix nothing is changed");
    let report = place.run(&["doctor", "--fix", "--listen", "127.0.0.1:0", "-o", "json"]).expect(0).json();
    assert!(report["fixed"][0].as_str().unwrap().contains("was mode 0640 and is 0600 now"), "{report}");
    let report = place.run(&["doctor", "--fix", "--listen", "127.0.0.1:0", "-o", "json"]).expect(0).json();
    assert_eq!((report["fixed"].as_array().unwrap().len(), &report["healthy"]), (0, &serde_json::json!(true)));
}

#[test]
fn a_broken_plan_file_and_a_missing_folder_are_said_and_bearable() {
    let place = Place::new();
    place.write("plans/bad.yaml", "name: Bad\nstepz: []\n");
    for folder in ["plans", "nowhere"] {
        let said = started(&place, &["--plans", folder], &[]);
        assert!(said.contains("check=\"plan files\"") && said.contains("WARN"), "{said}");
    }
}

#[test]
fn the_table_is_for_terminals_and_shows_what_holds() {
    let place = Place::new();
    // `script` gives the program a terminal.
    let mut command = std::process::Command::new("script");
    let program = format!("{} serve --dev --environment production --listen 127.0.0.1:0", env!("CARGO_BIN_EXE_mainspring"));
    command.args(["-q", "-e", "-c", &program, "/dev/null"]).current_dir(place.folder()).env_clear();
    command.env("MAINSPRING_DATA", place.data()).env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    let Ok(output) = command.output() else { return println!("skipped: this machine has no `script` to make a terminal with") };
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("CHECK") && said.contains("✗  dev mode") && said.contains("✓  secrets"), "{said}");
    assert!(said.contains("error[UNSAFE_SETTING]"), "{said}");
}
