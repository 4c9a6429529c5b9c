//! The key that sessions are signed with; and users, for whoever manages them without the API.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
};

use super::{
    database::{self, Running},
    identity, parts,
};
use crate::{
    adapters::system_clock::SystemClock,
    auth::{Auth, Refused, Trail, user_id},
    config::Config,
    error::{Code, Failure},
    ports::{
        clock::{Clock as _, SharedClock},
        users::{NewUser, Outcome, Role, SharedUsers, UserChange, UserRow},
    },
};

/// Below the data folder.
const FILE: &str = "auth.key";
/// Shortest key that is taken.
const BYTES_MIN: usize = 32;

/// The configured key, or the one in the data folder, which is made when there is none.
///
/// # Errors
/// A key that is too short, or a file that can't be read or made.
pub(super) fn key(config: &Config) -> Result<Vec<u8>, Failure> {
    if let Some(secret) = &config.auth.key {
        return long_enough(secret.reveal()?.into_bytes(), "auth.key");
    }
    let folder = &config.pool.data_dir;
    let path = folder.join(FILE);
    let made = made(folder, &path).map_err(|error| parts::folder(folder, &error))?;
    long_enough(made, &path.display().to_string())
}

fn long_enough(key: Vec<u8>, whence: &str) -> Result<Vec<u8>, Failure> {
    if key.len() >= BYTES_MIN {
        return Ok(key);
    }
    let what = format!("{whence} has {} bytes, fewer than {BYTES_MIN}", key.len());
    Err(Failure::new(Code::ConfigInvalid, what, "use a long random one: openssl rand -hex 32"))
}

fn made(folder: &Path, path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found.map(|text| text.trim_ascii().to_vec()),
    }
    fs::create_dir_all(folder)?;
    let key = hex::encode(rand::random::<[u8; 32]>());
    // Never half written, and never readable by others: it gets its name when it is whole.
    let draft = folder.join(format!("{FILE}.{}", std::process::id()));
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).and_then(|mut file| {
            file.write_all(key.as_bytes())?;
            file.sync_all()?;
            // Fails if another process was first; then its key is the one.
            fs::hard_link(&draft, path)
        });
    let _ = fs::remove_file(&draft);
    match written {
        Ok(()) => Ok(key.into_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::read(path).map(|text| text.trim_ascii().to_vec())
        }
        Err(error) => Err(error),
    }
}

/// What links in mails begin with: as configured, and never what a request says of its host.
pub(super) fn public_url(config: &Config) -> String {
    let url = &config.http.public_url;
    if url.is_empty() { format!("http://{}", config.http.address) } else { url.clone() }
}

/// Users of a configured database, without a pool: for the command line.
pub struct Users {
    store: SharedUsers,
    trail: Trail,
    chars_min: usize,
    _threads: Running,
}

impl Users {
    /// Opens the configured database.
    ///
    /// # Errors
    /// One sentence about what can't be used.
    pub fn open(config: &Config) -> Result<Self, Failure> {
        let clock: SharedClock = Arc::new(SystemClock);
        let opened = database::open(config, &clock)?;
        let threads = Running::start(opened.threads)?;
        Ok(Self::of(opened.users, config, threads))
    }

    fn of(store: SharedUsers, config: &Config, threads: Running) -> Self {
        let node = identity::node_name(config.pool.node_id);
        let trail = Trail::new(Arc::clone(&store), Arc::new(SystemClock), &node);
        Self { store, trail, chars_min: config.auth.password_chars_min, _threads: threads }
    }

    /// Everybody.
    ///
    /// # Errors
    /// A database that is away.
    pub async fn all(&self) -> Result<Vec<UserRow>, Failure> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.users(after.clone(), 500).await.map_err(away)?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.username.clone());
            all.extend(page);
        }
    }

    /// Adds somebody; without a password, a random one is made. Returns the password.
    ///
    /// # Errors
    /// What is wrong with name or password, or a name that is taken.
    pub async fn add(&self, name: &str, role: Role, password: Option<String>) -> Result<String, Failure> {
        let password = password.unwrap_or_else(Auth::random_password);
        Auth::fit(name, &password, self.chars_min).map_err(|refused| unfit(&refused))?;
        let user = NewUser {
            id: user_id(),
            username: name.trim().to_owned(),
            email: None,
            role,
            password_hash: Auth::hash(&password),
        };
        if !self.store.add_user(SystemClock.now(), user).await.map_err(away)? {
            return Err(unfit(&Refused::Taken));
        }
        self.note("user.add", name, Some(serde_json::json!({ "role": role }))).await;
        Ok(password)
    }

    /// Changes somebody.
    ///
    /// # Errors
    /// Nobody of that name, or the last admin.
    pub async fn change(&self, name: &str, what: &str, change: UserChange) -> Result<(), Failure> {
        let user = self.store.user_named(name.to_owned()).await.map_err(away)?;
        let user = user.ok_or_else(|| unfit(&Refused::NoSuch("user")))?;
        if !self.store.change_user(SystemClock.now(), user.id, change).await.map_err(away)? {
            let why = "the last admin who may sign in stays one: make another one first";
            return Err(unfit(&Refused::Conflict(why.into())));
        }
        self.note(&format!("user.{what}"), name, None).await;
        Ok(())
    }

    async fn note(&self, action: &str, subject: &str, after: Option<serde_json::Value>) {
        self.trail.note("command line", None, action, subject, Outcome::Done, None, after).await;
    }
}

/// Makes the first admin, in a database that has no users. Returns name and password, to be printed once.
///
/// # Errors
/// A database that is away.
pub async fn first_admin(config: &Config) -> Result<Option<(String, String)>, Failure> {
    let users = Users::open(config)?;
    if !users.store.users(None, 1).await.map_err(away)?.is_empty() {
        return Ok(None);
    }
    let password = users.add("admin", Role::Admin, None).await?;
    Ok(Some(("admin".to_owned(), password)))
}

fn unfit(refused: &Refused) -> Failure {
    Failure::new(Code::BadRequest, refused.to_string(), "correct it, and try again")
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn away(error: crate::ports::store::StoreError) -> Failure {
    Failure::new(Code::StoreUnusable, error.to_string(), "see store.url; `dagpool check` tries it")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::Secret;

    #[test]
    fn a_key_is_made_once_for_its_owner_only() {
        let folder = tempfile::TempDir::new().unwrap();
        let mut config = Config::default();
        config.pool.data_dir = folder.path().join("data");
        let made = key(&config).unwrap();
        assert_eq!(made.len(), 64);
        assert_eq!(key(&config).unwrap(), made);
        let path = config.pool.data_dir.join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&config.pool.data_dir).unwrap().count(), 1, "no draft is left");
        fs::write(&path, "short").unwrap();
        assert!(key(&config).is_err());
        config.auth.key = Some(Secret::new("x".repeat(32)));
        assert_eq!(key(&config).unwrap(), vec![b'x'; 32]);
        config.auth.key = Some(Secret::new("x".repeat(31)));
        assert!(key(&config).is_err());
    }
}
