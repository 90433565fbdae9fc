//! Figures as the page writes them.

/// A ratio with the digits that mean something.
pub(super) fn times(ratio: f64) -> String {
    match ratio.abs() {
        small if small < 10.0 => format!("{ratio:.2}"),
        small if small < 100.0 => format!("{ratio:.1}"),
        _ => thousands(ratio),
    }
}

/// A bound, as it was set.
pub(super) fn exactly(bound: f64) -> String {
    if bound.fract() == 0.0 { thousands(bound) } else { format!("{bound}") }
}

/// A figure with its unit.
pub(super) fn figure(value: f64, unit: &str) -> String {
    if value.abs() < 100.0 { format!("{value:.1} {unit}") } else { format!("{} {unit}", thousands(value)) }
}

/// A whole number, its digits in groups of three.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut grouped = if number < 0.0 { String::from("-") } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(122_000_000.4), "122,000,000");
        assert_eq!(thousands(999.0), "999");
        assert_eq!(thousands(-1_000.0), "-1,000");
        assert_eq!(times(1.234), "1.23");
        assert_eq!(times(53.26), "53.3");
        assert_eq!(exactly(1.15), "1.15");
        assert_eq!(exactly(1_000.0), "1,000");
        assert_eq!(figure(28.94, "ns"), "28.9 ns");
    }
}
