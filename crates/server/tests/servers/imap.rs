//! A mail server in the test's process: mailboxes whose messages a test puts in, and which it may make anew, break off or answer wrongly.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub const USER: &str = "ada@example.org";
pub const PASSWORD: &str = "correct \"horse\"";

/// A mailbox.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    pub validity: u32,
    pub next: u32,
    pub mails: Vec<Mail>,
}

#[derive(Clone, Debug)]
pub struct Mail {
    pub uid: u32,
    pub bytes: Vec<u8>,
    pub seen: bool,
}

/// What the server holds and how it behaves.
#[derive(Debug, Default)]
pub struct State {
    pub folders: BTreeMap<String, Folder>,
    /// Every line that came, without tags.
    pub asked: Vec<String>,
    /// Of `CAPABILITY`.
    pub capabilities: String,
    /// Gives an answer of its own to a command that begins with this; `{tag}` stands for its tag. Without one the connection ends.
    pub instead: Vec<(&'static str, Option<Vec<u8>>)>,
    /// The connection ends in the middle of every so many bodies.
    pub breaks_each: Option<u32>,
    pub bodies: u32,
    pub read_only: bool,
}

impl State {
    /// Puts a message in; its UID.
    pub fn add(&mut self, folder: &str, bytes: impl Into<Vec<u8>>) -> u32 {
        let folder = self.folders.entry(folder.to_owned()).or_insert(Folder { validity: 1, next: 1, mails: Vec::new() });
        let uid = folder.next;
        folder.next += 1;
        folder.mails.push(Mail { uid, bytes: bytes.into(), seen: false });
        uid
    }

    /// The mailbox as it comes out of a repair: all UIDs are other ones.
    pub fn make_anew(&mut self, folder: &str) {
        let folder = self.folders.get_mut(folder).unwrap();
        folder.validity += 1;
        folder.mails.reverse();
        for (place, mail) in folder.mails.iter_mut().enumerate() {
            mail.uid = u32::try_from(place).unwrap() * 3 + 1;
        }
        folder.next = u32::try_from(folder.mails.len()).unwrap() * 3 + 1;
    }
}

pub struct Imap {
    pub address: SocketAddr,
    pub state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Imap {
    pub async fn start() -> Imap {
        let state = State { capabilities: "IMAP4rev1 AUTH=PLAIN SASL-IR".to_owned(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        state.lock().unwrap().folders.insert("INBOX".to_owned(), Folder { validity: 1, next: 1, mails: Vec::new() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let held = state.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = held.clone();
                tokio::spawn(async move { drop(serve(stream, state, true).await) });
            }
        });
        Imap { address, state, task }
    }

    pub fn add(&self, bytes: impl Into<Vec<u8>>) -> u32 {
        self.state.lock().unwrap().add("INBOX", bytes)
    }

    /// How often a command was asked.
    pub fn count(&self, command: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|line| line.starts_with(command)).count()
    }
}

impl Drop for Imap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A plain message with an id of its own.
pub fn mail(n: usize) -> Vec<u8> {
    format!(
        "From: Bob <bob@example.net>\r\nTo: {USER}\r\nSubject: Order {n}\r\nMessage-ID: <{n}@example.net>\r\n\
         Date: Mon, 2 Nov 2026 09:30:00 +0000\r\n\r\nPlease send {n}.\r\n"
    )
    .into_bytes()
}

/// Serves one connection until it ends. `STARTTLS` is answered, and what speaks TLS then is the caller's.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(stream: S, state: Arc<Mutex<State>>, greets: bool) -> std::io::Result<S> {
    let mut stream = BufReader::new(stream);
    if greets {
        stream.write_all(b"* OK ready\r\n").await?;
    }
    let mut opened: Option<String> = None;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        let (tag, command) = line.split_once(' ').unwrap_or((line, ""));
        let instead = {
            let mut state = state.lock().unwrap();
            state.asked.push(command.to_owned());
            state.instead.iter().find(|(begins, _)| command.starts_with(begins)).cloned()
        };
        if let Some((_, answer)) = instead {
            let Some(answer) = answer else { return Err(std::io::ErrorKind::ConnectionReset.into()) };
            let place = answer.windows(5).position(|some| some == b"{tag}");
            let (before, after) = place.map_or((&answer[..], &b""[..]), |at| (&answer[..at], &answer[at + 5..]));
            stream.write_all(before).await?;
            if place.is_some() {
                stream.write_all(tag.as_bytes()).await?;
            }
            stream.write_all(after).await?;
            stream.flush().await?;
            continue;
        }
        if command == "STARTTLS" {
            stream.write_all(format!("{tag} OK begin\r\n").as_bytes()).await?;
            return Ok(stream.into_inner());
        }
        let mut response = None;
        if command == "AUTHENTICATE PLAIN" || command == "AUTHENTICATE XOAUTH2" {
            stream.write_all(b"+ \r\n").await?;
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            response = Some(line.trim().to_owned());
        }
        let (answer, cut) = answer(&mut state.lock().unwrap(), &mut opened, tag, command, response.as_deref());
        match cut {
            Some(at) => {
                stream.write_all(&answer[..at]).await?;
                stream.shutdown().await?;
                return Err(std::io::ErrorKind::ConnectionReset.into());
            }
            None => stream.write_all(&answer).await?,
        }
        stream.flush().await?;
    }
}

