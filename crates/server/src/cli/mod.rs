//! The command line: a file per noun, each command with its help, and the exit codes that scripts rely on.

mod api;
mod api_key;
mod approval;
mod audit;
mod backup;
mod bench;
mod config;
mod copies;
mod credential;
mod credential_import;
mod doctor;
mod document;
mod earlier_rows;
mod egress;
mod environment;
mod event;
mod events;
pub(crate) mod exit;
mod explain;
pub(crate) mod failure;
mod file;
mod flag;
mod global;
mod graph;
mod hosts;
mod inputs;
mod invitation;
mod key;
mod migrate;
mod moving;
mod notification;
mod org;
mod output;
mod place;
mod plan;
mod plan_file;
mod plan_folder;
mod plan_listen;
mod plan_test;
mod plan_versions;
mod problems;
mod prompt;
mod provider;
mod provider_pages;
mod restore;
mod retention;
mod run;
mod schedule;
mod schema;
mod serve;
mod sse;
mod state;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod text;
mod user;
mod user_delete;
mod validate;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use exit::Exit;
use failure::Failure;
use global::Global;
use output::Cx;

use crate::wire;

/// Runs people's automations and never loses one.
#[derive(Parser, Debug)]
#[command(
    name = "mainspring",
    version,
    propagate_version = true,
    max_term_width = 110,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(long_about = "\
Runs people's automations and never loses one.

Commands work on the data folder of this machine, or with --server on a server's. A run is recorded \
before each step that reaches the world, so that it goes on after a crash, a kill or a restart.")]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  mainspring run plan.yaml -i name=world     run a plan file here and now
  mainspring serve --dev                     serve this machine on http://127.0.0.1:5000
  mainspring provider show http              what steps can do";

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a plan file; list, show and cancel runs.
    Run(run::Run),
    /// Run a plan file again each time it is saved, and call only what changed.
    Dev(run::dev::Dev),
    /// Check plan files without saving or running them.
    Validate(validate::Validate),
    /// Start the server.
    Serve(Box<serve::Serve>),
    /// List, show, save and delete plans.
    #[command(subcommand)]
    Plan(plan::PlanCommand),
    /// Keep the keys to other services.
    #[command(subcommand)]
    Credential(credential::CredentialCommand),
    /// See what people were told, and say who is told of what.
    #[command(subcommand)]
    Notification(notification::NotificationCommand),
    /// Switch features on and off, for some or for everybody.
    #[command(subcommand)]
    Flag(flag::FlagCommand),
    /// See and change the keys that seal what is stored.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// See what steps can do.
    #[command(subcommand)]
    Provider(provider::ProviderCommand),
    /// See what is due when.
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// See what runs ask people, and answer it.
    #[command(subcommand)]
    Approval(approval::ApprovalCommand),
    /// Tell runs that something happened.
    #[command(subcommand)]
    Event(event::EventCommand),
    /// See and mend what plans remember between runs.
    #[command(subcommand)]
    State(state::StateCommand),
    /// Keep files, and get them back.
    #[command(subcommand)]
    File(file::FileCommand),
    /// See which outside hosts are held back, and let calls to them out again.
    #[command(subcommand)]
    Hosts(hosts::HostsCommand),
    /// The organization's own list of hosts that its plans may reach.
    #[command(subcommand)]
    Egress(egress::EgressCommand),
    /// Print the JSON Schemas of documents.
    #[command(subcommand)]
    Schema(schema::SchemaCommand),
    /// Make and remove the keys by which programs call the server.
    #[command(subcommand)]
    ApiKey(api_key::ApiKeyCommand),
    /// Organizations: members, invitations, variables.
    #[command(subcommand)]
    Org(org::OrgCommand),
    /// See who did what.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Make the first owner of an installation.
    #[command(subcommand)]
    Owner(user::OwnerCommand),
    /// List, make and disable accounts.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Look at the database's migrations, and apply them.
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Copy everything into one file, while the server goes on working.
    Backup(backup::Backup),
    /// Put a backup into an empty data folder or database.
    Restore(restore::Restore),
    /// See what is removed by age and number, before it is.
    Retention(retention::Retention),
    /// Move everything from one database to another, such as from SQLite to PostgreSQL.
    Move(moving::Move),
    /// See what is set and where it comes from; write empty settings files.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Say what an error code means and what to do.
    Explain(explain::Explain),
    /// Check this machine and the data folder, and say what to do.
    Doctor(doctor::Doctor),
    /// Measure this machine against the figures that are promised.
    Bench(bench::Bench),
}

/// The whole program, from its arguments to its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    // No command of people's: the program's own helpers are started so.
    if args.get(1).is_some_and(|first| first == wire::APART) {
        mainspring_providers::apart::help(std::io::stdin(), std::io::stdout(), Arc::new(wire::SystemClock::new()));
        return ExitCode::SUCCESS;
    }
    let matches = match Cli::command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => return refuse(&error),
    };
    let mut cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let settled = settle_place(&mut cli.global, &matches);
    let Cli { global, command } = cli;
    let mut cx = Cx::new(global);
    if let Err(failure) = settled {
        return cx.fail(&failure).into();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return cx.fail(&Failure::internal(format!("no threads could be started: {error}"))).into(),
    };
    let exit = match runtime.block_on(dispatch(&mut cx, command)) {
        Ok(exit) => exit,
        Err(failure) => cx.fail(&failure),
    };
    // Nothing is waited for: what matters is on disk, and a second Ctrl-C wants to leave at once.
    runtime.shutdown_background();
    exit.into()
}

