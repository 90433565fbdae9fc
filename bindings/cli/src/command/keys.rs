//! `fallgate keys`: new keys, the keys of a trust root, and trust roots themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use fallgate::error::quoted;
use fallgate::limits::Limits;
use fallgate::policy::format::Validity;
use fallgate::policy::trust::control::RoleForm;
use fallgate::policy::trust::envelope::{self, Envelope};
use fallgate::policy::trust::root::{KeyForm, RevokedForm, TrustForm, TrustRoot};
use serde_json::json;

use super::build::write_whole;
use super::eval::machine_time;
use crate::arguments::{Format, Keys, MakeTrust};
use crate::console::{Console, Exit, Failure};
use crate::finding::Finding;
use crate::reading::shown;
use crate::signing::{OneTimeSecret, PrivateKey, follow, read_public, refusal};

pub(super) fn run(keys: &Keys, console: &mut Console<'_>) -> Result<Exit, Failure> {
    match keys {
        Keys::New { output, totp: false } => new(output, console),
        Keys::New { output, totp: true } => new_secret(output, console),
        Keys::List { trust, format } => list(trust, *format, console),
        Keys::Trust(make) => trust(make, console),
    }
}

fn new(output: &Path, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let key = PrivateKey::random()?;
    let mut beside = output.as_os_str().to_owned();
    beside.push(".pub");
    // The public half first: a private key without it would be found and taken for whole.
    write_new(Path::new(&beside), format!("{}\n", key.public()).as_bytes(), false)?;
    write_new(output, key.to_pem()?.as_ref().as_bytes(), true)?;
    writeln!(console.out, "{}", key.public().id())?;
    Ok(Exit::Fine)
}

fn new_secret(output: &Path, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let secret = OneTimeSecret::random()?;
    let line = secret.to_line();
    write_new(output, format!("{}\n", *line).as_bytes(), true)?;
    writeln!(console.out, "{}", *line)?;
    Ok(Exit::Fine)
}

/// Writes a file that is not there yet: a key that is overwritten is lost.
fn write_new(path: &Path, bytes: &[u8], private: bool) -> Result<(), Finding> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = private;
    let written = options.open(path).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|error| {
        let reason = error.to_string();
        let reason = reason.split(" (os error").next().unwrap_or_default().to_lowercase();
        Finding::unreadable(format!("cannot write {}: {reason}", quoted(&shown(path))))
    })
}

fn list(roots: &[PathBuf], format: Format, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let now = machine_time();
    let Some(root) = follow(roots, now)? else { return Err(Failure::Usage("name a trust root".to_owned())) };
    let form = form_of(&root)?;
    let bound = |id: &str, pick: fn(&Validity) -> &Option<String>| {
        let key = form.keys.iter().find(|key| key.id == id).and_then(|key| key.valid.as_ref());
        key.and_then(|valid| pick(valid).clone())
    };
    let keys = root.keys().iter().map(|one| {
        let id = one.key.id().to_string();
        let (from, until) = (bound(&id, |valid| &valid.from), bound(&id, |valid| &valid.until));
        (id, root.standing(one, Some(now)).name(), from, until)
    });
    match format {
        Format::Json => {
            let keys: Vec<_> = keys
                .map(|(id, standing, from, until)| json!({ "id": id, "standing": standing, "from": from, "until": until }))
                .collect();
            let output = json!({
                "version": root.version(), "threshold": root.threshold(), "keys": keys, "control": form.control,
                "revoked": { "keys": form.revoked.keys, "bundles": form.revoked.bundles },
            });
            writeln!(console.out, "{output:#}")?;
        }
        Format::Text => {
            writeln!(
                console.out,
                "version {}: {} of {} keys must sign",
                root.version(),
                root.threshold(),
                root.keys().len()
            )?;
            for (id, standing, from, until) in keys {
                let from = from.map(|from| format!(", from {from}")).unwrap_or_default();
                let until = until.map(|until| format!(", until {until}")).unwrap_or_default();
                writeln!(console.out, "  {id}  {}{from}{until}", standing.replace('_', " "))?;
            }
            for (feed, role) in &form.control {
                let (threshold, count) = (role.threshold, role.keys.len());
                writeln!(console.out, "feed {}: {threshold} of {count} keys must sign", quoted(feed))?;
                for key in &role.keys {
                    writeln!(console.out, "  {}", key.id)?;
                }
            }
            for (what, ids) in [("key", &form.revoked.keys), ("bundle", &form.revoked.bundles)] {
                for id in ids {
                    writeln!(console.out, "  revoked {what} {id}")?;
                }
            }
        }
    }
    Ok(Exit::Fine)
}

