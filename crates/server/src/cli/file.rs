//! `mainspring file`: bytes into and out of an organization's files, as streams.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mainspring_model::file::{media_type, safe_name};
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, BufWriter};

use super::api::{self, Api};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Cx;
use super::place;
use super::table::Rows;
use super::text::{moment_of, plain};

#[derive(Subcommand, Debug)]
pub(crate) enum FileCommand {
    /// Keep a file.
    #[command(after_help = "\
Examples:
  mainspring file put orders.csv
  mainspring file put report.pdf --expires-in 7d --server http://127.0.0.1:5000
  tar c folder | mainspring file put - --name folder.tar")]
    Put(FilePut),
    /// Write a file's bytes to the disk, or to the standard output.
    #[command(after_help = "\
Examples:
  mainspring file get 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10
  mainspring file get 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10 --to - | head")]
    Get(FileGet),
    /// List the files, newest first, and what is used of the quota.
    #[command(after_help = "\
Examples:
  mainspring file list
  mainspring file list --limit 500 -o json --server http://127.0.0.1:5000")]
    List(FileList),
    /// Remove files.
    #[command(after_help = "\
Examples:
  mainspring file remove 0198c3f2-7a51-7cc3-9d2e-3c6a5a3f1b10")]
    Remove(FileRemove),
}

#[derive(Args, Debug)]
pub(crate) struct FilePut {
    /// The file; - reads the standard input.
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Its name here, when it is another.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Its media type, when its name does not say it.
    #[arg(long = "type", value_name = "TYPE")]
    media_type: Option<String>,
    /// Remove it after this long, such as 7d.
    #[arg(long, value_name = "DURATION")]
    expires_in: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct FileGet {
    /// The file's id.
    #[arg(value_name = "ID")]
    id: String,
    /// Where to; - is the standard output. Its own name in this folder when absent. Nothing is overwritten.
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct FileList {
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

#[derive(Args, Debug)]
pub(crate) struct FileRemove {
    /// Ids of files.
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
}

pub(crate) async fn run(cx: &Cx, command: &FileCommand) -> Result<Exit, Failure> {
    let api = place::api(cx).await?;
    let done = match command {
        FileCommand::Put(file) => put(cx, &api, file).await,
        FileCommand::Get(file) => get(cx, &api, file).await,
        FileCommand::List(asked) => list(cx, &api, asked).await,
        FileCommand::Remove(asked) => remove(cx, &api, asked).await,
    };
    api.close().await;
    done
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("{}: {error}", path.display()))
}

/// The standard input or output without a buffer of its own.
fn standard(stream: impl AsFd, shown: &Path) -> Result<tokio::fs::File, Failure> {
    let own = stream.as_fd().try_clone_to_owned().map_err(|error| unreadable(shown, &error))?;
    Ok(tokio::fs::File::from_std(own.into()))
}

async fn put(cx: &Cx, api: &Api, FilePut { path, name, media_type: kind, expires_in }: &FilePut) -> Result<Exit, Failure> {
    let is_input = path.as_os_str() == "-";
    let own = if is_input { "input".to_owned() } else { path.file_name().unwrap_or_default().to_string_lossy().into_owned() };
    let name = name.clone().unwrap_or(own);
    let mut query = vec![("name", name.clone())];
    query.extend(expires_in.clone().map(|within| ("expires_in", within)));
    let kind = media_type(kind.as_deref(), &name);
    let answer = if is_input {
        api.upload("/api/files", &query, &kind, standard(std::io::stdin(), path)?, None).await?
    } else {
        let file = tokio::fs::File::open(path).await.map_err(|error| unreadable(path, &error))?;
        let meta = file.metadata().await.map_err(|error| unreadable(path, &error))?;
        if !meta.is_file() {
            return Err(Failure::usage(format!("{} is no file", path.display())));
        }
        api.upload("/api/files", &query, &kind, file, Some(meta.len())).await?
    };
    cx.show(&answer, |_, _| {
        let file = &answer["file"];
        let text = |name: &str| plain(file[name].as_str().unwrap_or_default()).into_owned();
        format!("{} ({}, {} bytes)\n", text("file"), text("name"), file["size"])
    })
}

async fn get(cx: &Cx, api: &Api, FileGet { id, to }: &FileGet) -> Result<Exit, Failure> {
    let path = format!("/api/files/{}", api::part(id));
    let known = api.get(&path, &[]).await?;
    let name = safe_name(known["file"]["name"].as_str().unwrap_or_default());
    let to = to.clone().unwrap_or_else(|| PathBuf::from(name));
    let from = format!("{path}/content");
    if to.as_os_str() == "-" {
        let mut out = BufWriter::new(standard(std::io::stdout(), &to)?);
        api.download(&from, &mut out).await?;
        out.flush().await.map_err(|error| unreadable(&to, &error))?;
        return Ok(Exit::Ok);
    }
    let file = tokio::fs::File::options().write(true).create_new(true).open(&to).await.map_err(|error| unreadable(&to, &error))?;
    let mut out = BufWriter::new(file);
    let mut done = api.download(&from, &mut out).await;
    if done.is_ok() {
        let flushed = out.flush().await;
        let synced = if flushed.is_ok() { out.get_ref().sync_all().await } else { flushed };
        done = synced.map_err(|error| unreadable(&to, &error));
    }
    if let Err(failure) = done {
        // A part must not look like the whole.
        let _ = tokio::fs::remove_file(&to).await;
        return Err(failure);
    }
    let answer = json!({ "file": known["file"], "to": to.display().to_string() });
    cx.show(&answer, |_, _| format!("{} bytes written to {}\n", known["file"]["size"], plain(&to.display().to_string())))
}

async fn list(cx: &Cx, api: &Api, FileList { limit }: &FileList) -> Result<Exit, Failure> {
    let found = api.list("/api/files", "files", &[], *limit as usize).await?;
    let used = api.get("/api/files", &[("limit", "1".to_owned())]).await?["used"].clone();
    let answer = json!({ "files": found, "used": used });
    cx.show(&answer, |style, width| {
        let mut rows = Rows::new(["id", "name", "type", "bytes", "created", "expires"], "there is no file");
        for file in answer["files"].as_array().into_iter().flatten() {
            let text = |name: &str| file[name].as_str().unwrap_or_default().to_owned();
            let expires = if file["expires_at"].is_null() { String::new() } else { moment_of(&file["expires_at"]) };
            rows.add([text("file"), text("name"), text("media_type"), file["size"].to_string(), moment_of(&file["created_at"]), expires]);
        }
        format!("{}\n{} of {} bytes are used, in {} files\n", rows.render(width, style), used["bytes"], used["quota_bytes"], used["files"])
    })
}

async fn remove(cx: &Cx, api: &Api, FileRemove { ids }: &FileRemove) -> Result<Exit, Failure> {
    for id in ids {
        api.delete(&format!("/api/files/{}", api::part(id)), &[]).await?;
    }
    let answer: Value = json!({ "removed": ids });
    cx.show(&answer, |_, _| match ids.len() {
        1 => "removed 1 file\n".to_owned(),
        many => format!("removed {many} files\n"),
    })
}
