//! The typed sections of a file: list, get, create, update, remove.

use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use reel_types::ParseError;

use crate::section::{Document, Section};
use crate::{ConfigDigest, ConfigDir, ConfigError, ConfigLock, SectionFile};

/// What a section of one type says.
pub trait Entry: Sized {
    /// What people call it, such as `datastore`.
    const KIND: &'static str;
    /// The type in the section's header.
    const SECTION: &'static str;
    /// The file it stands in.
    const FILE: &'static SectionFile;
    /// The keys that an update may delete.
    const DELETABLE: &'static [&'static str];
    /// The type of its name.
    type Name: Display;

    /// Older spellings of a key, which are deleted with it.
    fn delete_aliases(_key: &str) -> &'static [&'static str] {
        &[]
    }

    /// Its name.
    fn name(&self) -> &Self::Name;

    /// Reads a section of its type.
    fn read(section: &Section) -> Result<Self, ParseError>;

    /// Writes all it knows into a section; other keys stay.
    fn write(&self, section: &mut Section);

    /// What must hold before it is saved, beyond the form of each value. `before` is what is there now
    /// (none for something new), `others` the file.
    fn check(&self, _before: Option<&Self>, _others: &Document) -> Result<(), ConfigError> {
        Ok(())
    }

    /// Adds what counts as there although the file lacks it.
    fn complete(_document: &mut Document) {}

    /// What must hold before it is removed; `others` is the file.
    fn check_removal(&self, _others: &Document) -> Result<(), ConfigError> {
        Ok(())
    }
}

/// All entries of one type.
#[derive(Debug, Clone, Copy)]
pub struct Entries<'a, E> {
    dir: &'a ConfigDir,
    kind: PhantomData<E>,
}

impl<'a, E: Entry> Entries<'a, E> {
    /// Those in the folder `dir`.
    pub fn new(dir: &'a ConfigDir) -> Self {
        Self { dir, kind: PhantomData }
    }

    /// Keeps the file as it is for as long as the lock is held, for whoever decides by what it says.
    pub fn lock(&self) -> Result<ConfigLock, ConfigError> {
        self.dir.lock(E::FILE.lock)
    }

    /// All of them in the order of the file, and the digest of what was read.
    pub fn list(&self) -> Result<(Vec<E>, ConfigDigest), ConfigError> {
        let (mut document, digest) = E::FILE.load(self.dir)?;
        E::complete(&mut document);
        Ok((entries_of(&document)?, digest))
    }

    /// The one called `name`.
    pub fn get(&self, name: &E::Name) -> Result<E, ConfigError> {
        let (mut document, _) = E::FILE.load(self.dir)?;
        E::complete(&mut document);
        Ok(E::read(find::<E>(&document, name)?)?)
    }

    /// Adds a new one.
    pub fn create(&self, entry: &E) -> Result<(), ConfigError> {
        E::FILE.update(self.dir, None, |document| {
            E::complete(document);
            add(document, entry)
        })
    }

    /// Deletes the named keys, then lets `change` have what is left; gives what was saved.
    pub fn update(
        &self,
        name: &E::Name,
        delete: &[impl AsRef<str>],
        expected: Option<&ConfigDigest>,
        change: impl FnOnce(&mut E) -> Result<(), ConfigError>,
    ) -> Result<E, ConfigError> {
        E::FILE.update(self.dir, expected, |document| {
            E::complete(document);
            let mut section = find::<E>(document, name)?.clone();
            let before = E::read(&section)?;
            for key in delete {
                delete_key::<E>(&mut section, key.as_ref())?;
            }
            let mut entry = E::read(&section)?;
            change(&mut entry)?;
            if entry.name().to_string() != section.id() {
                let reason = "its name can't be changed".into();
                let name = name.to_string();
                return Err(ConfigError::Invalid { kind: E::KIND, name, reason });
            }
            entry.check(Some(&before), document)?;
            entry.write(&mut section);
            document.insert(section);
            Ok(entry)
        })
    }

