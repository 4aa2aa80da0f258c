//! Precedence of every setting, made from the table itself, and what a wrong value says.

use std::collections::HashMap;
use std::path::Path;

use super::*;
use crate::settings::Kind;

type Variables<'a> = &'a [(&'a str, &'a str)];

fn merged(flags: &[Flag], variables: Variables<'_>, file: Option<&str>) -> Result<Settings, BadSettings> {
    let map: HashMap<&str, &str> = variables.iter().copied().collect();
    let file = file.map(|text| File::parse(Path::new("m.toml"), text)).transpose()?;
    read(flags, &|name| map.get(name).map(|text| (*text).to_owned()), file.as_ref())
}

fn from(variables: Variables<'_>) -> Result<Settings, BadSettings> {
    merged(&[], variables, None)
}

/// The line of a file that gives the setting this value.
fn in_file(setting: &Setting, text: &str) -> String {
    let value = match setting.kind {
        Kind::Number | Kind::Switch => text.to_owned(),
        Kind::List => format!("[{}]", text.split(',').map(|item| format!("\"{item}\"")).collect::<Vec<_>>().join(", ")),
        // TOML escapes as JSON does; a text may have quotes of its own.
        _ => serde_json::Value::from(text).to_string(),
    };
    format!("{} = {value}\n", setting.key)
}

/// What the settings say when the text is taken by itself.
fn alone(setting: &Setting, text: &str) -> Option<String> {
    let mut settings = Settings::default();
    (setting.take)(&mut settings, text).unwrap();
    (setting.value)(&settings)
}

#[test]
fn of_every_setting_a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    for setting in SETTINGS.iter() {
        let [one, two] = setting.examples;
        let key = setting.key;
        assert_ne!(alone(setting, one), alone(setting, two), "{key}: the examples are the same");
        let has = |settings: &Settings, text: &str, source: &str| {
            assert_eq!((setting.value)(settings), alone(setting, text), "{key}");
            assert_eq!(settings.source(key).to_string(), source, "{key}");
        };
        assert_eq!(*from(&[]).unwrap().source(key), Source::Default);
        let flag = setting.flag.map(|name| (name, Flag::new(key, one)));
        if setting.variables.is_empty() {
            let (name, flag) = flag.expect("what has neither variable nor flag cannot be set");
            has(&merged(&[flag], &[], None).unwrap(), one, name);
            let refused = merged(&[], &[], Some(&in_file(setting, one))).unwrap_err();
            assert_eq!(refused.code(), "BAD_SETTINGS_FILE", "{key}");
            continue;
        }
        let file = in_file(setting, two);
        let place = format!("m.toml:1:{}", key.len() + 4);
        has(&merged(&[], &[], Some(&file)).unwrap(), two, &place);
        for variable in setting.variables {
            has(&merged(&[], &[(variable, one)], Some(&file)).unwrap(), one, variable);
        }
        if let [ours, earlier @ ..] = setting.variables {
            for name in earlier {
                has(&from(&[(name, two), (ours, one)]).unwrap(), one, ours);
                has(&from(&[(name, two), (ours, "")]).unwrap(), two, name);
            }
        }
        if let Some((name, flag)) = flag {
            has(&merged(&[flag], &[(setting.variables[0], two)], Some(&file)).unwrap(), one, name);
        }
    }
}

