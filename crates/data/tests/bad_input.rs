//! Broken files of MovieLens, message by message. (`bad_matrix` breaks every file of every dataset.)
use crate::common::{Place, config, line, message};

#[track_caller]
fn expect(layout: &str, file: &str, edit: impl Fn(Vec<u8>) -> Vec<u8>, want: &str) {
    assert_eq!(message(&config(layout), file, edit), want);
}

#[test]
fn ratings_1m() {
    let check =
        |n, text, want: &str| expect("1m", "ratings.dat", line(n, text), &format!("ratings.dat:{n}:{want}"));
    let time = "the time in seconds since 1970, a whole number";
    check(3, "1::5::4", &format!("8: found the end of the line, expected {time}"));
    check(
        3,
        "1::5::4::978311000::9",
        "21: found an extra field, \"9\", expected the end of the line after the time",
    );
    check(
        3,
        "1::5::4::978311000::",
        "21: found an extra field, an empty field, expected the end of the line after the time",
    );
    check(
        1,
        "1::2x::1::978313000",
        "4: found \"2x\", expected the movie id, a whole number from 1 to 50000000",
    );
    check(
        37,
        "nine::3::1::978313000",
        "1: found \"nine\", expected the user id, a whole number from 1 to 50000000",
    );
    check(4, "1::6::6::978301000", "7: found \"6\", expected the rating, a whole number from 1 to 5");
    check(4, "1::6::0::978301000", "7: found \"0\", expected the rating, a whole number from 1 to 5");
    check(4, "1::6::4.5::978301000", "7: found \"4.5\", expected the rating, a whole number from 1 to 5");
    check(4, "1::6::-4::978301000", "7: found \"-4\", expected the rating, a whole number from 1 to 5");
    check(4, "1::6::::978301000", "7: found an empty field, expected the rating, a whole number from 1 to 5");
    check(5, "77::6::4::978301000", "1: found \"77\", expected an id that occurs in users.dat");
    check(5, "1::4::4::978301000", "4: found \"4\", expected an id that occurs in movies.dat");
    check(
        5,
        "1:6:4:978301000",
        "1: found \"1:6:4:978301000\", expected the user id, a whole number from 1 to 50000000",
    );
    check(5, "", "1: found an empty line, expected the user id, a whole number");
    check(6, "1::6::4::97830", &format!("10: found \"97830\", expected {time} from 631152000 to 4102444800"));
    check(
        5,
        "1::2::4::978301000",
        "1: found a second rating of movie 2 by user 1 (the first is in line 1), expected one rating per user and movie",
    );
    check(
        2,
        "1::3::2::978324000\r",
        "19: found a carriage return, expected lines that end in a single line feed, as in the official file",
    );
}

#[test]
fn files_cut_at_any_byte() {
    let whole = "expected a whole line UserID::MovieID::Rating::Timestamp ending in a line feed";
    for cut in [1, 3, 8, 17] {
        let message = message(&config("1m"), "ratings.dat", |mut b| {
            b.truncate(b.len() - cut);
            b
        });
        let found = "found the end of the file in the middle of line 37 (no line feed after it)";
        assert_eq!(message, format!("ratings.dat:37:{}: {found}, {whole}", 20 - cut), "{cut}");
    }
}

#[test]
fn users_1m() {
    let check =
        |n, text, want: &str| expect("1m", "users.dat", line(n, text), &format!("users.dat:{n}:{want}"));
    check(2, "1::M::18::3::91234", "1: found user 1 again (first in line 1), expected one line per user");
    check(3, "3::X::25::6::55001", "4: found \"X\", expected the gender, F or M");
    check(3, "3::M::26::6::55001", "7: found \"26\", expected an age group: 1, 18, 25, 35, 45, 50 or 56");
    check(3, "3::M::25::21::55001", "11: found \"21\", expected the occupation, a whole number from 0 to 20");
    check(3, "3::M::25::6", "12: found the end of the line, expected the zip code");
    check(3, "3::M::25::6::", "14: found an empty field, expected the zip code, in visible ASCII characters");
    check(
        3,
        "3::M::25::6::55001::x",
        "21: found an extra field, \"x\", expected the end of the line after the zip code",
    );
    check(3, "0::M::25::6::55001", "1: found \"0\", expected the user id, a whole number from 1 to 50000000");
}

