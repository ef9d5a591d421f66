//! Simulated tables as raw files in the official layouts.
use super::world::{Row, World};
use crate::movielens::{AGE_GROUPS, GENRES, Layout, OCCUPATIONS};
use std::io::Write;

pub(super) fn ratings(layout: Layout, rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::with_capacity(26 * rows.len());
    for Row { user, item, rating, time, .. } in rows {
        let (user, item) = (user + 1, item + 1);
        match layout {
            Layout::M1 => writeln!(out, "{user}::{item}::{rating}::{time}"),
            Layout::K100 => writeln!(out, "{user}\t{item}\t{rating}\t{time}"),
        }
        .expect("writing to memory");
    }
    out
}

pub(super) fn users(layout: Layout, world: &World) -> Vec<u8> {
    let mut out = Vec::new();
    for (user, id) in world.users.iter().zip(1..) {
        let gender = if user.male { 'M' } else { 'F' };
        let age = AGE_GROUPS[user.age_group];
        let (occupation, zip) = (user.occupation, user.zip);
        match layout {
            Layout::M1 => writeln!(out, "{id}::{gender}::{age}::{occupation}::{zip}"),
            Layout::K100 => {
                // The youngest group is called 1; its members are teenagers.
                let years = if age == 1 { 12 + user.age_extra } else { age + user.age_extra };
                writeln!(out, "{id}|{years}|{gender}|{}|{zip}", OCCUPATIONS[occupation])
            }
        }
        .expect("writing to memory");
    }
    out
}

pub(super) fn movies(layout: Layout, world: &World) -> Vec<u8> {
    let mut out = Vec::new();
    for (item, id) in world.items.iter().zip(1..) {
        let (title, year) = (&item.title, item.year);
        let line = match layout {
            Layout::M1 => {
                let genres: Vec<&str> = item.genres.iter().map(|g| GENRES[usize::from(*g)]).collect();
                format!("{id}::{title}::{}\n", genres.join("|"))
            }
            Layout::K100 => {
                let flag = |g: usize| if item.genres.contains(&(g as u8)) { "1" } else { "0" };
                let flags: Vec<&str> = (0..GENRES.len()).map(flag).collect();
                format!("{id}|{title}|01-Jan-{year}|||{}\n", flags.join("|"))
            }
        };
        out.extend(line.chars().map(|c| c as u8)); // Latin-1, as the official files are.
    }
    out
}
