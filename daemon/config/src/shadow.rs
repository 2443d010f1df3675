//! The hashes of passwords and of tokens' secrets: `shadow.json` and `token.shadow` (`config.md` §4.11).

use reel_types::{AuthId, Password, UserId};
use serde_json::{Map, Value};

use crate::{ConfigDir, ConfigError, CryptHash, FileClass};

/// The passwords of the realm `pbs`, by the user's name without the realm.
#[derive(Debug, Clone, Copy)]
pub struct UserPasswords<'a>(HashFile<'a>);

impl<'a> UserPasswords<'a> {
    /// Those of the configuration in `dir`.
    pub fn new(dir: &'a ConfigDir) -> Self {
        let class = FileClass::Secret;
        Self(HashFile { dir, name: "shadow.json", lock: "shadow.json.lock", class })
    }

    /// The hash of a user's password; none where it has none.
    pub fn hash_of(&self, user: &UserId) -> Result<Option<CryptHash>, ConfigError> {
        self.0.get(user.name())
    }

    /// Gives a user a password.
    pub fn set(&self, user: &UserId, password: &Password) -> Result<(), ConfigError> {
        self.0.set(user.name(), password)
    }

    /// Forgets a user's password.
    pub fn remove(&self, user: &UserId) -> Result<(), ConfigError> {
        self.0.remove(&[user.name().to_owned()])
    }
}

/// The secrets of API tokens, by the token's id.
#[derive(Debug, Clone, Copy)]
pub struct TokenSecrets<'a>(HashFile<'a>);

impl<'a> TokenSecrets<'a> {
    /// Those of the configuration in `dir`.
    pub fn new(dir: &'a ConfigDir) -> Self {
        let class = FileClass::Service;
        Self(HashFile { dir, name: "token.shadow", lock: "token.shadow.lock", class })
    }

    /// The hash of a token's secret; none where it has none.
    pub fn hash_of(&self, token: &AuthId) -> Result<Option<CryptHash>, ConfigError> {
        self.0.get(&token.to_string())
    }

    /// Gives a token a secret.
    pub fn set(&self, token: &AuthId, secret: &Password) -> Result<(), ConfigError> {
        self.0.set(&token.to_string(), secret)
    }

    /// Forgets the secrets of tokens.
    pub fn remove(&self, tokens: &[AuthId]) -> Result<(), ConfigError> {
        let names: Vec<String> = tokens.iter().map(ToString::to_string).collect();
        self.0.remove(&names)
    }
}

/// A file with one JSON object, from names to hashes.
#[derive(Debug, Clone, Copy)]
struct HashFile<'a> {
    dir: &'a ConfigDir,
    name: &'static str,
    lock: &'static str,
    class: FileClass,
}

impl HashFile<'_> {
    fn get(&self, name: &str) -> Result<Option<CryptHash>, ConfigError> {
        let hashes = self.load()?;
        Ok(hashes.get(name).and_then(Value::as_str).map(CryptHash::from_text))
    }

    fn set(&self, name: &str, password: &Password) -> Result<(), ConfigError> {
        // Before the lock is taken: it costs tens of milliseconds.
        let hash = CryptHash::new(password).map_err(|reason| self.refuse(reason))?;
        self.change(|hashes| {
            hashes.insert(name.into(), hash.as_str().into());
            true
        })
    }

    fn remove(&self, names: &[String]) -> Result<(), ConfigError> {
        self.change(|hashes| {
            let before = hashes.len();
            names.iter().for_each(|name| drop(hashes.remove(name)));
            hashes.len() != before
        })
    }

    /// Writes the file if `change` says that it changed something.
    fn change(
        &self,
        change: impl FnOnce(&mut Map<String, Value>) -> bool,
    ) -> Result<(), ConfigError> {
        let _lock = self.dir.lock(self.lock)?;
        let mut hashes = self.load()?;
        if !change(&mut hashes) {
            return Ok(());
        }
        let text = Value::Object(hashes).to_string();
        self.dir.replace(self.name, text.as_bytes(), self.class)
    }

    fn load(&self) -> Result<Map<String, Value>, ConfigError> {
        parse_hashes(&self.dir.read(self.name)?).map_err(|reason| self.refuse(reason))
    }

    fn refuse(&self, reason: String) -> ConfigError {
        ConfigError::Keys { path: self.dir.file(self.name), reason }
    }
}

/// Reads such a file; the reason why it can't be read tells no hash.
pub(crate) fn parse_hashes(content: &[u8]) -> Result<Map<String, Value>, String> {
    if content.is_empty() {
        return Ok(Map::new());
    }
    let value: Value = serde_json::from_slice(content)
        .map_err(|error| format!("no JSON at line {} column {}", error.line(), error.column()))?;
    match value {
        Value::Object(hashes) if hashes.values().all(Value::is_string) => Ok(hashes),
        _ => Err("must be one JSON object from names to texts".into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn folder() -> (tempfile::TempDir, ConfigDir) {
        let folder = tempfile::tempdir().unwrap();
        let dir = ConfigDir::new(folder.path());
        (folder, dir)
    }

    #[test]
    fn secrets_are_kept_as_hashes_in_files_that_others_cannot_read() {
        let (_folder, dir) = folder();
        let (user, token) = ("u@pbs".parse().unwrap(), "u@pbs!tok".parse().unwrap());
        UserPasswords::new(&dir).set(&user, &"geheim".parse().unwrap()).unwrap();
        TokenSecrets::new(&dir).set(&token, &"secret".parse().unwrap()).unwrap();
        let text = |name: &str| fs::read_to_string(dir.file(name)).unwrap();
        assert!(text("shadow.json").starts_with(r#"{"u":"$y$j9T$"#), "{}", text("shadow.json"));
        assert!(text("token.shadow").starts_with(r#"{"u@pbs!tok":"$y$j9T$"#));
        let mode = |name: &str| fs::metadata(dir.file(name)).unwrap().mode() & 0o7777;
        assert_eq!((mode("shadow.json"), mode("token.shadow")), (0o600, 0o640));
        let hash = |token: &AuthId| TokenSecrets::new(&dir).hash_of(token).unwrap();
        assert!(hash(&token).unwrap().fits("secret"));
        TokenSecrets::new(&dir).remove(std::slice::from_ref(&token)).unwrap();
        assert!(hash(&token).is_none());
        UserPasswords::new(&dir).remove(&user).unwrap();
        assert_eq!(text("shadow.json"), "{}");
    }

    #[test]
    fn a_file_that_is_none_is_refused_without_its_content() {
        let (_folder, dir) = folder();
        for bad in ["[]", "{", r#"{"u":1}"#, r#"{"u":"$y$hidden"} x"#] {
            fs::write(dir.file("shadow.json"), bad).unwrap();
            let error = UserPasswords::new(&dir).hash_of(&"u@pbs".parse().unwrap()).unwrap_err();
            assert!(!error.to_string().contains("hidden"), "{error}");
            assert_eq!(fs::read_to_string(dir.file("shadow.json")).unwrap(), bad);
        }
    }
}
