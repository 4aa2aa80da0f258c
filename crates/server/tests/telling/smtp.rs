//! A mail server of a hundred lines: it takes what it is told to take, refuses what it is told to refuse, and shows what came.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    pub from: String,
    pub to: String,
    /// Head and body, as they were sent.
    pub text: String,
}

#[derive(Default)]
struct Desk {
    letters: Vec<Letter>,
    /// Answers to the next recipients, before it takes them.
    refusals: Vec<&'static str>,
    /// Lines that asked to log in.
    logins: Vec<String>,
}

pub struct Smtp {
    pub port: u16,
    desk: Arc<Mutex<Desk>>,
    task: JoinHandle<()>,
}

impl Smtp {
    /// It has no TLS, offers logging in, and answers the first recipients with `refusals`.
    pub async fn start(refusals: &[&'static str]) -> Smtp {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let desk = Arc::new(Mutex::new(Desk { refusals: refusals.iter().rev().copied().collect(), ..Desk::default() }));
        let task = tokio::spawn({
            let desk = desk.clone();
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, desk.clone()));
                }
            }
        });
        Smtp { port, desk, task }
    }

    pub fn letters(&self) -> Vec<Letter> {
        self.desk.lock().unwrap().letters.clone()
    }

    pub fn logins(&self) -> Vec<String> {
        self.desk.lock().unwrap().logins.clone()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, desk: Arc<Mutex<Desk>>) -> Option<()> {
    let (reading, mut writing) = stream.split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"220 test ESMTP\r\n").await.ok()?;
    let mut letter = Letter { from: String::new(), to: String::new(), text: String::new() };
    while let Some(line) = lines.next_line().await.ok()? {
        let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer = match word.as_str() {
            "EHLO" => "250-test\r\n250 AUTH PLAIN".to_owned(),
            "AUTH" => {
                desk.lock().unwrap().logins.push(line);
                "235 welcome".to_owned()
            }
            "MAIL" => {
                letter.from = between(&line);
                "250 ok".to_owned()
            }
            "RCPT" => {
                letter.to = between(&line);
                desk.lock().unwrap().refusals.pop().unwrap_or("250 ok").to_owned()
            }
            "DATA" => {
                writing.write_all(b"354 go on\r\n").await.ok()?;
                letter.text.clear();
                while let Some(line) = lines.next_line().await.ok()?.filter(|line| line != ".") {
                    letter.text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    letter.text.push('\n');
                }
                desk.lock().unwrap().letters.push(letter.clone());
                "250 taken".to_owned()
            }
            "QUIT" => {
                writing.write_all(b"221 bye\r\n").await.ok()?;
                return Some(());
            }
            _ => "250 ok".to_owned(),
        };
        writing.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
    }
    Some(())
}

fn between(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

/// A mail's text as it is read: without what SMTP adds at the ends of lines.
pub fn read(text: &str) -> String {
    text.replace("=\r\n", "").replace("=\n", "").replace("=3D", "=")
}
