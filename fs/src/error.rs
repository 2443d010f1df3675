//! The one error of this crate: born with its errno and one sentence that helps.
//!
//! A node that refuses says why once. The errno reaches the program that asked, the sentence
//! reaches the log and, where a control file is near, its `last-error`.

use std::io;

/// Why an operation was refused: the errno for the kernel, a sentence for people.
///
/// The sentence says what was tried, on what, why it failed and what to do. It never holds a
/// secret.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct FsError {
    errno: i32,
    message: String,
}

impl FsError {
    /// An error with any errno; a number that is no errno becomes EIO.
    pub fn new(errno: i32, message: impl Into<String>) -> Self {
        let errno = if (1..512).contains(&errno) { errno } else { libc::EIO };
        Self { errno, message: message.into() }
    }

    /// EINVAL: not understood, or a bad value.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(libc::EINVAL, message)
    }

    /// ENOENT: there is no such object.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(libc::ENOENT, message)
    }

    /// EPERM: never allowed in this way.
    pub fn not_permitted(message: impl Into<String>) -> Self {
        Self::new(libc::EPERM, message)
    }

    /// EACCES: not allowed for this caller.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(libc::EACCES, message)
    }

    /// EIO: the device, the medium or this program failed.
    pub fn io(message: impl Into<String>) -> Self {
        Self::new(libc::EIO, message)
    }

    /// EINTR: a signal ended the wait.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(libc::EINTR, message)
    }

    /// The errno, as in `errno.h`, positive.
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl From<io::Error> for FsError {
    fn from(error: io::Error) -> Self {
        Self::new(error.raw_os_error().unwrap_or(libc::EIO), error.to_string())
    }
}

/// The name of an errno as `errno.h` spells it, or `E?` for one that is not known here.
pub fn errno_name(errno: i32) -> &'static str {
    ERRNO_NAMES.iter().find(|(number, _)| *number == errno).map_or("E?", |(_, name)| name)
}

macro_rules! errno_names {
    ($($name:ident)*) => { &[$((libc::$name, stringify!($name))),*] };
}

const ERRNO_NAMES: &[(i32, &str)] = errno_names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG
    ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY
    ELOOP ENOMSG EIDRM ENODATA ETIME ENONET ENOLINK ECOMM EPROTO EBADMSG EOVERFLOW ENOTUNIQ
    EBADFD EREMCHG EILSEQ EUSERS ENOTSOCK EMSGSIZE EOPNOTSUPP EADDRINUSE EADDRNOTAVAIL ENETDOWN
    ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS ENOTCONN ESHUTDOWN ETIMEDOUT
    ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN EREMOTEIO EDQUOT
    ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD
    ENOTRECOVERABLE
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errnos_have_their_names() {
        assert_eq!(errno_name(libc::ENODATA), "ENODATA");
        assert_eq!(errno_name(libc::ENOMEDIUM), "ENOMEDIUM");
        assert_eq!(errno_name(libc::EMEDIUMTYPE), "EMEDIUMTYPE");
        assert_eq!(errno_name(libc::EKEYREJECTED), "EKEYREJECTED");
        assert_eq!(errno_name(libc::EHOSTDOWN), "EHOSTDOWN");
        assert_eq!(errno_name(0), "E?");
    }

    #[test]
    fn a_number_that_is_no_errno_becomes_eio() {
        assert_eq!(FsError::new(0, "x").errno(), libc::EIO);
        assert_eq!(FsError::new(-2, "x").errno(), libc::EIO);
        assert_eq!(FsError::new(512, "x").errno(), libc::EIO);
        assert_eq!(FsError::new(libc::ENOKEY, "x").errno(), libc::ENOKEY);
    }

    #[test]
    fn an_io_error_keeps_its_errno() {
        let error = FsError::from(io::Error::from_raw_os_error(libc::ENOSPC));
        assert_eq!(error.errno(), libc::ENOSPC);
        assert_eq!(FsError::from(io::Error::other("x")).errno(), libc::EIO);
    }
}
