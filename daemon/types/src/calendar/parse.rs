//! The grammar of calendar events (`config.md` §6.1), with the reference's quirks.
//!
//! The parts are optional and told apart by what stands in them: letters are weekdays, lists joined by
//! `-` a date, lists joined by `:` a time. A time without a colon is the minute. A first field that is
//! no valid hour is read again as minutes, so that `25:00` means minute 25, second 0 of every hour.

use super::Fields;
use super::list::{Item, ValueList};

type Parsed<T> = Result<T, String>;

/// What a field may hold: values below `limit`, and where `*/n` starts.
#[derive(Clone, Copy)]
struct FieldRule {
    name: &'static str,
    limit: i32,
    first: i32,
}

const YEAR: FieldRule = FieldRule { name: "year", limit: 2200, first: 0 };
const MONTH: FieldRule = FieldRule { name: "month", limit: 13, first: 1 };
const DAY: FieldRule = FieldRule { name: "day", limit: 32, first: 1 };
const HOUR: FieldRule = FieldRule { name: "hour", limit: 24, first: 0 };
const MINUTE: FieldRule = FieldRule { name: "minute", limit: 60, first: 0 };
const SECOND: FieldRule = FieldRule { name: "second", limit: 60, first: 0 };

const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Reads a whole event: whether it is in UTC, and its fields.
pub(super) fn event(text: &str) -> Parsed<(bool, Fields)> {
    if text.starts_with(BLANKS) || text.ends_with(BLANKS) {
        return Err("must not begin or end with a blank".into());
    }
    let (core, utc) = match text.strip_suffix("UTC") {
        Some(core) => (core.trim_end_matches(' '), true),
        None => (text, false),
    };
    Ok((utc, spec(keyword(core).unwrap_or(core))?))
}

const BLANKS: [char; 2] = [' ', '\t'];

fn keyword(core: &str) -> Option<&'static str> {
    Some(match core {
        "minutely" => "*:*:00",
        "hourly" => "*:00:00",
        "daily" => "00:00:00",
        "weekly" => "mon 00:00:00",
        "monthly" => "*-*-01 00:00:00",
        "yearly" | "annually" => "*-01-01 00:00:00",
        "quarterly" => "*-01,04,07,10-01 00:00:00",
        "semiannually" | "semi-annually" => "*-01,07-01 00:00:00",
        _ => return None,
    })
}

fn spec(text: &str) -> Parsed<Fields> {
    if text.is_empty() {
        return Err("names neither weekday, date nor time".into());
    }
    let mut fields = Fields {
        hour: ValueList::only(0),
        minute: ValueList::only(0),
        second: ValueList::only(0),
        ..Fields::default()
    };
    let mut rest = text;
    if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
        (fields.weekdays, rest) = weekdays(rest)?;
        rest = rest.trim_start_matches(BLANKS);
    }
    if let Some(after) = date(rest, &mut fields)? {
        rest = after.trim_start_matches(BLANKS);
    }
    if !rest.is_empty() {
        time(rest, &mut fields)?;
    }
    Ok(fields)
}

fn weekdays(text: &str) -> Parsed<([bool; 7], &str)> {
    let mut days = [false; 7];
    let mut rest = text;
    loop {
        let (first, after) = weekday(rest)?;
        rest = after;
        let mut last = first;
        if let Some(after) = rest.strip_prefix("..") {
            (last, rest) = weekday(after)?;
        }
        for offset in 0..=(last + 7 - first) % 7 {
            days[(first + offset) % 7] = true;
        }
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => return Ok((days, rest)),
        }
    }
}

fn weekday(text: &str) -> Parsed<(usize, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let lower = word.to_ascii_lowercase();
    let index = WEEKDAYS.iter().position(|name| *name == lower || name[..3] == lower);
    index.map(|index| (index, rest)).ok_or_else(|| format!("'{word}' is no day of the week"))
}

