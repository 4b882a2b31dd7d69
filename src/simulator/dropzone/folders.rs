//! What is in the folders: uploads until they are picked up, answers and reports for ever.

use super::content::Content;
use super::faults::{Step, Struck, Wrong};
use super::refusal::{FileError, Refusal};
use super::report::{self, Paper, answer};
use crate::simulator::faults::Faults;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use time::OffsetDateTime;

/// A file in somebody's Incoming folder, shared by those who have it open.
#[derive(Debug, Clone)]
pub struct Upload(Arc<Mutex<Written>>);

/// What was written of it.
#[derive(Debug)]
pub struct Written {
    /// What is in it.
    pub content: Content,
    /// When it was last written.
    pub at: OffsetDateTime,
    /// Whether it is what will be picked up: what is written now comes too late, and its writer does not notice.
    closed: bool,
    /// How long nobody has written.
    quiet: Duration,
    /// How long it is left alone beyond the usual time.
    wait: Option<Duration>,
}

impl Upload {
    /// An empty file.
    pub fn new(at: OffsetDateTime) -> Upload {
        let written = Written { content: Content::default(), at, closed: false, quiet: Duration::ZERO, wait: None };
        Upload(Arc::new(Mutex::new(written)))
    }

    /// What was written.
    pub fn written(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    /// Writes on.
    pub fn write(&mut self, offset: u64, bytes: &[u8], now: OffsetDateTime) -> io::Result<()> {
        if !self.closed {
            self.content.write_at(offset, bytes)?;
            (self.at, self.quiet) = (now, Duration::ZERO);
        }
        Ok(())
    }

    /// Begins anew.
    pub fn truncate(&mut self, now: OffsetDateTime) {
        if !self.closed {
            (self.content, self.at, self.quiet) = (Content::default(), now, Duration::ZERO);
        }
    }

    /// Has it picked up as it is now.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Whether it has been left alone for long enough, by one more look.
    fn is_ripe(&mut self, look: Duration, after: Duration) -> bool {
        self.quiet += look;
        self.closed || self.quiet >= after + self.wait.unwrap_or_default()
    }
}

/// Somebody's two folders.
#[derive(Debug, Default)]
struct Folder {
    incoming: BTreeMap<String, Upload>,
    outgoing: Vec<Paper>,
}

/// Everybody's folders.
#[derive(Debug, Default)]
pub struct Folders {
    users: BTreeMap<String, Folder>,
    /// How many of the bank's papers are here.
    published: usize,
}

/// A file that is being picked up.
#[derive(Debug)]
pub struct Taken {
    /// Who sent it.
    pub user: String,
    /// Its name.
    pub name: String,
    /// What is in it.
    pub content: Content,
    /// What goes wrong with it.
    pub struck: Struck,
}

impl Folders {
    /// The uploads that stand in an Incoming folder.
    pub fn incoming(&self, user: &str) -> impl Iterator<Item = (&String, &Upload)> {
        self.users.get(user).into_iter().flat_map(|folder| &folder.incoming)
    }

    /// One of them.
    pub fn upload(&self, user: &str, name: &str) -> Option<&Upload> {
        self.users.get(user)?.incoming.get(name)
    }

    /// Puts an empty file there.
    pub fn create(&mut self, user: &str, name: &str, at: OffsetDateTime) -> Upload {
        let upload = Upload::new(at);
        self.users.entry(user.to_owned()).or_default().incoming.insert(name.to_owned(), upload.clone());
        upload
    }

    /// What stands in an Outgoing folder by now, by name: of several of one name, the last.
    pub fn outgoing(&self, user: &str, now: OffsetDateTime) -> BTreeMap<&str, &Paper> {
        let papers = self.users.get(user).into_iter().flat_map(|folder| &folder.outgoing);
        let mut there: Vec<&Paper> = papers.filter(|paper| paper.at <= now).collect();
        there.sort_by_key(|paper| paper.at);
        there.into_iter().map(|paper| (paper.name.as_str(), paper)).collect()
    }

    /// Looks once more at what was uploaded, and takes what nobody has written for long enough.
    pub fn pick_up(&mut self, look: Duration, after: Duration, faults: &mut Faults) -> Vec<Taken> {
        let mut taken = Vec::new();
        for (user, folder) in &mut self.users {
            folder.incoming.retain(|name, upload| {
                let mut written = upload.written();
                if !written.is_ripe(look, after) {
                    return true;
                }
                let struck = match written.wait {
                    None => Struck::at(faults, Step::PickUp),
                    Some(_) => Struck::default(),
                };
                written.wait = Some(struck.time(Wrong::Delay).unwrap_or_default());
                if struck.has(Wrong::Delay) {
                    return true;
                }
                written.close();
                let content = std::mem::take(&mut written.content);
                taken.push(Taken { user: user.clone(), name: name.clone(), content, struck });
                false
            });
        }
        taken
    }

    /// Puts the bank's new papers into their folders. Fault rules strike here.
    pub fn publish(&mut self, papers: &[Paper], faults: &mut Faults) {
        for paper in papers.iter().skip(self.published) {
            let struck = Struck::at(faults, paper.kind);
            let folder = self.users.entry(paper.user.clone()).or_default();
            folder.outgoing.extend(report::spoil(paper, &struck));
            folder.outgoing.extend(contradiction(paper, &struck));
        }
        self.published = papers.len();
    }
}

/// The opposite of an answer, which comes later.
fn contradiction(paper: &Paper, struck: &Struck) -> Option<Paper> {
    let file = paper.name.rsplit_once('_').map(|(stem, _)| format!("{stem}.csv"))?;
    let later = |wrong| struck.time(wrong).map(|delay| paper.at + delay);
    if let Some(at) = later(Wrong::LateNack) {
        let nack = Refusal::of("", FileError::SummaryAndPayoutMatchConflict).text();
        return Some(answer(&paper.user, &file, Step::Nack, at, Some(&nack)));
    }
    later(Wrong::LateAck).map(|at| answer(&paper.user, &file, Step::Ack, at, None))
}