/// What a root says, to be changed.
fn form_of(root: &TrustRoot) -> Result<TrustForm, Failure> {
    Ok(serde_json::from_slice(root.bytes()).map_err(std::io::Error::other)?)
}

fn trust(make: &MakeTrust, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let held = follow(&make.follow, machine_time())?;
    let mut form = match &held {
        Some(root) => form_of(root)?,
        None => {
            let revoked = RevokedForm::default();
            TrustForm {
                fallgate_trust: 1,
                version: 0,
                threshold: 1,
                keys: Vec::new(),
                control: BTreeMap::new(),
                revoked,
            }
        }
    };
    form.version = form.version.saturating_add(1);
    form.threshold = make.threshold.unwrap_or(form.threshold);
    for id in &make.drop {
        let before = form.keys.len();
        form.keys.retain(|key| key.id != *id);
        let mut found = form.keys.len() != before;
        for role in form.control.values_mut() {
            let before = role.keys.len();
            role.keys.retain(|key| key.id != *id);
            found |= role.keys.len() != before;
        }
        // A feed for which nobody speaks has no role.
        form.control.retain(|_, role| !role.keys.is_empty());
        if !found {
            return Err(Failure::Usage(format!("the trust root has no key {}", quoted(id))));
        }
    }
    let bounds = Validity { from: make.from.clone(), until: make.until.clone() };
    let valid = (bounds.from.is_some() || bounds.until.is_some()).then_some(bounds);
    for path in &make.keys {
        let key = read_public(path)?;
        let id = key.id().to_string();
        // A key that is given again has a new window.
        form.keys.retain(|known| known.id != id);
        form.keys.push(KeyForm { id, key: key.to_string(), valid: valid.clone() });
    }
    form.keys.sort_by(|one, other| one.id.cmp(&other.id));
    for (feed, path) in &make.speakers {
        let key = read_public(Path::new(path))?;
        let id = key.id().to_string();
        let role = form.control.entry(feed.clone()).or_insert_with(|| RoleForm { threshold: 1, keys: Vec::new() });
        role.keys.retain(|known| known.id != id);
        role.keys.push(KeyForm { id, key: key.to_string(), valid: valid.clone() });
        role.keys.sort_by(|one, other| one.id.cmp(&other.id));
    }
    for (feed, count) in &make.speakers_needed {
        let count = count.parse().map_err(|_| Failure::Usage(format!("{} is no count", quoted(count))))?;
        let role = form.control.get_mut(feed);
        let role = role.ok_or_else(|| Failure::Usage(format!("nobody speaks for the feed {}", quoted(feed))))?;
        role.threshold = count;
    }
    merge(&mut form.revoked.keys, &make.revoke_keys);
    merge(&mut form.revoked.bundles, &make.revoke_bundles);
    let root = TrustRoot::from_form(&form, &Limits::DEFAULT).map_err(|error| refusal("the trust root", &error))?;
    let bytes = match held {
        None => root.bytes().to_vec(),
        Some(_) => {
            let mut envelope = Envelope::new(envelope::TRUST, root.bytes().to_vec());
            for path in &make.sign {
                PrivateKey::read(path)?.sign(&mut envelope)?;
            }
            envelope.to_json()
        }
    };
    write_whole(&make.output, &bytes)?;
    writeln!(console.out, "version {}: {} of {} keys must sign", root.version(), root.threshold(), root.keys().len())?;
    Ok(Exit::Fine)
}

fn merge(known: &mut Vec<String>, more: &[String]) {
    let all: BTreeSet<String> = known.drain(..).chain(more.iter().cloned()).collect();
    known.extend(all);
}
