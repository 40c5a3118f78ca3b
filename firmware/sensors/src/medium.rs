//! What a thermometer is stuck into: the same chip measures air, substrate, water or a leaf.

use measure::Quantity;

/// What the chip is stuck into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// It hangs in the air.
    Air,
    /// It sits in the substrate.
    Substrate,
    /// It lies in the irrigation water.
    Water,
    /// It lies under the open sky in the place of a leaf, and so meets frost first.
    Surface,
}

impl Medium {
    /// Returns what a thermometer in this medium measures.
    pub const fn quantity(self) -> Quantity {
        match self {
            Self::Air => Quantity::AirTemperature,
            Self::Substrate => Quantity::SubstrateTemperature,
            Self::Water => Quantity::WaterTemperature,
            Self::Surface => Quantity::SurfaceTemperature,
        }
    }
}
