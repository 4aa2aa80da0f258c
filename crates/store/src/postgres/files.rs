//! Files: rows and bytes, the latter in chunks, or in a bucket. A row of `file_uploads` stands before the bytes and goes with the
//! file's own row.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::file::FileValue;
use mainspring_model::id::{FileId, OrgId, Owner, RunId, UserId};
use mainspring_model::store::{FileEnd, FileRecord, FileStore, FileTotals, Page, Paging, StoreError};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::error::Fail;
use super::session::{Scope, Session};
use super::values::{Stamp, kept};
use super::{PostgresStore, at, at_or_none, text, text_or_none};
use crate::shared::cursor::{self, IdCursor};
use crate::shared::files::{self, RENEWED_EVERY, SWEPT, UPLOAD_KEPT, size, swept};

macro_rules! columns {
    () => {
        "select org_id, id, user_id, name, media_type, size, sha256, created_at, expires_at, run_id, step from files"
    };
}

#[async_trait]
impl FileStore for PostgresStore {
    async fn begin_file(&self, org: OrgId, id: FileId) -> Result<(), StoreError> {
        let done = async {
            let mut session = self.steps.open(Scope::Org(org), true, None).await?;
            due_file(org, id, session.now() + UPLOAD_KEPT, &mut session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn append_file(&self, org: OrgId, id: FileId, no: u32, bytes: Vec<u8>) -> Result<(), StoreError> {
        let renews = no > 0 && no.is_multiple_of(RENEWED_EVERY);
        if renews && self.objects.is_some() {
            self.begin_file(org, id).await?;
        }
        if let Some(objects) = &self.objects {
            return objects.append(org, id, no, bytes).await;
        }
        let done = async {
            let mut session = self.steps.open(Scope::Org(org), true, None).await?;
            if renews {
                due_file(org, id, session.now() + UPLOAD_KEPT, &mut session).await?;
            }
            let query = session.query("insert into file_chunks (org_id, file_id, no, bytes) values ($1, $2, $3, $4)");
            query.bind(org.0).bind(id.0).bind(i64::from(no)).bind(bytes).execute(&mut *session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn finish_file(&self, file: &FileRecord, quota: u64) -> Result<FileEnd, StoreError> {
        let (org, id) = (file.owner.org, file.value.file);
        if let Some(objects) = &self.objects {
            objects.finish(org, id, file.value.size).await?;
        }
        let done = async {
            let mut session = self.steps.open(Scope::Org(org), true, None).await?;
            let end = finish(file, quota, self.objects.is_some(), &mut session).await?;
            session.commit().await?;
            Ok(end)
        };
        let end = self.within(done).await?;
        if matches!(end, FileEnd::Over(_)) {
            self.drop_file(org, id).await?;
        }
        Ok(end)
    }

    async fn drop_file(&self, org: OrgId, id: FileId) -> Result<(), StoreError> {
        // A caller that left while its file was finished does not know that the row is there.
        let done = async {
            let mut session = self.steps.open(Scope::Org(org), true, None).await?;
            // Until the bytes in a bucket are gone the row stays, due at once: whatever fails in between, the sweep knows of them.
            let upload = match self.objects {
                None => "delete from file_uploads where org_id = $1 and file_id = $2",
                Some(_) => "update file_uploads set due_at = to_timestamp(0) where org_id = $1 and file_id = $2",
            };
            for sql in [
                upload,
                "delete from file_chunks as c where c.org_id = $1 and c.file_id = $2 \
                 and not exists (select from files as f where f.org_id = $1 and f.id = $2)",
            ] {
                session.query(sql).bind(org.0).bind(id.0).execute(&mut *session).await?;
            }
            let query = session.query("select 1 from files where org_id = $1 and id = $2").bind(org.0).bind(id.0);
            let is_kept = query.fetch_optional(&mut *session).await?.is_some();
            session.commit().await?;
            Ok(is_kept)
        };
        let is_kept = self.within(done).await?;
        let Some(objects) = &self.objects else { return Ok(()) };
        if !is_kept {
            objects.remove(org, id).await?;
        }
        let done = async {
            let mut session = self.steps.open(Scope::Org(org), true, None).await?;
            let query = session.query("delete from file_uploads where org_id = $1 and file_id = $2 and due_at = to_timestamp(0)");
            query.bind(org.0).bind(id.0).execute(&mut *session).await?;
            session.commit().await
        };
        self.within(done).await
    }

    async fn get_file(&self, org: OrgId, id: FileId) -> Result<Option<FileRecord>, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let now = Stamp(session.now());
            let query = session.query(concat!(columns!(), " where org_id = $1 and id = $2 and (expires_at is null or expires_at > $3)"));
            let row = query.bind(org.0).bind(id.0).bind(now).fetch_optional(&mut *session).await?;
            session.end().await?;
            row.as_ref().map(record).transpose()
        };
        self.within(found).await
    }

    async fn list_files(&self, org: OrgId, paging: &Paging) -> Result<Page<FileRecord>, StoreError> {
        let cursor = IdCursor::of(paging)?;
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let now = Stamp(session.now());
            let sql = concat!(
                columns!(),
                " where org_id = $1 and (created_at, id) < ($2, $3) and (expires_at is null or expires_at > $4) \
                 order by created_at desc, id desc limit $5"
            );
            let query = session.query(sql).bind(org.0).bind(Stamp(cursor.at)).bind(cursor.id).bind(now).bind(cursor::limit(paging));
            let rows = query.fetch_all(&mut *session).await?;
            session.end().await?;
            let found = rows.iter().map(|row| {
                let record = record(row)?;
                Ok((IdCursor { at: record.created_at, id: record.value.file.0, seq: 0 }, record))
            });
            Ok(cursor::page(found.collect::<Result<_, Fail>>()?, paging))
        };
        self.within(found).await
    }

    async fn file_totals(&self, org: OrgId) -> Result<FileTotals, StoreError> {
        let found = async {
            let mut session = self.read(Scope::Org(org)).await?;
            let totals = totals(org, &mut session).await?;
            session.end().await?;
            Ok(totals)
        };
        self.within(found).await
    }

    async fn read_file(&self, org: OrgId, id: FileId, size: u64, no: u32) -> Result<Vec<u8>, StoreError> {
        if let Some(objects) = &self.objects {
            match objects.read(org, id, size, no).await {
                // It may be older than the bucket.
                Err(StoreError::NotFound { .. }) => {}
                read => return read,
            }
        }
        let found = async {
            let mut session = self.steps.open(Scope::Org(org), false, None).await?;
            let query = session.query("select bytes from file_chunks where org_id = $1 and file_id = $2 and no = $3");
            let row = query.bind(org.0).bind(id.0).bind(i64::from(no)).fetch_optional(&mut *session).await?;
            session.end().await?;
            Ok(row.map(|row| row.try_get::<Vec<u8>, _>(0)).transpose()?)
        };
        match self.within(found).await? {
            Some(bytes) => Ok(bytes),
            None if u64::from(no) * mainspring_model::file::FILE_CHUNK as u64 >= size => Ok(Vec::new()),
            None => Err(StoreError::NotFound { what: format!("the bytes of the file {id}") }),
        }
    }

    async fn delete_file(&self, org: OrgId, id: FileId) -> Result<bool, StoreError> {
        let done = async {
            let mut session = self.steps.open(Scope::Org(org), true, None).await?;
            let gone = delete(org, id, &mut session).await?;
            session.commit().await?;
            Ok(gone)
        };
        let gone = self.within(done).await?;
        if gone {
            self.drop_file(org, id).await?;
        }
        Ok(gone)
    }

    async fn sweep_files(&self) -> Result<u64, StoreError> {
        let done = async {
            let mut session = self.steps.open(Scope::Queue, true, None).await?;
            let now = Stamp(session.now());
            let sql = "select org_id, id from files where expires_at <= $1 order by expires_at limit $2";
            for row in session.query(sql).bind(now).bind(SWEPT).fetch_all(&mut *session).await? {
                let org = OrgId(row.try_get(0)?);
                session.enter(Scope::Org(org)).await?;
                delete(org, FileId(row.try_get(1)?), &mut session).await?;
            }
            session.enter(Scope::Queue).await?;
            let sql = "select org_id, file_id from file_uploads where due_at <= $1 order by due_at limit $2";
            let rows = session.query(sql).bind(now).bind(SWEPT).fetch_all(&mut *session).await?;
            session.commit().await?;
            rows.iter().map(|row| Ok((OrgId(row.try_get(0)?), FileId(row.try_get(1)?)))).collect::<Result<Vec<_>, Fail>>()
        };
        let due = self.within(done).await?;
        files::drop_each(self, &due).await
    }
}

impl PostgresStore {
    /// Bytes in a bucket go before the rows that name them; those in the database are rows like others.
    pub(super) async fn erase_files(&self, org: OrgId, batch: u32) -> Result<u64, StoreError> {
        if self.objects.is_none() {
            return Ok(0);
        }
        let found = async {
            let mut session = self.steps.open(Scope::Org(org), true, None).await?;
            let query = session.query("select id from files where org_id = $1 limit $2").bind(org.0).bind(i64::from(batch));
            for row in query.fetch_all(&mut *session).await? {
                delete(org, FileId(row.try_get(0)?), &mut session).await?;
            }
            let query = session.query("select file_id from file_uploads where org_id = $1 limit $2").bind(org.0).bind(i64::from(batch));
            let rows = query.fetch_all(&mut *session).await?;
            session.commit().await?;
            rows.iter().map(|row| Ok(FileId(row.try_get(0)?))).collect::<Result<Vec<_>, Fail>>()
        };
        let found = self.within(found).await?;
        for id in &found {
            self.drop_file(org, *id).await?;
        }
        Ok(found.len() as u64)
    }
}

async fn due_file(org: OrgId, id: FileId, due: Millis, session: &mut Session) -> Result<(), Fail> {
    let sql = "insert into file_uploads (org_id, file_id, due_at) values ($1, $2, $3) \
               on conflict (org_id, file_id) do update set due_at = excluded.due_at";
    session.query(sql).bind(org.0).bind(id.0).bind(Stamp(due)).execute(&mut **session).await?;
    Ok(())
}

async fn finish(file: &FileRecord, quota: u64, elsewhere: bool, session: &mut Session) -> Result<FileEnd, Fail> {
    let (org, value, now) = (file.owner.org, &file.value, session.now());
    // One after the other within an organization: each must see what the others keep.
    let query = session.query("select pg_advisory_xact_lock(1835430771, hashtext($1::text))").bind(org.0);
    query.execute(&mut **session).await?;
    let used = totals(org, session).await?;
    if used.bytes.saturating_add(value.size) > quota {
        return Ok(FileEnd::Over(used));
    }
    // One that is due at once is being removed.
    let query = session.query("delete from file_uploads where org_id = $1 and file_id = $2 and due_at > to_timestamp(0)");
    let query = query.bind(org.0).bind(value.file.0);
    if query.execute(&mut **session).await?.rows_affected() == 0 {
        return Err(swept(value.file).into());
    }
    session
        .query(
            "insert into files (org_id, id, user_id, name, media_type, size, sha256, created_at, expires_at, run_id, step, \
             elsewhere) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(org.0)
        .bind(value.file.0)
        .bind(file.owner.user.0)
        .bind(kept(&value.name))
        .bind(&value.media_type)
        .bind(size(value.size))
        .bind(&value.sha256)
        .bind(Stamp(now))
        .bind(file.expires_at.map(Stamp))
        .bind(file.run.map(|run| run.0))
        .bind(file.step.as_deref().map(kept))
        .bind(elsewhere)
        .execute(&mut **session)
        .await?;
    Ok(FileEnd::Kept(FileRecord { created_at: now, ..file.clone() }))
}

async fn totals(org: OrgId, session: &mut Session) -> Result<FileTotals, Fail> {
    let sql = "select count(*), coalesce(sum(size), 0)::bigint from files where org_id = $1";
    let row = session.query(sql).bind(org.0).fetch_one(&mut **session).await?;
    Ok(FileTotals { files: row.try_get::<i64, _>(0)?.cast_unsigned(), bytes: row.try_get::<i64, _>(1)?.cast_unsigned() })
}

/// The bytes are due at once: whoever dies before they are gone leaves them to the sweep.
async fn delete(org: OrgId, id: FileId, session: &mut Session) -> Result<bool, Fail> {
    let query = session.query("delete from files where org_id = $1 and id = $2").bind(org.0).bind(id.0);
    if query.execute(&mut **session).await?.rows_affected() == 0 {
        return Ok(false);
    }
    due_file(org, id, 0, session).await?;
    Ok(true)
}

fn record(row: &PgRow) -> Result<FileRecord, Fail> {
    Ok(FileRecord {
        owner: Owner { org: OrgId(row.try_get(0)?), user: UserId(row.try_get(2)?) },
        value: FileValue {
            file: FileId(row.try_get(1)?),
            name: text(row, 3)?,
            media_type: row.try_get(4)?,
            size: row.try_get::<i64, _>(5)?.cast_unsigned(),
            sha256: row.try_get(6)?,
        },
        created_at: at(row, 7)?,
        expires_at: at_or_none(row, 8)?,
        run: row.try_get::<Option<_>, _>(9)?.map(RunId),
        step: text_or_none(row, 10)?,
    })
}
