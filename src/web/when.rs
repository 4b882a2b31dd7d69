//! Times and dates for people: short and in the merchant's zone on the page, complete on hover.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use time::format_description::well_known::Iso8601;
use time::{Date, OffsetDateTime};

/// A moment, for `{% call ui::when(..) %}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// "12 Jan 2026"
    pub day: String,
    /// "12 Jan 2026, 10:02"
    pub minute: String,
    /// "2026-01-12 10:02:33 Europe/Berlin"
    pub full: String,
    /// For the attribute `datetime`.
    pub iso: String,
}

/// The moment in a time zone, by its IANA name.
pub fn when(at: OffsetDateTime, zone: &str) -> When {
    let moment = Timestamp::from_second(at.unix_timestamp()).expect("stored times are representable");
    let local = moment.to_zoned(TimeZone::get(zone).unwrap_or(TimeZone::UTC));
    When {
        day: local.strftime("%-d %b %Y").to_string(),
        minute: local.strftime("%-d %b %Y, %H:%M").to_string(),
        full: format!("{} {zone}", local.strftime("%Y-%m-%d %H:%M:%S")),
        iso: moment.to_string(),
    }
}

/// A day without a time: "12 Jan 2026".
pub fn day(date: Date) -> String {
    let month = &date.month().to_string()[..3];
    format!("{} {month} {}", date.day(), date.year())
}

/// A day as a date field sends it: "2026-01-12".
pub fn read_day(text: &str) -> Option<Date> {
    Date::parse(text.trim(), &Iso8601::DATE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime};

    #[test]
    fn a_moment_is_told_where_the_merchant_is() {
        let when = when(datetime!(2026-01-12 23:30:05 UTC), "Europe/Berlin");
        assert_eq!(when.minute, "13 Jan 2026, 00:30");
        assert_eq!(when.full, "2026-01-13 00:30:05 Europe/Berlin");
        assert_eq!(day(date!(2026 - 05 - 03)), "3 May 2026");
    }
}
