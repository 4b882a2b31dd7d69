//! A count of every call, and a list of the last ones.

use super::call::Name;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::VecDeque;

const KEPT: usize = 500;

/// What was asked so far.
#[derive(Debug, Default)]
pub struct Calls {
    counts: [u64; Name::ALL.len()],
    last: VecDeque<Line>,
}

/// One call as it was answered.
#[derive(Debug, Serialize)]
pub struct Line {
    /// When it arrived.
    pub time: String,
    /// Which of PayPal's calls it was.
    pub call: Name,
    /// Its path.
    pub path: String,
    /// The status it was answered with; none when the connection was cut.
    pub status: Option<u16>,
    /// The fault rule that struck it.
    pub fault: Option<super::faults::What>,
}

impl Calls {
    /// Notes a call.
    pub fn note(&mut self, line: Line) {
        if let Some(index) = Name::ALL.iter().position(|name| *name == line.call) {
            self.counts[index] += 1;
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// The counts and the list, oldest first.
    pub fn show(&self) -> Value {
        let counts: serde_json::Map<String, Value> = Name::ALL
            .iter()
            .zip(self.counts)
            .map(|(name, count)| (json!(name).as_str().unwrap_or_default().to_owned(), count.into()))
            .collect();
        json!({"counts": counts, "calls": self.last})
    }
}
