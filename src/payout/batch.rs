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

use super::item::{BLOCKED_STAYS, LONGEST_OPEN};
use time::{Duration, OffsetDateTime};

/// Nothing is sent later than this after the first attempt. PayPal refuses a repeated `sender_batch_id` for 30 days
/// (its OpenAPI file, `sender_batch_id`); a day is kept in hand for clocks.
pub const RESEND_WINDOW: Duration = Duration::days(29);
/// A claim lapses when its holder has not renewed it for this long.
pub const LEASE: Duration = Duration::seconds(6);
/// How often a holder renews its claim.
pub const LEASE_RENEWAL: std::time::Duration = std::time::Duration::from_secs(2);
/// A batch that PayPal has not finished after this long is shown as slow.
const SLOW: Duration = Duration::hours(24);
/// A paid item is looked at for refunds on these days.
const WATCH_PAID: [Duration; 2] = [Duration::days(1), Duration::days(10)];
/// A batch's open items are looked at every day until a person has been told, and every week from then on.
const WATCH_DAILY: Duration = LONGEST_OPEN.saturating_add(Duration::days(1));

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

/// Whether PayPal takes unusually long over a batch that it accepted.
pub fn is_slow(accepted: Option<OffsetDateTime>, settled: Option<OffsetDateTime>, now: OffsetDateTime) -> bool {
    settled.is_none() && accepted.is_some_and(|accepted| now - accepted >= SLOW)
}

/// What is still expected of the items of a batch that PayPal has finished.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// PayPal works on some, or reviews them.
    pub processing: bool,
    /// Some wait for their receivers.
    pub unclaimed: bool,
    /// When those became paid whose payment may still be sent back.
    pub paid: Vec<OffsetDateTime>,
    /// When those were blocked that no later reading has confirmed.
    pub blocked: Vec<OffsetDateTime>,
    /// When PayPal is next asked to take one back.
    pub cancel: Option<OffsetDateTime>,
}

/// When to read a batch again that PayPal has finished: hourly for a day while it works on items, daily while any are
/// open, on the days when refunds are looked for, and when a block is to be confirmed. Nothing once nothing is expected
/// any more.
pub fn watch_next(settled: OffsetDateTime, now: OffsetDateTime, expected: &Expected) -> Option<OffsetDateTime> {
    let age = now - settled;
    let open = match (expected.processing, expected.unclaimed) {
        (false, false) => None,
        (true, _) if age < Duration::days(1) => Some(Duration::hours(1)),
        (_, _) if age < WATCH_DAILY => Some(Duration::days(1)),
        (_, _) => Some(Duration::weeks(1)),
    };
    let refunds = expected.paid.iter().flat_map(|paid| WATCH_PAID.map(|day| *paid + day));
    let blocks = expected.blocked.iter().map(|blocked| *blocked + BLOCKED_STAYS);
    let looks = open.map(|step| now + step).into_iter().chain(refunds.filter(|look| *look > now));
    looks.chain(blocks.chain(expected.cancel).map(|look| look.max(now))).min()
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
        let next = |now, expected: &Expected| watch_next(settled, now, expected);
        let nothing = Expected::default();
        let held = Expected { processing: true, ..nothing.clone() };
        let unclaimed = Expected { unclaimed: true, ..nothing.clone() };
        let paid = Expected { paid: vec![settled, day(20)], ..nothing.clone() };
        let blocked = Expected { blocked: vec![settled], ..nothing.clone() };
        assert_eq!(next(settled, &nothing), None);
        assert_eq!(next(settled, &held), Some(settled + Duration::hours(1)));
        assert_eq!(next(day(1), &held), Some(day(2)));
        assert_eq!(next(settled, &unclaimed), Some(day(1)));
        assert_eq!(next(day(35), &unclaimed), Some(day(36)), "the day on which a person is told");
        assert_eq!(next(day(36), &unclaimed), Some(day(43)));
        assert_eq!(next(settled, &paid), Some(day(1)));
        assert_eq!(next(day(1), &paid), Some(day(10)));
        assert_eq!(next(day(10), &paid), Some(day(21)), "claimed on day 20, and perhaps sent back");
        assert_eq!(next(day(21), &paid), Some(day(30)));
        assert_eq!(next(day(30), &paid), None);
        assert_eq!(next(settled, &blocked), Some(settled + BLOCKED_STAYS));
        assert_eq!(next(day(3), &blocked), Some(day(3)), "a reading that was missed");
        let wish = Expected { cancel: Some(day(2)), ..unclaimed };
        assert_eq!(next(day(1), &wish), Some(day(2)));
        assert_eq!(next(day(3), &wish), Some(day(3)));
    }

    #[test]
    fn a_batch_is_slow_after_a_day_and_only_until_it_is_finished() {
        let accepted = datetime!(2026-01-01 00:00 UTC);
        let later = accepted + Duration::days(1);
        assert!(!is_slow(None, None, later));
        assert!(!is_slow(Some(accepted), None, later - Duration::SECOND));
        assert!(is_slow(Some(accepted), None, later));
        assert!(!is_slow(Some(accepted), Some(later), later));
    }
}
