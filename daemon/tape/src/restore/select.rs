//! Which snapshots of the set are wanted, and where they go (`tape-state.md` §10.1, §10.3).

use std::collections::HashSet;

use reel_hw::number::FileNumber;
use reel_types::commands::{NamespaceMap, TapeSnapshot};
use reel_types::{Namespace, ParseError, SnapshotPath};

use super::Run;
use super::import::{Standing, standing};
use super::report::Report;
use super::targets::Target;
use crate::Result;
use crate::media_catalog::CatalogRecord;
use crate::snapshot_files::SnapshotOnSet;

/// A snapshot to restore.
pub(super) struct Wanted {
    pub(super) snapshot: SnapshotOnSet,
    /// The place of its medium in the set.
    pub(super) member: usize,
    pub(super) file: FileNumber,
    /// Where it goes in its target datastore; at least one place.
    pub(super) places: Vec<SnapshotPath>,
}

impl Wanted {
    /// `store1:vm/100/…`.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.snapshot.store, self.snapshot.path)
    }
}

/// Looks the wanted snapshots up in all catalogs, and leaves out those that can't or need not be restored.
pub(super) fn select(run: &Run<'_>, report: &mut Report<'_>) -> Result<Vec<Wanted>> {
    let mut found = find(run, report)?;
    if run.is_last_set {
        report_unknown(run, report);
    }
    found.retain_mut(|wanted| has_place(run, wanted, report));
    Ok(found)
}

fn find(run: &Run<'_>, report: &mut Report<'_>) -> Result<Vec<Wanted>> {
    let explicit: HashSet<&TapeSnapshot> = run.job.snapshots.iter().collect();
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for (place, member) in run.members.iter().enumerate() {
        member.visit_catalog(run.env, |record| {
            let CatalogRecord::Snapshot { number, store, path, .. } = record else {
                return Ok(());
            };
            let name = TapeSnapshot { store, path };
            let is_wanted = match explicit.is_empty() {
                true => is_in_mapped_namespace(run, &name),
                false => explicit.contains(&name),
            };
            if !is_wanted || !seen.insert(name.clone()) {
                return Ok(());
            }
            report.found(name.clone());
            if report.is_settled(&name.to_string()) {
                return Ok(());
            }
            let TapeSnapshot { store, path } = name;
            run.task.log(&format!("found snapshot {path} on {}: file {number}", member.label));
            found.push(Wanted {
                snapshot: SnapshotOnSet { set: run.set, store, path },
                member: place,
                file: number,
                places: Vec::new(),
            });
            Ok(())
        })?;
    }
    Ok(found)
}

fn is_in_mapped_namespace(run: &Run<'_>, name: &TapeSnapshot) -> bool {
    let maps = run.job.namespaces.iter().filter(|map| map.store == name.store);
    run.targets.of(&name.store).is_some()
        && maps.filter_map(|map| mapped(map, &name.path.namespace)).next().is_some()
}

fn report_unknown(run: &Run<'_>, report: &mut Report<'_>) {
    for name in &run.job.snapshots {
        if !report.has_found(name) {
            run.task.warn(&format!("did not find snapshot '{name}' in media set"));
            report.skipped(name.to_string());
        }
    }
}

/// Finds the places of a snapshot. Whether there is any that it can go to.
fn has_place(run: &Run<'_>, wanted: &mut Wanted, report: &mut Report<'_>) -> bool {
    let name = wanted.name();
    let skip = |report: &mut Report<'_>, reason: String| {
        run.task.warn(&format!("skipping snapshot {name}: {reason}"));
        report.skipped(name.clone());
    };
    let Some(target) = run.targets.of(&wanted.snapshot.store) else {
        skip(report, "its datastore has no target".into());
        return false;
    };
    let places = places(&run.job.namespaces, &wanted.snapshot);
    if places.is_empty() {
        skip(report, "no mapping covers its namespace".into());
    }
    for place in places {
        match place.map_err(|error| error.to_string()).and_then(|path| free(run, target, path)) {
            Ok(path) => wanted.places.push(path),
            Err(reason) => skip(report, reason),
        }
    }
    !wanted.places.is_empty()
}

