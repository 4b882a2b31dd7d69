//! Writes an input file, line by line.

use super::name::Compression;
use super::{MAX_MESSAGE, MAX_NOTE, MAX_RECEIVER, MAX_REFERENCE, MAX_SUBJECT, is_control, is_reference};
use crate::money::Money;
use flate2::GzBuilder;
use flate2::write::GzEncoder;
use rust_decimal::Decimal;
use std::io::{self, Write};

/// Bytes gathered before they are handed on.
const BUFFER: usize = 64 * 1024;
/// Part of the format: another level makes other bytes of the same lines.
const LEVEL: u32 = 6;

/// The first line of a file ("Add the Summary line").
#[derive(Debug, Clone, Copy)]
pub struct Summary<'a> {
    /// The sum of all items.
    pub total: Money,
    /// How many there are.
    pub items: u64,
    /// The subject of PayPal's mail to each recipient, of at most [`MAX_SUBJECT`] characters; may be empty.
    pub subject: &'a str,
    /// The text of that mail, of at most [`MAX_MESSAGE`] characters; may be empty.
    pub message: &'a str,
}

/// One payment ("Add individual item records").
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// An e-mail address, of at most [`MAX_RECEIVER`] characters.
    pub receiver: &'a str,
    /// How much, in the currency of the summary.
    pub amount: Money,
    /// Our id of it, of at most [`MAX_REFERENCE`] of `[0-9A-Za-z_-]`; unique in the file.
    pub reference: &'a str,
    /// A text for this recipient, of at most [`MAX_NOTE`] characters; may be empty.
    pub note: &'a str,
}

/// Writes a file that passes PayPal's validation, or fails.
///
/// The same lines make the same bytes, packed or not (packed: by the same version of flate2). Memory holds one buffer, and no line allocates. In texts, control
/// characters become spaces, since PayPal does not say what it makes of lines within a field.
#[derive(Debug)]
pub struct Writer<W: Write> {
    into: Sink<W>,
    buffer: Vec<u8>,
    total: Money,
    sum: Decimal,
    items_left: u64,
}

#[derive(Debug)]
enum Sink<W: Write> {
    Plain(W),
    Gzip(GzEncoder<W>),
}

impl<W: Write> Writer<W> {
    /// Begins a file with its summary.
    ///
    /// # Errors
    /// `InvalidInput` for a summary that PayPal would not take.
    pub fn new(into: W, compression: Compression, summary: &Summary<'_>) -> io::Result<Self> {
        ensure(summary.items > 0, "a file has at least one item")?;
        ensure(is_within(summary.subject, MAX_SUBJECT), "the subject is too long")?;
        ensure(is_within(summary.message, MAX_MESSAGE), "the message is too long")?;
        let into = match compression {
            Compression::Plain => Sink::Plain(into),
            Compression::Gzip => Sink::Gzip(GzBuilder::new().mtime(0).write(into, flate2::Compression::new(LEVEL))),
        };
        let mut buffer = Vec::with_capacity(BUFFER + 8 * 1024);
        let total = summary.total;
        write!(buffer, "PAYOUT_SUMMARY,{},{},{},", total.amount(), total.currency(), summary.items)?;
        push_text(&mut buffer, summary.subject);
        buffer.push(b',');
        push_text(&mut buffer, summary.message);
        buffer.push(b'\n');
        Ok(Self { into, buffer, total, sum: Decimal::ZERO, items_left: summary.items })
    }

    /// Adds a payment.
    ///
    /// # Errors
    /// `InvalidInput` for a line that PayPal would not take, or one more than the summary says.
    pub fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        ensure(
            is_within(line.receiver, MAX_RECEIVER) && !line.receiver.is_empty(),
            "the receiver is too long or empty",
        )?;
        ensure(!line.receiver.contains(is_control), "the receiver has control characters")?;
        ensure(is_reference(line.reference, MAX_REFERENCE), "the reference is not one that PayPal takes")?;
        ensure(is_within(line.note, MAX_NOTE), "the note is too long")?;
        ensure(line.amount.currency() == self.total.currency(), "a file has one currency")?;
        ensure(self.items_left > 0, "there are more items than the summary says")?;
        self.items_left -= 1;
        self.sum += line.amount.amount();
        let buffer = &mut self.buffer;
        buffer.extend_from_slice(b"PAYOUT,");
        push_text(buffer, line.receiver);
        write!(buffer, ",{},{},", line.amount.amount(), self.total.currency().code())?;
        buffer.extend_from_slice(line.reference.as_bytes());
        buffer.push(b',');
        push_text(buffer, line.note);
        buffer.push(b'\n');
        if buffer.len() >= BUFFER { self.hand_on() } else { Ok(()) }
    }

    /// What it is written into, for whoever takes out what is there already.
    pub fn get_mut(&mut self) -> &mut W {
        match &mut self.into {
            Sink::Plain(into) => into,
            Sink::Gzip(encoder) => encoder.get_mut(),
        }
    }

    /// Ends the file and gives back what it was written into, not yet flushed or synced.
    ///
    /// # Errors
    /// `InvalidInput` if the lines are not what the summary says.
    pub fn finish(mut self) -> io::Result<W> {
        ensure(self.items_left == 0, "there are fewer items than the summary says")?;
        ensure(self.sum == self.total.amount(), "the items do not add up to the summary's total")?;
        self.hand_on()?;
        match self.into {
            Sink::Plain(into) => Ok(into),
            Sink::Gzip(into) => into.finish(),
        }
    }

    fn hand_on(&mut self) -> io::Result<()> {
        match &mut self.into {
            Sink::Plain(into) => into.write_all(&self.buffer)?,
            Sink::Gzip(into) => into.write_all(&self.buffer)?,
        }
        self.buffer.clear();
        Ok(())
    }
}

