//! `keys/`: the tape keys, and what of them may be seen.

use std::ffi::OsStr;
use std::sync::Arc;

use reel_fs::{Attributes, Entry, FnDir, FnFact, Node};
use reel_types::Fingerprint;
use reel_types::commands::results::TapeKeyEntry;
use reel_types::commands::{PaperFormat, Place};

use super::Tree;
use super::facts::{fact, fs_error, no_such, parsed, utc};
use crate::failure::{Failure, Outcome};
use crate::reeld::Reeld;

/// A paper key holds the key: whoever reads it needs but the passphrase.
const PAPER: Attributes = Attributes::with_mode(0o400);

/// The folder of all tape keys.
pub(super) fn keys(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let keys = all.reeld.tape_key_entries().map_err(fs_error)?;
        Ok(keys.iter().map(|key| Entry::directory(key.fingerprint.to_string())).collect())
    };
    let lookup = move |name: &OsStr| {
        let fingerprint: Fingerprint = parsed(name)?;
        // Other spellings of it are no names.
        let is_name = name.to_str() == Some(&fingerprint.to_string());
        found(&one.reeld, &fingerprint).ok().filter(|_| is_name).ok_or_else(|| no_such(name))?;
        Ok(key(&one, fingerprint))
    };
    let refusal =
        "'create hint=HINT passphrase-file=FILE' and 'remove FINGERPRINT' in keys/ctl do that";
    FnDir::new(entries, lookup).beside(tree.controlled(Place::Keys, refusal)).node()
}

fn found(reeld: &Reeld, fingerprint: &Fingerprint) -> Outcome<TapeKeyEntry> {
    let keys = reeld.tape_key_entries()?;
    keys.into_iter()
        .find(|key| key.fingerprint == *fingerprint)
        .ok_or_else(|| Failure::not_found(format!("no such tape key '{}'", fingerprint.short())))
}

fn key(tree: &Arc<Tree>, fingerprint: Fingerprint) -> Node {
    let told = |tell: fn(TapeKeyEntry) -> Option<String>| {
        let reeld = Arc::clone(&tree.reeld);
        fact(move || Ok(tell(found(&reeld, &fingerprint)?)))
    };
    let refusal = format!("'remove {fingerprint}' in the key's ctl removes it");
    tree.controlled(Place::Key(fingerprint), refusal)
        .with("hint", told(|key| key.hint.map(|hint| hint.to_string())))
        .with("kdf", told(|key| Some(key.kdf)))
        .with("created", told(|key| Some(utc(key.created))))
        .with("modified", told(|key| Some(utc(key.modified))))
        .with("paperkey", paper(tree, fingerprint, PaperFormat::Text))
        .with("paperkey.html", paper(tree, fingerprint, PaperFormat::Html))
        .node()
}

fn paper(tree: &Arc<Tree>, fingerprint: Fingerprint, format: PaperFormat) -> Node {
    let reeld = Arc::clone(&tree.reeld);
    FnFact::new(move || reeld.paper_key(&fingerprint, None, format).map_err(fs_error))
        .with_attributes(PAPER)
        .node()
}
