//! Files: rows here, bytes in a folder or a bucket. A row of `file_uploads` stands before the bytes and goes with the file's own row.

use async_trait::async_trait;
use mainspring_model::clock::Millis;
use mainspring_model::file::FileValue;
use mainspring_model::id::{FileId, OrgId, Owner, RunId, UserId};
use mainspring_model::store::{FileBytes, FileEnd, FileRecord, FileStore, FileTotals, Page, Paging, StoreError};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::error::Fail;
use super::{SqliteStore, bytes, id_of, uuid};
use crate::shared::cursor::{self, Cursor};
use crate::shared::files::{self, RENEWED_EVERY, SWEPT, UPLOAD_KEPT, size, swept};

macro_rules! columns {
    () => {
        "select org_id, id, user_id, name, media_type, size, sha256, created_at, expires_at, run_id, step, no from files"
    };
}
#[async_trait]
impl FileStore for SqliteStore {
    async fn begin_file(&self, org: OrgId, id: FileId) -> Result<(), StoreError> {
        self.due_file(org, id, self.now_ms() + UPLOAD_KEPT).await
    }

    async fn append_file(&self, org: OrgId, id: FileId, no: u32, bytes: Vec<u8>) -> Result<(), StoreError> {
        if no > 0 && no.is_multiple_of(RENEWED_EVERY) {
            self.due_file(org, id, self.now_ms() + UPLOAD_KEPT).await?;
        }
        self.bytes_of_files().append(org, id, no, bytes).await
    }

    async fn finish_file(&self, file: &FileRecord, quota: u64) -> Result<FileEnd, StoreError> {
        let (org, id) = (file.owner.org, file.value.file);
        self.bytes_of_files().finish(org, id, file.value.size).await?;
        let (file, now, elsewhere) = (file.clone(), self.now_ms(), self.objects.is_some());
        let end = self.write(async move |connection| finish(&file, quota, elsewhere, now, connection).await).await?;
        if matches!(end, FileEnd::Over(_)) {
            self.drop_file(org, id).await?;
        }
        Ok(end)
    }

    async fn drop_file(&self, org: OrgId, id: FileId) -> Result<(), StoreError> {
        // A caller that left while its file was finished does not know that the row is there.
        let is_kept = self
            .write(async move |connection| {
                let query = sqlx::query("select 1 from files where org_id = ?1 and id = ?2").bind(bytes(org.0)).bind(bytes(id.0));
                let is_kept = query.fetch_optional(&mut *connection).await?.is_some();
                // Until the bytes are gone the row stays, due at once: whatever fails in between, the sweep knows of them.
                let sql = match is_kept {
                    true => "delete from file_uploads where org_id = ?1 and file_id = ?2",
                    false => "update file_uploads set due_at = 0 where org_id = ?1 and file_id = ?2",
                };
                sqlx::query(sql).bind(bytes(org.0)).bind(bytes(id.0)).execute(connection).await?;
                Ok(is_kept)
            })
            .await?;
        if is_kept {
            return Ok(());
        }
        if let Some(objects) = &self.objects {
            objects.remove(org, id).await?;
        }
        self.files.remove(org, id).await?;
        self.write(async move |connection| {
            let query = sqlx::query("delete from file_uploads where org_id = ?1 and file_id = ?2 and due_at = 0");
            query.bind(bytes(org.0)).bind(bytes(id.0)).execute(connection).await?;
            Ok(())
        })
        .await
    }

    async fn get_file(&self, org: OrgId, id: FileId) -> Result<Option<FileRecord>, StoreError> {
        let now = self.now_ms();
        self.read(move |connection| {
            Box::pin(async move {
                let query = sqlx::query(concat!(columns!(), " where org_id = ?1 and id = ?2 and (expires_at is null or expires_at > ?3)"));
                let row = query.bind(bytes(org.0)).bind(bytes(id.0)).bind(now).fetch_optional(connection).await?;
                row.as_ref().map(record).transpose()
            })
        })
        .await
    }

