//! The names of files: of what we send, and of what PayPal puts into the Outgoing folder.

use super::{FileError, is_reference};
use std::fmt;
use time::OffsetDateTime;

/// Longest reference in a file's name ("Save the input file", `reference_name`).
const MAX_NAME_REFERENCE: usize = 63;
const PREFIX: &str = "pp_payouts_";
const EPOCH_DIGITS: usize = 10;

/// How a file's bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// `.csv`
    Plain,
    /// `.csv.gz`
    Gzip,
}

impl Compression {
    /// The ending of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Plain => ".csv",
            Self::Gzip => ".csv.gz",
        }
    }
}

/// The name of an input file: `pp_payouts_<epoch seconds>_<reference>.csv` or `.csv.gz`. PayPal takes each name once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InputName {
    stem: String,
    epoch: OffsetDateTime,
    compression: Compression,
}

impl InputName {
    /// The name of a file for this time. A time in the future would schedule the payout, and an uploaded file cannot be
    /// taken back.
    ///
    /// # Panics
    /// When the reference is not 1 to 63 of `[0-9A-Za-z_-]`, or the time before 2001: only a bug can do that.
    pub fn new(at: OffsetDateTime, reference: &str, compression: Compression) -> Self {
        let name = format!("{PREFIX}{}_{reference}{}", at.unix_timestamp(), compression.extension());
        Self::parse(&name).expect("the reference and the time make a name that PayPal takes")
    }

    /// Reads a name; anything else is `INVALID_FILE_NAME`. Whether its time is one that PayPal takes is not asked.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        let parse = || {
            let (stem, compression) = [Compression::Gzip, Compression::Plain]
                .into_iter()
                .find_map(|compression| Some((text.strip_suffix(compression.extension())?, compression)))?;
            let (epoch, reference) = stem.strip_prefix(PREFIX)?.split_once('_')?;
            let is_epoch = epoch.len() == EPOCH_DIGITS && epoch.bytes().all(|b| b.is_ascii_digit());
            let epoch = epoch.parse().ok().filter(|_| is_epoch)?;
            is_reference(reference, MAX_NAME_REFERENCE).then_some(())?;
            Some(Self { stem: stem.to_owned(), epoch: OffsetDateTime::from_unix_timestamp(epoch).ok()?, compression })
        };
        parse().ok_or(FileError::InvalidFileName)
    }

    /// The time in the name.
    pub fn epoch(&self) -> OffsetDateTime {
        self.epoch
    }

    /// The name without its ending: what the names of PayPal's answers begin with.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// How the file is packed.
    pub fn compression(&self) -> Compression {
        self.compression
    }
}

impl fmt::Display for InputName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.stem, self.compression.extension())
    }
}

/// What a file in the Outgoing folder is ("Acknowledgment reports", "View reports").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outgoing {
    /// The file passed validation; processing begins.
    Ack,
    /// The file failed validation; nothing of it is paid.
    Nack,
    /// A file of this name was sent before.
    Dups,
    /// What became of a part of the items.
    Part {
        /// The number of its first item.
        first: u64,
        /// The number of its last item.
        last: u64,
    },
    /// What became of all items so far; also called the Interim report.
    Out,
    /// What became of all items in the end, thirty-one days later.
    Final,
}

/// What a file in the Outgoing folder is to the input file with this stem; nothing if it belongs to another.
///
/// PayPal prints these names in lower and in upper case, and does not say how it names the answers to a `.csv.gz`: any
/// letter case counts, and the input's own ending may stand after the stem.
pub fn outgoing(stem: &str, name: &str) -> Option<Outgoing> {
    let start = name.get(..stem.len()).filter(|start| !stem.is_empty() && start.eq_ignore_ascii_case(stem))?;
    let rest = name[start.len()..].to_ascii_lowercase();
    let rest = rest.strip_suffix(".gz").unwrap_or(&rest).strip_suffix(".csv")?;
    let rest = rest.strip_prefix(".csv").unwrap_or(rest);
    let rest = rest.strip_prefix(".gz").unwrap_or(rest);
    match rest.strip_prefix('_')? {
        "ack" => Some(Outgoing::Ack),
        "nack" => Some(Outgoing::Nack),
        "dup" | "dups" => Some(Outgoing::Dups),
        "out" => Some(Outgoing::Out),
        "final" => Some(Outgoing::Final),
        rows => {
            let (first, last) = rows.split_once('_')?;
            let (first, last) = (row_number(first)?, row_number(last)?);
            (1 <= first && first <= last).then_some(Outgoing::Part { first, last })
        }
    }
}