#[test]
fn keys_variables_and_flags_are_unique() {
    let mut names: Vec<&str> =
        SETTINGS.iter().flat_map(|setting| setting.variables.iter().copied().chain(setting.flag).chain([setting.key])).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn the_table_says_the_defaults_that_hold() {
    for setting in SETTINGS.iter() {
        let actual = (setting.value)(&Settings::default());
        let told = Some(setting.default.to_owned()).filter(|text| !text.is_empty() && !text.contains(' '));
        if let Some(told) = told {
            assert_eq!(actual, Some(told), "{}", setting.key);
        } else if setting.default.is_empty() {
            assert_eq!(actual, None, "{}", setting.key);
        }
    }
}

#[test]
fn a_folder_is_named_in_two_ways_and_the_nearer_wins() {
    let data = |settings: Settings| (settings.data.display().to_string(), settings.source("data").to_string(), settings.postgres.is_some());
    let settings = from(&[("MAINSPRING_DATA", "a"), ("DATABASE_URL", "sqlite:///b")]).unwrap();
    assert_eq!(data(settings), ("/b".to_owned(), "DATABASE_URL".to_owned(), false));
    let settings = merged(&[], &[("MAINSPRING_DATA", "a")], Some("database.url = \"sqlite:b\"")).unwrap();
    assert_eq!(data(settings), ("a".to_owned(), "MAINSPRING_DATA".to_owned(), false));
    let flags = [Flag::new("data", "c")];
    let settings = merged(&flags, &[("DATABASE_URL", "postgres://u:p@db/x")], None).unwrap();
    assert_eq!(settings.source("database.url").to_string(), "--data");
    assert_eq!(data(settings), ("c".to_owned(), "--data".to_owned(), false));
    let both = [Flag::new("data", "c"), Flag::new("database.url", "postgres://u:p@db/x")];
    assert_eq!(data(merged(&both, &[], None).unwrap()), ("c".to_owned(), "--data".to_owned(), true));
}

#[test]
fn dev_mode_lets_plans_reach_loopback_unless_told_otherwise() {
    let dev = [Flag::new("dev", "true")];
    assert_eq!(merged(&dev, &[], None).unwrap().egress, EgressMode::Dev);
    assert_eq!(merged(&dev, &[("MAINSPRING_EGRESS", "strict")], None).unwrap().egress, EgressMode::Strict);
    assert_eq!(merged(&dev, &[], Some("egress.mode = \"strict\"")).unwrap().egress, EgressMode::Strict);
    assert_eq!(from(&[]).unwrap().egress, EgressMode::Strict);
}

#[test]
fn everything_wrong_is_said_at_once_by_its_place() {
    let variables = [("MAINSPRING_LISTEN", "here"), ("MAINSPRING_METRICS_TOKEN", "short"), ("CORS_ORIGINS", "https://a.example, ")];
    let said = merged(&[Flag::new("runs.keep_for", "soon")], &variables, Some("[runs]\nkeep = -1\n")).unwrap_err().to_string();
    insta::assert_snapshot!(said, @r#"
    m.toml:2:8: runs.keep: "-1" is no number of runs
    MAINSPRING_LISTEN: "here" is no address; write 127.0.0.1:5000, or a name with its port
    MAINSPRING_METRICS_TOKEN: it is shorter than 16 characters, so it could be guessed
    --keep-runs-for: "soon" is not a duration; write 500ms, 30s, 5m, 2h, 7d or a number of seconds
    "#);
}

#[test]
fn a_secret_is_in_no_message_and_in_no_output() {
    const CANARY: &str = "hunter2canary";
    for setting in SETTINGS.iter().filter(|setting| setting.kind.is_secret()) {
        let texts =
            [CANARY.to_owned(), format!("mysql://u:{CANARY}@db/x"), format!("postgres://u:{CANARY}@db/x"), format!("{CANARY}{CANARY}")];
        for text in &texts {
            let by_variable = from(&[(setting.variables[0], text)]);
            let by_file = merged(&[], &[], Some(&in_file(setting, text)));
            let by_broken_file = merged(&[], &[], Some(&format!("{} = \"{text}", setting.key)));
            let by_wrong_type = merged(&[], &[], Some(&format!("{} = [\"{text}\"]", setting.key)));
            assert!(by_broken_file.is_err() && by_wrong_type.is_err());
            for outcome in [by_variable, by_file, by_broken_file, by_wrong_type] {
                let shown = match outcome {
                    Ok(settings) => format!("{settings:?} {:?}", setting.shown(&settings)),
                    Err(bad) => format!("{bad} {bad:?}"),
                };
                assert!(!shown.contains(CANARY), "{}: {shown}", setting.key);
            }
        }
    }
}
