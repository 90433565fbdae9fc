# Who may work on the case files of a support desk.
package support.authz

import rego.v1

default allow := false

allow if {
	"agent" in input.subject.properties.roles
	input.action.name in {"case:read", "case:write"}
	not jailbroken
	count(deny) == 0
}

# A device that its management calls jailbroken is kept out.
jailbroken if input.context.device.jailbroken

deny contains "the account is suspended" if input.subject.properties.suspended

deny contains "the case is sealed" if {
	input.resource.properties.sealed
	not "supervisor" in input.subject.properties.roles
}
