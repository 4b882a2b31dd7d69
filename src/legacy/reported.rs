//! What came of a file, told while it is read.

/// Counts lines by what came of them, and hands out what there is to say.
pub struct Reported<'a> {
    say: &'a mut (dyn FnMut(&str) + Send),
    counts: Vec<(&'static str, u64)>,
    broken: u64,
}

impl std::fmt::Debug for Reported<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reported").field("counts", &self.counts).field("broken", &self.broken).finish_non_exhaustive()
    }
}

impl<'a> Reported<'a> {
    /// Nothing was read yet; `say` is given one sentence at a time.
    pub fn new(say: &'a mut (dyn FnMut(&str) + Send)) -> Self {
        Self { say, counts: Vec::new(), broken: 0 }
    }

    /// A line was used, or needs nothing done.
    pub(super) fn count(&mut self, what: &'static str) {
        match self.counts.iter_mut().find(|(known, _)| *known == what) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((what, 1)),
        }
    }

    /// A line could not be used. `problem` says what to do, and nothing that stands in the line.
    pub(super) fn broken(&mut self, number: u64, problem: &str) {
        self.broken += 1;
        (self.say)(&format!("line {number}: {problem}"));
    }

    /// The same about one column.
    pub(super) fn broken_at(&mut self, number: u64, column: &str, problem: &str) {
        self.broken(number, &format!("{column}: {problem}"));
    }

    /// How many lines could not be used.
    pub fn not_used(&self) -> u64 {
        self.broken
    }

    /// All of it in one sentence.
    pub fn summary(&self) -> String {
        if self.counts.is_empty() && self.broken == 0 {
            return "the file has no line below the names of its columns".to_owned();
        }
        let mut parts: Vec<String> = self.counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
        parts.push(format!("{} not used", self.broken));
        parts.join(", ")
    }
}
