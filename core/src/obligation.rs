//! What a decision asks of its host besides the answer.

/// What a host must, or may, do along with a decision (AuthZEN's obligations profile).
///
/// An enforcement point that cannot fulfil an obligation must deny.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Obligation {
    /// Which obligation of the pack it is.
    pub id: Box<str>,
    /// What kind of thing is to be done.
    #[serde(rename = "type")]
    pub obligation_type: Box<str>,
    /// The particulars.
    pub properties: serde_json::Value,
}

impl Obligation {
    /// The obligation as AuthZEN's profile writes it.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "id": self.id, "type": self.obligation_type, "properties": self.properties })
    }
}
