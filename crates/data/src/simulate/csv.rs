//! Lines of simulated raw files.
use rayon::prelude::*;

/// The names of columns as a header line.
pub(super) fn header(columns: &[&str]) -> String {
    columns.join(",") + "\n"
}

/// A file with the lines that `line` writes for every element, made in parallel.
pub(super) fn lines<T: Sync>(header: &str, rows: &[T], line: impl Fn(&T, &mut Vec<u8>) + Sync) -> Vec<u8> {
    let pieces: Vec<Vec<u8>> = rows
        .par_chunks(1 << 16)
        .map(|rows| {
            let mut out = Vec::new();
            rows.iter().for_each(|row| line(row, &mut out));
            out
        })
        .collect();
    let mut all = header.as_bytes().to_vec();
    all.reserve_exact(pieces.iter().map(Vec::len).sum());
    pieces.iter().for_each(|p| all.extend_from_slice(p));
    all
}
