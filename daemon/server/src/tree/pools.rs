//! `pools/`: their rules, what is planned, due and known of their media, and links to these and to their sets.

use std::collections::BTreeSet;
use std::sync::Arc;

use reel_config::Pools;
use reel_fs::{Entry, FnDir, FnFact, FsError, KeyValues, Node, symlink};
use reel_types::commands::results::{
    DueMedium, MediaListEntry, MediaVerifiedEntry, PoolPlanInfo, VaultedMedium,
};
use reel_types::commands::{LtoBarcode, Place, PoolConfig};
use reel_types::{LabelText, MediaSetId, MediaStatus, PoolName};

use super::Tree;
use super::facts::{answer, fs_error, key_values, no_such, parsed, plain, rows, utc};
use crate::barcode_sheet;
use crate::failure::Outcome;
use crate::reeld::Reeld;

/// The folder of all pools.
pub(super) fn pools(tree: &Arc<Tree>) -> Node {
    let (all, one) = (Arc::clone(tree), Arc::clone(tree));
    let entries = move || {
        let pools = all.reeld.pools().map_err(fs_error)?;
        let names: BTreeSet<String> = pools.into_iter().map(|pool| pool.name.to_string()).collect();
        Ok(names.into_iter().map(Entry::directory).collect())
    };
    let lookup = move |name: &std::ffi::OsStr| {
        let pool: PoolName = parsed(name)?;
        Pools::new(&one.reeld.config).get(&pool).map_err(|_| no_such(name))?;
        Ok(self::pool(&one, pool))
    };
    let refusal = "'create NAME' and 'remove NAME' in pools/ctl do that";
    FnDir::new(entries, lookup).beside(tree.controlled(Place::Pools, refusal)).node()
}

fn pool(tree: &Arc<Tree>, name: PoolName) -> Node {
    let (reeld, shown) = (Arc::clone(&tree.reeld), name.clone());
    let refusal = format!("'remove {name}' in the pool's ctl takes it out of the configuration");
    tree.controlled(Place::Pool(name.clone()), refusal)
        .with_all(answer(tree, "config", PoolConfig { name: name.clone() }))
        .with_all(key_values("status", move || status(&reeld, &shown)))
        .with_all(pool_plan(tree, name.clone()))
        .with_all(rows(
            "vault",
            of_pool(tree, &name, |r, pool| r.vaulted_media(Some(pool))),
            vaulted,
        ))
        .with_all(rows("due", of_pool(tree, &name, Reeld::known_due_media), due))
        .with_all(rows(
            "verified",
            of_pool(tree, &name, |reeld, pool| reeld.verified_media(Some(pool))),
            verified,
        ))
        .with("barcodes", barcodes(tree, &name))
        .with("media", media(tree, name.clone()))
        .with("sets", sets(tree, name))
        .node()
}

/// What the daemon says of a pool, asked for at each call.
fn of_pool<T>(
    tree: &Arc<Tree>,
    pool: &PoolName,
    tell: impl Fn(&Reeld, &PoolName) -> Outcome<T> + Send + Sync + 'static,
) -> impl Fn() -> Outcome<T> + Send + Sync + 'static {
    let (reeld, pool) = (Arc::clone(&tree.reeld), pool.clone());
    move || tell(&reeld, &pool)
}

/// `A00001L8 office full expires=never`
fn vaulted(medium: &VaultedMedium) -> String {
    let VaultedMedium { vault, label_text, status, .. } = medium;
    let expires = medium.expires.map_or_else(|| "never".into(), utc);
    format!("{label_text} {vault} {} expires={expires}", status.as_str())
}

/// `take-out A00001L8 online-sl3 vault=office (slot 3 of sl3)`
fn due(medium: &DueMedium) -> String {
    let DueMedium { action, label_text, location, .. } = medium;
    let vault = medium.vault.as_ref().map(|vault| format!(" vault={vault}")).unwrap_or_default();
    let slot = medium.slot.as_ref().map(|slot| format!(" ({slot})")).unwrap_or_default();
    format!("{action} {label_text} {location}{vault}{slot}")
}

/// `A00001L8 ok 2026-01-10T08:00:00Z`
fn verified(medium: &MediaVerifiedEntry) -> String {
    let time = medium.verified.map(|time| format!(" {}", utc(time))).unwrap_or_default();
    format!("{} {}{time}", medium.label_text, medium.verify_state)
}

/// Sheets with the labels of a pool's media, a file for each page: `1.svg`. Labels that are no bar codes of LTO media
/// are left out.
fn barcodes(tree: &Arc<Tree>, pool: &PoolName) -> Node {
    let labels = Arc::new(of_pool(tree, pool, barcodes_of));
    let all = Arc::clone(&labels);
    let entries = move || {
        let pages = barcode_sheet::pages(&all().map_err(fs_error)?).len();
        Ok((1..=pages).map(|page| Entry::file(page_name(page))).collect())
    };
    let lookup = move |name: &std::ffi::OsStr| {
        let pages = barcode_sheet::pages(&labels().map_err(fs_error)?).len();
        let page = (1..=pages).find(|page| name == &*page_name(*page));
        let page = page.ok_or_else(|| no_such(name))?;
        let labels = Arc::clone(&labels);
        Ok(FnFact::new(move || sheet(&labels().map_err(fs_error)?, page)).node())
    };
    FnDir::new(entries, lookup).beside(plain("the labels of the pool's media are in here")).node()
}

fn page_name(page: usize) -> String {
    format!("{page}.svg")
}

