//! Parameters of requests, each checked (`remote-protocol.md` §1.3).

use std::str::FromStr;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use reel_types::commands::ParamErrors;
use reel_types::{
    ArchiveName, AuthId, BackupId, BackupTime, BackupType, Digest, Namespace, NamespaceDepth,
    Password, StoreName, parse_bool,
};
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

use super::refusal::{Outcome, Refusal};

const NO_MATCH: &str = "value does not match the regex pattern";
/// A key that browsers add against their caches.
const IGNORED: &str = "_dc";

/// What a client sent, name by name, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Given(Vec<(String, String)>);

impl Given {
    /// Of the query of a URL, or of a form.
    pub(super) fn of_form(form: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(form).filter(|(name, _)| name != IGNORED);
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// Of a body, of the type that its headers tell, and a query. A JSON body stands alone.
    pub(super) fn of_body(headers: &HeaderMap, body: &[u8], query: &str) -> Outcome<Self> {
        let kind = headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or("?"));
        match kind {
            Some(kind) if kind.starts_with("application/json") => Self::of_json(body),
            None | Some("") => Ok(Self::of_form(body).and(query)),
            Some(kind) if kind.starts_with("application/x-www-form-urlencoded") => {
                Ok(Self::of_form(body).and(query))
            }
            Some(kind) => Err(Refusal::bad(format!("a body of type '{kind}' is not understood"))),
        }
    }

    fn and(mut self, query: &str) -> Self {
        self.extend(Self::of_form(query.as_bytes()));
        self
    }

    fn of_json(body: &[u8]) -> Outcome<Self> {
        let mut json = serde_json::Deserializer::from_slice(body);
        let read = json.deserialize_map(Pairs).and_then(|pairs| json.end().map(|()| pairs));
        let pairs = read.map_err(|error| Refusal::bad(format!("read the JSON body: {error}")))?;
        let mut errors = ParamErrors::default();
        let mut given = Self::default();
        for (name, value) in pairs {
            match scalar(value) {
                Some(text) => given.put(&name, text),
                None => errors.add(&name, "must be one text, number or boolean"),
            }
        }
        if errors.is_empty() { Ok(given) } else { Err(errors.into()) }
    }

    /// What a name was given first.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| &**value)
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// Adds what a path tells.
    pub(super) fn put(&mut self, name: &str, value: String) {
        self.0.push((name.to_owned(), value));
    }
}

fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The members of an object as they come, also those that come twice.
struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of parameters")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

/// A type that a parameter can have.
pub(super) trait Param: Sized {
    /// Reads its text; the error is the rule that it breaks.
    fn read(text: &str) -> Result<Self, String>;
}

/// Types whose text follows a pattern.
macro_rules! by_pattern {
    ($($type:ty),+ $(,)?) => { $(
        impl Param for $type {
            fn read(text: &str) -> Result<Self, String> {
                Self::from_str(text).map_err(|_| NO_MATCH.to_owned())
            }
        }
    )+ };
}

by_pattern!(StoreName, Namespace, BackupId, Digest);

/// Types whose own words tell what is wrong.
macro_rules! by_words {
    ($($type:ty),+ $(,)?) => { $(
        impl Param for $type {
            fn read(text: &str) -> Result<Self, String> {
                Self::from_str(text).map_err(|error| error.reason().to_owned())
            }
        }
    )+ };
}

by_words!(NamespaceDepth, Password);

impl Param for BackupType {
    fn read(text: &str) -> Result<Self, String> {
        let unknown =
            |_| format!("value '{}' is not defined in the enumeration.", text.escape_debug());
        text.parse().map_err(unknown)
    }
}

impl Param for BackupTime {
    fn read(text: &str) -> Result<Self, String> {
        let epoch: i64 = text.parse().map_err(|_| "must be a whole number")?;
        if epoch < 1 {
            return Err(format!("value must have a minimum value of 1 (got {epoch})"));
        }
        Self::from_epoch(epoch).map_err(|error| error.reason().to_owned())
    }
}

impl Param for bool {
    fn read(text: &str) -> Result<Self, String> {
        parse_bool(text).map_err(|error| error.reason().to_owned())
    }
}

/// A user, no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserId(pub(super) AuthId);

impl Param for UserId {
    fn read(text: &str) -> Result<Self, String> {
        let id: AuthId = text.parse().map_err(|_| NO_MATCH)?;
        if id.token().is_some() { Err(NO_MATCH.to_owned()) } else { Ok(Self(id)) }
    }
}

/// Any text, for what is known and not used.
pub(super) struct Unused;

impl Param for Unused {
    fn read(_: &str) -> Result<Self, String> {
        Ok(Self)
    }
}

/// The name of a stored file, whatever its extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileName(String);

impl FileName {
    /// The name, if the protocol knows files of its extension.
    pub(super) fn archive(&self) -> Outcome<ArchiveName> {
        self.0.parse().map_err(|_| {
            let text = format!("download '{}': its name must end in .fidx, .didx or .blob", self.0);
            Refusal::bad(text)
        })
    }
}

impl Param for FileName {
    fn read(text: &str) -> Result<Self, String> {
        // The rule of backup ids is that of all safe ids.
        text.parse::<BackupId>().map_err(|_| NO_MATCH)?;
        Ok(Self(text.to_owned()))
    }
}

