//! Tape keys (`cli-tape.md` §9).
//!
//! A passphrase comes with the body of a call, asked for by `reelctl`, or by the name of a file; never as a word of a
//! command line.

use super::define::*;
use super::output::{Answer, Column, Listing, Render, rendered, text};
use super::values::{KeyKdf, KeyText, LocalPath, PaperFormat};
use crate::{Comment, Digest, DriveName, Fingerprint, Passphrase, PasswordHint};

const KEYS: Listing =
    Listing { columns: &[text("fingerprint"), text("hint")], sort_by: &["fingerprint"] };

const KEY: &[Column] = &[
    text("kdf"),
    rendered("created", Render::Epoch),
    rendered("modified", Render::Epoch),
    text("fingerprint"),
    text("hint"),
];

commands! {
    /// Create a tape key, protected by a passphrase. Prints its fingerprint.
    KeyCreate ["key" "create"] => Answer::Quoted("fingerprint");
    {
        /// What reminds of the passphrase.
        opt hint: PasswordHint,
        /// How the passphrase becomes a key; scrypt where nothing is said.
        opt kdf: Option<KeyKdf>,
        /// The passphrase, in the body of a call alone.
        opt passphrase: Option<Passphrase>,
        /// File whose first line is the passphrase, readable by its owner alone; '-' is the standard input of reelctl.
        opt passphrase_file: Option<LocalPath>,
    }

    /// List the tape keys.
    KeyList ["key" "list"] => Answer::List(&KEYS);
    {}

    /// Show what is known of a tape key.
    KeyShow ["key" "show"] => Answer::Object(KEY);
    {
        /// Fingerprint of the key.
        arg fingerprint: Fingerprint,
    }

    /// Protect a tape key by another passphrase. Tapes that were written before keep the former one.
    KeyChangePassphrase ["key" "change-passphrase"] => Answer::Nothing;
    {
        /// Fingerprint of the key.
        arg fingerprint: Fingerprint,
        /// What reminds of the new passphrase; the former hint where nothing is said.
        opt hint: Option<PasswordHint>,
        /// How the passphrase becomes a key; scrypt where nothing is said.
        opt kdf: Option<KeyKdf>,
        /// Without the current passphrase, by the key itself. The superuser may.
        opt force: bool = false,
        /// The current passphrase, in the body of a call alone.
        opt passphrase: Option<Passphrase>,
        /// File whose first line is the current passphrase, readable by its owner alone; '-' is the standard input of reelctl.
        opt passphrase_file: Option<LocalPath>,
        /// The new passphrase, in the body of a call alone.
        opt new_passphrase: Option<Passphrase>,
        /// File whose first line is the new passphrase, readable by its owner alone; '-' is the standard input of reelctl.
        opt new_passphrase_file: Option<LocalPath>,
    }

    /// Print a tape key, protected by its passphrase, to be kept on paper.
    KeyPaperkey ["key" "paperkey"] => Answer::Document("document");
    {
        /// Fingerprint of the key.
        arg fingerprint: Fingerprint,
        /// What stands above it.
        opt subject: Option<Comment>,
        /// As a page for a browser to print, or as text; html where nothing is said.
        opt output_format: Option<PaperFormat>,
    }

    /// Remove a tape key. Without it, nobody reads the tapes that were written with it.
    KeyRemove ["key" "remove"] => Answer::Nothing;
    {
        /// Fingerprint of the key.
        arg fingerprint: Fingerprint,
        /// Only if the configuration still has this digest.
        opt digest: Option<Digest>,
        /// Though a pool or a known media set needs it.
        opt force: bool = false,
    }

    /// Take a tape key from the label of a tape of its media set, or from paper. Without an option, from the medium in
    /// the only drive.
    KeyRestore ["key" "restore"] => Answer::Nothing;
    {
        /// Drive with a tape of the media set.
        opt drive: Option<DriveName>,
        /// The protected key: the JSON, or the text of a paper key.
        opt key: Option<KeyText>,
        /// File with the protected key; '-' is the standard input of reelctl.
        opt key_file: Option<LocalPath>,
        /// The passphrase, in the body of a call alone.
        opt passphrase: Option<Passphrase>,
        /// File whose first line is the passphrase, readable by its owner alone; '-' is the standard input of reelctl.
        opt passphrase_file: Option<LocalPath>,
    }
}
