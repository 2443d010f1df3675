//! Hashes of passwords as crypt(3) writes them: yescrypt for new ones, SHA-256 and SHA-512 where they stand already
//! (`config.md` §4.11).

use std::fmt;

use openssl::rand::rand_bytes;
use reel_types::Password;
use sha_crypt::ShaCrypt;
use yescrypt::{PasswordHasher, PasswordVerifier, Yescrypt};

/// Bytes of a new salt, as many as crypt(3) takes.
const SALT_BYTES: usize = 16;

/// A hash in the notation of crypt(3).
#[derive(Clone, PartialEq, Eq)]
pub struct CryptHash(Box<str>);

impl CryptHash {
    /// Hashes a password with a new salt; cost 5, that of crypt(3) where nothing else is asked for.
    pub fn new(password: &Password) -> Result<Self, String> {
        let mut salt = [0; SALT_BYTES];
        rand_bytes(&mut salt).map_err(|error| format!("make a salt: {error}"))?;
        let hash = Yescrypt::default()
            .hash_password_with_salt(password.reveal().as_bytes(), &salt)
            .map_err(|error| format!("hash the password: {error}"))?;
        Ok(Self(hash.as_str().into()))
    }

    /// A hash as it stands in a file.
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// The text; keep it out of messages and logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `password` is the one that was hashed; what is no hash that we know fits no password.
    pub fn fits(&self, password: &str) -> bool {
        let password = password.as_bytes();
        match self.0.get(..3) {
            Some("$y$") => Yescrypt::default().verify_password(password, &*self.0).is_ok(),
            Some("$5$" | "$6$") => ShaCrypt::default().verify_password(password, &*self.0).is_ok(),
            _ => false,
        }
    }
}

impl fmt::Debug for CryptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CryptHash(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by crypt(3) of libxcrypt.
    const OF_LIBXCRYPT: [&str; 3] = [
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$Nuj8n8Or2/GmzEOlKSSlXaprjlgyI1KbvWNLnA/wMa6",
        "$5$saltsalt$l7J4HrK4vLAusg.ABwkZB.YIHizHVx1BKFX2/f8r5zD",
        "$6$rounds=6000$saltsalt$VHH/gI9CiNw/YHxDWNJEEa8fYyUAPJ5PATtYRFQH.60OS.LFLQt/t6QUsmsrEZ8XrN3w4a5uMqPrjsJP2EbEN/",
    ];

    #[test]
    fn hashes_of_the_system_are_known() {
        for text in OF_LIBXCRYPT {
            let hash = CryptHash::from_text(text);
            assert!(hash.fits("geheim1"), "{text}");
            for wrong in ["", "geheim", "geheim2"] {
                assert!(!hash.fits(wrong), "{text} with '{wrong}'");
            }
        }
    }

    #[test]
    fn new_hashes_are_salted_yescrypt_of_the_usual_cost() {
        let password: Password = "pässword 1".parse().unwrap();
        let (one, two) = (CryptHash::new(&password).unwrap(), CryptHash::new(&password).unwrap());
        assert!(one.as_str().starts_with("$y$j9T$"), "{}", one.as_str());
        assert!(one != two && one.fits("pässword 1") && !one.fits("password 1"));
        assert_eq!(format!("{one:?}"), "CryptHash(hidden)");
    }

    #[test]
    fn what_is_no_hash_fits_nothing() {
        for text in ["", "!", "*", "x", "$1$a$b", "$y$", "$5$", "$6$rounds=x$a", "$y$j9T$$", "$é"]
        {
            assert!(!CryptHash::from_text(text).fits(""), "{text}");
            assert!(!CryptHash::from_text(text).fits("x"), "{text}");
        }
    }
}
