# Ten checks on what an AdmissionReview asks to run.
#
# Each entry point is true, or a set with members, where its check is broken. It is broken unless the object is shown to be in order: a field
# that is missing, or of another type, counts against the object wherever Kubernetes' own default is the unsafe one.
package admission

import rego.v1

submitted := input.context.review.request.object

# The pod, wherever the kind keeps it. An unknown kind has none, and breaks every check.

pod := submitted if submitted.kind == "Pod"

pod := submitted.spec.template if submitted.kind in {"Deployment", "StatefulSet", "DaemonSet", "Job"}

pod := submitted.spec.jobTemplate.spec.template if submitted.kind == "CronJob"

# A container that starts first, or that is added to debug, is a container.

containers contains container if some container in pod.spec.containers

containers contains container if some container in pod.spec.initContainers

containers contains container if some container in pod.spec.ephemeralContainers

# Node agents need what belongs to the node. They are known by their namespace and by who creates them.

node_agent if {
	input.resource.properties.namespace in data.system_namespaces
	some group in input.subject.properties.groups
	group in data.system_groups
}

# 1. Images come from registries that we answer for.

default untrusted_registry := false

untrusted_registry if not trusted_registries

trusted_registries if {
	count(containers) > 0
	every container in containers {
		trusted_registry(container.image)
	}
}

trusted_registry(image) if {
	some registry in data.registries
	startswith(image, registry)
}

# 2. An image means the same tomorrow: a digest, or a tag that is not `latest`.

default mutable_image := false

mutable_image if not pinned_images

pinned_images if {
	count(containers) > 0
	every container in containers {
		pinned(container.image)
	}
}

pinned(image) if contains(image, "@sha256:")

pinned(image) if {
	parts := split(image, "/")
	last := parts[count(parts) - 1]
	contains(last, ":")
	not endswith(last, ":latest")
}

# 3. No container is privileged. Kubernetes' default is the safe one.

default privileged_container := false

privileged_container if not unprivileged

unprivileged if {
	count(containers) > 0
	every container in containers {
		object.get(container, ["securityContext", "privileged"], false) == false
	}
}

# 4. No process gains more privileges than its parent. Kubernetes' default is the unsafe one.

default privilege_escalation := false

privilege_escalation if not no_escalation

no_escalation if {
	count(containers) > 0
	every container in containers {
		container.securityContext.allowPrivilegeEscalation == false
	}
}

# 5. No container runs as root. What a container says goes before what its pod says.

default runs_as_root := false

runs_as_root if {
	not node_agent
	not nobody_is_root
}

nobody_is_root if {
	count(containers) > 0
	every container in containers {
		run_as_non_root(container) == true
	}
}

run_as_non_root(container) := object.get(container, ["securityContext", "runAsNonRoot"], of_pod) if {
	of_pod := object.get(pod, ["spec", "securityContext", "runAsNonRoot"], false)
}

# 6. A pod has a network, process table and shared memory of its own.

default host_namespaces := false

host_namespaces if {
	not node_agent
	not own_namespaces
}

own_namespaces if {
	object.get(pod, ["spec", "hostNetwork"], false) == false
	object.get(pod, ["spec", "hostPID"], false) == false
	object.get(pod, ["spec", "hostIPC"], false) == false
}

# 7. A pod does not see the node's files.

default host_path := false

host_path if {
	not node_agent
	not own_files
}

own_files if {
	every volume in object.get(pod, ["spec", "volumes"], []) {
		object.get(volume, "hostPath", null) == null
	}
}

# 8. Every container says how much it may use.

default missing_limits := false

missing_limits if not limited

limited if {
	count(containers) > 0
	every container in containers {
		container.resources.limits.cpu != ""
		container.resources.limits.memory != ""
	}
}

# 9. Every pod says whose it is. What is missing is said one by one, so that its owner mends all of it at once.

missing_labels contains message if {
	some label in data.required_labels
	not labelled(label)
	message := sprintf("the label %s is missing", [label])
}

labelled(label) if pod.metadata.labels[label] != ""

# 10. Capabilities are dropped, and at most harmless ones are added back.

default extra_capabilities := false

extra_capabilities if {
	not node_agent
	not few_capabilities
}

few_capabilities if {
	count(containers) > 0
	every container in containers {
		"ALL" in container.securityContext.capabilities.drop
		every capability in object.get(container, ["securityContext", "capabilities", "add"], []) {
			capability in data.capabilities
		}
	}
}