/// Reads `[year-]month-day` if the text begins so, and returns what follows.
fn date<'a>(text: &'a str, fields: &mut Fields) -> Parsed<Option<&'a str>> {
    let (lists, rest) = joined_lists(text, '-');
    match lists.as_slice() {
        [year, month, day] => {
            fields.year = list(year, YEAR)?;
            fields.month = list(month, MONTH)?;
            fields.day = list(day, DAY)?;
        }
        [month, day] => {
            fields.month = list(month, MONTH)?;
            fields.day = list(day, DAY)?;
        }
        [_] => return Ok(None),
        _ => return Err("a date is 'year-month-day' or 'month-day'".into()),
    }
    Ok(Some(rest))
}

/// Reads `[hour:]minute[:second]`, which must be all that is left.
fn time(text: &str, fields: &mut Fields) -> Parsed<()> {
    let (lists, rest) = joined_lists(text, ':');
    if !rest.is_empty() {
        return Err(format!("nothing is expected at '{rest}'"));
    }
    let (hour, minute, second) = match lists.as_slice() {
        [minute] => (None, *minute, None),
        [hour, minute] if list(hour, HOUR).is_ok() => (Some(*hour), *minute, None),
        [minute, second] => (None, *minute, Some(*second)),
        [hour, minute, second] => (Some(*hour), *minute, Some(*second)),
        _ => return Err("a time is 'hour:minute:second' at most".into()),
    };
    fields.hour = hour.map_or(Ok(ValueList::default()), |hour| list(hour, HOUR))?;
    fields.minute = list(minute, MINUTE)?;
    if let Some(second) = second {
        fields.second = list(second, SECOND)?;
    }
    Ok(())
}

/// Splits lists joined by `separator` off the front of the text, without looking into them.
fn joined_lists(text: &str, separator: char) -> (Vec<&str>, &str) {
    let part = |c: char| c.is_ascii_digit() || matches!(c, '*' | '/' | ',' | '.') || c == separator;
    let end = text.find(|c| !part(c)).unwrap_or(text.len());
    let (joined, rest) = text.split_at(end);
    (joined.split(separator).collect(), rest)
}

fn list(text: &str, rule: FieldRule) -> Parsed<ValueList> {
    match text.strip_prefix('*') {
        Some("") => Ok(ValueList::default()),
        Some(step) => {
            let step = step.strip_prefix('/').ok_or_else(|| unreadable(text, rule))?;
            match number(step, rule)? {
                0 => Err("a step behind '*' must be 1 or more".into()),
                step => Ok(ValueList(vec![Item { start: rule.first, end: rule.limit - 1, step }])),
            }
        }
        None => {
            text.split(',').map(|item| self::item(item, rule)).collect::<Parsed<_>>().map(ValueList)
        }
    }
}

fn item(text: &str, rule: FieldRule) -> Parsed<Item> {
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, Some(number(step, rule)?)),
        None => (text, None),
    };
    let (start, end) = match range.split_once("..") {
        Some((start, end)) => (number(start, rule)?, Some(number(end, rule)?)),
        None => (number(range, rule)?, None),
    };
    if end.is_some_and(|end| end < start) {
        return Err(format!("the range '{range}' runs backwards"));
    }
    Ok(match step {
        Some(0) => Item { start, end: start, step: 1 },
        Some(step) => Item { start, end: end.unwrap_or(rule.limit - 1), step },
        None => Item { start, end: end.unwrap_or(start), step: 1 },
    })
}

fn number(text: &str, rule: FieldRule) -> Parsed<i32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(unreadable(text, rule));
    }
    text.parse()
        .ok()
        .filter(|value| *value < rule.limit)
        .ok_or_else(|| format!("{text} is no {}, which must be below {}", rule.name, rule.limit))
}

fn unreadable(text: &str, rule: FieldRule) -> String {
    format!("'{text}' is no list of numbers for the {}", rule.name)
}
