//! Paths of requests (`remote-protocol.md` §1.3).

use percent_encoding::percent_decode_str;

use super::refusal::{Outcome, Refusal};

/// The longest path with its query, in bytes.
const TARGET_BYTES_MAX: usize = 3072;

/// How an answer is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// The result under `data`; errors as bare text.
    Json,
    /// As the web interface wants it: always status 200.
    Extjs,
}

/// A path without its doubled slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    text: String,
    /// Its components, each percent-decoded.
    components: Vec<String>,
}

impl Path {
    /// Fails where a component could lead out of a folder.
    pub(super) fn parse(raw: &str) -> Outcome<Self> {
        let mut path = Self { text: String::new(), components: Vec::new() };
        for component in raw.split('/').filter(|component| !component.is_empty()) {
            if component.starts_with('.') {
                return Err(Refusal::bad("a component of the path begins with '.'"));
            }
            let decoded = percent_decode_str(component).decode_utf8();
            let decoded = decoded.map_err(|_| Refusal::bad("the path is not UTF-8"))?;
            path.components.push(decoded.into_owned());
            path.text.push('/');
            path.text.push_str(component);
        }
        Ok(path)
    }

    /// As it is told in messages.
    pub(super) fn text(&self) -> &str {
        if self.text.is_empty() { "/" } else { &self.text }
    }

    pub(super) fn components(&self) -> &[String] {
        &self.components
    }

    /// The format and the components behind `/api2/FORMAT`.
    pub(super) fn of_api(&self) -> Outcome<(Format, &[String])> {
        match &self.components[..] {
            [api, format, rest @ ..] if api == "api2" => match format.as_str() {
                "json" => Ok((Format::Json, rest)),
                "extjs" => Ok((Format::Extjs, rest)),
                _ => Err(Refusal::bad(format!("there is no output format '{format}'"))),
            },
            _ => Err(Refusal::no_such_path(self.text())),
        }
    }
}

/// Whether path and query together are too long to be looked at.
pub(super) fn is_too_long(uri: &http::Uri) -> bool {
    uri.path().len() + uri.query().map_or(0, str::len) > TARGET_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn doubled_slashes_are_one() {
        let doubled = Path::parse("//api2///json//version").unwrap();
        assert_eq!(doubled, Path::parse("/api2/json/version").unwrap());
        assert_eq!(doubled.text(), "/api2/json/version");
        let (format, rest) = doubled.of_api().unwrap();
        assert_eq!((format, rest), (Format::Json, &["version".to_owned()][..]));
    }

    #[test]
    fn what_is_no_path_of_the_api() {
        let status = |raw: &str| {
            Path::parse(raw).and_then(|path| path.of_api().map(drop)).unwrap_err().status
        };
        for bad in ["/api2/json/../x", "/api2/json/.x", "/api2/xml/version", "/api2/json/%ff"] {
            assert_eq!(status(bad), StatusCode::BAD_REQUEST, "{bad}");
        }
        for missing in ["/", "/api2", "/index.html", "/api3/json/version"] {
            assert_eq!(status(missing), StatusCode::NOT_FOUND, "{missing}");
        }
    }

    #[test]
    fn components_are_decoded_once() {
        let path = Path::parse("/api2/json/a%2Db%252D").unwrap();
        assert_eq!(path.of_api().unwrap().1, ["a-b%2D".to_owned()]);
    }

    #[test]
    fn three_kibibytes_are_the_most() {
        let uri = |length: usize| format!("/{}?x", "a".repeat(length - 2)).parse().unwrap();
        assert!(!is_too_long(&uri(3072)));
        assert!(is_too_long(&uri(3073)));
    }
}
