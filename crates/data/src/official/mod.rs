//! Where the official raw files come from: a [registry](ENTRIES) with an entry per raw folder, and what [fetches](fetch()) the files
//! of those that may be downloaded without an account.
//!
//! Nothing here is asked by [`prepare`](crate::prepare): only who calls [`fetch()`] reaches the network.
mod checksum;
mod download;
mod fetch;
mod problem;
mod registry;
#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;
mod unpack;

pub use checksum::Checksum;
pub use fetch::{Fetched, fetch};
pub use registry::ENTRIES;

use std::time::Duration;

/// A raw folder: which files belong there, and how they are had.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Name of the folder under the raw root.
    pub folder: &'static str,
    /// The publisher's page.
    pub home: &'static str,
    /// What the publisher asks of users, in a sentence. The publisher's own text is what counts.
    pub terms: &'static str,
    /// What a paper that uses the data cites.
    pub cite: &'static str,
    /// The files that the loader reads.
    pub files: &'static [OfficialFile],
    /// Names of other files that the loader takes where official ones are missing; never fetched.
    pub instead: &'static [&'static str],
    /// How the files are had.
    pub access: Access,
}

/// An official file as it lies in the raw folder.
#[derive(Clone, Copy, Debug)]
pub struct OfficialFile {
    /// Its name, with `/` where it lies in a folder of its own.
    pub name: &'static str,
    /// Its size in bytes, rounded where the publisher rounds it; none where it is not published.
    pub bytes: Option<u64>,
}

/// How official files are had.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// By download, without an account.
    Download {
        /// The beginning of all addresses.
        from: &'static str,
        /// What is downloaded.
        archives: &'static [Archive],
    },
    /// By hand: with an account of the site's, or made from another folder's files.
    ByHand {
        /// What is to be done, one thing after the other.
        steps: &'static [&'static str],
    },
}

/// A file at the publisher's.
#[derive(Clone, Copy, Debug)]
pub struct Archive {
    /// The rest of its address.
    pub name: &'static str,
    /// Its size in bytes, where it is known.
    pub bytes: Option<u64>,
    /// What its content is recognised by, where it is known.
    pub checksum: Option<Checksum>,
    /// What it holds.
    pub content: Content,
}

/// What a file at the publisher's holds.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// An official file, of the archive's name.
    File,
    /// Official files and others, zipped.
    Zip(Members),
    /// Official files and others, as a compressed tar archive.
    TarGz(Members),
}

/// The official files in an archive.
#[derive(Clone, Copy, Debug)]
pub struct Members {
    /// The folder in the archive.
    pub within: &'static str,
    /// Their names there, which are those in the raw folder.
    pub files: &'static [&'static str],
}

/// What [`fetch()`] is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A download goes on. `done` begins with what an earlier call left, and falls to 0 where a download must begin anew.
    Downloading {
        /// What is downloaded: [`Archive::name`].
        name: &'a str,
        /// Bytes that are here.
        done: u64,
        /// All bytes; none where the server does not tell.
        of: Option<u64>,
    },
    /// A download broke off, and goes on after a pause.
    Waiting {
        /// What is downloaded.
        name: &'a str,
        /// What happened.
        why: &'a str,
        /// How long the pause is.
        pause: Duration,
    },
    /// A download is compared with its checksum.
    Checking {
        /// What was downloaded.
        name: &'a str,
        /// Bytes that were read.
        done: u64,
        /// All bytes.
        of: u64,
    },
    /// A file is taken out of an archive.
    Unpacking {
        /// Its name in the raw folder.
        name: &'a str,
        /// Bytes that were written.
        done: u64,
        /// All bytes.
        of: u64,
    },
}

impl Entry {
    /// The entry of a raw folder.
    pub fn of(folder: &str) -> Option<&'static Entry> {
        ENTRIES.iter().find(|entry| entry.folder == folder)
    }

    /// What is downloaded for this folder.
    pub fn archives(&self) -> &'static [Archive] {
        match self.access {
            Access::Download { archives, .. } => archives,
            Access::ByHand { .. } => &[],
        }
    }
}

impl Archive {
    /// Names in the raw folder of the files that it holds.
    pub fn files(&self) -> Vec<&'static str> {
        match self.content {
            Content::File => vec![self.name],
            Content::Zip(members) | Content::TarGz(members) => members.files.to_vec(),
        }
    }
}
