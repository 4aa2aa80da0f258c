//! Mailboxes over a real connection: what is found in them, how somebody logs in, and servers that lie, stall or break off.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mainspring_model::Fault;
use mainspring_model::catalog::Verify;
use mainspring_model::credential::{Credential, Secret};
use mainspring_model::file::{FileValue, FileWriter, Files, NewFile};
use mainspring_model::id::{FileId, OrgId};
use mainspring_model::mailbox::{Listed, Mailbox, Mailboxes};
use mainspring_providers::apart::Apart;
use mainspring_providers::egress::{AllowedHost, Egress, Mode, Policy};
use mainspring_providers::imap::{ImapServers, Limits};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::net::{Attempt, Names, dev};

#[path = "../../server/tests/servers/imap.rs"]
mod server;

use server::{Imap, PASSWORD, USER, mail};

fn credential(fields: &[(&str, &str)]) -> Credential {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
    Credential { id: None, provider: "imap".to_owned(), name: "inbox".to_owned(), fields, hosts: Vec::new() }
}

fn of(imap: &Imap) -> Credential {
    let port = imap.address.port().to_string();
    credential(&[("host", "127.0.0.1"), ("port", &port), ("username", USER), ("password", PASSWORD), ("security", "none")])
}

fn quick() -> Limits {
    let short = Duration::from_millis(300);
    Limits { command: short, message: short, goodbye: short, ..Limits::default() }
}

fn servers(limits: Limits) -> ImapServers {
    ImapServers::within(dev(), Apart::here(), limits)
}

async fn open(credential: &Credential, mailbox: &str, marks: bool) -> Result<Box<dyn Mailbox>, Fault> {
    servers(Limits::default()).open(OrgId::LOCAL, credential, mailbox, marks).await
}

struct NoFiles;

#[async_trait]
impl Files for NoFiles {
    async fn create(&self, _: NewFile) -> Result<Box<dyn FileWriter>, Fault> {
        unreachable!()
    }
    async fn find(&self, _: FileId) -> Result<FileValue, Fault> {
        unreachable!()
    }
    async fn read(&self, _: &FileValue, _: u32) -> Result<Vec<u8>, Fault> {
        unreachable!()
    }
    async fn list(&self, _: u32) -> Result<Vec<FileValue>, Fault> {
        unreachable!()
    }
    async fn delete(&self, _: FileId) -> Result<bool, Fault> {
        unreachable!()
    }
}

fn uids(list: &[Listed]) -> Vec<u32> {
    list.iter().map(|one| one.uid).collect()
}

#[tokio::test]
async fn messages_are_listed_read_and_marked() {
    let imap = Imap::start().await;
    for n in 1..=7 {
        imap.add(mail(n));
    }
    imap.state.lock().unwrap().folders.get_mut("INBOX").unwrap().mails.remove(2);
    let mut mailbox = open(&of(&imap), "INBOX", true).await.unwrap();
    assert_eq!((mailbox.state().uid_validity, mailbox.state().uid_next), (1, Some(8)));
    assert_eq!(uids(&mailbox.list(0, 3).await.unwrap()), [1, 2, 4]);
    assert_eq!(uids(&mailbox.list(4, 100).await.unwrap()), [5, 6, 7]);
    assert_eq!(uids(&mailbox.list(7, 100).await.unwrap()), [0; 0]);
    assert_eq!(uids(&mailbox.last(2).await.unwrap()), [6, 7]);
    let list = mailbox.list(4, 1).await.unwrap();
    let one = Listed {
        uid: 5,
        size: mail(5).len() as u64,
        received_at: Some(4_002_687_005_000),
        seen: false,
        message_id: "<5@example.net>".to_owned(),
    };
    assert_eq!(list, [one]);
    let message = mailbox.read(&list[0], &NoFiles, 1).await.unwrap().unwrap();
    let shown = |name: &str| message.fields[name].clone();
    assert_eq!(
        (shown("subject"), shown("text"), shown("date")),
        (json!("Order 5"), json!("Please send 5."), json!("2026-11-02T09:30:00Z"))
    );
    assert_eq!(shown("from"), json!({"name": "Bob", "address": "bob@example.net"}));
    imap.state.lock().unwrap().folders.get_mut("INBOX").unwrap().mails.retain(|mail| mail.uid != 5);
    assert_eq!(mailbox.read(&list[0], &NoFiles, 1).await.unwrap(), None, "it is gone");
    mailbox.mark_seen(&[1, 7]).await.unwrap();
    mailbox.close().await;
    {
        let mut state = imap.state.lock().unwrap();
        let seen: Vec<u32> = state.folders["INBOX"].mails.iter().filter(|mail| mail.seen).map(|mail| mail.uid).collect();
        assert_eq!(seen, [1, 7]);
        assert!(state.asked.iter().all(|line| !line.contains("BODY[")), "nothing is marked by reading: {:?}", state.asked);
        state.make_anew("INBOX");
    }
    let anew = open(&of(&imap), "INBOX", false).await.unwrap().state();
    assert_eq!((anew.uid_validity, anew.uid_next), (2, Some(16)));
}

