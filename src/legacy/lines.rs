//! A CSV file as records of single lines. No cell of such a file has a line break in it, so a quote that is never closed
//! spoils its own line and no other; a line that is no text, or endless, neither.

use super::Unusable;
use encoding_rs::{Decoder, UTF_16BE, UTF_16LE};
use std::io::{self, BufRead, BufReader, Read};

/// The longest line that is looked at.
const LINE: u64 = 16 * 1024;
/// Looked at to know what kind of text it is.
const START: usize = 4096;

/// A line that holds something: its number, as an editor counts, and its cells or what is wrong with it.
pub(super) type Line = (u64, Result<Vec<String>, &'static str>);

/// Reads the lines of a file as they come.
pub(super) struct Lines {
    text: BufReader<Box<dyn Read + Send>>,
    /// What ends a line: old files have returns only.
    end: u8,
    separator: char,
    number: u64,
    columns: Vec<String>,
}

impl Lines {
    /// Reads as far as the line with the names of the columns, which must have all of `wanted`.
    pub(super) fn open(mut file: impl Read + Send + 'static, wanted: &[&str]) -> Result<Self, Unusable> {
        let mut start = Vec::new();
        file.by_ref().take(START as u64).read_to_end(&mut start).map_err(|error| unreadable(&error))?;
        let wide = match start.as_slice() {
            [0xff, 0xfe, ..] => Some(UTF_16LE),
            [0xfe, 0xff, ..] => Some(UTF_16BE),
            // Without a mark, plain text in UTF-16 has a zero beside each letter.
            [0, second, 0, fourth, ..] if *second != 0 && *fourth != 0 => Some(UTF_16BE),
            [first, 0, third, 0, ..] if *first != 0 && *third != 0 => Some(UTF_16LE),
            _ => None,
        };
        let end = if start.contains(&b'\r') && !start.contains(&b'\n') { b'\r' } else { b'\n' };
        let whole = io::Cursor::new(start).chain(file);
        let text: Box<dyn Read + Send> = match wide {
            Some(encoding) => {
                Box::new(Narrow { wide: whole, decoder: encoding.new_decoder(), ready: Vec::new(), at: 0 })
            }
            None => Box::new(whole),
        };
        let mut lines = Self { text: BufReader::new(text), end, separator: ',', number: 0, columns: Vec::new() };
        lines.read_header(wanted)?;
        Ok(lines)
    }

    fn read_header(&mut self, wanted: &[&str]) -> Result<(), Unusable> {
        let list = wanted.join(", ");
        let header = loop {
            match self.raw().map_err(|error| unreadable(&error))? {
                None => return Err(Unusable("the file is empty".into())),
                Some((_, Ok(text))) if text.trim_matches(['\u{feff}', ' ', '\t', ',', ';']).is_empty() => {}
                Some((_, Ok(text))) => break text,
                Some((_, Err(_))) => {
                    return Err(Unusable(format!("the first line is not text; its columns are to be {list}")));
                }
            }
        };
        let header = header.trim_start_matches('\u{feff}').to_owned();
        let has_all = |separator: char| -> Option<Vec<String>> {
            let names = cells(&header, separator).unwrap_or_default().iter().map(|name| column_name(name)).collect();
            wanted.iter().all(|wanted| count(&header, separator, wanted) == 1).then_some(names)
        };
        for separator in [',', ';', '\t'] {
            if let Some(names) = has_all(separator) {
                (self.separator, self.columns) = (separator, names);
                return Ok(());
            }
        }
        // What stands there instead may be a secret: a file without names begins with its data.
        let most = |wanted: &str| [',', ';', '\t'].into_iter().map(|separator| count(&header, separator, wanted)).max();
        let those = |is_so: fn(usize) -> bool| {
            wanted.iter().filter(|wanted| most(wanted).is_some_and(is_so)).copied().collect::<Vec<_>>().join(", ")
        };
        let why = match (those(|count| count == 0), those(|count| count > 1)) {
            (missing, _) if !missing.is_empty() && missing != list => format!(" Missing: {missing}."),
            (_, twice) if !twice.is_empty() => format!(" More than once: {twice}."),
            (..) => String::new(),
        };
        Err(Unusable(format!(
            "the first line does not name the columns. It must name each of these once: {list}.{why}"
        )))
    }

    /// Where a column stands, if the file has it.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// The next line that holds something.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        while let Some((number, text)) = self.raw()? {
            let line = text.and_then(|text| {
                if text.chars().all(|c| c.is_whitespace() || c == self.separator) {
                    return Ok(None);
                }
                let cells = cells(&text, self.separator)?;
                if cells.len() != self.columns.len() {
                    return Err(
                        "it has another number of columns than the first line; check its separators and quotes",
                    );
                }
                Ok(Some(cells))
            });
            match line {
                Ok(None) => {}
                Ok(Some(cells)) => return Ok(Some((number, Ok(cells)))),
                Err(problem) => return Ok(Some((number, Err(problem)))),
            }
        }
        Ok(None)
    }

    /// The next line as it is, without its end.
    fn raw(&mut self) -> io::Result<Option<(u64, Result<String, &'static str>)>> {
        let mut bytes = Vec::new();
        let read = self.text.by_ref().take(LINE).read_until(self.end, &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let is_whole = bytes.last() == Some(&self.end) || (read as u64) < LINE;
        if !is_whole {
            self.skip_rest()?;
            return Ok(Some((self.number, Err("it is far too long for such a line; is a line break missing?"))));
        }
        while matches!(bytes.last(), Some(b'\r' | b'\n')) {
            bytes.pop();
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) if text.contains('\u{fffd}') => {
                Err("it has characters that cannot be read; save the file as CSV UTF-8")
            }
            Ok(text) if text.chars().any(|c| c.is_control() && c != '\t') => {
                Err("it has control characters, which no text has; take them out")
            }
            Ok(text) => Ok(text),
            Err(_) => Err("it is not in UTF-8; save the file as CSV UTF-8"),
        };
        Ok(Some((self.number, text)))
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.text.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            match buffer.iter().position(|byte| *byte == self.end) {
                Some(at) => {
                    self.text.consume(at + 1);
                    return Ok(());
                }
                None => {
                    let all = buffer.len();
                    self.text.consume(all);
                }
            }
        }
    }
}

