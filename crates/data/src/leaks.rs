//! What a model could learn from that it will not have: looked for whenever a cache is made.
//!
//! Splits look after themselves: that no row is in two parts, and what else a plan promises, is checked where a plan is applied.
use crate::{Column, Dataset, DatasetConfig, Error, Field, FittedOn, Kind, Result, Splits};
use rayon::prelude::*;
use std::ops::Range;

/// Values with fewer rows than this say nothing about a field.
const ENOUGH: u32 = 20;

/// Tables of no more ids are codes and buckets, of which one without a training row tells nothing.
const CODES: usize = 32;

/// An error where
/// - a field is a raw column that is known only after the row was shown ([`Loader::outcomes`](crate::Loader::outcomes)),
/// - a field alone tells a label: all values of an id field that have [`ENOUGH`] rows have one label only, or a number separates
///   the labels,
/// - numbers of ids or scales of real numbers follow from more than training rows ([`FittedOn::Training`]): other rows have ids that no
///   training row has, or training rows do not reach from 0 to 1.
pub(crate) fn check(config: &DatasetConfig, data: &Dataset, splits: &Splits) -> Result<()> {
    let leak = |message: String| Err(Error::Leak { dataset: data.name.clone(), message });
    let outcomes = config.loader.outcomes();
    let base = |field: &Field| field.name.rsplit('.').next().unwrap_or_default().to_string();
    if let Some(field) = data.schema.fields.iter().find(|f| outcomes.contains(&base(f).as_str())) {
        return leak(format!("the field {:?} is known only after a row was shown", field.name));
    }
    let seen = Seen::of(data, splits)?;
    for (field, seen) in data.schema.fields.iter().zip(&seen.fields) {
        if let Some(task) = seen.tells(&data.schema.tasks) {
            return leak(format!("the field {:?} alone tells the label {task:?}", field.name));
        }
        if config.fitted_on == FittedOn::Training
            && let Some(message) = seen.beyond_training()
        {
            return leak(format!(
                "the field {:?} is fitted on more than training rows: {message}; `fitted_on: all` in the dataset file allows it",
                field.name
            ));
        }
    }
    Ok(())
}

/// What was seen of every field.
struct Seen {
    fields: Vec<SeenField>,
}

enum SeenField {
    /// Rows by id, label and task, and whether a training row and another row has the id. Sequences share tables with the fields
    /// that are looked at.
    Ids { rows: Vec<Vec<[u32; 2]>>, training: Vec<bool>, other: Vec<bool> },
    /// The least and the greatest number by task and label, and those of training rows.
    Reals { by_label: Vec<[[f32; 2]; 2]>, training: [f32; 2] },
    /// Not looked at.
    Nothing,
}

const NO_RANGE: [f32; 2] = [f32::INFINITY, f32::NEG_INFINITY];

fn widen(range: &mut [f32; 2], x: f32) {
    *range = [range[0].min(x), range[1].max(x)];
}

impl Seen {
    fn of(data: &Dataset, splits: &Splits) -> Result<Seen> {
        let mut training: Vec<Option<bool>> = vec![None; data.rows()];
        for (name, rows) in &splits.parts {
            let trains = name != "valid" && name != "test";
            rows.iter().for_each(|row| training[*row as usize] = Some(trains));
        }
        let tasks = data.labels.len();
        let empty = |field: &Field| match field.kind {
            Kind::Id | Kind::Bag(_) => {
                let table = field.table.as_deref().and_then(|t| data.schema.table(t)).map_or(0, |t| t.1.rows);
                SeenField::Ids {
                    rows: vec![vec![[0; 2]; table]; tasks],
                    training: vec![false; table],
                    other: vec![false; table],
                }
            }
            Kind::Real => SeenField::Reals { by_label: vec![[NO_RANGE; 2]; tasks], training: NO_RANGE },
            Kind::Sequence { .. } | Kind::Pooled => SeenField::Nothing,
        };
        let mut fields: Vec<SeenField> = data.schema.fields.iter().map(empty).collect();
        data.each_piece(|rows, columns| {
            fields.par_iter_mut().zip(columns).for_each(|(seen, column)| {
                seen.look(column, rows.clone(), &data.labels, &training[rows.clone()]);
            });
        })?;
        Ok(Seen { fields })
    }
}

impl SeenField {
    /// Looks at some rows' column. Rows that belong to no part do not count.
    fn look(&mut self, column: &Column, of: Range<usize>, labels: &[Vec<u8>], training: &[Option<bool>]) {
        let parts = training.iter().enumerate().filter_map(|(place, part)| part.map(|part| (place, part)));
        let labels: Vec<&[u8]> = labels.iter().map(|label| &label[of.clone()]).collect();
        for (place, trains) in parts {
            match (&mut *self, column) {
                (SeenField::Ids { rows, training, other }, Column::Id(ids)) => {
                    let id = ids[place] as usize;
                    rows.iter_mut().zip(&labels).for_each(|(rows, label)| {
                        rows[id][usize::from(label[place])] += 1;
                    });
                    if trains { training[id] = true } else { other[id] = true }
                }
                (SeenField::Ids { training, other, .. }, Column::Ragged { offsets, values, .. }) => {
                    let seen = if trains { &mut *training } else { &mut *other };
                    let own = offsets[place] as usize..offsets[place + 1] as usize;
                    values[own].iter().for_each(|id| seen[*id as usize] = true);
                }
                (SeenField::Reals { by_label, training }, Column::Real(numbers)) => {
                    let x = numbers[place];
                    by_label.iter_mut().zip(&labels).for_each(|(by_label, label)| {
                        widen(&mut by_label[usize::from(label[place])], x);
                    });
                    if trains {
                        widen(training, x);
                    }
                }
                _ => {}
            }
        }
    }

