//! What a policy demands of a failover.

/// What happens when an engine takes over from another, or finds another active beside itself.
#[derive(Clone, Debug)]
pub struct FailoverSpec {
    /// The number of the posture that is entered everywhere.
    pub posture: u16,
    /// The signals that have to be ok before it is left, besides those of its own.
    pub checks: Box<[u16]>,
}
