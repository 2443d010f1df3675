//! Bodies of the fuzz targets of this crate: each takes arbitrary bytes and panics where a promise
//! breaks. What parses must print to a text that parses to the same.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use jiff::tz::TimeZone;

use crate::{
    AllocationPolicy, ByteSize, CalendarEvent, GroupFilter, PropertyString, RetentionPolicy,
    TapeTemplate, TimeSpan, Upid, filters_accept, split_list,
};

/// Prints and reads again whatever parses as a `T`.
fn round_trip<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let value: T = text.parse().ok()?;
    let again = value.to_string().parse().ok();
    assert_eq!(again.as_ref(), Some(&value), "read from {text:?}");
    Some(value)
}

/// Time spans, policies and templates.
pub fn time_span(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    round_trip::<TimeSpan>(text);
    round_trip::<RetentionPolicy>(text);
    round_trip::<AllocationPolicy>(text);
    if let Some(template) = round_trip::<TapeTemplate>(text) {
        let id = crate::MediaSetId(uuid::Uuid::nil());
        assert!(!template.set_name(&id, Some(1_717_597_476), &TimeZone::UTC).is_empty());
    }
}

/// Calendar events and the search for the next one.
pub fn calendar_event(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(event) = round_trip::<CalendarEvent>(text) else { return };
    for last in [-1, 0, 1_717_597_476, i64::MAX] {
        if let Some(next) = event.next_after(last, &TimeZone::UTC) {
            assert!(next > last, "{text:?} after {last}");
        }
    }
}

/// Byte sizes: a printed size is rounded, but reads back as what it prints.
pub fn byte_size(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(size) = text.parse::<ByteSize>() else { return };
    let printed = size.to_string();
    if let Ok(again) = printed.parse::<ByteSize>() {
        assert_eq!(again.to_string(), printed, "read from {text:?}");
    }
}

/// UPIDs and the escapes in them.
pub fn upid(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    round_trip::<Upid>(text);
    let escaped = crate::escape_worker_id(text);
    assert_eq!(crate::unescape_worker_id(&escaped).as_deref(), Some(text));
}

/// Property strings, with and without a default key, and lists.
pub fn property_string(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for default_key in [None, Some("type")] {
        if let Ok(string) = PropertyString::parse(text, default_key) {
            let again = PropertyString::parse(&string.to_text(default_key), default_key);
            assert_eq!(again.as_ref(), Ok(&string), "read from {text:?}");
        }
    }
    assert!(split_list(text).all(|element| !element.is_empty()));
}

/// Group filters and their decision about a group.
pub fn group_filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(filter) = round_trip::<GroupFilter>(text) else { return };
    let Ok(group) = "vm/100".parse() else { return };
    let accepted = filters_accept(std::slice::from_ref(&filter), &group);
    assert_eq!(accepted, filter.matches(&group) != filter.excludes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(data: &[u8]) {
        for body in [time_span, calendar_event, byte_size, upid, property_string, group_filter] {
            body(data);
        }
    }

    proptest! {
        #[test]
        fn any_bytes(data: Vec<u8>) {
            all(&data);
        }

        #[test]
        fn bytes_of_the_right_alphabet(text in "[0-9a-zA-Z*:./, =%\"\\\\-]{0,24}") {
            all(text.as_bytes());
        }
    }
}
