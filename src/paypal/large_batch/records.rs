//! The records of a CSV file as they come: RFC 4180, plain or gzip, in constant memory.
//!
//! The csv crate takes a record of any length and forgives any quoting; PayPal's files are checked for both.

use super::Compression;
use flate2::read::MultiGzDecoder;
use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Cursor, Read};

/// The longest record that is read; PayPal's longest has some 6,000 bytes. A longer one is skipped, not kept.
pub(super) const MAX_RECORD: usize = 64 * 1024;
/// The largest file that is read, unpacked: some 30 million lines.
pub(super) const MAX_CONTENT: u64 = 4 << 30;

const BUFFER: usize = 64 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Reads a file's records one after the other.
pub(super) struct Records<'r> {
    content: io::Take<Box<dyn BufRead + 'r>>,
    compression: Compression,
    has_bom: bool,
    /// The number of the last line that was read.
    line: u64,
    /// That line, as it is in the file.
    raw: Vec<u8>,
    /// The fields of the record so far, without their quotation marks, with a comma after each but the last.
    fields: Vec<u8>,
    ends: Vec<usize>,
    at: At,
}

/// One record.
pub(super) struct Record<'a> {
    /// The line of the file that it begins on, from 1.
    pub(super) line: u64,
    /// What keeps it from being read as it was meant.
    pub(super) fault: Option<Fault>,
    fields: &'a [u8],
    ends: &'a [usize],
}

/// What keeps a record from being read as it was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is longer than [`MAX_RECORD`]; its fields are only begun.
    TooLong,
    /// A quotation mark is opened and never closed.
    Unclosed,
    /// A quotation mark inside a field that is not enclosed in them, or text after the closing one.
    Stray,
}

/// Where in a record we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    FieldStart,
    Bare,
    Quoted,
    /// After a quotation mark in a quoted field: its end, or the first half of a doubled one.
    Closing,
}

impl<'r> Records<'r> {
    /// Begins to read. Whether the file is packed is told from its first bytes.
    pub(super) fn open(mut content: impl Read + 'r) -> io::Result<Self> {
        let mut start = Vec::with_capacity(GZIP_MAGIC.len());
        content.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut start)?;
        let compression = if start == GZIP_MAGIC { Compression::Gzip } else { Compression::Plain };
        let content = Cursor::new(start).chain(content);
        let content: Box<dyn BufRead + 'r> = match compression {
            Compression::Plain => Box::new(BufReader::with_capacity(BUFFER, content)),
            Compression::Gzip => Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(content))),
        };
        Ok(Self {
            content: content.take(MAX_CONTENT),
            compression,
            has_bom: false,
            line: 0,
            raw: Vec::new(),
            fields: Vec::new(),
            ends: Vec::new(),
            at: At::FieldStart,
        })
    }

    /// How the file is packed.
    pub(super) fn compression(&self) -> Compression {
        self.compression
    }

    /// Whether the file began with a byte order mark, which is no part of its first field.
    pub(super) fn has_bom(&self) -> bool {
        self.has_bom
    }

    /// How many lines were read so far.
    pub(super) fn lines(&self) -> u64 {
        self.line
    }

    /// The next record; nothing at the end of the file.
    ///
    /// # Errors
    /// Those of the content; those of gzip, see [`is_corrupt`]; `FileTooLarge` past [`MAX_CONTENT`].
    pub(super) fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        self.fields.clear();
        self.ends.clear();
        self.at = At::FieldStart;
        let line = self.line + 1;
        let mut fault = None;
        while self.read_line()? {
            if self.raw.len() + self.fields.len() > MAX_RECORD {
                fault = Some(Fault::TooLong);
                break;
            }
            self.split(&mut fault);
            if self.at != At::Quoted {
                break;
            }
        }
        if self.line < line {
            return Ok(None);
        }
        if self.at == At::Quoted {
            fault = fault.or(Some(Fault::Unclosed));
        }
        self.ends.push(self.fields.len());
        Ok(Some(Record { line, fault, fields: &self.fields, ends: &self.ends }))
    }

    /// Reads one line, with its line break, into `raw`; of a line that is too long only the beginning.
    fn read_line(&mut self) -> io::Result<bool> {
        self.raw.clear();
        (&mut self.content).take(MAX_RECORD as u64 + 1).read_until(b'\n', &mut self.raw)?;
        if self.raw.len() > MAX_RECORD && self.raw.last() != Some(&b'\n') {
            self.content.skip_until(b'\n')?;
        }
        if self.raw.is_empty() {
            return match self.content.limit() {
                0 => Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is larger than 4 GiB, unpacked")),
                _ => Ok(false),
            };
        }
        if self.line == 0 && self.raw.starts_with(&BOM) {
            self.has_bom = true;
            self.raw.drain(..BOM.len());
        }
        self.line += 1;
        Ok(true)
    }

    /// Adds the fields of the line in `raw`.
    fn split(&mut self, fault: &mut Option<Fault>) {
        if self.at != At::Quoted && !self.raw.contains(&b'"') {
            let text = self.raw.strip_suffix(b"\n").unwrap_or(&self.raw);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            self.ends.extend(text.iter().enumerate().filter(|(_, byte)| **byte == b',').map(|(place, _)| place));
            self.fields.extend_from_slice(text);
            return;
        }
        for &byte in &self.raw {
            self.at = match (self.at, byte) {
                (At::Quoted, b'"') => At::Closing,
                (At::Closing, b'"') | (At::Quoted, _) => {
                    self.fields.push(byte);
                    At::Quoted
                }
                (At::FieldStart, b'"') => At::Quoted,
                (at, b'\n' | b'\r') => at,
                (_, b',') => {
                    self.ends.push(self.fields.len());
                    self.fields.push(byte);
                    At::FieldStart
                }
                (at, _) => {
                    if at == At::Closing || byte == b'"' {
                        *fault = Some(Fault::Stray);
                    }
                    self.fields.push(byte);
                    At::Bare
                }
            };
        }
    }
}

