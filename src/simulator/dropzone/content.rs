//! What is in a file: in memory while it is small, else in a temporary file without a name.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

/// Larger contents go to a temporary file.
const IN_MEMORY: u64 = 8 * 1024 * 1024;
/// The longest file that is taken. PayPal names no limit; this is far above four million lines.
const LONGEST: u64 = 1024 * 1024 * 1024;

/// The bytes of a file, written at any offset.
#[derive(Debug)]
pub enum Content {
    /// Few of them.
    Memory(Vec<u8>),
    /// Many of them, and how many.
    Spool(File, u64),
}

impl Default for Content {
    fn default() -> Content {
        Content::Memory(Vec::new())
    }
}

impl Content {
    /// A content that is known as a whole.
    pub fn of(bytes: Vec<u8>) -> io::Result<Content> {
        if bytes.len() as u64 <= IN_MEMORY {
            return Ok(Content::Memory(bytes));
        }
        let mut content = Content::default();
        content.write_at(0, &bytes)?;
        Ok(content)
    }

    /// How long it is.
    pub fn len(&self) -> u64 {
        match self {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Spool(_, length) => *length,
        }
    }

    /// Writes at an offset; a gap before it is zeros.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= LONGEST);
        let end = end.ok_or_else(|| io::Error::other("the file is too long"))?;
        if let Content::Memory(small) = self
            && end > IN_MEMORY
        {
            let file = nameless()?;
            file.write_all_at(small, 0)?;
            *self = Content::Spool(file, small.len() as u64);
        }
        match self {
            Content::Memory(small) => {
                let (start, end) = (index(offset), index(end));
                if small.len() < end {
                    small.resize(end, 0);
                }
                small[start..end].copy_from_slice(bytes);
            }
            Content::Spool(file, length) => {
                file.write_all_at(bytes, offset)?;
                *length = end.max(*length);
            }
        }
        Ok(())
    }

    /// Up to `length` bytes from an offset; none at the end.
    pub fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let left = self.len().saturating_sub(offset);
        let length = length.min(index(left));
        match self {
            Content::Memory(_) if length == 0 => Ok(Vec::new()),
            Content::Memory(bytes) => Ok(bytes[index(offset)..index(offset) + length].to_vec()),
            Content::Spool(file, _) => {
                let mut bytes = vec![0; length];
                file.read_exact_at(&mut bytes, offset)?;
                Ok(bytes)
            }
        }
    }

    /// All of it.
    pub fn whole(&self) -> io::Result<Vec<u8>> {
        self.read_at(0, index(self.len()))
    }
}

/// A length that is at most [`LONGEST`].
fn index(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// A temporary file that is gone when it is closed, however the program ends.
fn nameless() -> io::Result<File> {
    let path = std::env::temp_dir().join(format!("stipend-simulator-{}", uuid::Uuid::new_v4()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_is_the_same_in_memory_and_in_a_file() {
        let mut content = Content::default();
        content.write_at(3, b"def").unwrap();
        content.write_at(0, b"abc").unwrap();
        assert_eq!(content.whole().unwrap(), b"abcdef");
        let far = IN_MEMORY + 5;
        content.write_at(far, b"end").unwrap();
        assert!(matches!(content, Content::Spool(..)));
        assert_eq!(content.len(), far + 3);
        assert_eq!(content.read_at(4, 3).unwrap(), b"ef\0");
        assert_eq!(content.read_at(far, 100).unwrap(), b"end");
        assert!(content.read_at(far + 3, 1).unwrap().is_empty());
        assert!(content.write_at(u64::MAX, b"x").is_err() && content.write_at(LONGEST, b"x").is_err());
    }
}
