//! CSV files of affiliates and of commissions: uploaded, checked line by line, and the good lines imported.
//!
//! An upload is read once, as it arrives, and kept in parts. The worker checks part after part and imports chunk after
//! chunk ([`next`]); every step commits its work and its place in one transaction, so that it can be cut off anywhere.
//! Nothing that exists is ever changed by an import: a line is new, known already, or has a problem.

mod affiliates;
mod amount;
mod commissions;
mod dates;
mod lines;
mod mapping;
mod problems;
mod sniff;
mod split;
mod step;
mod store;
mod upload;

pub use amount::DecimalSign;
pub use dates::DateForm;
pub use mapping::{Column, Mapping};
pub use problems::{Problem, problem_lines, problems};
pub use step::next;
pub use store::{Import, Moved, confirm, find, list, remove, sample, set_mapping};
pub use upload::{LARGEST, Upload, UploadError};

/// What a file is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Kind {
    /// Who is owed.
    Affiliates,
    /// What is owed.
    Commissions,
}

impl Kind {
    /// Both.
    pub const ALL: [Kind; 2] = [Kind::Affiliates, Kind::Commissions];

    /// As it stands in addresses and the database; also the word for several.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Affiliates => "affiliates",
            Kind::Commissions => "commissions",
        }
    }

    /// The word for one.
    pub fn one(self) -> &'static str {
        match self {
            Kind::Affiliates => "affiliate",
            Kind::Commissions => "commission",
        }
    }
}

/// Where an import stands.
///
/// ```text
/// Uploading ─▶ Uploaded ─mapping─▶ Checking ─▶ Checked ─a person's word─▶ Importing ─▶ Imported
///                  ▲                  ▲            │
///                  │                  └──another mapping
///                  └ broken off: gone         Checking, Importing ─ fails again and again ─▶ Failed
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum State {
    /// The file is arriving.
    Uploading,
    /// It is here; somebody says what its columns mean.
    Uploaded,
    /// Its lines are being read.
    Checking,
    /// Somebody decides whether the good lines come in.
    Checked,
    /// They are coming in.
    Importing,
    /// They are in.
    Imported,
    /// Given up, after several tries.
    Failed,
}

impl State {
    /// The worker has something to do.
    pub fn is_moving(self) -> bool {
        match self {
            State::Uploading | State::Checking | State::Importing => true,
            State::Uploaded | State::Checked | State::Imported | State::Failed => false,
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            State::Uploading => "Arriving",
            State::Uploaded => "Waits for its columns",
            State::Checking => "Being checked",
            State::Checked => "Checked, not imported yet",
            State::Importing => "Being imported",
            State::Imported => "Imported",
            State::Failed => "Stopped",
        }
    }

    /// The tone of its badge.
    pub fn tone(self) -> &'static str {
        match self {
            State::Uploading | State::Checking | State::Importing => "waiting",
            State::Uploaded | State::Checked => "info",
            State::Imported => "good",
            State::Failed => "bad",
        }
    }
}

/// Why a file cannot be read at all, in words for the person who uploaded it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);
