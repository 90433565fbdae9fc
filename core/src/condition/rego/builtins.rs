//! Which built-in functions a Rego module may call (spec 1.10).
//!
//! An allow-list, since no budget reaches inside a built-in. What is refused is refused by name and with the reason.

use super::extensions;

/// Whether a built-in may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may.
    Allowed,
    /// It may where its argument of that index is a string that stands in the text.
    LiteralArgument(usize),
    /// It may not; the reason, and what to do instead.
    Refused(&'static str),
    /// There is no such function.
    Unknown,
}

/// Built-ins whose result is bounded by their arguments and which answer as OPA does.
pub(super) const ALLOWED: &[&str] = &[
    "abs",
    "array.reverse",
    "base64.encode",
    "base64url.encode",
    "base64url.encode_no_pad",
    "bits.and",
    "bits.negate",
    "bits.or",
    "bits.xor",
    "ceil",
    "contains",
    "endswith",
    "floor",
    "hex.encode",
    "intersection",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "max",
    "min",
    "object.filter",
    "object.get",
    "object.keys",
    "object.remove",
    "object.subset",
    "object.union",
    "object.union_n",
    "round",
    "semver.compare",
    "semver.is_valid",
    "sort",
    "split",
    "startswith",
    "strings.any_prefix_match",
    "strings.any_suffix_match",
    "strings.reverse",
    "sum",
    "trim",
    "trim_left",
    "trim_prefix",
    "trim_right",
    "trim_space",
    "trim_suffix",
    "type_name",
    "union",
];

/// What the list says about a built-in.
pub(super) fn admission(name: &str) -> Admission {
    if ALLOWED.contains(&name) || (name != "sprintf" && extensions::arity(name).is_some()) {
        return Admission::Allowed;
    }
    match name {
        "sprintf" => Admission::LiteralArgument(0),
        "print" | "trace" => Admission::Refused("it writes to the host's output; remove the call"),
        "walk" => Admission::Refused("its work grows with the whole document; name the path, or use `some … in …`"),
        "numbers.range_step" => Admission::Refused(
            "two small numbers make a list of any size; use `numbers.range`, or keep the list in data",
        ),
        "strings.replace_n"
        | "product"
        | "bits.lsh"
        | "bits.rsh"
        | "format_int"
        | "regex.replace"
        | "regex.split"
        | "regex.find_n"
        | "regex.find_all_string_submatch_n"
        | "indexof_n"
        | "strings.render_template" => {
            Admission::Refused("its result can be far larger than its arguments, and no budget reaches inside it")
        }
        "regex.is_valid" => {
            Admission::Refused("it knows another dialect of patterns; try the pattern when it is written")
        }
        // An extension of this engine: the time of the decision.
        "time.now_ns" => Admission::Allowed,
        "glob.quote_meta" | "regex.template_match" | "regex.globs_match" => Admission::Refused(
            "it makes or expands patterns under no budget; use `regex.match` or a literal `glob.match`",
        ),
        _ => match name.split_once('.').map_or("", |(family, _)| family) {
            "http" => Admission::Refused(
                "it would call the network while deciding; bring the fact as an attribute or a signal",
            ),
            "net" => {
                Admission::Refused("it resolves names or expands networks; use `net.cidr_contains`, or a CEL condition")
            }
            "opa" | "rego" => {
                Admission::Refused("it reads what is outside the request; bring the fact as an attribute or as data")
            }
            "rand" | "uuid" => {
                Admission::Refused("it is random, and a decision must not be; bring the value as an attribute")
            }
            "time" => Admission::Refused(
                "it depends on a table of zones or on Go's layouts, which are not built in; use a CEL condition on `now`",
            ),
            "io" | "crypto" => Admission::Refused("it is not built in; check credentials and signatures before asking"),
            "json" | "yaml" | "graph" | "graphql" | "units" | "urlquery" | "providers" => {
                Admission::Refused("its work or its result is not bounded by a budget, or it is not built in")
            }
            _ => Admission::Unknown,
        },
    }
}

/// Whether the evaluator answers a call of this name by itself, or the clock does that is added to it.
pub(super) fn is_evaluators(name: &str) -> bool {
    matches!(name, "print" | "time.now_ns") || regorus::unstable::BUILTINS.contains_key(name)
}

/// Whether a format of `sprintf` has more than the verbs `%s`, `%d` and `%v`: by a width, a few bytes make a text of any
/// length, and the other verbs are not written as Go writes them.
pub(super) fn has_unusual_verb(format: &str) -> bool {
    let mut chars = format.chars();
    while let Some(ch) = chars.next() {
        if ch == '%' && !matches!(chars.next(), Some('%' | 's' | 'd' | 'v')) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_of_the_evaluator_is_allowed_or_refused_with_a_reason() {
        let known = &regorus::unstable::BUILTINS;
        for name in ALLOWED {
            assert!(known.contains_key(name), "{name}");
        }
        for name in known.keys().filter(|name| !name.starts_with("__builtin_")) {
            assert_ne!(admission(name), Admission::Unknown, "{name}");
        }
        assert_eq!(admission("__builtin_sets.union"), Admission::Unknown);
    }

    #[test]
    fn a_format_with_more_than_the_plain_verbs_is_seen() {
        for format in ["%5d", "%01000000000d", "%*d", "%.3f", "%-s", "%x", "%[1]d", "100%"] {
            assert!(has_unusual_verb(format), "{format}");
        }
        for format in ["%d of %s", "100%%", "%v", ""] {
            assert!(!has_unusual_verb(format), "{format}");
        }
    }
}
