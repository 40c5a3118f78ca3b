//! The chips on a simulated bus: they answer with the bytes, checksums, refusals and conversion
//! times of the real ones. What they measure comes with each call.

use measure::Timestamp;

/// What a chip has around it at one moment, distortions of a failing chip included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Around {
    pub(crate) now: Timestamp,
    pub(crate) air_c: f64,
    pub(crate) humidity_percent: f64,
    pub(crate) co2_ppm: f64,
    pub(crate) illuminance_lx: f64,
    pub(crate) substrate_c: f64,
}

/// The chip did not acknowledge its address: it is busy, or has nothing to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// One chip.
#[derive(Clone, Debug)]
pub(crate) enum SimulatedChip {
    Sht4x(Sht4x),
    Scd4x(Scd4x),
    Bh1750(Bh1750),
    Tmp105(Tmp105),
}

impl SimulatedChip {
    pub(crate) fn write(&mut self, bytes: &[u8], around: &Around) -> Result<(), Refused> {
        match self {
            Self::Sht4x(chip) => chip.write(bytes, around),
            Self::Scd4x(chip) => chip.write(bytes, around),
            Self::Bh1750(chip) => chip.write(bytes, around),
            Self::Tmp105(chip) => chip.write(bytes, around),
        }
    }

    pub(crate) fn read(&mut self, bytes: &mut [u8], around: &Around) -> Result<(), Refused> {
        match self {
            Self::Sht4x(chip) => chip.read(bytes, around),
            Self::Scd4x(chip) => chip.read(bytes, around),
            Self::Bh1750(chip) => chip.read(bytes, around),
            Self::Tmp105(chip) => chip.read(bytes, around),
        }
    }
}

/// SHT4x: one command, one answer, nothing in between.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sht4x {
    measured: Option<(Timestamp, [u8; 6])>,
}

impl Sht4x {
    fn write(&mut self, bytes: &[u8], around: &Around) -> Result<(), Refused> {
        let busy = self.measured.is_some_and(|(ready, _)| around.now < ready);
        if busy || bytes != [0xFD] {
            return Err(Refused);
        }
        let t = word((around.air_c + 45.0) / 175.0 * 65_535.0);
        let rh = word((around.humidity_percent + 6.0) / 125.0 * 65_535.0);
        self.measured = Some((around.now.plus_micros(8_300), join(t, rh)));
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8], around: &Around) -> Result<(), Refused> {
        match self.measured.take_if(|(ready, _)| *ready <= around.now) {
            Some((_, answer)) => copy(bytes, &answer),
            None => Err(Refused),
        }
    }
}

/// SCD4x: measures every 5 s once told to, and refuses what must not come while it does.
#[derive(Clone, Debug)]
pub(crate) struct Scd4x {
    calibrates_itself: bool,
    pressure_hpa: u16,
    /// When periodic measurement began, and the last value that was read, counted from 1.
    measuring: Option<(Timestamp, i64)>,
    busy_until: Option<Timestamp>,
    answer: Vec<u8>,
}

impl Default for Scd4x {
    /// As from the factory: it calibrates itself and takes the air for that at sea level.
    fn default() -> Self {
        Self {
            calibrates_itself: true,
            pressure_hpa: 1_013,
            measuring: None,
            busy_until: None,
            answer: Vec::new(),
        }
    }
}

impl Scd4x {
    const PERIOD_US: i64 = 5_000_000;

    fn write(&mut self, bytes: &[u8], around: &Around) -> Result<(), Refused> {
        self.check_idle(around)?;
        self.answer.clear();
        let (command, argument) = bytes.split_first_chunk::<2>().ok_or(Refused)?;
        let is_measuring = self.measuring.is_some();
        let busy_us = match u16::from_be_bytes(*command) {
            0x3F86 => {
                self.measuring = None;
                500_000
            }
            0x21B1 if !is_measuring => {
                self.measuring = Some((around.now, 0));
                0
            }
            0x2416 if !is_measuring && argument.len() == 3 => {
                self.calibrates_itself = argument != [0, 0, 0x81];
                1_000
            }
            0x2313 if !is_measuring => {
                self.answer.extend(word_of(u16::from(self.calibrates_itself)));
                1_000
            }
            0xE000 => {
                match argument {
                    [high, low, _] => self.pressure_hpa = u16::from_be_bytes([*high, *low]),
                    _ => self.answer.extend(word_of(self.pressure_hpa)),
                }
                1_000
            }
            0xE4B8 => {
                let ready = self.unread(around).is_some();
                self.answer.extend(word_of(if ready { 0x8006 } else { 0x8000 }));
                1_000
            }
            0xEC05 => {
                if let Some(number) = self.unread(around) {
                    self.answer.extend(word(around.co2_ppm));
                    self.answer.extend(word((around.air_c + 49.0) / 175.0 * 65_535.0));
                    self.answer.extend(word(around.humidity_percent / 100.0 * 65_535.0));
                    self.measuring = self.measuring.map(|(since, _)| (since, number));
                }
                1_000
            }
            _ => return Err(Refused),
        };
        self.busy_until = Some(around.now.plus_micros(busy_us));
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8], around: &Around) -> Result<(), Refused> {
        self.check_idle(around)?;
        copy(bytes, &core::mem::take(&mut self.answer))
    }

    fn check_idle(&self, around: &Around) -> Result<(), Refused> {
        let busy = self.busy_until.is_some_and(|until| around.now < until);
        if busy { Err(Refused) } else { Ok(()) }
    }

    /// Returns the number of the newest value, where it has not been read.
    fn unread(&self, around: &Around) -> Option<i64> {
        let (since, read) = self.measuring?;
        let number = around.now.micros_since(since) / Self::PERIOD_US;
        (number > read).then_some(number)
    }
}

