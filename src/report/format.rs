//! Numbers as people read them, the same in the terminal and on the page.

use serde_json::Value;

/// `0.9284`.
pub(crate) fn share(value: f64) -> String {
    format!("{value:.4}")
}

/// `92.84`, to stand before a percent sign.
pub(crate) fn percent(value: f64) -> String {
    format!("{:.2}", 100.0 * value)
}

/// Percentage points with their sign: `+1.32`, `−0.40`.
pub(crate) fn points(value: f64) -> String {
    let rounded = format!("{:.2}", (100.0 * value).abs());
    let sign = match rounded.as_str() {
        "0.00" => "",
        _ if value < 0.0 => "−",
        _ => "+",
    };
    format!("{sign}{rounded}")
}

/// Seconds with three significant digits below 100, minutes from 10 minutes on.
pub fn seconds(value: f64) -> String {
    match value {
        v if v < 0.0005 => "0 s".to_owned(),
        v if v < 0.0995 => format!("{:.0} ms", 1000.0 * v),
        v if v < 9.995 => format!("{v:.2} s"),
        v if v < 99.95 => format!("{v:.1} s"),
        v if v < 599.5 => format!("{v:.0} s"),
        v if v < 7200.0 => format!("{:.0} min", v / 60.0),
        v => format!("{:.1} h", v / 3600.0),
    }
}

/// Bytes with a binary unit: `4.6 MiB`.
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = value as f64;
    let mut unit = 0;
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{value} B"),
        _ if scaled < 9.95 => format!("{scaled:.1} {}", UNITS[unit]),
        _ => format!("{scaled:.0} {}", UNITS[unit]),
    }
}

/// A whole number with thin groups of three: `10,000`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A parameter: words as they are, numbers with four significant digits.
pub(crate) fn parameter(value: &Value) -> String {
    match (value, value.as_f64()) {
        (Value::String(text), _) => text.clone(),
        (_, Some(0.0)) => "0".to_owned(),
        (_, Some(number)) => {
            let power = number.abs().log10().floor() as i32;
            let digits = format!("{:.*}", (3 - power).clamp(0, 12) as usize, number);
            match digits.contains('.') {
                true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => digits,
            }
        }
        (other, None) => other.to_string(),
    }
}

/// A rate per second with three significant digits: `8,310`, `94,200`, `12.3`.
pub(crate) fn rate(value: f64) -> String {
    if !value.is_finite() || value <= 0.0 {
        return "–".to_owned();
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let step = 10f64.powi(value.log10().floor() as i32 - 2);
    count(((value / step).round() * step).round() as u64)
}

/// `p = 0.032`, `p < 0.0001`.
pub(crate) fn p_value(value: f64) -> String {
    match value {
        v if v < 0.0001 => "p < 0.0001".to_owned(),
        v if v < 0.001 => format!("p = {v:.4}"),
        v if v < 0.0995 => format!("p = {v:.3}"),
        v => format!("p = {v:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_change_where_digits_would_grow() {
        let shown: Vec<String> =
            [0.0, 0.012, 0.25, 1.0, 12.34, 99.96, 247.0, 900.0, 9000.0].map(seconds).to_vec();
        assert_eq!(
            shown,
            ["0 s", "12 ms", "0.25 s", "1.00 s", "12.3 s", "100 s", "247 s", "15 min", "2.5 h"]
        );
        assert_eq!(
            [512, 1024, 4_823_449, 1 << 33].map(bytes),
            ["512 B", "1.0 KiB", "4.6 MiB", "8.0 GiB"]
        );
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [8313.7, 94_151.0, 12.34, f64::INFINITY].map(rate),
            ["8,310", "94,200", "12.3", "–"]
        );
    }

    #[test]
    fn parameters_keep_four_digits_and_no_more() {
        let shown =
            [0.1, 10.0, 0.012_345_6, 1e-7, 123_456.0, 0.0, -2.5].map(|v| parameter(&v.into()));
        assert_eq!(shown, ["0.1", "10", "0.01235", "0.0000001", "123456", "0", "-2.5"]);
        assert_eq!(parameter(&"rbf".into()), "rbf");
        assert_eq!(parameter(&true.into()), "true");
    }

    #[test]
    fn differences_carry_a_true_sign_and_p_values_never_show_as_zero() {
        assert_eq!([0.0132, -0.004, -0.000_01].map(points), ["+1.32", "−0.40", "0.00"]);
        assert_eq!(
            [0.0, 0.000_21, 0.032, 0.71, 1.0].map(p_value),
            ["p < 0.0001", "p = 0.0002", "p = 0.032", "p = 0.71", "p = 1.00"]
        );
    }
}