fn unreadable(error: &io::Error) -> Unusable {
    Unusable(format!("the file cannot be read: {error}"))
}

/// "API Username" is the column api_username.
fn column_name(cell: &str) -> String {
    let name = cell.trim().to_lowercase().replace([' ', '-'], "_");
    if name == "e_mail" { "email".to_owned() } else { name }
}

/// How often a header has this column.
fn count(header: &str, separator: char, wanted: &str) -> usize {
    let names = cells(header, separator).unwrap_or_default();
    names.iter().filter(|name| column_name(name) == wanted).count()
}

/// The cells of one line. Quotes stand around a whole cell or nowhere, so that none of them swallows a separator.
fn cells(text: &str, separator: char) -> Result<Vec<String>, &'static str> {
    let (mut cells, mut rest) = (Vec::new(), text);
    loop {
        let after = match rest.trim_start_matches(' ').strip_prefix('"') {
            Some(quoted) => {
                let mut cell = String::new();
                let mut quoted = quoted;
                loop {
                    let Some(at) = quoted.find('"') else { return Err("it opens a quote and never closes it") };
                    cell.push_str(&quoted[..at]);
                    quoted = &quoted[at + 1..];
                    match quoted.strip_prefix('"') {
                        Some(more) => {
                            cell.push('"');
                            quoted = more;
                        }
                        None => break,
                    }
                }
                cells.push(cell);
                quoted.trim_start_matches(' ')
            }
            None => {
                let end = rest.find(separator).unwrap_or(rest.len());
                if rest[..end].contains('"') {
                    return Err(
                        "it has a quote in the middle of a cell; put quotes around the whole cell, and double those inside",
                    );
                }
                cells.push(rest[..end].to_owned());
                &rest[end..]
            }
        };
        match after.strip_prefix(separator) {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(cells),
            None => return Err("it has text behind a closing quote; check its quotes"),
        }
    }
}

