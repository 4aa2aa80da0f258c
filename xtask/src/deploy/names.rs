//! Names: every variable, flag and command that `deploy/` and its pages give the program is one that the program reads.

use crate::finding::Finding;
use crate::tree::Text;

const RULE: &str = "names";

/// Names that the program is about to have, with PostgreSQL. One that it has is taken off this list.
const COMING: &[&str] = &[];
/// Variables of others: of the database's image, and of our script in it.
const FOREIGN: &[&str] = &["POSTGRES_PASSWORD", "OWNER_PASSWORD", "NODE_PASSWORD"];
/// Commands of other images.
const FOREIGN_COMMANDS: &[&str] = &["sleep", "redis-server"];

const COMMANDS: &str = "crates/server/src/cli/mod.rs";

pub(super) fn check(texts: &[Text]) -> Vec<Finding> {
    check_with(texts, COMING)
}

fn check_with(texts: &[Text], coming: &[&str]) -> Vec<Finding> {
    let program = Program { texts, coming };
    let mut findings = Vec::new();
    for name in coming.iter().filter(|name| program.has(name)) {
        let text = format!("`{name}` is in the sources now: take it off the list COMING");
        findings.push(Finding::new("xtask/src/deploy/names.rs", RULE, text));
    }
    for text in texts.iter().filter(|text| super::rules::is_about_deploying(&text.path)) {
        for (number, line) in text.lines() {
            let of_deploy = text.path.starts_with("deploy/");
            for name in variables(line, of_deploy).filter(|name| !program.knows(name) && !FOREIGN.contains(name)) {
                findings.push(Finding::at(&text.path, number, RULE, format!("the program reads no variable `{name}`")));
            }
            let command = listed_command(line).filter(|_| of_deploy).filter(|command| !FOREIGN_COMMANDS.contains(command));
            if let Some(command) = command.filter(|command| !program.knows(command)) {
                findings.push(Finding::at(&text.path, number, RULE, format!("the program has no command `{command}`")));
            }
            for flag in flags(line, &program).filter(|flag| !program.knows(flag)) {
                findings.push(Finding::at(&text.path, number, RULE, format!("the program has no flag `{flag}`")));
            }
        }
    }
    findings
}

/// What the sources of the program say that it takes.
struct Program<'a> {
    texts: &'a [Text],
    coming: &'a [&'a str],
}

impl Program<'_> {
    fn knows(&self, name: &str) -> bool {
        self.coming.contains(&name) || self.has(name)
    }

    /// A variable stands as a literal in the server, a flag as a field of the command line, a command as a variant.
    fn has(&self, name: &str) -> bool {
        let server = |folder: &'static str| self.texts.iter().filter(move |text| text.path.starts_with(folder) && text.is("rs"));
        if let Some(flag) = name.strip_prefix("--") {
            return server("crates/server/src/cli/").any(|text| has_argument(&text.text, &flag.replace('-', "_")));
        }
        if name.starts_with(|c: char| c.is_ascii_uppercase()) {
            let literal = format!("\"{name}\"");
            return server("crates/server/src/").any(|text| text.text.contains(&literal));
        }
        let variant = format!("\n    {}(", camel(name));
        server(COMMANDS).any(|text| text.text.contains(&variant))
    }
}

/// A field below an attribute of clap's.
fn has_argument(text: &str, field: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.windows(2).any(|pair| {
        let named = pair[1].trim_start_matches("pub(crate) ").split_once(": ").is_some_and(|(name, _)| name == field);
        named && (pair[0].starts_with("#[arg(") || pair[0].ends_with(")]"))
    })
}

/// `api-key` is `ApiKey`.
fn camel(command: &str) -> String {
    command.split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect()
}

/// Our variables wherever they stand; in files that set variables also what is set there.
fn variables(line: &str, sets: bool) -> impl Iterator<Item = &str> {
    let ours = line.split(|c: char| !is_name_char(c)).filter(|word| word.starts_with("MAINSPRING_") && !word.ends_with('_'));
    let set = if sets { assigned(line).filter(|name| !name.starts_with("MAINSPRING_")) } else { None };
    ours.chain(set)
}

