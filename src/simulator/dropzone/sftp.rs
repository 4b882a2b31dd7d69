//! What a client may do in its folders: look at everything, read everything, write into Incoming. The folders are no
//! folders of this machine, so that no name leads out of them.

use super::content::Content;
use super::faults::{Step, Struck, Wrong};
use super::folders::Upload;
use super::ssh::Wire;
use crate::simulator::state::State;
use russh_sftp::protocol::{Attrs, Data, File, FileAttributes, Handle, Name, OpenFlags, Status, StatusCode, Version};
use russh_sftp::server::{Handler, StatusReply};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::format_description;

/// The most that one read is answered with.
const LONGEST_READ: u32 = 128 * 1024;
/// The longest name of a file.
const LONGEST_NAME: usize = 255;
/// How many files one answer of a listing has.
const LISTED_AT_ONCE: usize = 100;

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Home,
    Incoming,
    Outgoing,
    /// A file in Incoming, whether or not it is there.
    Upload(String),
    /// A file in Outgoing, whether or not it is there.
    Paper(String),
    /// Nothing can be here.
    Nowhere,
}

/// The names on the way to a path, which begins at home: `..` above it is home again.
fn steps(path: &str) -> Vec<&str> {
    let mut steps = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            name => steps.push(name),
        }
    }
    steps
}

fn place(path: &str) -> Place {
    match steps(path).as_slice() {
        [] => Place::Home,
        ["Incoming"] => Place::Incoming,
        ["Outgoing"] => Place::Outgoing,
        ["Incoming", name] => Place::Upload((*name).to_owned()),
        ["Outgoing", name] => Place::Paper((*name).to_owned()),
        _ => Place::Nowhere,
    }
}

/// Something that a client has open.
enum Open {
    Folder(std::vec::IntoIter<File>),
    Paper(Arc<Content>, OffsetDateTime),
    Upload(Writing),
}

/// A file in Incoming that is open.
struct Writing {
    upload: Upload,
    reads: bool,
    writes: bool,
    appends: bool,
    struck: Struck,
    /// How many bytes came.
    arrived: u64,
}

/// One client's session.
pub struct Session {
    state: Arc<State>,
    wire: Wire,
    user: String,
    open: HashMap<String, Open>,
    opened: u64,
}

impl Session {
    /// A session of a user who has proved who they are.
    pub fn new(state: Arc<State>, wire: Wire, user: String) -> Session {
        Session { state, wire, user, open: HashMap::new(), opened: 0 }
    }

    fn keep(&mut self, id: u32, open: Open) -> Handle {
        self.opened += 1;
        let handle = self.opened.to_string();
        self.open.insert(handle.clone(), open);
        Handle { id, handle }
    }

    fn attributes(&self, path: &str) -> Result<FileAttributes, StatusCode> {
        let now = self.now();
        let zone = self.state.dropzone.as_ref().ok_or(StatusCode::Failure)?;
        let folders = zone.folders();
        match place(path) {
            Place::Home | Place::Incoming | Place::Outgoing => Ok(folder(now)),
            Place::Upload(name) => {
                let upload = folders.upload(&self.user, &name).ok_or(StatusCode::NoSuchFile)?;
                Ok(of_upload(upload))
            }
            Place::Paper(name) => {
                let outgoing = folders.outgoing(&self.user, now);
                let paper = outgoing.get(name.as_str()).ok_or(StatusCode::NoSuchFile)?;
                Ok(file(0o100_440, paper.content.len(), paper.at))
            }
            Place::Nowhere => Err(StatusCode::NoSuchFile),
        }
    }

    /// Now, with everything in Outgoing that is due by now.
    fn now(&self) -> OffsetDateTime {
        self.state.lock().1
    }

