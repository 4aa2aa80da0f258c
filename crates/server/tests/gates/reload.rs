//! Plan files while the server runs: an edit is in force within a second, a broken one keeps the last good version and is told, and a
//! kill in between loses neither.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::clock::{now, pause, wall_ms};
use super::dice::Dice;
use super::process::Server;

const EDITS: usize = 12;
/// For what must come at all, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

fn says(name: &str, text: &str) -> String {
    format!(
        "# a comment\nname: {name}\ntriggers: [{{type: webhook, path: {name}, respond: last_step}}]\nsteps: [{{id: a, action: logic.set, params: {{said: {text}}}}}]\n"
    )
}

/// As editors save: beside, and then in its place.
fn save(folder: &Path, file: &str, text: &str) {
    let beside = folder.join(format!(".{}.part", file.replace('/', "-")));
    fs::write(&beside, text).unwrap();
    fs::rename(beside, folder.join(file)).unwrap();
}

async fn said(client: &mut Client, name: &str) -> Value {
    match client.post(&format!("/api/webhook/{name}"), &json!({})).await {
        Ok((_, answer)) => answer["said"].clone(),
        Err(_) => Value::Null,
    }
}

/// Until `wanted` holds of what is at `path`.
async fn until(client: &mut Client, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = now();
    loop {
        let (_, answer) = client.get(path).await.unwrap();
        if wanted(&answer) {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{path} stays {answer}");
        pause(Duration::from_millis(10)).await;
    }
}

fn of(files: &Value, file: &str) -> Value {
    files["files"].as_array().unwrap().iter().find(|one| one["file"] == file).cloned().unwrap_or_default()
}

#[test]
fn edits_are_in_force_within_a_second_and_broken_ones_are_told() {
    let seed = u64::try_from(wall_ms()).unwrap();
    let folder = tempfile::Builder::new().prefix("reload-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let plans = folder.path().join("plans");
    fs::create_dir(&plans).unwrap();
    save(&plans, "one.yaml", &says("one", "first"));
    save(&plans, "two.yaml", &says("two", "here"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut server = Server::new(folder.path(), &mut Dice::new(seed));
        server.tell("MAINSPRING_PLANS_DIR", &plans.display().to_string());
        server.start().await;
        let mut client = Client::new(server.address);
        assert_eq!(said(&mut client, "one").await, "first", "what lies there is in force when the port opens");

        let mut took = Vec::new();
        for edit in 0..EDITS {
            let text = format!("edit{edit}");
            save(&plans, "one.yaml", &says("one", &text));
            let began = now();
            while said(&mut client, "one").await != text.as_str() {
                assert!(began.elapsed() < PATIENCE, "{text} is not in force:\n{}", server.log());
                pause(Duration::from_millis(5)).await;
            }
            took.push(began.elapsed());
        }
        took.sort_unstable();
        println!("reload: median {:?}, longest {:?} of {EDITS} edits", took[EDITS / 2], took[EDITS - 1]);
        assert!(took[EDITS / 2] <= Duration::from_secs(1), "{took:?}");

        // Broken: what was there stays, and it is told with its place.
        save(&plans, "one.yaml", "name: one\nstepz: []\nsteps: []\n");
        let files = until(&mut client, "/api/plan-files", |files| of(files, "one.yaml")["state"] == "broken").await;
        let error = &of(&files, "one.yaml")["errors"][0];
        assert_eq!((&error["code"], &error["line"], &error["column"]), (&json!("UNKNOWN_FIELD"), &json!(2), &json!(1)), "{error}");
        assert_eq!(said(&mut client, "one").await, format!("edit{}", EDITS - 1));
        let (status, ready) = client.get("/health/readiness").await.unwrap();
        assert_eq!((status, &ready["checks"]["plan_files"]), (200, &json!("warning")), "{ready}");
        assert_eq!((&ready["broken_plan_files"][0]["file"], &ready["broken_plan_files"][0]["line"]), (&json!("one.yaml"), &json!(2)));

        // Killed while it is broken, mended while nobody looks, one removed and one new: all is as the folder says.
        server.kill();
        save(&plans, "one.yaml", &says("one", "mended"));
        fs::remove_file(plans.join("two.yaml")).unwrap();
        save(&plans, "three.yaml", &says("three", "new"));
        server.start().await;
        let mut client = Client::new(server.address);
        assert_eq!((said(&mut client, "one").await, said(&mut client, "three").await), (json!("mended"), json!("new")));
        assert_eq!(said(&mut client, "two").await, Value::Null, "its file is gone");
        let (_, list) = client.get("/api/plans").await.unwrap();
        let two = list["plans"].as_array().unwrap().iter().find(|plan| plan["name"] == "two").cloned().unwrap();
        assert_eq!((&two["version"], &two["draft"]), (&json!(0), &json!(1)), "it rests, with what it was");

        // Edited and killed at once: it is there after the next start.
        for (round, text) in ["k1", "k2", "k3", "k4"].into_iter().enumerate() {
            save(&plans, "one.yaml", &says("one", text));
            pause(Duration::from_millis(170 * u64::try_from(round).unwrap())).await;
            server.kill();
            server.start().await;
            let mut client = Client::new(server.address);
            assert_eq!(said(&mut client, "one").await, text);
        }

        // What comes back is in force again; what is changed by hand belongs to the file, until it is detached.
        let mut client = Client::new(server.address);
        save(&plans, "two.yaml", &says("two", "back"));
        until(&mut client, "/api/plan-files", |files| of(files, "two.yaml")["state"] == "loaded").await;
        assert_eq!(said(&mut client, "two").await, "back");
        let path = format!("/api/plans/{}", two["id"].as_str().unwrap());
        let (status, refused) = client.send("PUT", &path, Some(&json!({"name": "two", "steps": []})), None).await.unwrap();
        assert_eq!((status, &refused["code"]), (409, &json!("PLAN_FROM_FILE")), "{refused}");
        assert_eq!(client.post(&format!("{path}/detach"), &json!({})).await.unwrap().0, 200);
        save(&plans, "two.yaml", &says("two", "unheard"));
        until(&mut client, "/api/plan-files", |files| of(files, "two.yaml")["state"] == "detached").await;
        assert_eq!(said(&mut client, "two").await, "back");
        let (status, _) = client.send("PUT", &path, Some(&json!({"name": "two", "steps": []})), None).await.unwrap();
        assert_eq!(status, 200);

        // Two files of one name: the first has it, the other says so; and the folder may go away for a while.
        save(&plans, "zz.yaml", &says("one", "thief"));
        let files = until(&mut client, "/api/plan-files", |files| of(files, "zz.yaml")["state"] == "broken").await;
        assert_eq!(of(&files, "zz.yaml")["errors"][0]["code"], "CONFLICT");
        fs::rename(&plans, folder.path().join("away")).unwrap();
        until(&mut client, "/api/plan-files", |files| files["trouble"].is_string()).await;
        assert_eq!(said(&mut client, "one").await, "k4", "what was loaded stays");
        server.kill();
    });
}
