//! The page `docs/configuration.md`, made from the table.

use super::Setting;
use super::setting::Kind;
use super::table::SETTINGS;

const BEFORE: &str = "\
# Configuration

This page is made from the program's own table of settings: `mainspring config init --as page --force docs/configuration.md`
renews it, and a test fails when it says anything else.

A flag wins over its variable, a variable over the settings file, the file over the default. Where two variables are
named, the one that begins with `MAINSPRING_` wins. An empty value counts as not set. Nothing is added up: a list that is
given nearer takes the place of the other.

```sh
mainspring config print                 # what holds, and where each value comes from
mainspring config init                  # writes mainspring.toml with everything in it as comments
mainspring config init --as env -       # the same as variables
mainspring doctor                       # whether the server would start like this
```

## The settings file

One TOML file: the one that `--config FILE` or `MAINSPRING_CONFIG` names, else the first of `mainspring.toml` in the working
folder, in the data folder, and in `/etc/mainspring`. Only one is read. One that was not named is refused when every user
of the machine may write it. Commands read it as the server does, and it says where data and keys lie: do not call them in a
folder whose files you do not trust. A name that is no setting, a value of the wrong type and a value that cannot be used are
refused with line and column, all at once.

```toml
listen = \"0.0.0.0:8080\"

[runs]
keep_for = \"90d\"

[egress]
mode = \"allow-list\"
allow = [\"10.0.0.0/8\"]
```

## Settings

";

const AFTER: &str = "
Secrets are shown as `<set>`, and addresses without their passwords. `deploy/` shows how containers and services pass them.

The commands, and nothing of the server, also read `MAINSPRING_URL` and `MAINSPRING_API_KEY` (the server to ask, and its
key; `--server`, `--api-key`), and `NO_COLOR`.

## In production

With the environment `production` the server does not start when a setting is unsafe, and says all that are
([UNSAFE_SETTING](errors/UNSAFE_SETTING.md)); elsewhere it warns.

* `--dev`.
* `*`, or anything that is no origin, in `http.cors_origins`.
* `metrics.token` shorter than 32 characters, with little variety, or known from documents and examples; the same for
  `encryption_key`. A password in `database.url`, `database.migrate_url` or `redis.url` that is known from documents.
* A settings file with secrets that other users of the machine can read. A key file like that is refused everywhere.

What PostgreSQL is asked for in production is in [operating over PostgreSQL](operations-postgres.md).

## Checks at the start

Before its port opens the server checks what it needs. On a terminal it shows a table; in the log each check is a line.
`mainspring doctor` makes the same checks and changes nothing; `mainspring doctor --fix` also makes the data folder, takes
away others' rights to the key and the settings file, and applies migrations, and says what it did.

| check | critical | looks at |
|---|---|---|
";

/// The whole page.
pub fn page() -> String {
    let mut text = String::from(BEFORE);
    text.push_str("| in the file | variables | flag | default | meaning |\n|---|---|---|---|---|\n");
    for setting in SETTINGS.iter() {
        text.push_str(&row(setting));
    }
    text.push_str(AFTER);
    for (name, critical, meaning) in crate::checks::NAMES {
        text.push_str(&format!("| {name} | {} | {meaning} |\n", if *critical { "yes" } else { "no" }));
    }
    text.push_str(
        "\nA critical check that fails keeps the server from starting. The rest is said. What can change while the server runs (database,\nmigrations, disk, Redis) is looked at again by each `GET /health/readiness`.\n",
    );
    text
}

fn row(setting: &Setting) -> String {
    let code = |text: &str| format!("`{text}`");
    let key = if setting.variables.is_empty() { "–".to_owned() } else { code(setting.key) };
    let variables: Vec<String> = setting.variables.iter().map(|name| code(name)).collect();
    let variables = match (variables.is_empty(), setting.kind) {
        (true, _) => "–".to_owned(),
        (false, Kind::List) => format!("{} (comma list)", variables.join(", ")),
        (false, _) => variables.join(", "),
    };
    let flag = setting.flag.map_or_else(|| "–".to_owned(), code);
    let default = match setting.default {
        "" => "–".to_owned(),
        text if text.contains(' ') => text.to_owned(),
        text => code(text),
    };
    format!("| {key} | {variables} | {flag} | {default} | {} |\n", setting.meaning)
}
