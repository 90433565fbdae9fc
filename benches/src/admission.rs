//! W4: a Kubernetes admission review of about 5 KB and ten checks, as native rules and in Rego.
//!
//! The AuthZEN request carries the review's `request` as the resource's properties. Each check is a deny rule; a pod is
//! admitted where all ten are false. The checks ask for what is stated, never for what is merely not there: an image
//! must be from a listed registry, a volume of a listed kind, a security context must say `privileged: false`. So a pod
//! that says less is not admitted more readily, and no rule needs an exception.

use serde_json::{Value, json};

use crate::random::Random;
use crate::{REQUESTS, SEED};

/// The registries that images may come from.
pub const REGISTRIES: [&str; 4] = [
    "registry.example.com/platform/",
    "registry.example.com/payments/",
    "registry.example.com/mirror/",
    "images.example.net/base/",
];

/// The labels that a pod must carry.
pub const LABELS: [&str; 3] = ["app", "team", "tier"];

/// The kinds of volume that a pod may mount.
pub const VOLUMES: [&str; 5] = ["configMap", "emptyDir", "secret", "projected", "persistentVolumeClaim"];

/// The same ten checks in Rego, with the entry point `data.admission.allow`.
pub const REGO: &str = include_str!("admission.rego");

/// The ten checks in CEL: each is true where the pod breaks it.
#[must_use]
pub fn checks() -> [(&'static str, String); 10] {
    let containers = "resource.object.spec.containers";
    let labels = "resource.object.metadata.labels";
    let spec = "resource.object.spec";
    let registries = REGISTRIES.map(|prefix| format!("c.image.startsWith('{prefix}')")).join(" || ");
    let present = LABELS.map(|label| format!("has({labels}.{label})")).join(" && ");
    let kinds = VOLUMES.map(|kind| format!("has(v.{kind})")).join(" || ");
    [
        ("registry-allow-list", format!("!{containers}.all(c, {registries})")),
        ("images-by-digest", format!("!{containers}.all(c, c.image.contains('@sha256:'))")),
        ("no-privileged-container", format!("{containers}.exists(c, c.securityContext.privileged)")),
        ("no-privilege-escalation", format!("{containers}.exists(c, c.securityContext.allowPrivilegeEscalation)")),
        ("run-as-non-root", format!("!{spec}.securityContext.runAsNonRoot")),
        ("read-only-root", format!("!{containers}.all(c, c.securityContext.readOnlyRootFilesystem)")),
        ("limits", format!("!{containers}.all(c, has(c.resources.limits.cpu) && has(c.resources.limits.memory))")),
        ("required-labels", format!("!({present})")),
        ("no-host-namespace", format!("{spec}.hostNetwork || {spec}.hostPID || {spec}.hostIPC")),
        ("no-host-path", format!("!{spec}.volumes.all(v, {kinds})")),
    ]
}

/// Fallgate's bundle with the ten checks as native rules.
#[must_use]
pub fn document() -> Value {
    let mut rules = vec![json!({
        "id": "admit", "effect": "allow", "action": "pods:create", "resource": { "type": "pod" },
    })];
    for (id, when) in checks() {
        rules.push(json!({
            "id": id, "effect": "deny", "action": "pods:create", "when": when,
            "accepts_information_loss": "the object is of the type any here, as every engine has it",
        }));
    }
    pack("w4-admission", rules)
}

/// Fallgate's bundle with the ten checks in one Rego module.
#[must_use]
pub fn rego_document() -> Value {
    let admit = json!({
        "id": "admit", "effect": "allow", "action": "pods:create", "resource": { "type": "pod" },
        "when": { "rego": "data.admission.allow" },
    });
    let mut document = pack("w4-admission-rego", vec![admit]);
    document["rego"] = json!({ "admission.rego": REGO });
    document
}

fn pack(name: &str, rules: Vec<Value>) -> Value {
    json!({
        "fallgate": 1,
        "name": name,
        "revision": 1,
        "schema": {
            "subject": { "user": { "groups": ["string"] } },
            "resource": { "pod": { "operation": "string", "namespace": "string", "object": "any" } },
        },
        "actions": { "pods:create": { "class": "write" } },
        "rules": rules,
    })
}

/// The seeded requests, in the AuthZEN shape: four in ten pods break one of the ten checks.
#[must_use]
pub fn requests() -> Vec<Value> {
    let mut random = Random::seeded(SEED ^ 4);
    (0..REQUESTS)
        .map(|_| {
            let broken = random.chance(40).then(|| random.below(10));
            request(&mut random, broken)
        })
        .collect()
}

fn request(random: &mut Random, broken: Option<usize>) -> Value {
    let app = format!("{}-{}", random.pick(&["ledger", "checkout", "search", "gateway"]), random.below(1_000));
    let namespace = *random.pick(&["payments", "shop", "platform", "research"]);
    let count = 2 + random.below(2);
    let culprit = random.below(count);
    let containers: Vec<Value> = (0..count).map(|at| container(random, at, broken.filter(|_| at == culprit))).collect();
    let mut volumes = vec![
        json!({ "name": "config", "configMap": { "name": format!("{app}-config"), "defaultMode": 420 } }),
        json!({ "name": "scratch", "emptyDir": { "sizeLimit": "256Mi" } }),
        json!({ "name": "keys", "secret": { "secretName": format!("{app}-keys"), "defaultMode": 256 } }),
    ];
    if broken == Some(9) {
        volumes.push(json!({ "name": "host", "hostPath": { "path": "/var/run", "type": "Directory" } }));
    }
    let mut labels = json!({
        "app": app, "team": namespace, "tier": "backend", "version": format!("v{}", random.below(100)),
        "pod-template-hash": format!("{:010x}", random.below(1 << 40)),
    });
    if broken == Some(7)
        && let Some(labels) = labels.as_object_mut()
    {
        labels.remove(*random.pick(&LABELS));
    }
    let uid = format!("{:08x}-1f0a-4c3e-9d21-{:012x}", random.below(1 << 32), random.below(1 << 48));
    let host = broken.filter(|check| *check == 8).map(|_| random.below(3));
    json!({
        "subject": {
            "type": "user", "id": "system:serviceaccount:kube-system:replicaset-controller",
            "properties": { "groups": ["system:serviceaccounts", "system:authenticated"] },
        },
        "action": { "name": "pods:create" },
        "resource": { "type": "pod", "id": format!("{namespace}/{app}"), "properties": {
            "uid": uid,
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "name": app, "namespace": namespace, "operation": "CREATE", "dryRun": false,
            "object": {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {
                    "name": app, "namespace": namespace, "labels": labels,
                    "annotations": {
                        "example.com/build": format!("build-{}", random.below(100_000)),
                        "example.com/contact": format!("{namespace}@example.com"),
                        "prometheus.io/scrape": "true", "prometheus.io/port": "9090",
                    },
                    "ownerReferences": [{
                        "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": app, "uid": uid,
                        "controller": true, "blockOwnerDeletion": true,
                    }],
                },
                "spec": {
                    "containers": containers,
                    "volumes": volumes,
                    "securityContext": {
                        "runAsNonRoot": broken != Some(4), "runAsUser": 10_001, "fsGroup": 10_001,
                        "seccompProfile": { "type": "RuntimeDefault" },
                    },
                    "hostNetwork": host == Some(0), "hostPID": host == Some(1), "hostIPC": host == Some(2),
                    "serviceAccountName": app, "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
                    "dnsPolicy": "ClusterFirst", "schedulerName": "default-scheduler", "priority": 0,
                    "tolerations": [
                        { "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                          "tolerationSeconds": 300 },
                        { "key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
                          "tolerationSeconds": 300 },
                    ],
                },
            },
        } },
        "context": {},
    })
}

fn container(random: &mut Random, at: usize, broken: Option<usize>) -> Value {
    let name = ["server", "proxy", "agent"][at];
    let registry = if broken == Some(0) { "docker.example.org/anyone/" } else { random.pick(&REGISTRIES) };
    let image = if broken == Some(1) {
        format!("{registry}{name}:latest")
    } else {
        let digest: String = (0..8).map(|_| format!("{:08x}", random.below(1 << 32))).collect();
        format!("{registry}{name}:1.{}@sha256:{digest}", random.below(40))
    };
    let mut limits = json!({ "cpu": "500m", "memory": "512Mi" });
    if broken == Some(6)
        && let Some(limits) = limits.as_object_mut()
    {
        limits.remove(*random.pick(&["cpu", "memory"]));
    }
    let variables: Vec<Value> = (0..5)
        .map(|at| json!({ "name": format!("SETTING_{at}"), "value": format!("value-{}", random.below(100_000)) }))
        .collect();
    let probe = |path: &str| {
        json!({ "httpGet": { "path": path, "port": 8080, "scheme": "HTTP" }, "initialDelaySeconds": 5,
                "periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3 })
    };
    json!({
        "name": name, "image": image, "imagePullPolicy": "IfNotPresent",
        "command": [format!("/usr/bin/{name}")],
        "args": ["--listen=0.0.0.0:8080", "--log-level=info", "--config=/etc/config/app.yaml"],
        "ports": [{ "name": "http", "containerPort": 8080, "protocol": "TCP" }],
        "env": variables,
        "resources": { "limits": limits, "requests": { "cpu": "100m", "memory": "128Mi" } },
        "securityContext": {
            "privileged": broken == Some(2), "allowPrivilegeEscalation": broken == Some(3),
            "readOnlyRootFilesystem": broken != Some(5), "capabilities": { "drop": ["ALL"] },
        },
        "volumeMounts": [
            { "name": "config", "mountPath": "/etc/config", "readOnly": true },
            { "name": "scratch", "mountPath": "/tmp" },
            { "name": "keys", "mountPath": "/etc/keys", "readOnly": true },
        ],
        "livenessProbe": probe("/healthz"), "readinessProbe": probe("/ready"),
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
    })
}

#[cfg(test)]
mod tests {
    use super::{request, requests};
    use crate::admission_floor::{Review, admitted_value};
    use crate::random::Random;

    #[test]
    fn each_of_the_ten_checks_denies_by_itself() {
        for broken in (0..10).map(Some).chain([None]) {
            for seed in 0..20 {
                let request = request(&mut Random::seeded(seed), broken);
                let bytes = serde_json::to_vec(&request).unwrap();
                assert_eq!(Review::parse(&bytes).unwrap().admitted(), broken.is_none(), "check {broken:?}");
                assert_eq!(admitted_value(&request), broken.is_none(), "check {broken:?}");
            }
        }
    }

    #[test]
    fn a_request_has_about_five_kilobytes() {
        let sizes: Vec<usize> = requests().iter().map(|request| request.to_string().len()).collect();
        let average = sizes.iter().sum::<usize>() / sizes.len();
        assert!((4_500..6_000).contains(&average), "{average} bytes");
    }
}
