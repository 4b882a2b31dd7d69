//! What kind of file somebody uploaded, from its first bytes: which text it is, what separates its columns, or why it
//! cannot be a CSV file.

use super::Refused;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// The separators that are told apart.
pub(super) const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Records that decide the separator.
const SAMPLE: usize = 20;

const SAVE_AS: &str = "Open it in your spreadsheet, save it as “CSV UTF-8”, and upload that file.";

/// The encoding of the file.
pub(super) fn encoding(start: &[u8]) -> Result<&'static Encoding, Refused> {
    if let Some(what) = foreign(start) {
        return Err(Refused(format!("This is {what}, not a CSV file. {SAVE_AS}")));
    }
    if let Some((encoding, _)) = Encoding::for_bom(start) {
        return Ok(encoding);
    }
    // Plain text in UTF-16 has a zero beside each letter, always on the same side.
    let zeros = |parity: usize| start.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count();
    let most = start.len() * 2 / 5;
    Ok(match (zeros(0), zeros(1)) {
        (even, 0) if even > most => UTF_16BE,
        (0, odd) if odd > most => UTF_16LE,
        _ => UTF_8,
    })
}

/// Files that people take for CSV, by how they begin.
fn foreign(start: &[u8]) -> Option<&'static str> {
    let holds = |needle: &[u8]| start.windows(needle.len()).any(|window| window == needle);
    match start {
        [b'P', b'K', 3 | 5, 4 | 6, ..] if holds(b"xl/") || holds(b"[Content_Types].xml") => Some("an Excel workbook"),
        [b'P', b'K', 3 | 5, 4 | 6, ..] if holds(b"opendocument") => Some("an OpenDocument file"),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Some("a ZIP archive"),
        [0x1f, 0x8b, ..] => Some("a compressed file (gzip)"),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => Some("an old Excel workbook"),
        [b'%', b'P', b'D', b'F', ..] => Some("a PDF"),
        [b'B', b'Z', b'h', ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [b'7', b'z', 0xbc, ..] => Some("a compressed file"),
        [0x89, b'P', b'N', b'G', ..] | [0xff, 0xd8, 0xff, ..] | [b'G', b'I', b'F', b'8', ..] => Some("a picture"),
        _ => None,
    }
}

/// The separator under which the first records have the most columns, all of them equally many if that can be.
pub(super) fn separator(sample: &str) -> u8 {
    let score = |separator: u8| {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator)
            .has_headers(false)
            .flexible(true)
            .from_reader(sample.as_bytes());
        let counts: Vec<usize> =
            reader.records().take(SAMPLE).map_while(Result::ok).map(|record| record.len()).collect();
        let columns = counts.first().copied().unwrap_or(1);
        let even = counts.iter().filter(|count| **count == columns).count();
        // A separator that never separates is no candidate, however even that is.
        if columns == 1 { (0, 0) } else { (even, columns) }
    };
    SEPARATORS.into_iter().rev().max_by_key(|separator| score(*separator)).expect("there are some")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_csv_is_named() {
        for (start, what) in [
            (b"PK\x03\x04....xl/workbook.xml".as_slice(), "Excel workbook"),
            (b"PK\x03\x04.........", "ZIP archive"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Excel"),
            (b"%PDF-1.7", "PDF"),
        ] {
            assert!(encoding(start).unwrap_err().0.contains(what), "{what}");
        }
        assert_eq!(encoding(b"\xef\xbb\xbfa").unwrap(), UTF_8);
        assert_eq!(encoding(b"\xff\xfea\0").unwrap(), UTF_16LE);
        assert_eq!(encoding(b"a\0,\0b\0\n\0").unwrap(), UTF_16LE);
        assert_eq!(encoding(b"a,\0b\n").unwrap(), UTF_8);
        assert_eq!(encoding(b"\0a\0,\0b\0\n").unwrap(), UTF_16BE);
    }

    #[test]
    fn columns_tell_the_separator() {
        assert_eq!(separator("a,b,c\n1,2,3\n"), b',');
        assert_eq!(separator("a;b;c\n1,5;2,5;3\n"), b';');
        assert_eq!(separator("a\tb\n1,5\t2\n"), b'\t');
        assert_eq!(separator("a|b\n1|2\n"), b'|');
        assert_eq!(separator("email\nada@example.com\n"), b',');
        assert_eq!(separator("a,b,c\n1;2;3\n"), b',', "the header decides");
        assert_eq!(separator("\"x,y\";b\n\"1,2\";2\n"), b';');
    }
}