#[tokio::test]
async fn a_mailbox_that_is_only_looked_at_is_opened_so() {
    let imap = Imap::start().await;
    let mut mailbox = open(&of(&imap), "INBOX", false).await.unwrap();
    assert_eq!((uids(&mailbox.list(0, 9).await.unwrap()), uids(&mailbox.last(9).await.unwrap())), (vec![], vec![]));
    assert_eq!((imap.count("EXAMINE"), imap.count("SELECT")), (1, 0));
    imap.state.lock().unwrap().add("Bestellungen/M&APw-ll", mail(1));
    assert_eq!(uids(&open(&of(&imap), "Bestellungen/Müll", false).await.unwrap().list(0, 9).await.unwrap()), [1]);
    let fault = open(&of(&imap), "Nothing", false).await.map(drop).unwrap_err();
    assert_eq!(fault.code.as_str(), "MAILBOX_NOT_FOUND");
    assert_eq!(fault.message, "there is no mailbox \"Nothing\"; there are Bestellungen/Müll, INBOX");
    imap.state.lock().unwrap().read_only = true;
    assert_eq!(open(&of(&imap), "INBOX", true).await.map(drop).unwrap_err().code.as_str(), "MAILBOX_READ_ONLY");
}

#[tokio::test]
async fn somebody_logs_in_as_the_server_wants_it() {
    let imap = Imap::start().await;
    for (capabilities, command) in
        [("IMAP4rev1 AUTH=PLAIN SASL-IR", "AUTHENTICATE PLAIN "), ("IMAP4rev1 auth=plain", "AUTHENTICATE PLAIN"), ("IMAP4rev1", "LOGIN")]
    {
        imap.state.lock().unwrap().capabilities = capabilities.to_owned();
        open(&of(&imap), "INBOX", false).await.unwrap();
        assert_eq!(imap.count(command), 1, "{capabilities}: {:?}", imap.state.lock().unwrap().asked);
        imap.state.lock().unwrap().asked.clear();
    }
    let mut token = of(&imap);
    token.fields.insert("access_token".to_owned(), Secret::new("token-1"));
    open(&token, "INBOX", false).await.unwrap();
    for (field, value) in [("password", "wrong"), ("password", "falsch wie Öl"), ("access_token", "token-2")] {
        let mut wrong = of(&imap);
        wrong.fields.insert(field.to_owned(), Secret::new(value));
        let fault = open(&wrong, "INBOX", false).await.map(drop).unwrap_err();
        assert_eq!((fault.code.as_str(), fault.class), ("LOGIN_REFUSED", mainspring_model::Class::Auth), "{fault}");
        assert!(fault.message.contains("Invalid credentials") && !fault.message.contains(value), "{fault}");
    }
    let said = async |fields: &[(&str, &str)]| open(&credential(fields), "INBOX", false).await.map(drop).unwrap_err().to_string();
    assert!(said(&[("username", "a"), ("password", "b")]).await.contains("has no host"));
    assert!(said(&[("host", "h"), ("password", "b")]).await.contains("has no username"));
    assert!(said(&[("host", "h"), ("username", "b")]).await.contains("has no password"));
    assert!(said(&[("host", "h"), ("username", "b"), ("password", "c"), ("port", "0")]).await.contains("from 1 to 65535"));
    assert!(said(&[("host", "h"), ("username", "b"), ("password", "c"), ("security", "x")]).await.contains("tls, starttls or none"));
    assert!(said(&[("host", "h"), ("username", "b"), ("password", "c\r\nA9 DELETE INBOX")]).await.contains("control characters"));
    assert!(said(&[("host", "a b"), ("username", "b"), ("password", "c")]).await.starts_with("INVALID_PARAMS"));
}

