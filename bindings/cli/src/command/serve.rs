//! `fallgate serve`: from what the operator says to a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fallgate::Engine;
use fallgate::authzen::metadata;
use fallgate::drill::parse_status;
use fallgate::policy::bundle::{Bundle, Trust};
use fallgate::policy::trust::envelope::Envelope;
use fallgate::policy::trust::root::TrustRoot;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::eval::{machine_time, members};
use super::{Compiled, compile, compile_signed};
use crate::arguments::Serve;
use crate::audit_log::key::{engine_key, secret_key};
use crate::console::{Console, Exit, Failure};
use crate::finding::Finding;
use crate::reading::bytes_of;
use crate::report;
use crate::serve::settings::{AuditSettings, Place, Settings, Token};
use crate::serve::{CannotStart, Server};
use crate::signing::follow;

/// For how long one connection is kept at the most, so that who never reads an answer does not keep its place.
const CONNECTION_AGE: Duration = Duration::from_secs(600);

pub(super) fn run(serve: &Serve, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let trust = follow(&serve.trusting.roots, machine_time())?.map_or(Trust::unsigned_for_development(), Trust::keys);
    let bundle = compiled(&serve.pack, &trust)?.bundle;
    let settings = settings(serve, &bundle, trust)?;
    let (name, revision) = (bundle.name().to_owned(), bundle.revision());
    if settings.token.is_some() && settings.tls.is_none() && !is_private(&settings.place) {
        writeln!(
            console.err,
            "warning: the token travels in the clear: give --tls-cert and --tls-key, or a proxy that does TLS"
        )?;
    }
    if settings.audit.is_none() && bundle.policy().audit.is_some() {
        writeln!(
            console.err,
            "warning: the pack declares audit, and nothing writes its records: give --audit, or actions that demand a record \
             are denied once the buffer is full"
        )?;
    }
    let (pack, roots) = (serve.pack.clone(), serve.trusting.roots.clone());
    let reload = Arc::new(move |engine: &Engine| read_again(&pack, &roots, engine));
    let server = Server::start(settings, bundle, reload).map_err(|CannotStart(why)| Finding::unreadable(why))?;
    writeln!(console.out, "{name} revision {revision} on {}", server.address())?;
    console.out.flush()?;
    // Who watches the log may go away; the server goes on.
    server.run(|line| drop(writeln!(console.err, "{line}")));
    Ok(Exit::Fine)
}

fn settings(serve: &Serve, bundle: &Bundle, trust: Trust) -> Result<Settings, Failure> {
    let place = match &serve.socket {
        Some(path) => Place::Unix(path.clone()),
        None => Place::Tcp(serve.listen),
    };
    let token = serve.token_file.as_deref().map(token).transpose()?;
    if token.is_none() && !is_private(&place) {
        let message =
            format!("others can reach {}: give --token-file, or listen on loopback or with --socket", serve.listen);
        return Err(Failure::Usage(message));
    }
    let tls = match (&serve.tls_cert, &serve.tls_key) {
        (Some(certificate), Some(key)) => Some(tls(certificate, key)?),
        _ => None,
    };
    if let Some(url) = &serve.public_url {
        metadata(url).map_err(|error| Failure::Usage(format!("--public-url: {error}")))?;
    }
    let audit = match &serve.audit {
        Some(place) => Some(AuditSettings {
            place: place.clone(),
            key: serve.audit_key_file.as_deref().map(secret_key).transpose()?,
            file_bytes_max: u64::try_from(serve.audit_file_mib).unwrap_or(u64::MAX).saturating_mul(1 << 20),
        }),
        None => None,
    };
    let mut observed = Vec::new();
    for (name, status) in &serve.observed {
        let status = parse_status(status).unwrap_or_default();
        observed.extend(members(bundle, name)?.into_iter().map(|member| (member.to_owned(), status)));
    }
    Ok(Settings {
        place,
        token,
        tls,
        trust,
        public_url: serve.public_url.clone(),
        observed,
        audit,
        journal: serve.journal.clone(),
        key: serve.key_file.as_deref().map(engine_key).transpose()?,
        connections_max: serve.connections_max,
        decisions_max: serve.decisions_max,
        header_timeout: serve.header_timeout,
        request_timeout: serve.request_timeout,
        connection_age: CONNECTION_AGE,
        stop_timeout: serve.stop_timeout,
    })
}

/// Whether only this machine, or only the owner, can connect.
fn is_private(place: &Place) -> bool {
    match place {
        Place::Tcp(address) => address.ip().is_loopback(),
        Place::Unix(_) => true,
    }
}

fn token(path: &Path) -> Result<Token, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    Token::from_text(&text).map_err(|error| unreadable(path, &error))
}

fn tls(certificate: &Path, key: &Path) -> Result<Arc<rustls::ServerConfig>, Failure> {
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| unreadable(certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|versions| versions.with_no_client_auth().with_single_cert(chain, private));
    let mut config = config.map_err(|error| unreadable(certificate, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Finding::unreadable(format!("{}: {error}", path.display())).into()
}

/// The pack by this trust: a folder or any bundle where anybody is trusted, else a signed bundle.
fn compiled(pack: &Path, trust: &Trust) -> Result<Compiled, Failure> {
    match trust.root() {
        None => compile(pack),
        Some(_) => compile_signed(pack, trust, machine_time()),
    }
}

/// The bundle of the pack as it stands now, or the first thing that is wrong with it.
fn read_again(pack: &Path, roots: &[PathBuf], engine: &Engine) -> Result<Bundle, String> {
    // The first root is what the server was started with; those after it speak for themselves.
    for path in roots.iter().skip(1) {
        let bytes = bytes_of(path).map_err(|finding| finding.message)?;
        // Those that the engine has followed already were signed by keys that it may have given up since.
        let held = engine.trust().root().map_or(0, TrustRoot::version);
        let offered = Envelope::from_json(&bytes, &engine.config().limits)
            .and_then(|envelope| TrustRoot::from_json(envelope.payload(), &engine.config().limits))
            .map_err(|error| error.to_string())?;
        if held < offered.version() {
            engine.rotate_trust(&bytes, fallgate_clocks::now()).map_err(|error| error.to_string())?;
        }
    }
    match compiled(pack, &engine.trust()) {
        Ok(compiled) => Ok(compiled.bundle),
        Err(Failure::Findings(findings, files)) => {
            let first = findings.first().map(|finding| report::one_line(finding, &files));
            Err(first.unwrap_or_else(|| "it cannot be read".to_owned()))
        }
        Err(Failure::Usage(message)) => Err(message),
        Err(Failure::Output(error)) => Err(error.to_string()),
    }
}
