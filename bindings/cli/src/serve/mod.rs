//! `fallgate serve`: AuthZEN over HTTP, for programs without a binding.
//!
//! The server reads requests and writes answers; [`fallgate::authzen`] says what they mean, and the engine decides. What
//! fails here is an error status or a deny, never an allow: an answer with the status 200 comes from the core and nowhere
//! else.
//!
//! In reading order: [`settings`] (what the operator says), `listen` (connections, one by one), `http` (a request's way
//! through), `state` (what all requests share), `metrics`, `log`.

mod http;
mod listen;
mod log;
mod metrics;
pub mod settings;
mod state;
mod stop;

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use fallgate::Engine;
use fallgate::policy::bundle::Bundle;

use settings::Settings;
use state::State;

/// How often the writer of the log looks whether the server has ended, where there is nothing to write.
const LINES_PAUSE: Duration = Duration::from_millis(50);

/// How long records wait in memory, where there are any.
const RECORDS_PAUSE: Duration = Duration::from_millis(50);

/// How long the server waits where records could not be written, before it tries again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How the pack is read again for an engine: the new bundle, or why there is none, in a line. Where the engine trusts keys,
/// the trust roots are followed first.
pub type Reload = Arc<dyn Fn(&Engine) -> Result<Bundle, String> + Send + Sync>;

/// A server that listens, and has not begun to answer.
pub struct Server {
    runtime: tokio::runtime::Runtime,
    listener: listen::Listener,
    state: Arc<State>,
    lines: Receiver<String>,
}

/// Why a server does not start.
#[derive(Debug)]
pub struct CannotStart(pub String);

impl Server {
    /// Binds, and activates the bundle.
    ///
    /// # Errors
    /// [`CannotStart`], with the reason and the repair.
    pub fn start(settings: Settings, bundle: Bundle, reload: Reload) -> Result<Self, CannotStart> {
        let failed = |what: &str| {
            let what = what.to_owned();
            move |error: std::io::Error| CannotStart(format!("{what}: {error}"))
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(settings.decisions_max.saturating_add(2))
            .build()
            .map_err(failed("the runtime does not start"))?;
        let (log, lines) = log::channel();
        let listener = {
            let _inside = runtime.enter();
            listen::Listener::bind(&settings)?
        };
        let state = Arc::new(State::new(settings, bundle, reload, log)?);
        Ok(Self { runtime, listener, state, lines })
    }

    /// Where it listens: an address for clients.
    #[must_use]
    pub fn address(&self) -> String {
        self.listener.address(&self.state.settings)
    }

    /// Answers until it is told to stop, then finishes what runs. Lines of the log go to `line` as they come; the server
    /// never waits for it.
    pub fn run(self, mut line: impl FnMut(&str)) {
        let Self { runtime, listener, state, lines } = self;
        let writing = Arc::clone(&state);
        if state.is_written() {
            runtime.spawn(write_records(Arc::clone(&state)));
        }
        let serving = runtime.spawn(listener.serve(state));
        while !serving.is_finished() {
            if let Ok(text) = lines.recv_timeout(LINES_PAUSE) {
                line(&text);
            }
        }
        // Whoever is stopped has been answered: what was decided for them is on disk before the process ends.
        writing.write_records();
        writing.write_inputs();
        lines.try_iter().for_each(|text| line(&text));
        // What still decides has nobody left to answer.
        runtime.shutdown_background();
    }
}

/// Writes the audit records again and again, for as long as the runtime lives.
async fn write_records(state: Arc<State>) {
    let mut pause = tokio::time::interval(RECORDS_PAUSE);
    pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        pause.tick().await;
        let state = Arc::clone(&state);
        // A write that waits for the disk holds up no connection; the next one is not begun before it is done.
        let written = tokio::task::spawn_blocking(move || {
            // Both are tried, whatever becomes of the other.
            let records = state.write_records();
            state.write_inputs() && records
        })
        .await;
        if !written.unwrap_or(false) {
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address()).finish_non_exhaustive()
    }
}