#[tokio::test]
async fn a_credential_is_tried_by_logging_in() {
    let imap = Imap::start().await;
    let provider = mainspring_providers::imap::provider(dev());
    let Some(Verify::Call(action)) = &provider.verify else { panic!("it can be tried") };
    let mut attempt = Attempt::new();
    attempt.cx.credential = Some(of(&imap));
    action.call(json!({}), &attempt.cx).await.unwrap();
    assert_eq!((imap.count("LOGOUT"), imap.count("EXAMINE")), (1, 0));
    attempt.cx.credential.as_mut().unwrap().fields.insert("password".to_owned(), Secret::new("x"));
    assert_eq!(action.call(json!({}), &attempt.cx).await.unwrap_err().code.as_str(), "LOGIN_REFUSED");
}

#[tokio::test]
async fn the_rules_of_what_leaves_hold() {
    let imap = Imap::start().await;
    let port = imap.address.port();
    let open = async |egress: Egress, credential: &Credential| {
        ImapServers::new(Arc::new(egress), Apart::here()).open(OrgId::LOCAL, credential, "INBOX", false).await.map(drop)
    };
    let strict = || Egress::new(Policy::new(Mode::Strict));
    for host in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "::1", "169.254.169.254", "127.0.0.1."] {
        let mut credential = of(&imap);
        credential.fields.insert("host".to_owned(), Secret::new(host));
        let fault = open(strict(), &credential).await.unwrap_err();
        assert_eq!(fault.code.as_str(), "BLOCKED_ADDRESS", "{host}: {fault}");
    }
    // Judged in the answer that is connected to, every address of it.
    let named = |host: &str| {
        let mut credential = of(&imap);
        credential.fields.insert("host".to_owned(), Secret::new(host));
        credential
    };
    let names = Names::new().with("mail.test", &[&["8.8.8.8", "127.0.0.1"]]);
    let fault = open(Egress::with_lookup(Policy::new(Mode::Strict), Arc::new(names)), &named("mail.test")).await.unwrap_err();
    assert_eq!(fault.code.as_str(), "BLOCKED_ADDRESS");
    let listed = |entry: String| {
        let names = Names::new().with("mail.test", &[&["127.0.0.1"]]);
        let mode = Mode::AllowList(vec![entry.parse::<AllowedHost>().unwrap()]);
        Egress::with_lookup(Policy::new(mode), Arc::new(names))
    };
    open(listed(format!("mail.test:{port}")), &named("mail.test")).await.unwrap();
    assert_eq!(open(listed("mail.test:1".to_owned()), &named("mail.test")).await.unwrap_err().code.as_str(), "BLOCKED_ADDRESS");
    let own = Egress::new(Policy { own: vec![imap.address], ..Policy::new(Mode::Dev) });
    assert_eq!(open(own, &of(&imap)).await.unwrap_err().code.as_str(), "BLOCKED_ADDRESS", "the server itself");
    let of_org = listed(format!("mail.test:{port}"));
    of_org.set_rules(vec![(OrgId::LOCAL, vec!["other.test".parse().unwrap()])]);
    assert_eq!(open(of_org, &named("mail.test")).await.unwrap_err().code.as_str(), "BLOCKED_ADDRESS", "the organization's list");
    let bound = Credential { hosts: vec!["imap.example.com".to_owned()], ..of(&imap) };
    let before = imap.count("");
    assert_eq!(open(Egress::new(Policy::new(Mode::Dev)), &bound).await.unwrap_err().code.as_str(), "CREDENTIAL_HOST");
    assert_eq!(imap.count(""), before, "nothing was said");
}

