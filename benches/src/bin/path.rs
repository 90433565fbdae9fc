//! Walks one path of a decision under `valgrind`, or lists them all: `path NAME`, `path --list`.

use std::error::Error;
use std::process::ExitCode;

use fallgate_benches::paths::{NAMES, Path};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [flag] if flag == "--list" => {
            NAMES.iter().for_each(|name| println!("{name}"));
            ExitCode::SUCCESS
        }
        [name] => report(walked(name)),
        _ => {
            eprintln!("usage: path NAME | --list");
            ExitCode::from(2)
        }
    }
}

fn walked(name: &str) -> Result<(), Box<dyn Error>> {
    let path = Path::named(name)?;
    let allowed = path.walk();
    println!("{} decisions, {allowed} allowed", path.decisions());
    Ok(())
}

fn report(outcome: Result<(), Box<dyn Error>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("path: {error}");
            ExitCode::FAILURE
        }
    }
}
