//! The life of a batch, and when it is looked at next. Pure.
//!
//! ```text
//! Prepared ──released──▶ Ready ──claim──▶ Submitting ──accepted──▶ Accepted ──all final, watched long enough──▶ Closed
//!     │                  │  ▲──not yet──────┤   ▲ │
//!     └───cancelled──────┘                  │   └─┘ unknown, or lapsed: same name, same bytes, inside the window
//!                                           ├──refused, never in doubt──▶ Refused   (commissions released)
//!                                           └──window over, or not ours─▶ Stuck     (a person decides)
//!
//! manual rail: Prepared ──▶ Closed (paid outside)   or   Exported ──marked paid──▶ Closed ;  put back ──▶ Cancelled
//! ```

use time::{Duration, OffsetDateTime};

/// Nothing is sent later than this after the first attempt. PayPal refuses a repeated `sender_batch_id` for 30 days
/// (its OpenAPI file, `sender_batch_id`); a day is kept in hand for clocks.
pub const RESEND_WINDOW: Duration = Duration::days(29);
/// A claim lapses when its holder has not renewed it for this long.
pub const LEASE: Duration = Duration::seconds(6);
/// How often a holder renews its claim.
pub const LEASE_RENEWAL: std::time::Duration = std::time::Duration::from_secs(2);
/// A paid item is looked at for refunds on these days.
const WATCH_PAID: [Duration; 2] = [Duration::days(1), Duration::days(10)];

/// Where a batch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum BatchState {
    /// Written, and not released yet.
    Prepared,
    /// May be sent.
    Ready,
    /// Being sent, or sent with an unknown fate.
    Submitting,
    /// PayPal has it.
    Accepted,
    /// Nothing more is expected.
    Closed,
    /// PayPal never took it; its commissions are due again.
    Refused,
    /// We stopped on purpose: whether PayPal has it is not known, and a person must look.
    Stuck,
    /// Taken back before anything was sent.
    Cancelled,
    /// Manual rail: a file is on its way, outside.
    Exported,
}

/// How a batch travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Rail {
    /// PayPal's Payouts API.
    Api,
    /// A Large Batch file over SFTP.
    File,
    /// Outside; PayPal is never called.
    Manual,
}

impl Rail {
    /// The word of the database and of forms.
    pub fn code(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::File => "file",
            Self::Manual => "manual",
        }
    }
}

/// When to send again after `attempts` attempts whose fate is unknown.
pub fn resend_after(attempts: i32) -> Duration {
    match attempts {
        ..=1 => Duration::seconds(5),
        2 => Duration::seconds(30),
        3 => Duration::minutes(2),
        4 => Duration::minutes(10),
        5.. => Duration::hours(1),
    }
}

/// When to read a batch again that PayPal has not finished, after `polls` readings.
pub fn read_after(polls: i32) -> Duration {
    match polls {
        ..=0 => Duration::seconds(1),
        1..=4 => Duration::seconds(2),
        5..=8 => Duration::seconds(5),
        9..=12 => Duration::seconds(15),
        13..=16 => Duration::minutes(1),
        17..=20 => Duration::minutes(5),
        21.. => Duration::minutes(15),
    }
}

/// When to read a batch again that PayPal has finished: hourly for a day and then daily while items are open, else on
/// the days when refunds are looked for. Nothing once nothing is expected any more.
pub fn watch_next(
    settled: OffsetDateTime,
    now: OffsetDateTime,
    any_open: bool,
    any_paid: bool,
) -> Option<OffsetDateTime> {
    let age = now - settled;
    if any_open {
        let step = if age < Duration::days(1) { Duration::hours(1) } else { Duration::days(1) };
        return Some(now + step);
    }
    if !any_paid {
        return None;
    }
    WATCH_PAID.iter().map(|day| settled + *day).find(|look| *look > now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn nothing_is_resent_near_the_end_of_paypals_memory() {
        assert!(RESEND_WINDOW < Duration::days(30));
        let slowest = (0..100).map(resend_after).max().unwrap();
        assert_eq!(slowest, Duration::hours(1));
    }

    #[test]
    fn a_finished_batch_is_watched_as_long_as_its_money_can_move() {
        let settled = datetime!(2026-01-01 00:00 UTC);
        let day = |n: i64| settled + Duration::days(n);
        assert_eq!(watch_next(settled, settled, true, true), Some(settled + Duration::hours(1)));
        assert_eq!(watch_next(settled, day(20), true, false), Some(day(21)));
        assert_eq!(watch_next(settled, day(40), true, false), Some(day(41)));
        assert_eq!(watch_next(settled, settled, false, true), Some(day(1)));
        assert_eq!(watch_next(settled, day(1), false, true), Some(day(10)));
        assert_eq!(watch_next(settled, day(10), false, true), None);
        assert_eq!(watch_next(settled, settled, false, false), None);
    }
}