#[tokio::test]
async fn no_password_goes_in_the_clear() {
    // A place that is not this machine, as far as anybody can tell: nobody listens, so nothing may be sent to find out.
    let imap = Imap::start().await;
    let mut plain = of(&imap);
    plain.fields.insert("security".to_owned(), Secret::new("starttls"));
    let fault = open(&plain, "INBOX", false).await.map(drop).unwrap_err();
    assert_eq!(fault.code.as_str(), "TLS_FAILED", "{fault}");
    assert!(fault.message.contains("does not offer STARTTLS"), "{fault}");
    imap.state.lock().unwrap().capabilities = "IMAP4rev1 STARTTLS".to_owned();
    imap.state.lock().unwrap().instead = vec![("STARTTLS", Some(b"{tag} OK begin\r\n* OK injected\r\n".to_vec()))];
    let fault = open(&plain, "INBOX", false).await.map(drop).unwrap_err();
    assert!(fault.code.as_str() == "TLS_FAILED" || fault.message.contains("more before TLS began"), "{fault}");
    assert_eq!((imap.count("LOGIN"), imap.count("AUTHENTICATE")), (0, 0));
    let mut tls = of(&imap);
    tls.fields.insert("security".to_owned(), Secret::new("tls"));
    let fault = servers(quick()).open(OrgId::LOCAL, &tls, "INBOX", false).await.map(drop).unwrap_err();
    assert!(matches!(fault.code.as_str(), "TLS_FAILED" | "TIMEOUT"), "{fault}");
    imap.state.lock().unwrap().capabilities = "IMAP4rev1 LOGINDISABLED".to_owned();
    let fault = open(&of(&imap), "INBOX", false).await.map(drop).unwrap_err();
    assert_eq!((fault.code.as_str(), imap.count("LOGIN")), ("PROVIDER_ERROR", 0));
}

#[tokio::test]
async fn tls_at_once_and_after_a_word() {
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
    let made = rcgen::generate_simple_self_signed(vec!["mail.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![made.cert.der().clone()], key).unwrap()));
    let imap = Imap::start().await;
    imap.add(mail(1));
    imap.state.lock().unwrap().capabilities = "IMAP4rev1 STARTTLS".to_owned();
    for security in ["tls", "starttls"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let (state, acceptor) = (imap.state.clone(), acceptor.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let stream = match security {
                    "tls" => stream,
                    _ => match server::serve(stream, state.clone(), true).await {
                        Ok(stream) => stream,
                        Err(_) => continue,
                    },
                };
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                drop(server::serve(stream, state.clone(), security == "tls").await);
            }
        });
        let fields = [("host", "mail.test"), ("port", &port), ("username", USER), ("password", PASSWORD), ("security", security)];
        let policy = |roots| Policy { extra_roots: roots, ..Policy::new(Mode::Dev) };
        let open = async |names: &str, roots: Vec<Vec<u8>>, fields: &[(&str, &str)]| {
            let names = Names::new().with(names, &[&["127.0.0.1"]]);
            let egress = Egress::with_lookup(policy(roots), Arc::new(names));
            ImapServers::new(Arc::new(egress), Apart::here()).open(OrgId::LOCAL, &credential(fields), "INBOX", false).await
        };
        let trusted = vec![made.cert.pem().into_bytes()];
        let mut mailbox = open("mail.test", trusted.clone(), &fields).await.unwrap();
        assert_eq!(uids(&mailbox.list(0, 9).await.unwrap()), [1], "{security}");
        mailbox.close().await;
        let logins = imap.count("LOGIN");
        let stranger = super::net::unrelated_root();
        let fault = open("mail.test", vec![stranger], &fields).await.map(drop).unwrap_err();
        assert_eq!(fault.code.as_str(), "TLS_FAILED", "{security}: {fault}");
        let other = [("host", "other.test"), fields[1], fields[2], fields[3], fields[4]];
        let fault = open("other.test", trusted, &other).await.map(drop).unwrap_err();
        assert!(fault.message.contains("another host name"), "{security}: {fault}");
        assert_eq!(imap.count("LOGIN"), logins, "no password for a stranger");
    }
}

