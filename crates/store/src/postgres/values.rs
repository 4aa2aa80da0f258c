//! Moments on their way in and out, as timestamptz; texts are with those of both databases.

use mainspring_model::clock::Millis;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

use crate::shared::texts::{FIRST, LAST};
pub(super) use crate::shared::texts::{given, kept, key};

/// A moment as timestamptz. Those outside the years 1 to 9999 become the first or the last moment of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp(pub(super) Millis);

/// Of 2000-01-01, where PostgreSQL begins to count.
const EPOCH: Millis = 946_684_800_000;

impl Type<Postgres> for Stamp {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl PgHasArrayType for Stamp {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1185))
    }
}

impl Encode<'_, Postgres> for Stamp {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = (self.0.clamp(FIRST, LAST) - EPOCH) * 1_000;
        buffer.extend_from_slice(&micros.to_be_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Stamp {
    fn decode(value: PgValueRef<'_>) -> Result<Stamp, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => {
                let micros = i64::from_be_bytes(value.as_bytes()?.try_into()?);
                Ok(Stamp(micros.div_euclid(1_000).saturating_add(EPOCH)))
            }
            PgValueFormat::Text => Err("moments are read in the binary form".into()),
        }
    }
}