    /// Adds an entry, or puts it in the place of the one of that name, whose unknown keys stay.
    pub(crate) fn put(&self, entry: &E) -> Result<(), ConfigError> {
        E::FILE.update(self.dir, None, |document| {
            let name = entry.name().to_string();
            let known = document.get(&name).cloned();
            let mut section = known.unwrap_or_else(|| Section::new(E::SECTION, &name));
            entry.write(&mut section);
            document.insert(section);
            Ok(())
        })
    }

    /// Takes the one called `name` out of the file; where there is none that is fine.
    pub(crate) fn forget(&self, name: &E::Name) -> Result<(), ConfigError> {
        match self.remove(name, None) {
            Err(ConfigError::NotFound { .. }) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Takes the one called `name` out of the file and returns it.
    pub fn remove(
        &self,
        name: &E::Name,
        expected: Option<&ConfigDigest>,
    ) -> Result<E, ConfigError> {
        E::FILE.update(self.dir, expected, |document| {
            let entry = E::read(find::<E>(document, name)?)?;
            entry.check_removal(document)?;
            document.remove(&name.to_string());
            Ok(entry)
        })
    }
}

/// Adds a new entry to a file.
pub(crate) fn add<E: Entry>(document: &mut Document, entry: &E) -> Result<(), ConfigError> {
    let name = entry.name().to_string();
    if document.get(&name).is_some() {
        return Err(ConfigError::Exists { kind: E::KIND, name });
    }
    entry.check(None, document)?;
    let mut section = Section::new(E::SECTION, &name);
    entry.write(&mut section);
    document.insert(section);
    Ok(())
}

/// The entries of one type in the order of the file.
pub(crate) fn entries_of<E: Entry>(document: &Document) -> Result<Vec<E>, ParseError> {
    let ours = document.sections().iter().filter(|section| section.kind() == E::SECTION);
    ours.map(E::read).collect()
}

fn find<'d, E: Entry>(document: &'d Document, name: &E::Name) -> Result<&'d Section, ConfigError> {
    let name = name.to_string();
    match document.get(&name) {
        None => Err(ConfigError::NotFound { kind: E::KIND, name }),
        Some(section) if section.kind() != E::SECTION => {
            let reason = format!("it is a '{}' in {}", section.kind(), E::FILE.name);
            Err(ConfigError::Unsupported { kind: E::KIND, name, reason })
        }
        Some(section) => Ok(section),
    }
}

fn delete_key<E: Entry>(section: &mut Section, key: &str) -> Result<(), ConfigError> {
    if !E::DELETABLE.contains(&key) {
        let reason = format!("must be one of {}", E::DELETABLE.join(", "));
        return Err(ParseError::new("property to delete", key, reason).into());
    }
    section.unset(key);
    E::delete_aliases(key).iter().for_each(|older| section.unset(older));
    Ok(())
}

/// Reads the value of `key`, if it is there.
pub(crate) fn value<T: FromStr<Err = ParseError>>(
    section: &Section,
    key: &str,
) -> Result<Option<T>, ParseError> {
    section.get(key).map(str::parse).transpose()
}

/// Writes the value of `key`, or removes it. A value that says the same already stays as it is spelled.
pub(crate) fn put<T>(section: &mut Section, key: &str, value: Option<&T>)
where
    T: FromStr<Err = ParseError> + Display + PartialEq,
{
    match value {
        None => section.unset(key),
        Some(value)
            if section.get(key).and_then(|text| text.parse().ok()).as_ref() == Some(value) => {}
        Some(value) => section.set(key, [value.to_string()]),
    }
}

/// Reads the number `key`, whose bounds the file's schema has checked.
pub(crate) fn number<T: FromStr>(section: &Section, key: &str) -> Option<T> {
    section.get(key).and_then(|number| number.parse().ok())
}

/// Writes the number `key`, or removes it.
pub(crate) fn put_number<T: Into<u64>>(section: &mut Section, key: &str, value: Option<T>) {
    put_text(section, key, value.map(Into::into));
}

/// Writes the boolean `key`, or removes it.
pub(crate) fn put_bool(section: &mut Section, key: &str, value: Option<bool>) {
    put_text(section, key, value);
}

fn put_text(section: &mut Section, key: &str, value: Option<impl Display>) {
    match value {
        None => section.unset(key),
        Some(value) => section.set(key, [value.to_string()]),
    }
}
