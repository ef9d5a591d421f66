//! The columns: of the row, of its user and item, and of what the user clicked before.
use super::{DAY, ITEM_COLUMNS, POSITIONS, Settings, Tables, USER_COLUMNS, USER_VALUES};
use crate::view::{Builder, View, gather};
use crate::{Column, Kind, Part, Role, Sequence, Spans, Tokens};
use std::sync::Arc;

/// Fields of the row's own.
const CONTEXT: [&str; 2] = ["hour", "position"];

/// Every field that can be asked for.
pub(super) fn offered() -> impl Iterator<Item = &'static str> {
    USER_COLUMNS.into_iter().chain(ITEM_COLUMNS).chain(CONTEXT)
}

/// Builds schema, columns and labels. A row's behaviours are its user's clicks at earlier times, those before the log
/// included.
pub(super) fn view(raw: Tables, settings: &Settings) -> View {
    let Tables { impressions, users, items, histories } = raw;
    let (scenarios, item_values) = (settings.market.scenarios(), settings.market.item_values());
    let mut out = Builder::default();
    for name in &settings.features {
        let name = name.as_str();
        if let Some((values, n)) = of(name, &USER_COLUMNS, &users, &USER_VALUES) {
            out.ids(name, Role::User, Kind::Id, n, Column::Id(gather(&values, &impressions.user)));
        } else if let Some((values, n)) = of(name, &ITEM_COLUMNS, &items, &item_values) {
            out.ids(name, Role::Item, Kind::Id, n, Column::Id(gather(&values, &impressions.item)));
        } else if name == CONTEXT[0] {
            let hour = impressions.time.iter().map(|t| (t.rem_euclid(DAY) / 3600) as u32).collect();
            out.ids(name, Role::Context, Kind::Id, 24, Column::Id(hour));
        } else {
            out.ids(name, Role::Context, Kind::Id, POSITIONS, Column::Id(impressions.position.clone()));
        }
    }
    let scenario = impressions.scenario.iter().map(|s| u32::from(*s)).collect();
    out.ids("scenario", Role::Scenario, Kind::Id, scenarios.len(), Column::Id(scenario));

    let clicks = Clicks::new(&impressions, &histories, users.id.len());
    let spans = Arc::new(clicks.spans);
    for name in &settings.behaviours {
        let (values, _) = of(name, &ITEM_COLUMNS, &items, &item_values).expect("a checked configuration");
        let tokens = Tokens { values: gather(&values, &clicks.item), ..Tokens::default() };
        let sequence = Sequence { spans: spans.clone(), tokens: Arc::new(tokens) };
        out.sequence(&format!("behaviours.{name}"), name, settings.max_len, sequence);
    }
    let part = |t: &i64| match t {
        t if *t >= settings.test_from => Part::Test,
        t if *t >= settings.valid_from => Part::Valid,
        _ => Part::Train,
    };
    let part = impressions.time.iter().map(part).collect();
    let view = out.view([("click", impressions.click)]).with_time(impressions.time);
    let view = view.with_scenarios(scenarios, impressions.scenario);
    view.with_part(part).with_session(impressions.session)
}

/// The values of a column of users or items by row, and how many there are; ids are numbered by row.
fn of(name: &str, columns: &[&str], table: &super::Table, values: &[usize]) -> Option<(Vec<u32>, usize)> {
    match columns.iter().position(|c| *c == name)? {
        0 => Some(((0..table.id.len() as u32).collect(), table.id.len())),
        place => Some((table.attributes[place - 1].clone(), values[place - 1])),
    }
}

/// All clicks, user by user, each in order of time.
struct Clicks {
    /// Rows of the table of items.
    item: Vec<u32>,
    /// Those before each impression.
    spans: Spans,
}

impl Clicks {
    fn new(impressions: &super::Impressions, histories: &super::Histories, users: usize) -> Self {
        let mut of_user: Vec<Vec<(i64, u32)>> = vec![Vec::new(); users];
        let earlier = histories.user.iter().zip(&histories.time).zip(&histories.item);
        earlier.for_each(|((user, time), item)| of_user[*user as usize].push((*time, *item)));
        let rows = 0..impressions.user.len();
        for row in rows.clone().filter(|row| impressions.click[*row] == 1) {
            of_user[impressions.user[row] as usize].push((impressions.time[row], impressions.item[row]));
        }
        of_user.iter_mut().for_each(|clicks| clicks.sort_by_key(|c| c.0)); // Stable: the log's order.
        let first: Vec<u32> = of_user
            .iter()
            .scan(0, |sum, clicks| {
                let own = *sum;
                *sum += clicks.len() as u32;
                Some(own)
            })
            .collect();
        let start: Vec<u32> = gather(&first, &impressions.user);
        let before = |row: usize| {
            let clicks = &of_user[impressions.user[row] as usize];
            clicks.partition_point(|c| c.0 < impressions.time[row]) as u32
        };
        let end = rows.map(|row| start[row] + before(row)).collect();
        let item = of_user.iter().flatten().map(|c| c.1).collect();
        Self { item, spans: Spans { start, end } }
    }
}