    fn list(&self, place: &Place) -> Result<Vec<File>, StatusCode> {
        let now = self.now();
        let zone = self.state.dropzone.as_ref().ok_or(StatusCode::Failure)?;
        let folders = zone.folders();
        let mut files = vec![self.entry(".", folder(now)), self.entry("..", folder(now))];
        match place {
            Place::Home => files.extend(["Incoming", "Outgoing"].map(|name| self.entry(name, folder(now)))),
            Place::Incoming => {
                files.extend(folders.incoming(&self.user).map(|(name, upload)| self.entry(name, of_upload(upload))));
            }
            Place::Outgoing => {
                let papers = folders.outgoing(&self.user, now).into_iter();
                let attributes = papers.map(|(name, paper)| (name, file(0o100_440, paper.content.len(), paper.at)));
                files.extend(attributes.map(|(name, attributes)| self.entry(name, attributes)));
            }
            Place::Upload(_) | Place::Paper(_) | Place::Nowhere => return Err(StatusCode::NoSuchFile),
        }
        Ok(files)
    }

    /// A line of a listing, as `ls -l` prints it.
    fn entry(&self, name: &str, attrs: FileAttributes) -> File {
        let at = OffsetDateTime::from_unix_timestamp(attrs.mtime.unwrap_or_default().into());
        let at = at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let date = at.format(format_description!("[month repr:short] [day padding:space] [hour]:[minute]"));
        let (kind, links) = if attrs.is_dir() { ('d', 2) } else { ('-', 1) };
        let longname = format!(
            "{kind}{} {links:>4} {:<8} {:<8} {:>8} {} {name}",
            attrs.permissions(),
            self.user,
            "dropzone",
            attrs.size.unwrap_or_default(),
            date.unwrap_or_default(),
        );
        File { filename: name.to_owned(), longname, attrs }
    }

    fn open_upload(&self, name: &str, flags: OpenFlags) -> Result<Open, StatusReply> {
        let zone = self.state.dropzone.as_ref().ok_or(StatusCode::Failure)?;
        let writes = flags.intersects(OpenFlags::WRITE | OpenFlags::APPEND);
        let struck = match writes {
            true => Struck::at(&mut self.state.lock().0.faults, Step::Upload),
            false => Struck::default(),
        };
        let now = self.state.clock.now();
        let mut folders = zone.folders();
        let upload = match folders.upload(&self.user, name).cloned() {
            Some(_) if flags.contains(OpenFlags::CREATE | OpenFlags::EXCLUDE) => {
                return Err(StatusCode::Failure.with_message("The file exists"));
            }
            Some(upload) => upload,
            None if !(writes && flags.contains(OpenFlags::CREATE)) => return Err(StatusCode::NoSuchFile.into()),
            None if name.len() > LONGEST_NAME => return Err(StatusCode::Failure.with_message("The name is too long")),
            None => folders.create(&self.user, name, now),
        };
        if writes && flags.contains(OpenFlags::TRUNCATE) {
            upload.written().truncate(now);
        }
        let (reads, appends) = (flags.contains(OpenFlags::READ), flags.contains(OpenFlags::APPEND));
        Ok(Open::Upload(Writing { upload, reads, writes, appends, struck, arrived: 0 }))
    }

