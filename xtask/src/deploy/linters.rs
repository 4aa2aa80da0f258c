//! The linters: what each looks at, and how what it says becomes findings.

use std::process::{Command, Output};

use anyhow::{Context, Result};

use super::Ground;
use super::tools::Tools;
use crate::finding::Finding;

pub(crate) struct Linter {
    /// Unique; what it is and what it looks at.
    pub(crate) name: &'static str,
    /// Whether this machine has it.
    pub(crate) there: fn(&Tools) -> bool,
    pub(crate) run: fn(&Ground<'_>) -> Result<Vec<Finding>>,
}

pub(crate) const HADOLINT: &str = "hadolint, with ShellCheck in it: Dockerfile";
pub(crate) const YAMLLINT: &str = "yamllint: compose file, chart, rendered manifests";
pub(crate) const COMPOSE: &str = "check-jsonschema: compose file against the Compose specification";
pub(crate) const SCHEMA: &str = "check-jsonschema: values.schema.json against its metaschema, values.yaml against it";
pub(crate) const HELM: &str = "Helm 4 (lint, render, refuse): chart";
pub(crate) const KUBERNETES: &str = "kubernetes-validate: rendered manifests, oldest and newest Kubernetes";
pub(crate) const VERIFY: &str = "systemd-analyze verify: unit";
pub(crate) const SECURITY: &str = "systemd-analyze security: exposure of the unit";

/// The oldest is the one of `kubeVersion` in Chart.yaml; the newest is what the pinned validator knows.
const KUBERNETES_VERSIONS: [&str; 2] = ["1.27", "1.37"];
/// Most exposure of the unit, in tenths; it has 1.2. What is left comes from talking to the network and sharing the file system.
const EXPOSURE: &str = "13";

const CHART: &str = "deploy/helm/mainspring";
const UNIT: &str = "deploy/mainspring.service";
const COMPOSE_FILE: &str = "deploy/compose.yaml";

pub(crate) const LINTERS: &[Linter] = &[
    Linter { name: HADOLINT, there: python, run: hadolint },
    Linter { name: HELM, there: python, run: helm },
    Linter { name: YAMLLINT, there: python, run: yamllint },
    Linter { name: COMPOSE, there: python, run: compose },
    Linter { name: SCHEMA, there: python, run: schema },
    Linter { name: KUBERNETES, there: python, run: kubernetes },
    Linter { name: VERIFY, there: systemd, run: verify },
    Linter { name: SECURITY, there: systemd, run: security },
];

fn python(tools: &Tools) -> bool {
    tools.python.is_some()
}

fn systemd(tools: &Tools) -> bool {
    tools.systemd
}

fn hadolint(ground: &Ground<'_>) -> Result<Vec<Finding>> {
    let file = "deploy/Dockerfile";
    let mut command = tool(ground, "hadolint")?;
    command.args(["--no-color", "--failure-threshold", "info", "--disable-ignore-pragma", "--trusted-registry", "docker.io"]);
    command.args(["--trusted-registry", "gcr.io", file]);
    judge(command, file, "hadolint")
}

fn yamllint(ground: &Ground<'_>) -> Result<Vec<Finding>> {
    let rendered = render(ground)?.1;
    let mut command = tool(ground, "yamllint")?;
    command.args(["--strict", "--format", "parsable", "-c", "xtask/lint/yamllint.yaml", COMPOSE_FILE, "xtask/lint", "deploy/alerts"]);
    command.args(["Chart.yaml", "values.yaml"].map(|file| format!("{CHART}/{file}")));
    let mut findings = judge(command, "deploy", "yamllint")?;
    // What Helm pastes in has its own indentation and blank lines; only what changes the meaning counts.
    let mut command = tool(ground, "yamllint")?;
    command.args(["--strict", "--format", "parsable", "-d", "{rules: {key-duplicates: enable, anchors: enable}}"]).args(rendered);
    findings.extend(judge(command, CHART, "yamllint")?);
    Ok(findings)
}

fn compose(ground: &Ground<'_>) -> Result<Vec<Finding>> {
    let mut command = tool(ground, "check-jsonschema")?;
    command.args(["--builtin-schema", "vendor.compose-spec", COMPOSE_FILE]);
    judge(command, COMPOSE_FILE, "compose")
}

fn schema(ground: &Ground<'_>) -> Result<Vec<Finding>> {
    let (schema, values) = (format!("{CHART}/values.schema.json"), format!("{CHART}/values.yaml"));
    let mut command = tool(ground, "check-jsonschema")?;
    command.args(["--check-metaschema", &schema]);
    let mut findings = judge(command, &schema, "schema")?;
    if findings.is_empty() {
        let mut command = tool(ground, "check-jsonschema")?;
        command.args(["--schemafile", &schema, &values]);
        findings = judge(command, &values, "schema")?;
    }
    Ok(findings)
}

fn helm(ground: &Ground<'_>) -> Result<Vec<Finding>> {
    Ok(render(ground)?.0)
}

fn kubernetes(ground: &Ground<'_>) -> Result<Vec<Finding>> {
    let (mut findings, rendered) = render(ground)?;
    for version in KUBERNETES_VERSIONS {
        let mut command = tool(ground, "kubernetes-validate")?;
        command.args(["--strict", "--quiet", "--kubernetes-version", version]).args(&rendered);
        // A kind that this Kubernetes does not have is a warning only, and nothing was checked then. So every line counts.
        let output = command.output().context("cannot start kubernetes-validate")?;
        findings.extend(said(&output).map(|line| Finding::new(CHART, "kubernetes", line)));
        if !output.status.success() && findings.is_empty() {
            findings.push(Finding::new(CHART, "kubernetes", "failed without a word"));
        }
    }
    Ok(findings)
}

/// Has Helm render the chart; gives what it said against it, and the manifests.
fn render(ground: &Ground<'_>) -> Result<(Vec<Finding>, Vec<std::path::PathBuf>)> {
    let out = ground.scratch.join("rendered");
    let mut command = tool(ground, "python")?;
    // The library looks at a user's own Helm settings; there shall be none.
    command.env("HOME", &ground.scratch).args(["xtask/lint/chart.py", CHART, "xtask/lint/chart"]).arg(&out);
    let output = command.output().context("cannot start the renderer")?;
    let mut findings = lines(&output.stdout).map(|line| Finding::new(CHART, "helm", line)).collect::<Vec<_>>();
    if !output.status.success() {
        findings.extend(lines(&output.stderr).map(|line| Finding::new(CHART, "helm", line)));
    }
    let mut rendered = Vec::new();
    if out.is_dir() {
        for entry in std::fs::read_dir(out)? {
            rendered.push(entry?.path());
        }
    }
    rendered.sort();
    if rendered.is_empty() {
        findings.push(Finding::new(CHART, "helm", "nothing was rendered"));
    }
    Ok((findings, rendered))
}

fn verify(ground: &Ground<'_>) -> Result<Vec<Finding>> {
    let unit = unit(ground)?;
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", "--recursive-errors=no"]).arg(unit);
    let output = command.output().context("cannot start systemd-analyze")?;
    // An unknown setting is a warning only: it is ignored, and the program is not guarded by it. So every line counts.
    Ok(said(&output).map(|line| Finding::new(UNIT, "systemd", line)).collect())
}

fn security(ground: &Ground<'_>) -> Result<Vec<Finding>> {
    let unit = unit(ground)?;
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE]).arg(unit);
    let output = command.output().context("cannot start systemd-analyze")?;
    let overall = said(&output).filter(|line| line.contains("Overall exposure")).last();
    Ok(match overall {
        Some(_) if output.status.success() => Vec::new(),
        Some(line) => vec![Finding::new(UNIT, "systemd", format!("{line}; at most {EXPOSURE} tenths"))],
        None => vec![Finding::new(UNIT, "systemd", "it gave no exposure")],
    })
}