/// The name in `NAME=…`, `NAME: …`, `ENV NAME=…`, `Environment=NAME=…`, `- name: NAME`.
fn assigned(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for start in ["ENV ", "Environment=", "- name: ", "ARG "] {
        rest = rest.strip_prefix(start).unwrap_or(rest);
    }
    let name = &rest[..rest.find(|c: char| !is_name_char(c)).unwrap_or(rest.len())];
    let after = &rest[name.len()..];
    let set = after.is_empty() || after.starts_with('=') || after.starts_with(':');
    (set && name.contains('_') && name.starts_with(|c: char| c.is_ascii_uppercase())).then_some(name)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'
}

/// The first word of `args: [migrate, up]`, `command: [serve]`, `CMD ["serve"]`.
fn listed_command(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let list = ["args: [", "command: [", "CMD ["].iter().find_map(|start| line.strip_prefix(start))?;
    list.split([',', ']']).next().map(|word| word.trim().trim_matches('"'))
}

/// Flags behind `mainspring <command>`.
fn flags<'a>(line: &'a str, program: &Program<'_>) -> impl Iterator<Item = &'a str> {
    let words: Vec<&str> = line.split(|c: char| c.is_whitespace() || "`,[]\"'();|".contains(c)).filter(|word| !word.is_empty()).collect();
    let is_program = |word: &str| word == "mainspring" || word.ends_with("/mainspring");
    let is_command = |word: &str| word.starts_with(|c: char| c.is_ascii_lowercase()) && !word.contains('/') && program.knows(word);
    let start = words.windows(2).position(|pair| is_program(pair[0]) && is_command(pair[1]));
    let behind = start.map_or(words.len(), |start| start + 2);
    words.into_iter().skip(behind).filter(|word| word.starts_with("--")).map(|flag| flag.split('=').next().unwrap_or(flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(deploy: &str) -> Vec<Text> {
        let text = |path: &str, text: &str| Text { path: path.into(), text: text.into() };
        vec![
            text("crates/server/src/settings.rs", "first(&[\"MAINSPRING_LISTEN\", \"DATABASE_URL\"])"),
            text("crates/server/src/cli/serve.rs", "    #[arg(long)]\n    metrics_listen: Option<SocketAddr>,\n    port: u16,\n"),
            text(COMMANDS, "enum Command {\n    Serve(Box<serve::Serve>),\n    ApiKey(A),\n}\n"),
            text("deploy/a.yaml", deploy),
        ]
    }

    fn found(deploy: &str) -> Vec<String> {
        check_with(&texts(deploy), &["MAINSPRING_LEASE"]).iter().map(|finding| finding.text.clone()).collect()
    }

    #[test]
    fn what_the_program_takes_is_left_alone() {
        let good = "ENV MAINSPRING_LISTEN=x \\\nEnvironment=DATABASE_URL=x\n- name: MAINSPRING_LEASE\nPOSTGRES_PASSWORD: x\n\
                    ExecStart=/usr/local/bin/mainspring serve --metrics-listen=x\ncommand: [serve]\ncommand: [sleep, infinity]\n\
                    docker build -t mainspring --pull\nhelm install mainspring deploy/helm/mainspring --set a=b\n\
                    sudo -u mainspring mainspring api-key\n\"^MAINSPRING_[A-Z_]+$\"\n";
        assert_eq!(found(good), Vec::<String>::new());
    }

    #[test]
    fn what_the_program_does_not_take_is_found() {
        assert_eq!(found("ENV MAINSPRING_LISTN=x"), ["the program reads no variable `MAINSPRING_LISTN`"]);
        assert_eq!(found("      MEMCACHED_URL: memcached://x"), ["the program reads no variable `MEMCACHED_URL`"]);
        assert_eq!(found("ExecStart=/usr/bin/mainspring serve --port=1"), ["the program has no flag `--port`"]);
        assert_eq!(found("CMD [\"server\"]"), ["the program has no command `server`"]);
    }

    #[test]
    fn a_name_that_has_come_leaves_the_list() {
        let found = check_with(&texts(""), &["DATABASE_URL", "--metrics-listen", "api-key"]);
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
