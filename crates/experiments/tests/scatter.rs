//! Points that runs make are drawn, and published with the runs.
use crate::project::{Project, replace};
use std::fs;

const ONE: [&str; 6] = ["small", "--quick", "--only", "method=none", "--seeds", "1"];
/// A panel with two series, of which one has a panel of its own; x and y are of unlike extent.
const POINTS: &str = "\
panel,series,x,y
experts,expert 1,-4,0
experts,expert 1,4,1
experts,fused,0,0.12345
fused alone,fused,0,0
";

#[test]
fn clouds_are_drawn_by_panel_and_series_and_survive_publishing() {
    let project = Project::with_small_table();
    let table = project.read("configs/tables/small.yaml");
    let plot = &table[table.find("  plot:").unwrap()..];
    project.edit("configs/tables/small.yaml", plot, "  plot: { kind: scatter, panels: [dataset, method] }\n");
    project.ok(&[&["run"], &ONE[..]].concat());
    let svg = || {
        project.ok(&[&["report"], &ONE[..], &["--format", "svg", "--out", "small.svg"]].concat());
        project.read("small.svg")
    };
    let has = |svg: &str, line: &str| svg.contains(&format!(">\n{line}\n</text>"));
    let without = svg();
    assert!(has(&without, "no points") && !without.contains("<circle"), "{without}");

    let runs = fs::read_dir(project.path("runs")).unwrap().map(|e| e.unwrap().file_name());
    let id = runs.map(|n| n.into_string().unwrap()).find(|n| n.len() == 16).unwrap();
    project.write(&format!("runs/{id}/points.csv"), POINTS);
    let drawn = svg();
    let title = "movielens-100k-cold, Base, ";
    for line in [&format!("{title}experts"), &format!("{title}fused alone"), "expert 1", "fused", "seed 1"] {
        assert!(has(&drawn, line), "{line} is not in\n{drawn}");
    }
    let circles = |colour: &str| {
        let of_colour = |l: &&str| l.contains("<circle") && l.contains(colour);
        drawn.lines().filter(of_colour).count()
    };
    assert_eq!((circles("#E69F00"), circles("#56B4E9")), (2 + 1, 2 + 1), "points, and one in the legend");
    let place = |line: &str, axis: &str| -> f64 {
        line.split(&format!("{axis}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    let points: Vec<&str> =
        drawn.lines().filter(|l| l.contains("<circle") && l.contains("#E69F00")).collect();
    let across = |axis| place(points[2], axis) - place(points[1], axis);
    assert!(
        (across("cx") + 8.0 * across("cy")).abs() <= 8.0,
        "a unit is as long in both directions: {points:?}"
    );

    // A clone draws the same without the run's folder.
    project.edit(&format!("runs/{id}/measures.jsonl"), "\"simulated\"", "\"real\"");
    let drawn = svg();
    project.ok(&[&["report"], &ONE[..], &["--publish"]].concat());
    let published = "docs/results/small-quick.jsonl";
    assert!(project.read(published).contains("[0.0,0.123]"), "{}", project.read(published));
    fs::remove_dir_all(project.path("runs")).unwrap();
    assert_eq!(svg(), drawn);

    let broken = replace(&project.read(published), "\"series\":\"fused\"", "\"serie\":\"fused\"");
    project.write(published, &broken);
    let error = project.error(&[&["report"], &ONE[..]].concat());
    assert!(error.contains(&format!("the published run {id} has broken points")), "{error}");
}
