//! The daemon's command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;
use reel_types::ByteSize;

use crate::folders::Folders;

/// Mounts PBS datastores, media pools, media sets and tape drives as a file system, and acts on what is
/// written to its control files.
#[derive(Debug, Parser)]
#[command(name = "reeld", version)]
pub struct Options {
    /// Where to mount; an empty folder.
    #[arg(long, value_name = "FOLDER", default_value = "/srv/reelfs")]
    pub mount: PathBuf,

    /// Let all users of this computer into the mount, each to what they may see: see docs/users.md. Unless reeld runs as
    /// root, 'user_allow_other' must stand in /etc/fuse.conf.
    #[arg(long, conflicts_with = "no_mount")]
    pub allow_other: bool,

    /// Mount nothing; reelctl still works.
    #[arg(long)]
    pub no_mount: bool,

    /// Keep everything below this folder, beside any other installation.
    #[arg(long, value_name = "FOLDER", conflicts_with = "pbs")]
    pub below: Option<PathBuf>,

    /// Use the configuration, state and logs of the Proxmox Backup Server on this computer, which must
    /// not run.
    #[arg(long)]
    pub pbs: bool,

    /// Folder of the configuration [default: /etc/reelfs].
    #[arg(long, value_name = "FOLDER")]
    pub config: Option<PathBuf>,

    /// Folder of the state: inventory, catalogs [default: /var/lib/reelfs].
    #[arg(long, value_name = "FOLDER")]
    pub state: Option<PathBuf>,

    /// Folder of what can be made again [default: /var/cache/reelfs].
    #[arg(long, value_name = "FOLDER")]
    pub cache: Option<PathBuf>,

    /// Folder of the socket [default: /run/reeld].
    #[arg(long, value_name = "FOLDER")]
    pub run: Option<PathBuf>,

    /// Folder of the task logs [default: /var/log/reelfs].
    #[arg(long, value_name = "FOLDER")]
    pub log: Option<PathBuf>,

    /// Folder of the locks that a PBS on the same datastore looks at [default: /run/proxmox-backup].
    #[arg(long, value_name = "FOLDER")]
    pub pbs_run: Option<PathBuf>,

    /// Serve the datastores to clients of PBS and to servers that pull from here, such as [::]:8007.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,

    /// Write configuration, inventory, catalogs and protected tape keys into this file after each job. See
    /// docs/total-loss.md.
    #[arg(long, value_name = "FILE")]
    pub export_state: Option<PathBuf>,

    /// A copy of the file of tape keys, read where that of the configuration may not be, as of PBS's: a credential of the
    /// unit. See docs/encryption.md.
    #[arg(long, value_name = "FILE")]
    pub tape_keys: Option<PathBuf>,

    /// How much of verified chunks to keep on disk.
    #[arg(long, value_name = "SIZE", default_value = "4 GiB")]
    pub chunk_cache: ByteSize,

    /// How much of decoded chunks to keep in memory.
    #[arg(long, value_name = "SIZE", default_value = "96 MiB")]
    pub chunk_memory: ByteSize,

    /// Die at this commit point, as `kill -9` would.
    #[arg(long, value_name = "POINT", hide = true)]
    pub crash_at: Option<String>,

    /// How soon a medium is looked for again that somebody was asked to put in (milliseconds).
    #[arg(long, value_name = "MS", default_value = "5000", hide = true)]
    pub ask_again_ms: u64,

    /// Stop the clock at this time (UNIX seconds).
    #[arg(long, value_name = "SECONDS", hide = true)]
    pub clock: Option<i64>,
}

impl Options {
    /// The folders that the options ask for.
    pub fn folders(&self) -> Folders {
        let base = match (&self.below, self.pbs) {
            (Some(base), _) => Folders::below(base),
            (None, true) => Folders::of_pbs(),
            (None, false) => Folders::installed(),
        };
        let or = |chosen: &Option<PathBuf>, base: PathBuf| chosen.clone().unwrap_or(base);
        Folders {
            config: or(&self.config, base.config),
            state: or(&self.state, base.state),
            cache: or(&self.cache, base.cache),
            run: or(&self.run, base.run),
            log: or(&self.log, base.log),
            pbs_run: or(&self.pbs_run, base.pbs_run),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_folders_move_out_of_the_common_one() {
        let options = Options::try_parse_from(["reeld", "--below", "/b", "--cache", "/c"]).unwrap();
        let folders = options.folders();
        assert_eq!(folders.state, PathBuf::from("/b/state"));
        assert_eq!(folders.cache, PathBuf::from("/c"));
    }

    #[test]
    fn pbs_keeps_the_cache_out_of_its_folders() {
        let folders = Options::try_parse_from(["reeld", "--pbs"]).unwrap().folders();
        assert_eq!(folders.config, PathBuf::from("/etc/proxmox-backup"));
        assert_eq!(folders.cache, PathBuf::from("/var/cache/reelfs"));
        assert!(Options::try_parse_from(["reeld", "--pbs", "--below", "/x"]).is_err());
    }
}
