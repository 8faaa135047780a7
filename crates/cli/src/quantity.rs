//! Amounts as people type them: sizes, times, counts.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes: `65536`, `64KiB`, `1.5GiB`, `10MB`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Size(pub(crate) u64);

/// A time: `500ms`, `1.5s`, `2m`, `1h`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TimeSpan(pub(crate) Duration);

/// A number of something: `1000000`, `1_000_000`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Count(pub(crate) u64);

/// Name of a unit and how many of the smallest it has. `K` alone is 1024, as in other tools.
const SIZES: [(&str, u64); 11] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("K", 1 << 10),
    ("M", 1 << 20),
    ("G", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

const TIMES: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// As people read it: `1.5 MiB`, or `17 bytes` where there are few.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit =
            SIZES.iter().rev().find(|(name, scale)| name.ends_with("iB") && self.0 >= *scale);
        match unit {
            Some((name, scale)) if self.0.is_multiple_of(*scale) => {
                write!(f, "{} {name}", self.0 / scale)
            }
            Some((name, scale)) => write!(f, "{:.1} {name}", self.0 as f64 / *scale as f64),
            None if self.0 == 1 => f.write_str("1 byte"),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

/// As it is typed: `500ms`, `2s`.
impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Size, String> {
        amount(text, &SIZES, "a size as in `65536`, `64KiB`, `1.5GiB`").map(Size)
    }
}

impl FromStr for TimeSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<TimeSpan, String> {
        let ns = amount(text, &TIMES, "a time as in `500ms`, `2s`, `1m`")?;
        Ok(TimeSpan(Duration::from_nanos(ns)))
    }
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Count, String> {
        amount(text, &[("", 1)], "a whole number as in `1000000`").map(Count)
    }
}

/// Reads digits (with `_` between them, and a fraction where there are smaller units) and a unit.
fn amount(text: &str, units: &[(&str, u64)], expected: &str) -> Result<u64, String> {
    let wrong = || format!("expected {expected}");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let scale = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let scale = scale.ok_or_else(wrong)?.1;
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    if !whole.starts_with(|c: char| c.is_ascii_digit()) || fraction.is_some_and(str::is_empty) {
        return Err(wrong());
    }
    let mut total: u128 = 0;
    for digit in whole.bytes().filter(u8::is_ascii_digit) {
        total = total.saturating_mul(10).saturating_add(u128::from(digit - b'0'));
    }
    total = total.saturating_mul(u128::from(scale));
    let mut place = u128::from(scale);
    for digit in fraction.unwrap_or_default().bytes() {
        if !digit.is_ascii_digit() || scale == 1 {
            return Err(wrong());
        }
        // Digits below the smallest unit are dropped.
        let part = place * u128::from(digit - b'0') / 10;
        total = total.saturating_add(part);
        place /= 10;
    }
    u64::try_from(total).map_err(|_| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let size = |text: &str| text.parse::<Size>().map(|s| s.0).ok();
        assert_eq!(size("0"), Some(0));
        assert_eq!(size("65536"), Some(65536));
        assert_eq!(size("1_000"), Some(1000));
        assert_eq!(size("64MiB"), Some(64 << 20));
        assert_eq!(size("64M"), Some(64 << 20));
        assert_eq!(size("64mib"), Some(64 << 20));
        assert_eq!(size("10MB"), Some(10_000_000));
        assert_eq!(size("1.5KiB"), Some(1536));
        assert_eq!(size("17179869183GiB"), Some(17179869183 << 30));
        for wrong in ["", "MiB", "-1", "1.5", "1.5B", "1..5K", "1.K", ".5K", "_1", "1 MiB", "1x"] {
            assert_eq!(size(wrong), None, "{wrong:?} is no size");
        }
        assert_eq!("17179869184GiB".parse::<Size>(), Err("too large".to_owned()));
        let shown = |bytes| Size(bytes).to_string();
        assert_eq!(shown(0), "0 bytes");
        assert_eq!(shown(1), "1 byte");
        assert_eq!(shown(1023), "1023 bytes");
        assert_eq!(shown(65536), "64 KiB");
        assert_eq!(shown(1536), "1.5 KiB");
        assert_eq!(shown(4 << 30), "4 GiB");
        assert_eq!("9".repeat(60).parse::<Size>(), Err("too large".to_owned()));
    }

    #[test]
    fn times() {
        let time = |text: &str| text.parse::<TimeSpan>().map(|t| t.0).ok();
        assert_eq!(time("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(time("2s"), Some(Duration::from_secs(2)));
        assert_eq!(time("1.25s"), Some(Duration::from_millis(1250)));
        assert_eq!(time("1m"), Some(Duration::from_secs(60)));
        assert_eq!(time("1.5h"), Some(Duration::from_secs(5400)));
        assert_eq!(time("0s"), Some(Duration::ZERO));
        for wrong in ["", "5", "s", "-1s", "1d", "1.s"] {
            assert_eq!(time(wrong), None, "{wrong:?} is no time");
        }
    }

    #[test]
    fn counts() {
        let count = |text: &str| text.parse::<Count>().map(|c| c.0).ok();
        assert_eq!(count("1_000_000"), Some(1_000_000));
        assert_eq!(count("18446744073709551615"), Some(u64::MAX));
        assert_eq!(count("1.0"), None);
        assert_eq!(count("1K"), None);
    }
}
