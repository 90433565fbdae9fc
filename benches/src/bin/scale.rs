//! Measures what scale costs: `scale` prints it, `scale NAME…` only of these, `scale --write DATE` writes docs/scale.md.

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use fallgate_benches::counting::Counting;
use fallgate_benches::record::Machine;
use fallgate_benches::scale::measure::{Point, point};
use fallgate_benches::scale::page::{chart, page};
use fallgate_benches::scale::{DIMENSIONS, Dimension, dimension};

#[global_allocator]
static COUNTING: Counting = Counting;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where the page stands; its charts are in a folder of its name beside it.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scale.md");
const CHARTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/scale");

fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let (date, names) = match arguments {
        ["--write", date] => (Some(*date), &[] as &[&str]),
        names => (None, names),
    };
    let named = |name: &&str| dimension(name).ok_or_else(|| format!("there is nothing called `{name}`"));
    let chosen = names.iter().map(named).collect::<Result<Vec<_>, _>>()?;
    let chosen = if chosen.is_empty() { DIMENSIONS.iter().collect() } else { chosen };
    let mut all = Vec::new();
    for dimension in chosen {
        all.push((dimension, measured(dimension)?));
    }
    let Some(date) = date else { return Ok(()) };
    fs::create_dir_all(CHARTS)?;
    for curves in &all {
        fs::write(format!("{CHARTS}/{}.svg", curves.0.name), chart(curves)?)?;
    }
    fs::write(PAGE, page(&all, &Machine::here()?, date)?)?;
    println!("wrote docs/scale.md");
    Ok(())
}

fn measured(dimension: &Dimension) -> Result<Vec<Point>, Box<dyn Error>> {
    println!("{}", dimension.title);
    let mut points = Vec::new();
    for size in dimension.sizes {
        let point = point(dimension, *size)?;
        let times: Vec<String> = point.times.iter().map(|(what, nanos)| format!("{what} {nanos:.0} ns")).collect();
        println!("  {size}: {}; {:.0} bytes beyond {} of text", times.join(", "), point.bytes, point.text);
        points.push(point);
    }
    Ok(points)
}
