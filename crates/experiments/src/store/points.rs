//! Points that a run made for a scatter plot: `points.csv` beside its measures, a point per line.
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Columns of the file.
const COLUMNS: [&str; 4] = ["panel", "series", "x", "y"];
/// Decimals that are kept of points that are part of the repository.
const DECIMALS: i32 = 3;

/// The points of one series in one panel, in the order of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cloud {
    /// Name of the panel.
    pub panel: String,
    /// Name of the series.
    pub series: String,
    /// x and y.
    pub points: Vec<[f64; 2]>,
}

/// The points of the finished run in `folder`, panels and series in the order of their first points; none where there is
/// no such file.
///
/// # Errors
/// Other columns, or a coordinate that is no finite number; named with file, line and column.
pub(super) fn read(folder: &Path) -> Result<Option<Vec<Cloud>>> {
    let path = folder.join("points.csv");
    if !path.is_file() {
        return Ok(None);
    }
    let unreadable = || format!("cannot read {}", path.display());
    let mut reader = csv::Reader::from_path(&path).with_context(unreadable)?;
    let header = reader.headers().with_context(unreadable)?;
    ensure!(header == COLUMNS[..], "{}:1: expected the columns {}", path.display(), COLUMNS.join(","));
    let mut clouds: Vec<Cloud> = Vec::new();
    for record in reader.records() {
        let record = record.with_context(unreadable)?;
        let number = |column: usize| match record[column].parse::<f64>() {
            Ok(n) if n.is_finite() => Ok(n),
            _ => {
                let line = record.position().map_or(0, |p| p.line());
                let found = &record[column];
                bail!("{}:{line}: column {}: no finite number: {found:?}", path.display(), column + 1)
            }
        };
        let point = [number(2)?, number(3)?];
        match clouds.iter_mut().find(|c| c.panel == record[0] && c.series == record[1]) {
            Some(cloud) => cloud.points.push(point),
            None => {
                let (panel, series) = (record[0].into(), record[1].into());
                clouds.push(Cloud { panel, series, points: vec![point] });
            }
        }
    }
    Ok(Some(clouds))
}

/// With as many decimals as a picture needs.
pub(super) fn rounded(mut clouds: Vec<Cloud>) -> Vec<Cloud> {
    let unit = 10f64.powi(DECIMALS);
    for coordinate in clouds.iter_mut().flat_map(|c| &mut c.points).flatten() {
        *coordinate = (*coordinate * unit).round() / unit;
    }
    clouds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Option<Vec<Cloud>>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("points.csv"), text).unwrap();
        read(folder.path())
    }

    #[test]
    fn points_are_gathered_by_panel_and_series() {
        let text = "panel,series,x,y\nb,one,1,2\na,one,0.12345,-7e-5\nb,one,3,4\n";
        let clouds = rounded(read_text(text).unwrap().unwrap());
        let cloud = |panel: &str, points| Cloud { panel: panel.into(), series: "one".into(), points };
        assert_eq!(clouds, [cloud("b", vec![[1.0, 2.0], [3.0, 4.0]]), cloud("a", vec![[0.123, 0.0]])]);
        assert_eq!(read(tempfile::tempdir().unwrap().path()).unwrap(), None);
    }

    #[test]
    fn what_is_no_point_is_named() {
        let error = |text| format!("{:#}", read_text(text).unwrap_err());
        assert!(error("panel,x,y\n").ends_with("points.csv:1: expected the columns panel,series,x,y"));
        let of_nan = error("panel,series,x,y\na,b,1,2\na,b,1,NaN\n");
        assert!(of_nan.ends_with("points.csv:3: column 4: no finite number: \"NaN\""), "{of_nan}");
        assert!(
            error("panel,series,x,y\na,b,1\n").contains("cannot read"),
            "{}",
            error("panel,series,x,y\na,b,1\n")
        );
    }
}
