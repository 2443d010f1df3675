//! Groups and namespaces that are gone at the source (`sync.md` §5 step 5, §10 step 1).

use std::cmp::Reverse;
use std::collections::HashSet;

use reel_types::{BackupGroup, GroupPath, Namespace, NamespaceDepth, Privilege, filters_accept};

use super::run::{Run, error_or_stop};
use super::{PullError, namespace_text};

impl Run<'_> {
    /// Removes the groups here that the filters let through and `source` has not, but what is protected in them.
    pub(super) fn remove_vanished_groups(
        &self,
        namespace: &Namespace,
        source: &HashSet<BackupGroup>,
    ) -> Result<(), PullError> {
        for group in self.job.target.groups(namespace)?.items {
            self.task.check()?;
            let is_ours = !source.contains(&group) && filters_accept(&self.job.filters, &group);
            let path = GroupPath { namespace: namespace.clone(), group };
            if !is_ours || !self.job.target.owner(&path)?.is_owned_by(self.owner()) {
                continue;
            }
            if let Err(error) = self.remove_group(&path) {
                error_or_stop(&error)?;
                self.report.failed(&format!("remove vanished group '{}'", path.group), &error);
            }
        }
        Ok(())
    }

    fn remove_group(&self, path: &GroupPath) -> Result<(), PullError> {
        self.task.log(&format!("delete vanished group '{}'", path.group));
        let removal = self.job.target.forget_group(path)?;
        self.report.removed(|removed| {
            removed.snapshots += removal.removed;
            removed.groups += usize::from(removal.protected == 0);
        });
        if removal.protected > 0 {
            let (group, kept) = (&path.group, removal.protected);
            self.task.log(&format!("kept {kept} protected snapshots of vanished group '{group}'"));
        }
        self.job.commit_points.reached("pull: snapshot removed");
        Ok(())
    }

    /// Removes the namespaces here, so deep as was pulled, that were not pulled into.
    pub(super) fn remove_vanished_namespaces(
        &self,
        synced: &HashSet<Namespace>,
        depth: Option<NamespaceDepth>,
    ) -> Result<(), PullError> {
        let (target, anchors) = (&self.job.target, &self.job.anchors);
        if !target.has_namespace(&anchors.target)? {
            return Ok(());
        }
        let mut here = target.namespaces(&anchors.target, Some(anchors.depth_here(depth)))?.items;
        here.sort_by_cached_key(|namespace| Reverse(namespace.to_string().len()));
        for namespace in here {
            let is_seen = [Privilege::DatastoreBackup, Privilege::DatastoreAudit]
                .into_iter()
                .any(|privilege| self.may(target.name(), &namespace, privilege));
            let stays = namespace == anchors.target || namespace.is_root() || !is_seen;
            if stays || synced.contains(&namespace) {
                continue;
            }
            self.task.check()?;
            if let Err(error) = self.remove_namespace(&namespace) {
                error_or_stop(&error)?;
                self.report.failed(&format!("remove vanished namespace '{namespace}'"), &error);
            }
        }
        Ok(())
    }

    fn remove_namespace(&self, namespace: &Namespace) -> Result<(), PullError> {
        self.require(&namespace.parent().unwrap_or_default(), Privilege::DatastoreModify)?;
        let removal = self.job.target.forget_namespace(namespace)?;
        self.report.removed(|removed| {
            removed.snapshots += removal.snapshots;
            removed.groups += removal.groups;
            removed.namespaces += removal.namespaces;
        });
        let text = namespace_text(namespace);
        match removal.protected {
            0 => self.task.log(&format!("removed vanished {text}")),
            kept => self.task.log(&format!("kept {kept} protected snapshots of vanished {text}")),
        }
        Ok(())
    }
}
