//! Whether a reference was there before, among millions.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;

/// More payments than are compared.
const MAX_REFERENCES: usize = 10_000_000;
const TABLES: usize = 16;

/// Every reference by a keyed digest of 64 bits, with the first line that has it: 12 bytes in place of a text. In two
/// million references, some pair is taken for equal with a probability of one in ten million; the key is another in each
/// check, so nobody can bring that about.
#[derive(Default)]
pub(super) struct References {
    key: RandomState,
    /// By the first byte of the digest: a table that grows is there twice for a moment, so there are several small ones.
    first_lines: [HashMap<[u8; 8], u32>; TABLES],
    count: usize,
}

impl References {
    /// Adds a reference, and tells the line on which it was before.
    pub(super) fn add(&mut self, reference: &str, line: u64) -> io::Result<Option<u64>> {
        if self.count >= MAX_REFERENCES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file has more than 10 million payments"));
        }
        self.count += 1;
        let line = u32::try_from(line).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let digest = self.key.hash_one(reference).to_le_bytes();
        let table = &mut self.first_lines[usize::from(digest[0]) % TABLES];
        let first = *table.entry(digest).or_insert(line);
        Ok((first != line).then_some(first.into()))
    }
}
