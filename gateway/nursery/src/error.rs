//! Why something is no valid part of a nursery.

use measure::{Quantity, Timestamp};

/// Why a value was refused. Each message names the thing and its value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A name is empty, blank or too long.
    #[error("the {language} name `{name}` must have 1 to {max} characters", max = crate::NAME_CHARS_MAX)]
    Name {
        /// `zh` or `en`.
        language: &'static str,
        /// The name as given.
        name: String,
    },
    /// A number lies outside what it may be.
    #[error("{what} must lie between {low} and {high}, not {value}")]
    Number {
        /// What the number is.
        what: &'static str,
        /// The value as given.
        value: f64,
        /// The least allowed.
        low: f64,
        /// The greatest allowed.
        high: f64,
    },
    /// A time of day is none.
    #[error("`{0}` is no time of day; write HH:MM between 00:00 and 24:00")]
    TimeOfDay(String),
    /// A time zone is not in the IANA database.
    #[error("`{0}` is no IANA time zone such as `Asia/Shanghai`")]
    TimeZone(String),
    /// A source class is none of the known.
    #[error("`{0}` is no source class; known are A, A*, B, C, D and G")]
    SourceClass(String),
    /// A band or limit has its ends in the wrong order.
    #[error("{what} of {quantity}: {low} must not lie above {high}")]
    Order {
        /// `target`, `alarm` or what else was compared.
        what: &'static str,
        /// Whose band it is.
        quantity: String,
        /// The end that must be lower.
        low: f64,
        /// The end that must be higher.
        high: f64,
    },
    /// A value lies outside the gross range of its quantity.
    #[error("{what}: {value} is outside the range of {quantity}, {low} to {high} {unit}",
        low = measure::Scaled(quantity.range().0).to_f64(*quantity),
        high = measure::Scaled(quantity.range().1).to_f64(*quantity),
        unit = quantity.ucum())]
    Range {
        /// Where the value stands.
        what: &'static str,
        /// Its quantity.
        quantity: Quantity,
        /// The value as given.
        value: f64,
    },
    /// Something that must be there is not.
    #[error("{thing} has no {missing}")]
    Missing {
        /// The thing, with its name.
        thing: String,
        /// What it lacks.
        missing: &'static str,
    },
    /// The same name or place is taken twice.
    #[error("{0} is given twice")]
    Twice(String),
    /// There are more of a thing than its named maximum.
    #[error("{thing} has {count} {what}, more than {max}")]
    TooMany {
        /// The thing, with its name.
        thing: String,
        /// What there are too many of.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// A lamp would be switched on and off at the same time.
    #[error("the lamp span {0} to {0} has no length; write 00:00 to 24:00 for a whole day")]
    LampSpan(String),
    /// A text is blank or too long.
    #[error("the {what} of {thing}, `{value}`, must have 1 to {max} characters")]
    Text {
        /// Whose text it is.
        thing: String,
        /// Which text.
        what: &'static str,
        /// As given.
        value: String,
        /// How many characters it may have.
        max: usize,
    },
    /// The name of an accession is none.
    #[error("`{0}` names no accession; write INSTCODE:ACCENUMB")]
    Accession(String),
    /// Something would come before what came last.
    #[error("{thing} can't be {what} at {}, before {}", told(.at), told(.last))]
    Before {
        /// The thing, with its name.
        thing: String,
        /// What was to be done to it.
        what: &'static str,
        /// When.
        at: Timestamp,
        /// The last change, before which nothing can come.
        last: Timestamp,
    },
    /// It is so already.
    #[error("{thing} is {what} `{value}` already")]
    Already {
        /// The thing, with its name.
        thing: String,
        /// `in` a place or `at` a stage.
        what: &'static str,
        /// Which one.
        value: String,
    },
    /// It was closed, and what is closed stays as it is.
    #[error("{0} is closed; begin a new one")]
    Closed(String),
}

/// Returns a time as people read it.
fn told(at: &Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.micros())
        .map_or_else(|_| at.micros().to_string(), |it| it.to_string())
}
