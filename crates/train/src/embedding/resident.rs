//! Columns of a dataset beside dense tables, on their device: a batch sends its row numbers there, once, and no ids.
use super::lookup::ids_tensor;
use crate::batch::{ColumnRows, Ids};
use scenarec_data::{Column, Columns, Dataset};
use std::{collections::BTreeMap, sync::Arc};
use tch::{Device, Tensor};

/// What of one dataset is on the device.
#[derive(Debug, Default)]
pub(super) struct Resident {
    data: Option<Arc<Dataset>>,
    /// By field: i32 `[rows]`.
    columns: BTreeMap<usize, Tensor>,
    /// The numbers of the last batch's rows, which all of its fields share: i64 `[B]`.
    rows: Option<(Arc<[u32]>, Tensor)>,
}

impl Resident {
    /// The ids of a batch's field, `[N]`, on `device`. A column is copied there when it is asked for first, and stays until another
    /// dataset's is.
    pub fn ids(&mut self, ids: &Ids, device: Device) -> Tensor {
        match &ids.source {
            Some(source) => self.of_column(source, device).unwrap_or_else(|| ids_tensor(&ids.ids, device)),
            None => ids_tensor(&ids.ids, device),
        }
    }

    fn of_column(&mut self, source: &ColumnRows, device: Device) -> Option<Tensor> {
        let ColumnRows { data, field, rows } = source;
        let Columns::Resident(columns) = &data.columns else { return None };
        let Column::Id(ids) = &columns[*field] else { return None };
        if self.data.as_ref().is_none_or(|own| !Arc::ptr_eq(own, data)) {
            *self = Self { data: Some(data.clone()), ..Self::default() };
        }
        let column = self.columns.entry(*field).or_insert_with(|| {
            let ids: Vec<i32> = ids.iter().map(|id| i32::try_from(*id).expect("a table's row")).collect();
            Tensor::from_slice(&ids).to_device(device)
        });
        let rows = match &self.rows {
            Some((own, tensor)) if Arc::ptr_eq(own, rows) => tensor,
            _ => &self.rows.insert((rows.clone(), ids_tensor(rows, device))).1,
        };
        Some(column.index_select(0, rows))
    }
}