    async fn list_files(&self, org: OrgId, paging: &Paging) -> Result<Page<FileRecord>, StoreError> {
        let (cursor, paging, now) = (Cursor::of(paging)?, paging.clone(), self.now_ms());
        self.read(move |connection| {
            Box::pin(async move {
                let sql = concat!(
                    columns!(),
                    " where org_id = ?1 and no < ?2 and (expires_at is null or expires_at > ?3) order by no desc limit ?4"
                );
                let query = sqlx::query(sql).bind(bytes(org.0)).bind(cursor.no).bind(now).bind(cursor::limit(&paging));
                let rows = query.fetch_all(connection).await?;
                let found = rows.iter().map(|row| Ok((Cursor { at: 0, no: row.try_get(11)? }, record(row)?)));
                Ok(cursor::page(found.collect::<Result<_, Fail>>()?, &paging))
            })
        })
        .await
    }

    async fn file_totals(&self, org: OrgId) -> Result<FileTotals, StoreError> {
        self.read(move |connection| Box::pin(async move { totals(org, connection).await })).await
    }

    async fn read_file(&self, org: OrgId, id: FileId, size: u64, no: u32) -> Result<Vec<u8>, StoreError> {
        match &self.objects {
            // It may be older than the bucket.
            Some(objects) => match objects.read(org, id, size, no).await {
                Err(StoreError::NotFound { .. }) => self.files.read(org, id, size, no).await,
                read => read,
            },
            None => self.files.read(org, id, size, no).await,
        }
    }

    async fn delete_file(&self, org: OrgId, id: FileId) -> Result<bool, StoreError> {
        let gone = self.write(async move |connection| delete(org, id, connection).await).await?;
        if gone {
            self.drop_file(org, id).await?;
        }
        Ok(gone)
    }

    async fn sweep_files(&self) -> Result<u64, StoreError> {
        let now = self.now_ms();
        let due = self.write(async move |connection| due(now, connection).await).await?;
        files::drop_each(self, &due).await
    }
}

impl SqliteStore {
    /// Where new bytes go.
    fn bytes_of_files(&self) -> &dyn FileBytes {
        self.objects.as_deref().unwrap_or(&self.files)
    }

    /// Bytes of it may be there, and go at this time unless its row comes first.
    async fn due_file(&self, org: OrgId, id: FileId, due: Millis) -> Result<(), StoreError> {
        self.write(async move |connection| {
            sqlx::query(
                "insert into file_uploads (org_id, file_id, due_at) values (?1, ?2, ?3) \
                 on conflict (org_id, file_id) do update set due_at = excluded.due_at",
            )
            .bind(bytes(org.0))
            .bind(bytes(id.0))
            .bind(due)
            .execute(connection)
            .await?;
            Ok(())
        })
        .await
    }

    /// Bytes of an organization that is erased go before its rows.
    pub(super) async fn erase_files(&self, org: OrgId, batch: u32) -> Result<u64, StoreError> {
        let found = self.write(async move |connection| {
            let sql = "select id from files where org_id = ?1 limit ?2";
            let rows = sqlx::query(sql).bind(bytes(org.0)).bind(i64::from(batch)).fetch_all(&mut *connection).await?;
            for row in &rows {
                delete(org, FileId(uuid(row, 0)?), connection).await?;
            }
            let sql = "select file_id from file_uploads where org_id = ?1 limit ?2";
            let rows = sqlx::query(sql).bind(bytes(org.0)).bind(i64::from(batch)).fetch_all(connection).await?;
            rows.iter().map(|row| Ok(FileId(uuid(row, 0)?))).collect::<Result<Vec<_>, Fail>>()
        });
        let found = found.await?;
        for id in &found {
            self.drop_file(org, *id).await?;
        }
        Ok(found.len() as u64)
    }
}

