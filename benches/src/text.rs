//! Text that a hand-written floor reads out of JSON without copying it, unless it holds an escape.

use std::borrow::Cow;
use std::ops::Deref;

use serde::Deserialize;

/// A JSON string, borrowed from the request where possible.
///
/// serde borrows a bare `Cow` field, but not one inside a list: there it needs a type of its own.
#[derive(Debug, Deserialize)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}
