//! What a drill's steps and events say, in words: for the terminal and for the page alike.

use fallgate::drill::StepReport;
use fallgate::state::approvals::Close;
use fallgate::state::events::EventKind;
use fallgate::time::Monotonic;

/// What changed, for the events that a reader of the timeline looks for.
pub(crate) fn changed(event: &EventKind) -> Option<String> {
    match event {
        EventKind::SignalChanged { signal, from, to, guard, .. } => {
            let guard = guard.map(|guard| format!(" ({guard})")).unwrap_or_default();
            Some(format!("{signal}: {} → {}{guard}", from.name(), to.name()))
        }
        EventKind::GuardForcedOpen { signal } => Some(format!("{signal}: forced open")),
        EventKind::GuardReleased { signal } => Some(format!("{signal}: released")),
        EventKind::PostureEntered { posture, scope, cause, .. } => {
            Some(format!("{posture}{}: entered ({})", in_scope(scope.as_deref()), cause.code()))
        }
        EventKind::Quarantined { selector, .. } => Some(format!("{selector}: quarantined")),
        EventKind::QuarantineLifted { selector } => Some(format!("{selector}: no longer quarantined (lifted)")),
        EventKind::QuarantineEnded { selector } => Some(format!("{selector}: no longer quarantined (ended)")),
        EventKind::Revoked { selector } => Some(format!("{selector}: earlier decisions are void")),
        EventKind::PostureLeft { posture, scope, approved } => {
            let by = approved.as_ref().map(|approved| format!(" (approved by {})", approved.approvers.join(", ")));
            Some(format!("{posture}{}: left{}", in_scope(scope.as_deref()), by.unwrap_or_default()))
        }
        EventKind::Approved { by, approvals, need, .. } => Some(format!("{by}: approved ({approvals} of {need})")),
        EventKind::ApprovalRefused { by, code, .. } => Some(format!("{by}: refused ({code})")),
        EventKind::ProposalClosed { why, .. } if *why != Close::Done => {
            Some(format!("a proposal waits no more ({})", why.code()))
        }
        EventKind::OverrideGranted { window, terms, .. } => {
            Some(format!("override: {} times within {window}", terms.0.uses))
        }
        EventKind::OverrideUsed { overrode, uses_left, .. } => {
            Some(format!("override: used, of {} ({uses_left} left)", overrode.code()))
        }
        EventKind::OverrideEnded { why, .. } => Some(format!("override: ended ({})", why.code())),
        EventKind::FlagSet { flag, .. } => Some(format!("{flag}: set")),
        EventKind::FlagCleared { flag, .. } => Some(format!("{flag}: cleared")),
        EventKind::FlagExpired { flag } => Some(format!("{flag}: set for longer than was meant")),
        EventKind::FlagKept { flag, code } => Some(format!("{flag}: kept as it is ({code})")),
        EventKind::PostureKept { posture, code } => Some(format!("{posture}: kept as it is ({code})")),
        EventKind::ControlBegan { feed, epoch } => Some(format!("{feed}: epoch {epoch} begins")),
        EventKind::ControlApplied { place, code: Some(code), .. } => {
            Some(format!("{} {}/{}: not done ({code})", place.feed, place.epoch, place.sequence))
        }
        EventKind::ControlApplied { place, filled: true, .. } => {
            Some(format!("{}: nothing is missing now", place.feed))
        }
        EventKind::ControlRefused { place: Some(place), code, .. } => {
            Some(format!("{} {}/{}: refused ({code})", place.feed, place.epoch, place.sequence))
        }
        EventKind::ControlRefused { place: None, code, .. } => Some(format!("a control message: refused ({code})")),
        EventKind::ClockFailed => Some("clock: the two clocks have parted".to_owned()),
        EventKind::ClockAnchored => Some("clock: taken for right again".to_owned()),
        EventKind::EngineFailed => Some("engine: a panic was contained".to_owned()),
        EventKind::ObservationIgnored { signal, outcome } => {
            Some(format!("{signal}: an observation was not taken ({})", outcome.code()))
        }
        _ => None,
    }
}

pub(crate) fn in_scope(scope: Option<&str>) -> String {
    scope.map(|scope| format!(" in {scope}")).unwrap_or_default()
}

/// A time since the start, in seconds.
pub(crate) fn seconds(at: Monotonic) -> String {
    in_seconds(at.as_nanos() / 1_000_000)
}

/// Milliseconds since the start as people say them: in seconds below two minutes, else in hours, minutes and seconds.
pub(crate) fn since_start(millis: u64) -> String {
    if millis < 120_000 {
        return in_seconds(millis);
    }
    let seconds = millis / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "m"), (seconds, "s")];
    let said = parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}"));
    said.collect::<Vec<_>>().join(" ")
}

fn in_seconds(millis: u64) -> String {
    let (seconds, rest) = (millis / 1_000, millis % 1_000);
    if rest == 0 { format!("{seconds}s") } else { format!("{seconds}.{rest:03}s") }
}

/// What was told and asked in a step.
pub(crate) fn happened(step: &StepReport) -> String {
    let mut parts = Vec::new();
    if !step.told.is_empty() {
        parts.push(step.told.join(", "));
    }
    parts.extend(step.asked.clone());
    if parts.is_empty() {
        parts.extend(step.note.clone());
    }
    parts.join("; ")
}
