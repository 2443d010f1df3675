//! The table at the end of a folder (`pxar.md` §6).

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use super::ITEM_HEADER_LEN;

/// Keys of the hash over file names.
const HASH_KEYS: (u64, u64) = (0x83ac_3f1c_fbb4_50db, 0xaa4f_1b68_7936_9fbd);
/// Stands in place of a hash in the last item.
const TAIL_MARKER: u64 = 0xef5e_ed5b_753e_1555;
/// Bytes of one item.
pub(super) const GOODBYE_ITEM_LEN: u64 = 24;

/// Where one file of the folder lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Child {
    /// Hash of its name.
    pub hash: u64,
    /// Position of its FILENAME item.
    pub start: u64,
    /// Length from there to its last byte.
    pub length: u64,
}

/// Hash of a file name.
pub(super) fn hash_name(name: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new_with_keys(HASH_KEYS.0, HASH_KEYS.1);
    hasher.write(name);
    hasher.finish()
}

/// Full length of the table of `files` files.
pub(super) fn table_len(files: usize) -> u64 {
    ITEM_HEADER_LEN + GOODBYE_ITEM_LEN * (files as u64 + 1)
}

/// The table's content, for a table that begins at `position` in the archive of a folder that
/// begins at 0.
pub(super) fn encode(mut children: Vec<Child>, position: u64) -> Vec<u8> {
    children.sort_by_key(|child| child.hash);
    let mut tree = vec![None; children.len()];
    place(&children, 0, &mut tree);
    let tail = (TAIL_MARKER, position, table_len(children.len()));
    tree.into_iter()
        .flatten()
        .map(|child| (child.hash, position - child.start, child.length))
        .chain([tail])
        .flat_map(|(hash, offset, size)| [hash, offset, size].map(u64::to_le_bytes))
        .flatten()
        .collect()
}

/// Whether an item is the last one of a table at `position`, with `files` files before it.
pub(super) fn is_tail(item: &[u8; 24], position: u64, files: usize) -> bool {
    let tail = [TAIL_MARKER, position, table_len(files)];
    item.iter().copied().eq(tail.into_iter().flat_map(u64::to_le_bytes))
}

/// Lays a sorted run out as a complete search tree: node i has the smaller ones below 2i+1, the larger
/// ones below 2i+2, and all levels but the last are full.
fn place(sorted: &[Child], node: usize, tree: &mut [Option<Child>]) {
    let (left, right) = sorted.split_at(left_len(sorted.len()));
    let (Some((child, right)), Some(slot)) = (right.split_first(), tree.get_mut(node)) else {
        return;
    };
    *slot = Some(*child);
    place(left, 2 * node + 1, tree);
    place(right, 2 * node + 2, tree);
}

/// How many of `len` elements belong into the left half.
fn left_len(len: usize) -> usize {
    let Some(level) = len.checked_ilog2().filter(|level| *level > 0) else {
        return 0;
    };
    let full = 1_usize << level;
    (full - 1).min(len - full / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_the_format() {
        assert_eq!(hash_name(b""), 0x7661_4015_f8d1_bb6c);
        assert_eq!(hash_name(b"a"), 0x0c26_e906_7c2c_7bcf);
        assert_eq!(hash_name(b"lost+found"), 0xedc9_3cb8_2478_96c7);
        assert_eq!(hash_name(b"__PROXMOX_FORMAT_GOODBYE__"), super::super::GOODBYE);
        assert_eq!(hash_name(b"__PROXMOX_FORMAT_FILENAME__"), super::super::FILENAME);
        assert_eq!(hash_name(b"__PROXMOX_FORMAT_ENTRY_V2__"), super::super::ENTRY);
        assert_eq!(hash_name(b"__PROXMOX_FORMAT_PXAR_PAYLOAD__"), super::super::PAYLOAD);
        assert_eq!(hash_name(b"__PROXMOX_FORMAT_PXAR_GOODBYE_TAIL_MARKER__"), TAIL_MARKER);
    }

    #[test]
    fn trees_of_the_format() {
        let cases: [&[u64]; 11] = [
            &[0],
            &[1, 0],
            &[1, 0, 2],
            &[2, 1, 3, 0],
            &[3, 1, 4, 0, 2],
            &[3, 1, 5, 0, 2, 4],
            &[3, 1, 5, 0, 2, 4, 6],
            &[4, 2, 6, 1, 3, 5, 7, 0],
            &[5, 3, 7, 1, 4, 6, 8, 0, 2],
            &[6, 3, 8, 1, 5, 7, 9, 0, 2, 4],
            &[7, 3, 9, 1, 5, 8, 10, 0, 2, 4, 6],
        ];
        for order in cases {
            let sorted: Vec<Child> =
                (0..order.len() as u64).map(|hash| Child { hash, start: 0, length: 0 }).collect();
            let mut tree = vec![None; sorted.len()];
            place(&sorted, 0, &mut tree);
            let hashes: Vec<u64> = tree.into_iter().map(|child| child.unwrap().hash).collect();
            assert_eq!(hashes, order);
        }
    }
}