/// The path if a snapshot can go there.
fn free(run: &Run<'_>, target: &Target, path: SnapshotPath) -> Result<SnapshotPath, String> {
    match standing(target.store(), &path, &run.job.owner) {
        Standing::Free => Ok(path),
        Standing::There => Err(format!("'{path}' is on the target datastore already")),
        Standing::Refused(error) => Err(error.to_string()),
    }
}

/// Where a snapshot goes: into the same namespace where its datastore has no mappings, else where those say.
fn places(
    maps: &[NamespaceMap],
    snapshot: &SnapshotOnSet,
) -> Vec<Result<SnapshotPath, ParseError>> {
    let SnapshotOnSet { store, path, .. } = snapshot;
    let mut maps = maps.iter().filter(|map| map.store == *store).peekable();
    if maps.peek().is_none() {
        return vec![Ok(path.clone())];
    }
    let mut places: Vec<Result<SnapshotPath, ParseError>> = Vec::new();
    for namespace in maps.filter_map(|map| mapped(map, &path.namespace)) {
        let place =
            namespace.map(|namespace| SnapshotPath { namespace, snapshot: path.snapshot.clone() });
        // Two mappings may lead to one place.
        let known = |other: &Result<SnapshotPath, ParseError>| match (other, &place) {
            (Ok(other), Ok(place)) => other == place,
            _ => false,
        };
        if !places.iter().any(known) {
            places.push(place);
        }
    }
    places
}

/// Where a mapping leads from a namespace; none if it doesn't cover it. Fails where that would be too deep.
fn mapped(map: &NamespaceMap, namespace: &Namespace) -> Option<Result<Namespace, ParseError>> {
    let rest = namespace.relative_to(&map.source)?;
    let covers = rest.depth() <= map.depth.unwrap_or_default().levels();
    covers.then(|| map.target.join(&rest))
}

#[cfg(test)]
mod tests {
    use reel_types::MediaSetId;
    use uuid::Uuid;

    use super::*;

    fn to(maps: &[&str], path: &str) -> Vec<String> {
        let maps: Vec<NamespaceMap> = maps.iter().map(|map| map.parse().unwrap()).collect();
        let snapshot = SnapshotOnSet {
            set: MediaSetId(Uuid::nil()),
            store: "store1".parse().unwrap(),
            path: path.parse().unwrap(),
        };
        let place = |place: Result<SnapshotPath, ParseError>| {
            place.map_or_else(|_| "too deep".into(), |path| path.to_string())
        };
        places(&maps, &snapshot).into_iter().map(place).collect()
    }

    #[test]
    fn namespaces_are_mapped_with_what_is_below_them() {
        let here = "ns/a/ns/b/vm/100/2022-01-01T00:00:00Z";
        assert_eq!(to(&[], here), [here]);
        assert_eq!(to(&["store=other,target=x"], here), [here]);
        let moved = "ns/x/ns/a/ns/b/vm/100/2022-01-01T00:00:00Z";
        assert_eq!(to(&["store=store1,target=x"], here), [moved]);
        let moved = "ns/x/ns/b/vm/100/2022-01-01T00:00:00Z";
        assert_eq!(to(&["store=store1,source=a,target=x"], here), [moved]);
        assert_eq!(to(&["store=store1,source=a,target=x,max-depth=0"], here), [""; 0]);
        assert_eq!(to(&["store=store1,source=b,target=x"], here), [""; 0]);
    }

    #[test]
    fn several_mappings_lead_to_several_places_each_once() {
        let here = "ns/a/vm/100/2022-01-01T00:00:00Z";
        let places = to(
            &["store=store1,source=a,target=x", "store=store1", "store=store1,target=x,source=a"],
            here,
        );
        assert_eq!(places, ["ns/x/vm/100/2022-01-01T00:00:00Z", here]);
        let deep = to(&["store=store1,target=1/2/3/4/5/6/7"], here);
        assert_eq!(deep, ["too deep"]);
    }
}
