//! Writes the page of a run's results: `report DATE FILE`.

use std::error::Error;
use std::fs;
use std::process::{Command, ExitCode};

use fallgate_benches::contest::results;
use fallgate_benches::report::{Machine, joined, page, read};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [date, file] = arguments.as_slice() else {
        eprintln!("usage: report DATE FILE");
        return ExitCode::from(2);
    };
    match write(date, file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("report: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What other runs have measured stands below this heading, and stays.
const FACES: &str = "\n## Through the faces\n";

fn with_kept(page: &str, before: &str) -> String {
    let kept = before.find(FACES).and_then(|at| before.get(at..)).unwrap_or_default();
    format!("{page}{kept}")
}

fn write(date: &str, file: &str) -> Result<(), Box<dyn Error>> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let named = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let compiler = Command::new("rustc").arg("--version").output()?;
    let machine = Machine {
        processor: named.map_or("an unnamed processor", |(_, name)| name).to_owned(),
        cores: std::thread::available_parallelism()?.get(),
        compiler: String::from_utf8(compiler.stdout)?.trim().to_owned(),
        date: date.to_owned(),
    };
    let ours = read(&results("ours"))?;
    // Without the peers' run the page is of ours alone.
    let peers = if results("peers").exists() { read(&results("peers"))? } else { Vec::new() };
    let page = page(&joined(ours, peers), &machine)?;
    fs::write(file, with_kept(&page, &fs::read_to_string(file).unwrap_or_default()))?;
    println!("wrote {file}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_runs_have_measured_stays() {
        let before = "# Benchmarks\n\nold\n\n## Through the faces\n\nkept\n";
        assert_eq!(with_kept("# Benchmarks\n\nnew\n", before), "# Benchmarks\n\nnew\n\n## Through the faces\n\nkept\n");
        assert_eq!(with_kept("new\n", ""), "new\n");
    }
}
