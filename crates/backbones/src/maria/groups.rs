//! Groups of fields.
use super::RefinersConfig;
use scenarec_data::{Field, Kind, Role, Schema};
use tch::Tensor;

/// What a group's fields describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// The pooled behaviours.
    Behaviours,
    /// The user.
    User,
    /// The item.
    Item,
    /// The circumstances of the row and its scenario.
    Context,
}

impl Group {
    const ALL: [Self; 4] = [Self::Behaviours, Self::User, Self::Item, Self::Context];

    fn of(field: &Field) -> Self {
        match (field.kind, field.role) {
            (Kind::Pooled, _) => Self::Behaviours,
            (_, Role::User) => Self::User,
            (_, Role::Item) => Self::Item,
            (_, Role::Context | Role::Scenario) => Self::Context,
        }
    }

    /// Its name in parameters' names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Behaviours => "behaviours",
            Self::User => "user",
            Self::Item => "item",
            Self::Context => "context",
        }
    }

    /// How many refiners it has.
    pub fn refiners(self, config: &RefinersConfig) -> i64 {
        match self {
            Self::Behaviours => config.behaviours,
            Self::User => config.user,
            Self::Item => config.item,
            Self::Context => config.context,
        }
    }
}

/// The groups that the data have, as parts of the row [`Embedded::flat`](scenarec_train::Embedded::flat).
#[derive(Debug)]
pub(super) struct FieldGroups {
    groups: Vec<Group>,
    /// Neighbouring columns of one group: widths, and the group.
    runs: (Vec<i64>, Vec<Group>),
}

impl FieldGroups {
    /// The groups of a schema's fields, embedded `d` wide, and reals.
    pub fn new(schema: &Schema, d: i64) -> Self {
        let fields = schema.embedded().map(|(_, f)| (Group::of(f), d));
        let columns = fields.chain(schema.reals().map(|(_, f)| (Group::of(f), 1)));
        let mut runs = (Vec::new(), Vec::new());
        for (group, width) in columns {
            match (runs.0.last_mut(), runs.1.last()) {
                (Some(run), Some(last)) if *last == group => *run += width,
                _ => {
                    runs.0.push(width);
                    runs.1.push(group);
                }
            }
        }
        Self { groups: Group::ALL.into_iter().filter(|g| runs.1.contains(g)).collect(), runs }
    }

    /// Number of groups G.
    pub fn count(&self) -> usize {
        self.groups.len()
    }

    /// The groups with their widths.
    pub fn widths(&self) -> Vec<(Group, i64)> {
        let width = |group: Group| {
            let own = self.runs.0.iter().zip(&self.runs.1).filter(|(_, of)| **of == group);
            own.map(|(width, _)| width).sum()
        };
        self.groups.iter().map(|group| (*group, width(*group))).collect()
    }

    /// The groups' vectors, each its embedded fields and then its reals.
    ///
    /// # Shapes
    /// q [B, I] -> G tensors [B, width]
    pub fn split(&self, q: &Tensor) -> Vec<Tensor> {
        let runs = q.split_with_sizes(&self.runs.0[..], 1);
        let own = |group: &Group| {
            let of = runs.iter().zip(&self.runs.1).filter(|(_, of)| *of == group);
            Tensor::cat(&of.map(|(run, _)| run).collect::<Vec<_>>(), 1)
        };
        self.groups.iter().map(own).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behaviours::extended;
    use scenarec_train::testing::schema;
    use tch::{Device, Kind as TensorKind};

    /// item_id user_id last_item year title tags genres behaviours, two wide each, then hour and count.
    #[test]
    fn fields_and_reals_go_to_the_group_of_their_role() {
        let groups = FieldGroups::new(&extended(&schema(1)).unwrap(), 2);
        let q = Tensor::arange(18, (TensorKind::Int64, Device::Cpu)).unsqueeze(0);
        let columns: Vec<Vec<i64>> =
            groups.split(&q).iter().map(|part| part.flatten(0, -1).try_into().unwrap()).collect();
        let item = [0, 1, 6, 7, 8, 9, 10, 11, 12, 13, 17].to_vec();
        assert_eq!(columns, [vec![14, 15], vec![2, 3, 4, 5], item, vec![16]]);
        let widths: Vec<(&str, i64)> = groups.widths().iter().map(|(g, w)| (g.name(), *w)).collect();
        assert_eq!(widths, [("behaviours", 2), ("user", 4), ("item", 11), ("context", 1)]);
    }

    #[test]
    fn a_group_that_the_data_lack_is_none() {
        let mut schema = schema(1);
        schema.fields.retain(|f| f.role == Role::Item);
        let groups = FieldGroups::new(&schema, 2);
        assert_eq!((groups.count(), groups.widths()), (1, vec![(Group::Item, 11)]));
    }
}