/// BH1750 in one-time high-resolution mode; before the end it gives the old count, as the chip does.
#[derive(Clone, Debug)]
pub(crate) struct Bh1750 {
    time: u8,
    count: u16,
    measured: Option<(Timestamp, u16)>,
}

impl Default for Bh1750 {
    fn default() -> Self {
        Self { time: 69, count: 0, measured: None }
    }
}

impl Bh1750 {
    fn write(&mut self, bytes: &[u8], around: &Around) -> Result<(), Refused> {
        match bytes {
            [0x20] => {
                let share = f64::from(self.time) / 69.0;
                let count = whole(around.illuminance_lx * 1.2 * share);
                let ready = around.now.plus_micros((180_000.0 * share) as i64);
                self.measured = Some((ready, count));
                Ok(())
            }
            [high @ 0x40..=0x47] => {
                self.time = self.time & 0b1_1111 | (high & 0b111) << 5;
                Ok(())
            }
            [low @ 0x60..=0x7F] => {
                self.time = self.time & 0b1110_0000 | low & 0b1_1111;
                Ok(())
            }
            _ => Err(Refused),
        }
    }

    fn read(&mut self, bytes: &mut [u8], around: &Around) -> Result<(), Refused> {
        if let Some((_, count)) = self.measured.take_if(|(ready, _)| *ready <= around.now) {
            self.count = count;
        }
        copy(bytes, &self.count.to_be_bytes())
    }
}

/// TMP105: converts for ever; its register holds 0 °C until the first conversion has ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tmp105 {
    pointer: u8,
    configuration: u8,
    on_since: Option<Timestamp>,
}

impl Tmp105 {
    fn write(&mut self, bytes: &[u8], around: &Around) -> Result<(), Refused> {
        self.on_since.get_or_insert(around.now);
        match bytes {
            [pointer @ 0..=3] => self.pointer = *pointer,
            [1, configuration] => (self.pointer, self.configuration) = (1, *configuration),
            _ => return Err(Refused),
        }
        Ok(())
    }

    fn read(&mut self, bytes: &mut [u8], around: &Around) -> Result<(), Refused> {
        let since = *self.on_since.get_or_insert(around.now);
        let more_bits = self.configuration >> 5 & 0b11;
        let conversion_us = 40_000 << more_bits;
        let steps = (around.substrate_c * 256.0).round().clamp(-14_080.0, 32_752.0) as i16;
        let mask = 0xFF80_u16 >> more_bits | 0xFF80;
        match self.pointer {
            0 if around.now.micros_since(since) < conversion_us => copy(bytes, &[0, 0]),
            0 => copy(bytes, &(steps.cast_unsigned() & mask).to_be_bytes()),
            1 => copy(bytes, &[self.configuration]),
            _ => Err(Refused),
        }
    }
}

fn whole(value: f64) -> u16 {
    value.round().clamp(0.0, f64::from(u16::MAX)) as u16
}

fn word(value: f64) -> [u8; 3] {
    word_of(whole(value))
}

fn word_of(value: u16) -> [u8; 3] {
    let [high, low] = value.to_be_bytes();
    [high, low, crc8([high, low])]
}

fn join([a, b, c]: [u8; 3], [d, e, f]: [u8; 3]) -> [u8; 6] {
    [a, b, c, d, e, f]
}

fn copy(bytes: &mut [u8], answer: &[u8]) -> Result<(), Refused> {
    if answer.len() < bytes.len() {
        return Err(Refused);
    }
    bytes.iter_mut().zip(answer).for_each(|(to, from)| *to = *from);
    Ok(())
}

/// Sensirion's CRC-8, written apart from the drivers' own, so that neither covers the other's errors.
fn crc8(bytes: [u8; 2]) -> u8 {
    let mut crc = 0xFF_u8;
    for bit in 0..16 {
        let byte = if bit < 8 { bytes[0] } else { bytes[1] };
        let is_set = (byte >> (7 - bit % 8)) & 1 != crc >> 7;
        crc = (crc << 1) ^ if is_set { 0x31 } else { 0 };
    }
    crc
}
