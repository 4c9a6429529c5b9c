//! Passwords: which are taken, and how they are kept (argon2id).
//!
//! A hash costs 19 MiB and some 30 ms. Only so many are made at once, and only so many may wait: whoever floods the sign-in
//! gets [`Busy`], and the pool's threads stay free.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version};
use tokio::sync::Semaphore;

/// Memory, KiB: OWASP's first recommendation for argon2id (Password Storage Cheat Sheet).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Longer ones are refused, so that nobody makes the pool hash megabytes.
pub const CHARS_MAX: usize = 256;
/// Hashes that are made at once.
const AT_ONCE: usize = 2;
/// Hashes that may wait for their turn.
const WAITING_MAX: usize = 64;

/// As many passwords are being hashed, and wait for it, as the pool allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// Words that people choose, lower-case, without what is stuck to them.
static COMMON: &str = include_str!("common.txt");

/// Why a password is not taken; `None` = it is.
#[must_use]
pub fn weakness(password: &str, username: &str, chars_min: usize) -> Option<String> {
    let chars = password.chars().count();
    if chars < chars_min {
        return Some(format!("it has {chars} characters, fewer than {chars_min}"));
    }
    if chars > CHARS_MAX {
        return Some(format!("it has more than {CHARS_MAX} characters"));
    }
    let plain = plain(password);
    let name = username.to_lowercase();
    if name.len() >= 3 && password.to_lowercase().contains(&name) {
        return Some("it holds the user's name".into());
    }
    let mut distinct: Vec<char> = password.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() < 5 {
        return Some("it repeats a few characters".into());
    }
    let runs = password.chars().zip(password.chars().skip(1));
    let steps = runs.filter(|(a, b)| (u32::from(*a)).abs_diff(u32::from(*b)) <= 1).count();
    if steps + 3 >= chars {
        return Some("its characters follow each other".into());
    }
    let stem = plain.trim_matches(|c: char| !c.is_alphabetic());
    let common = |word: &str| COMMON.lines().any(|line| line == word);
    let doubled = stem.len() % 2 == 0
        && stem.is_char_boundary(stem.len() / 2)
        && stem[..stem.len() / 2] == stem[stem.len() / 2..];
    if common(&plain) || common(stem) || (doubled && common(&stem[..stem.len() / 2])) {
        return Some("it is one of those that are tried first".into());
    }
    None
}

/// Lower-case, with the usual digits and signs read as the letters that they stand for.
fn plain(password: &str) -> String {
    let core = password.trim_end_matches(|c: char| !c.is_alphabetic());
    let (core, tail) = password.split_at(core.len());
    let letter = |c: char| match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        c => c,
    };
    core.to_lowercase().chars().map(letter).chain(tail.chars()).collect()
}

/// Makes and checks hashes. Clones share the bound.
#[derive(Debug, Clone)]
pub struct Hasher {
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    dummy: Arc<str>,
}

impl Default for Hasher {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::new(Semaphore::new(AT_ONCE + WAITING_MAX)),
            // For names that there are not: the same work, and never right.
            dummy: hash_now("no password at all").into(),
        }
    }
}

impl Hasher {
    /// The hash of a password.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn hash(&self, password: String) -> Result<String, Busy> {
        self.run(move || hash_now(&password)).await
    }

    /// Whether the password is that of `hash`. Without a hash it is not, after the same work.
    ///
    /// # Errors
    /// [`Busy`].
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Busy> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.dummy.to_string());
        self.run(move || verify_now(&password, &hash) && known).await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let _waits = self.waiting.try_acquire().map_err(|_| Busy)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Busy)?;
        let done = move || {
            // Kept by the work itself: it goes on when whoever asked has gone.
            let _place = place;
            work()
        };
        actix_rt::task::spawn_blocking(done).await.map_err(|_| Busy)
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("constants within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The hash of a password, here and now: it takes some 30 ms.
///
/// # Panics
/// Never: the parameters are constants, and the salt is random.
#[must_use]
pub fn hash_now(password: &str) -> String {
    let salt: [u8; 16] = rand::random();
    argon2().hash_password_with_salt(password.as_bytes(), &salt).expect("a salt of 16 bytes").to_string()
}

fn verify_now(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_tried_first_is_refused() {
        for weak in [
            "short",
            "password123",
            "Password123!",
            "P@ssw0rd2024",
            "passwordpassword",
            "qwertyuiop",
            "1234567890",
            "aaaaaaaaaaaa",
            "abababababab",
            "abcdefghijkl",
            "0987654321",
            "iloveyou2025!",
            "Satoshi-2009",
            "letmein12345",
            "alice-is-the-best",
            "ALICExxyyzz99",
            &"long and long ".repeat(30),
        ] {
            assert!(weakness(weak, "alice", 10).is_some(), "{weak}");
        }
        for good in
            ["correct horse battery staple", "vG7#kLm2!xQp", "\u{fc}ber den Wolken 7", "tuna fence orbit"]
        {
            assert_eq!(weakness(good, "alice", 10), None, "{good}");
        }
        assert!(weakness("vG7#kLm2!xQp", "alice", 16).is_some());
        assert!(COMMON.lines().all(|line| line == line.trim() && line == line.to_lowercase()));
    }

    #[actix_rt::test]
    async fn a_hash_is_argon2id_and_knows_its_password() {
        let hasher = Hasher::default();
        let hash = hasher.hash("tuna fence orbit".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hasher.hash("tuna fence orbit".into()).await.unwrap(), "salted");
        let right = |password: &str, hash: Option<&str>| {
            let (hasher, password, hash) = (hasher.clone(), password.to_owned(), hash.map(str::to_owned));
            async move { hasher.verify(password, hash).await.unwrap() }
        };
        assert!(right("tuna fence orbit", Some(&hash)).await);
        assert!(!right("tuna fence orbit ", Some(&hash)).await);
        assert!(!right("tuna fence orbit", Some("rubbish")).await);
        // Nobody's, even with the text that the stand-in was made of.
        assert!(!right("no password at all", None).await);
    }

    #[actix_rt::test]
    async fn a_flood_is_turned_away() {
        let hasher = Hasher::default();
        let all = (0..200).map(|_| hasher.verify("x".into(), Some("rubbish".into())));
        let answers = futures_util::future::join_all(all).await;
        let busy = answers.iter().filter(|answer| **answer == Err(Busy)).count();
        assert_eq!(busy, 200 - AT_ONCE - WAITING_MAX);
        assert_eq!(hasher.verify("x".into(), Some("rubbish".into())).await, Ok(false), "and then it goes on");
    }
}
