//! AUC within groups of rows: sessions.
use super::{
    auc::auc,
    errors::{MetricError, check},
};
use rayon::prelude::*;

/// What AUC within groups comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gauc {
    /// Mean of the groups' AUCs, each weighted by its number of rows.
    pub value: f64,
    /// Groups whose rows are of both classes: the others have no AUC and are left out.
    pub groups: usize,
    /// Their rows.
    pub rows: usize,
}

/// The AUC of `scores` `[n]` against `labels` `[n]` of 0 and 1 within each of the groups named by `group` `[n]`, averaged with the
/// groups' numbers of rows as weights (S-GAUC, SFPNet's Eq. 13, where groups are sessions). `None` if no group has both
/// classes.
///
/// # Errors
/// Scores that are NaN, labels other than 0 and 1, lists of different lengths.
///
/// # Panics
/// Where not every row has a group.
pub fn gauc(scores: &[f32], labels: &[u8], group: &[u32]) -> Result<Option<Gauc>, MetricError> {
    check(scores, labels, |label| label <= 1)?;
    assert_eq!(group.len(), scores.len(), "every row belongs to a group");
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    order.par_sort_unstable_by_key(|r| (group[*r as usize], *r));
    let groups: Vec<&[u32]> = order.chunk_by(|a, b| group[*a as usize] == group[*b as usize]).collect();
    let own = |rows: &&[u32]| -> Result<Option<(f64, usize)>, MetricError> {
        let scores: Vec<f32> = rows.iter().map(|r| scores[*r as usize]).collect();
        let labels: Vec<u8> = rows.iter().map(|r| labels[*r as usize]).collect();
        Ok(auc(&scores, &labels)?.map(|auc| (auc, rows.len())))
    };
    let aucs: Vec<Option<(f64, usize)>> = groups.par_iter().map(own).collect::<Result<_, _>>()?;
    let both = || aucs.iter().flatten();
    let (groups, rows) = (both().count(), both().map(|(_, rows)| rows).sum::<usize>());
    let sum: f64 = both().map(|(auc, rows)| auc * *rows as f64).sum();
    Ok((rows > 0).then(|| Gauc { value: sum / rows as f64, groups, rows }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_count_by_their_rows_and_only_with_both_classes() {
        // Group 7: AUC 1 of two rows; 2: AUC 1/2 of four; 5 and 9 have one class.
        let group = [7, 2, 2, 5, 7, 2, 2, 9, 9];
        let labels = [1, 1, 0, 0, 0, 0, 1, 1, 1];
        let scores = [0.5, 0.1, 0.3, 9.0, -0.5, 0.2, 0.4, 1.0, 2.0];
        let found = gauc(&scores, &labels, &group).unwrap().unwrap();
        assert_eq!(found, Gauc { value: (1.0 * 2.0 + 0.5 * 4.0) / 6.0, groups: 2, rows: 6 });
        assert_eq!(gauc(&scores[7..], &labels[7..], &group[7..]).unwrap(), None);
        assert_eq!(gauc(&[], &[], &[]).unwrap(), None);
    }

    #[test]
    fn one_group_has_the_plain_auc() {
        let scores: Vec<f32> = (0..100).map(|i| ((i * 37) % 50) as f32).collect();
        let labels: Vec<u8> = (0..100).map(|i| u8::from((i * 13) % 7 < 2)).collect();
        let plain = auc(&scores, &labels).unwrap().unwrap();
        assert_eq!(gauc(&scores, &labels, &[4; 100]).unwrap().unwrap().value, plain);
        let nan = [f32::NAN, 0.0];
        assert!(gauc(&nan, &[0, 1], &[0, 0]).is_err());
    }
}