async fn dispatch(cx: &mut Cx, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Run(run) => run::run(cx, &run).await,
        Command::Dev(dev) => run::dev::run(cx, &dev).await,
        Command::Validate(validate) => validate::run(cx, &validate).await,
        Command::Serve(serve) => serve::run(cx, &serve).await,
        Command::Plan(command) => plan::run(cx, &command).await,
        Command::Migrate(command) => migrate::run(cx, &command).await,
        Command::Backup(backup) => backup::run(cx, &backup).await,
        Command::Restore(restore) => restore::run(cx, &restore).await,
        Command::Retention(retention) => retention::run(cx, &retention).await,
        Command::Move(moving) => moving::run(cx, &moving).await,
        Command::Config(command) => config::run(cx, &command),
        Command::Explain(explain) => explain::run(cx, &explain),
        Command::Credential(command) => credential::run(cx, &command).await,
        Command::Notification(command) => notification::run(cx, &command).await,
        Command::Flag(command) => flag::run(cx, &command).await,
        Command::Key(command) => key::run(cx, &command).await,
        Command::Provider(command) => provider::run(cx, &command).await,
        Command::Schedule(command) => schedule::run(cx, &command).await,
        Command::Egress(command) => egress::run(cx, &command).await,
        Command::Approval(command) => approval::run(cx, &command).await,
        Command::Event(command) => event::run(cx, &command).await,
        Command::State(command) => state::run(cx, &command).await,
        Command::File(command) => file::run(cx, &command).await,
        Command::Hosts(command) => hosts::run(cx, &command).await,
        Command::Schema(command) => schema::run(cx, &command),
        Command::ApiKey(command) => api_key::run(cx, &command).await,
        Command::Org(command) => org::run(cx, &command).await,
        Command::Audit(command) => audit::run(cx, &command).await,
        Command::Owner(command) => user::run_owner(cx, &command).await,
        Command::User(command) => user::run(cx, &command).await,
        Command::Doctor(doctor) => doctor::run(cx, &doctor).await,
        Command::Bench(bench) => bench::run(cx, bench).await,
    }
}

/// Help and versions are answers; everything else that clap says is wrong usage. clap's number for that is ours too.
fn refuse(error: &clap::Error) -> ExitCode {
    drop(error.print());
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Ok.into(),
        _ => Exit::Usage.into(),
    }
}

/// A folder that was written on the command line wins over a server that the environment names.
fn settle_place(global: &mut Global, matches: &ArgMatches) -> Result<(), Failure> {
    global.folder_is_named = written_on_line(matches, "data");
    match (written_on_line(matches, "data"), written_on_line(matches, "server")) {
        (true, true) => Err(Failure::usage("--data and --server exclude each other: the server knows its own folder")),
        (true, false) => {
            global.server = None;
            Ok(())
        }
        _ => Ok(()),
    }
}

fn written_on_line(matches: &ArgMatches, name: &str) -> bool {
    matches.value_source(name) == Some(ValueSource::CommandLine)
        || matches.subcommand().is_some_and(|(_, inner)| written_on_line(inner, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_command_has_help_and_examples() {
        fn walk(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "{path} has no help");
            assert!(command.get_after_help().is_some() || command.is_subcommand_required_set(), "{path} has no example");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some() || argument.is_hide_set(), "{path} {} has no help", argument.get_id());
            }
            command.get_subcommands().for_each(|inner| walk(inner, &path));
        }
        let command = Cli::command();
        command.clone().debug_assert();
        walk(&command, "");
    }

    fn parse(args: &[&str]) -> Result<(Cli, ArgMatches), ErrorKind> {
        let matches = Cli::command().try_get_matches_from([&["mainspring"], args].concat()).map_err(|error| error.kind())?;
        Ok((Cli::from_arg_matches(&matches).map_err(|error| error.kind())?, matches))
    }

    #[test]
    fn run_takes_a_file_or_a_subcommand() {
        let shown = |args: &[&str]| parse(args).map(|(cli, _)| format!("{:?}", cli.command)).unwrap_or_else(|kind| format!("{kind:?}"));
        assert!(shown(&["run", "plan.yaml", "-i", "a=1", "-o", "json"]).contains("file: Some(\"plan.yaml\")"));
        assert!(shown(&["run", "./list"]).contains("file: Some(\"./list\")"));
        assert!(shown(&["run", "list", "-o", "json"]).contains("Some(List("));
        assert!(shown(&["run", "-o", "json", "list"]).contains("Some(List("));
        assert!(shown(&["run", "-", "--json"]).contains("file: Some(\"-\")"));
        assert!(shown(&["run", "--resume", "last"]).contains("resume: Some(\"last\")"));
        assert_eq!(shown(&["run"]), "MissingRequiredArgument");
        assert_eq!(shown(&["run", "plan.yaml", "--resume", "last"]), "ArgumentConflict");
        assert_eq!(shown(&["flan"]), "InvalidSubcommand");
    }

    #[test]
    fn a_named_folder_wins_over_a_server_of_the_environment() {
        let (mut cli, matches) = parse(&["plan", "list", "--data", "d"]).unwrap();
        cli.global.server = Some("http://from-the-environment".into());
        settle_place(&mut cli.global, &matches).unwrap();
        assert_eq!(cli.global.server, None);
        let (mut cli, matches) = parse(&["--server", "http://a", "plan", "list", "--data", "d"]).unwrap();
        assert_eq!(settle_place(&mut cli.global, &matches).unwrap_err().exit as u8, 2);
    }
}