/// The unit with a program that is there: whether `ExecStart` can be started is asked of the machine where it is installed.
fn unit(ground: &Ground<'_>) -> Result<std::path::PathBuf> {
    let text = std::fs::read_to_string(ground.root.join(UNIT)).context(UNIT)?;
    let place = ground.scratch.join("mainspring.service");
    std::fs::write(&place, text.replace("ExecStart=/usr/local/bin/mainspring", "ExecStart=/bin/true"))?;
    Ok(place)
}

fn tool(ground: &Ground<'_>, name: &str) -> Result<Command> {
    let bin = ground.tools.python.as_ref().context("the linters are not here")?;
    let mut command = ground.project.command(bin.join(name));
    command.current_dir(&ground.root).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// Every line that a failed linter says is a finding.
fn judge(mut command: Command, place: &str, rule: &'static str) -> Result<Vec<Finding>> {
    let output = command.output().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(Vec::new());
    }
    let findings: Vec<Finding> = said(&output).map(|line| Finding::new(place, rule, line)).collect();
    Ok(if findings.is_empty() { vec![Finding::new(place, rule, "failed without a word")] } else { findings })
}

fn said(output: &Output) -> impl Iterator<Item = String> {
    lines(&output.stdout).chain(lines(&output.stderr)).collect::<Vec<_>>().into_iter()
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = String> {
    String::from_utf8_lossy(bytes)
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .into_iter()
}
