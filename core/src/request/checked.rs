//! A request that was held to the limits: only such a one is decided on.

use std::ops::Deref;

use super::spelling::Spelling;
use super::{RequestError, RequestView};
use crate::limits::Limits;

/// A request whose names are names and whose values are within the limits, with how its names are spelt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked<'r> {
    view: &'r RequestView<'r>,
    spelling: &'r Spelling,
}

impl<'r> Checked<'r> {
    /// The request, whose names are spelt so, held to the limits.
    ///
    /// # Errors
    /// [`RequestError`] for the first name or value that is beyond.
    #[inline]
    pub(crate) fn new(
        view: &'r RequestView<'r>,
        spelling: &'r Spelling,
        limits: &Limits,
    ) -> Result<Self, RequestError> {
        spelling.check(view, limits)?;
        view.check_values(limits)?;
        Ok(Self { view, spelling })
    }

    /// A request that was held to the limits before: when it was read.
    pub(crate) const fn before(view: &'r RequestView<'r>, spelling: &'r Spelling) -> Self {
        Self { view, spelling }
    }

    /// How its names are spelt.
    pub(crate) const fn spelling(&self) -> &'r Spelling {
        self.spelling
    }
}

impl<'r> Deref for Checked<'r> {
    type Target = RequestView<'r>;

    fn deref(&self) -> &RequestView<'r> {
        self.view
    }
}
