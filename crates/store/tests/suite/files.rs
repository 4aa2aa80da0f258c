//! Files: their bytes come back, nothing half-written is one, the quota holds, and what nobody needs goes.

use mainspring_model::file::{FILE_CHUNK, FileValue};
use mainspring_model::id::{FileId, Owner, RunId};
use mainspring_model::store::{FileEnd, FileRecord, FileTotals};

use super::make::{World, code, owner, page};

fn record(id: FileId, size: u64, world: &World) -> FileRecord {
    let value = FileValue { file: id, name: "a b.txt".to_owned(), media_type: "text/plain".to_owned(), size, sha256: "0f".repeat(32) };
    FileRecord { owner: Owner::LOCAL, value, created_at: world.now(), expires_at: None, run: None, step: None }
}

/// The bytes are written; whether they become a file is the caller's to say.
async fn written(pieces: &[&[u8]], world: &World) -> FileRecord {
    let (org, id) = (Owner::LOCAL.org, FileId(world.uuid()));
    world.store.begin_file(org, id).await.unwrap();
    for (no, piece) in (0..).zip(pieces) {
        world.store.append_file(org, id, no, piece.to_vec()).await.unwrap();
    }
    record(id, pieces.iter().map(|piece| piece.len() as u64).sum(), world)
}

async fn kept(pieces: &[&[u8]], world: &World) -> FileRecord {
    let file = written(pieces, world).await;
    assert_eq!(world.store.finish_file(&file, u64::MAX).await.unwrap(), FileEnd::Kept(file.clone()));
    file
}

pub async fn a_file_comes_back_in_pieces(world: &World) {
    let (first, store, org) = (vec![1; FILE_CHUNK], &world.store, Owner::LOCAL.org);
    let file = written(&[&first, b"end"], world).await;
    let file = FileRecord { run: Some(RunId(world.uuid())), step: Some("a[1].b".to_owned()), ..file };
    store.finish_file(&file, u64::MAX).await.unwrap();
    let (id, size) = (file.value.file, file.value.size);
    assert_eq!(store.get_file(org, id).await.unwrap(), Some(file));
    assert_eq!(store.read_file(org, id, size, 0).await.unwrap(), first);
    assert_eq!(store.read_file(org, id, size, 1).await.unwrap(), b"end");
    assert_eq!(store.read_file(org, id, size, 2).await.unwrap(), b"");
    let empty = kept(&[], world).await;
    assert_eq!(store.read_file(org, empty.value.file, 0, 0).await.unwrap(), b"");
    assert_eq!(store.file_totals(org).await.unwrap(), FileTotals { files: 2, bytes: size });
    let foreign = owner(1).org;
    assert_eq!(store.get_file(foreign, id).await.unwrap(), None);
    assert!(!store.delete_file(foreign, id).await.unwrap());
    assert!(store.delete_file(org, id).await.unwrap());
    assert!(!store.delete_file(org, id).await.unwrap());
    assert_eq!(code(store.read_file(org, id, size, 0).await), "NOT_FOUND");
    assert_eq!(store.file_totals(org).await.unwrap(), FileTotals { files: 1, bytes: 0 });
}

pub async fn what_is_not_finished_is_no_file(world: &World) {
    let (store, org) = (&world.store, Owner::LOCAL.org);
    let (late, dropped) = (written(&[b"late"], world).await, written(&[b"dropped"], world).await);
    assert_eq!(store.get_file(org, late.value.file).await.unwrap(), None);
    assert_eq!(store.file_totals(org).await.unwrap(), FileTotals::default());
    store.drop_file(org, dropped.value.file).await.unwrap();
    assert_eq!(store.sweep_files().await.unwrap(), 0, "it may go on");
    world.pass(7 * 3_600_000);
    assert_eq!(store.sweep_files().await.unwrap(), 1);
    assert_eq!(store.sweep_files().await.unwrap(), 0);
    for file in [late, dropped] {
        assert!(store.finish_file(&file, u64::MAX).await.is_err(), "its bytes are gone");
        assert_eq!(code(store.read_file(org, file.value.file, file.value.size, 0).await), "NOT_FOUND");
    }
}

pub async fn the_quota_holds_for_writers_at_once(world: &World) {
    let mut files = Vec::new();
    for _ in 0..8 {
        files.push(written(&[b"ten bytes!"], world).await);
    }
    let ends = futures_util::future::join_all(files.iter().map(|file| world.store.finish_file(file, 35))).await;
    let mut ends: Vec<FileEnd> = ends.into_iter().map(Result::unwrap).collect();
    ends.retain(|end| matches!(end, FileEnd::Over(_)));
    assert_eq!(ends, vec![FileEnd::Over(FileTotals { files: 3, bytes: 30 }); 5]);
    assert_eq!(world.store.file_totals(Owner::LOCAL.org).await.unwrap(), FileTotals { files: 3, bytes: 30 });
}

pub async fn files_end_at_their_time(world: &World) {
    let (store, org) = (&world.store, Owner::LOCAL.org);
    let (stays, goes) = (kept(&[b"stays"], world).await, written(&[b"goes"], world).await);
    let goes = FileRecord { expires_at: Some(world.now() + 1_000), ..goes };
    store.finish_file(&goes, u64::MAX).await.unwrap();
    assert!(store.get_file(org, goes.value.file).await.unwrap().is_some());
    world.pass(1_000);
    assert_eq!(store.get_file(org, goes.value.file).await.unwrap(), None, "also before it is swept");
    assert_eq!(store.list_files(org, &page(9)).await.unwrap().items, vec![stays]);
    assert_eq!(store.sweep_files().await.unwrap(), 1);
    assert_eq!(code(store.read_file(org, goes.value.file, 4, 0).await), "NOT_FOUND");
}

pub async fn files_are_listed_newest_first(world: &World) {
    let mut made = Vec::new();
    for _ in 0..5 {
        world.pass(1);
        made.push(kept(&[b"x"], world).await.value.file);
    }
    made.reverse();
    let (mut seen, mut paging) = (Vec::new(), page(2));
    loop {
        let found = world.store.list_files(Owner::LOCAL.org, &paging).await.unwrap();
        seen.extend(found.items.iter().map(|file| file.value.file));
        paging.cursor = found.next_cursor;
        if paging.cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, made);
}
