//! Fetching from a server on this machine.
mod registry;

use super::download::Client;
use super::fetch::fetch_with;
use super::server::{Answer, Server};
use super::*;
use crate::{Error, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Cursor, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;

/// A raw root, and what was told of the work in it.
struct Place {
    root: tempfile::TempDir,
    told: Vec<String>,
}

impl Place {
    fn new() -> Place {
        Place { root: tempfile::tempdir().unwrap(), told: Vec::new() }
    }

    fn fetch(&mut self, entry: &Entry) -> Result<Fetched> {
        let told = &mut self.told;
        fetch_with(&Client::local(), entry, self.root.path(), &mut |p| told.push(format!("{p:?}")))
    }

    fn error(&mut self, entry: &Entry) -> String {
        self.fetch(entry).unwrap_err().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Whether all that was unfinished is gone.
    fn is_clean(&self) -> bool {
        !self.path(".download").exists()
    }
}

/// An entry `set` of its own, with everything else left out.
fn entry(server: &Server, files: &'static [&'static str], archives: Vec<Archive>) -> Entry {
    let files: Vec<OfficialFile> = files.iter().map(|name| OfficialFile { name, bytes: None }).collect();
    Entry {
        folder: "set",
        home: "",
        terms: "",
        cite: "",
        files: files.leak(),
        instead: &[],
        access: Access::Download { from: server.address, archives: archives.leak() },
    }
}

fn archive(name: &'static str, content: Content, checksum: Option<Checksum>) -> Archive {
    Archive { name, bytes: None, checksum, content }
}

const HELLO: &str = "hello, raw world\n";
/// `git hash-object` of it.
const HELLO_BLOB: Checksum = Checksum::GitBlob("47396f8719702615d25bb8695297ec146f1ec4cd");
const HELLO_MD5: Checksum = Checksum::Md5("61d7f8823a990a14fa750550c6e83f7a");

/// A plain file with a checksum.
fn hello(server: &Server) -> Entry {
    entry(server, &["a.txt"], vec![archive("a.txt", Content::File, Some(HELLO_BLOB))])
}

fn zip(members: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in members {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn tar_gz(members: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, text) in members {
        let mut header = tar::Header::new_gnu();
        // Not `set_path`, which refuses the paths that some tests need.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(text.len() as u64);
        header.set_entry_type(match *text {
            "" => tar::EntryType::Symlink,
            _ => tar::EntryType::Regular,
        });
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

const TWO: &[&str] = &["x.dat", "y.dat"];
const IN_ZIP: Content = Content::Zip(Members { within: "top", files: TWO });
const IN_TAR: Content = Content::TarGz(Members { within: "top/data", files: TWO });

#[test]
fn a_whole_download() {
    let server = Server::new(HELLO.as_bytes(), &[]);
    let mut place = Place::new();
    let fetched = place.fetch(&hello(&server)).unwrap();
    assert_eq!(fetched, Fetched { folder: place.path("set"), written: vec!["a.txt"], kept: vec![] });
    assert_eq!(place.text("set/a.txt"), HELLO);
    assert!(place.is_clean());
    assert_eq!(server.ranges(), [None]);
    let of = HELLO.len();
    let first = format!("Downloading {{ name: \"a.txt\", done: 0, of: Some({of}) }}");
    let last = format!("Checking {{ name: \"a.txt\", done: {of}, of: {of} }}");
    assert_eq!((place.told.first(), place.told.last()), (Some(&first), Some(&last)));
    // Once more: nothing is asked for.
    let again = place.fetch(&hello(&server)).unwrap();
    assert_eq!((again.written, again.kept), (vec![], vec!["a.txt"]));
    assert_eq!(server.ranges().len(), 1);
}

#[test]
fn a_download_that_breaks_off_goes_on() {
    let cuts = [Answer::CutAfter(5), Answer::HangUp, Answer::CutAfter(4)];
    let server = Server::new(HELLO.as_bytes(), &cuts);
    let mut place = Place::new();
    place.fetch(&hello(&server)).unwrap();
    assert_eq!(place.text("set/a.txt"), HELLO);
    let from = |n: usize| Some(format!("bytes={n}-"));
    assert_eq!(server.ranges(), [None, from(5), from(5), from(9)]);
    assert!(server.state.lock().unwrap().requests[1].contains("if-range: \"one\""));
    assert_eq!(place.told.iter().filter(|t| t.starts_with("Waiting")).count(), 3);
    assert!(place.is_clean());
}

#[test]
fn a_later_call_goes_on() {
    let cuts = [Answer::CutAfter(5), Answer::HangUp, Answer::HangUp, Answer::HangUp];
    let server = Server::new(HELLO.as_bytes(), &cuts);
    let mut place = Place::new();
    let message = place.error(&hello(&server));
    assert!(message.contains("4 times in a row; is this machine online"), "{message}");
    assert!(message.contains("goes on where this one stopped"), "{message}");
    assert_eq!(place.text(".download/set/a.txt.part"), HELLO[..5]);
    place.fetch(&hello(&server)).unwrap();
    assert_eq!(server.ranges().last().unwrap().as_deref(), Some("bytes=5-"));
    assert_eq!(place.text("set/a.txt"), HELLO);
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let server = Server::new(HELLO.as_bytes(), &[Answer::CutAfter(5), Answer::Whole]);
    let mut place = Place::new();
    place.fetch(&hello(&server)).unwrap();
    assert_eq!(place.text("set/a.txt"), HELLO);
    // It breaks off at the same place again and again: that has an end.
    let cut = Server::new(HELLO.as_bytes(), &vec![Answer::CutAfter(5); 10]);
    cut.state.lock().unwrap().validator.clear();
    let message = Place::new().error(&hello(&cut));
    assert!(message.contains("broke off after 5 of 17 bytes"), "{message}");
    assert!(cut.ranges().iter().all(Option::is_none), "without a validator no rest is asked for");
}

#[test]
fn a_changed_file_starts_anew() {
    for whole in [true, false] {
        let server = Server::new(
            "HELLO, THE OLD WORLD, LONG AGO\n".as_bytes(),
            &[Answer::CutAfter(5), Answer::HangUp, Answer::HangUp, Answer::HangUp],
        );
        let mut place = Place::new();
        place.error(&hello(&server));
        {
            let mut state = server.state.lock().unwrap();
            state.content = HELLO.into();
            state.validator = "ETag: \"two\"".into();
            if !whole {
                // A server that does not know If-Range sends the rest of another file.
                state
                    .answers
                    .push_back(Answer::Status("206 Partial Content", "Content-Range: bytes 5-16/17"));
            }
        }
        place.fetch(&hello(&server)).unwrap();
        assert_eq!(place.text("set/a.txt"), HELLO);
    }
}

#[test]
fn a_whole_part_needs_no_more_bytes() {
    let server = Server::new(HELLO.as_bytes(), &[]);
    let mut place = Place::new();
    std::fs::create_dir_all(place.path(".download/set")).unwrap();
    std::fs::write(place.path(".download/set/a.txt.part"), HELLO).unwrap();
    std::fs::write(place.path(".download/set/a.txt.validator"), "\"one\"").unwrap();
    place.fetch(&hello(&server)).unwrap();
    assert_eq!(server.ranges(), [Some("bytes=17-".into())]);
    assert_eq!(place.text("set/a.txt"), HELLO);
}

#[test]
fn answers_that_are_no_file() {
    let answered = |status: &'static str| {
        let server = Server::new(HELLO.as_bytes(), &[Answer::Status(status, "")]);
        let message = Place::new().error(&hello(&server));
        assert!(
            message.starts_with(&format!("{}a.txt: the server answers {status}; ", server.address)),
            "{message}"
        );
        assert_eq!(server.ranges().len(), 1, "{status}: asked once");
        message
    };
    assert!(answered("404 Not Found").contains("moved or withdrawn the file: look at the home page"));
    assert!(answered("403 Forbidden").contains("download it in a browser"));
    assert!(answered("418 I'm a teapot").contains("not expected"));
    // These pass.
    let busy = [
        Answer::Status("503 Service Unavailable", "Retry-After: 0"),
        Answer::Status("429 Too Many Requests", ""),
    ];
    let server = Server::new(HELLO.as_bytes(), &busy);
    Place::new().fetch(&hello(&server)).unwrap();
    assert_eq!(server.ranges().len(), 3);
}

#[test]
fn nobody_there() {
    let server = Server::new(&[], &[]);
    let mut gone = hello(&server);
    // A port that nobody listens on any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let Access::Download { archives, .. } = gone.access else { unreachable!() };
    gone.access = Access::Download { from: format!("http://{port}/").leak(), archives };
    let message = Place::new().error(&gone);
    assert!(message.contains("4 times in a row; is this machine online"), "{message}");
    gone.access = Access::Download { from: "http://no-such-host.invalid/", archives };
    let message = Place::new().error(&gone);
    assert!(message.contains("4 times in a row; is this machine online"), "{message}");
}

#[test]
fn a_server_that_does_not_prove_who_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://{}/", listener.local_addr().unwrap()).leak();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]); // What a safe connection begins with.
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let mut plain = hello(&Server::new(&[], &[]));
    let Access::Download { archives, .. } = plain.access else { unreachable!() };
    plain.access = Access::Download { from: address, archives };
    let message = Place::new().error(&plain);
    assert!(message.contains("there is no safe connection to the server"), "{message}");
}

#[test]
fn a_wrong_checksum() {
    for (content, checksum, says) in [
        ("hello, row world\n", Some(HELLO_BLOB), "git's id of what was downloaded is "),
        ("hello, row world\n", Some(HELLO_MD5), "MD5 of what was downloaded is "),
        ("<html>please log in</html>", None, "is no whole gzip file"),
    ] {
        let server = Server::new(content.as_bytes(), &[]);
        let mut place = Place::new();
        let wanted = entry(&server, &["a.gz"], vec![archive("a.gz", Content::File, checksum)]);
        let message = place.error(&wanted);
        assert!(
            message.contains(says) && message.contains("it was deleted: run the same command again"),
            "{message}"
        );
        assert!(!place.path(".download/set/a.gz.part").exists() && !place.path("set").exists());
        server.state.lock().unwrap().content = HELLO.into();
        match checksum {
            Some(_) => assert!(place.fetch(&wanted).is_ok(), "the right one then"),
            None => {
                server.state.lock().unwrap().content = gzip(HELLO);
                assert!(place.fetch(&wanted).is_ok(), "the right one then");
            }
        }
        assert_eq!(server.ranges(), [None, None], "from the start");
    }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    gz.finish().unwrap()
}

#[test]
fn archives_give_the_wanted_files() {
    let zipped = zip(&[("top/", ""), ("top/README", "no"), ("top/y.dat", "why\n"), ("top/x.dat", "ex\n")]);
    let tarred = tar_gz(&[
        ("./top/data/x.dat", "ex\n"),
        ("top/data/more.dat", "no"),
        ("other/x.dat", "no"),
        ("top/data/y.dat", "why\n"),
    ]);
    for (name, bytes, content) in [("a.zip", zipped, IN_ZIP), ("a.tar.gz", tarred, IN_TAR)] {
        let server = Server::new(&bytes, &[Answer::CutAfter(50)]);
        let mut place = Place::new();
        let wanted = entry(&server, TWO, vec![archive(name, content, None)]);
        place.fetch(&wanted).unwrap();
        assert_eq!((place.text("set/x.dat"), place.text("set/y.dat")), ("ex\n".into(), "why\n".into()));
        assert_eq!(std::fs::read_dir(place.path("set")).unwrap().count(), 2, "{name}: nothing else");
        assert!(place.is_clean(), "{name}");
        assert!(place.told.contains(&"Unpacking { name: \"x.dat\", done: 3, of: 3 }".to_string()));
    }
}

#[test]
fn existing_files_are_kept() {
    let bytes = zip(&[("top/x.dat", "ex\n"), ("top/y.dat", "why\n")]);
    let server = Server::new(&bytes, &[]);
    let mut place = Place::new();
    std::fs::create_dir(place.path("set")).unwrap();
    std::fs::write(place.path("set/x.dat"), "mine\n").unwrap();
    let fetched = place.fetch(&entry(&server, TWO, vec![archive("a.zip", IN_ZIP, None)])).unwrap();
    assert_eq!((fetched.written, fetched.kept), (vec!["y.dat"], vec!["x.dat"]));
    assert_eq!((place.text("set/x.dat"), place.text("set/y.dat")), ("mine\n".into(), "why\n".into()));
    assert!(place.is_clean());
}

#[test]
fn the_raw_folder_may_lie_on_another_disk() {
    let Ok(disk) = tempfile::tempdir_in("/dev/shm") else { return };
    let server = Server::new(HELLO.as_bytes(), &[]);
    let mut place = Place::new();
    std::os::unix::fs::symlink(disk.path(), place.path("set")).unwrap();
    assert_eq!(place.fetch(&hello(&server)).unwrap().written, ["a.txt"]);
    assert_eq!(std::fs::read_to_string(disk.path().join("a.txt")).unwrap(), HELLO);
    assert_eq!(std::fs::read_dir(disk.path()).unwrap().count(), 1);
    assert!(place.is_clean());
}

#[test]
fn files_come_one_by_one_and_into_folders() {
    let server = Server::new(HELLO.as_bytes(), &[Answer::File, Answer::Status("404 Not Found", "")]);
    let names: &[&str] = &["one/ratings.dat", "two/ratings.dat"];
    let wanted = || names.iter().map(|n| archive(n, Content::File, Some(HELLO_BLOB))).collect();
    let mut place = Place::new();
    place.error(&entry(&server, &["one/ratings.dat", "two/ratings.dat"], wanted()));
    assert!(!place.path("set").exists(), "the folder appears complete");
    place.fetch(&entry(&server, &["one/ratings.dat", "two/ratings.dat"], wanted())).unwrap();
    assert_eq!(server.state.lock().unwrap().requests.len(), 3, "the first file is not asked for again");
    assert_eq!(
        (place.text("set/one/ratings.dat"), place.text("set/two/ratings.dat")),
        (HELLO.into(), HELLO.into())
    );
}

#[test]
fn archives_that_are_refused() {
    let refused = |name: &'static str, bytes: Vec<u8>, content: Content| {
        let server = Server::new(&bytes, &[]);
        let mut place = Place::new();
        let message = place.error(&entry(&server, TWO, vec![archive(name, content, None)]));
        assert!(message.contains("the archive is not as it should be"), "{message}");
        assert!(message.contains("it was deleted"), "{message}");
        assert!(!place.path("set").exists() && !place.path(".download/set").join(name).exists());
        assert!(!place.path("evil").exists() && !place.path(".download/evil").exists());
        message
    };
    let x = ("top/data/x.dat", "ex\n");
    let message = refused("a.tar.gz", tar_gz(&[x]), IN_TAR);
    assert!(message.contains("it lacks y.dat"), "{message}");
    for path in ["../evil", "top/../../evil", "/evil"] {
        let message = refused("a.tar.gz", tar_gz(&[x, (path, "evil"), ("top/data/y.dat", "why")]), IN_TAR);
        assert!(message.contains(&format!("it names the path {path}, outside itself")), "{message}");
    }
    let message =
        refused("a.zip", zip(&[("../../evil", "evil"), ("top/x.dat", "ex\n"), ("top/y.dat", "")]), IN_ZIP);
    assert!(message.contains("outside itself"), "{message}");
    let message = refused("a.tar.gz", tar_gz(&[x, ("top/data/y.dat", "")]), IN_TAR);
    assert!(message.contains("top/data/y.dat is no file in it"), "a link: {message}");
    let message = refused("a.zip", b"PK no zip".to_vec(), IN_ZIP);
    assert!(!message.contains("panic"), "{message}");
}

#[test]
fn a_full_disk() {
    // What is written to this device finds no space.
    let server = Server::new(HELLO.as_bytes(), &[]);
    let mut place = Place::new();
    std::fs::create_dir_all(place.path(".download/set")).unwrap();
    std::os::unix::fs::symlink("/dev/full", place.path(".download/set/a.txt.part")).unwrap();
    let message = place.error(&hello(&server));
    assert!(message.contains("no space is left on the disk"), "{message}");
    assert!(message.contains("is kept: make room and run the same command again"), "{message}");
    assert!(place.path(".download/set/a.txt.part").symlink_metadata().is_ok());
}

#[test]
fn one_at_a_time() {
    let server = Server::new(HELLO.as_bytes(), &[]);
    let mut place = Place::new();
    std::fs::create_dir_all(place.path(".download/set")).unwrap();
    let lock = std::fs::File::create(place.path(".download/set/lock")).unwrap();
    lock.lock().unwrap();
    assert!(place.error(&hello(&server)).contains("another process fetches this dataset"));
    drop(lock);
    place.fetch(&hello(&server)).unwrap();
}

#[test]
fn what_needs_an_account_is_explained() {
    let mut place = Place::new();
    let error = place.fetch(Entry::of("ali-ccp").unwrap()).unwrap_err();
    assert!(matches!(error, Error::Fetch { .. }));
    let message = error.to_string();
    assert!(message.contains("https://tianchi.aliyun.com/dataset/408"), "{message}");
    assert!(message.contains("\n2. download sample_train.tar.gz and sample_test.tar.gz"), "{message}");
    assert!(std::fs::read_dir(place.root.path()).unwrap().next().is_none(), "nothing is made");
}
