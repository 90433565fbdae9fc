//! One-time codes: S-21.5. Which step a code is of is the caller's to say.

use fallgate::policy::format::Approver;

use crate::Time;
use crate::pack::Pack;
use crate::told::Oracle;

/// What somebody shows to prove who he is.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// A signature that is right.
    Signature,
    /// The code of a step, or of none.
    Code(Option<u64>),
}

/// What became of the codes of a secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct Codes {
    /// The latest step of which one was used.
    used: Option<u64>,
    /// When each wrong one came, since they are counted.
    wrong: Vec<Time>,
}

const STEP_NANOS: i64 = 30_000_000_000;
const TRIES: usize = 5;
const TRIES_WITHIN: Time = 300_000_000_000;

fn step(wall: i64) -> Option<u64> {
    u64::try_from(wall).ok().map(|_| (wall / STEP_NANOS).unsigned_abs())
}

/// The key of an approver, or the secret of his codes, as the pack writes it.
pub(crate) fn key_of<'p>(pack: &'p Pack, name: &str) -> Option<&'p str> {
    match pack.document.approvers.values().find_map(|group| group.get(name))? {
        Approver::Key(key) => Some(key),
        Approver::Person(person) => Some(&person.key),
    }
}

impl Oracle {
    /// Whether an approver has proved who he is.
    pub(crate) fn prove(&mut self, pack: &Pack, by: &str, shown: Shown) -> Result<(), &'static str> {
        let key = key_of(pack, by).ok_or("unknown_approver")?;
        match shown {
            Shown::Code(of) if key.starts_with("totp:") => self.take_code(key, of),
            Shown::Signature if !key.starts_with("totp:") => Ok(()),
            _ => Err("proof_missing"),
        }
    }

    fn take_code(&mut self, secret: &str, of: Option<u64>) -> Result<(), &'static str> {
        let (now, current, began) = (self.now, step(self.wall), step(self.began));
        let codes = self.codes.entry(secret.to_owned()).or_default();
        codes.wrong = still_count(&codes.wrong, now);
        if codes.wrong.len() >= TRIES {
            return Err("too_many_tries");
        }
        let is_of_now = current.is_some_and(|current| of == Some(current) || of == current.checked_sub(1));
        // One of the time before it began to remember may have been used.
        let is_used = of <= codes.used.max(began);
        if is_of_now && !is_used {
            codes.used = of;
            return Ok(());
        }
        codes.wrong.push(now);
        Err("bad_code")
    }

    /// What of the codes outlives a restart: that they were used, and wrong ones that still count, for the whole time anew.
    pub(crate) fn codes_anew(&mut self, state: &Self) {
        let now = self.now;
        let anew = |codes: &Codes| Codes {
            used: codes.used,
            wrong: still_count(&codes.wrong, state.now).iter().map(|_| now).collect(),
        };
        self.codes = state.codes.iter().map(|(secret, codes)| (secret.clone(), anew(codes))).collect();
    }
}

/// The wrong ones that are not forgotten: all of them are, when the time since the first is over.
fn still_count(wrong: &[Time], now: Time) -> Vec<Time> {
    let is_over = wrong.first().is_some_and(|first| now >= first.saturating_add(TRIES_WITHIN));
    if is_over { Vec::new() } else { wrong.to_vec() }
}
