//! The log: a line for each request and event, on its way to whoever writes it.
//!
//! The way has an end: where the writer is slow, lines are dropped and counted, and no request waits. A line holds no
//! body, no header but the checked request identifier, and no path but those that the server knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Lines on their way at once.
const LINES_MAX: usize = 1024;

/// One end of the log: what is written to.
#[derive(Clone, Debug)]
pub(super) struct Log {
    lines: SyncSender<String>,
    dropped: Arc<AtomicU64>,
}

/// A log, and where its lines come out.
pub(super) fn channel() -> (Log, Receiver<String>) {
    let (lines, out) = sync_channel(LINES_MAX);
    (Log { lines, dropped: Arc::default() }, out)
}

impl Log {
    /// Writes a line; drops it where the writer is behind.
    pub(super) fn line(&self, text: String) {
        if self.lines.try_send(text).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_drops_and_counts() {
        let (log, out) = channel();
        for number in 0..LINES_MAX + 3 {
            log.line(number.to_string());
        }
        assert_eq!((out.try_iter().count(), log.dropped()), (LINES_MAX, 3));
    }
}