    /// The task whose label follows from the field.
    fn tells<'a>(&self, tasks: &'a [String]) -> Option<&'a str> {
        let place = match self {
            SeenField::Ids { rows, .. } => rows.iter().position(|rows| {
                let of =
                    |rows: &[u32; 2]| (rows[0] + rows[1] >= ENOUGH).then_some([rows[0] > 0, rows[1] > 0]);
                let known: Vec<[bool; 2]> = rows.iter().filter_map(of).collect();
                let pure = |label: [bool; 2]| known.contains(&label);
                pure([true, false]) && pure([false, true]) && !pure([true, true])
            }),
            SeenField::Reals { by_label, .. } => by_label.iter().position(|[negative, positive]| {
                let both = negative[0] <= negative[1] && positive[0] <= positive[1];
                both && (negative[1] < positive[0] || positive[1] < negative[0])
            }),
            SeenField::Nothing => None,
        };
        place.map(|place| tasks[place].as_str())
    }

    /// What shows that more than training rows were looked at. Number 0 is that of unknown ids where there is one.
    fn beyond_training(&self) -> Option<String> {
        match self {
            SeenField::Ids { training, other, .. } => {
                let only = |id: &usize| other[*id] && !training[*id];
                let n = (1..other.len()).filter(only).count();
                (n > 0 && other.len() > CODES).then(|| format!("{n} of its ids occur in no training row"))
            }
            SeenField::Reals { training, .. } => (*training != [0.0, 1.0] && *training != NO_RANGE)
                .then(|| format!("in training rows it goes from {} to {}", training[0], training[1])),
            SeenField::Nothing => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::everything;
    use crate::{Columns, SplitPlan};
    use std::path::Path;

    const CONFIG: &str = "\
dataset: x
loader: movielens
layout: 1m
raw: x
positive_from: 4
count: all
provenance: real
split: { plan: cold_item, threshold: 200, k: 20 }
simulate: { users: 100, items: 99, ratings: 2400, seed: 1 }
";

    /// What is said of a dataset of which `change` makes another one.
    fn message(fitted_on: FittedOn, change: impl FnOnce(&mut Dataset, &mut Vec<Column>)) -> Option<String> {
        let mut data = everything(400);
        let mut columns = data.resident().unwrap().to_vec();
        change(&mut data, &mut columns);
        data.columns = Columns::Resident(columns);
        let splits = SplitPlan::ByPosition { train: 0.8, valid: 0.1, test: 0.1 }.apply(&data).unwrap();
        let config = DatasetConfig::from_text(Path::new("x.yaml"), CONFIG).unwrap();
        let config = DatasetConfig { fitted_on, ..config };
        check(&config, &data, &splits).err().map(|e| e.to_string())
    }

    #[test]
    fn fields_that_tell_the_label() {
        assert_eq!(message(FittedOn::All, |_, _| {}), None);
        let id = message(FittedOn::All, |data, columns| {
            let label = data.labels[1].iter().map(|label| u32::from(*label)).collect();
            columns[0] = Column::Id(label);
        });
        assert_eq!(id.unwrap(), "dataset test leaks: the field \"item_id\" alone tells the label \"like\"");
        let real = message(FittedOn::All, |data, columns| {
            let label = data.labels[1].iter().enumerate();
            columns[4] = Column::Real(label.map(|(i, label)| i as f32 - 1e3 * f32::from(*label)).collect());
        });
        assert_eq!(real.unwrap(), "dataset test leaks: the field \"price\" alone tells the label \"like\"");
        let outcome =
            message(FittedOn::All, |data, _| data.schema.fields[4].name = "behaviours.rating".into());
        assert!(outcome.unwrap().contains("\"behaviours.rating\" is known only after"));
    }

    #[test]
    fn fits_beyond_training_rows() {
        let scaled = |upto: usize| {
            move |_: &mut Dataset, columns: &mut Vec<Column>| {
                columns[4] = Column::Real((0..400).map(|i| i.min(upto) as f32 / upto as f32).collect());
            }
        };
        assert_eq!(message(FittedOn::Training, scaled(300)), None);
        let beyond = message(FittedOn::Training, scaled(399)).unwrap();
        assert!(beyond.contains(
            "\"price\" is fitted on more than training rows: in training rows it goes from 0 to 0.79"
        ));
        assert_eq!(message(FittedOn::All, scaled(399)), None);
        let id = message(FittedOn::Training, |data, columns| {
            scaled(300)(data, columns);
            columns[0] =
                Column::Id((0..400).map(|i| if i < 390 { i % 90 } else { (i - 300).min(96) }).collect());
        });
        assert!(
            id.unwrap()
                .contains("\"item_id\" is fitted on more than training rows: 7 of its ids occur in no")
        );
    }
}
