//! Models of Modbus probes. Another model is another table; nothing else changes.

use measure::Quantity;

use crate::modbus::{Field, Function, Kind, Meaning, Question, Table};

const fn field(register: u16, kind: Kind, scale: (i32, i32), quantity: Quantity) -> Field {
    Field { register, kind, scale, quantity, meaning: Meaning::Value }
}

/// Substrate moisture, temperature and conductivity: DFRobot SEN0601, and the many like it from the
/// same maker. Document: DFRobot wiki, SEN0601, "Reference", sections 3 "Communication protocol
/// examples" and 4 "Register address". Its conductivity is that of the substrate with its air and
/// grains, which is some way below that of the solution: calibrate it against a pressed-out sample.
pub static SOIL_SEN0601: Table = Table {
    sensor: "sen0601",
    address: 1,
    baud: 9_600,
    questions: &[Question {
        function: Function::Holding,
        fields: &[
            field(0, Kind::U16, (10, 1), Quantity::SubstrateMoisture),
            field(1, Kind::I16, (100, 1), Quantity::SubstrateTemperature),
            // µS/cm are the steps of mS/cm.
            field(2, Kind::U16, (1, 1), Quantity::SubstrateEc),
        ],
    }],
};

/// The same three from Seeed's SenseCAP S-Soil MTEC-02. Document: Seeed "User Manual" of 101990667,
/// 2020, sections 5.2 "Modbus register" and 5.3.
pub static SOIL_MTEC_02: Table = Table {
    sensor: "mtec-02",
    address: 1,
    baud: 9_600,
    questions: &[Question {
        function: Function::Holding,
        fields: &[
            field(0, Kind::I16, (10, 1), Quantity::SubstrateTemperature),
            field(1, Kind::U16, (1, 1), Quantity::SubstrateMoisture),
            field(2, Kind::U16, (1, 1), Quantity::SubstrateEc),
        ],
    }],
};

/// A station outside: wind, rain, radiation, pressure, temperature and humidity. DFRobot SEN0657.
/// Document: DFRobot wiki, SEN0657, "Reference", "General register address". Rain is a sum that the
/// station itself begins anew.
pub static STATION_SEN0657: Table = Table {
    sensor: "sen0657",
    address: 1,
    baud: 4_800,
    questions: &[Question {
        function: Function::Holding,
        fields: &[
            field(0x01F4, Kind::U16, (10, 1), Quantity::WindSpeed),
            field(0x01F7, Kind::U16, (1, 1), Quantity::WindDirection),
            field(0x01F8, Kind::U16, (10, 1), Quantity::RelativeHumidity),
            field(0x01F9, Kind::I16, (100, 1), Quantity::AirTemperature),
            // Tenths of a kilopascal are hectopascals.
            field(0x01FD, Kind::U16, (100, 1), Quantity::AirPressure),
            Field {
                register: 0x0201,
                kind: Kind::U16,
                scale: (10, 1),
                quantity: Quantity::Rainfall,
                meaning: Meaning::Sum,
            },
            field(0x0203, Kind::U16, (10, 1), Quantity::SolarIrradiance),
        ],
    }],
};