/// What happens when a command that begins so is answered so.
async fn answered(command: &'static str, answer: Option<Vec<u8>>) -> Result<Value, Fault> {
    let imap = Imap::start().await;
    imap.add(mail(1));
    imap.state.lock().unwrap().instead = vec![(command, answer)];
    let limits = Limits { responses: 1_000, discarded: 1 << 20, search: 1_000_000, ..quick() };
    let mut mailbox = servers(limits).open(OrgId::LOCAL, &of(&imap), "INBOX", true).await?;
    let there = mailbox.last(10).await?;
    let list = mailbox.list(0, 10).await?;
    let one = list.first().cloned().unwrap_or(Listed { uid: 1, size: 1, received_at: None, seen: false, message_id: String::new() });
    let message = mailbox.read(&one, &NoFiles, 1).await?;
    mailbox.mark_seen(&[1]).await?;
    mailbox.close().await;
    Ok(json!({"last": uids(&there), "list": uids(&list), "subject": message.map(|message| message.fields["subject"].clone())}))
}

#[tokio::test]
async fn servers_that_are_not_what_they_should_be() {
    let long = |text: &[u8], times: usize| Some(text.repeat(times));
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let cases: Vec<(&'static str, Option<Vec<u8>>, &str, &str)> = vec![
        ("CAPABILITY", None, "CONNECTION_FAILED", "lost"),
        ("CAPABILITY", bytes(""), "TIMEOUT", "did not answer within"),
        ("CAPABILITY", bytes("{tag} MAYBE\r\n"), "BAD_RESPONSE", "ended a command with \"MAYBE\""),
        ("CAPABILITY", bytes("Z9 OK done\r\n"), "BAD_RESPONSE", "answers nothing that was asked"),
        ("CAPABILITY", bytes("* BYE overloaded\r\n"), "CONNECTION_FAILED", "ended the connection: \"overloaded\""),
        ("CAPABILITY", bytes("{tag} BAD no\r\n"), "PROVIDER_ERROR", "\"no\""),
        ("CAPABILITY", long(b"* CAPABILITY X\r\n", 2_000), "BAD_RESPONSE", "more than 1000 lines"),
        ("CAPABILITY", long(b"x", 200_000), "BAD_RESPONSE", "a line of more than"),
        ("AUTHENTICATE", long(b"+ more\r\n", 10), "BAD_RESPONSE", "asks for ever"),
        ("AUTHENTICATE", bytes("* BYE too many\r\n"), "CONNECTION_FAILED", "too many"),
        ("AUTHENTICATE", bytes("{tag} NO [UNAVAILABLE] later\r\n"), "PROVIDER_ERROR", "at the moment"),
        ("SELECT", bytes("* 1 EXISTS\r\n{tag} OK done\r\n"), "BAD_RESPONSE", "UIDVALIDITY"),
        ("SELECT", bytes("* 99999999999 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n{tag} OK done\r\n"), "BAD_RESPONSE", "more messages"),
        ("SELECT", bytes("* OK [UIDVALIDITY 0] x\r\n{tag} OK done\r\n"), "BAD_RESPONSE", "UIDVALIDITY"),
        ("SELECT", bytes("{tag} NO in use\r\n"), "PROVIDER_ERROR", "\"in use\""),
        ("FETCH", bytes("* 1 FETCH (UID 1 RFC822.SIZE 3\r\n{tag} OK\r\n"), "BAD_RESPONSE", "does not close"),
        ("FETCH", bytes("* 1 FETCH (UID 1 X {99999999}\r\n"), "BAD_RESPONSE", "more than are read"),
        ("FETCH", long(b"* 1 FETCH ((((((((((((((((((((((((((((\r\n", 1), "TIMEOUT", "did not answer"),
        ("UID SEARCH", bytes("{tag} BAD syntax\r\n"), "PROVIDER_ERROR", "look for messages"),
        ("UID SEARCH", bytes("+ more\r\n"), "BAD_RESPONSE", "asks for more"),
        ("UID SEARCH", Some([b"* SEARCH".to_vec(), b" 1".repeat(1_000_000)].concat()), "BAD_RESPONSE", "a line of more than"),
        ("UID FETCH", bytes("{tag} NO gone\r\n"), "PROVIDER_ERROR", "\"gone\""),
        ("UID FETCH", bytes("* 1 FETCH (UID 1 BODY[] {50}\r\nhalf"), "TIMEOUT", "did not answer"),
        ("UID STORE", bytes("{tag} NO not yours\r\n"), "PROVIDER_ERROR", "mark messages as seen"),
    ];
    for (command, answer, code, said) in cases {
        let shown = answer.as_ref().map(|answer| String::from_utf8_lossy(&answer[..answer.len().min(60)]).into_owned());
        let fault = answered(command, answer).await.expect_err(command);
        assert_eq!((fault.code.as_str(), fault.message.contains(said)), (code, true), "{command} {shown:?}: {fault}");
        assert!(!fault.message.contains("horse") && fault.message.len() < 600, "{fault}");
    }
}

