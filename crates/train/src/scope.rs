//! Which rows and heads one model is for.
use scenarec_data::Schema;
use serde::{Deserialize, Serialize};

/// The scenarios (domains) and tasks of one model: it learns from these scenarios' rows and has a head for every pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Scenarios, numbered as in the dataset.
    pub scenarios: Vec<u16>,
    /// Tasks, numbered as in the dataset.
    pub tasks: Vec<usize>,
}

impl Scope {
    /// Everything.
    pub fn whole(schema: &Schema) -> Self {
        Self {
            scenarios: (0..schema.scenarios.len() as u16).collect(),
            tasks: (0..schema.tasks.len()).collect(),
        }
    }

    /// What a model of this scope sees: the same fields, fewer scenarios and tasks.
    pub fn schema(&self, whole: &Schema) -> Schema {
        Schema {
            tasks: self.tasks.iter().map(|t| whole.tasks[*t].clone()).collect(),
            scenarios: self.scenarios.iter().map(|s| whole.scenarios[usize::from(*s)].clone()).collect(),
            ..whole.clone()
        }
    }

    /// Its scenarios and tasks by name: `1 click`, `1+2+3 click+like`.
    pub fn name(&self, whole: &Schema) -> String {
        let Schema { tasks, scenarios, .. } = self.schema(whole);
        format!("{} {}", scenarios.join("+"), tasks.join("+"))
    }
}

/// How many models stand for all pairs of a scenario and a task (M3oE, Section 3.1: the suffixes of Table 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scoping {
    /// One for every pair.
    Single,
    /// Multi-task learning: one for every scenario, with all tasks.
    Mtl,
    /// Multi-domain learning: one for every task, for all scenarios.
    Mdl,
    /// Multi-domain multi-task: one for everything.
    Mdmt,
}

impl Scoping {
    /// The scopes of the models, which together have every pair once.
    pub fn scopes(self, schema: &Schema) -> Vec<Scope> {
        let Scope { scenarios, tasks } = Scope::whole(schema);
        let each_scenario: Vec<Vec<u16>> = scenarios.iter().map(|s| vec![*s]).collect();
        let each_task: Vec<Vec<usize>> = tasks.iter().map(|t| vec![*t]).collect();
        let (scenarios, tasks) = match self {
            Scoping::Single => (each_scenario, each_task),
            Scoping::Mtl => (each_scenario, vec![tasks]),
            Scoping::Mdl => (vec![scenarios], each_task),
            Scoping::Mdmt => (vec![scenarios], vec![tasks]),
        };
        let pair = |s: &Vec<u16>| {
            let s = s.clone();
            tasks.iter().map(move |t| Scope { scenarios: s.clone(), tasks: t.clone() })
        };
        scenarios.iter().flat_map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::schema;

    #[test]
    fn every_pair_has_one_model() {
        let schema = schema(3);
        let sizes = [(Scoping::Single, 6), (Scoping::Mtl, 2), (Scoping::Mdl, 3), (Scoping::Mdmt, 1)];
        for (scoping, models) in sizes {
            let scopes = scoping.scopes(&schema);
            assert_eq!(scopes.len(), models);
            let pairs = |s: &Scope| {
                let s = s.clone();
                s.scenarios.into_iter().flat_map(move |d| s.tasks.clone().into_iter().map(move |t| (d, t)))
            };
            let mut pairs: Vec<_> = scopes.iter().flat_map(pairs).collect();
            pairs.sort_unstable();
            assert_eq!(pairs, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
        }
        let one = &Scoping::Single.scopes(&schema)[4];
        assert_eq!(one.name(&schema), "search task1");
        assert_eq!((one.schema(&schema).tasks.len(), one.schema(&schema).fields.len()), (1, 10));
    }
}
