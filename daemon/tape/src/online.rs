//! Which media are in which library (`tape-state.md` §3, last paragraph).

use std::collections::{BTreeMap, BTreeSet};

use reel_types::{ChangerName, LabelText, MediaId, MediaLocation};

use crate::Result;
use crate::inventory::Inventory;

/// What each configured changer said it holds; `None` for one that could not be asked.
pub type OnlineMedia = BTreeMap<ChangerName, Option<BTreeSet<MediaId>>>;

/// Brings the locations of all media up to date.
///
/// What a changer holds is online there, whatever was known before. What is said to be online in a
/// changer that doesn't hold it, or that is configured no more, is offline. A changer that could not be
/// asked changes nothing, and neither do media in vaults and on shelves.
pub fn update_online_status(inventory: &mut Inventory, online: &OnlineMedia) -> Result<()> {
    let moves: Vec<(MediaId, MediaLocation)> = inventory
        .iter()
        .filter_map(|entry| {
            let medium = entry.uuid();
            Some((medium, new_location(medium, entry.location.as_ref(), online)?))
        })
        .collect();
    moves.into_iter().try_for_each(|(medium, location)| inventory.set_location(medium, location))
}

/// Where the medium is now, if that differs from what was stored.
fn new_location(
    medium: MediaId,
    stored: Option<&MediaLocation>,
    online: &OnlineMedia,
) -> Option<MediaLocation> {
    let holds =
        |media: &Option<BTreeSet<MediaId>>| media.as_ref().is_some_and(|m| m.contains(&medium));
    let found = online.iter().find(|(_, media)| holds(media)).map(|(changer, _)| changer);
    if let Some(changer) = found {
        return Some(MediaLocation::Online(changer.clone()))
            .filter(|location| stored != Some(location));
    }
    match stored {
        Some(MediaLocation::Online(changer)) => match online.get(changer) {
            Some(None) => None,
            Some(Some(_)) | None => Some(MediaLocation::Offline),
        },
        _ => None,
    }
}

/// The media that carry these labels (bar codes without cleaning cartridges and import-export slots).
///
/// Unknown labels are left out; so are those that several media carry, with a warning.
pub fn media_of_labels<'a>(
    inventory: &Inventory,
    labels: impl IntoIterator<Item = &'a LabelText>,
) -> BTreeSet<MediaId> {
    let find = |label: &LabelText| {
        inventory.find_by_label_text(label).unwrap_or_else(|error| {
            tracing::warn!("unable to tell which medium is in the library: {error}");
            None
        })
    };
    labels.into_iter().filter_map(find).map(|entry| entry.uuid()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::{MediaLabel, MediaLabels};
    use uuid::Uuid;

    fn medium(number: u128) -> MediaId {
        MediaId(Uuid::from_u128(number))
    }

    fn inventory(locations: &[Option<&str>]) -> Inventory {
        let mut inventory = Inventory::new();
        for (number, location) in (1..).zip(locations) {
            let label_text = format!("tape{number}").parse().unwrap();
            let label = MediaLabel { ctime: 0, label_text, pool: None, uuid: medium(number) };
            inventory.store(MediaLabels { label, media_set_label: None }, false);
            if let Some(location) = location {
                inventory.set_location(medium(number), location.parse().unwrap()).unwrap();
            }
        }
        inventory
    }

    /// Changer `sl3` holds media 1 and 2, `dark` could not be asked.
    fn online() -> OnlineMedia {
        let changer = |name: &str| name.parse().unwrap();
        OnlineMedia::from([
            (changer("sl3"), Some(BTreeSet::from([medium(1), medium(2)]))),
            (changer("dark"), None),
        ])
    }

    fn after(locations: &[Option<&str>]) -> Vec<Option<String>> {
        let mut inventory = inventory(locations);
        update_online_status(&mut inventory, &online()).unwrap();
        inventory.iter().map(|entry| entry.location.as_ref().map(ToString::to_string)).collect()
    }

    #[test]
    fn what_a_changer_holds_is_online_there() {
        let online = Some("online-sl3".to_owned());
        assert_eq!(after(&[None, Some("vault-office")]), [online.clone(), online.clone()]);
        assert_eq!(after(&[Some("online-gone"), Some("online-dark")]), [online.clone(), online]);
    }

    #[test]
    fn what_no_changer_holds_goes_offline_unless_nobody_knows() {
        let found = after(&[
            None,
            None,
            Some("online-sl3"),
            Some("online-dark"),
            Some("online-gone"),
            Some("vault-office"),
            Some("offline"),
            None,
        ]);
        let expected = [
            Some("offline"),
            Some("online-dark"),
            Some("offline"),
            Some("vault-office"),
            Some("offline"),
            None,
        ];
        assert_eq!(found[2..].iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn labels_that_are_unknown_or_ambiguous_are_nobodys() {
        let mut inventory = inventory(&[None, None]);
        let twin = MediaLabel {
            ctime: 0,
            label_text: "tape2".parse().unwrap(),
            pool: None,
            uuid: medium(3),
        };
        inventory.store(MediaLabels { label: twin, media_set_label: None }, false);
        let labels: Vec<LabelText> =
            ["tape1", "tape2", "other"].iter().map(|label| label.parse().unwrap()).collect();
        assert_eq!(media_of_labels(&inventory, &labels), BTreeSet::from([medium(1)]));
    }
}
