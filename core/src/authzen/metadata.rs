//! What a decision point says of itself, at `/.well-known/authzen-configuration`.

use serde_json::{Map, Value as Json};

use super::Endpoint;

/// Where the metadata are, under the root of the decision point's host.
pub const WELL_KNOWN: &str = "/.well-known/authzen-configuration";

/// A text that cannot identify a decision point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a decision point is identified by an address such as `https://pdp.example.com`, without query and fragment")]
pub struct NotAnIdentifier;

/// The metadata of the decision point at this address: its identifier and its endpoints.
///
/// The caller says the address. It is never to be taken from a request: a client could then be sent elsewhere with the
/// metadata of somebody else.
///
/// # Errors
/// [`NotAnIdentifier`], for what is no `https` or `http` address, or has a query, a fragment, or anything unprintable.
pub fn metadata(address: &str) -> Result<Json, NotAnIdentifier> {
    let after_scheme = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"));
    let host = after_scheme.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let printable = address.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\\"<>@".contains(&byte));
    if host.is_empty() || !printable {
        return Err(NotAnIdentifier);
    }
    let base = address.trim_end_matches('/');
    let mut members = Map::new();
    members.insert("policy_decision_point".to_owned(), base.into());
    for endpoint in Endpoint::ALL {
        let name = match endpoint {
            Endpoint::Evaluation => "access_evaluation_endpoint",
            Endpoint::Evaluations => "access_evaluations_endpoint",
            Endpoint::SearchSubject => "search_subject_endpoint",
            Endpoint::SearchResource => "search_resource_endpoint",
            Endpoint::SearchAction => "search_action_endpoint",
        };
        members.insert(name.to_owned(), format!("{base}{}", endpoint.path()).into());
    }
    Ok(Json::Object(members))
}
