//! `inbox-mail.yaml`: what is there at first starts nothing, each order after that one run, and other mail none.

use mainspring_model::id::{Owner, PlanId};
use mainspring_model::plan::trigger::TriggerKind;
use mainspring_model::store::{Paging, RunFilter};
use serde_json::{Value, json};

use super::world::World;
use crate::servers::imap::{Imap, PASSWORD, USER, mail};

pub const PLAN: &str = "inbox-mail.yaml";

/// Looks, whenever it is due: the next time is brought here, as if it had passed.
async fn look_now(world: &World, plan: PlanId) {
    let store = &world.app.store;
    let scheduled = async || {
        let all = store.list_schedules(Owner::LOCAL.org).await.unwrap();
        all.into_iter().find(|schedule| schedule.plan == plan).unwrap()
    };
    let schedule = scheduled().await;
    assert!(store.skip_slots(schedule.id, schedule.next_due.unwrap(), None, Some(world.app.clock.now())).await.unwrap());
    world.app.engine.fire_due().await.unwrap();
    // It looks beside the schedules, and says when it is done.
    let began = world.app.clock.now();
    while scheduled().await.last_due == schedule.last_due {
        assert!(world.app.clock.now() < began + 60_000, "the look has no end");
        tokio::task::yield_now().await;
    }
}

async fn outputs(world: &World, plan: PlanId) -> Vec<Value> {
    world.app.engine.idle().await;
    let filter = RunFilter { plan: Some(plan), ..RunFilter::default() };
    let runs = world.app.store.list_runs(Owner::LOCAL.org, &filter, &Paging { limit: 9, cursor: None }).await.unwrap().items;
    let mut outputs: Vec<_> = runs.iter().map(|run| run.output.clone().unwrap_or_default()).collect();
    outputs.sort_by_key(ToString::to_string);
    outputs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_order_has_one_run() {
    let imap = Imap::start().await;
    imap.add(mail(1));
    let world = World::open().await;
    let port = imap.address.port().to_string();
    let fields = [("host", "127.0.0.1"), ("port", port.as_str()), ("username", USER), ("password", "wrong"), ("security", "none")];
    world.named_credential("imap", "inbox", &fields).await;
    let plan = world.save(PLAN).await;
    let TriggerKind::Email(email) = &plan.plan.triggers[0].kind else { panic!("{:?}", plan.plan.triggers) };
    assert_eq!((email.mailbox.as_str(), email.mark_seen), ("INBOX", false));
    let (store, org) = (&world.app.store, Owner::LOCAL.org);
    let attached = b"From: Eve <eve@example.org>\r\nSubject: =?UTF-8?Q?An_order=20=E2=82=AC?=\r\nMessage-ID: <a@b>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\nOrder #77\r\n--b\r\nContent-Type: text/csv; name=\"../list.csv\"\r\n\r\nid\r\n1\r\n--b--\r\n";
    for look in 0..5_u32 {
        match look {
            1 => world.named_credential("imap", "inbox", &[fields[0], fields[1], fields[2], ("password", PASSWORD), fields[4]]).await,
            2 => {
                imap.add(mail(2));
                imap.add("Subject: Lunch?\r\n\r\nAt noon.\r\n");
                imap.add(&attached[..]);
            }
            // UIDs mean other messages now, and one has come meanwhile.
            3 => {
                imap.state.lock().unwrap().make_anew("INBOX");
                imap.add(mail(3));
            }
            _ => {}
        }
        look_now(&world, plan.id).await;
        let standing = store.trigger_standings(org).await.unwrap().remove(0).2;
        assert_eq!((standing.failures, standing.error.is_some()), (u32::from(look == 0), look == 0), "{look}: {standing:?}");
        if let Some(error) = standing.error {
            assert_eq!(error["code"], json!("LOGIN_REFUSED"));
        }
    }
    let expected = [
        json!({"order": "2", "sender": "bob@example.net", "files": []}),
        json!({"order": "3", "sender": "bob@example.net", "files": []}),
        json!({"order": "77", "sender": "eve@example.org", "files": ["list.csv"]}),
    ];
    assert_eq!(outputs(&world, plan.id).await, expected);
    assert_eq!((imap.count("SELECT"), imap.count("UID STORE")), (0, 0), "the mailbox stays as it is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_cannot_be_read_holds_up_no_other() {
    let imap = Imap::start().await;
    for n in 1..=3 {
        imap.add(mail(n));
    }
    // The connection ends whenever it is asked for.
    imap.state.lock().unwrap().instead = vec![("UID FETCH 2 (UID BODY", None)];
    let world = World::open().await;
    let port = imap.address.port().to_string();
    let fields = [("host", "127.0.0.1"), ("port", port.as_str()), ("username", USER), ("password", PASSWORD), ("security", "none")];
    world.named_credential("imap", "inbox", &fields).await;
    let document = json!({"name": "Unreadable", "output": {"subject": "${trigger.subject}", "error": "${trigger.body_error?.code}"},
        "triggers": [{"type": "email", "credential": "inbox", "first": "all", "mark_seen": true}], "steps": []});
    let plan = world.save_text("unreadable", &document.to_string()).await;
    for failures in [1, 2, 3, 4, 5, 0] {
        look_now(&world, plan.id).await;
        let standing = world.app.store.trigger_standings(Owner::LOCAL.org).await.unwrap().remove(0).2;
        assert_eq!(standing.failures, failures, "{standing:?}");
        let there = outputs(&world, plan.id).await.len();
        assert_eq!(there, if failures == 0 { 3 } else { 1 }, "what comes before it has its run");
    }
    let expected = [
        json!({"subject": "", "error": "MESSAGE_UNREADABLE"}),
        json!({"subject": "Order 1", "error": null}),
        json!({"subject": "Order 3", "error": null}),
    ];
    assert_eq!(outputs(&world, plan.id).await, expected);
    assert!(imap.state.lock().unwrap().folders["INBOX"].mails.iter().all(|mail| mail.seen));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_message_goes_through_and_a_larger_one_is_told_of() {
    let imap = Imap::start().await;
    let message = |lines: usize| {
        let head = "Subject: Large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/pdf; name=large.pdf\r\n\
            Content-Transfer-Encoding: base64\r\n\r\n";
        [head, &format!("{}\r\n", "QUJD".repeat(19)).repeat(lines), "--b--\r\n"].concat()
    };
    let lines = 31 * (1 << 20) / 78;
    imap.add(message(lines));
    imap.add(message(lines + (2 << 20) / 78));
    let world = World::open().await;
    let port = imap.address.port().to_string();
    let fields = [("host", "127.0.0.1"), ("port", port.as_str()), ("username", USER), ("password", PASSWORD), ("security", "none")];
    world.named_credential("imap", "inbox", &fields).await;
    let document = json!({"name": "Large", "output": {"sizes": "${trigger.attachments.map(file => file.size)}", "error": "${trigger.body_error?.code}"},
        "triggers": [{"type": "email", "credential": "inbox", "first": "all"}], "steps": []});
    let plan = world.save_text("large", &document.to_string()).await;
    look_now(&world, plan.id).await;
    let expected = [json!({"sizes": [lines * 57], "error": null}), json!({"sizes": [], "error": "MESSAGE_TOO_LARGE"})];
    assert_eq!(outputs(&world, plan.id).await, expected);
}
