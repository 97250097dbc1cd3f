//! Dates for people.

use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A minute of a day, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    year: i64,
    /// From 1.
    month: usize,
    day: i64,
    hour: i64,
    minute: i64,
}

impl Date {
    /// Returns the current minute.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self::at(since.unwrap_or_default().as_secs() as i64)
    }

    /// Returns the minute at a number of seconds since 1970, by
    /// [Hinnant's algorithm](https://howardhinnant.github.io/date_algorithms.html#civil_from_days).
    pub fn at(seconds: i64) -> Self {
        let days = seconds.div_euclid(86_400) + 719_468;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let second = seconds.rem_euclid(86_400);
        Self {
            year: year + era * 400 + i64::from(month <= 2),
            month: month as usize,
            day,
            hour: second / 3600,
            minute: second % 3600 / 60,
        }
    }

    /// Returns `28 November 2026`.
    pub fn day(self) -> String {
        format!("{} {} {}", self.day, MONTHS[self.month - 1], self.year)
    }

    /// Returns `28 November 2026, 19:05 UTC`.
    pub fn minute(self) -> String {
        format!("{}, {:02}:{:02} UTC", self.day(), self.hour, self.minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_days_as_date_has_them() {
        // `date -u -d @N`.
        for (seconds, text) in [
            (0, "1 January 1970, 00:00 UTC"),
            (951_782_399, "28 February 2000, 23:59 UTC"),
            (951_782_400, "29 February 2000, 00:00 UTC"),
            (1_795_892_700, "28 November 2026, 19:05 UTC"),
        ] {
            assert_eq!(Date::at(seconds).minute(), text);
        }
    }
}
