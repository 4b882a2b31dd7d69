//! The one source of time. In production it is the system's; under a simulator it runs ahead by the simulator's offset,
//! so that thirty-one days can be walked through in a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use time::{Date, Duration, OffsetDateTime};

/// Tells the time. Clones share their offset.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// Now, in UTC, with the offset.
    pub fn now(&self) -> OffsetDateTime {
        self.system_now() + Duration::milliseconds(self.offset_ms.load(Ordering::Relaxed))
    }

    /// Now without the offset: only to compare this machine with the database's.
    #[expect(clippy::disallowed_methods, reason = "this is the one source")]
    pub fn system_now(&self) -> OffsetDateTime {
        let now = OffsetDateTime::now_utc();
        // Postgres keeps microseconds; a time that was stored and read again must compare equal.
        now.replace_nanosecond(now.nanosecond() / 1000 * 1000).expect("microseconds are within a second")
    }

    /// Today in a time zone, by the IANA name ("Europe/Berlin"). An unknown zone is refused where it enters.
    pub fn today(&self, zone: &str) -> Date {
        let zone = jiff::tz::TimeZone::get(zone).unwrap_or(jiff::tz::TimeZone::UTC);
        let now = jiff::Timestamp::from_second(self.now().unix_timestamp()).expect("the present is representable");
        let local = zone.to_datetime(now);
        let month = time::Month::try_from(local.month() as u8).expect("a month is 1 to 12");
        Date::from_calendar_date(local.year().into(), month, local.day() as u8).expect("jiff gives real dates")
    }

    /// How far this clock runs ahead of the system's.
    pub fn offset(&self) -> Duration {
        Duration::milliseconds(self.offset_ms.load(Ordering::Relaxed))
    }

    /// Moves the clock: only a simulator's offset and tests do this.
    pub fn set_offset(&self, offset: Duration) {
        let ms = i64::try_from(offset.whole_milliseconds()).expect("an offset is within some million years");
        self.offset_ms.store(ms, Ordering::Relaxed);
    }
}

/// The exact name of a time zone: of a place, or UTC. Others are this machine's own ("localtime"), or tell no place's day.
pub(crate) fn zone_named(typed: &str) -> Option<String> {
    let zone = jiff::tz::TimeZone::get(typed.trim()).ok()?;
    zone.iana_name().filter(|name| name.contains('/') || *name == "UTC").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn today_is_the_merchants_day() {
        let clock = Clock::system();
        let noon_2026 = time::macros::datetime!(2026-01-12 23:30 UTC);
        clock.set_offset(noon_2026 - clock.system_now());
        assert_eq!(clock.today("UTC"), time::macros::date!(2026 - 01 - 12));
        assert_eq!(clock.today("Europe/Berlin"), time::macros::date!(2026 - 01 - 13));
        assert_eq!(clock.today("America/New_York"), time::macros::date!(2026 - 01 - 12));
    }
}
