//! `users.dat` and `u.user`: gender, age, occupation, zip code.
use super::{Layout, MAX_ID};
use crate::Result;
use crate::ids::RowOf;
use crate::text::{Bad, Fields, latin1, parse_lines, show};
use std::path::Path;

/// The codes of `users.dat`: the youngest age of a group, 1 for those under 18.
pub const AGE_GROUPS: [u32; 7] = [1, 18, 25, 35, 45, 50, 56];

/// The words of `u.user`, in alphabetical order; their places are the ids. `users.dat` has numbers instead, of other
/// occupations but just as many.
pub const OCCUPATIONS: [&str; 21] = [
    "administrator",
    "artist",
    "doctor",
    "educator",
    "engineer",
    "entertainment",
    "executive",
    "healthcare",
    "homemaker",
    "lawyer",
    "librarian",
    "marketing",
    "none",
    "other",
    "programmer",
    "retired",
    "salesman",
    "scientist",
    "student",
    "technician",
    "writer",
];

/// The users, in file order.
#[derive(Clone, Debug, Default)]
pub struct Users {
    /// Raw id.
    pub id: Vec<u32>,
    /// 0 for F, 1 for M.
    pub gender: Vec<u32>,
    /// 1M: one of [`AGE_GROUPS`]; 100K: years.
    pub age: Vec<u32>,
    /// 1M: the code, 0 to 20; 100K: place in [`OCCUPATIONS`].
    pub occupation: Vec<u32>,
    /// Zip code as it stands in the file.
    pub zip: Vec<String>,
    row_of: RowOf,
}

impl Users {
    /// The row of the user with this raw id.
    pub fn row(&self, id: u32) -> Option<usize> {
        self.row_of.get(id)
    }

    /// Largest raw id plus one.
    pub fn table_rows(&self) -> usize {
        self.row_of.size()
    }

    pub(super) fn parse(layout: Layout, file: &Path, bytes: &[u8]) -> Result<Users> {
        let row = match layout {
            Layout::M1 => "UserID::Gender::Age::Occupation::Zip-code",
            Layout::K100 => "user id|age|gender|occupation|zip code",
        };
        let parts = parse_lines(file, bytes, row, |out: &mut Users, line| match layout {
            Layout::M1 => line_1m(out, line),
            Layout::K100 => line_100k(out, line),
        })?;
        let mut all = Users::default();
        for mut p in parts {
            all.id.append(&mut p.id);
            all.gender.append(&mut p.gender);
            all.age.append(&mut p.age);
            all.occupation.append(&mut p.occupation);
            all.zip.append(&mut p.zip);
        }
        all.row_of = RowOf::unique(file, "user", 1, &all.id)?;
        Ok(all)
    }
}

fn line_1m(out: &mut Users, line: &[u8]) -> std::result::Result<(), Bad> {
    let mut f = Fields::new(line, b"::");
    let id = f.number("the user id", 1, MAX_ID)? as u32;
    let gender = gender(&mut f)?;
    let column = f.column();
    let age = f.number("the age group", 1, 56)? as u32;
    if !AGE_GROUPS.contains(&age) {
        let expected = "an age group: 1, 18, 25, 35, 45, 50 or 56".into();
        return Err(Bad { column, found: format!("\"{age}\""), expected });
    }
    let occupation = f.number("the occupation", 0, 20)? as u32;
    let zip = zip(&mut f)?;
    out.push(id, gender, age, occupation, zip);
    Ok(())
}

fn line_100k(out: &mut Users, line: &[u8]) -> std::result::Result<(), Bad> {
    let mut f = Fields::new(line, b"|");
    let id = f.number("the user id", 1, MAX_ID)? as u32;
    let age = f.number("the age in years", 1, 120)? as u32;
    let gender = gender(&mut f)?;
    let column = f.column();
    let word = f.text("the occupation")?;
    let Some(occupation) = OCCUPATIONS.iter().position(|o| o.as_bytes() == word) else {
        let expected = "an occupation of u.occupation, for example \"student\"".into();
        return Err(Bad { column, found: show(word), expected });
    };
    let zip = zip(&mut f)?;
    out.push(id, gender, age, occupation as u32, zip);
    Ok(())
}

fn gender(f: &mut Fields) -> std::result::Result<u32, Bad> {
    let column = f.column();
    match f.text("the gender, F or M")? {
        b"F" => Ok(0),
        b"M" => Ok(1),
        other => Err(Bad { column, found: show(other), expected: "the gender, F or M".into() }),
    }
}

/// The last field. Zip codes are strings: leading zeros, hyphens, letters (Canada), no fixed length.
fn zip(f: &mut Fields) -> std::result::Result<String, Bad> {
    let column = f.column();
    let zip = f.text("the zip code")?;
    if zip.is_empty() || !zip.iter().all(u8::is_ascii_graphic) {
        let expected = "the zip code, in visible ASCII characters".into();
        return Err(Bad { column, found: show(zip), expected });
    }
    f.end("the zip code")?;
    Ok(latin1(zip))
}

impl Users {
    fn push(&mut self, id: u32, gender: u32, age: u32, occupation: u32, zip: String) {
        self.id.push(id);
        self.gender.push(gender);
        self.age.push(age);
        self.occupation.push(occupation);
        self.zip.push(zip);
    }
}
