//! A chart as SVG: both axes by decades, lines told apart by colour and by dashes, readable by day and by night.
//!
//! Nothing in it comes from elsewhere: no font, no script, no address but the one that says that it is SVG.

use std::fmt::Write;

use crate::report::numbers::thousands;

/// A line of a chart.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is of.
    pub name: String,
    /// Where it goes: both are greater than zero.
    pub points: Vec<(f64, f64)>,
}

/// One pair of axes.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What is along the bottom.
    pub across: String,
    /// What goes up.
    pub up: String,
    /// Writes a value that goes up, with its unit.
    pub shown: fn(f64) -> String,
    /// The lines.
    pub lines: Vec<Line>,
}

const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 44.0;
/// Below the axis: its labels and its name.
const BELOW: f64 = 52.0;
const LEGEND: f64 = 18.0;

const STYLE: &str = "
  svg { --paper: #ffffff; --ink: #1f2328; --grid: #d8dee4;
    --l0: #0550ae; --l1: #bc4c00; --l2: #1a7f37; --l3: #8250df; --l4: #9a6700; }
  @media (prefers-color-scheme: dark) { svg { --paper: #0d1117; --ink: #e6edf3; --grid: #30363d;
    --l0: #79c0ff; --l1: #ffa657; --l2: #56d364; --l3: #d2a8ff; --l4: #e3b341; } }
  .paper { fill: var(--paper); }
  text { fill: var(--ink); font: 12px system-ui, sans-serif; }
  .title { font-size: 15px; font-weight: 600; }
  .grid { stroke: var(--grid); stroke-width: 1; }
  .line { fill: none; stroke-width: 2; }
";

/// Dashes of a line by its place, beside its colour.
const DASHES: [&str; 5] = ["none", "7 3", "2 3", "9 3 2 3", "4 4"];

/// The chart: its panels side by side.
///
/// # Errors
///
/// Never in practice: writing to a string.
pub fn svg(title: &str, panels: &[Panel]) -> Result<String, std::fmt::Error> {
    let rows = panels.iter().map(|panel| panel.lines.len()).max().unwrap_or(0);
    let width = (LEFT + WIDTH + RIGHT) * panels.len() as f64;
    let height = TOP + HEIGHT + BELOW + LEGEND * rows as f64 + 8.0;
    let mut svg = String::new();
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{}">"#,
        escaped(title)
    )?;
    writeln!(svg, "<style>{STYLE}</style>")?;
    writeln!(svg, r#"<rect class="paper" width="{width}" height="{height}"/>"#)?;
    writeln!(svg, r#"<text class="title" x="16" y="24">{}</text>"#, escaped(title))?;
    for (at, panel) in panels.iter().enumerate() {
        self::panel(&mut svg, panel, (LEFT + WIDTH + RIGHT) * at as f64 + LEFT)?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// The decades that hold all of the values, one at the least.
fn decades(values: impl Iterator<Item = f64> + Clone) -> (i32, i32) {
    let least = values.clone().fold(f64::INFINITY, f64::min).log10().floor() as i32;
    let most = values.fold(0.0, f64::max).log10().ceil() as i32;
    (least, most.max(least + 1))
}

fn panel(svg: &mut String, panel: &Panel, left: f64) -> std::fmt::Result {
    let points = || panel.lines.iter().flat_map(|line| &line.points);
    let (x_least, x_most) = decades(points().map(|(x, _)| *x));
    let (y_least, y_most) = decades(points().map(|(_, y)| *y));
    let bottom = TOP + HEIGHT;
    let x_of = |x: f64| left + WIDTH * (x.log10() - f64::from(x_least)) / f64::from(x_most - x_least);
    let y_of = |y: f64| bottom - HEIGHT * (y.log10() - f64::from(y_least)) / f64::from(y_most - y_least);
    for decade in x_least..=x_most {
        let x = x_of(10_f64.powi(decade));
        writeln!(svg, r#"<line class="grid" x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{bottom}"/>"#)?;
        let label = thousands(10_f64.powi(decade));
        writeln!(svg, r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{label}</text>"#, bottom + 18.0)?;
    }
    for decade in y_least..=y_most {
        let y = y_of(10_f64.powi(decade));
        let right = left + WIDTH;
        writeln!(svg, r#"<line class="grid" x1="{left}" y1="{y:.1}" x2="{right}" y2="{y:.1}"/>"#)?;
        let label = (panel.shown)(10_f64.powi(decade));
        writeln!(svg, r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{label}</text>"#, left - 8.0, y + 4.0)?;
    }
    let middle = left + WIDTH / 2.0;
    writeln!(
        svg,
        r#"<text x="{middle:.1}" y="{:.1}" text-anchor="middle">{} →</text>"#,
        bottom + 38.0,
        escaped(&panel.across)
    )?;
    writeln!(svg, r#"<text x="{left}" y="{:.1}">{} ↑</text>"#, TOP - 6.0, escaped(&panel.up))?;
    for (at, line) in panel.lines.iter().enumerate() {
        let (colour, dashes) = (at % DASHES.len(), DASHES[at % DASHES.len()]);
        let stroke = format!(r#"style="stroke: var(--l{colour}); stroke-dasharray: {dashes}""#);
        let path: Vec<String> = line.points.iter().map(|(x, y)| format!("{:.1},{:.1}", x_of(*x), y_of(*y))).collect();
        writeln!(svg, r#"<polyline class="line" {stroke} points="{}"/>"#, path.join(" "))?;
        for (x, y) in &line.points {
            let (x, y) = (x_of(*x), y_of(*y));
            writeln!(svg, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" style="fill: var(--l{colour})"/>"#)?;
        }
        let y = bottom + BELOW + LEGEND * at as f64 + 8.0;
        writeln!(svg, r#"<line class="line" {stroke} x1="{left}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}"/>"#, left + 30.0)?;
        writeln!(svg, r#"<text x="{:.1}" y="{:.1}">{}</text>"#, left + 38.0, y + 4.0, escaped(&line.name))?;
    }
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{Line, Panel, svg};

    #[test]
    fn a_line_goes_where_its_points_are() {
        let lines = vec![Line {
            name: "decide, <one>".into(),
            points: vec![(100.0, 10.0), (1_000.0, 100.0), (10_000.0, 1_000.0)],
        }];
        let panel = Panel { across: "rules".into(), up: "time".into(), shown: |value| format!("{value} ns"), lines };
        let drawn = svg("Rules & time", &[panel]).unwrap();
        // From the lower left to the upper right corner, through the middle: 74 to 514, 294 to 44.
        assert!(drawn.contains(r#"points="74.0,294.0 294.0,169.0 514.0,44.0""#), "{drawn}");
        assert!(drawn.contains("decide, &lt;one>") && drawn.contains(r#"aria-label="Rules &amp; time""#));
        assert!(drawn.contains("prefers-color-scheme: dark") && drawn.contains(">10,000</text>"));
        assert_eq!(drawn.matches("http").count(), 1, "nothing is fetched");
    }
}
