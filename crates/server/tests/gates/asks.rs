//! Approvals that are asked by mail, while the process is killed again and again: each question leaves as its one mail, and its link decides.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::client::Client;
use super::clock::{now, pause, wall_ms};
use super::dice::Dice;
use super::process::Server;
use crate::telling::smtp::{Smtp, read};

const QUESTIONS: usize = 60;
const KILLS: usize = 6;

#[test]
fn each_question_is_mailed_and_its_link_decides() {
    let seed = u64::try_from(wall_ms()).unwrap();
    let folder = tempfile::Builder::new().prefix("asks-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut dice = Dice::new(seed);
        let smtp = Smtp::start(&[]).await;
        let mut server = Server::new(folder.path(), &mut dice);
        server.tell("MAINSPRING_SMTP_URL", &format!("smtp://127.0.0.1:{}?tls=none", smtp.port));
        server.tell("MAINSPRING_SMTP_FROM", "m@example.com");
        server.start().await;
        let mut client = Client::new(server.address);
        let params = json!({"message": "Question ${inputs.n}", "to": ["q${inputs.n}@example.com"]});
        let plan = json!({"name": "Asks", "inputs": {"n": {"type": "integer", "required": true}},
            "steps": [{"id": "ask", "action": "logic.approval", "params": params}]});
        let (status, answer) = client.post("/api/plans", &plan).await.unwrap();
        assert_eq!(status, 201, "{answer}");
        let plan = answer["plan"]["id"].as_str().unwrap().to_owned();
        let mut runs = Vec::new();
        for n in 0..QUESTIONS {
            let body = json!({"plan_id": plan, "wait": false, "inputs": {"n": n}});
            let (status, answer) = client.post("/api/execute", &body).await.unwrap();
            assert_eq!(status, 202, "{answer}");
            runs.push(answer["execution"]["id"].as_str().unwrap().to_owned());
            if n % (QUESTIONS / KILLS) == 0 {
                pause(Duration::from_millis(dice.between(0, 30))).await;
                server.kill();
                server.start().await;
                client = Client::new(server.address);
            }
        }
        // A mail of a process that was killed while it delivered is taken up after two minutes; those of which the server knows are enough here.
        let began = now();
        let asked = || smtp.letters().iter().map(|letter| letter.to.clone()).collect::<BTreeSet<_>>();
        while asked().len() < QUESTIONS {
            assert!(
                began.elapsed() < Duration::from_secs(240),
                "{} of {QUESTIONS} were mailed; seed {seed}\n{}",
                asked().len(),
                server.log()
            );
            pause(Duration::from_millis(20)).await;
        }
        let mut links: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for letter in smtp.letters() {
            let text = read(&letter.text);
            let (_, rest) = text.split_once("/api/approval-links/").unwrap_or_else(|| panic!("no link in {text}"));
            let id = text.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap().to_owned();
            links.entry(letter.to).or_default().insert(format!("{id} {}", rest.split_whitespace().next().unwrap()));
        }
        for (at, run) in runs.iter().enumerate() {
            let told = &links[&format!("q{at}@example.com")];
            assert_eq!(told.len(), 1, "seed {seed}: question {at} left as more than one mail: {told:?}");
            let token = told.first().unwrap().split_once(' ').unwrap().1;
            let form = ("content-type", "application/x-www-form-urlencoded");
            let path = format!("/api/approval-links/{token}");
            let (status, _) = client.post_with(&path, ".decision=approve", &[form]).await.unwrap();
            assert_eq!(status, 200, "seed {seed}: question {at}");
            let (status, _) = client.post_with(&path, ".decision=reject", &[form]).await.unwrap();
            assert_eq!(status, 409, "seed {seed}: question {at}");
            let began = now();
            loop {
                let (_, answer) = client.get(&format!("/api/runs/{run}")).await.unwrap();
                if answer["run"]["status"] == json!("success") {
                    assert_eq!(answer["run"]["steps"][0]["port"], json!("approved"), "{answer}");
                    break;
                }
                assert!(began.elapsed() < Duration::from_secs(30), "seed {seed}: run {run} was answered and does not end: {answer}");
                pause(Duration::from_millis(2)).await;
            }
        }
        println!("{QUESTIONS} questions, {KILLS} kills: {} mails taken, each question one", smtp.letters().len());
        server.stop().await;
    });
}
