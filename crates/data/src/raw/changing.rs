//! Tests: large files that change while they are read, of every loader that has some.
use crate::simulate::{SimulateConfig, simulate};
use crate::view::Loaded;
use crate::{AliCcpBehaviours, Combinations, CountRows, Error, Loader, Result, ali_ccp, cikm_ecomm};
use std::path::Path;

/// Reads simulated files in the loader's way; `edit` is applied to one of them after it was opened or, where `later`, counted.
fn read(loader: &Loader, file: &str, later: bool, edit: impl FnOnce(&Path)) -> Result<usize> {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("raw");
    let rows = if let Loader::AliCcp(_) = loader { 20_000 } else { 100 };
    simulate(loader.simulator(), SimulateConfig { users: 50, items: 100, rows, seed: 1 }, &folder).unwrap();
    let raw = loader.format().raw_files(&folder).unwrap();
    let edit = || edit(&folder.join(file));
    if !later {
        edit();
        return loader.format().load(&raw).map(|_| 0);
    }
    let Loaded::Stream(stream) = loader.format().load(&raw)? else { panic!("all rows at once") };
    edit();
    let mut rows = 0;
    (stream.rows)(&mut |own, _| {
        rows += own.len();
        Ok(())
    })?;
    Ok(rows)
}

fn loaders() -> [(Loader, &'static [&'static str]); 2] {
    let behaviours = AliCcpBehaviours::Clicks { max_len: 5 };
    let combinations = Combinations::IdAndValue;
    let clicks = Loader::AliCcp(ali_ccp::Settings { min_count: 2, combinations, behaviours });
    let cikm = Loader::CikmEcomm(cikm_ecomm::Settings { count: CountRows::All });
    // Those that are read twice.
    [(clicks, &ali_ccp::FILES[..2]), (cikm, &cikm_ecomm::FILES[..1])]
}

#[track_caller]
fn expect_change(loader: &Loader, file: &str, later: bool, edit: impl FnOnce(&Path)) {
    let error = read(loader, file, later, edit).unwrap_err();
    let message = error.to_string();
    let Error::Changed { file: path } = error else { panic!("{message}") };
    assert!(path.ends_with(file), "{message}");
    assert!(message.ends_with(": the file changed while it was read; start again when nothing writes to it"));
}

#[test]
fn a_change_is_an_error() {
    for (loader, files) in loaders() {
        assert!(read(&loader, files[0], true, |_| ()).unwrap() > 0);
        for file in files {
            for later in [false, true] {
                let lines = |path: &Path| std::fs::read(path).unwrap();
                expect_change(&loader, file, later, |path| {
                    let text = lines(path);
                    std::fs::write(path, [&text[..], b"more\n"].concat()).unwrap();
                });
                expect_change(&loader, file, later, |path| {
                    let text = lines(path);
                    std::fs::write(path, &text[..text.len() / 2]).unwrap();
                });
                expect_change(&loader, file, later, |path| std::fs::write(path, "").unwrap());
                // Another file of the same length.
                expect_change(&loader, file, later, |path| {
                    let other = path.with_extension("other");
                    std::fs::copy(path, &other).unwrap();
                    std::fs::rename(other, path).unwrap();
                });
            }
        }
    }
}

/// A change that only the content tells: same file, same length, same time.
fn secretly(path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let modified = path.metadata().unwrap().modified().unwrap();
    let mut text = std::fs::read(path).unwrap();
    let len = text.len();
    edit(&mut text);
    assert_eq!(text.len(), len);
    std::fs::write(path, text).unwrap();
    std::fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

/// Makes the number that begins here another one, of as many digits, that stands nowhere between these bytes.
fn renumber(text: &mut [u8], place: usize, between: [char; 2]) {
    let digits = text[place..].iter().take_while(|b| b.is_ascii_digit()).count();
    let least = 10usize.pow(digits as u32 - 1);
    let [before, after] = between;
    let unused = |n: &usize| memchr::memmem::find(text, format!("{before}{n}{after}").as_bytes()).is_none();
    let new = (least..10 * least).find(unused).unwrap().to_string();
    text[place..place + digits].copy_from_slice(new.as_bytes());
}

#[test]
fn what_was_not_counted_before_is_a_change() {
    for (loader, files) in loaders() {
        for file in files {
            // A user, or the scenario of the last row. (The first one is left out.)
            expect_change(&loader, file, true, |path| {
                secretly(path, |text| {
                    let scenario = memchr::memmem::rfind(text, b"301\x02").map(|at| at + 4);
                    let lines = memchr::memchr_iter(b'\n', &text[..text.len() - 1]).map(|at| at + 1);
                    let digits = |at: &usize| text[*at..].iter().take_while(|b| b.is_ascii_digit()).count();
                    let user = lines.max_by_key(digits).unwrap();
                    match scenario {
                        Some(place) => renumber(text, place, ['\u{2}', '\u{3}']),
                        None => renumber(text, user, ['\n', ',']),
                    }
                });
            });
            // The second line is not there, and as many lines have a zero before their first number.
            expect_change(&loader, file, true, |path| {
                secretly(path, |text| {
                    let mut lines: Vec<Vec<u8>> = text.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
                    let less = lines.remove(1).len() + 1;
                    lines[..less].iter_mut().for_each(|line| line.insert(0, b'0'));
                    *text = lines.join(&b'\n');
                });
            });
        }
    }
}
