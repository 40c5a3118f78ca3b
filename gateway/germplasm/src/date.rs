//! A date of which month or day may not be known: `19591120`, `195911--`, `19590000`.

use std::fmt;
use std::str::FromStr;

use crate::Words;

/// A date as MCPD writes it: `YYYYMMDD`, a missing month or day as `--` or `00`. Prints as it was
/// written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartialDate {
    year: u16,
    month: Part,
    day: Part,
}

/// A month or day, or how its absence was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Known(u8),
    Hyphens,
    Zeros,
}

impl PartialDate {
    /// Returns the year.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// Returns the month, 1 to 12, where known.
    pub const fn month(self) -> Option<u8> {
        self.month.known()
    }

    /// Returns the day, 1 to 31, where known.
    pub const fn day(self) -> Option<u8> {
        self.day.known()
    }

    /// Returns how people say it.
    pub fn words(self) -> Words {
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
        let year = self.year;
        let name = |month: u8| MONTHS.get(usize::from(month) - 1).copied().unwrap_or_default();
        match (self.month(), self.day()) {
            (Some(month), Some(day)) => Words::new(
                format!("{year}年{month}月{day}日"),
                format!("{day} {} {year}", name(month)),
            ),
            (Some(month), None) => Words::new(
                format!("{year}年{month}月(日不详)"),
                format!("{} {year}, day not known", name(month)),
            ),
            (None, _) => Words::new(
                format!("{year}年(月、日不详)"),
                format!("{year}, month and day not known"),
            ),
        }
    }
}

impl Part {
    const fn known(self) -> Option<u8> {
        match self {
            Self::Known(number) => Some(number),
            Self::Hyphens | Self::Zeros => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "--" => Some(Self::Hyphens),
            "00" => Some(Self::Zeros),
            _ if text.bytes().all(|it| it.is_ascii_digit()) => text.parse().ok().map(Self::Known),
            _ => None,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(number) => write!(f, "{number:02}"),
            Self::Hyphens => f.write_str("--"),
            Self::Zeros => f.write_str("00"),
        }
    }
}

impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}{}{}", self.year, self.month, self.day)
    }
}

/// Why a text is no such date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// It is not eight characters of that shape.
    #[error("is not YYYYMMDD")]
    Shape,
    /// There is no such month.
    #[error("has no such month")]
    Month,
    /// The month has no such day.
    #[error("has no such day")]
    Day,
    /// The day is known, but the month is not.
    #[error("has a day without a month")]
    DayWithoutMonth,
}

impl DateError {
    /// Returns what is wrong.
    pub(crate) fn words(self) -> Words {
        match self {
            Self::Shape => {
                Words::new("不是 YYYYMMDD 形式的日期", "is no date of the form YYYYMMDD")
            }
            Self::Month => Words::new("没有这个月份", "names a month that there is not"),
            Self::Day => Words::new("该月没有这一天", "names a day that its month does not have"),
            Self::DayWithoutMonth => Words::new("有日而没有月", "has a day but no month"),
        }
    }
}

impl FromStr for PartialDate {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let part = |range| text.get(range).ok_or(DateError::Shape);
        if text.len() != 8 {
            return Err(DateError::Shape);
        }
        let year = part(0..4)?;
        if !year.bytes().all(|it| it.is_ascii_digit()) {
            return Err(DateError::Shape);
        }
        let year: u16 = year.parse().map_err(|_| DateError::Shape)?;
        let month = Part::parse(part(4..6)?).ok_or(DateError::Shape)?;
        let day = Part::parse(part(6..8)?).ok_or(DateError::Shape)?;
        if year == 0 {
            return Err(DateError::Shape);
        }
        match (month.known(), day.known()) {
            (Some(month), _) if month > 12 => Err(DateError::Month),
            (Some(month), Some(day)) if day > days(year, month) => Err(DateError::Day),
            (None, Some(_)) => Err(DateError::DayWithoutMonth),
            _ => Ok(Self { year, month, day }),
        }
    }
}

/// Returns the days of a month in the Gregorian calendar.
const fn days(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, year: u16, month: Option<u8>, day: Option<u8>) {
        let date: PartialDate = text.parse().unwrap();
        assert_eq!((date.year(), date.month(), date.day()), (year, month, day));
        assert_eq!(date.to_string(), text);
    }

    #[test]
    fn a_missing_month_or_day_stays_missing_and_as_it_was_written() {
        check("19591120", 1959, Some(11), Some(20));
        check("195911--", 1959, Some(11), None);
        check("19591100", 1959, Some(11), None);
        check("1959----", 1959, None, None);
        check("19590000", 1959, None, None);
        check("1959--00", 1959, None, None);
        check("20240229", 2024, Some(2), Some(29));
        check("20000229", 2000, Some(2), Some(29));
    }

    #[test]
    fn what_is_no_date_is_told_by_its_kind() {
        let fault = |text: &str| text.parse::<PartialDate>().unwrap_err();
        for wrong in ["", "1959", "1959-11-20", "1959112", "195911200", "2O240101", "----1120"] {
            assert_eq!(fault(wrong), DateError::Shape, "{wrong}");
        }
        for wrong in ["00001120", "1959-120", "195911-2", "+9591120", "年1120"] {
            assert_eq!(fault(wrong), DateError::Shape, "{wrong}");
        }
        assert_eq!(fault("19591320"), DateError::Month);
        assert_eq!(fault("19590431"), DateError::Day);
        assert_eq!(fault("19000229"), DateError::Day);
        assert_eq!(fault("1959--20"), DateError::DayWithoutMonth);
        assert_eq!(fault("19590020"), DateError::DayWithoutMonth);
    }

    #[test]
    fn people_are_told_what_is_not_known() {
        let words = |text: &str| text.parse::<PartialDate>().unwrap().words();
        assert_eq!(words("19591120"), Words::new("1959年11月20日", "20 November 1959"));
        assert_eq!(words("19591100").en, "November 1959, day not known");
        assert_eq!(words("1959----").zh, "1959年(月、日不详)");
    }

    proptest! {
        #[test]
        fn whatever_is_read_prints_as_it_was(text in "[0-9-]{8}|.{0,10}") {
            if let Ok(date) = text.parse::<PartialDate>() {
                prop_assert_eq!(date.to_string(), text);
            }
        }
    }
}