fn barcodes_of(reeld: &Reeld, pool: &PoolName) -> Outcome<Vec<LtoBarcode>> {
    let rows = reeld.media_rows(Some(pool))?;
    let labels = rows.iter().filter_map(|row| row.label_text.as_str().parse().ok());
    Ok(labels.collect::<BTreeSet<LtoBarcode>>().into_iter().collect())
}

fn sheet(labels: &[LtoBarcode], page: usize) -> Result<String, FsError> {
    let found = barcode_sheet::pages(labels).nth(page.saturating_sub(1));
    let gone = || FsError::not_found(format!("the labels take no {page} pages any more"));
    found.map(|svg| svg + "\n").ok_or_else(gone)
}

/// `plan` and `plan.json`: what a backup would do now, by what is known of the libraries.
fn pool_plan(tree: &Arc<Tree>, pool: PoolName) -> [(String, Node); 2] {
    let plan = {
        let reeld = Arc::clone(&tree.reeld);
        move || reeld.plan_of_pool(&pool, None, None).map_err(fs_error)
    };
    let as_text = plan.clone();
    let text = move || Ok(plan_text(&as_text()?));
    let json = move || {
        serde_json::to_string_pretty(&plan()?)
            .map(|text| text + "\n")
            .map_err(|error| FsError::io(format!("write JSON: {error}")))
    };
    [("plan".into(), FnFact::new(text).node()), ("plan.json".into(), FnFact::new(json).node())]
}

/// A line for each value, and one for each medium.
fn plan_text(plan: &PoolPlanInfo) -> String {
    let values = KeyValues::new()
        .with("media-set-uuid", plan.media_set_uuid.map(|set| set.to_string()))
        .with("media-set-name", plan.media_set_name.as_deref())
        .with("new-media-set", plan.new_media_set)
        .with("reason", plan.reason.as_str())
        .with("next-media", plan.next_media.as_ref().map(LabelText::as_str))
        .with("bytes-free", plan.bytes_free)
        .with("bytes-wanted", plan.bytes_wanted)
        .with("estimated-by", plan.estimated_by.as_deref())
        .with("fits", plan.fits.map(|fits| fits.to_string()));
    let media = plan.media.iter().map(|medium| {
        let free = medium.bytes_free.map_or_else(|| "unknown".into(), |bytes| bytes.to_string());
        let (label, kind, location) = (&medium.label_text, &medium.kind, &medium.location);
        format!("media: {label} {kind} {location} free={free}\n")
    });
    let others = plan.out_of_use.iter().map(|medium| {
        format!("out-of-use: {} {} {}\n", medium.label_text, medium.location, medium.reason)
    });
    let expiry = plan.expiry.iter().map(|medium| {
        let time = medium.expires.map_or_else(|| "never".into(), utc);
        format!("expiry: {} {time}\n", medium.label_text)
    });
    values.to_text() + &media.chain(others).chain(expiry).collect::<String>()
}

fn status(reeld: &Reeld, pool: &PoolName) -> Outcome<KeyValues> {
    let rows = reeld.media_rows(Some(pool))?;
    let count = |wanted: &dyn Fn(&MediaListEntry) -> bool| {
        rows.iter().filter(|row| wanted(row)).count() as u64
    };
    let sets: BTreeSet<_> = rows.iter().filter_map(|row| row.media_set_uuid).collect();
    let latest = reeld.tape.inventory.load()?.latest_set(pool);
    Ok(KeyValues::new()
        .with("media", rows.len() as u64)
        .with("media-writable", count(&|row| row.status == MediaStatus::Writable && !row.expired))
        .with("media-expired", count(&|row| row.expired))
        .with("media-full", count(&|row| row.status == MediaStatus::Full && !row.expired))
        .with("sets", sets.len() as u64)
        .with("latest-set", latest.map(|set| set.to_string()))
        .with("bytes-used", rows.iter().filter_map(|row| row.bytes_used).sum::<u64>()))
}

/// Links to the media of a pool.
fn media(tree: &Arc<Tree>, pool: PoolName) -> Node {
    let (all, one, one_pool) = (Arc::clone(tree), Arc::clone(tree), pool.clone());
    let entries = move || {
        let media = all.media_names().map_err(fs_error)?;
        let in_pool = media.iter().filter(|(_, entry)| entry.pool() == Some(&pool));
        Ok(in_pool.map(|(name, _)| Entry::symlink(name)).collect())
    };
    let lookup = move |name: &std::ffi::OsStr| {
        let media = one.media_names().map_err(fs_error)?;
        let found = name.to_str().and_then(|name| media.get(name));
        found.filter(|entry| entry.pool() == Some(&one_pool)).ok_or_else(|| no_such(name))?;
        Ok(symlink(std::path::Path::new("../../../media").join(name)))
    };
    FnDir::new(entries, lookup).beside(plain("a medium joins a pool when it is labelled")).node()
}

/// Links to the media sets of a pool.
fn sets(tree: &Arc<Tree>, pool: PoolName) -> Node {
    let (all, one, one_pool) = (Arc::clone(tree), Arc::clone(tree), pool.clone());
    let entries = move || {
        let sets = all.media_names().map_err(fs_error)?.sets_of(&pool);
        Ok(sets.into_iter().map(|set| Entry::symlink(set.to_string())).collect())
    };
    let lookup = move |name: &std::ffi::OsStr| {
        let set: MediaSetId = parsed(name)?;
        let sets = one.media_names().map_err(fs_error)?.sets_of(&one_pool);
        sets.get(&set).ok_or_else(|| no_such(name))?;
        Ok(symlink(format!("../../../media-sets/{set}")))
    };
    FnDir::new(entries, lookup)
        .beside(plain("a backup begins a set where the pool's rules say so"))
        .node()
}
