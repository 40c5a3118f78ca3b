//! Where the files of a study are put: a folder, or a ZIP that is written as it goes.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::Error;
use crate::study::FILES;

/// Takes files, one after the other.
pub trait Shelf {
    /// Takes one file, whose bytes `write` gives.
    ///
    /// # Errors
    /// Those of `write`, and where the file can't be kept.
    fn file(
        &mut self,
        name: &str,
        write: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<(), Error>;
}

/// A folder that is there with all its files or not at all: it is filled under another name, with
/// `.partial` at its end, and gets its own when it is finished.
#[derive(Debug)]
pub struct Folder {
    folder: PathBuf,
    partial: PathBuf,
}

impl Folder {
    /// Begins a folder where there is nothing. What an earlier attempt left beside it is removed.
    ///
    /// # Errors
    /// [`Error::Exists`], or where the folder can't be made.
    pub fn begin(folder: &Path) -> Result<Self, Error> {
        if folder.exists() {
            return Err(Error::Exists(folder.to_owned()));
        }
        let mut name = folder.as_os_str().to_owned();
        name.push(".partial");
        let begun = Self { folder: folder.to_owned(), partial: PathBuf::from(name) };
        begun.discard()?;
        fs::create_dir_all(&begun.partial)?;
        Ok(begun)
    }

    /// Gives the folder its name.
    ///
    /// # Errors
    /// Where it can't be renamed.
    pub fn finish(self) -> Result<(), Error> {
        if self.folder.exists() {
            return Err(Error::Exists(self.folder));
        }
        Ok(fs::rename(&self.partial, &self.folder)?)
    }

    /// Removes what was written so far: the files of a study and their folder, nothing else.
    ///
    /// # Errors
    /// Where it can't be removed, also because somebody has put another file there.
    pub fn discard(&self) -> Result<(), Error> {
        let absent = |result: std::io::Result<()>| match result {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        };
        for file in FILES {
            absent(fs::remove_file(self.partial.join(file.name)))?;
        }
        Ok(absent(fs::remove_dir(&self.partial))?)
    }
}

impl Shelf for Folder {
    fn file(
        &mut self,
        name: &str,
        write: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut out = BufWriter::new(File::create(self.partial.join(name))?);
        write(&mut out)?;
        let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        Ok(file.sync_all()?)
    }
}

/// A ZIP that is written front to back, so that it can be sent while it is made. Its times are all
/// 1980-01-01, the first that the format knows.
pub struct Zip<W: Write> {
    writer: ZipWriter<StreamWriter<W>>,
}

impl<W: Write> Zip<W> {
    /// Begins a ZIP.
    pub fn begin(out: W) -> Self {
        Self { writer: ZipWriter::new_stream(out) }
    }

    /// Writes the list of files at its end.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn finish(self) -> Result<W, Error> {
        Ok(self.writer.finish()?.into_inner())
    }
}

impl<W: Write> Shelf for Zip<W> {
    fn file(
        &mut self,
        name: &str,
        write: &mut dyn FnMut(&mut dyn Write) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(6))
            .last_modified_time(DateTime::DEFAULT)
            .unix_permissions(0o644);
        self.writer.start_file(name, options)?;
        write(&mut self.writer)
    }
}
