//! Mails as a person finds them: files in a folder, read again as a mail program would.

use super::program::test_folder;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of mails, gone with the test.
pub struct Letters(PathBuf);

/// One mail.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Names and values, unfolded.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Letter {
    pub fn read(text: &str) -> Letter {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let headers: Vec<(String, String)> = unfolded
            .split("\r\n")
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no header: {line:?}")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut letter = Letter { headers, body: String::new() };
        letter.body = match letter.header("Content-Transfer-Encoding") {
            "quoted-printable" => unquote(body),
            "7bit" => body.to_owned(),
            other => panic!("{other}"),
        };
        letter
    }

    pub fn header(&self, name: &str) -> &str {
        let found: Vec<_> = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name)).collect();
        assert!(found.len() == 1, "{name} is there {} times: {:?}", found.len(), self.headers);
        &found[0].1
    }

    pub fn to(&self) -> &str {
        self.header("To")
    }

    pub fn subject(&self) -> &str {
        self.header("Subject")
    }
}

fn unquote(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let [first, after @ ..] = rest {
        if *first == b'=' && after.len() >= 2 {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap()
}

impl Letters {
    pub fn folder() -> Letters {
        let folder = test_folder().join(format!("mails-{}", uuid::Uuid::now_v7().simple()));
        fs::create_dir(&folder).unwrap();
        Letters(folder)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Every mail, by its recipient.
    pub fn all(&self) -> Vec<Letter> {
        let files = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mails = files.filter(|file| file.extension().is_some_and(|extension| extension == "eml"));
        let mut letters: Vec<Letter> = mails.map(|file| Letter::read(&fs::read_to_string(file).unwrap())).collect();
        letters.sort_by_key(|letter| (letter.to().to_owned(), letter.subject().to_owned()));
        letters
    }

    /// The mails to one address.
    pub fn to(&self, address: &str) -> Vec<Letter> {
        self.all().into_iter().filter(|letter| letter.to() == address).collect()
    }

    /// Recipient and subject of every mail.
    pub fn summary(&self) -> Vec<String> {
        self.all().iter().map(|letter| format!("{}: {}", letter.to(), letter.subject())).collect()
    }
}

impl Drop for Letters {
    fn drop(&mut self) {
        let _nothing_depends_on_it = fs::remove_dir_all(&self.0);
    }
}
