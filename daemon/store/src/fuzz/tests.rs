//! The fuzz bodies over bytes near valid ones, so that each test run fuzzes a little.

use std::io::Cursor;

use proptest::prelude::*;
use reel_types::Digest;

use super::*;
use crate::index::{DynamicIndexWriter, FixedIndexWriter};
use crate::testing::k0;

fn fixed() -> Vec<u8> {
    let mut writer =
        FixedIndexWriter::create(Cursor::new(Vec::new()), 300, 64, [1; 16], 5).unwrap();
    for (number, end) in [64, 128, 192, 256, 300].into_iter().enumerate() {
        writer.add(end, end - 64 * number as u64, &Digest([number as u8; 32])).unwrap();
    }
    writer.finish(None).unwrap().1.into_inner()
}

fn dynamic() -> Vec<u8> {
    let mut writer = DynamicIndexWriter::create(Cursor::new(Vec::new()), [1; 16], 5).unwrap();
    for number in 0..5 {
        writer.add(writer.size(), 10 + number, &Digest([number as u8; 32])).unwrap();
    }
    writer.finish(None).unwrap().1.into_inner()
}

fn manifest_json() -> Vec<u8> {
    let mut manifest = Manifest::new("vm/100/2020-06-26T13:56:05Z".parse().unwrap());
    let name = "a.conf.blob".parse().unwrap();
    let file = crate::ManifestFile::of_blob(name, crate::CryptMode::Encrypt, b"x");
    manifest.add_file(file).unwrap();
    manifest.sign(&k0()).unwrap();
    manifest.to_json().unwrap()
}

fn key_json() -> Vec<u8> {
    let time: crate::key::KeyTime = "2020-06-26T15:56:05+02:00".parse().unwrap();
    KeyFile::unprotected(&k0(), time, time).to_json().unwrap().into_bytes()
}

type Seed = (fn(&[u8]), Vec<u8>);

fn seeds() -> Vec<Seed> {
    let text = b"a text, a text, a text, a text, a text".as_slice();
    let encode = |crypt, compress| DataBlob::encode(text, crypt, compress).unwrap().raw().to_vec();
    vec![
        (blob, encode(None, false)),
        (blob, encode(None, true)),
        (blob, encode(Some(&k0()), true)),
        (fixed_index, fixed()),
        (dynamic_index, dynamic()),
        (manifest, manifest_json()),
        (
            manifest,
            Manifest::from_json(&manifest_json()).unwrap().to_blob().unwrap().raw().to_vec(),
        ),
        (key_file, key_json()),
    ]
}

#[test]
fn the_bodies_accept_their_seeds() {
    for (body, seed) in seeds() {
        body(&seed);
    }
    assert!(Index::open(ArchiveKind::Fixed, fixed()).is_ok());
    assert!(Index::open(ArchiveKind::Dynamic, dynamic()).is_ok());
}

proptest! {
    #[test]
    fn no_body_minds_damage(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        cut: proptest::sample::Index, more in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        for (body, seed) in seeds() {
            let mut data = seed.clone();
            for (place, value) in &changes {
                data[place.index(seed.len())] = *value;
            }
            body(&data);
            body(&[&data[..], &more].concat());
            body(&data[..cut.index(data.len())]);
            body(&more);
        }
    }
}
