//! Rules of our own over `deploy/`: what no linter can know, because it is about how the files and the program agree.

use super::names;
use crate::finding::Finding;
use crate::tree::Text;

const DOCKERFILE: &str = "deploy/Dockerfile";
const COMPOSE: &str = "deploy/compose.yaml";
const UNIT: &str = "deploy/mainspring.service";
const ROLES: &str = "deploy/postgres/roles.sql";
const CHART: &str = "deploy/helm/mainspring/Chart.yaml";
const VALUES: &str = "deploy/helm/mainspring/values.yaml";
const DEPLOYMENT: &str = "deploy/helm/mainspring/templates/deployment.yaml";
const SECURITY: &str = "deploy/helm/mainspring/templates/_names.tpl";
const IGNORED: &str = ".dockerignore";
/// Constants of the program, in milliseconds: requests in flight, then steps in flight, at shutdown.
const SHUTDOWN: [(&str, &str); 2] =
    [("crates/server/src/http/server.rs", "const FINISH_WITHIN: i64 = "), ("crates/server/src/serve.rs", "const DRAIN_FOR: i64 = ")];
/// Closing the database comes after that.
const CLOSING: u64 = 5;

/// What must stand in a file, and why.
const PRESENT: &[(&str, &str, &str)] = &[
    (UNIT, "User=mainspring\n", "a service that runs as root owns the machine"),
    (SECURITY, "runAsNonRoot: true\n", "a container that runs as root is one fault away from the machine"),
    (SECURITY, "readOnlyRootFilesystem: true\n", "a node writes to its two folders only"),
    (ROLES, "mainspring_node login nosuperuser nobypassrls", "row-level security does not bind other roles"),
    (COMPOSE, "ENCRYPTION_KEY: ${ENCRYPTION_KEY:?", "a node without the key must say so and not make another"),
    (IGNORED, "\n*\n", "only what is named goes to the builder"),
    (IGNORED, "\n!crates\n", "it is built from them"),
    (IGNORED, "\n!docs/errors\n", "the error pages are built into the program"),
];
/// What must not stand in a file, and why.
const ABSENT: &[(&str, &str, &str)] = &[
    (DEPLOYMENT, "MIGRATE_DATABASE_URL", "nodes do not learn the owner's password"),
    (DOCKERFILE, "ADD ", "what is copied is in the checkout"),
];

pub(super) fn is_about_deploying(path: &str) -> bool {
    path.starts_with("deploy/") || path == "docs/deployment.md" || path == "docs/sizing.md"
}

pub(super) fn check(texts: &[Text]) -> Vec<Finding> {
    let mut findings = names::check(texts);
    findings.extend(present(texts));
    findings.extend(ports(texts));
    findings.extend(users(texts));
    findings.extend(times(texts));
    findings.extend(images_and_versions(texts));
    findings.extend(texts.iter().filter(|text| is_about_deploying(&text.path)).flat_map(secrets));
    findings
}

fn text<'a>(texts: &'a [Text], path: &str) -> &'a str {
    texts.iter().find(|text| text.path == path).map_or("", |text| &text.text)
}

fn present(texts: &[Text]) -> Vec<Finding> {
    let missing = PRESENT.iter().filter(|(path, part, _)| !text(texts, path).contains(part));
    let missing = missing.map(|(path, part, why)| Finding::new(path, "missing", format!("lacks `{}`: {why}", part.trim())));
    let wrong = ABSENT.iter().filter(|(path, part, _)| text(texts, path).contains(part));
    missing.chain(wrong.map(|(path, part, why)| Finding::new(path, "unwanted", format!("has `{}`: {why}", part.trim())))).collect()
}

/// Every port that a node is given or asked on is one that the image exposes.
fn ports(texts: &[Text]) -> Vec<Finding> {
    const ABOUT_PORTS: [&str; 6] =
        ["MAINSPRING_LISTEN", "MAINSPRING_METRICS_LISTEN", "0.0.0.0:", "127.0.0.1:", "containerPort:", "/health/"];
    let exposed: Vec<u32> = text(texts, DOCKERFILE).lines().filter_map(|line| line.strip_prefix("EXPOSE ")).flat_map(numbers).collect();
    let mut findings = Vec::new();
    for text in texts.iter().filter(|text| text.path.starts_with("deploy/")) {
        for (number, line) in text.lines().filter(|(_, line)| ABOUT_PORTS.iter().any(|word| line.contains(word))) {
            for port in numbers(line).filter(|port| *port > 999 && !exposed.contains(port)) {
                findings.push(Finding::at(&text.path, number, "ports", format!("{port} is not exposed by {DOCKERFILE}")));
            }
        }
    }
    findings
}

fn numbers(line: &str) -> impl Iterator<Item = u32> {
    line.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok())
}