fn row_number(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_name_is_built_and_read_again() {
        let at = datetime!(2026-06-01 12:00 UTC);
        for compression in [Compression::Plain, Compression::Gzip] {
            let name = InputName::new(at, "0123-abc_DEF", compression);
            assert_eq!(name.to_string(), format!("pp_payouts_1780315200_0123-abc_DEF{}", compression.extension()));
            assert_eq!(name.stem(), "pp_payouts_1780315200_0123-abc_DEF");
            assert_eq!(InputName::parse(&name.to_string()), Ok(name.clone()));
            assert_eq!((name.epoch(), name.compression()), (at, compression));
        }
        let longest = "x".repeat(63);
        assert!(InputName::parse(&format!("pp_payouts_1517395059_{longest}.csv")).is_ok());
        assert!(InputName::parse("pp_payouts_6627887729_testfile.csv").is_ok(), "PayPal's own example, of 2180");
        for wrong in [
            "",
            "pp_payouts_1517395059_ABC123",
            "PP_PAYOUTS_1517395059_ABC123.csv",
            "pp_payouts_1517395059_ABC123.CSV",
            "pp_payouts_1517395059_ABC123.txt",
            "pp_payouts_1517395059_ABC123.gz",
            "pp_payouts_1517395059_ABC.123.csv",
            "pp_payouts_1517395059_ABC 123.csv",
            "pp_payouts_1517395059_.csv",
            "pp_payouts_1517395059.csv",
            "pp_payouts_151739505_ABC123.csv",
            "pp_payouts_1517395059000_ABC123.csv",
            "pp_payouts_+517395059_ABC123.csv",
            "pp_payouts_1517395059_é.csv",
            " pp_payouts_1517395059_ABC123.csv",
            &format!("pp_payouts_1517395059_{longest}x.csv"),
        ] {
            assert_eq!(InputName::parse(wrong), Err(FileError::InvalidFileName), "{wrong}");
        }
    }

    #[test]
    fn an_outgoing_file_is_known_in_every_spelling() {
        let stem = "pp_payouts_1517395059_ABC123";
        for (ending, kind) in [
            ("ack", Outgoing::Ack),
            ("nack", Outgoing::Nack),
            ("dup", Outgoing::Dups),
            ("dups", Outgoing::Dups),
            ("OUT", Outgoing::Out),
            ("FINAL", Outgoing::Final),
            ("1_350", Outgoing::Part { first: 1, last: 350 }),
            ("500001_500001", Outgoing::Part { first: 500_001, last: 500_001 }),
        ] {
            for middle in ["", ".csv", ".csv.gz"] {
                for extension in [".csv", ".csv.gz"] {
                    let name = format!("{stem}{middle}_{ending}{extension}");
                    assert_eq!(outgoing(stem, &name), Some(kind), "{name}");
                    assert_eq!(outgoing(stem, &name.to_uppercase()), Some(kind), "{name}");
                    assert_eq!(outgoing(&stem.to_uppercase(), &name.to_lowercase()), Some(kind), "{name}");
                }
            }
        }
        for other in [
            "",
            "pp_payouts_1517395059_ABC123",
            "pp_payouts_1517395059_ABC123.csv",
            "pp_payouts_1517395059_ABC123_ack",
            "pp_payouts_1517395059_ABC123_ack.txt",
            "pp_payouts_1517395059_ABC123_ack.csv.tmp",
            "pp_payouts_1517395059_ABC123_whatever.csv",
            "pp_payouts_1517395059_ABC1234_ack.csv",
            "pp_payouts_1517395059_ABC123_2_ack.csv",
            "pp_payouts_1517395059_ABC123_1_1_350.csv",
            "pp_payouts_1517395059_ABC123_0_350.csv",
            "pp_payouts_1517395059_ABC123_350_1.csv",
            "pp_payouts_1517395059_ABC123_+1_350.csv",
            "pp_payouts_1517395059_ABC123_1_99999999999999999999.csv",
            "pp_payouts_1517395059_ABC12é_ack.csv",
            "../pp_payouts_1517395059_ABC123_ack.csv",
        ] {
            assert_eq!(outgoing(stem, other), None, "{other}");
        }
        assert_eq!(outgoing("", "_ack.csv"), None);
    }
}
