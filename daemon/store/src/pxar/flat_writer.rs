//! Writing a flat archive.

use std::io::{self, Read, Write};

use super::goodbye::{self, Child};
use super::{ENTRY, ENTRY_LEN, FILENAME, FileStat, GOODBYE, ITEM_HEADER_LEN, PAYLOAD, check_name};
use crate::error::{FormatError, FormatResult};

/// Bytes copied at a time.
const COPY_LEN: usize = 128 * 1024;

/// Writes an archive of one folder, file after file.
///
/// After an error the archive is broken and must be thrown away.
#[derive(Debug)]
pub struct FlatWriter<W> {
    out: W,
    position: u64,
    children: Vec<Child>,
}

impl<W: Write> FlatWriter<W> {
    /// Begins an archive of a folder with this `stat`.
    pub fn new(out: W, folder: &FileStat) -> FormatResult<Self> {
        if !folder.is_folder() {
            return Err(FormatError::invalid("the archive's root must be a folder"));
        }
        let mut writer = Self { out, position: 0, children: Vec::new() };
        writer.item(ENTRY, &folder.to_bytes())?;
        Ok(writer)
    }

    /// Writes a file whose `content` must have exactly `size` bytes.
    ///
    /// Fails for things that are no regular files and for content that turns out shorter or longer:
    /// somebody is writing the file then, and what was read of it is worth nothing.
    pub fn add_file(
        &mut self,
        name: &str,
        stat: &FileStat,
        size: u64,
        mut content: impl Read,
    ) -> FormatResult<()> {
        check_name(name)?;
        if !stat.is_regular() {
            return Err(FormatError::invalid(format!("'{name}' is not a regular file")));
        }
        let too_large = || FormatError::TooLarge { what: "the file", limit: u64::MAX - 16 };
        let payload_len = size.checked_add(ITEM_HEADER_LEN).ok_or_else(too_large)?;
        let start = self.position;
        self.item(FILENAME, &[name.as_bytes(), &[0]].concat())?;
        self.item(ENTRY, &stat.to_bytes())?;
        self.header(PAYLOAD, payload_len)?;
        self.copy(name, size, &mut content)?;
        let hash = goodbye::hash_name(name.as_bytes());
        self.children.push(Child { hash, start, length: self.position - start });
        Ok(())
    }

    /// Writes the table of files, which ends the archive.
    pub fn finish(mut self) -> FormatResult<W> {
        let position = self.position;
        let children = std::mem::take(&mut self.children);
        self.item(GOODBYE, &goodbye::encode(children, position))?;
        Ok(self.out)
    }

    fn copy(&mut self, name: &str, size: u64, content: &mut impl Read) -> FormatResult<()> {
        let mut buffer = vec![0; COPY_LEN];
        let mut left = size;
        loop {
            let got = read_some(content, &mut buffer)?;
            if got as u64 > left {
                let what = format!("'{name}' grew beyond {size} bytes while it was read");
                return Err(FormatError::invalid(what));
            }
            if got == 0 {
                break;
            }
            self.put(&buffer[..got])?;
            left -= got as u64;
        }
        if left > 0 {
            let what =
                format!("'{name}' shrank while it was read: {left} of {size} bytes are gone");
            return Err(FormatError::invalid(what));
        }
        Ok(())
    }

    fn item(&mut self, kind: u64, content: &[u8]) -> FormatResult<()> {
        self.header(kind, ITEM_HEADER_LEN + content.len() as u64)?;
        self.put(content)
    }

    fn header(&mut self, kind: u64, full_len: u64) -> FormatResult<()> {
        let header: Vec<u8> = [kind, full_len].into_iter().flat_map(u64::to_le_bytes).collect();
        self.put(&header)
    }

    fn put(&mut self, bytes: &[u8]) -> FormatResult<()> {
        self.out.write_all(bytes).map_err(FormatError::io("cannot write the archive"))?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

impl FlatWriter<io::Sink> {
    /// How long an archive of files with these names and sizes (in bytes) will be.
    pub fn archive_len<'a>(files: impl IntoIterator<Item = (&'a str, u64)>) -> u64 {
        let mut count = 0;
        let mut len = ENTRY_LEN;
        for (name, size) in files {
            count += 1;
            let name_len = ITEM_HEADER_LEN + name.len() as u64 + 1;
            len += name_len + ENTRY_LEN + ITEM_HEADER_LEN;
            len = len.saturating_add(size);
        }
        len.saturating_add(goodbye::table_len(count))
    }
}

fn read_some(content: &mut impl Read, buffer: &mut [u8]) -> FormatResult<usize> {
    loop {
        match content.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(FormatError::io("cannot read a file for the archive")),
        }
    }
}