/// The image's user is a number, not root's, and the same wherever it is named again.
fn users(texts: &[Text]) -> Vec<Finding> {
    let user = text(texts, DOCKERFILE).lines().filter_map(|line| line.strip_prefix("USER ")).next_back().unwrap_or_default();
    let id = user.split(':').next().unwrap_or_default();
    if !id.parse::<u32>().is_ok_and(|id| id > 0) {
        return vec![Finding::new(DOCKERFILE, "users", format!("the last USER is a number over 0, not `{user}`"))];
    }
    let same = [(DOCKERFILE, format!("--chown={user} ")), (COMPOSE, format!("uid={id},")), (SECURITY, format!("runAsUser: {id}\n"))];
    let other = same.iter().filter(|(path, part)| !text(texts, path).contains(part));
    other.map(|(path, part)| Finding::new(path, "users", format!("lacks `{}`, the image's user", part.trim()))).collect()
}

/// Whoever stops a node waits for longer than the node takes.
fn times(texts: &[Text]) -> Vec<Finding> {
    let mut needed = CLOSING;
    for (path, start) in SHUTDOWN {
        match after(text(texts, path), start).and_then(|rest| rest.replace('_', "").parse::<u64>().ok()) {
            Some(milliseconds) => needed += milliseconds / 1000,
            None => return vec![Finding::new(path, "times", format!("`{start}` is not here any more; this rule reads it"))],
        }
    }
    let places = [(UNIT, "TimeoutStopSec="), (COMPOSE, "\n  stop_grace_period: "), (VALUES, "terminationGracePeriodSeconds: ")];
    let short = places.iter().filter(|(path, start)| {
        let given = after(text(texts, path), start).and_then(|rest| numbers(rest).next());
        given.is_none_or(|seconds| u64::from(seconds) < needed)
    });
    short
        .map(|(path, start)| Finding::new(path, "times", format!("`{}` is under {needed} s, which a node may take", start.trim())))
        .collect()
}

/// What follows `start`, up to the end of the line or a semicolon.
fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split(['\n', ';']).next()
}

/// Images have a tag that stays, and ours is the workspace's version.
fn images_and_versions(texts: &[Text]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let version = after(text(texts, "Cargo.toml"), "\nversion = \"").map(|rest| rest.trim_end_matches('"')).unwrap_or_default();
    if after(text(texts, CHART), "\nappVersion: ") != Some(&format!("\"{version}\"")) {
        findings.push(Finding::new(CHART, "versions", format!("appVersion is the program's, \"{version}\"")));
    }
    for (path, start) in [(DOCKERFILE, "FROM "), (COMPOSE, "image: ")] {
        for (number, line) in text(texts, path).lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
            let Some(image) = line.strip_prefix(start).and_then(|rest| rest.split_whitespace().next()) else { continue };
            let tag = image.rsplit('/').next().and_then(|name| name.split_once(':')).map(|(_, tag)| tag);
            if tag.is_none_or(|tag| tag.starts_with("latest")) {
                findings.push(Finding::at(path, number, "images", format!("`{image}` is another image tomorrow; give a tag")));
            }
            if image.starts_with("mainspring:") && tag != Some(version) {
                findings.push(Finding::at(path, number, "versions", format!("`{image}` is not version {version}")));
            }
        }
    }
    findings
}

/// No secret stands in a file: what is named like one is empty, a reference, or another name.
fn secrets(text: &Text) -> Vec<Finding> {
    const NAMES: [&str; 6] = ["password", "token", "encryption_key", "encryptionkey", "api_key", "secret"];
    let mut findings = Vec::new();
    for (number, line) in text.lines() {
        let mut found = |what: String| findings.push(Finding::at(&text.path, number, "secrets", what));
        let line = line.trim();
        if let Some((name, value)) = line.strip_prefix("Environment=").unwrap_or(line).split_once(['=', ':']) {
            let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_lowercase();
            let value = value.trim().trim_matches(['"', '\'']);
            let is_word = !name.contains(' ') || name.starts_with("env ");
            if is_word && NAMES.iter().any(|end| name.ends_with(end)) && is_literal(value) {
                found(format!("`{name}` has a value"));
            }
        }
        if let Some(password) = password_of_url(line).filter(|password| is_literal(password)) {
            found(format!("a URL has the password `{password}`"));
        }
    }
    findings
}

fn is_literal(value: &str) -> bool {
    let reference = ["$", "{", "…", "<", "true", "false"].iter().any(|start| value.starts_with(start));
    let name = value.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    !value.is_empty() && !reference && !name
}

/// The text between `://user:` and `@`.
fn password_of_url(line: &str) -> Option<&str> {
    let authority = line.split_once("://")?.1;
    // `}` ends a reference that may hold any text; then comes the @.
    let (user_info, _) = authority.split_once('@')?;
    user_info.split_once(':').filter(|(user, _)| !user.contains('/')).map(|(_, password)| password)
}

#[cfg(test)]
mod tests;
