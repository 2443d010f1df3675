//! Media pools in `media-pool.cfg` (`config.md` §4.7).

use reel_types::{
    AllocationPolicy, Comment, Fingerprint, ParseError, PoolName, RetentionPolicy, TapeTemplate,
};

use crate::SectionFile;
use crate::entries::{Entry, put, value};
use crate::section::{Key, Schema, Section, SectionType, Unknown, ValueKind};

static FILE: SectionFile = SectionFile {
    name: "media-pool.cfg",
    lock: ".media-pool.lck",
    schema: Schema {
        types: &[SectionType {
            name: "pool",
            check_id: |id| id.parse::<PoolName>().map(drop),
            keys: &[
                Key::optional("allocation", ValueKind::parsed::<AllocationPolicy>()),
                Key::optional("comment", ValueKind::parsed::<Comment>()),
                Key::optional("encrypt", ValueKind::parsed::<Fingerprint>()),
                Key::optional("retention", ValueKind::parsed::<RetentionPolicy>()),
                Key::optional("template", ValueKind::parsed::<TapeTemplate>()),
            ],
            check: |section| PoolConfig::read(section).map(drop),
        }],
        aliases: &[],
        unknown_types: Unknown::Refuse,
        unknown_keys: Unknown::Keep,
    },
};

/// What is configured about a media pool; an absent value has its default.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolConfig {
    /// Its name.
    pub name: PoolName,
    /// When a new media set begins.
    pub allocation: Option<AllocationPolicy>,
    /// How long a set is protected.
    pub retention: Option<RetentionPolicy>,
    /// How sets are named.
    pub template: Option<TapeTemplate>,
    /// A comment.
    pub comment: Option<Comment>,
    /// The key of its media. It may be kept or deleted, but not set.
    pub encrypt: Option<Fingerprint>,
}

impl PoolConfig {
    /// A pool with defaults for all else.
    pub fn new(name: PoolName) -> Self {
        Self {
            name,
            allocation: None,
            retention: None,
            template: None,
            comment: None,
            encrypt: None,
        }
    }
}

impl Entry for PoolConfig {
    const KIND: &'static str = "pool";
    const SECTION: &'static str = "pool";
    const FILE: &'static SectionFile = &FILE;
    const DELETABLE: &'static [&'static str] =
        &["allocation", "retention", "template", "encrypt", "comment"];
    type Name = PoolName;

    fn name(&self) -> &PoolName {
        &self.name
    }

    fn read(section: &Section) -> Result<Self, ParseError> {
        Ok(Self {
            name: section.id().parse()?,
            allocation: value(section, "allocation")?,
            retention: value(section, "retention")?,
            template: value(section, "template")?,
            comment: value(section, "comment")?,
            encrypt: value(section, "encrypt")?,
        })
    }

    fn write(&self, section: &mut Section) {
        put(section, "allocation", self.allocation.as_ref());
        put(section, "retention", self.retention.as_ref());
        put(section, "template", self.template.as_ref());
        put(section, "comment", self.comment.as_ref());
        put(section, "encrypt", self.encrypt.as_ref());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::{ConfigDir, Pools};

    use super::*;

    const KEY: &str = "0d:19:de:6a:19:e7:af:32:6c:a8:3f:73:3f:e5:1d:7b:65:ad:e4:c9:15:61:f9:1a:b8:2f:88:d9:35:39:29:6f";

    fn folder(content: &str) -> (tempfile::TempDir, ConfigDir) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("media-pool.cfg"), content).unwrap();
        let dir = ConfigDir::new(folder.path());
        (folder, dir)
    }

    fn content(dir: &ConfigDir) -> String {
        fs::read_to_string(dir.file("media-pool.cfg")).unwrap()
    }

    #[test]
    fn a_new_pool() {
        let (_folder, dir) = folder("");
        let mut pool = PoolConfig::new("daily".parse().unwrap());
        pool.allocation = Some("mon..fri 20:00".parse().unwrap());
        pool.retention = Some("30 days".parse().unwrap());
        pool.template = Some("Set %c".parse().unwrap());
        Pools::new(&dir).create(&pool).unwrap();
        let expected =
            "pool: daily\n\tallocation mon..fri 20:00\n\tretention 30 days\n\ttemplate Set %c\n";
        assert_eq!(content(&dir), expected);
        assert_eq!(Pools::new(&dir).list().unwrap().0, [pool]);
    }

    #[test]
    fn keys_are_given_and_deleted() {
        let (_folder, dir) = folder("pool: plain\n");
        let pools = Pools::new(&dir);
        let mut new = PoolConfig::new("crypt".parse().unwrap());
        new.encrypt = Some(KEY.parse().unwrap());
        pools.create(&new).unwrap();
        assert_eq!(content(&dir), format!("pool: plain\n\npool: crypt\n\tencrypt {KEY}\n"));
        pools.update(&new.name, &["encrypt"], None, |_| Ok(())).unwrap();
        assert_eq!(content(&dir), "pool: plain\n\npool: crypt\n");
    }
}