/// Takes parameters one by one; all that is wrong is told at once.
#[derive(Debug)]
pub(super) struct ParamReader {
    rest: Vec<(String, String)>,
    errors: ParamErrors,
}

impl ParamReader {
    pub(super) fn new(given: Given) -> Self {
        Self { rest: given.0, errors: ParamErrors::default() }
    }

    /// A parameter that must be there. None is an error that [`finish`](Self::finish) tells.
    pub(super) fn need<P: Param>(&mut self, name: &str) -> Option<P> {
        let Some(text) = self.take(name) else {
            self.errors.add(name, ParamErrors::MISSING);
            return None;
        };
        self.read(name, &text)
    }

    /// A parameter that may be there.
    pub(super) fn may<P: Param>(&mut self, name: &str) -> Option<P> {
        let text = self.take(name)?;
        self.read(name, &text)
    }

    fn read<P: Param>(&mut self, name: &str, text: &str) -> Option<P> {
        P::read(text).map_err(|reason| self.errors.add(name, reason)).ok()
    }

    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.rest.iter().position(|(given, _)| given == name)?;
        let (_, value) = self.rest.swap_remove(at);
        if self.rest.iter().any(|(given, _)| given == name) {
            self.errors.add(name, ParamErrors::DUPLICATE);
            self.rest.retain(|(given, _)| given != name);
        }
        Some(value)
    }

    /// What `make` makes of the parameters, if none is wrong or left over.
    pub(super) fn finish<T>(mut self, make: impl FnOnce() -> Option<T>) -> Outcome<T> {
        for (name, _) in &self.rest {
            self.errors.add(&shown(name), ParamErrors::UNKNOWN);
        }
        if !self.errors.is_empty() {
            return Err(self.errors.into());
        }
        make().ok_or_else(|| Refusal::bad(ParamErrors::MISSING))
    }
}

/// A name that a client made up, fit for a message.
fn shown(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(query: &str) -> ParamReader {
        ParamReader::new(Given::of_form(query.as_bytes()))
    }

    fn refused<P: Param>(name: &str, query: &str) -> String {
        let mut reader = of(query);
        let read: Option<P> = reader.need(name);
        assert!(read.is_none() || !reader.errors.is_empty(), "{query}");
        reader.finish(|| Some(())).unwrap_err().text
    }

    #[test]
    fn texts_are_those_of_the_recorded_server() {
        let failed = "parameter verification failed";
        assert_eq!(
            refused::<Password>("password", ""),
            format!("{failed} - 'password': parameter is missing and it is not optional.")
        );
        assert_eq!(
            refused::<UserId>("username", "username=alice%40pbs%21tok"),
            format!("{failed} - 'username': value does not match the regex pattern")
        );
        assert_eq!(
            refused::<BackupType>("backup-type", "backup-type=bad"),
            format!("{failed} - 'backup-type': value 'bad' is not defined in the enumeration.")
        );
        assert_eq!(
            of("bogus=1&_dc=5").finish(|| Some(())).unwrap_err().text,
            format!("{failed} - 'bogus': schema does not allow additional properties.")
        );
        let mut two = of("");
        let _: (Option<BackupId>, Option<BackupTime>) =
            (two.need("backup-id"), two.need("backup-time"));
        assert_eq!(
            two.finish(|| Some(())).unwrap_err().text,
            format!(
                "{failed}:\n- 'backup-id': parameter is missing and it is not optional.\n\
                 - 'backup-time': parameter is missing and it is not optional."
            )
        );
    }

    #[test]
    fn values_out_of_bounds() {
        refused::<BackupId>("backup-id", "backup-id=.x");
        refused::<BackupTime>("backup-time", "backup-time=0");
        refused::<BackupTime>("backup-time", "backup-time=99999999999999");
        refused::<Namespace>("ns", "ns=a//b");
        refused::<Namespace>("ns", "ns=1/2/3/4/5/6/7/8");
        refused::<NamespaceDepth>("max-depth", "max-depth=8");
        refused::<FileName>("file-name", "file-name=../x.blob");
        refused::<FileName>("file-name", "file-name=.x.blob");
        refused::<StoreName>("store", "store=abc&store=abc");
        assert_eq!(of("ns=").may::<Namespace>("ns"), Some(Namespace::root()));
    }

    #[test]
    fn bodies_are_read_by_their_type() {
        let given = |kind: &'static str, body: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            Given::of_body(&headers, body.as_bytes(), "c=3")
        };
        let pairs = |given: &[(&str, &str)]| {
            Given(given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
        };
        assert_eq!(
            given("application/json", r#"{"a":"x","b":2}"#),
            Ok(pairs(&[("a", "x"), ("b", "2")]))
        );
        let form = "application/x-www-form-urlencoded; charset=UTF-8";
        assert_eq!(given(form, "a=x+y"), Ok(pairs(&[("a", "x y"), ("c", "3")])));
        for (kind, body) in [
            ("text/plain", "a=x"),
            ("application/json", "[]"),
            ("application/json", r#"{"a":1} x"#),
            ("application/json", r#"{"a":[1]}"#),
            ("application/json", ""),
        ] {
            assert!(given(kind, body).is_err(), "{kind} {body}");
        }
        let twice = given("application/json", r#"{"store":"abc","store":"abc"}"#).unwrap();
        let mut reader = ParamReader::new(twice);
        reader.need::<StoreName>("store");
        assert!(reader.finish(|| Some(())).is_err());
    }
}
