//! W4 by hand: the ten checks over typed structs, and over a generic JSON value.

use serde::Deserialize;
use serde_json::Value;

use crate::admission::{LABELS, REGISTRIES, VOLUMES};
use crate::text::Text;

/// What the hand-written floor reads of a request; serde skips the rest of the 5 KB.
#[derive(Debug, Deserialize)]
pub struct Review<'a> {
    #[serde(borrow)]
    action: Action<'a>,
    #[serde(borrow)]
    resource: Resource<'a>,
}

#[derive(Debug, Deserialize)]
struct Action<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Debug, Deserialize)]
struct Resource<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    properties: Properties<'a>,
}

#[derive(Debug, Deserialize)]
struct Properties<'a> {
    #[serde(borrow)]
    object: Pod<'a>,
}

#[derive(Debug, Deserialize)]
struct Pod<'a> {
    metadata: Metadata,
    #[serde(borrow)]
    spec: Spec<'a>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    labels: Labels,
}

#[derive(Debug, Deserialize)]
struct Labels {
    app: Option<serde::de::IgnoredAny>,
    team: Option<serde::de::IgnoredAny>,
    tier: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    containers: Vec<Container<'a>>,
    volumes: Vec<Volume>,
    security_context: PodSecurity,
    host_network: bool,
    #[serde(rename = "hostPID")]
    host_pid: bool,
    #[serde(rename = "hostIPC")]
    host_ipc: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSecurity {
    run_as_non_root: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container<'a> {
    #[serde(borrow)]
    image: Text<'a>,
    security_context: ContainerSecurity,
    resources: Resources,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerSecurity {
    privileged: bool,
    allow_privilege_escalation: bool,
    read_only_root_filesystem: bool,
}

#[derive(Debug, Deserialize)]
struct Resources {
    limits: Limits,
}

#[derive(Debug, Deserialize)]
struct Limits {
    cpu: Option<serde::de::IgnoredAny>,
    memory: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Volume {
    config_map: Option<serde::de::IgnoredAny>,
    empty_dir: Option<serde::de::IgnoredAny>,
    secret: Option<serde::de::IgnoredAny>,
    projected: Option<serde::de::IgnoredAny>,
    persistent_volume_claim: Option<serde::de::IgnoredAny>,
}

impl<'a> Review<'a> {
    /// Reads the request's JSON, borrowing its strings.
    ///
    /// # Errors
    ///
    /// Where the bytes are no JSON, or lack a member that a check reads.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// The floor: the ten checks, by hand.
    #[must_use]
    pub fn admitted(&self) -> bool {
        let Pod { metadata: Metadata { labels }, spec } = &self.resource.properties.object;
        let sound = |c: &Container<'_>| {
            REGISTRIES.iter().any(|prefix| c.image.starts_with(prefix))
                && c.image.contains("@sha256:")
                && !c.security_context.privileged
                && !c.security_context.allow_privilege_escalation
                && c.security_context.read_only_root_filesystem
                && c.resources.limits.cpu.is_some()
                && c.resources.limits.memory.is_some()
        };
        let listed = |v: &Volume| {
            v.config_map.is_some()
                || v.empty_dir.is_some()
                || v.secret.is_some()
                || v.projected.is_some()
                || v.persistent_volume_claim.is_some()
        };
        &*self.action.name == "pods:create"
            && &*self.resource.kind == "pod"
            && spec.containers.iter().all(sound)
            && spec.security_context.run_as_non_root
            && labels.app.is_some()
            && labels.team.is_some()
            && labels.tier.is_some()
            && !(spec.host_network || spec.host_pid || spec.host_ipc)
            && spec.volumes.iter().all(listed)
    }
}

/// The other floor: the ten checks over a generic JSON value, as most webhooks are written.
#[must_use]
pub fn admitted_value(request: &Value) -> bool {
    let object = &request["resource"]["properties"]["object"];
    let spec = &object["spec"];
    let stated = |value: &Value, wanted: bool| value.as_bool() == Some(wanted);
    let sound = |c: &Value| {
        let image = c["image"].as_str().unwrap_or_default();
        let security = &c["securityContext"];
        let limits = &c["resources"]["limits"];
        REGISTRIES.iter().any(|prefix| image.starts_with(prefix))
            && image.contains("@sha256:")
            && stated(&security["privileged"], false)
            && stated(&security["allowPrivilegeEscalation"], false)
            && stated(&security["readOnlyRootFilesystem"], true)
            && !limits["cpu"].is_null()
            && !limits["memory"].is_null()
    };
    request["action"]["name"] == "pods:create"
        && request["resource"]["type"] == "pod"
        && spec["containers"].as_array().is_some_and(|containers| containers.iter().all(sound))
        && stated(&spec["securityContext"]["runAsNonRoot"], true)
        && LABELS.iter().all(|label| !object["metadata"]["labels"][label].is_null())
        && ["hostNetwork", "hostPID", "hostIPC"].iter().all(|flag| stated(&spec[flag], false))
        && spec["volumes"]
            .as_array()
            .is_some_and(|volumes| volumes.iter().all(|volume| VOLUMES.iter().any(|kind| !volume[kind].is_null())))
}
