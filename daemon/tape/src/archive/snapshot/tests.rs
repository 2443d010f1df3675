use std::io;

use super::*;

const STAT: FileStat =
    FileStat { mode: 0o100_644, uid: 34, gid: 34, mtime: 1_610_361_828, mtime_nanos: 5 };

fn name(text: &str) -> ArchiveName {
    text.parse().unwrap()
}

fn write(files: &[(&str, &[u8])]) -> Result<Vec<u8>> {
    let mut writer = SnapshotArchiveWriter::new(Vec::new())?;
    for (file, content) in files {
        writer.add_file(&name(file), &STAT, content.len() as u64, *content)?;
    }
    writer.finish()
}

fn read_names(content: &[u8]) -> Result<Vec<String>> {
    let mut names = Vec::new();
    visit_snapshot_files(content, |file, _| {
        names.push(file.name.to_string());
        Ok(())
    })?;
    Ok(names)
}

#[test]
fn files_come_back_as_they_were() {
    let files: [(&str, &[u8]); 3] =
        [("index.json.blob", b"{}"), ("root.pxar.didx", &[7; 5000]), ("client.log.blob", b"")];
    let archive = write(&files).unwrap();
    let mut found = Vec::new();
    visit_snapshot_files(archive.as_slice(), |file, content| {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(Error::io("read"))?;
        assert_eq!((file.stat, file.size), (STAT, bytes.len() as u64));
        found.push((file.name.to_string(), bytes));
        Ok(())
    })
    .unwrap();
    let expected: Vec<(String, Vec<u8>)> =
        files.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect();
    assert_eq!(found, expected);
    assert_eq!(read_names(&archive).unwrap().len(), 3);
}

#[test]
fn the_manifest_is_there_and_first() {
    let error = write(&[("root.pxar.didx", b"")]).unwrap_err().to_string();
    assert!(error.contains("must come before 'root.pxar.didx'"), "{error}");
    assert!(write(&[]).unwrap_err().to_string().contains("missing manifest"));

    let mut pxar = FlatWriter::new(Vec::new(), &FileStat::SNAPSHOT_FOLDER).unwrap();
    pxar.add_file("root.pxar.didx", &STAT, 0, io::empty()).unwrap();
    let archive = pxar.finish().unwrap();
    let error = read_names(&archive).unwrap_err().to_string();
    assert_eq!(error, "snapshot archive: missing manifest ('index.json.blob')");
}

#[test]
fn a_name_comes_once_and_is_that_of_a_snapshots_file() {
    for (first, second) in [("index.json.blob", "index.json.blob"), ("index.json.blob", "owner")] {
        let mut pxar = FlatWriter::new(Vec::new(), &FileStat::SNAPSHOT_FOLDER).unwrap();
        pxar.add_file(first, &STAT, 0, io::empty()).unwrap();
        pxar.add_file(second, &STAT, 0, io::empty()).unwrap();
        assert!(read_names(&pxar.finish().unwrap()).is_err(), "{second}");
    }
}

#[test]
fn no_cut_archive_is_whole() {
    let archive = write(&[("index.json.blob", b"{}"), ("a.blob", b"123")]).unwrap();
    for len in 0..archive.len() {
        assert!(read_names(&archive[..len]).is_err(), "{len}");
    }
}

#[test]
fn a_file_that_changes_is_refused() {
    let mut writer = SnapshotArchiveWriter::new(Vec::new()).unwrap();
    let error = writer.add_file(&name("index.json.blob"), &STAT, 1, b"{}".as_slice()).unwrap_err();
    assert!(error.to_string().contains("grew"), "{error}");
}

#[test]
fn namespaces_have_their_own_kind() {
    let header = |snapshot: &str| SnapshotArchiveHeader {
        snapshot: snapshot.parse().unwrap(),
        store: "store1".parse().unwrap(),
    };
    let root = header("vm/201/2021-01-11T10:43:48Z");
    assert_eq!(root.kind(), ContentKind::SnapshotArchive);
    let json = String::from_utf8(root.to_json().unwrap()).unwrap();
    let expected =
        "{\n  \"snapshot\": \"vm/201/2021-01-11T10:43:48Z\",\n  \"store\": \"store1\"\n}";
    assert_eq!((json.as_str(), json.len()), (expected, 68));
    let inside = header("ns/a/ns/b/vm/201/2021-01-11T10:43:48Z");
    assert_eq!(inside.kind(), ContentKind::SnapshotArchiveInNamespace);
    assert_eq!(SnapshotArchiveHeader::from_json(&inside.to_json().unwrap()).unwrap(), inside);
    let size = ARCHIVE_HEADER_TOO_LARGE;
    assert!(SnapshotArchiveHeader::read(size, &mut io::empty()).is_err());
}

const ARCHIVE_HEADER_TOO_LARGE: u32 = crate::archive::ARCHIVE_HEADER_BYTES_MAX + 1;