fn ensure(holds: bool, otherwise: &'static str) -> io::Result<()> {
    if holds { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, otherwise)) }
}

fn is_within(text: &str, longest: usize) -> bool {
    text.len() <= longest || text.chars().count() <= longest
}

/// One field: control characters as spaces, in quotation marks only if it has a comma or quotation mark (RFC 4180).
fn push_text(buffer: &mut Vec<u8>, text: &str) {
    // The first bytes of U+0080 to U+009F, and of U+2028 and U+2029, stand for many characters more.
    let is_simple = |byte: u8| byte >= b' ' && !matches!(byte, b',' | b'"' | 0x7f | 0xc2 | 0xe2);
    if text.bytes().all(is_simple) {
        buffer.extend_from_slice(text.as_bytes());
        return;
    }
    let is_quoted = text.contains([',', '"']);
    if is_quoted {
        buffer.push(b'"');
    }
    for c in text.chars() {
        match c {
            '"' => buffer.extend_from_slice(b"\"\""),
            c if is_control(c) => buffer.push(b' '),
            c => buffer.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    if is_quoted {
        buffer.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;
    use std::io::Read;

    fn money(amount: &str, currency: Currency) -> Money {
        Money::new(amount.parse().unwrap(), currency).unwrap()
    }

    fn usd(amount: &str) -> Money {
        money(amount, Currency::USD)
    }

    fn write(compression: Compression, summary: &Summary<'_>, lines: &[Line<'_>]) -> io::Result<Vec<u8>> {
        let mut writer = Writer::new(Vec::new(), compression, summary)?;
        lines.iter().try_for_each(|line| writer.line(line))?;
        writer.finish()
    }

    fn text(summary: &Summary<'_>, lines: &[Line<'_>]) -> String {
        String::from_utf8(write(Compression::Plain, summary, lines).unwrap()).unwrap()
    }

    /// PayPal's example of an input file; its total says "17.9", ours keeps the currency's scale.
    #[test]
    fn paypals_example_is_written_as_paypal_shows_it() {
        let amounts = ["4.82", "4.93", "2.77", "3.51", "1.87"];
        let receivers =
            ["test-1@paypal.com", "test-2@paypal.com", "test-3@paypal.com", "test-4@paypal.com", "test-5paypal.com"];
        let references: Vec<_> = (1..=5).map(|n| (format!("REF_ID_{n}"), format!("NOTE_{n}"))).collect();
        let lines: Vec<_> = (0..5)
            .map(|n| Line {
                receiver: receivers[n],
                amount: usd(amounts[n]),
                reference: &references[n].0,
                note: &references[n].1,
            })
            .collect();
        let summary = Summary { total: usd("17.9"), items: 5, subject: "Hey, You got a Payout", message: "Payout for" };
        insta::assert_snapshot!(text(&summary, &lines), @r#"
        PAYOUT_SUMMARY,17.90,USD,5,"Hey, You got a Payout",Payout for
        PAYOUT,test-1@paypal.com,4.82,USD,REF_ID_1,NOTE_1
        PAYOUT,test-2@paypal.com,4.93,USD,REF_ID_2,NOTE_2
        PAYOUT,test-3@paypal.com,2.77,USD,REF_ID_3,NOTE_3
        PAYOUT,test-4@paypal.com,3.51,USD,REF_ID_4,NOTE_4
        PAYOUT,test-5paypal.com,1.87,USD,REF_ID_5,NOTE_5
        "#);
    }

    #[test]
    fn texts_are_quoted_where_needed_and_stay_on_their_line() {
        let field = |note: &str| {
            let summary = Summary { total: usd("4.82"), items: 1, subject: note, message: "" };
            let line = Line { receiver: "test-1@paypal.com", amount: usd("4.82"), reference: "REF_ID_1", note };
            let text = text(&summary, &[line]);
            let (first, second) = text.strip_suffix('\n').unwrap().split_once('\n').unwrap();
            let subject = first.strip_prefix("PAYOUT_SUMMARY,4.82,USD,1,").unwrap().strip_suffix(',').unwrap();
            let note = second.strip_prefix("PAYOUT,test-1@paypal.com,4.82,USD,REF_ID_1,").unwrap();
            assert_eq!(subject, note);
            note.to_owned()
        };
        for (note, written) in [
            ("NOTE_1", "NOTE_1"),
            ("", ""),
            ("NOTE_1,test", "\"NOTE_1,test\""),
            ("NOTE_1,test\"23\"", "\"NOTE_1,test\"\"23\"\"\""),
            ("HEY, YOU GOT a \"PAYOUT\"", "\"HEY, YOU GOT a \"\"PAYOUT\"\"\""),
            ("\"", "\"\"\"\""),
            ("a\r\nb\tc\0d\x7fe\u{85}f\u{2028}g", "a  b c d e f g"),
            ("=1+1, ’¢ü😀", "\"=1+1, ’¢ü😀\""),
            ("’¢ü😀", "’¢ü😀"),
        ] {
            assert_eq!(field(note), written, "{note:?}");
        }
    }

    #[test]
    fn amounts_keep_the_scale_of_their_currency() {
        let line = |amount| Line { receiver: "a@example.com", amount, reference: "R", note: "" };
        let summary = |total| Summary { total, items: 1, subject: "", message: "" };
        let yen = money("1200", Currency::JPY);
        assert_eq!(
            text(&summary(yen), &[line(yen)]),
            "PAYOUT_SUMMARY,1200,JPY,1,,\nPAYOUT,a@example.com,1200,JPY,R,\n"
        );
        assert_eq!(
            text(&summary(usd("1200")), &[line(usd("1200"))]),
            "PAYOUT_SUMMARY,1200.00,USD,1,,\nPAYOUT,a@example.com,1200.00,USD,R,\n"
        );
    }

    #[test]
    fn a_file_that_paypal_would_reject_is_not_written() {
        let summary = Summary { total: usd("1"), items: 1, subject: "", message: "" };
        let line = Line { receiver: "a@example.com", amount: usd("1"), reference: "R", note: "" };
        let long = "ü".repeat(1001);
        let refused = |summary: &Summary<'_>, lines: &[Line<'_>]| {
            write(Compression::Plain, summary, lines).unwrap_err().kind() == io::ErrorKind::InvalidInput
        };
        assert!(refused(&Summary { items: 0, ..summary }, &[]));
        assert!(refused(&Summary { subject: &long[..512], ..summary }, &[line]));
        assert!(refused(&Summary { message: &long, ..summary }, &[line]));
        assert!(refused(&summary, &[]));
        assert!(refused(&summary, &[line, line]));
        assert!(refused(&summary, &[Line { amount: usd("1.01"), ..line }]));
        assert!(refused(&summary, &[Line { amount: money("1", Currency::EUR), ..line }]));
        assert!(refused(&summary, &[Line { receiver: "", ..line }]));
        assert!(refused(&summary, &[Line { receiver: &long[..256], ..line }]));
        assert!(refused(&summary, &[Line { receiver: "a\n@example.com", ..line }]));
        assert!(refused(&summary, &[Line { reference: "", ..line }]));
        assert!(refused(&summary, &[Line { reference: "é", ..line }]));
        assert!(refused(&summary, &[Line { reference: &"R".repeat(31), ..line }]));
        assert!(refused(&summary, &[Line { note: &long, ..line }]));
        write(Compression::Plain, &summary, &[Line { note: &long[..2000], ..line }]).unwrap();
    }

    #[test]
    fn packed_bytes_depend_on_the_lines_alone() {
        let summary = Summary { total: usd("1"), items: 1, subject: "s", message: "m" };
        let line = Line { receiver: "a@example.com", amount: usd("1"), reference: "R", note: "" };
        let packed = write(Compression::Gzip, &summary, &[line]).unwrap();
        assert_eq!(packed, write(Compression::Gzip, &summary, &[line]).unwrap());
        assert_eq!(packed[4..8], [0; 4], "no time");
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, text(&summary, &[line]));
    }
}
