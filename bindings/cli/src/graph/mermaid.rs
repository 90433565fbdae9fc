//! The machine as a Mermaid state diagram, for pages that render one: README files, wikis, pull requests.

use super::Machine;

/// The diagram's text.
pub(crate) fn text(machine: &Machine) -> String {
    let mut text = format!("---\ntitle: Postures of {}\n---\nstateDiagram-v2\n", machine.pack);
    for (at, posture) in machine.postures.iter().enumerate() {
        let said = format!("{} (rank {}); {}", posture.name, posture.rank, posture.permits);
        text.push_str(&format!("  state \"{}\" as p{at}\n", escaped(&said)));
    }
    text.push_str("  [*] --> p0\n");
    for edge in &machine.edges {
        text.push_str(&format!("  p{} --> p{} : {}\n", edge.from, edge.to, escaped(&edge.label)));
    }
    text
}

/// A text in which nothing is Mermaid's own: what could be stands as its number.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            ':' | ';' | '#' | '"' | '<' | '>' | '{' | '}' | '[' | ']' | '%' | '\\' | '`' => {
                escaped.push_str(&format!("#{};", u32::from(letter)));
            }
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}
