//! Who may call: dev mode and the origins of web pages, and which settings were read.

use url::Url;

use super::{Check, unsafe_setting};
use crate::cli::text::plural;
use crate::settings::{SETTINGS, Settings, Source};

/// That they were read is known by now; this says from where.
pub(super) fn read(settings: &Settings) -> Check {
    let mut given = (0, 0, 0);
    let mut file = None;
    for setting in SETTINGS.iter() {
        match settings.source(setting.key) {
            Source::Default => {}
            Source::File { path, .. } => {
                given.0 += 1;
                file = Some(path);
            }
            Source::Variable { .. } => given.1 += 1,
            Source::Flag { .. } => given.2 += 1,
        }
    }
    let from_file = file.map(|path| format!("{} of {}, ", given.0, path.display())).unwrap_or_default();
    Check::ok("settings", format!("{from_file}{}, {}, the rest by default", plural(given.1, "variable"), plural(given.2, "flag")))
}

pub(super) fn dev_mode(settings: &Settings) -> Check {
    const NAME: &str = "dev mode";
    if settings.dev && settings.is_production() {
        let found = format!("{} trusts every caller on this machine, and the environment is production", settings.source("dev"));
        return unsafe_setting(settings, NAME, found, "leave it out, and make a key with `mainspring api-key create`");
    }
    Check::ok(NAME, if settings.dev { "every caller on loopback is the local owner" } else { "off: callers need a key" })
}

/// A star lets every page in, or would if it were read so; what is no origin lets none in and looks as if it did.
pub(super) fn cors(settings: &Settings) -> Vec<Check> {
    const NAME: &str = "cors";
    const NEXT: &str = "list each page's origin, such as https://app.example";
    let source = settings.source("http.cors_origins");
    let wrong: Vec<&String> = settings.cors_origins.iter().filter(|text| !is_origin(text)).collect();
    if wrong.is_empty() {
        let found = match settings.cors_origins.len() {
            0 => "no foreign page may call".to_owned(),
            count => format!("pages of {} may call", plural(count, "origin")),
        };
        return vec![Check::ok(NAME, found)];
    }
    let found = |text: &str| match text {
        "*" => format!("http.cors_origins ({source}) has \"*\", which stands for every page there is"),
        text => format!("http.cors_origins ({source}) has \"{text}\", which is no origin"),
    };
    wrong.into_iter().map(|text| unsafe_setting(settings, NAME, found(text), NEXT)).collect()
}

/// Scheme, host and port alone, as browsers write it.
fn is_origin(text: &str) -> bool {
    !text.contains('*')
        && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::State;

    fn settings(origins: &[&str], environment: &str) -> Settings {
        let cors_origins = origins.iter().map(|text| (*text).to_owned()).collect();
        Settings { cors_origins, environment: environment.to_owned(), ..Settings::default() }
    }

    #[test]
    fn origins_are_whole_and_none_is_a_star() {
        for fine in ["https://app.example", "http://localhost:5173"] {
            assert_eq!(cors(&settings(&[fine], "production"))[0].state, State::Ok, "{fine}");
        }
        for wrong in ["*", "app.example", "https://app.example/", "https://app.example/path", "ftp://app.example", "https://*.example"] {
            let judged = |environment| {
                cors(&settings(&["https://app.example", wrong], environment)).iter().map(|check| check.state).collect::<Vec<_>>()
            };
            assert_eq!(judged("production"), [State::Failed], "{wrong}");
            assert_eq!(judged("development"), [State::Warning], "{wrong}");
        }
    }

    #[test]
    fn dev_mode_is_not_for_production() {
        let dev = |environment| dev_mode(&Settings { dev: true, ..settings(&[], environment) });
        assert!(dev("production").refuses());
        assert_eq!(dev("staging").state, State::Ok);
    }
}
