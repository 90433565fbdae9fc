//! A server as a process, and a client that can be as slow and as wrong as a test wants it.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::NamedTempFile;

pub(crate) const TOKEN: &str = "a-token-of-a-test-5f7c1e";
pub(crate) const BEARER: &str = "Bearer a-token-of-a-test-5f7c1e";

/// Whatever a client reads and writes.
pub(crate) trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A running server; it ends with the test.
pub(crate) struct Server {
    child: Child,
    place: String,
    log: Arc<Mutex<String>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    body: Vec<u8>,
}

/// A connection to a server.
pub(crate) struct Connection(pub(crate) Box<dyn Stream>);

pub(crate) fn pack(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies").join(name)
}

/// A file with [`TOKEN`]. It takes its place whole: no server is to read half of it.
pub(crate) fn token_file() -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut file = NamedTempFile::new_in(folder).unwrap();
    writeln!(file, "{TOKEN}").unwrap();
    let path = folder.join("token");
    file.persist(&path).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The bytes of a request.
pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    format!("{head}\r\n{body}").into_bytes()
}

/// The command, not yet run.
pub(crate) fn command(pack: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fallgate"));
    command.arg("serve").arg(pack).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Server {
    /// Serves a shipped pack, on a port that is free.
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        Self::start_at(&pack(name), &[&["--listen", "127.0.0.1:0"], arguments].concat())
    }

    /// Serves a pack with these arguments.
    pub(crate) fn start_at(pack: &Path, arguments: &[&str]) -> Self {
        Self::start_as(command(pack, arguments))
    }

    /// Serves by this command.
    pub(crate) fn start_as(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (mut errors, written) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        std::thread::spawn(move || {
            let mut line = String::new();
            while errors.read_line(&mut line).is_ok_and(|read| read > 0) {
                written.lock().unwrap().push_str(&std::mem::take(&mut line));
            }
        });
        let mut first = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut first).unwrap();
        let place = first.trim_end().rsplit(" on ").next().unwrap().to_owned();
        assert!(!place.is_empty(), "it did not start: {}", log.lock().unwrap());
        Self { child, place, log }
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        &self.place
    }

    pub(crate) fn host(&self) -> &str {
        self.place.split_once("://").unwrap().1
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until the log holds a text.
    pub(crate) fn logs(&self, text: &str) {
        let started = Instant::now();
        while !self.log().contains(text) {
            assert!(started.elapsed() < Duration::from_secs(20), "`{text}` is not in\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn connect(&self) -> Connection {
        let patience = Some(Duration::from_secs(20));
        match self.place.strip_prefix("unix:") {
            Some(path) => {
                let stream = UnixStream::connect(path).unwrap();
                stream.set_read_timeout(patience).unwrap();
                Connection(Box::new(stream))
            }
            None => {
                let stream = TcpStream::connect(self.host()).unwrap();
                stream.set_read_timeout(patience).unwrap();
                Connection(Box::new(stream))
            }
        }
    }

    /// Sends a request on a connection of its own.
    pub(crate) fn ask(&self, request: &[u8]) -> Reply {
        let mut connection = self.connect();
        connection.send(request);
        connection.reply()
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Reply {
        self.ask(&post(path, &[("Content-Type", "application/json")], body))
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
    }

    /// Sends a signal of the operating system.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(process, signal).unwrap();
    }

    /// Waits until it has ended, and gives its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < Duration::from_secs(20), "it does not end:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Connection {
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        // A server that has refused may close before it has read all.
        let _ = self.0.write_all(bytes).and_then(|()| self.0.flush());
    }

    /// The next answer.
    pub(crate) fn reply(&mut self) -> Reply {
        self.next().expect("the server closed the connection")
    }

    /// The next answer; nothing where the server has closed.
    pub(crate) fn next(&mut self) -> Option<Reply> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match self.0.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                Ok(_) => return None,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&head)),
            }
        }
        let head = String::from_utf8(head).unwrap();
        let mut reply = Reply { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body: Vec::new() };
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        reply.body = vec![0; length];
        self.0.read_exact(&mut reply.body).unwrap();
        Some(reply)
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| line.split_once(':').is_some_and(|(found, _)| found.eq_ignore_ascii_case(name));
        let line = self.head.lines().skip(1).find(named)?;
        Some(line.split_once(':').unwrap().1.trim())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}
