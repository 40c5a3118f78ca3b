//! Between which temperatures a crop develops, and who says so.

use measure::Slug;
use serde::{Deserialize, Serialize};

use crate::{Error, Names, SourceClass};

/// The coldest and the warmest temperature that thermal time may be counted between, in °C.
const RANGE_C: (f64, f64) = (-20.0, 60.0);

/// The temperatures that thermal time is counted between, for some stages of a crop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThermalTime {
    /// For which stages: `method/stage`.
    pub applies: Vec<String>,
    /// Below it nothing moves on, in degrees Celsius.
    pub base_c: f64,
    /// Above it nothing moves on faster, in degrees Celsius; open where nobody has measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_c: Option<f64>,
    /// How good the source is.
    pub class: SourceClass,
    /// The sources, by the names in the list of sources; empty where there is none (class G).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// What its reader should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Names>,
}

impl ThermalTime {
    /// Returns whether it holds for a stage.
    pub fn is_for(&self, method: &Slug, stage: &Slug) -> bool {
        let named = |path: &String| path.split_once('/') == Some((method.as_str(), stage.as_str()));
        self.applies.iter().any(named)
    }

    /// Checks the temperatures.
    ///
    /// # Errors
    /// [`Error::Number`] outside -20 to 60 °C, or with an upper one that is not above the base.
    pub fn check(&self) -> Result<(), Error> {
        let within = |what, value, low| {
            let high = RANGE_C.1;
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(Error::Number { what, value, low, high })
            }
        };
        within("the base temperature", self.base_c, RANGE_C.0)?;
        self.upper_c.map_or(Ok(()), |upper| within("the upper temperature", upper, self.base_c))
    }
}
