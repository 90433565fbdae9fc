//! `fallgate completions`, `man`, `schema` and `book-page`: texts that follow from the definitions.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::console::{Console, Exit, Failure};

pub(super) fn completions(shell: Shell, console: &mut Console<'_>) -> Result<Exit, Failure> {
    // The generator takes no refusal for an answer, so it writes to memory first.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "fallgate", &mut text);
    console.out.write_all(&text)?;
    Ok(Exit::Fine)
}

pub(super) fn man(command: Option<&str>, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let mut whole = Arguments::command();
    whole.build();
    let page = match command {
        None => whole,
        Some(name) => match whole.find_subcommand(name) {
            Some(command) => command.clone(),
            None => return Err(Failure::Usage(format!("there is no command {}", fallgate::error::quoted(name)))),
        },
    };
    clap_mangen::Man::new(page).render(&mut console.out)?;
    Ok(Exit::Fine)
}

pub(super) fn schema(name: &str, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let Some(schema) = fallgate::schemas::schema(name) else {
        return Err(Failure::Usage(format!("there is no format {}", fallgate::error::quoted(name))));
    };
    writeln!(console.out, "{:#}", schema.as_value())?;
    Ok(Exit::Fine)
}

pub(super) fn book_page(name: &str, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let Some(page) = crate::book_page::page(name) else {
        return Err(Failure::Usage(format!("there is no page {}", fallgate::error::quoted(name))));
    };
    console.out.write_all(page.as_bytes())?;
    Ok(Exit::Fine)
}
