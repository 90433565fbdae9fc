package admission

import rego.v1

default allow := false

allow if {
	input.action.name == "pods:create"
	input.resource.type == "pod"
	count(broken) == 0
}

pod := input.resource.properties.object

containers := pod.spec.containers

registries := [
	"registry.example.com/platform/",
	"registry.example.com/payments/",
	"registry.example.com/mirror/",
	"images.example.net/base/",
]

volume_kinds := {"configMap", "emptyDir", "secret", "projected", "persistentVolumeClaim"}

listed_registry(image) if {
	some prefix in registries
	startswith(image, prefix)
}

listed_volume(volume) if {
	some kind in volume_kinds
	volume[kind]
}

broken contains "registry-allow-list" if {
	some container in containers
	not listed_registry(container.image)
}

broken contains "images-by-digest" if {
	some container in containers
	not contains(container.image, "@sha256:")
}

broken contains "no-privileged-container" if {
	some container in containers
	not container.securityContext.privileged == false
}

broken contains "no-privilege-escalation" if {
	some container in containers
	not container.securityContext.allowPrivilegeEscalation == false
}

broken contains "run-as-non-root" if not pod.spec.securityContext.runAsNonRoot

broken contains "read-only-root" if {
	some container in containers
	not container.securityContext.readOnlyRootFilesystem
}

broken contains "limits" if {
	some container in containers
	some resource in ["cpu", "memory"]
	not container.resources.limits[resource]
}

broken contains "required-labels" if {
	some label in ["app", "team", "tier"]
	not pod.metadata.labels[label]
}

broken contains "no-host-namespace" if {
	some flag in ["hostNetwork", "hostPID", "hostIPC"]
	not pod.spec[flag] == false
}

broken contains "no-host-path" if {
	some volume in pod.spec.volumes
	not listed_volume(volume)
}
