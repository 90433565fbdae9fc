# Two habits of policies in Rego that other engines turned into an allow.
package incidents

import rego.v1

# Allowed unless denied: where the denying rule fails, or has nothing to look at, it is not denied.
default admitted := false

admitted if not denied

denied if to_number(input.resource.properties.uid) < 1000

# Whatever another service said is passed on as it is, and the caller looks whether it is something.
approved := input.context.verdict