impl<'a> Record<'a> {
    /// How many fields it has; at least one.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field, counted from 0; empty if there are not so many.
    pub(super) fn field(&self, number: usize) -> &'a [u8] {
        let Some(end) = self.ends.get(number) else { return &[] };
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before] + 1);
        &self.fields[start..*end]
    }

    /// A field as text, whatever its encoding.
    pub(super) fn text(&self, number: usize) -> Cow<'a, str> {
        String::from_utf8_lossy(self.field(number))
    }

    /// The fields from this one on, with the commas between them.
    pub(super) fn text_from(&self, number: usize) -> Cow<'a, str> {
        let start =
            number.checked_sub(1).map_or(0, |before| self.ends.get(before).map_or(self.fields.len(), |end| end + 1));
        String::from_utf8_lossy(&self.fields[start.min(self.fields.len())..])
    }

    /// Whether it is UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        std::str::from_utf8(self.fields).is_ok()
    }

    /// Whether there is nothing but white space.
    pub(super) fn is_blank(&self) -> bool {
        self.fault.is_none() && self.ends.len() == 1 && self.fields.trim_ascii().is_empty()
    }
}

/// Whether reading failed because what was packed is damaged, and not for a reason that lies with the reader.
pub(super) fn is_corrupt(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &[u8]) -> Vec<(u64, Option<Fault>, Vec<String>)> {
        let mut records = Records::open(content).unwrap();
        let mut all = Vec::new();
        while let Some(record) = records.next().unwrap() {
            let fields = (0..record.len()).map(|number| record.text(number).into_owned()).collect();
            all.push((record.line, record.fault, fields));
        }
        all
    }

    fn record(line: u64, fault: Option<Fault>, fields: &[&str]) -> (u64, Option<Fault>, Vec<String>) {
        (line, fault, fields.iter().map(|field| (*field).to_owned()).collect())
    }

    #[test]
    fn records_are_read_with_their_lines() {
        let content = b"\xef\xbb\xbfa,b\r\n\"c,\"\"d\"\"\",\"e\nf\",\n\n,\ng";
        let expected = [
            record(1, None, &["a", "b"]),
            record(2, None, &["c,\"d\"", "e\nf", ""]),
            record(4, None, &[""]),
            record(5, None, &["", ""]),
            record(6, None, &["g"]),
        ];
        assert_eq!(read(content), expected);
        assert!(read(b"").is_empty());
    }

    #[test]
    fn wrong_quotation_marks_are_noticed() {
        assert_eq!(read(b"a\"b,c\nd"), [record(1, Some(Fault::Stray), &["a\"b", "c"]), record(2, None, &["d"])]);
        assert_eq!(read(b"\"a\"b,c\nd"), [record(1, Some(Fault::Stray), &["ab", "c"]), record(2, None, &["d"])]);
        assert_eq!(read(b"a,\"b\nc"), [record(1, Some(Fault::Unclosed), &["a", "b\nc"])]);
    }

    #[test]
    fn a_record_without_end_is_skipped() {
        let long = [b"a,".as_slice(), &vec![b'x'; 3 * MAX_RECORD], b"\nb\n"].concat();
        let lines = read(&long);
        assert_eq!(lines[0].1, Some(Fault::TooLong));
        assert_eq!(lines[1], record(2, None, &["b"]));
        let unclosed = [b"a,\"".as_slice(), &b"\n".repeat(2 * MAX_RECORD), b"\nb"].concat();
        let lines = read(&unclosed);
        assert_eq!(lines[0].1, Some(Fault::TooLong));
        assert_eq!(lines.last().unwrap().2, ["b"]);
    }
}
