//! Body of the fuzz target of this folder: it takes arbitrary bytes and panics where a promise breaks.

use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName};
use http::{HeaderMap, HeaderValue};
use reel_types::{BackupTime, Digest};

use super::api::SnapshotQuery;
use super::credentials::Credentials;
use super::params::{FileName, Given, ParamReader};
use super::path::Path;

/// Requests, one part of them in each line: path, query, cookie, authorization, type of the body; then the body. A
/// path is as short as it can be, and what a query passes for is what it says.
pub fn request(data: &[u8]) {
    let mut lines = data.splitn(6, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    if let Ok(path) = Path::parse(&String::from_utf8_lossy(line())) {
        assert_eq!(Path::parse(path.text()).as_ref(), Ok(&path));
        let _ = path.of_api();
    }
    let query = line();
    read(Given::of_form(query));
    let headers = headers([(COOKIE, line()), (AUTHORIZATION, line()), (CONTENT_TYPE, line())]);
    if let Credentials::Token(token) = Credentials::of(&headers) {
        assert!(!token.contains(char::is_control), "{token:?}");
    }
    if let Ok(given) = Given::of_body(&headers, line(), &String::from_utf8_lossy(query)) {
        read(given);
    }
}

fn headers<const COUNT: usize>(values: [(HeaderName, &[u8]); COUNT]) -> HeaderMap {
    let values = values.into_iter();
    values.filter_map(|(name, value)| Some((name, HeaderValue::from_bytes(value).ok()?))).collect()
}

fn read(given: Given) {
    let mut params = ParamReader::new(given);
    let query = SnapshotQuery::read(&mut params);
    let name: Option<FileName> = params.may("file-name");
    let digest: Option<Digest> = params.may("digest");
    let read = params.finish(|| Some((query?, name, digest)));
    let Ok((query, name, _)) = read else { return };
    assert!(
        query.snapshot.snapshot.time
            >= BackupTime::from_epoch(1).unwrap_or(query.snapshot.snapshot.time)
    );
    if let Some(Ok(name)) = name.map(|name| name.archive()) {
        assert!(!name.as_str().contains('/') && !name.as_str().starts_with('.'));
    }
}
