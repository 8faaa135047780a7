//! Bytes between `BEGIN` and `END` lines, as RFC 7468 has them.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Longer texts are no keys.
const TEXT_BYTES_MAX: usize = 64 << 10;
const LINE_COLUMNS: usize = 64;

pub(crate) fn write(label: &str, bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = (bits >> (18 - 6 * at) & 63) as usize;
            let known = ALPHABET.get(digit).filter(|_| at <= group.len());
            text.push(known.map_or('=', |digit| char::from(*digit)));
        }
    }
    let lines: Vec<&str> = (0..text.len())
        .step_by(LINE_COLUMNS)
        .filter_map(|at| text.get(at..text.len().min(at + LINE_COLUMNS)))
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The first block in `text` with this label; text around it is skipped.
pub(crate) fn read(label: &str, text: &str) -> Option<Vec<u8>> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let (body, _) = text.split_once(&begin)?.1.split_once(&end)?;
    let digits: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let mut bytes = Vec::new();
    let last = digits.len().checked_sub(4)?;
    for (at, group) in digits.chunks(4).enumerate() {
        let filled = group.iter().take_while(|byte| **byte != b'=').count();
        let padded = group.iter().skip(filled).all(|byte| *byte == b'=');
        let whole = filled == 4 || (at * 4 == last && filled >= 2 && padded);
        if group.len() != 4 || !whole {
            return None;
        }
        let mut bits = 0u32;
        for byte in group.iter().take(filled) {
            let digit = ALPHABET.iter().position(|known| known == byte)?;
            bits = bits << 6 | digit as u32;
        }
        bits <<= 6 * (4 - filled);
        bytes.extend(bits.to_be_bytes().iter().skip(1).take(filled - 1));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for len in 0..100u8 {
            let bytes: Vec<u8> = (0..len).map(|n| n.wrapping_mul(37)).collect();
            let text = write("X", &bytes);
            assert_eq!(read("X", &text), (len > 0).then_some(bytes), "{text}");
            assert_eq!(read("Y", &text), None);
        }
    }

    #[test]
    fn as_others_write_it() {
        assert_eq!(write("X", b"hello"), "-----BEGIN X-----\naGVsbG8=\n-----END X-----\n");
        for wrong in ["aGVsbG8", "aGVsb===", "aGV=bG8=", "aGVsbG8=!", "", "===="] {
            let text = format!("-----BEGIN X-----\n{wrong}\n-----END X-----\n");
            assert_eq!(read("X", &text), None, "{wrong}");
        }
    }
}
