//! Connections, one by one: so many at once, each for so long, and none cut off in the middle of an answer when the server
//! stops.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::CannotStart;
use super::http::{self, Peer};
use super::settings::{Place, Settings};
use super::state::State;
use super::stop::{Signals, Told};

/// Headers of a request, and bytes of its head.
const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 32 << 10;
/// How often time is let do what is due, where nobody asks.
const TICK: Duration = Duration::from_secs(1);
/// How long a server waits where it cannot accept, out of file descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What listens.
pub(super) struct Listener {
    socket: Socket,
    signals: Signals,
}

enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(unix::Socket),
}

/// One who has connected.
enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Listener {
    /// Binds. To be called inside the runtime.
    pub(super) fn bind(settings: &Settings) -> Result<Self, CannotStart> {
        let signals = Signals::new()
            .map_err(|error| CannotStart(format!("the signals of the system cannot be read: {error}")))?;
        let socket = match &settings.place {
            Place::Tcp(address) => {
                let bound = std::net::TcpListener::bind(address).and_then(|listener| {
                    listener.set_nonblocking(true)?;
                    TcpListener::from_std(listener)
                });
                Socket::Tcp(bound.map_err(|error| CannotStart(format!("cannot listen on {address}: {error}")))?)
            }
            #[cfg(unix)]
            Place::Unix(path) => Socket::Unix(unix::Socket::bind(path)?),
            #[cfg(not(unix))]
            Place::Unix(_) => return Err(CannotStart("this system has no Unix sockets; use --listen".to_owned())),
        };
        Ok(Self { socket, signals })
    }

    /// Where it listens, for people.
    pub(super) fn address(&self, settings: &Settings) -> String {
        match &self.socket {
            Socket::Tcp(listener) => {
                listener.local_addr().map_or_else(|_| "?".to_owned(), |address| url(settings, address))
            }
            #[cfg(unix)]
            Socket::Unix(socket) => format!("unix:{}", socket.path().display()),
        }
    }

    /// Serves until the system says stop.
    pub(super) async fn serve(self, state: Arc<State>) {
        let Self { socket, mut signals } = self;
        let router = http::router(&state);
        let places = Arc::new(Semaphore::new(state.settings.connections_max));
        let (stop, stopping) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                told = signals.next() => match told {
                    Told::Stop => break,
                    Told::Reload => drop(tokio::spawn(Arc::clone(&state).read_again())),
                },
                _ = tick.tick() => state.tick(),
                Some(_) = connections.join_next() => {}
                accepted = socket.accept(&places) => {
                    let Some((stream, place)) = accepted else { continue };
                    let (router, state, stopping) = (router.clone(), Arc::clone(&state), stopping.clone());
                    connections.spawn(async move {
                        state.metrics.connections.inc();
                        attend(stream, router, &state, stopping).await;
                        state.metrics.connections.dec();
                        drop(place);
                    });
                }
            }
        }
        // Nobody new from here on; who is being answered is answered to the end, or to the deadline.
        drop(socket);
        state.log.line("stopping".to_owned());
        let _ = stop.send(true);
        let finished = async { while connections.join_next().await.is_some() {} };
        let all = timeout(state.settings.stop_timeout, finished).await;
        state.tick();
        state.log.line(if all.is_ok() { "stopped" } else { "stopped before every connection had ended" }.to_owned());
        connections.abort_all();
    }
}

impl Socket {
    /// The next connection, once there is a place for it.
    async fn accept(&self, places: &Arc<Semaphore>) -> Option<(Stream, OwnedSemaphorePermit)> {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        let accepted = match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, _)| Stream::Tcp(stream)),
            #[cfg(unix)]
            Self::Unix(socket) => socket.accept().await.map(Stream::Unix),
        };
        match accepted {
            Ok(stream) => Some((stream, place)),
            Err(_) => {
                sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}

fn url(settings: &Settings, address: std::net::SocketAddr) -> String {
    format!("{}://{address}", if settings.tls.is_some() { "https" } else { "http" })
}

async fn attend(stream: Stream, router: Router, state: &State, stopping: watch::Receiver<bool>) {
    let settings = &state.settings;
    match stream {
        Stream::Tcp(stream) => {
            let (Ok(from), Ok(to)) = (stream.peer_addr(), stream.local_addr()) else { return };
            let peer = Peer { from: from.ip().to_string().into(), address: url(settings, to).into() };
            // Answers are small and whole: to wait for more to send would only delay them.
            let _ = stream.set_nodelay(true);
            match &settings.tls {
                None => answer(stream, router, peer, settings, stopping).await,
                Some(tls) => {
                    let accepted = TlsAcceptor::from(Arc::clone(tls)).accept(stream);
                    if let Ok(Ok(stream)) = timeout(settings.header_timeout, accepted).await {
                        answer(stream, router, peer, settings, stopping).await;
                    }
                }
            }
        }
        #[cfg(unix)]
        Stream::Unix(stream) => {
            let peer = Peer { from: "unix".into(), address: "http://localhost".into() };
            answer(stream, router, peer, settings, stopping).await;
        }
    }
}

/// Answers the requests of a connection, one after the other.
async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    peer: Peer,
    settings: &Settings,
    mut stopping: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(router.layer(Extension(peer)));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(settings.header_timeout)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        // What is wrong with a connection is its caller's to see: the answer is not there.
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stopping| *stopping) => {}
        () = sleep(settings.connection_age) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(settings.stop_timeout, connection).await;
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::FileTypeExt as _;
    use std::path::{Path, PathBuf};

    use rustix::fs::Mode;
    use tokio::net::{UnixListener, UnixStream};

    use super::CannotStart;

    /// A socket in the file system. Only its owner can connect; it is gone when the server is.
    pub(super) struct Socket {
        listener: UnixListener,
        path: PathBuf,
    }

    impl Socket {
        pub(super) fn bind(path: &Path) -> Result<Self, CannotStart> {
            let cannot =
                |error: &dyn std::fmt::Display| CannotStart(format!("cannot listen on {}: {error}", path.display()));
            if path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket()) {
                // One that nobody answers on was left by a server that was killed.
                if std::os::unix::net::UnixStream::connect(path).is_ok() {
                    return Err(cannot(&"another server answers there"));
                }
                std::fs::remove_file(path).map_err(|error| cannot(&error))?;
            }
            // The mask, not a later change of mode: else there were a moment at which anybody could connect.
            let before = rustix::process::umask(Mode::from_raw_mode(0o177));
            let bound = std::os::unix::net::UnixListener::bind(path);
            rustix::process::umask(before);
            let listener = bound.and_then(|listener| {
                listener.set_nonblocking(true)?;
                UnixListener::from_std(listener)
            });
            Ok(Self { listener: listener.map_err(|error| cannot(&error))?, path: path.to_owned() })
        }

        pub(super) fn path(&self) -> &Path {
            &self.path
        }

        pub(super) async fn accept(&self) -> std::io::Result<UnixStream> {
            self.listener.accept().await.map(|(stream, _)| stream)
        }
    }

    impl Drop for Socket {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
