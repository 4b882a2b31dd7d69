//! Dates in a file: one form for all of them, chosen once.

use super::amount::quote;
use serde::{Deserialize, Serialize};
use time::{Date, Month};

/// How dates are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateForm {
    /// 2026-01-31
    Iso,
    /// 31/01/2026
    DayMonthYear,
    /// 01/31/2026
    MonthDayYear,
    /// 31.01.2026
    Dots,
}

impl DateForm {
    /// Every form.
    pub const ALL: [DateForm; 4] = [DateForm::Iso, DateForm::DayMonthYear, DateForm::MonthDayYear, DateForm::Dots];

    /// As it stands in forms.
    pub fn name(self) -> &'static str {
        match self {
            DateForm::Iso => "iso",
            DateForm::DayMonthYear => "day_month_year",
            DateForm::MonthDayYear => "month_day_year",
            DateForm::Dots => "dots",
        }
    }

    /// With an example: the last of January.
    pub fn words(self) -> &'static str {
        match self {
            DateForm::Iso => "Year-month-day, as in 2026-01-31",
            DateForm::DayMonthYear => "Day/month/year, as in 31/01/2026",
            DateForm::MonthDayYear => "Month/day/year, as in 01/31/2026",
            DateForm::Dots => "Day.month.year, as in 31.01.2026",
        }
    }

    fn example(self) -> &'static str {
        match self {
            DateForm::Iso => "2026-01-31",
            DateForm::DayMonthYear => "31/01/2026",
            DateForm::MonthDayYear => "01/31/2026",
            DateForm::Dots => "31.01.2026",
        }
    }

    /// Reads a date, or says what is wrong with it. `what` names it: "due date".
    pub fn parse(self, text: &str, what: &str) -> Result<Date, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err(format!("The {what} is missing."));
        }
        self.read(text).ok_or_else(|| {
            format!("The {what} {} is not a date as chosen for this file, such as {}.", quote(text), self.example())
        })
    }

    fn read(self, text: &str) -> Option<Date> {
        let separator = match self {
            DateForm::Iso => '-',
            DateForm::DayMonthYear | DateForm::MonthDayYear => '/',
            DateForm::Dots => '.',
        };
        let mut parts = text.split(separator);
        let parts = [parts.next()?, parts.next()?, parts.next().filter(|_| parts.next().is_none())?];
        let [year, month, day] = match self {
            DateForm::Iso => parts,
            DateForm::DayMonthYear | DateForm::Dots => [parts[2], parts[1], parts[0]],
            DateForm::MonthDayYear => [parts[2], parts[0], parts[1]],
        };
        let number = |part: &str, digits: std::ops::RangeInclusive<usize>| {
            let plain = digits.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| part.parse::<u16>().ok()).flatten()
        };
        let (year, month, day) = (number(year, 4..=4)?, number(month, 1..=2)?, number(day, 1..=2)?);
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        // A year far off is a slip of the keyboard, not a due date.
        let year = Some(year).filter(|year| (1990..=2100).contains(year))?;
        Date::from_calendar_date(year.into(), month, u8::try_from(day).ok()?).ok()
    }

    /// The one form that all of these have; none if several would do.
    pub fn guess<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Option<DateForm> {
        let mut texts = texts.map(str::trim).filter(|text| !text.is_empty()).peekable();
        texts.peek()?;
        let fits = |form: &DateForm| texts.clone().all(|text| form.read(text).is_some());
        let forms: Vec<DateForm> = Self::ALL.into_iter().filter(fits).collect();
        match forms.as_slice() {
            [one] => Some(*one),
            [] | [_, ..] => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn each_form_reads_its_own_dates_only() {
        let day = date!(2026 - 01 - 31);
        for form in DateForm::ALL {
            assert_eq!(form.parse(form.example(), "due date"), Ok(day));
            for other in DateForm::ALL.into_iter().filter(|other| *other != form) {
                assert!(form.parse(other.example(), "due date").is_err(), "{form:?} {other:?}");
            }
        }
        for bad in ["2026-02-30", "26-01-31", "2026-1", "2026-01-31T00:00", "20260131", "2026-01-31-1", "0026-01-31"] {
            assert!(DateForm::Iso.parse(bad, "due date").is_err(), "{bad}");
        }
        assert_eq!(DateForm::Dots.parse("3.5.2026", "due date"), Ok(date!(2026 - 05 - 03)));
    }

    #[test]
    fn a_form_is_guessed_only_when_no_other_fits() {
        assert_eq!(DateForm::guess(["2026-01-02", ""].into_iter()), Some(DateForm::Iso));
        assert_eq!(DateForm::guess(["01/02/2026"].into_iter()), None);
        assert_eq!(DateForm::guess(["01/02/2026", "13/02/2026"].into_iter()), Some(DateForm::DayMonthYear));
        assert_eq!(DateForm::guess([""].into_iter()), None);
    }
}
