//! A restart in a drill: the engine ends, and another one begins with what was exported of it.

use serde::{Deserialize, Serialize};

use super::timeline::Stage;
use crate::engine::case::Calls;
use crate::operation::{Nothing, Operation, Outcome, RestoreState};
use crate::policy::bundle::Bundle;
use crate::time::Now;

/// The engine is started anew, from its exported state.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// What became of the state on its way. Left out: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Fate>,
    /// The name of the engine that begins, where it is another one than that which ended: a failover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// What became of a state between two engines.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is gone.
    Lost,
    /// Somebody changed it.
    Altered,
    /// Somebody put back the one that was exported before.
    Older,
}

/// Restarts the engine; why its state was not restored, where it was not.
pub(super) fn restart(stage: &mut Stage, bundle: &Bundle, restart: &Restart, now: Now) -> Option<&'static str> {
    let before = stage.exported.take().unwrap_or_default();
    let sequence = stage.engine().state_sequence();
    let exported = stage.operate(&Operation::ExportState(Nothing {}), now);
    let exported = match exported {
        Ok(Outcome::Exported(state)) => state,
        Ok(_) => String::new(),
        Err(error) => return Some(error.code()),
    };
    stage.restart(restart.instance.as_deref(), now);
    if let Err(error) = stage.activate(bundle, now) {
        return Some(error.code());
    }
    let state = match restart.state {
        None => exported.clone(),
        Some(Fate::Lost) => String::new(),
        // A sequence that is higher than it was: the seal has to notice.
        Some(Fate::Altered) => exported.replacen(r#""sequence":""#, r#""sequence":"9"#, 1),
        Some(Fate::Older) => before,
    };
    let restored = stage.operate(&Operation::RestoreState(RestoreState { state, least_sequence: Some(sequence) }), now);
    stage.exported = Some(exported);
    restored.err().map(|error| error.code())
}