#[tokio::test]
async fn what_is_odd_and_harmless_is_passed_over() {
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    let good = json!({"last": [1], "list": [1], "subject": "Order 1"});
    assert_eq!(answered("NOTHING", None).await.unwrap(), good);
    assert_eq!(answered("LOGOUT", None).await.unwrap(), good, "nobody waits for a goodbye");
    let none = json!({"last": [1], "list": [], "subject": "Order 1"});
    assert_eq!(answered("UID SEARCH", bytes("* SEARCH\r\n* 5 EXISTS\r\n{tag} OK\r\n")).await.unwrap(), none);
    assert_eq!(answered("UID SEARCH", bytes("{tag} OK\r\n")).await.unwrap(), none);
    assert_eq!(answered("UID SEARCH", bytes("* SEARCH 0 x 99999999999 7\r\n{tag} OK\r\n")).await.unwrap(), none, "none of these is there");
    let other = "* 1 FETCH (FLAGS (\\Seen))\r\n* 9 EXPUNGE\r\n{tag} OK\r\n";
    assert_eq!(answered("FETCH", bytes(other)).await.unwrap(), json!({"last": [], "list": [1], "subject": "Order 1"}));
}

#[tokio::test]
async fn a_message_that_is_too_large_gives_its_header() {
    let imap = Imap::start().await;
    let large = [b"Subject: Large\r\nX: 1\r\n\r\n".to_vec(), vec![b'x'; 50_000]].concat();
    imap.add(large.clone());
    let limits = Limits { largest: 40_000, header: 1_000, ..Limits::default() };
    let mut mailbox = servers(limits).open(OrgId::LOCAL, &of(&imap), "INBOX", false).await.unwrap();
    let list = mailbox.list(0, 9).await.unwrap();
    // As the list says, and as it is although the list says otherwise.
    for size in [50_024, 100] {
        let one = Listed { size, ..list[0].clone() };
        let message = mailbox.read(&one, &NoFiles, 1).await.unwrap().unwrap();
        let found = (&message.fields["subject"], &message.fields["text"], &message.fields["body_error"]["code"]);
        assert_eq!(found, (&json!("Large"), &json!(""), &json!("MESSAGE_TOO_LARGE")), "{size}");
    }
    assert_eq!(imap.count("UID FETCH 1 (UID BODY.PEEK[HEADER])"), 1);
    mailbox.close().await;
}

