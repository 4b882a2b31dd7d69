//! A file as it arrives, cut into parts of whole records. Memory holds one part and one record, whatever the file.

use super::Refused;
use super::lines::{is_blank, line_break};
use super::sniff;
use encoding_rs::{Decoder, DecoderResult};

/// Bytes looked at before anything is decided about the file.
const START: usize = 64 * 1024;
/// Bytes of text in one part: some thousand lines, checked in one step.
const PART: usize = 256 * 1024;
/// The longest record. A longer one is an opening quote without its end.
const RECORD: usize = 1024 * 1024;
/// More columns than any such file has.
const COLUMNS: usize = 200;
/// The longest name of a column that is kept.
const NAME_CHARS: usize = 100;

/// Whole records of the file, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Where it begins, as an editor counts.
    pub(super) first_line: i64,
    pub(super) content: String,
    /// Its records, without empty ones.
    pub(super) lines: i64,
}

/// What the beginning of the file has decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) separator: u8,
    pub(super) header: Vec<String>,
}

/// Takes the bytes of a file in pieces of any size and gives them back in parts.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    start: Vec<u8>,
    reading: Option<Reading>,
}

impl Splitter {
    /// Known once the header has been read.
    pub(super) fn shape(&self) -> Option<&Shape> {
        self.reading.as_ref()?.shape.as_ref()
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Part>, Refused> {
        match &mut self.reading {
            Some(reading) => reading.decode(bytes, false)?,
            None => {
                self.start.extend_from_slice(bytes);
                if self.start.len() < START {
                    return Ok(Vec::new());
                }
                self.begin()?;
            }
        }
        Ok(self.begun().take_parts())
    }

    /// After the last byte.
    pub(super) fn finish(&mut self) -> Result<Vec<Part>, Refused> {
        if self.reading.is_none() {
            if self.start.is_empty() {
                return Err(Refused("The file is empty.".into()));
            }
            self.begin()?;
        }
        let reading = self.begun();
        reading.decode(&[], true)?;
        reading.finish()?;
        Ok(reading.take_parts())
    }

    fn begin(&mut self) -> Result<&mut Reading, Refused> {
        let start = std::mem::take(&mut self.start);
        let encoding = sniff::encoding(&start[..start.len().min(START)])?;
        let mut sample = String::with_capacity(START * 2);
        // The sample only decides; what is wrong with it is found where it is read.
        let _decoded = encoding.new_decoder_with_bom_removal().decode_to_string(&start, &mut sample, false);
        let reading = self.reading.insert(Reading::new(encoding.new_decoder_with_bom_removal(), &sample));
        reading.decode(&start, false)?;
        Ok(reading)
    }

    fn begun(&mut self) -> &mut Reading {
        self.reading.as_mut().expect("reading has begun")
    }
}

#[derive(Debug)]
struct Reading {
    decoder: Decoder,
    csv: csv_core::Reader,
    separator: u8,
    line_break: u8,
    shape: Option<Shape>,
    /// The fields of the record in hand, and where each of them ends.
    fields: Vec<u8>,
    ends: [usize; COLUMNS + 1],
    fields_len: usize,
    ends_len: usize,
    /// The part in hand: its text, how much of that are whole records, where it begins, and its records.
    content: Vec<u8>,
    whole: usize,
    first_line: i64,
    lines: i64,
    parts: Vec<Part>,
    any: bool,
}

impl Reading {
    fn new(decoder: Decoder, sample: &str) -> Self {
        let separator = sniff::separator(sample);
        Self {
            decoder,
            csv: csv_core::ReaderBuilder::new().delimiter(separator).build(),
            separator,
            line_break: line_break(sample),
            shape: None,
            fields: vec![0; 16 * 1024],
            ends: [0; COLUMNS + 1],
            fields_len: 0,
            ends_len: 0,
            content: Vec::new(),
            whole: 0,
            first_line: 1,
            lines: 0,
            parts: Vec::new(),
            any: false,
        }
    }

    fn decode(&mut self, mut bytes: &[u8], last: bool) -> Result<(), Refused> {
        loop {
            let room = self.decoder.max_utf8_buffer_length_without_replacement(bytes.len()).unwrap_or(usize::MAX);
            let mut text = String::with_capacity(room.clamp(16, START));
            let (result, read) = self.decoder.decode_to_string_without_replacement(bytes, &mut text, last);
            bytes = &bytes[read..];
            if let Some(at) = text.find('\0') {
                let line = self.line_behind(&text.as_bytes()[..at]);
                return Err(Refused(format!(
                    "Line {line} has a character that no text has (a zero byte). Is this a CSV file?"
                )));
            }
            self.feed(text.as_bytes())?;
            match result {
                DecoderResult::InputEmpty => return Ok(()),
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    let line = self.line_behind(&[]);
                    return Err(Refused(format!(
                        "Line {line} has a letter that is not in UTF-8: the file is probably saved as Latin-1 or \
                         Windows-1252, and its names could come in wrong. Save it as “CSV UTF-8” and upload that file."
                    )));
                }
            }
        }
    }

