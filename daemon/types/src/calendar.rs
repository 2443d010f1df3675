//! Calendar events: when a schedule is due (`config.md` §6).
//!
//! An event says for each field of a broken-down time which values match. The next event is searched
//! field by field from the largest to the smallest: a field that doesn't match moves on to its next
//! matching value and clears all smaller ones, or carries into the field above; after each move all
//! fields are tested again. A thousand moves without a match mean that there is no such time (30
//! February).
//!
//! The search runs on the wall clock of a time zone that the caller passes in. A move that lands in the
//! hour skipped by daylight saving goes on to the hour after it, so that times inside don't occur on
//! that day; of a repeated hour the first pass counts.

mod list;
mod parse;

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};

use crate::ParseError;
use crate::text::serde_as_text;
use list::ValueList;

/// How often the search may move on; beyond it the event never happens (`config.md` §6.2).
const ROUNDS_MAX: usize = 1000;

/// A calendar event, with the text it was written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarEvent {
    text: Box<str>,
    utc: bool,
    fields: Fields,
}

/// Which values of each field match; `None` matches every value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Fields {
    /// Index 0 is Monday; empty where no weekday was named.
    weekdays: [bool; 7],
    year: ValueList,
    month: ValueList,
    day: ValueList,
    hour: ValueList,
    minute: ValueList,
    second: ValueList,
}

impl CalendarEvent {
    /// The first time (UNIX seconds) after `last` at which the event happens; none if it never does.
    ///
    /// The wall clock is that of `zone`, unless the event was written with `UTC`.
    pub fn next_after(&self, last: i64, zone: &TimeZone) -> Option<i64> {
        let zone = if self.utc { &TimeZone::UTC } else { zone };
        let earliest = last.checked_add(1)?;
        let mut time = wall_clock(earliest, zone)?;
        for _ in 0..ROUNDS_MAX {
            match self.fields.step(time)? {
                Step::Matches => return resolve(time, earliest, zone),
                Step::MovedTo(later) => time = skip_gap(later, zone)?,
            }
        }
        None
    }

    /// Whether the event is bound to UTC, whatever the local time zone.
    pub fn is_utc(&self) -> bool {
        self.utc
    }
}

impl fmt::Display for CalendarEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for CalendarEvent {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (utc, fields) =
            parse::event(text).map_err(|reason| ParseError::new("calendar event", text, reason))?;
        Ok(Self { text: text.into(), utc, fields })
    }
}

serde_as_text!(CalendarEvent);

enum Step {
    Matches,
    MovedTo(DateTime),
}

impl Fields {
    /// Tests `time` from the year down and moves the first field that doesn't match; none where no
    /// later time can match.
    fn step(&self, time: DateTime) -> Option<Step> {
        let date = time.date();
        let moved = match () {
            () if !self.year.contains(time.year().into()) => {
                let year = self.year.next_above(time.year().into())?;
                midnight(Date::new(year.try_into().ok()?, 1, 1).ok()?)
            }
            () if !self.month.contains(time.month().into()) => self.next_month(date)?,
            () if !self.day.contains(time.day().into()) => self.next_day(date)?,
            () if !self.day_of_week_matches(date) => self.next_weekday(date)?,
            () if !self.hour.contains(time.hour().into()) => {
                match self.hour.next_above(time.hour().into()) {
                    Some(hour) => date.to_datetime(clock(hour, 0, 0)?),
                    None => midnight(date.tomorrow().ok()?),
                }
            }
            () if !self.minute.contains(time.minute().into()) => {
                match self.minute.next_above(time.minute().into()) {
                    Some(minute) => date.to_datetime(clock(time.hour().into(), minute, 0)?),
                    None => next_hour(time)?,
                }
            }
            () if !self.second.contains(time.second().into()) => {
                match self.second.next_above(time.second().into()) {
                    Some(second) => {
                        date.to_datetime(clock(time.hour().into(), time.minute().into(), second)?)
                    }
                    None => next_minute(time)?,
                }
            }
            () => return Some(Step::Matches),
        };
        Some(Step::MovedTo(moved))
    }

    fn next_month(&self, date: Date) -> Option<DateTime> {
        let first = match self.month.next_above(date.month().into()) {
            Some(month) => Date::new(date.year(), month.try_into().ok()?, 1),
            None => Date::new(date.year().checked_add(1)?, 1, 1),
        };
        first.ok().map(midnight)
    }

    /// The next matching day counted on from `date`, which may lie in the next month (31 June is 1
    /// July, and is then tested anew).
    fn next_day(&self, date: Date) -> Option<DateTime> {
        let day = match self.day.next_above(date.day().into()) {
            Some(day) => add_days(date, day - i32::from(date.day()))?,
            None => date.last_of_month().tomorrow().ok()?,
        };
        Some(midnight(day))
    }

    fn day_of_week_matches(&self, date: Date) -> bool {
        let any = !self.weekdays.contains(&true);
        any || self.weekdays[weekday_index(date)]
    }

    fn next_weekday(&self, date: Date) -> Option<DateTime> {
        let days = (1..7).find(|days| self.weekdays[(weekday_index(date) + days) % 7])?;
        add_days(date, i32::try_from(days).ok()?).map(midnight)
    }
}

fn weekday_index(date: Date) -> usize {
    usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or_default()
}

fn midnight(date: Date) -> DateTime {
    date.to_datetime(Time::midnight())
}

fn clock(hour: i32, minute: i32, second: i32) -> Option<Time> {
    let narrow = |value: i32| i8::try_from(value).ok();
    Time::new(narrow(hour)?, narrow(minute)?, narrow(second)?, 0).ok()
}

fn add_days(date: Date, days: i32) -> Option<Date> {
    date.checked_add(Span::new().try_days(days).ok()?).ok()
}

fn next_hour(time: DateTime) -> Option<DateTime> {
    let hour = time.date().to_datetime(clock(time.hour().into(), 0, 0)?);
    hour.checked_add(Span::new().try_hours(1).ok()?).ok()
}

fn next_minute(time: DateTime) -> Option<DateTime> {
    let minute = time.date().to_datetime(clock(time.hour().into(), time.minute().into(), 0)?);
    minute.checked_add(Span::new().try_minutes(1).ok()?).ok()
}

fn wall_clock(epoch: i64, zone: &TimeZone) -> Option<DateTime> {
    Some(zone.to_datetime(Timestamp::from_second(epoch).ok()?))
}

/// Moves a time inside a skipped hour behind it; all others stay.
fn skip_gap(time: DateTime, zone: &TimeZone) -> Option<DateTime> {
    let ambiguous = zone.to_ambiguous_timestamp(time);
    if !matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
        return Some(time);
    }
    Some(zone.to_datetime(ambiguous.compatible().ok()?))
}

/// The instant at which a wall clock shows `time`: in a repeated hour the first pass, unless it lies
/// before `earliest` already.
fn resolve(time: DateTime, earliest: i64, zone: &TimeZone) -> Option<i64> {
    let first = zone.to_ambiguous_timestamp(time).earlier().ok()?.as_second();
    if first >= earliest {
        return Some(first);
    }
    Some(zone.to_ambiguous_timestamp(time).later().ok()?.as_second())
}

#[cfg(test)]
mod tests;
