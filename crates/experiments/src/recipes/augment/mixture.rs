//! Batches of true and generated rows.
use super::pool::Rows;
use anyhow::{Result, ensure};
use scenarec_data::{Dataset, Kind, Role};
use scenarec_train::{Embedded, Net, embedding::Groups, feed::gather};
use std::rc::Rc;
use std::sync::Arc;
use tch::{Kind as TensorKind, Tensor};

/// Which fields a generated row has of its own: all but the scenario's, which are the cold scenario's.
pub(super) fn generated_slots(data: &Dataset, net: &Net) -> Result<Vec<usize>> {
    let schema = &data.schema;
    let odd = schema.fields.iter().find(|f| matches!(f.kind, Kind::Real | Kind::Sequence { .. }));
    if let Some(field) = odd {
        anyhow::bail!(
            "{}: rows with reals or sequences cannot be generated, and {:?} is one",
            data.name,
            field.name
        );
    }
    let own = schema.fields.iter().filter(|f| f.role != Role::Scenario);
    let slots: Vec<usize> = own.filter_map(|f| net.weights.tables.slot(&f.name)).collect();
    ensure!(!slots.is_empty(), "{}: there is no field to generate", data.name);
    Ok(slots)
}

/// Puts generated rows behind true ones.
pub(super) struct Mixer {
    /// Number of the cold scenario.
    cold: i64,
    scenarios: usize,
    /// Places of the generated fields, i64 `[C]`.
    slots: Tensor,
    /// An embedded row of the cold scenario, `[1, F, d]`: generated rows have its scenario field.
    row: Tensor,
}

impl Mixer {
    /// `any` is a row of the cold scenario.
    pub(super) fn new(net: &mut Net, data: &Arc<Dataset>, slots: &[usize], any: u32) -> Result<Self> {
        let row = net.weights.tables.embed(&gather(data, &[any])?).fields;
        let slots: Vec<i64> = slots.iter().map(|s| *s as i64).collect();
        Ok(Self {
            cold: i64::from(data.scenario[any as usize]),
            scenarios: data.schema.scenarios.len(),
            slots: Tensor::from_slice(&slots).to_device(row.device()),
            row,
        })
    }

    /// True rows `x` of the cold scenario and their labels `[B, 1]`, then generated ones.
    ///
    /// # Shapes
    /// rows [n, C, d] -> B + n rows
    pub(super) fn mix(&self, x: Embedded, labels: Tensor, rows: &Rows) -> (Embedded, Tensor) {
        let n = rows.len();
        if n == 0 {
            return (x, labels);
        }
        let generated = self.row.repeat([n, 1, 1]).index_copy(1, &self.slots, &rows.vectors);
        let total = x.scenario.size()[0] + n;
        let device = x.fields.device();
        let embedded = Embedded {
            fields: Tensor::cat(&[&x.fields, &generated], 0),
            // What is generated has no ids, and so no weight per id.
            linear: Tensor::cat(
                &[&x.linear, &x.linear.new_zeros([n, x.linear.size()[1]], (TensorKind::Float, device))],
                0,
            ),
            sequences: vec![],
            reals: Tensor::zeros([total, 0], (TensorKind::Float, device)),
            scenario: Tensor::full([total], self.cold, (TensorKind::Int64, device)),
            groups: Rc::new(Groups::new(&vec![self.cold; total as usize], self.scenarios, device)),
        };
        let labels = Tensor::cat(&[labels, rows.labels.unsqueeze(1)], 0);
        (embedded, labels)
    }
}
