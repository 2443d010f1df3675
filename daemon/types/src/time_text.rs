//! Times as text in a time zone that is passed in.

use jiff::Timestamp;
use jiff::fmt::strtime::{BrokenDownTime, Config, PosixCustom};
use jiff::tz::TimeZone;

use crate::ParseError;

/// What C's `%c` gives in the C locale: `Wed Jun  5 14:24:36 2024`.
///
/// A time beyond the year 9999 is shown as its number of seconds.
pub fn local_time_c(epoch: i64, zone: &TimeZone) -> String {
    strftime("%c", epoch, zone).unwrap_or_else(|| epoch.to_string())
}

/// RFC 3339 with a numeric offset, as in task logs and key files: `2024-06-05T14:24:36+00:00`.
///
/// A time beyond the year 9999 is shown as its number of seconds.
pub fn rfc3339(epoch: i64, zone: &TimeZone) -> String {
    strftime("%Y-%m-%dT%H:%M:%S", epoch, zone)
        .and_then(|text| Some(text + &offset(epoch, zone)?))
        .unwrap_or_else(|| epoch.to_string())
}

/// Reads RFC 3339 with an offset or `Z`; fractions of a second are cut off.
pub fn parse_rfc3339(text: &str) -> Result<i64, ParseError> {
    let time: Timestamp = text.parse().map_err(|_| {
        ParseError::new("time", text, "must be RFC 3339, such as 2024-06-05T14:24:36+02:00")
    })?;
    Ok(time.as_second())
}

/// C's `strftime` in the C locale; none where the result is empty or the time out of range.
///
/// Conversions that C doesn't know stay as they stand, as glibc leaves them.
pub fn strftime(template: &str, epoch: i64, zone: &TimeZone) -> Option<String> {
    let time = Timestamp::from_second(epoch).ok()?.to_zoned_datetime(zone.clone());
    let config = Config::new().custom(PosixCustom::new()).lenient(true);
    let format = c_conversions_only(template);
    let text = BrokenDownTime::from(&time).to_string_with_config(&config, &format).ok()?;
    Some(text).filter(|text| !text.is_empty())
}

/// `+01:00`; whole minutes, as RFC 3339 has no seconds there.
fn offset(epoch: i64, zone: &TimeZone) -> Option<String> {
    let seconds = zone.to_offset(Timestamp::from_second(epoch).ok()?).seconds();
    let minutes = seconds.unsigned_abs() / 60;
    let sign = if seconds < 0 { '-' } else { '+' };
    Some(format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60))
}

/// Doubles the `%` of everything that isn't a conversion of glibc's `strftime`, and drops the `E` and
/// `O` modifiers, which mean nothing in the C locale.
fn c_conversions_only(template: &str) -> String {
    const KNOWN: &str = "%aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ";
    let mut format = String::with_capacity(template.len() + 8);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('%') {
        format.push_str(before);
        let flags = after.trim_start_matches(['_', '-', '0', '^', '#']);
        let width = flags.trim_start_matches(|c: char| c.is_ascii_digit());
        let bare = width.strip_prefix(['E', 'O']).unwrap_or(width);
        let head = &after[..after.len() - width.len()];
        match bare.chars().next() {
            Some(conversion) if KNOWN.contains(conversion) => {
                format.push('%');
                format.push_str(head);
                format.push(conversion);
                rest = &bare[1..];
            }
            _ => {
                format.push_str("%%");
                rest = after;
            }
        }
    }
    format.push_str(rest);
    format
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: i64 = 1_717_597_476;

    fn utc(template: &str) -> String {
        strftime(template, BASE, &TimeZone::UTC).unwrap()
    }

    #[test]
    fn c_locale() {
        assert_eq!(local_time_c(BASE, &TimeZone::UTC), "Wed Jun  5 14:24:36 2024");
        let vienna = TimeZone::get("Europe/Vienna").unwrap();
        assert_eq!(local_time_c(BASE, &vienna), "Wed Jun  5 16:24:36 2024");
        assert_eq!(local_time_c(i64::MAX, &vienna), i64::MAX.to_string());
    }

    /// Expected texts are those of glibc.
    #[test]
    fn conversions_as_glibc_has_them() {
        let rows = [
            ("poolB-%Y-%m-%d %H:%M", "poolB-2024-06-05 14:24"),
            ("Set %c", "Set Wed Jun  5 14:24:36 2024"),
            ("%x %X %r", "06/05/24 14:24:36 02:24:36 PM"),
            ("%D %T %R %F", "06/05/24 14:24:36 14:24 2024-06-05"),
            ("%a %A %b %B %h", "Wed Wednesday Jun June Jun"),
            ("%e|%d|%j|%k|%l|%I|%p|%P", " 5|05|157|14| 2|02|PM|pm"),
            ("%C %y %g %G %V %U %W %u %w", "20 24 24 2024 23 22 23 3 3"),
            ("%s %z %Z %%", "1717597476 +0000 UTC %"),
            ("%i% %f %N %Q %q %v %", "%i% %f %N %Q %q %v %"),
            ("%Ey %Od %-d %_m %^a", "24 05 5  6 WED"),
            ("%5d|%010Y", "00005|0000002024"),
            ("100% sure: %ä", "100% sure: %ä"),
        ];
        for (template, expected) in rows {
            assert_eq!(utc(template), expected, "{template}");
        }
    }

    #[test]
    fn rfc3339_and_back() {
        let vienna = TimeZone::get("Europe/Vienna").unwrap();
        assert_eq!(rfc3339(BASE, &TimeZone::UTC), "2024-06-05T14:24:36+00:00");
        assert_eq!(rfc3339(BASE, &vienna), "2024-06-05T16:24:36+02:00");
        let new_york = TimeZone::get("America/New_York").unwrap();
        for zone in [TimeZone::UTC, vienna, new_york] {
            assert_eq!(parse_rfc3339(&rfc3339(BASE, &zone)), Ok(BASE));
        }
        for bad in ["", "2024-06-05", "2024-06-05T14:24:36", "2024-13-05T14:24:36Z"] {
            assert!(parse_rfc3339(bad).is_err(), "{bad}");
        }
    }
}
