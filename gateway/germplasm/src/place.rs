//! Where a sample was collected: degrees, minutes and seconds of which some may not be known, and
//! decimal degrees.

use crate::Words;

/// Why a text is no latitude or longitude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlaceError {
    /// It has not the digits, hyphens and letter that it must have.
    Shape,
    /// A minute has 60 seconds: it counts to 59.
    Seconds,
    /// A degree has 60 minutes: it counts to 59.
    Minutes,
    /// It lies off the Earth.
    Range,
}

impl PlaceError {
    /// Returns what is wrong.
    pub(crate) fn words(self) -> Words {
        match self {
            Self::Shape => Words::new("写法不对", "is not written as it must be"),
            Self::Seconds => Words::new("秒大于 59", "has seconds above 59"),
            Self::Minutes => Words::new("分大于 59", "has minutes above 59"),
            Self::Range => Words::new("超出地球范围", "lies off the Earth"),
        }
    }
}

/// Returns the degrees north of `DDMMSS[NS]`, such as `103020S` or `4531--N`, each unknown digit a
/// hyphen; unknown minutes and seconds count as none. `None` where it is no such text.
pub fn latitude(text: &str) -> Option<f64> {
    degrees(text, Axis::LATITUDE).ok()
}

/// Returns the degrees east of `DDDMMSS[EW]`, such as `0762510W`, each unknown digit a hyphen;
/// unknown minutes and seconds count as none. `None` where it is no such text.
pub fn longitude(text: &str) -> Option<f64> {
    degrees(text, Axis::LONGITUDE).ok()
}

/// One of the two directions on Earth.
pub(crate) struct Axis {
    digits: usize,
    positive: char,
    negative: char,
    pub(crate) degrees_max: f64,
}

impl Axis {
    pub(crate) const LATITUDE: Self =
        Self { digits: 2, positive: 'N', negative: 'S', degrees_max: 90.0 };
    pub(crate) const LONGITUDE: Self =
        Self { digits: 3, positive: 'E', negative: 'W', degrees_max: 180.0 };
}

pub(crate) fn degrees(text: &str, axis: Axis) -> Result<f64, PlaceError> {
    let sign = match text.chars().last() {
        Some(letter) if letter == axis.positive => 1.0,
        Some(letter) if letter == axis.negative => -1.0,
        _ => return Err(PlaceError::Shape),
    };
    let digits = text.get(..text.len() - 1).ok_or(PlaceError::Shape)?;
    if digits.len() != axis.digits + 4 || !is_known_then_unknown(digits, axis.digits) {
        return Err(PlaceError::Shape);
    }
    let part = |from: usize, to: usize| {
        let known = digits.get(from..to).unwrap_or_default().replace('-', "0");
        known.parse::<u16>().map_err(|_| PlaceError::Shape)
    };
    let whole = part(0, axis.digits)?;
    let minutes = part(axis.digits, axis.digits + 2)?;
    let seconds = part(axis.digits + 2, axis.digits + 4)?;
    if minutes > 59 {
        return Err(PlaceError::Minutes);
    }
    if seconds > 59 {
        return Err(PlaceError::Seconds);
    }
    let degrees = f64::from(whole) + f64::from(minutes) / 60.0 + f64::from(seconds) / 3_600.0;
    if degrees > axis.degrees_max {
        return Err(PlaceError::Range);
    }
    Ok(sign * degrees)
}

/// Returns whether these are digits, of which the last may be hyphens, but never those of the degrees.
fn is_known_then_unknown(text: &str, degrees: usize) -> bool {
    let known = text.bytes().take_while(u8::is_ascii_digit).count();
    known >= degrees && text.bytes().skip(known).all(|it| it == b'-')
}

/// Returns a plain decimal number such as `-33.861481`; no exponent, no infinity.
pub(crate) fn decimal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    text.parse().ok().filter(|it: &f64| it.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn north(text: &str, expect: Result<f64, PlaceError>) {
        let found = degrees(text, Axis::LATITUDE);
        match (found, expect) {
            (Ok(found), Ok(expect)) => assert!((found - expect).abs() < 1e-9, "{text}: {found}"),
            (found, expect) => assert_eq!(found, expect, "{text}"),
        }
    }

    #[test]
    fn the_examples_of_the_standard_are_read() {
        north("103020S", Ok(-10.505_555_555_6));
        north("10----S", Ok(-10.0));
        north("011530N", Ok(1.258_333_333_3));
        north("4531--S", Ok(-45.516_666_666_7));
        assert_eq!(longitude("0762510W").map(|it| (it * 3_600.0).round()), Some(-275_110.0));
        assert_eq!(longitude("076----W"), Some(-76.0));
    }

    #[test]
    fn sixty_seconds_and_what_lies_off_the_earth_are_refused() {
        north("261060N", Err(PlaceError::Seconds));
        north("266000N", Err(PlaceError::Minutes));
        north("900001N", Err(PlaceError::Range));
        north("900000S", Ok(-90.0));
        assert_eq!(degrees("0914360E", Axis::LONGITUDE), Err(PlaceError::Seconds));
        assert_eq!(degrees("1800001W", Axis::LONGITUDE), Err(PlaceError::Range));
    }

    #[test]
    fn another_shape_is_refused() {
        for wrong in
            ["", "N", "26N", "1030200S", "10302S", "103020E", "103020", "1-3020S", "10-020S"]
        {
            north(wrong, Err(PlaceError::Shape));
        }
        for wrong in ["--3020S", "103020s", "10°30N", "年年N", "+03020N"] {
            north(wrong, Err(PlaceError::Shape));
        }
    }

    #[test]
    fn a_decimal_is_plain() {
        assert_eq!(decimal("-33.861481"), Some(-33.861_481));
        assert_eq!(decimal("+29"), Some(29.0));
        for wrong in ["", "-", ".5", "5.", "1e3", "inf", "NaN", "29,05", " 29", "1_0", "٣"] {
            assert_eq!(decimal(wrong), None, "{wrong}");
        }
        assert_eq!(decimal(&"9".repeat(400)), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,12}") {
            prop_assert!(latitude(&text).is_none_or(|it| it.abs() <= 90.0));
            prop_assert!(longitude(&text).is_none_or(|it| it.abs() <= 180.0));
            prop_assert!(decimal(&text).is_none_or(f64::is_finite));
        }
    }
}
