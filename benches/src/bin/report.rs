//! Writes the page of all runs' records: `report FILE`.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use fallgate_benches::record::root;
use fallgate_benches::report::{Parts, page};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file] = arguments.as_slice() else {
        eprintln!("usage: report FILE");
        return ExitCode::from(2);
    };
    match write(file) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(file: &str) -> Result<(), Box<dyn Error>> {
    let budget = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.txt"))?;
    fs::write(file, page(&Parts::read(&root())?, &budget)?)?;
    println!("wrote {file}");
    Ok(())
}