    fn feed(&mut self, mut text: &[u8]) -> Result<(), Refused> {
        use csv_core::ReadRecordResult;
        while !text.is_empty() {
            let (result, read, written, ended) =
                self.csv.read_record(text, &mut self.fields[self.fields_len..], &mut self.ends[self.ends_len..]);
            self.content.extend_from_slice(&text[..read]);
            text = &text[read..];
            self.fields_len += written;
            self.ends_len += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.fields.len() >= RECORD => return Err(self.too_long()),
                ReadRecordResult::OutputFull => self.fields.resize(self.fields.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => return Err(self.too_many_columns()),
                ReadRecordResult::Record => self.record()?,
                ReadRecordResult::End => unreachable!("the end is only told for empty input"),
            }
        }
        // Empty lines are no records, and may be many.
        if self.is_between_records() && self.content.len() >= PART {
            self.cut();
        }
        Ok(())
    }

    fn record(&mut self) -> Result<(), Refused> {
        if self.ends_len > COLUMNS {
            return Err(self.too_many_columns());
        }
        let fields = std::str::from_utf8(&self.fields[..self.fields_len]).expect("cut between characters");
        let blank = is_blank(fields);
        if self.shape.is_none() {
            if !blank {
                let starts = std::iter::once(0).chain(self.ends.iter().copied());
                let bounds = starts.zip(&self.ends[..self.ends_len]);
                let name =
                    |(start, end): (usize, &usize)| fields[start..*end].trim().chars().take(NAME_CHARS).collect();
                self.shape = Some(Shape { separator: self.separator, header: bounds.map(name).collect() });
            }
        } else if !blank {
            self.lines += 1;
            self.any = true;
        }
        (self.fields_len, self.ends_len) = (0, 0);
        self.whole = self.content.len();
        if self.lines == 0 || self.content.len() >= PART {
            self.cut();
        }
        Ok(())
    }

    /// Ends the part in hand. Without a record in it, only its lines are counted.
    fn cut(&mut self) {
        let rest = self.content.split_off(self.whole);
        let content = std::mem::replace(&mut self.content, rest);
        self.whole = 0;
        let breaks = self.breaks(&content);
        if self.lines > 0 {
            let content = String::from_utf8(content).expect("cut between characters");
            self.parts.push(Part { first_line: self.first_line, content, lines: self.lines });
        }
        self.lines = 0;
        self.first_line += breaks;
        if self.is_between_records() {
            self.first_line += self.breaks(&self.content);
            self.content.clear();
        }
    }

    fn finish(&mut self) -> Result<(), Refused> {
        // A line break ends the last record, unless a quote is open.
        self.feed(b"\n")?;
        if !self.is_between_records() {
            let line = self.record_line();
            return Err(Refused(format!("The quote that opens in line {line} is never closed.")));
        }
        self.cut();
        match &self.shape {
            None => Err(Refused("The file is empty.".into())),
            Some(_) if self.any => Ok(()),
            Some(_) => Err(Refused("The file has a header and no lines below it.".into())),
        }
    }

