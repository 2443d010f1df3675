//! Secrets in files: they come in by the name of a file that only its owner can read.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;
use nix::unistd::{Uid, User};
use reel_types::commands::{LocalPath, ParamErrors};
use reel_types::{AuthId, Password, UserId};
use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};

/// No key file, passphrase or password is larger.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

/// The content of a file that others can't read. Who isn't the superuser must own it: the daemon could read more than
/// they can.
pub(super) fn read_secret(path: &Path, who: &AuthId) -> Outcome<Zeroizing<Vec<u8>>> {
    let named = |error: std::io::Error| {
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        Failure::new(errno, format!("read '{}': {error}", path.display()))
    };
    // A pipe without a writer would hold the daemon up.
    let open = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = open.map_err(|error| if who.is_root() { named(error) } else { not_yours(path) })?;
    let meta = file.metadata().map_err(named)?;
    let may_name = who.is_root() || meta.is_file() && belongs_to(meta.uid(), who);
    if !may_name {
        return Err(not_yours(path));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(Failure::new(
            libc::EACCES,
            format!(
                "others can read '{}'; make it readable by its owner alone first",
                path.display()
            ),
        ));
    }
    if meta.len() > SECRET_BYTES_MAX {
        return Err(Failure::invalid(format!("'{}' is too large for a secret", path.display())));
    }
    read_all(file).map_err(named)
}

/// With room for all of it: a vector that grows leaves what it held behind.
fn read_all(file: File) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut content = Zeroizing::new(Vec::with_capacity(SECRET_BYTES_MAX as usize + 1));
    file.take(SECRET_BYTES_MAX).read_to_end(&mut content)?;
    Ok(content)
}

/// One answer for whatever is wrong, so that nobody learns from it which files there are.
fn not_yours(path: &Path) -> Failure {
    let text = format!("'{}' is no file of yours that only you can read", path.display());
    Failure::new(libc::EACCES, text)
}

/// Whether `who` is the system's user `uid`.
fn belongs_to(uid: u32, who: &AuthId) -> bool {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    let id = user.and_then(|user| UserId::of_system(&user.name).ok());
    id.is_some_and(|id| AuthId::from(&id) == *who)
}

/// The first line of such a file, without its end.
pub(crate) fn first_line(path: &Path, who: &AuthId) -> Outcome<Zeroizing<Vec<u8>>> {
    let content = read_secret(path, who)?;
    let mut lines = content.split(|byte| matches!(byte, b'\n' | b'\r'));
    Ok(Zeroizing::new(lines.next().unwrap_or_default().to_vec()))
}

/// The password that was given, itself or by the name of a file.
pub(super) fn password(
    given: Option<&Password>,
    file: Option<&LocalPath>,
    who: &AuthId,
) -> Outcome<Option<Password>> {
    match (given, file) {
        (Some(_), Some(_)) => {
            Err(ParamErrors::one("password-file", "give the password or a file, not both").into())
        }
        (None, Some(file)) => {
            let line = first_line(file.as_path(), who)?;
            let line = std::str::from_utf8(&line)
                .map_err(|_| Failure::invalid("the password in the file is no text"))?;
            Ok(Some(line.parse()?))
        }
        (given, None) => Ok(given.cloned()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_superuser_names_files_of_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "geheim\nmore").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(**first_line(&path, &AuthId::root()).unwrap(), *b"geheim");
        let stranger = "u@pbs".parse().unwrap();
        let error = first_line(&path, &stranger).unwrap_err();
        assert_eq!(error.errno, libc::EACCES);
        let missing = first_line(&folder.path().join("none"), &stranger).unwrap_err();
        assert_eq!(missing.message.replace("none", "secret"), error.message);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(
            first_line(&path, &AuthId::root()).unwrap_err().message.contains("others can read")
        );
    }
}
