//! Whether the bucket for the bytes of files takes, gives and removes an object.

use mainspring_store::Bucket;

use super::{Check, State};
use crate::settings::Settings;

const NAME: &str = "bucket";

/// Of a process whose opening has tried it.
pub(super) fn was_tried(settings: &Settings) -> Check {
    match &*settings.bucket.bucket {
        "" => unset(),
        bucket => Check::ok(NAME, format!("\"{bucket}\" takes, gives and removes objects")),
    }
}

fn unset() -> Check {
    Check::new(NAME, State::Skipped, "none is set; files are kept with the other data")
}

pub(super) async fn works(settings: &Settings) -> Check {
    if settings.bucket.bucket.is_empty() {
        return unset();
    }
    let tried = match Bucket::open(&settings.bucket) {
        Ok(bucket) => bucket.probe().await,
        Err(error) => Err(error),
    };
    match tried {
        Ok(()) => was_tried(settings),
        Err(error) => Check::new(NAME, State::Failed, format!("{}: {error}", settings.source("files.bucket")))
            .next(
                "see that the store runs, that the bucket is there, and that the key may write, read and remove objects and abort uploads",
            )
            .code("BUCKET_UNUSABLE"),
    }
}
