//! Places that a page names: a file of the repository, or a test, a case or a function in one (`path::name`).

/// Why what is named is not there, if it is not; `read` gives the text of a file of the repository.
pub(crate) fn missing(place: &str, read: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let (path, name) = match place.split_once("::") {
        Some((path, name)) => (path, Some(name)),
        None => (place, None),
    };
    let Some(text) = read(path) else { return Some("there is no such file".to_owned()) };
    let name = name?;
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("rs") => missing_test(&text, name),
        Some("yaml") => missing_case(&text, name),
        Some("py") => missing_start(&text, &[format!("def {name}("), format!("async def {name}(")]),
        Some("mjs") => missing_start(&text, &[format!("test('{name}'"), format!("test(`{name}`")]),
        Some("c") => missing_start(&text, &[format!("static void {name}(")]),
        _ => Some("nothing is named in such a file".to_owned()),
    }
}

/// Why `name`, or `tests::name` for a test inside the file it tests, is no test of the file.
pub(crate) fn missing_test(text: &str, name: &str) -> Option<String> {
    let function = match name.split_once("::") {
        Some(("tests", function)) if text.contains("mod tests {") => function,
        Some(_) => return Some("the file has no such module of tests".to_owned()),
        None => name,
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let Some(at) = lines.iter().position(|line| line.starts_with(&format!("fn {function}("))) else {
        return Some("the file has no such function".to_owned());
    };
    let above = lines.iter().take(at).rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    (!above.into_iter().any(|line| *line == "#[test]")).then(|| "the function is no test".to_owned())
}

/// Why `name` is no case of a file of cases.
pub(crate) fn missing_case(text: &str, name: &str) -> Option<String> {
    let there = text.lines().any(|line| line.trim() == format!("- name: {name}"));
    (!there).then(|| "the file has no such case".to_owned())
}

fn missing_start(text: &str, starts: &[String]) -> Option<String> {
    let there = text.lines().any(|line| starts.iter().any(|start| line.trim_start().starts_with(start.as_str())));
    (!there).then(|| "the file has no such test".to_owned())
}

/// What stands in backticks.
pub(crate) fn named(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}