#[test]
fn movies_1m() {
    let check =
        |n, text, want: &str| expect("1m", "movies.dat", line(n, text), &format!("movies.dat:{n}:{want}"));
    let year = "expected a title that ends in its year, \"(YYYY)\"";
    check(2, "3::Café Ülrich::Comedy", &format!("4: found \"Café Ülrich\", {year}"));
    check(2, "3::Café Ülrich (1994) ::Comedy", &format!("4: found \"Café Ülrich (1994) \", {year}"));
    check(2, "3::(1994)::Comedy", &format!("4: found \"(1994)\", {year}"));
    check(
        2,
        "2::Other (1994)::Comedy",
        "1: found movie 2 again (first in line 1), expected one line per movie",
    );
    let genre = "expected one of the 18 genres of MovieLens-1M, for example \"Drama\"";
    check(2, "3::Café (1994)::Comedy|Dram|War", &format!("24: found \"Dram\", {genre}"));
    check(2, "3::Café (1994)::", &format!("17: found an empty field, {genre}"));
    check(2, "3::Café (1994)::War|War", "21: found \"War\" again, expected every genre once");
    check(2, "3::Café (1994)", "15: found the end of the line, expected the genres");
    check(2, "3::A :: B (1994)::War", &format!("4: found \"A \", {year}"));
}

#[test]
fn files_100k() {
    let check =
        |file, n, text, want: &str| expect("100k", file, line(n, text), &format!("{file}:{n}:{want}"));
    check(
        "u.data",
        4,
        "1\t3\t9\t881250949",
        "5: found \"9\", expected the rating, a whole number from 1 to 5",
    );
    check(
        "u.data",
        4,
        "1 3 3 881250949",
        "1: found \"1 3 3 881250949\", expected the user id, a whole number from 1 to 50000000",
    );
    check("u.data", 4, "1\t99\t3\t881250949", "3: found \"99\", expected an id that occurs in u.item");
    check(
        "u.user",
        2,
        "2|22|M|wizard|12345",
        "8: found \"wizard\", expected an occupation of u.occupation, for example \"student\"",
    );
    check(
        "u.user",
        2,
        "2|200|M|writer|12345",
        "3: found \"200\", expected the age in years, a whole number from 1 to 120",
    );
    let flags = "0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|0|0|0";
    let item = |text: String| -> &'static str { text.leak() };
    check(
        "u.item",
        2,
        item(format!("2|A (1994)|5-Mai-1994|||0|{flags}")),
        "12: found \"5-Mai-1994\", expected a release date like 01-Jan-1995, or nothing",
    );
    check(
        "u.item",
        2,
        item(format!("2|A (1994)|05-Mar-1994|||{flags}")),
        "61: found the end of the line, expected the flag of genre Western, a whole number",
    );
    check(
        "u.item",
        2,
        item(format!("2|A (1994)|05-Mar-1994|||2|{flags}")),
        "26: found \"2\", expected the flag of genre unknown, a whole number from 0 to 1",
    );
    check(
        "u.item",
        2,
        item(format!("2|A (1994)|05-Mar-1994|||0|{flags}|0")),
        "64: found an extra field, \"0\", expected the end of the line after the genre flags",
    );
    check(
        "u.item",
        2,
        item(format!("2|A (1994)|05-Mar-1994|||0|{}", flags.replace('1', "0"))),
        "26: found no genre flag set, expected at least one genre",
    );
    check(
        "u.item",
        2,
        item(format!("2||05-Mar-1994|||0|{flags}")),
        "3: found an empty field, expected the title",
    );
}

#[test]
fn probabilities_of_another_length() {
    let place = Place::new();
    let path = place.raw("1m", "click_probability.f32");
    std::fs::write(&path, [0; 35 * 4]).unwrap();
    let message = place.prepare(&config("1m")).unwrap_err().to_string();
    assert!(
        message.ends_with("found 140 bytes, expected 37 probabilities of 4 bytes each, one per row"),
        "{message}"
    );
}

#[test]
fn no_folder() {
    let place = Place::new();
    let folder = place.roots.raw.join("movielens-1m");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();
    let message = || place.prepare(&config("1m")).unwrap_err().to_string();
    let want =
        format!("{}: found something that is no folder, expected a folder with raw files", folder.display());
    assert_eq!(message(), want);
    // A link to nowhere is no reason to simulate.
    std::fs::remove_file(&folder).unwrap();
    std::os::unix::fs::symlink("/nowhere", &folder).unwrap();
    let message = message();
    assert!(
        message.starts_with(&format!("{}: cannot read the folder: No such file", folder.display())),
        "{message}"
    );
}

#[test]
fn files_that_memory_cannot_hold() {
    let place = Place::new();
    // A file with a hole takes no room on the disk.
    std::fs::File::options()
        .write(true)
        .open(place.raw("1m", "ratings.dat"))
        .unwrap()
        .set_len(1 << 43)
        .unwrap();
    let message = place.prepare(&config("1m")).unwrap_err().to_string();
    assert!(
        message.contains("movielens-1m: 8796 GB of raw files need about 8192 GiB of memory, and "),
        "{message}"
    );
}
