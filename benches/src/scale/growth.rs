//! How fast something grows: the exponent of a power of the size, as a straight line through the logarithms has it.

/// The slope of the line that fits the logarithms of the points best (least squares). Zero is flat; one is in proportion;
/// what grows by a logarithm comes out well below a quarter over three decades.
///
/// Nothing where there are fewer than two points, or a value has no logarithm.
#[must_use]
pub fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> = points.iter().map(|(size, value)| (size.log10(), value.log10())).collect();
    if logs.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
        return None;
    }
    let count = logs.len() as f64;
    let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / count;
    let spread: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let common: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    (spread > 0.0).then(|| common / spread)
}

#[cfg(test)]
mod tests {
    use super::exponent;

    fn near(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found - expected).abs() < 1e-9)
    }

    #[test]
    fn a_power_of_the_size_has_its_exponent() {
        assert!(near(exponent(&[(10.0, 7.0), (100.0, 7.0), (1_000.0, 7.0)]), 0.0));
        assert!(near(exponent(&[(10.0, 30.0), (100.0, 300.0), (1_000.0, 3_000.0)]), 1.0));
        assert!(near(exponent(&[(1.0, 5.0), (100.0, 50.0)]), 0.5));
    }

    #[test]
    fn a_logarithm_is_far_below_a_proportion() {
        // 2, 3, 4, 5: the logarithm itself. By hand: (1.5 × 0.398 + 0.5 × 0.125) / 5 = 0.132.
        let logarithm = [(1e2, 2.0), (1e3, 3.0), (1e4, 4.0), (1e5, 5.0)];
        assert!(exponent(&logarithm).is_some_and(|found| (0.13..0.135).contains(&found)));
    }

    #[test]
    fn one_point_has_no_slope() {
        assert_eq!(exponent(&[(10.0, 7.0)]), None);
        assert_eq!(exponent(&[]), None);
        assert_eq!(exponent(&[(1.0, 0.0), (2.0, 1.0)]), None);
    }
}
