//! Chance that can be repeated: each number is a function of a seed and a place, never of a state.
//!
//! So two nodes of one house see the same weather, and a run can be told again from its seed.

/// Returns a well mixed number for `key` under `seed` (SplitMix64, Steele, Lea and Flood 2014,
/// <https://doi.org/10.1145/2660193.2660195>).
pub(crate) fn hash(seed: u64, key: u64) -> u64 {
    let mut z = seed ^ key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Returns a number for a name, so that each chip has a chance of its own (FNV-1a).
pub(crate) fn key(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// Returns a number from 0 up to, not including, 1.
pub(crate) fn unit(seed: u64, key: u64) -> f64 {
    (hash(seed, key) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Returns a number of about standard normal distribution, never beyond 3.5 (twelve uniform ones,
/// added up; the tails do not matter here).
pub(crate) fn normal(seed: u64, key: u64) -> f64 {
    let key = hash(seed, key);
    let sum: f64 = (0..12).map(|part| unit(key, part)).sum();
    (sum - 6.0).clamp(-3.5, 3.5)
}

/// Returns a smooth curve through random points at whole `x`, between -1 and 1.
pub(crate) fn smooth(seed: u64, x: f64) -> f64 {
    let cell = x.floor();
    let at = |cell: f64| 2.0 * unit(seed, (cell as i64).cast_unsigned()) - 1.0;
    let t = x - cell;
    let weight = t * t * (3.0 - 2.0 * t);
    at(cell) * (1.0 - weight) + at(cell + 1.0) * weight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_has_the_same_chance() {
        assert_eq!(hash(7, 9), hash(7, 9));
        assert_ne!(hash(7, 9), hash(8, 9));
        assert_ne!(key("canopy"), key("tray"));
    }

    #[test]
    fn numbers_have_their_mean_and_stay_in_bounds() {
        let mean = |f: &dyn Fn(u64) -> f64| (0..4_000).map(f).sum::<f64>() / 4_000.0;
        assert!((mean(&|key| unit(1, key)) - 0.5).abs() < 0.02);
        assert!(mean(&|key| normal(1, key)).abs() < 0.06);
        assert!((mean(&|key| normal(1, key).powi(2)) - 1.0).abs() < 0.08);
    }

    #[test]
    fn the_curve_is_smooth_and_bounded() {
        let step = 0.01;
        for index in 0..2_000 {
            let x = f64::from(index) * step - 10.0;
            let (here, there) = (smooth(3, x), smooth(3, x + step));
            assert!(here.abs() <= 1.0);
            assert!((there - here).abs() <= 2.0 * 1.5 * step + 1e-9);
        }
    }
}
