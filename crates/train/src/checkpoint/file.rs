//! A checkpoint on disk: safetensors with a checksum over everything in it. It appears complete or not at all, but is not
//! forced to the disk: a machine that loses its power may lose it, and the checksum tells.
use anyhow::{Context, Result, ensure};
use safetensors::{Dtype, SafeTensors, View, serialize_to_file};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
};

/// Lists of numbers by name.
pub(super) type Contents = BTreeMap<String, Data>;

/// A list of numbers.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
    U8(Vec<u8>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    I64(Vec<i64>),
}

impl Data {
    fn read(kind: Dtype, bytes: &[u8]) -> Result<Self> {
        /// The bytes of a file stand anywhere in memory.
        fn numbers<T: bytemuck::AnyBitPattern>(bytes: &[u8]) -> Vec<T> {
            bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect()
        }
        Ok(match kind {
            Dtype::F32 => Self::F32(numbers(bytes)),
            Dtype::F64 => Self::F64(numbers(bytes)),
            Dtype::U8 => Self::U8(bytes.to_vec()),
            Dtype::U32 => Self::U32(numbers(bytes)),
            Dtype::U64 => Self::U64(numbers(bytes)),
            Dtype::I64 => Self::I64(numbers(bytes)),
            other => anyhow::bail!("numbers of the kind {other:?}"),
        })
    }

    fn kind(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
            Self::U8(_) => Dtype::U8,
            Self::U32(_) => Dtype::U32,
            Self::U64(_) => Dtype::U64,
            Self::I64(_) => Dtype::I64,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::F32(values) => bytemuck::cast_slice(values),
            Self::F64(values) => bytemuck::cast_slice(values),
            Self::U8(values) => values,
            Self::U32(values) => bytemuck::cast_slice(values),
            Self::U64(values) => bytemuck::cast_slice(values),
            Self::I64(values) => bytemuck::cast_slice(values),
        }
    }
}

/// As safetensors sees it: a list of one dimension.
struct Listed<'a> {
    shape: [usize; 1],
    data: &'a Data,
}

impl View for Listed<'_> {
    fn dtype(&self) -> Dtype {
        self.data.kind()
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        self.data.bytes().into()
    }
    fn data_len(&self) -> usize {
        self.data.bytes().len()
    }
}

/// Where in which run it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Head {
    /// The run's id.
    pub run: String,
    /// What its loop was called.
    pub what: String,
    /// Seconds of the run until then.
    pub seconds: f64,
    /// Processes that had worked on it before that one.
    pub resumed: u32,
}

/// The name under which the checksum is kept.
const CHECKSUM: &str = "blake3";

impl Head {
    fn strings(&self) -> HashMap<String, String> {
        let Self { run, what, seconds, resumed } = self;
        let all = [("run", run.clone()), ("what", what.clone()), ("seconds", seconds.to_string())];
        let all = all.into_iter().chain([("resumed", resumed.to_string())]);
        all.map(|(key, value)| (key.into(), value)).collect()
    }

    fn of(strings: &HashMap<String, String>) -> Result<Self> {
        let get = |key: &str| strings.get(key).with_context(|| format!("its head has no {key}"));
        Ok(Self {
            run: get("run")?.clone(),
            what: get("what")?.clone(),
            seconds: get("seconds")?.parse()?,
            resumed: get("resumed")?.parse()?,
        })
    }

    fn checksum(&self, contents: &Contents) -> String {
        let mut hash = blake3::Hasher::new();
        hash.update(format!("{self:?}").as_bytes());
        for (name, data) in contents {
            let bytes = data.bytes();
            hash.update(format!("{name:?} {:?} {}", data.kind(), bytes.len()).as_bytes()).update(bytes);
        }
        hash.finalize().to_hex().to_string()
    }
}

/// Writes a checkpoint over the one that was there.
pub(super) fn write(path: &Path, head: &Head, contents: &Contents) -> Result<()> {
    let what = || format!("cannot write {}", path.display());
    let mut strings = head.strings();
    strings.insert(CHECKSUM.into(), head.checksum(contents));
    let listed = |data| Listed { shape: [length(data)], data };
    let temporary = path.with_extension("part");
    serialize_to_file(contents.iter().map(|(name, data)| (name, listed(data))), Some(strings), &temporary)
        .with_context(what)?;
    fs::rename(&temporary, path).with_context(what)
}

fn length(data: &Data) -> usize {
    data.bytes().len() * 8 / data.kind().bitsize()
}

/// Reads a checkpoint; none where there is no file.
///
/// # Errors
/// A file that is not as it was written.
pub(super) fn read(path: &Path) -> Result<Option<(Head, Contents)>> {
    let bytes = match fs::read(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.context("it cannot be read")?,
    };
    let (_, metadata) = SafeTensors::read_metadata(&bytes).context("it is damaged")?;
    let strings = metadata.metadata().as_ref().context("it has no head")?;
    let head = Head::of(strings)?;
    let mut contents = Contents::new();
    for (name, view) in SafeTensors::deserialize(&bytes).context("it is damaged")?.tensors() {
        contents.insert(name, Data::read(view.dtype(), view.data())?);
    }
    let whole = strings.get(CHECKSUM) == Some(&head.checksum(&contents));
    ensure!(whole, "it is damaged: the checksum is another one");
    Ok(Some((head, contents)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Head, Contents) {
        let head = Head { run: "r".into(), what: "w".into(), seconds: 0.1 + 0.2, resumed: 3 };
        let contents = [
            ("a/odd", Data::U8(vec![1, 2, 3])),
            ("b", Data::F32(vec![f32::MIN_POSITIVE / 3.0, -0.0, f32::NAN])),
            ("c", Data::F64(vec![0.1 + 0.2])),
            ("d", Data::U64(vec![u64::MAX, 1])),
            ("e", Data::I64(vec![])),
            ("f", Data::U32(vec![7])),
        ];
        (head, contents.map(|(name, data)| (name.to_string(), data)).into())
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("000.safetensors");
        assert!(read(&path).unwrap().is_none());
        let (head, contents) = sample();
        write(&path, &head, &contents).unwrap();
        let (found, numbers) = read(&path).unwrap().unwrap();
        assert_eq!(found, head);
        assert!(numbers.keys().eq(contents.keys()));
        // NaNs do not equal themselves: the bytes have to.
        assert!(numbers.values().map(Data::bytes).eq(contents.values().map(Data::bytes)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn damage_anywhere_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("000.safetensors");
        let (head, contents) = sample();
        write(&path, &head, &contents).unwrap();
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, &bytes).unwrap();
            // A bit of the header may say nothing: blanks that pad it, a digit beyond the seconds' precision.
            if let Ok(found) = read(&path) {
                let (found, numbers) = found.unwrap();
                let same = numbers.values().map(Data::bytes).eq(contents.values().map(Data::bytes));
                assert!(found == head && same, "byte {at}");
            }
            fs::write(&path, &whole[..at]).unwrap();
            read(&path).unwrap_err();
        }
    }
}