    /// Takes what is written, as far as fault rules let it.
    async fn take(&mut self, handle: &str, offset: u64, data: &[u8]) -> Result<(), StatusReply> {
        let now = self.state.clock.now();
        let Some(Open::Upload(writing)) = self.open.get_mut(handle) else {
            return Err(StatusCode::Failure.into());
        };
        if !writing.writes {
            return Err(StatusCode::PermissionDenied.into());
        }
        if let Some(time) = writing.struck.time(Wrong::Slow) {
            tokio::time::sleep(time).await;
        }
        let stops = [Wrong::Cut, Wrong::Full, Wrong::Grab].map(|wrong| (wrong, writing.struck.bytes(wrong)));
        let stop = stops.into_iter().filter_map(|(wrong, bytes)| bytes.map(|bytes| (bytes, wrong)));
        let stop = stop.min_by_key(|(bytes, _)| *bytes);
        let left = stop.map_or(u64::MAX, |(bytes, _)| bytes.saturating_sub(writing.arrived));
        let fits = usize::try_from(left).unwrap_or(usize::MAX).min(data.len());
        writing.arrived += data.len() as u64;
        let reached = stop.filter(|(bytes, _)| writing.arrived >= *bytes).map(|(_, wrong)| wrong);
        {
            let mut written = writing.upload.written();
            let offset = if writing.appends { written.content.len() } else { offset };
            let kept = written.write(offset, &data[..fits], now);
            kept.map_err(|error| StatusCode::Failure.with_message(error.to_string()))?;
            if reached == Some(Wrong::Grab) {
                written.close();
            }
        }
        match reached {
            Some(Wrong::Cut) => {
                self.wire.cut();
                Err(StatusCode::Failure.into())
            }
            Some(Wrong::Full) if fits < data.len() => Err(StatusCode::Failure.with_message("No space left on device")),
            _ => Ok(()),
        }
    }
}

fn folder(at: OffsetDateTime) -> FileAttributes {
    file(0o040_755, 4096, at)
}

fn of_upload(upload: &Upload) -> FileAttributes {
    let written = upload.written();
    file(0o100_640, written.content.len(), written.at)
}

fn file(permissions: u32, size: u64, at: OffsetDateTime) -> FileAttributes {
    let seconds = u32::try_from(at.unix_timestamp()).unwrap_or(u32::MAX);
    FileAttributes {
        size: Some(size),
        uid: Some(1000),
        gid: Some(1000),
        permissions: Some(permissions),
        atime: Some(seconds),
        mtime: Some(seconds),
        ..FileAttributes::default()
    }
}

fn done(id: u32) -> Status {
    let (error_message, language_tag) = ("Ok".to_owned(), "en-US".to_owned());
    Status { id, status_code: StatusCode::Ok, error_message, language_tag }
}

impl Handler for Session {
    type Error = StatusReply;

    /// What PayPal may not let a client do: rename, remove, make folders and links.
    fn unimplemented(&self) -> StatusReply {
        StatusCode::PermissionDenied.into()
    }

    async fn init(&mut self, _: u32, _: HashMap<String, String>) -> Result<Version, StatusReply> {
        Ok(Version::new())
    }

