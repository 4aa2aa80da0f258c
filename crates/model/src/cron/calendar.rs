//! Days and dates as plain numbers: the search asks for them millions of times, and a jiff value for each would cost more than it says.

/// Seconds of a civil day.
pub(super) const DAY: i64 = 86_400;

/// A civil date with what day rules ask about.
#[derive(Clone, Copy)]
pub(super) struct Date {
    pub(super) month: u32,
    pub(super) day: u32,
    /// Days of the month.
    pub(super) length: u32,
    /// 0 is Sunday.
    pub(super) weekday: u32,
}

impl Date {
    /// The date of a day counted from 1970-01-01, after Howard Hinnant's `civil_from_days`.
    pub(super) fn of(days: i64) -> Date {
        let z = days + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z - era * 146_097;
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 } as u32;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let length = match month {
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        Date { month, day, length, weekday: (days + 4).rem_euclid(7) as u32 }
    }
}
