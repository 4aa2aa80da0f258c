//! Hashing of passwords beside everything else: a few at a time on threads of their own, so that a flood of logins slows logins alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mainspring_vault::{Cost, Secret, VaultError, Verdict, hash_password, nobodys_hash, verify_password};
use thiserror::Error;
use tokio::sync::Semaphore;

use mainspring_vault::OsEntropy;

/// Hashes that may wait for their turn: about two seconds' worth on one core. Whoever comes then is told to try again.
const MOST_WAITING: usize = 64;

/// Why nothing was hashed.
#[derive(Debug, Error)]
pub enum HashError {
    #[error("too many logins at once")]
    Busy,
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("the hashing thread ended: {0}")]
    Thread(#[from] tokio::task::JoinError),
}

/// Makes and checks hashes of passwords.
pub struct Hasher {
    cost: Cost,
    /// For users that do not exist, so that they take as long as those that do.
    nobody: String,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Hasher {
    /// Half of the machine's cores at most, one at least.
    pub fn new(cost: Cost) -> Hasher {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Hasher { cost, nobody: nobodys_hash(cost), turns: Arc::new(Semaphore::new((cores / 2).max(1))), waiting: AtomicUsize::new(0) }
    }

    pub async fn hash(&self, password: &Secret) -> Result<String, HashError> {
        let (password, cost) = (password.clone(), self.cost);
        self.in_turn(move || hash_password(password.expose(), cost, &OsEntropy)).await
    }

    /// Whether the password is the one of `stored`. Nobody's is always wrong, and takes as long.
    pub async fn verify(&self, password: &Secret, stored: Option<&str>) -> Result<Verdict, HashError> {
        let (password, cost) = (password.clone(), self.cost);
        let (hash, known) = (stored.unwrap_or(&self.nobody).to_owned(), stored.is_some());
        let verdict = self.in_turn(move || verify_password(password.expose(), &hash, cost)).await?;
        Ok(if known { verdict } else { Verdict::Wrong })
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T, VaultError> + Send + 'static) -> Result<T, HashError> {
        let waiting = Waiting::new(&self.waiting).ok_or(HashError::Busy)?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| HashError::Busy)?;
        drop(waiting);
        // The turn goes along: whoever goes away does not make room for a hash that is still being made.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        Ok(done.await??)
    }
}

/// A place in the queue, given back when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Option<Waiting<'a>> {
        if count.fetch_add(1, Ordering::AcqRel) < MOST_WAITING {
            return Some(Waiting(count));
        }
        count.fetch_sub(1, Ordering::AcqRel);
        None
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_flood_is_turned_away_and_nobody_has_no_password() {
        let hasher = Arc::new(Hasher::new(CHEAP));
        let stored = hasher.hash(&Secret::new("correct horse")).await.unwrap();
        assert_eq!(hasher.verify(&Secret::new("correct horse"), Some(&stored)).await.unwrap(), Verdict::Right { outdated: false });
        assert_eq!(hasher.verify(&Secret::new("wrong horse"), Some(&stored)).await.unwrap(), Verdict::Wrong);
        assert_eq!(hasher.verify(&Secret::new("correct horse"), None).await.unwrap(), Verdict::Wrong);
        // All turns are taken: so many wait, and the next is told.
        let all = u32::try_from(hasher.turns.available_permits()).unwrap();
        let held = hasher.turns.clone().acquire_many_owned(all).await.unwrap();
        let calls: Vec<_> = (0..MOST_WAITING)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.hash(&Secret::new("x")).await })
            })
            .collect();
        while hasher.waiting.load(Ordering::Acquire) < MOST_WAITING {
            tokio::task::yield_now().await;
        }
        assert!(matches!(hasher.hash(&Secret::new("x")).await, Err(HashError::Busy)));
        drop(held);
        for call in calls {
            assert!(call.await.unwrap().is_ok());
        }
        assert_eq!(hasher.waiting.load(Ordering::Acquire), 0);
    }
}