    async fn open(
        &mut self,
        id: u32,
        path: String,
        flags: OpenFlags,
        _: FileAttributes,
    ) -> Result<Handle, StatusReply> {
        let changes = OpenFlags::WRITE | OpenFlags::APPEND | OpenFlags::CREATE | OpenFlags::TRUNCATE;
        let open = match place(&path) {
            Place::Upload(name) => self.open_upload(&name, flags)?,
            Place::Nowhere => return Err(StatusCode::NoSuchFile.into()),
            _ if flags.intersects(changes) => return Err(StatusCode::PermissionDenied.into()),
            Place::Paper(name) => {
                let now = self.now();
                let zone = self.state.dropzone.as_ref().ok_or(StatusCode::Failure)?;
                let folders = zone.folders();
                let outgoing = folders.outgoing(&self.user, now);
                let paper = outgoing.get(name.as_str()).ok_or(StatusCode::NoSuchFile)?;
                Open::Paper(Arc::clone(&paper.content), paper.at)
            }
            Place::Home | Place::Incoming | Place::Outgoing => {
                return Err(StatusCode::Failure.with_message("This is a folder"));
            }
        };
        Ok(self.keep(id, open))
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, StatusReply> {
        self.open.remove(&handle).map(|_| done(id)).ok_or(StatusCode::Failure.into())
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Result<Data, StatusReply> {
        let length = len.min(LONGEST_READ) as usize;
        let data = match self.open.get(&handle) {
            Some(Open::Paper(content, _)) => content.read_at(offset, length),
            Some(Open::Upload(writing)) if writing.reads => writing.upload.written().content.read_at(offset, length),
            Some(Open::Upload(_)) => return Err(StatusCode::PermissionDenied.into()),
            Some(Open::Folder(_)) | None => return Err(StatusCode::Failure.into()),
        };
        let data = data.map_err(|error| StatusCode::Failure.with_message(error.to_string()))?;
        if data.is_empty() { Err(StatusCode::Eof.into()) } else { Ok(Data { id, data }) }
    }

    async fn write(&mut self, id: u32, handle: String, offset: u64, data: Vec<u8>) -> Result<Status, StatusReply> {
        self.take(&handle, offset, &data).await.map(|()| done(id))
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        Ok(Attrs { id, attrs: self.attributes(&path)? })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        Ok(Attrs { id, attrs: self.attributes(&path)? })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, StatusReply> {
        let attrs = match self.open.get(&handle) {
            Some(Open::Paper(content, at)) => file(0o100_440, content.len(), *at),
            Some(Open::Upload(writing)) => of_upload(&writing.upload),
            Some(Open::Folder(_)) | None => return Err(StatusCode::Failure.into()),
        };
        Ok(Attrs { id, attrs })
    }

    /// OpenSSH's client sets permissions and times of what it has put. They are taken, and change nothing.
    async fn setstat(&mut self, id: u32, path: String, attrs: FileAttributes) -> Result<Status, StatusReply> {
        let upload = matches!(place(&path), Place::Upload(_));
        self.attributes(&path)?;
        if upload && attrs.size.is_none() { Ok(done(id)) } else { Err(StatusCode::PermissionDenied.into()) }
    }

    async fn fsetstat(&mut self, id: u32, handle: String, attrs: FileAttributes) -> Result<Status, StatusReply> {
        match self.open.get(&handle) {
            Some(Open::Upload(writing)) if writing.writes && attrs.size.is_none() => Ok(done(id)),
            Some(_) => Err(StatusCode::PermissionDenied.into()),
            None => Err(StatusCode::Failure.into()),
        }
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, StatusReply> {
        let place = place(&path);
        let struck = Struck::at(&mut self.state.lock().0.faults, Step::List);
        tokio::time::sleep(struck.time(Wrong::Slow).unwrap_or(Duration::ZERO)).await;
        let files = self.list(&place)?;
        Ok(self.keep(id, Open::Folder(files.into_iter())))
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, StatusReply> {
        let Some(Open::Folder(left)) = self.open.get_mut(&handle) else { return Err(StatusCode::Failure.into()) };
        let files: Vec<File> = left.take(LISTED_AT_ONCE).collect();
        if files.is_empty() { Err(StatusCode::Eof.into()) } else { Ok(Name { id, files }) }
    }

    /// The path from home; a name that is not there yet is one all the same.
    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, StatusReply> {
        Ok(Name { id, files: vec![File::dummy(format!("/{}", steps(&path).join("/")))] })
    }

    async fn extended(&mut self, _: u32, _: String, _: Vec<u8>) -> Result<russh_sftp::protocol::Packet, StatusReply> {
        Err(StatusCode::OpUnsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out() {
        let cases = [
            ("", Place::Home),
            (".", Place::Home),
            ("/../../..", Place::Home),
            ("Incoming", Place::Incoming),
            ("/Incoming/", Place::Incoming),
            ("./Outgoing/../Incoming", Place::Incoming),
            ("incoming", Place::Nowhere),
            ("/etc/passwd", Place::Nowhere),
            ("Incoming/../../etc/passwd", Place::Nowhere),
            ("/Incoming/a.csv", Place::Upload("a.csv".to_owned())),
            ("Incoming/a\\..\\b", Place::Upload("a\\..\\b".to_owned())),
            ("Incoming/a/b", Place::Nowhere),
            ("Outgoing/..a", Place::Paper("..a".to_owned())),
        ];
        for (path, expected) in cases {
            assert_eq!(place(path), expected, "{path}");
        }
    }
}
