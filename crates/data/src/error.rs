//! What can be wrong with files, configurations and splits, said so that it can be mended.
use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Everything that can go wrong between the raw files and the row lists.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A raw file holds something else than its format says.
    #[error("{}:{line}:{column}: found {found}, expected {expected}", file.display())]
    Input {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Byte in the line where the bad field starts, from 1.
        column: usize,
        /// What stands there.
        found: String,
        /// What should stand there.
        expected: String,
    },
    /// A configuration file that is not valid YAML, has an unknown or missing key, or a value that makes no sense.
    #[error("{}:{line}:{column}: {}{message}", file.display(), if key.is_empty() { String::new() } else { format!("{key}: ") })]
    Config {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The key, with dots between levels; empty where no key is to blame.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// A raw folder that is there but lacks files. (A folder that is not there at all is no error: see `prepare`.)
    #[error("{}: {} missing; {expected}", folder.display(), missing.join(", "))]
    MissingFiles {
        /// The folder.
        folder: PathBuf,
        /// Names of the files it lacks.
        missing: Vec<String>,
        /// What the folder must hold.
        expected: String,
    },
    /// Raw files that are more than the machine can hold.
    #[error(
        "{}: {bytes:.0} GB of raw files need about {needed:.0} GiB of memory, and {available:.0} GiB are free",
        folder.display()
    )]
    TooLarge {
        /// The raw folder.
        folder: PathBuf,
        /// Size of the files in GB.
        bytes: f64,
        /// What they need, in GiB.
        needed: f64,
        /// What the machine has, in GiB.
        available: f64,
    },
    /// A file or folder that cannot be read or written.
    #[error("{}: {what}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A raw file, or a folder of them, that is read several times and was not the same each time.
    #[error("{}: the file changed while it was read; start again when nothing writes to it", file.display())]
    Changed {
        /// The file.
        file: PathBuf,
    },
    /// A path that is a folder where a file belongs, or a file where a folder belongs.
    #[error("{}: found {found}, expected {expected}", path.display())]
    WrongKind {
        /// The path.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A cache file that cannot be written, or read. One that is damaged is made anew by `prepare`, without this error.
    #[error("{}: {message}", file.display())]
    Cache {
        /// The cache file.
        file: PathBuf,
        /// Why it cannot be used.
        message: String,
    },
    /// Official files that could not be fetched.
    #[error("{subject}: {problem}; {advice}")]
    Fetch {
        /// The address, the archive or the path.
        subject: String,
        /// What happened.
        problem: String,
        /// What to do about it.
        advice: String,
    },
    /// A split that cannot keep its promise on this dataset.
    #[error("split {plan} of {dataset}: {message}")]
    Split {
        /// The dataset's name.
        dataset: String,
        /// The plan's name.
        plan: &'static str,
        /// The broken promise, with numbers.
        message: String,
    },
    /// A field from which a model would learn what it will not have.
    #[error("dataset {dataset} leaks: {message}")]
    Leak {
        /// The dataset's name.
        dataset: String,
        /// Which field, and how it shows.
        message: String,
    },
    /// An override that does not fit the data.
    #[error("dataset {dataset}: {message}")]
    Override {
        /// The dataset's name.
        dataset: String,
        /// Why it does not fit.
        message: String,
    },
}

/// A value, or else the key of a dataset file that is to blame and why.
pub(crate) type Checked<T> = std::result::Result<T, (&'static str, String)>;

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>, what: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { path, what, source }
    }
}