async fn finish(file: &FileRecord, quota: u64, elsewhere: bool, now: Millis, connection: &mut SqliteConnection) -> Result<FileEnd, Fail> {
    let (org, value) = (file.owner.org, &file.value);
    let used = totals(org, connection).await?;
    if used.bytes.saturating_add(value.size) > quota {
        return Ok(FileEnd::Over(used));
    }
    // One that is due at once is being removed.
    let query = sqlx::query("delete from file_uploads where org_id = ?1 and file_id = ?2 and due_at > 0");
    let query = query.bind(bytes(org.0)).bind(bytes(value.file.0));
    if query.execute(&mut *connection).await?.rows_affected() == 0 {
        return Err(swept(value.file).into());
    }
    sqlx::query(
        "insert into files (org_id, id, user_id, name, media_type, size, sha256, created_at, expires_at, run_id, step, elsewhere) \
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )
    .bind(bytes(org.0))
    .bind(bytes(value.file.0))
    .bind(bytes(file.owner.user.0))
    .bind(value.name.as_str())
    .bind(value.media_type.as_str())
    .bind(size(value.size))
    .bind(value.sha256.as_str())
    .bind(now)
    .bind(file.expires_at)
    .bind(file.run.map(|run| bytes(run.0)))
    .bind(file.step.as_deref())
    .bind(elsewhere)
    .execute(connection)
    .await?;
    Ok(FileEnd::Kept(FileRecord { created_at: now, ..file.clone() }))
}

async fn totals(org: OrgId, connection: &mut SqliteConnection) -> Result<FileTotals, Fail> {
    let sql = "select count(*), coalesce(sum(size), 0) from files where org_id = ?1";
    let row = sqlx::query(sql).bind(bytes(org.0)).fetch_one(connection).await?;
    Ok(FileTotals { files: row.try_get::<i64, _>(0)?.cast_unsigned(), bytes: row.try_get::<i64, _>(1)?.cast_unsigned() })
}

/// The bytes are due at once: whoever dies before they are gone leaves them to the sweep.
async fn delete(org: OrgId, id: FileId, connection: &mut SqliteConnection) -> Result<bool, Fail> {
    let query = sqlx::query("delete from files where org_id = ?1 and id = ?2").bind(bytes(org.0)).bind(bytes(id.0));
    if query.execute(&mut *connection).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let query = sqlx::query("insert or replace into file_uploads (org_id, file_id, due_at) values (?1, ?2, 0)");
    query.bind(bytes(org.0)).bind(bytes(id.0)).execute(connection).await?;
    Ok(true)
}

async fn due(now: Millis, connection: &mut SqliteConnection) -> Result<Vec<(OrgId, FileId)>, Fail> {
    let sql = "select org_id, id from files where expires_at <= ?1 order by expires_at limit ?2";
    for row in &sqlx::query(sql).bind(now).bind(SWEPT).fetch_all(&mut *connection).await? {
        delete(OrgId(uuid(row, 0)?), FileId(uuid(row, 1)?), connection).await?;
    }
    let sql = "select org_id, file_id from file_uploads where due_at <= ?1 order by due_at limit ?2";
    let rows = sqlx::query(sql).bind(now).bind(SWEPT).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((OrgId(uuid(row, 0)?), FileId(uuid(row, 1)?)))).collect()
}

fn record(row: &SqliteRow) -> Result<FileRecord, Fail> {
    Ok(FileRecord {
        owner: Owner { org: OrgId(uuid(row, 0)?), user: UserId(uuid(row, 2)?) },
        value: FileValue {
            file: FileId(uuid(row, 1)?),
            name: row.try_get(3)?,
            media_type: row.try_get(4)?,
            size: row.try_get::<i64, _>(5)?.cast_unsigned(),
            sha256: row.try_get(6)?,
        },
        created_at: row.try_get(7)?,
        expires_at: row.try_get(8)?,
        run: row.try_get::<Option<&[u8]>, _>(9)?.map(id_of).transpose()?.map(RunId),
        step: row.try_get(10)?,
    })
}
