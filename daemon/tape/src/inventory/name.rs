//! Names of media sets (`tape-state.md` §8).
//!
//! A pool's template is a strftime text. PBS formats it by the C library in the C locale, `jiff` has
//! its own idea of the four conversions that depend on a locale, so those are spelled out first.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use reel_types::MediaSetId;

use super::Inventory;

/// What pools without a template use.
const TEMPLATE_DEFAULT: &str = "%c";

/// The name of a set: `template` with `%id%` replaced by the UUID, then as strftime over the set's
/// start in `zone`.
///
/// It is the UUID where the start isn't known or the template can't be formatted.
pub fn media_set_name(
    inventory: &Inventory,
    set: MediaSetId,
    template: Option<&str>,
    zone: &TimeZone,
) -> String {
    let id = set.to_string();
    inventory
        .set_start_time(set)
        .and_then(|start| format(template.unwrap_or(TEMPLATE_DEFAULT), &id, start, zone))
        .unwrap_or(id)
}

fn format(template: &str, id: &str, start: i64, zone: &TimeZone) -> Option<String> {
    let time = Timestamp::from_second(start).ok()?.to_zoned_datetime(zone.clone());
    strtime::format(in_c_locale(&template.replace("%id%", id)), &time).ok()
}

/// Spells out the conversions that depend on the locale as the C locale has them.
fn in_c_locale(template: &str) -> String {
    let mut spelled = String::with_capacity(template.len());
    let mut rest = template.chars();
    while let Some(char) = rest.next() {
        if char != '%' {
            spelled.push(char);
            continue;
        }
        match rest.next() {
            Some('c') => spelled.push_str("%a %b %e %H:%M:%S %Y"),
            Some('x') => spelled.push_str("%m/%d/%y"),
            Some('X') => spelled.push_str("%H:%M:%S"),
            Some('r') => spelled.push_str("%I:%M:%S %p"),
            Some(conversion) => spelled.extend(['%', conversion]),
            None => spelled.push('%'),
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "9da37a55-aac7-4deb-91c6-482b3b675f30";
    /// 2026-11-23T13:34:44Z, a Monday.
    const START: i64 = 1_795_440_884;

    fn utc(template: &str) -> Option<String> {
        format(template, ID, START, &TimeZone::UTC)
    }

    #[test]
    fn as_the_c_locale_writes_it() {
        assert_eq!(utc("%c").unwrap(), "Mon Nov 23 13:34:44 2026");
        assert_eq!(utc("%x %X").unwrap(), "11/23/26 13:34:44");
        assert_eq!(utc("%r").unwrap(), "01:34:44 PM");
        assert_eq!(
            utc("week %V-%G, day %j, %F %T").unwrap(),
            "week 48-2026, day 327, 2026-11-23 13:34:44"
        );
        assert_eq!(utc("%%c").unwrap(), "%c");
        let early = format("%c", ID, 0, &TimeZone::UTC).unwrap();
        assert_eq!(early, "Thu Jan  1 00:00:00 1970");
    }

    #[test]
    fn the_id_goes_in_first() {
        assert_eq!(utc("%id%").unwrap(), ID);
        assert_eq!(utc("set %id% %Y").unwrap(), format!("set {ID} 2026"));
    }

    #[test]
    fn what_cannot_be_formatted_is_none() {
        assert_eq!(utc("%"), None);
        assert_eq!(format("%c", ID, i64::MAX, &TimeZone::UTC), None);
    }
}
