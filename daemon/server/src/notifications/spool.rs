//! What is still to be sent, and what was: files, so that a killed daemon sends nothing twice and forgets nothing.
//!
//! ```text
//! THREAD-KEY.json      to be sent
//! THREAD-KEY.sending   it is being sent; after a crash nobody knows whether it was
//! THREAD-KEY.settled   it is being sent, and its thread was settled meanwhile: nothing of it counts afterwards
//! THREAD-KEY.sent      it was: the same is not sent again until its thread is settled, or a day has gone
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use reel_store::plain_digest;
use serde::{Deserialize, Serialize};

use super::notice::Notice;

/// After so many seconds something is news again, and what could not be sent is given up.
pub(super) const DAY_S: i64 = 24 * 3600;

/// A notice, and how often it was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) notice: Notice,
    /// Tries that failed.
    pub(super) tries: u32,
    /// Not before this time, UNIX seconds.
    pub(super) not_before: i64,
}

/// The folder.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
    /// Held while letters change their state: what settles a thread and what sends its letters are different threads.
    changing: Mutex<()>,
}

impl Spool {
    /// Uses `folder`, which is made where it is missing.
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o750).create(&folder)?;
        let spool = Self { folder, changing: Mutex::default() };
        for path in spool.files("sending")? {
            let path = path.display();
            tracing::error!(%path, "the daemon was killed while it sent this: it may not have reached anybody");
        }
        for path in spool.files("sending")? {
            fs::rename(&path, path.with_extension("sent"))?;
        }
        for path in spool.files("settled")? {
            fs::remove_file(&path)?;
        }
        Ok(spool)
    }

    /// Keeps a notice to be sent; whether it is news.
    pub(super) fn add(&self, notice: Notice) -> io::Result<bool> {
        let name = name_of(&notice);
        let now = notice.timestamp;
        let _alone = self.lock();
        for ending in ["json", "sending"] {
            if self.path(&name, ending).exists() {
                return Ok(false);
            }
        }
        if self.sent_at(&name).is_some_and(|at| (0..DAY_S).contains(&now.saturating_sub(at))) {
            return Ok(false);
        }
        self.write(&name, &Letter { notice, tries: 0, not_before: now })?;
        Ok(true)
    }

    fn sent_at(&self, name: &str) -> Option<i64> {
        let letter = fs::read(self.path(name, "sent")).ok()?;
        Some(serde_json::from_slice::<Letter>(&letter).ok()?.notice.timestamp)
    }

    /// What is to be sent at `now`, the oldest first.
    pub(super) fn due(&self, now: i64) -> io::Result<Vec<Letter>> {
        let mut letters = Vec::new();
        for path in self.files("json")? {
            match fs::read(&path).and_then(|json| Ok(serde_json::from_slice::<Letter>(&json)?)) {
                Ok(letter) => letters.push(letter),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::error!(path = %path.display(), %error, "a notification can't be read and is left out");
                    fs::rename(&path, path.with_extension("damaged"))?;
                }
            }
        }
        // A clock that was set back must not keep anything for long.
        letters.retain(|letter| letter.not_before <= now || letter.not_before > now + DAY_S);
        letters.sort_by_key(|letter| letter.notice.timestamp);
        Ok(letters)
    }

    /// Notes that a letter is being sent: whatever happens, it is not sent again without knowing that it wasn't. Whether
    /// it is still wanted.
    pub(super) fn begin(&self, letter: &Letter) -> io::Result<bool> {
        let name = name_of(&letter.notice);
        let _alone = self.lock();
        match fs::rename(self.path(&name, "json"), self.path(&name, "sending")) {
            Ok(()) => self.sync().map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// It went out, or never will.
    pub(super) fn end(&self, letter: &Letter) -> io::Result<()> {
        let name = name_of(&letter.notice);
        let _alone = self.lock();
        if !self.drop_settled(&name)? {
            fs::rename(self.path(&name, "sending"), self.path(&name, "sent"))?;
        }
        self.sync()
    }

    /// It did not go out, and is to be tried again later, if it still counts then.
    pub(super) fn put_back(&self, letter: &Letter) -> io::Result<()> {
        let name = name_of(&letter.notice);
        let _alone = self.lock();
        if self.drop_settled(&name)? {
            return self.sync();
        }
        self.write(&name, letter)?;
        fs::remove_file(self.path(&name, "sending"))
    }

    /// Forgets a letter whose thread was settled while it was being sent; whether it was.
    fn drop_settled(&self, name: &str) -> io::Result<bool> {
        match fs::remove_file(self.path(name, "settled")) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Nothing of a thread counts any more: what was not sent yet is not sent, and the next is news, also where one is
    /// just being sent.
    pub(super) fn settle(&self, thread: &str) -> io::Result<()> {
        let _alone = self.lock();
        for ending in ["json", "sent"] {
            self.of_thread(thread, ending)?.iter().try_for_each(fs::remove_file)?;
        }
        for path in self.of_thread(thread, "sending")? {
            fs::rename(&path, path.with_extension("settled"))?;
        }
        self.sync()
    }

    fn of_thread(&self, thread: &str, ending: &str) -> io::Result<Vec<PathBuf>> {
        let prefix = format!("{}-", hash(thread));
        let mut paths = self.files(ending)?;
        paths.retain(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(&prefix))
        });
        Ok(paths)
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was sent more than a day ago.
    pub(super) fn forget_old(&self, now: i64) -> io::Result<()> {
        let _alone = self.lock();
        for path in self.files("sent")? {
            let letter = fs::read(&path).ok().and_then(|json| serde_json::from_slice(&json).ok());
            let is_old = |letter: Letter| now.saturating_sub(letter.notice.timestamp) >= DAY_S;
            if letter.is_none_or(is_old) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn write(&self, name: &str, letter: &Letter) -> io::Result<()> {
        let new = self.path(name, "new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(&new)?;
        file.write_all(&serde_json::to_vec(letter)?)?;
        file.sync_all()?;
        fs::rename(&new, self.path(name, "json"))?;
        self.sync()
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn files(&self, ending: &str) -> io::Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for item in fs::read_dir(&self.folder)? {
            let path = item?.path();
            if path.extension().is_some_and(|extension| extension == ending) {
                paths.push(path);
            }
        }
        Ok(paths)
    }

    fn path(&self, name: &str, ending: &str) -> PathBuf {
        Path::new(&self.folder).join(format!("{name}.{ending}"))
    }
}

/// What tells a notice from all others.
pub(super) fn name_of(notice: &Notice) -> String {
    let to = format!("{} {}", notice.to.mode, notice.to.user);
    format!("{}-{}", hash(&notice.thread), hash(&format!("{to}\n{}", notice.key)))
}

fn hash(text: &str) -> String {
    plain_digest(text.as_bytes()).to_string()[..16].to_owned()
}
