//! What Node's interface costs whatever an engine does: the floors of the benches, which alone build this.

use napi::bindgen_prelude::{Object, Result};
use napi_derive::napi;
use serde::Deserialize;

/// A call that does nothing.
#[napi]
pub fn floor_call() -> u32 {
    1
}

/// A class whose method does nothing.
#[napi]
pub struct Floor;

#[napi]
impl Floor {
    /// One.
    #[napi(constructor)]
    #[allow(clippy::new_without_default, reason = "JavaScript calls it")]
    pub fn new() -> Self {
        Self
    }

    /// Nothing.
    #[napi]
    pub fn call(&self) -> u32 {
        1
    }
}

/// Reads the fields of a request one by one, and says how long the texts are in all.
#[napi]
pub fn floor_fields(request: Object<'_>) -> Result<u32> {
    let (mut length, mut number) = (0, 0.0);
    for entity in ["subject", "resource"] {
        let Some(party) = request.get::<Object<'_>>(entity)? else { continue };
        length = text(&party, "type", text(&party, "id", length)?)?;
        let Some(properties) = party.get::<Object<'_>>("properties")? else { continue };
        length = text(&properties, "owner", length)?;
        for name in ["clearance", "sensitivity"] {
            number += properties.get::<f64>(name)?.unwrap_or_default();
        }
        if let Some(roles) = properties.get::<Vec<String>>("roles")? {
            length = roles.iter().fold(length, |sum, role| sum.saturating_add(role.len()));
        }
    }
    if let Some(action) = request.get::<Object<'_>>("action")? {
        length = text(&action, "name", length)?;
    }
    if let Some(context) = request.get::<Object<'_>>("context")? {
        length = text(&context, "ip", length)?;
        number += context.get::<f64>("hour")?.unwrap_or_default();
    }
    Ok(u32::try_from(length).unwrap_or(u32::MAX).saturating_add(u32::from(number > 0.0)))
}

fn text(object: &Object<'_>, name: &str, length: usize) -> Result<usize> {
    Ok(object.get::<String>(name)?.map_or(length, |text| length.saturating_add(text.len())))
}

#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow)]
    subject: Party<'a>,
    #[serde(borrow)]
    action: Action<'a>,
    #[serde(borrow)]
    resource: Party<'a>,
    context: Option<Context<'a>>,
}

#[derive(Deserialize)]
struct Party<'a> {
    #[serde(rename = "type")]
    party_type: &'a str,
    id: &'a str,
    properties: Option<Properties<'a>>,
}

#[derive(Deserialize)]
struct Properties<'a> {
    #[serde(borrow)]
    roles: Option<Vec<&'a str>>,
    clearance: Option<i64>,
    owner: Option<&'a str>,
    sensitivity: Option<i64>,
}

#[derive(Deserialize)]
struct Action<'a> {
    name: &'a str,
}

#[derive(Deserialize)]
struct Context<'a> {
    ip: &'a str,
    hour: i64,
}

/// Parses the text of a request into its type, and says how long the texts are in all.
#[napi]
pub fn floor_parse(request: String) -> u32 {
    let Ok(request) = serde_json::from_str::<Typed<'_>>(&request) else { return 0 };
    let party = |party: &Party<'_>| {
        let properties = party.properties.as_ref().map_or(0, |properties| {
            let roles = properties.roles.iter().flatten().map(|role| role.len()).sum::<usize>();
            let numbers = properties.clearance.unwrap_or_default() | properties.sensitivity.unwrap_or_default();
            [roles, properties.owner.map_or(0, str::len), usize::from(numbers > 0)].iter().sum()
        });
        [party.party_type.len(), party.id.len(), properties].iter().sum::<usize>()
    };
    let context = request.context.map_or(0, |context| context.ip.len().max(usize::from(context.hour > 0)));
    let all = [party(&request.subject), party(&request.resource), request.action.name.len(), context];
    u32::try_from(all.iter().sum::<usize>()).unwrap_or(u32::MAX)
}
