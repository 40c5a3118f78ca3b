//! How the words of `measure` are written in JSON and TOML: `#[serde(with = "nursery::serial::slug")]`.
//!
//! `measure` runs on nodes and knows no serde; what the gateway's rooms keep goes through here.

/// A [`measure::Slug`] as its text.
pub mod slug {
    use measure::Slug;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Writes the name.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(slug: &Slug, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(slug.as_str())
    }

    /// Reads and checks a name.
    ///
    /// # Errors
    /// Those of the deserializer, and a name that is no slug.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Slug, D::Error> {
        let text = String::deserialize(deserializer)?;
        Slug::new(&text).map_err(|error| D::Error::custom(format_args!("`{text}`: {error}")))
    }
}

/// An optional [`measure::Slug`] as its text, or null.
pub mod slug_option {
    use measure::Slug;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    /// Writes the name, or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(slug: &Option<Slug>, serializer: S) -> Result<S::Ok, S::Error> {
        slug.as_ref().map(Slug::as_str).serialize(serializer)
    }

    /// Reads and checks a name, or null.
    ///
    /// # Errors
    /// Those of the deserializer, and a name that is no slug.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Slug>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let slug = Slug::new(&text);
        slug.map(Some).map_err(|error| D::Error::custom(format_args!("`{text}`: {error}")))
    }
}

/// A [`measure::Quantity`] as its name.
pub mod quantity {
    use measure::Quantity;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Writes the name.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(it: &Quantity, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(it.name())
    }

    /// Reads a name.
    ///
    /// # Errors
    /// Those of the deserializer, and a name that is no quantity.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| D::Error::custom(format_args!("`{text}`: {error}")))
    }
}

/// A [`measure::Timestamp`] as microseconds since 1970.
pub mod micros {
    use measure::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Writes the microseconds.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.micros())
    }

    /// Reads microseconds.
    ///
    /// # Errors
    /// Those of the deserializer, and a time outside 1970 to 9999.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let micros = i64::deserialize(deserializer)?;
        Timestamp::from_micros(micros)
            .ok_or_else(|| D::Error::custom(format_args!("{micros} µs lies outside 1970 to 9999")))
    }
}

/// An optional [`measure::Timestamp`] as microseconds since 1970, or null.
pub mod micros_option {
    use measure::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    /// Writes the microseconds, or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(Timestamp::micros).serialize(serializer)
    }

    /// Reads microseconds, or null.
    ///
    /// # Errors
    /// Those of the deserializer, and a time outside 1970 to 9999.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        let Some(micros) = Option::<i64>::deserialize(deserializer)? else { return Ok(None) };
        let at = Timestamp::from_micros(micros).ok_or_else(|| {
            D::Error::custom(format_args!("{micros} µs lies outside 1970 to 9999"))
        })?;
        Ok(Some(at))
    }
}

/// A [`measure::Scaled`] as its whole number of steps.
pub mod steps {
    use measure::Scaled;
    use serde::{Deserialize as _, Deserializer, Serializer};

    /// Writes the steps.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Scaled, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(value.0)
    }

    /// Reads steps.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scaled, D::Error> {
        i32::deserialize(deserializer).map(Scaled)
    }
}

/// An optional [`measure::Scaled`] as its whole number of steps, or null.
pub mod steps_option {
    use measure::Scaled;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    /// Writes the steps, or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        value: &Option<Scaled>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|scaled| scaled.0).serialize(serializer)
    }

    /// Reads steps, or null.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Scaled>, D::Error> {
        Ok(Option::<i32>::deserialize(deserializer)?.map(Scaled))
    }
}

/// An optional [`measure::Fault`] as its name, or null.
pub mod fault_option {
    use measure::Fault;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    /// Writes the name, or null.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        fault: &Option<Fault>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        fault.map(Fault::name).serialize(serializer)
    }

    /// Reads a name, or null.
    ///
    /// # Errors
    /// Those of the deserializer, and a name that is no fault.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Fault>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error| D::Error::custom(format_args!("`{text}`: {error}")))
    }
}
