//! `cargo x start`: builds everything and becomes the server, in dev mode.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::project::Project;

const ADDRESS: &str = "127.0.0.1:5000";

pub(crate) fn start(project: &Project, args: &[String]) -> Result<ExitCode> {
    let binary = project.build_release()?;
    let data = project.scratch("data");
    std::fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
    println!("{}", hints(&shown(project, &binary), first_plan(project).as_deref(), address(args)));
    let mut command = project.command(&binary);
    command.args(["serve", "--dev"]);
    if !names(args, "--data") {
        command.arg("--data").arg(Path::new(".x").join("data"));
    }
    command.args(args);
    become_it(command)
}

/// On Unix this process becomes the server, as cargo became us: every signal reaches it and its exit code is ours.
#[cfg(unix)]
fn become_it(mut command: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    Err(command.exec()).context("cannot start the server")
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> Result<ExitCode> {
    let status = command.status().context("cannot start the server")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// What to type in a second terminal.
fn hints(binary: &str, plan: Option<&str>, address: &str) -> String {
    let plan = plan
        .map(|plan| format!("\n  A plan from a file, in this data folder, with its progress:\n\n    {binary} run {plan} --data .x/data\n"));
    format!(
        "\nMainspring is about to serve http://{address} (Ctrl-C stops it). In a second terminal:\n\n  \
         Keep a plan that starts on a webhook, then call it:\n\n    \
         curl -s http://{address}/api/plans -H 'Content-Type: application/json' -d '{{\"name\": \"Greeting\",\n      \
         \"triggers\": [{{\"type\": \"webhook\", \"path\": \"greet\", \"respond\": \"last_step\"}}],\n      \
         \"steps\": [{{\"action\": \"logic.set\", \"params\": {{\"text\": \"Good day, ${{trigger.body.name}}\"}}}}]}}'\n    \
         curl -s http://{address}/api/webhook/greet -H 'Content-Type: application/json' -d '{{\"name\": \"Ada\"}}'\n{}",
        plan.unwrap_or_default()
    )
}

fn address(args: &[String]) -> &str {
    let given = args.iter().enumerate().find_map(|(index, arg)| match arg.strip_prefix("--listen=") {
        Some(value) => Some(value),
        None if arg == "--listen" => args.get(index + 1).map(String::as_str),
        None => None,
    });
    given.unwrap_or(ADDRESS)
}

fn names(args: &[String], flag: &str) -> bool {
    args.iter().any(|arg| arg == flag || arg.strip_prefix(flag).is_some_and(|rest| rest.starts_with('=')))
}

/// The plan to show first: `plans/hello.*`, else the first one in the folder.
fn first_plan(project: &Project) -> Option<String> {
    let mut names: Vec<String> = std::fs::read_dir(project.root.join("plans"))
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)))
        .collect();
    names.sort_by_key(|name| (!name.starts_with("hello."), name.clone()));
    names.first().map(|name| format!("plans/{name}"))
}

/// The binary as one would type it in the root of the checkout.
fn shown(project: &Project, binary: &Path) -> String {
    let short: PathBuf = binary.strip_prefix(&project.root).map_or_else(|_| binary.to_path_buf(), Path::to_path_buf);
    short.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hints_follow_the_address() {
        let args = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert_eq!(address(&args(&[])), ADDRESS);
        assert_eq!(address(&args(&["--listen", "127.0.0.1:6000"])), "127.0.0.1:6000");
        assert_eq!(address(&args(&["--listen=127.0.0.1:6001"])), "127.0.0.1:6001");
        assert!(names(&args(&["--data=x"]), "--data") && !names(&args(&["--database-url", "x"]), "--data"));
        let text = hints("target/release/mainspring", Some("plans/hello.yaml"), "127.0.0.1:6000");
        assert!(text.contains("http://127.0.0.1:6000/api/webhook/greet") && text.contains("run plans/hello.yaml"), "{text}");
    }
}
