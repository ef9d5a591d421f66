//! What goes wrong between a publisher and a raw folder, said with what to do about it.
use crate::Error;
use std::io::ErrorKind;
use std::path::Path;

/// That `subject`, an address or a path, could not be had.
pub(super) fn problem(
    subject: impl Into<String>,
    what: impl Into<String>,
    advice: impl Into<String>,
) -> Error {
    Error::Fetch { subject: subject.into(), problem: what.into(), advice: advice.into() }
}

/// An error of writing: a full disk is the one that is to be expected with files of this size.
pub(super) fn written(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |e| match e.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => problem(
            path.display().to_string(),
            format!("no space is left on the disk ({e})"),
            "what is downloaded already is kept: make room and run the same command again, which goes on from there",
        ),
        _ => Error::io(path, what)(e),
    }
}
