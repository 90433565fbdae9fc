//! All commands, with what each takes.

use std::fmt::Write as _;

use clap::{Arg, Command};

use super::cell;

/// Every command and what it says of itself.
pub(super) fn page(mut command: Command) -> String {
    command.build();
    let mut page = String::from(
        "# Commands\n\nGenerated from the definition of the command line; `--help` of each command says the same. `fallgate man` \
         prints it as a man page, and `fallgate completions` writes the completions for a shell.\n",
    );
    section(&mut command, "fallgate", true, &mut page);
    page
}

fn section(command: &mut Command, name: &str, is_first: bool, page: &mut String) {
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let usage = command.clone().bin_name(name).render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    // Writing to a text does not fail.
    let _ = write!(page, "\n## {name}\n\n{}\n\n`{usage}`\n", about.trim());
    if let Some(after) = command.get_after_help() {
        let _ = write!(page, "\n{after}\n");
    }
    let is_told = |argument: &&Arg| {
        let is_everywhere = argument.is_global_set() && !is_first;
        !argument.is_hide_set() && !is_everywhere && !["help", "version"].contains(&argument.get_id().as_str())
    };
    let rows: Vec<String> = command.get_arguments().filter(is_told).map(row).collect();
    if !rows.is_empty() {
        let _ = write!(page, "\n| argument | default | what it says |\n|---|---|---|\n{}", rows.concat());
    }
    for inner in command.get_subcommands_mut().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        let name = format!("{name} {}", inner.get_name());
        section(inner, &name, false, page);
    }
}

fn row(argument: &Arg) -> String {
    let values: Vec<String> =
        argument.get_value_names().into_iter().flatten().map(|value| format!("<{value}>")).collect();
    let takes_values = argument.get_action().takes_values();
    let long = argument.get_long().map(|long| format!("--{long}"));
    let short = argument.get_short().map(|short| format!("-{short}"));
    let names: Vec<String> = [short, long].into_iter().flatten().collect();
    let mut words: Vec<String> = [names.join(", ")].into_iter().filter(|name| !name.is_empty()).collect();
    words.extend(values.into_iter().filter(|_| takes_values));
    let default: Vec<String> = argument.get_default_values().iter().map(|value| value.display().to_string()).collect();
    let default = match default.join(" ") {
        _ if argument.is_required_set() => "required".to_owned(),
        default if default.is_empty() || !takes_values => "–".to_owned(),
        default => format!("`{}`", cell(&default)),
    };
    let said = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut said = cell(&said);
    let possible: Vec<String> = argument
        .get_possible_values()
        .iter()
        .filter(|value| takes_values && !value.is_hide_set())
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}`: {}", value.get_name(), cell(&help.to_string())),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    if !possible.is_empty() {
        let _ = write!(said, ". Values: {}", possible.join("; "));
    }
    format!("| `{}` | {default} | {said} |\n", words.join(" "))
}
