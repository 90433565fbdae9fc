//! How far the work is: a bar on a terminal, once the work has taken long enough to be waited for.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

/// A bar that shows itself when the work takes more than half a second, on a terminal only.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    /// Whether the bar may still have to be shown.
    waits: bool,
}

impl Progress {
    const WAIT: Duration = Duration::from_millis(500);

    /// A bar of so many steps.
    #[must_use]
    pub fn new(length: u64, is_terminal: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden());
        Self { bar, waits: is_terminal }
    }

    /// One step more is done.
    pub fn advance(&mut self) {
        self.advance_to(self.bar.position().saturating_add(1));
    }

    /// So many steps are done in all.
    pub fn advance_to(&mut self, done: u64) {
        if self.waits && self.bar.elapsed() > Self::WAIT {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.waits = false;
        }
        self.bar.set_position(done);
    }

    /// The work is done: the bar goes.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}
