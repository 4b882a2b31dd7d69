//! What a check has found: counted in full, kept up to a limit.

use crate::paypal::large_batch::{FileError, shown};

/// Findings and warnings that are kept.
const MAX_KEPT: usize = 10_000;
const MAX_REFERENCE_SHOWN: usize = 64;

/// One reason for which PayPal would reject the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line of the file, from 1; nothing if the file or its name is meant.
    pub line: Option<u64>,
    /// Whether a payment is meant; else it is the summary, or the file.
    pub is_of_item: bool,
    /// The reference on that line, fit to be shown.
    pub reference: Option<String>,
    /// PayPal's error.
    pub error: FileError,
    /// What it is about, in one sentence; fit to be shown.
    pub detail: String,
}

/// What PayPal would take, although it will fail later or is unwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The line of the file, from 1; nothing if the file or its name is meant.
    pub line: Option<u64>,
    /// The reference on that line, fit to be shown.
    pub reference: Option<String>,
    /// What it is, without a full stop; fit to be shown.
    pub text: String,
}

/// What something is about.
pub(super) struct Place<'a> {
    pub(super) line: Option<u64>,
    pub(super) is_of_item: bool,
    /// As it stands; empty if there is none.
    pub(super) reference: &'a str,
}

impl Place<'_> {
    pub(super) const FILE: Place<'static> = Place { line: None, is_of_item: false, reference: "" };

    fn reference(&self) -> Option<String> {
        Some(shown(self.reference, MAX_REFERENCE_SHOWN)).filter(|reference| !reference.is_empty())
    }
}

#[derive(Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    pub(super) total_findings: u64,
    pub(super) warnings: Vec<Warning>,
    pub(super) total_warnings: u64,
}

impl Found {
    pub(super) fn error(&mut self, place: &Place<'_>, error: FileError, detail: impl Into<String>) {
        self.total_findings += 1;
        if self.findings.len() < MAX_KEPT {
            let Place { line, is_of_item, .. } = *place;
            let (reference, detail) = (place.reference(), detail.into());
            self.findings.push(Finding { line, is_of_item, reference, error, detail });
        }
    }

    pub(super) fn warn(&mut self, place: &Place<'_>, text: impl Into<String>) {
        self.total_warnings += 1;
        if self.warnings.len() < MAX_KEPT {
            self.warnings.push(Warning { line: place.line, reference: place.reference(), text: text.into() });
        }
    }
}
