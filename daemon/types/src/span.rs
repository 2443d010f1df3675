//! Time spans (`config.md` §7.1): `30 days`, `1y 12month`, `55s500ms`.
//!
//! A span keeps the text it was written as, since configuration shows it again. Its length is counted
//! in whole nanoseconds (a month is 30.44 days, a year 365.25), so that no rounding hides in sums; a
//! medium's expiry depends on it (`tape-state.md` §7).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::ParseError;
use crate::text::serde_as_text;

const KIND: &str = "time span";
const SECOND: u128 = 1_000_000_000;
const MINUTE: u128 = 60 * SECOND;
const HOUR: u128 = 60 * MINUTE;
const DAY: u128 = 24 * HOUR;
const WEEK: u128 = 7 * DAY;
/// 30.44 days.
const MONTH: u128 = 2_630_016 * SECOND;
/// 365.25 days.
const YEAR: u128 = 31_557_600 * SECOND;

/// A length of time, with the text it was written as.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TimeSpan {
    text: Box<str>,
    nanoseconds: u128,
}

impl TimeSpan {
    /// Whole seconds; fractions are cut off.
    pub fn whole_seconds(&self) -> u64 {
        u64::try_from(self.nanoseconds / SECOND).unwrap_or(u64::MAX)
    }

    /// The exact length.
    pub fn duration(&self) -> Duration {
        let nanoseconds = (self.nanoseconds % SECOND) as u32;
        Duration::new(self.whole_seconds(), nanoseconds)
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for TimeSpan {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |reason: &str| ParseError::new(KIND, text, reason);
        let mut nanoseconds: u128 = 0;
        let mut rest = skip_blanks(text);
        while !rest.is_empty() {
            let (digits, after) = split_while(rest, |c| c.is_ascii_digit());
            let count: u64 = digits
                .parse()
                .map_err(|_| refuse("must be numbers with units, such as '1w 2d' or '30 min'"))?;
            let (unit, after) = split_while(skip_blanks(after), char::is_alphabetic);
            let unit =
                unit_nanoseconds(unit).ok_or_else(|| refuse(&format!("unknown unit '{unit}'")))?;
            nanoseconds = u128::from(count)
                .checked_mul(unit)
                .and_then(|part| nanoseconds.checked_add(part))
                .filter(|sum| sum / SECOND <= u128::from(u64::MAX))
                .ok_or_else(|| refuse("is too long"))?;
            rest = skip_blanks(after);
        }
        Ok(Self { text: text.into(), nanoseconds })
    }
}

serde_as_text!(TimeSpan);

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

fn split_while(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !keep(c)).unwrap_or(text.len());
    text.split_at(end)
}

fn unit_nanoseconds(unit: &str) -> Option<u128> {
    Some(match unit {
        "" | "seconds" | "second" | "sec" | "s" => SECOND,
        "msec" | "ms" => SECOND / 1000,
        "usec" | "us" | "µs" => 1000,
        "nsec" | "ns" => 1,
        "minutes" | "minute" | "min" | "m" => MINUTE,
        "hours" | "hour" | "hr" | "h" => HOUR,
        "days" | "day" | "d" => DAY,
        "weeks" | "week" | "w" => WEEK,
        "months" | "month" | "M" => MONTH,
        "years" | "year" | "y" => YEAR,
        _ => return None,
    })
}

/// A duration as task logs show it: `1h 2min 3s`, `0.4s`, `<0.1s` (`config.md` §7.1).
///
/// Below a tenth of a second the seconds are left out but the blank before them stays, as PBS does.
pub fn human_duration(duration: Duration) -> String {
    const UNITS: [(u128, &str); 6] =
        [(YEAR, "y"), (MONTH, "m"), (WEEK, "w"), (DAY, "d"), (HOUR, "h"), (MINUTE, "min")];
    let mut rest = duration.as_nanos();
    let mut text = String::new();
    for (unit, name) in UNITS {
        if rest >= unit {
            text.push_str(&format!("{}{name} ", rest / unit));
            rest %= unit;
        }
    }
    let seconds = rest as f64 / SECOND as f64;
    match (seconds >= 0.1, seconds >= 1.0 || !text.is_empty()) {
        (true, true) => text + &format!("{seconds:.0}s"),
        (true, false) => text + &format!("{seconds:.1}s"),
        (false, _) if text.is_empty() => "<0.1s".into(),
        (false, _) => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> f64 {
        text.parse::<TimeSpan>().unwrap().duration().as_secs_f64()
    }

    #[test]
    fn lengths() {
        let rows = [
            ("", 0.0),
            ("2", 2.0),
            (" 2s 2 s 2", 6.0),
            ("1y 12month", 63_117_792.0),
            ("55s500ms", 55.5),
            ("300ms20s 5day", 432_020.3),
            ("1minutes 1minute 1min 1m", 240.0),
            ("1M", 2_630_016.0),
            ("3w 2hr ", 3.0 * 604_800.0 + 7200.0),
            ("5µs 5us 10nsec", 0.000_010_01),
            ("30 days", 30.0 * 86_400.0),
        ];
        for (text, expected) in rows {
            assert!((seconds(text) - expected).abs() < 1e-9, "{text}");
        }
        assert_eq!("300ms20s 5day".parse::<TimeSpan>().unwrap().whole_seconds(), 432_020);
        assert_eq!("30  days".parse::<TimeSpan>().unwrap().to_string(), "30  days");
    }

    #[test]
    fn what_is_no_span() {
        for bad in [
            "5x",
            "h",
            "-5",
            "1.5h",
            "5S",
            "1 Day",
            "2\n",
            "5mss",
            "99999999999999999999",
            "9999999999999y",
        ] {
            assert!(bad.parse::<TimeSpan>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn shown_largest_first() {
        let rows = [
            (0.0, "<0.1s"),
            (0.05, "<0.1s"),
            (0.44, "0.4s"),
            (1.5, "2s"),
            (59.0, "59s"),
            (60.0, "1min "),
            (60.2, "1min 0s"),
            (3723.0, "1h 2min 3s"),
            (31_557_600.0, "1y "),
            (2_630_016.0 + 604_800.0 + 86_400.0, "1m 1w 1d "),
        ];
        for (seconds, expected) in rows {
            assert_eq!(human_duration(Duration::from_secs_f64(seconds)), expected);
        }
    }

    proptest! {
        #[test]
        fn parts_add_up(parts in prop::collection::vec((0u32..10_000, 0usize..5), 0..6)) {
            const UNITS: [(&str, u64); 5] =
                [("s", 1), ("min", 60), (" hours", 3600), ("d", 86_400), (" weeks ", 604_800)];
            let text: String =
                parts.iter().map(|(n, unit)| format!("{n}{}", UNITS[*unit].0)).collect();
            let sum: u64 = parts.iter().map(|(n, unit)| u64::from(*n) * UNITS[*unit].1).sum();
            prop_assert_eq!(text.parse::<TimeSpan>().unwrap().whole_seconds(), sum);
        }
    }
}
