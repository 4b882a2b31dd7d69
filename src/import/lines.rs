//! The records of a part, each with the line on which it begins.

use csv::StringRecord;

/// A record of nothing but separators and spaces: spreadsheets leave such lines behind.
pub(super) fn is_blank(fields: &str) -> bool {
    fields.trim_start().is_empty()
}

/// What ends the lines of this text: old files have returns only.
pub(super) fn line_break(text: &str) -> u8 {
    let count = |wanted: u8| text.bytes().filter(|byte| *byte == wanted).count();
    if count(b'\r') > count(b'\n') { b'\r' } else { b'\n' }
}

/// The records of a part's text that are not blank. The splitter has read the same text before, so it can be read.
pub(super) fn records(content: &str, first_line: i64, separator: u8) -> impl Iterator<Item = (i64, StringRecord)> {
    let reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(content.as_bytes());
    let line_break = line_break(content);
    let (mut line, mut counted) = (first_line, 0);
    reader.into_records().filter_map(move |record| {
        let record = record.expect("the splitter has read this text before");
        let at = record.position().map_or(0, |position| usize::try_from(position.byte()).expect("parts are small"));
        // The reader's position is behind the record before, in front of line breaks that belong to neither.
        let leading = content.as_bytes()[at..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let breaks = content.as_bytes()[counted..at + leading].iter().filter(|byte| **byte == line_break).count();
        counted = at + leading;
        line += i64::try_from(breaks).expect("parts are small");
        (!record.iter().all(is_blank)).then_some((line, record))
    })
}