/// UTF-16 as UTF-8.
struct Narrow<R> {
    wide: R,
    decoder: Decoder,
    ready: Vec<u8>,
    at: usize,
}

impl<R: Read> Read for Narrow<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() {
            let mut wide = [0; 4096];
            let read = self.wide.read(&mut wide)?;
            let mut text = String::with_capacity(4096 * 3 + 16);
            let _all_fits = self.decoder.decode_to_string(&wide[..read], &mut text, read == 0);
            (self.ready, self.at) = (text.into_bytes(), 0);
            if read == 0 && self.ready.is_empty() {
                return Ok(0);
            }
        }
        let many = out.len().min(self.ready.len() - self.at);
        out[..many].copy_from_slice(&self.ready[self.at..self.at + many]);
        self.at += many;
        Ok(many)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &[u8]) -> Result<Vec<Line>, Unusable> {
        let mut lines = Lines::open(io::Cursor::new(file.to_vec()), &["a", "b"])?;
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(line);
        }
        Ok(all)
    }

    fn texts(cells: &[&str]) -> Result<Vec<String>, &'static str> {
        Ok(cells.iter().map(|&cell| cell.to_owned()).collect())
    }

    #[test]
    fn a_header_is_told_what_it_lacks_and_nothing_that_stands_there() {
        for (header, why) in [
            ("a;c", Some("Missing: b.")),
            ("a,b,b", Some("More than once: b.")),
            ("hunter2,secret", None),
            ("A,\"B\"", Some("")),
        ] {
            let told = read(header.as_bytes()).err().map(|unusable| unusable.0).unwrap_or_default();
            assert!(told.ends_with(why.unwrap_or("each of these once: a, b.")), "{header}: {told}");
            assert!(!told.contains("hunter2") && !told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn a_broken_line_spoils_no_other() {
        let long = format!("{},2", "x".repeat(50_000));
        let file = [
            "A, B",
            "1,2",
            "\"open,2",
            "3,4",
            "x\0,2",
            "5,\"6\"\"\"",
            "",
            " , ",
            "7",
            "8,\"9\"x",
            "1,a\"b",
            &long,
            "10,11",
        ];
        let mut bytes = file.join("\r\n").into_bytes();
        bytes.extend_from_slice(b"\nJ\xfcrgen,2\n12,13");
        let lines = read(&bytes).unwrap();
        let good: Vec<_> = lines.iter().filter(|(_, line)| line.is_ok()).cloned().collect();
        let expected = [(2, ["1", "2"]), (4, ["3", "4"]), (6, ["5", "6\""]), (13, ["10", "11"]), (15, ["12", "13"])];
        assert_eq!(good, expected.map(|(number, cells)| (number, texts(&cells))));
        let bad: Vec<u64> = lines.iter().filter(|(_, line)| line.is_err()).map(|(number, _)| *number).collect();
        assert_eq!(bad, [3, 5, 9, 10, 11, 12, 14]);
    }

    #[test]
    fn every_kind_of_text_is_read() {
        let text = "b;a\nJürgen;1\n";
        let little: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = format!("\u{feff}{text}").into_bytes();
        for file in [little, big, marked, text.replace('\n', "\r").into_bytes()] {
            assert_eq!(read(&file).unwrap(), [(2, texts(&["Jürgen", "1"]))]);
        }
    }

    #[test]
    fn a_file_without_its_columns_is_refused_and_not_repeated() {
        for file in ["", "\n\n", "hunter2,secret\n1,2", "a,a,b\n1,2,3", "a\n1", "a,\"b\n"] {
            let refused = read(file.as_bytes()).unwrap_err().0;
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
