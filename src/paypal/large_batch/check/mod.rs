//! PayPal's validation of an input file, as documented ("File validation", "File validation errors"), for any file,
//! whoever wrote it. What PayPal takes although it will fail later, or is unwise, is a warning of ours.

mod found;
mod lines;
mod references;

#[cfg(test)]
mod tests;

pub use found::{Finding, Warning};

use super::records::{Records, is_corrupt};
use super::{Compression, FileError, InputName, MAX_SCHEDULE, shown};
use found::{Found, Place};
use lines::Lines;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What PayPal would say of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Why PayPal would reject it; the first 10,000 reasons.
    pub findings: Vec<Finding>,
    /// How many reasons there are.
    pub total_findings: u64,
    /// What PayPal would take, and should not get; the first 10,000.
    pub warnings: Vec<Warning>,
    /// How many warnings there are.
    pub total_warnings: u64,
    /// How many lines are not the summary: one for each payment.
    pub lines: u64,
    /// The sum of the amounts that can be read.
    pub sum: Decimal,
    /// The summary's currency, or else that of the first payment.
    pub currency: Option<String>,
    /// SHA-256 of the file as it is, not unpacked.
    pub sha256: [u8; 32],
}

impl Checked {
    /// Whether PayPal would accept the file.
    pub fn is_accepted(&self) -> bool {
        self.total_findings == 0
    }
}

/// Checks a file, and its name if it has one. Memory grows by some thirty bytes a line, for the references, and by
/// nothing else that the file says.
///
/// # Errors
/// Those of the content; `FileTooLarge` above 10 million lines or 4 GiB unpacked, of which nothing is said then.
pub fn check(name: Option<&str>, content: impl Read, now: OffsetDateTime) -> io::Result<Checked> {
    let mut found = Found::default();
    let name = name.and_then(|name| check_name(name, now, &mut found));
    let mut content = Digesting { content, digest: Sha256::new() };
    let mut lines = Lines::new(found);
    check_content(name.map(|name| name.compression()), &mut content, &mut lines)?;
    io::copy(&mut content, &mut io::sink())?;
    let mut checked = lines.into_checked();
    checked.sha256 = content.digest.finalize().into();
    Ok(checked)
}

fn check_name(name: &str, now: OffsetDateTime, found: &mut Found) -> Option<InputName> {
    let parsed = match InputName::parse(name) {
        Ok(parsed) => parsed,
        Err(error) => {
            found.error(&Place::FILE, error, format!("It is called “{}”.", shown(name, 200)));
            return None;
        }
    };
    let epoch = parsed.epoch().format(&Rfc3339).expect("ten digits end in the year 2286");
    if parsed.epoch() > now + MAX_SCHEDULE {
        found.error(&Place::FILE, FileError::ScheduledTimeError, format!("The time in its name is {epoch}."));
    } else if parsed.epoch() > now {
        found.warn(
            &Place::FILE,
            format!(
                "the time in its name is in the future: PayPal pays at {epoch}, and cannot be stopped after the upload"
            ),
        );
    }
    Some(parsed)
}

fn check_content(named: Option<Compression>, content: impl Read, lines: &mut Lines) -> io::Result<()> {
    let mut records = Records::open(content)?;
    let is_packed = records.compression() == Compression::Gzip;
    loop {
        match records.next() {
            Ok(None) => break,
            // PayPal unpacks by the name.
            Ok(Some(_)) if named == Some(Compression::Gzip) && !is_packed => {
                lines.file_error(FileError::GzFileCorruptError, "It is not packed with gzip, as its name says.");
                return Ok(());
            }
            Ok(Some(_)) if named == Some(Compression::Plain) && is_packed => {
                lines.file_error(
                    FileError::EncodingError,
                    "It is packed with gzip, and its name does not end in .csv.gz.",
                );
                return Ok(());
            }
            Ok(Some(record)) => lines.add(&record)?,
            Err(error) if is_packed && is_corrupt(&error) => {
                let line = records.lines() + 1;
                lines.file_error(FileError::GzFileCorruptError, &format!("It is damaged at about line {line}."));
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    if records.has_bom() {
        lines.warn_of_bom();
    }
    match records.lines() {
        0 => lines.file_error(FileError::FileSizeError, "There is nothing in it."),
        _ => lines.end(),
    }
    Ok(())
}

/// Digests what is read through it.
struct Digesting<R> {
    content: R,
    digest: Sha256,
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.content.read(buffer)?;
        self.digest.update(&buffer[..length]);
        Ok(length)
    }
}