    fn is_between_records(&self) -> bool {
        self.content[self.whole..].iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    fn take_parts(&mut self) -> Vec<Part> {
        std::mem::take(&mut self.parts)
    }

    fn breaks(&self, text: &[u8]) -> i64 {
        let breaks = text.iter().filter(|byte| **byte == self.line_break).count();
        i64::try_from(breaks).expect("lines are counted in memory")
    }

    /// The line that one is on after the content and this text.
    fn line_behind(&self, text: &[u8]) -> i64 {
        self.first_line + self.breaks(&self.content) + self.breaks(text)
    }

    /// The line on which the record in hand begins.
    fn record_line(&self) -> i64 {
        let rest = &self.content[self.whole..];
        let leading = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.first_line + self.breaks(&self.content[..self.whole + leading])
    }

    fn too_long(&self) -> Refused {
        Refused(format!(
            "Line {} is longer than one megabyte. Is a quote opened there and never closed?",
            self.record_line()
        ))
    }

    fn too_many_columns(&self) -> Refused {
        Refused(format!("Line {} has more than {COLUMNS} columns. Is this the right file?", self.record_line()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Lines = Vec<(i64, Vec<String>)>;

    fn in_pieces(file: &[u8], size: usize) -> Result<(Shape, Vec<Part>), Refused> {
        let mut splitter = Splitter::default();
        let mut parts = Vec::new();
        for piece in file.chunks(size) {
            parts.extend(splitter.push(piece)?);
        }
        parts.extend(splitter.finish()?);
        Ok((splitter.shape().unwrap().clone(), parts))
    }

    fn records((shape, parts): (Shape, Vec<Part>)) -> Lines {
        let records = |part: &Part| {
            let records = crate::import::lines::records(&part.content, part.first_line, shape.separator);
            let records: Vec<_> =
                records.map(|(line, fields)| (line, fields.iter().map(str::to_owned).collect())).collect();
            assert_eq!(records.len(), usize::try_from(part.lines).unwrap());
            records
        };
        parts.iter().flat_map(records).collect()
    }

    /// The lines of a file that arrives in pieces of several sizes, which must not matter.
    fn split(file: &[u8]) -> Result<Lines, Refused> {
        let whole = in_pieces(file, usize::MAX).map(records);
        assert!(in_pieces(file, 70_001).map(records) == whole, "pieces of 70,001 bytes");
        if file.len() < 10_000 {
            assert_eq!(in_pieces(file, 1).map(records), whole);
        }
        whole
    }

    fn lines(file: &[u8]) -> Lines {
        split(file).unwrap()
    }

    fn refusal(file: &[u8]) -> String {
        split(file).unwrap_err().0
    }

    fn texts(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|&cell| cell.to_owned()).collect()
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        for end in ["\n", "\r\n", "\r"] {
            let file = ["", "a,b", "1,2", "", ",", "\"x\ny\",3", "4,5"].join(end);
            let y = if end == "\r" { 7 } else { 8 };
            let expected = vec![(3, texts(&["1", "2"])), (6, texts(&["x\ny", "3"])), (y, texts(&["4", "5"]))];
            assert_eq!(lines(file.as_bytes()), expected, "{end:?}");
        }
    }

    #[test]
    fn many_lines_come_in_several_parts_and_keep_their_numbers() {
        let mut file = String::from("\u{feff}reference;amount\r\n");
        for line in 2..60_002 {
            file.push_str(&format!("\"R-{line}\";1{line},50\r\n"));
        }
        assert!(in_pieces(file.as_bytes(), 8192).unwrap().1.len() > 2);
        let lines = lines(file.as_bytes());
        assert_eq!(lines.len(), 60_000);
        assert!(lines.iter().all(|(line, fields)| fields[0] == format!("R-{line}")));
    }

    #[test]
    fn sixteen_bit_text_is_read() {
        let text = "name,amount\nJürgen,1\nŻółć,2\n";
        let little: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let plain = lines(text.as_bytes());
        assert_eq!((lines(&little), lines("\u{feff}name,amount\nJürgen,1\nŻółć,2".as_bytes())), (plain.clone(), plain));
        assert_eq!(lines(&big), lines(text.as_bytes()), "without a mark at its beginning");
    }

    #[test]
    fn a_hostile_file_is_refused_with_its_line() {
        assert!(refusal(b"").contains("empty"));
        assert!(refusal(b"\n\r\n\n").contains("empty"));
        assert!(refusal(b"a,b\n").contains("no lines"));
        assert!(refusal(b"a,b\n,\n\n , \n").contains("no lines"));
        assert!(refusal(b"a,b\n1,\"2\n3,4\n").contains("line 2 is never closed"));
        assert!(refusal(b"a,b\n1,2\n3,J\xfcrgen\n").contains("Line 3 has a letter that is not in UTF-8"));
        let late_zero = [b"a,b\n".as_slice(), &b"1,2\n".repeat(20_000), b"1,\x002\n"].concat();
        assert!(refusal(&late_zero).contains("Line 20002 has a character that no text has"));
        let unclosed = [b"a,b\n1,2\n3,\"".as_slice(), &b"x".repeat(3_000_000)].concat();
        assert!(refusal(&unclosed).contains("Line 3 is longer than one megabyte"));
        assert!(
            refusal(&[b"a,b\n".as_slice(), &b",".repeat(500)].concat()).contains("Line 2 has more than 200 columns")
        );
        let nothing = [b"a,b\n".as_slice(), &b"\n".repeat(5_000_000), b"1,2"].concat();
        assert_eq!(lines(&nothing), [(5_000_002, texts(&["1", "2"]))]);
    }
}
