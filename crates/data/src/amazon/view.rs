//! Amazon's categories as Diff-MSR sees them: the fields domain, user and item, as for Douban.
//!
//! Users and items are numbered by first appearance over all three files, before rows of Beauty are left out, so
//! that a reviewer or a product has the same number in all domains.
use super::{COLD, DOMAINS, NO_CLICK, Settings, Tables, Thin};
use crate::view::{Builder, Chosen, View, gather};
use crate::{Column, Kind, Part, Role};

/// Builds schema, columns, labels and the split by date.
pub(super) fn view(raw: Tables, settings: Settings) -> View {
    let Tables { reviews, lines } = raw;
    let part: Vec<Part> = reviews.time.iter().map(|time| settings.part(*time)).collect();
    let (mut rows, mut domain, mut item_vocabulary) = (Vec::new(), Vec::new(), Vec::new());
    let mut first = 0;
    for (number, lines) in lines.into_iter().enumerate() {
        let own = first..first + lines;
        let thin = if number == COLD { settings.thin } else { Thin::None };
        let kept = thin.kept(&reviews.user[own.clone()], &reviews.time[own.clone()], &part[own.clone()]);
        tracing::info!("{}: {} of {lines} rows are kept ({thin:?})", DOMAINS[number], kept.len());
        item_vocabulary.push(distinct(&reviews.item[own], reviews.items.len()));
        domain.resize(domain.len() + kept.len(), number as u16);
        rows.extend(kept.iter().map(|row| first as u32 + row));
        first += lines;
    }

    let mut out = Builder::default();
    let domains = Column::Id(domain.iter().map(|d| u32::from(*d)).collect());
    out.ids("domain", Role::Scenario, Kind::Id, DOMAINS.len(), domains);
    let users = Column::Id(gather(&reviews.user, &rows));
    out.ids("user_id", Role::User, Kind::Id, reviews.users.len(), users);
    let items = Column::Id(gather(&reviews.item, &rows));
    out.ids("item_id", Role::Item, Kind::Id, reviews.items.len(), items);
    let click = gather(&reviews.rating, &rows).into_iter().map(|r| u8::from(r > NO_CLICK)).collect();
    let view = out.view([("click", click)]).with_time(gather(&reviews.time, &rows));
    let view = view.with_part(gather(&part, &rows));
    View {
        item_vocabulary: Some(item_vocabulary),
        chosen: Some(Chosen { of: first, rows }),
        ..view.with_scenarios(DOMAINS.map(String::from).to_vec(), domain)
    }
}

/// How many distinct ones there are of ids below `size`.
fn distinct(ids: &[u32], size: usize) -> usize {
    let mut seen = vec![false; size];
    ids.iter().for_each(|id| seen[*id as usize] = true);
    seen.into_iter().filter(|seen| *seen).count()
}