/// The whole answer, and after how many of its bytes the connection breaks off.
fn answer(state: &mut State, opened: &mut Option<String>, tag: &str, command: &str, response: Option<&str>) -> (Vec<u8>, Option<usize>) {
    let done = |said: &str| (format!("{tag} {said}\r\n").into_bytes(), None);
    let words: Vec<&str> = command.split(' ').collect();
    match words[0] {
        "CAPABILITY" => (format!("* CAPABILITY {}\r\n{tag} OK\r\n", state.capabilities).into_bytes(), None),
        "LOGIN" if command == format!("LOGIN \"{USER}\" \"{}\"", PASSWORD.replace('"', "\\\"")) => done("OK in"),
        "AUTHENTICATE" => {
            let given = response.or(words.get(2).copied()).unwrap_or_default();
            let plain = base64(format!("\0{USER}\0{PASSWORD}").as_bytes());
            let token = base64(format!("user={USER}\x01auth=Bearer token-1\x01\x01").as_bytes());
            if given == plain || given == token { done("OK in") } else { done("NO [AUTHENTICATIONFAILED] Invalid credentials") }
        }
        "LOGIN" => done("NO [AUTHENTICATIONFAILED] Invalid credentials"),
        "LIST" => {
            let names = state.folders.keys().map(|name| format!("* LIST (\\HasNoChildren) \"/\" \"{name}\"\r\n"));
            (format!("* LIST (\\Noselect) \"/\" \"[All]\"\r\n{}{tag} OK\r\n", names.collect::<String>()).into_bytes(), None)
        }
        "SELECT" | "EXAMINE" => {
            let name = command.split_once('"').map(|(_, name)| name.trim_end_matches('"').to_owned()).unwrap_or_default();
            let Some(folder) = state.folders.get(&name) else { return done("NO [NONEXISTENT] no such mailbox") };
            let access = if words[0] == "SELECT" && !state.read_only { "READ-WRITE" } else { "READ-ONLY" };
            let lines = format!(
                "* FLAGS (\\Seen)\r\n* {} EXISTS\r\n* OK [UIDVALIDITY {}] so\r\n* OK [UIDNEXT {}] next\r\n{tag} OK [{access}] open\r\n",
                folder.mails.len(),
                folder.validity,
                folder.next
            );
            *opened = Some(name);
            (lines.into_bytes(), None)
        }
        "LOGOUT" => (format!("* BYE see you\r\n{tag} OK\r\n").into_bytes(), None),
        "UID" | "FETCH" => match opened.clone() {
            Some(name) => of_messages(state, &name, tag, command, &words),
            None => done("BAD open one first"),
        },
        _ => done("BAD what?"),
    }
}

fn of_messages(state: &mut State, name: &str, tag: &str, command: &str, words: &[&str]) -> (Vec<u8>, Option<usize>) {
    let (mut bodies, breaks_each) = (state.bodies, state.breaks_each);
    let folder = state.folders.get_mut(name).unwrap();
    let by_uid = words[0] == "UID";
    let (verb, set) = if by_uid { (words[1], words[if words[1] == "SEARCH" { 3 } else { 2 }]) } else { (words[0], words[1]) };
    let largest = if by_uid { folder.mails.last().map_or(0, |mail| mail.uid) } else { u32::try_from(folder.mails.len()).unwrap() };
    let mut out = Vec::new();
    let mut cut = None;
    let mut found = Vec::new();
    for (place, mail) in folder.mails.iter_mut().enumerate() {
        let number = if by_uid { mail.uid } else { u32::try_from(place).unwrap() + 1 };
        if !contains(set, number, largest) {
            continue;
        }
        found.push(mail.uid.to_string());
        match verb {
            "FETCH" => {
                let seen = if mail.seen { "\\Seen" } else { "" };
                out.extend(format!("* {} FETCH (UID {} FLAGS ({seen})", place + 1, mail.uid).into_bytes());
                if command.contains("RFC822.SIZE") {
                    let id = String::from_utf8_lossy(&mail.bytes).lines().find(|line| line.starts_with("Message-ID:")).map(str::to_owned);
                    let header = format!("{}\r\n\r\n", id.unwrap_or_default());
                    let size = mail.bytes.len();
                    // Later than any look: what came in long before one counts as seen when numbers change.
                    out.extend(format!(" RFC822.SIZE {size} INTERNALDATE \"02-Nov-2096 09:30:05 +0000\"").into_bytes());
                    out.extend(format!(" BODY[HEADER.FIELDS (MESSAGE-ID)] {{{}}}\r\n{header}", header.len()).into_bytes());
                } else {
                    let end = mail.bytes.windows(4).position(|some| some == b"\r\n\r\n").map_or(mail.bytes.len(), |at| at + 4);
                    let (what, bytes) = if command.contains("[HEADER]") { ("HEADER", &mail.bytes[..end]) } else { ("", &mail.bytes[..]) };
                    out.extend(format!(" BODY[{what}] {{{}}}\r\n", bytes.len()).into_bytes());
                    bodies += 1;
                    if breaks_each.is_some_and(|each| bodies.is_multiple_of(each)) {
                        cut = Some(out.len() + bytes.len() / 2);
                    }
                    out.extend(bytes);
                }
                out.extend(b")\r\n");
            }
            "STORE" => mail.seen = true,
            _ => {}
        }
    }
    // A range of which nothing is there names its last message all the same.
    if verb == "SEARCH" {
        out.extend(format!("* SEARCH {}\r\n", found.join(" ")).into_bytes());
    }
    out.extend(format!("{tag} OK done\r\n").into_bytes());
    state.bodies = bodies;
    (out, cut)
}

/// `4:*`, `3,7,9`: as RFC 3501 reads it.
fn contains(set: &str, number: u32, largest: u32) -> bool {
    let one = |text: &str| if text == "*" { largest } else { text.parse().unwrap() };
    set.split(',').any(|part| match part.split_once(':') {
        Some((from, to)) => (one(from).min(one(to))..=one(from).max(one(to))).contains(&number),
        None => one(part) == number,
    })
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[((bits >> (18 - 6 * place)) & 63) as usize];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
