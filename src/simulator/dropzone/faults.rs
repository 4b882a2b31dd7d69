//! What goes wrong at the DropZone.

use crate::simulator::faults::{Faults, Rule, What};
use serde::{Deserialize, Serialize};

/// What a rule of the DropZone watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A connection.
    Connect,
    /// A file that is opened to be written.
    Upload,
    /// A folder that is listed.
    List,
    /// A file that is picked up.
    PickUp,
    /// An ACK, NACK or DUPS.
    Answer,
    /// An ACK.
    Ack,
    /// A NACK.
    Nack,
    /// A DUPS.
    Dups,
    /// A Part, Out or Final report.
    Report,
    /// A Part report.
    Part,
    /// An Out report.
    Out,
    /// A Final report.
    Final,
}

/// What happens then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// The connection ends before a word.
    Refuse,
    /// No key is good enough.
    RefuseKey,
    /// The connection ends after so many bytes of the file.
    Cut,
    /// Each packet of the file, or the listing, takes so long.
    Slow,
    /// No more bytes of the file than these are taken.
    Full,
    /// The file is picked up as soon as so many bytes are there.
    Grab,
    /// The file is refused with this error.
    Reject,
    /// It never comes, or the file is never looked at.
    Lose,
    /// It comes later.
    Delay,
    /// Later comes a NACK as well.
    LateNack,
    /// Later comes an ACK as well.
    LateAck,
    /// The name is in capitals.
    UpperCase,
    /// The name is in small letters.
    LowerCase,
    /// The name ends in `_dup.csv`.
    DupSpelling,
    /// It comes a second time, under another name.
    Copy,
    /// It ends in the middle of a row.
    Truncate,
    /// It is an HTML page.
    Html,
    /// Its rows lack a column.
    Columns,
    /// It begins with a row of column names.
    Header,
    /// Every row has 14 columns.
    Fourteen,
    /// It is compressed.
    Gzip,
    /// It has a row of an unknown reference id.
    UnknownRow,
    /// It lacks a row.
    MissingRow,
}

impl Wrong {
    /// What a rule says; two words it shares with PayPal's calls and deliveries.
    fn of(what: What) -> Option<Wrong> {
        match what {
            What::Delay => Some(Wrong::Delay),
            What::Lose => Some(Wrong::Lose),
            What::Dropzone(wrong) => Some(wrong),
            _ => None,
        }
    }
}

impl Step {
    /// What watches this: itself, and the word for all of its kind.
    fn is_watched_by(self, watching: Step) -> bool {
        let kind = match self {
            Step::Ack | Step::Nack | Step::Dups => Step::Answer,
            Step::Part | Step::Out | Step::Final => Step::Report,
            Step::Connect | Step::Upload | Step::List | Step::PickUp | Step::Answer | Step::Report => self,
        };
        watching == self || watching == kind
    }

    /// Whether this can go wrong here.
    fn knows(self, wrong: Wrong) -> bool {
        use Wrong::*;
        let of_answers = matches!(wrong, Lose | Delay | UpperCase | Truncate | Html);
        let of_reports = of_answers
            || matches!(wrong, LowerCase | Copy | Columns | Header | Fourteen | Gzip | UnknownRow | MissingRow);
        match self {
            Step::Connect => matches!(wrong, Refuse | RefuseKey),
            Step::Upload => matches!(wrong, Cut | Slow | Full | Grab),
            Step::List => wrong == Slow,
            Step::PickUp => matches!(wrong, Delay | Reject | Lose),
            Step::Answer => of_answers,
            Step::Ack => of_answers || wrong == LateNack,
            Step::Nack => of_answers || wrong == LateAck,
            Step::Dups => of_answers || wrong == DupSpelling,
            Step::Report | Step::Part | Step::Out | Step::Final => of_reports,
        }
    }
}

/// What is wrong with a rule of the DropZone.
pub fn check(step: Step, rule: &Rule) -> Result<(), &'static str> {
    let wrong = Wrong::of(rule.what).ok_or("the DropZone has faults of its own, by call")?;
    if !step.knows(wrong) {
        return Err("this cannot happen at that call; see FAULTS OF THE DROPZONE");
    }
    let takes_time = matches!(wrong, Wrong::Slow | Wrong::Delay | Wrong::LateNack | Wrong::LateAck);
    let takes_bytes = matches!(wrong, Wrong::Cut | Wrong::Full | Wrong::Grab);
    if takes_time != rule.ms.is_some() {
        return Err("ms belongs to slow, delay, late_nack and late_ack, and they need it");
    }
    if takes_bytes != rule.bytes.is_some() {
        return Err("bytes belongs to cut, full and grab, and they need it");
    }
    if (wrong == Wrong::Reject) != rule.name.is_some() {
        return Err("name belongs to reject, and it needs it");
    }
    if rule.ms.is_some_and(|ms| ms > 3_600_000 * 24 * 60) || wrong == Wrong::Slow && rule.ms > Some(60_000) {
        return Err("ms is at most sixty days, and a minute for slow");
    }
    if rule.status.is_some() || rule.body.is_some() || rule.retry_after.is_some() {
        return Err("status, body and retry_after belong to PayPal's calls");
    }
    Ok(())
}

/// The rules that strike at a step, all of them.
#[derive(Debug, Clone, Default)]
pub struct Struck(Vec<Rule>);

impl Struck {
    /// Counts a step, and takes what strikes it.
    pub fn at(faults: &mut Faults, step: Step) -> Struck {
        Struck(faults.strike_step(|watching| step.is_watched_by(watching)))
    }

    /// The rule by which this goes wrong.
    pub fn by(&self, wrong: Wrong) -> Option<&Rule> {
        self.0.iter().find(|rule| Wrong::of(rule.what) == Some(wrong))
    }

    /// Whether this goes wrong.
    pub fn has(&self, wrong: Wrong) -> bool {
        self.by(wrong).is_some()
    }

    /// After how much time, where this goes wrong.
    pub fn time(&self, wrong: Wrong) -> Option<std::time::Duration> {
        self.by(wrong).and_then(|rule| rule.ms).map(std::time::Duration::from_millis)
    }

    /// After how many bytes, where this goes wrong.
    pub fn bytes(&self, wrong: Wrong) -> Option<u64> {
        self.by(wrong).and_then(|rule| rule.bytes)
    }
}