#[tokio::test]
async fn a_message_that_the_server_cannot_list_holds_up_no_other() {
    let imap = Imap::start().await;
    for n in 1..=3 {
        imap.add(mail(n));
    }
    let no = || Some(b"{tag} NO damaged\r\n".to_vec());
    let search = Some(b"* SEARCH 1 2 3\r\n{tag} OK\r\n".to_vec());
    let instead = vec![("UID FETCH 1,2,3 ", no()), ("UID FETCH 2 ", no()), ("FETCH 1:* ", no()), ("UID SEARCH 1:*", search)];
    imap.state.lock().unwrap().instead = instead;
    let mut mailbox = open(&of(&imap), "INBOX", false).await.unwrap();
    let list = mailbox.list(0, 20).await.unwrap();
    assert_eq!((uids(&list), list[2].message_id.as_str()), (vec![1, 2, 3], "<3@example.net>"));
    assert_eq!(list[1], Listed { uid: 2, size: 0, received_at: None, seen: false, message_id: String::new() });
    assert_eq!(mailbox.read(&list[1], &NoFiles, 1).await.unwrap_err().code.as_str(), "PROVIDER_ERROR");
    assert_eq!(mailbox.last(20).await.unwrap(), list);
    assert_eq!(uids(&mailbox.list(1, 1).await.unwrap()), [2], "alone it is listed all the same");
    imap.state.lock().unwrap().instead = vec![("UID FETCH", no())];
    assert_eq!(mailbox.list(0, 20).await.unwrap_err().code.as_str(), "PROVIDER_ERROR", "it is the server's refusal, and of no message");
    mailbox.close().await;
}

#[tokio::test]
async fn hostile_ids_have_their_room() {
    let imap = Imap::start().await;
    let hostile = [b"Message-ID: <".to_vec(), vec![b'x'; 60_000], b">\r\n\r\n".to_vec()].concat();
    for _ in 0..150 {
        imap.add(hostile.clone());
    }
    let mut mailbox = open(&of(&imap), "INBOX", false).await.unwrap();
    assert_eq!(mailbox.last(1_000).await.unwrap().len(), 150);
    assert_eq!(mailbox.list(0, 1_000).await.unwrap()[149].message_id.len(), 1_000);
    mailbox.close().await;
}

#[tokio::test]
async fn a_server_that_never_greets_or_greets_wrongly() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let fields = [("host", "127.0.0.1"), ("port", &*port), ("username", "a"), ("password", "b"), ("security", "none")];
    let credential = credential(&fields);
    for (greeting, code) in [
        ("", "TIMEOUT"),
        ("* BYE full\r\n", "CONNECTION_FAILED"),
        ("* PREAUTH welcome\r\n", "BAD_RESPONSE"),
        ("220 mail.test ESMTP\r\n", "BAD_RESPONSE"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "BAD_RESPONSE"),
    ] {
        let asking = servers(quick());
        let opening = asking.open(OrgId::LOCAL, &credential, "INBOX", false);
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(greeting.as_bytes()).await.unwrap();
            let mut heard = Vec::new();
            drop(stream.read_to_end(&mut heard).await);
            heard
        };
        let (opened, heard) = tokio::join!(opening, serving);
        assert_eq!((opened.map(drop).unwrap_err().code.as_str(), heard.len()), (code, 0), "{greeting}");
    }
}
