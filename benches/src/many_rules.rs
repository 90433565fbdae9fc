//! W3: N rules of (group, action, path prefix) that allow or deny; a deny overrides.
//!
//! Files lie in areas, 50 rules an area, so that a larger N means more areas and more groups, as in a company that
//! grows, and a request matches about three rules at every N. What it costs to find those three is what is measured.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::random::Random;
use crate::text::Text;
use crate::{REQUESTS, SEED};

/// The actions.
pub const ACTIONS: [&str; 4] = ["files:read", "files:write", "files:delete", "files:share"];

/// The sizes that are measured.
pub const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];

const RULES_PER_AREA: usize = 50;
const GROUPS_PER_AREA: usize = 4;
const FOLDERS: usize = 4;

/// A rule: the same facts from which every engine's policy is written.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Rule {
    pub allow: bool,
    pub group: String,
    /// An index into [`ACTIONS`].
    pub action: usize,
    /// Ends in a slash.
    pub prefix: String,
}

impl Rule {
    /// The N rules: four in five allow; a quarter of them cover a whole area, the others one folder of it.
    #[must_use]
    pub fn seeded(rules: usize) -> Vec<Self> {
        let mut random = Random::seeded(SEED ^ 2);
        (0..rules)
            .map(|at| {
                let area = at / RULES_PER_AREA;
                let whole = random.chance(25);
                let folder = random.below(FOLDERS);
                Self {
                    allow: random.chance(80),
                    group: group(area, random.below(GROUPS_PER_AREA)),
                    action: random.below(ACTIONS.len()),
                    prefix: if whole { format!("/area-{area}/") } else { format!("/area-{area}/folder-{folder}/") },
                }
            })
            .collect()
    }
}

fn group(area: usize, at: usize) -> String {
    format!("group-{area}-{at}")
}

/// A request as a host would hold it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Request {
    pub subject_id: String,
    pub groups: Vec<String>,
    pub action: String,
    pub path: String,
}

impl Request {
    /// Seeded requests: people in two groups of the file's area and in one of another.
    #[must_use]
    pub fn seeded(rules: usize) -> Vec<Self> {
        let mut random = Random::seeded(SEED ^ 3);
        let areas = rules.div_ceil(RULES_PER_AREA);
        (0..REQUESTS)
            .map(|_| {
                let area = random.below(areas);
                let elsewhere = (area + 1 + random.below(areas.max(2) - 1)) % areas;
                let mut groups: Vec<String> =
                    random.distinct(2, GROUPS_PER_AREA).into_iter().map(|at| group(area, at)).collect();
                groups.push(group(elsewhere, random.below(GROUPS_PER_AREA)));
                Self {
                    subject_id: format!("user-{}", random.below(50_000)),
                    groups,
                    action: (*random.pick(&ACTIONS)).to_owned(),
                    path: format!("/area-{area}/folder-{}/file-{}.txt", random.below(FOLDERS), random.below(10_000)),
                }
            })
            .collect()
    }

    /// The request in the AuthZEN shape.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "subject": { "type": "user", "id": self.subject_id, "properties": { "groups": self.groups } },
            "action": { "name": self.action },
            "resource": { "type": "file", "id": self.path, "properties": { "path": self.path } },
        })
    }
}

/// Fallgate's bundle: a rule for a rule, all of it in the indexed match part.
#[must_use]
pub fn document(rules: &[Rule], cached: bool) -> Value {
    let actions: serde_json::Map<String, Value> = ACTIONS
        .iter()
        .map(|name| {
            let mut action = json!({ "class": if *name == "files:read" { "read" } else { "write" } });
            if cached {
                action["cache"] = json!({ "allow": "1h", "deny": "1h" });
            }
            ((*name).to_owned(), action)
        })
        .collect();
    let rules: Vec<Value> = rules
        .iter()
        .enumerate()
        .map(|(at, rule)| {
            json!({
                "id": format!("rule-{at}"),
                "effect": if rule.allow { "allow" } else { "deny" },
                "action": ACTIONS[rule.action],
                "subject": { "type": "user", "groups": rule.group },
                "resource": { "type": "file", "path": { "prefix": rule.prefix } },
            })
        })
        .collect();
    json!({
        "fallgate": 1,
        "name": "w3-many-rules",
        "revision": 1,
        "schema": { "subject": { "user": { "groups": ["string"] } }, "resource": { "file": { "path": "string" } } },
        "actions": actions,
        "rules": rules,
    })
}

/// How many rules match a request on average: the workload's own claim, checked by a test.
#[must_use]
pub fn matches_on_average(rules: &[Rule], requests: &[Request]) -> f64 {
    let matches = |request: &Request| {
        let applies = |rule: &&Rule| {
            request.groups.contains(&rule.group)
                && ACTIONS[rule.action] == request.action
                && request.path.starts_with(&rule.prefix)
        };
        rules.iter().filter(applies).count()
    };
    requests.iter().map(matches).sum::<usize>() as f64 / requests.len() as f64
}

/// What the floor keeps for one group: for each action the prefixes, and whether each allows.
type Prefixes = [Vec<(Box<str>, bool)>; ACTIONS.len()];

/// The floor: a table from group to its few rules, by hand.
#[derive(Debug)]
pub struct Floor {
    groups: hashbrown::HashMap<String, Prefixes, foldhash::fast::FixedState>,
}

#[derive(Debug, Deserialize)]
struct Parsed<'a> {
    #[serde(borrow)]
    subject: Subject<'a>,
    #[serde(borrow)]
    action: Action<'a>,
    #[serde(borrow)]
    resource: Resource<'a>,
}

#[derive(Debug, Deserialize)]
struct Subject<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    properties: SubjectProperties<'a>,
}

#[derive(Debug, Deserialize)]
struct SubjectProperties<'a> {
    #[serde(borrow)]
    groups: Vec<Text<'a>>,
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
    properties: ResourceProperties<'a>,
}

#[derive(Debug, Deserialize)]
struct ResourceProperties<'a> {
    #[serde(borrow)]
    path: Text<'a>,
}

/// What the floor reads of a bundle.
#[derive(Debug, Deserialize)]
struct Bundled<'a> {
    #[serde(borrow)]
    rules: Vec<BundledRule<'a>>,
}

#[derive(Debug, Deserialize)]
struct BundledRule<'a> {
    #[serde(borrow)]
    effect: Text<'a>,
    #[serde(borrow)]
    action: Text<'a>,
    #[serde(borrow)]
    subject: BundledSubject<'a>,
    #[serde(borrow)]
    resource: BundledResource<'a>,
}

#[derive(Debug, Deserialize)]
struct BundledSubject<'a> {
    #[serde(borrow)]
    groups: Text<'a>,
}

#[derive(Debug, Deserialize)]
struct BundledResource<'a> {
    #[serde(borrow)]
    path: BundledPath<'a>,
}

#[derive(Debug, Deserialize)]
struct BundledPath<'a> {
    #[serde(borrow)]
    prefix: Text<'a>,
}

impl Floor {
    /// The table for the rules.
    #[must_use]
    pub fn new(rules: &[Rule]) -> Self {
        let mut groups: hashbrown::HashMap<String, Prefixes, foldhash::fast::FixedState> =
            hashbrown::HashMap::default();
        for rule in rules {
            let prefixes = groups.entry(rule.group.clone()).or_default();
            prefixes[rule.action].push((rule.prefix.as_str().into(), rule.allow));
        }
        Self { groups }
    }

    /// The table for the rules of [`document`], read out of its JSON.
    ///
    /// # Errors
    ///
    /// Where the bytes are no such document.
    pub fn from_bundle(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let bundle: Bundled<'_> = serde_json::from_slice(bytes)?;
        let rule = |rule: &BundledRule<'_>| {
            Some(Rule {
                allow: &*rule.effect == "allow",
                group: rule.subject.groups.to_string(),
                action: ACTIONS.iter().position(|action| *action == &*rule.action)?,
                prefix: rule.resource.path.prefix.to_string(),
            })
        };
        Ok(Self::new(&bundle.rules.iter().filter_map(rule).collect::<Vec<_>>()))
    }

    /// Decides on a request in memory.
    #[must_use]
    pub fn decide(&self, request: &Request) -> bool {
        self.allows(request.groups.iter().map(String::as_str), &request.action, &request.path)
    }

    /// Decides on an AuthZEN request in JSON.
    #[must_use]
    pub fn decide_bytes(&self, bytes: &[u8]) -> bool {
        let Ok(request) = serde_json::from_slice::<Parsed<'_>>(bytes) else {
            return false;
        };
        let groups = request.subject.properties.groups.iter().map(|group| &**group);
        &*request.subject.kind == "user"
            && &*request.resource.kind == "file"
            && self.allows(groups, &request.action.name, &request.resource.properties.path)
    }

    fn allows<'a>(&self, groups: impl Iterator<Item = &'a str>, action: &str, path: &str) -> bool {
        let Some(action) = ACTIONS.iter().position(|name| *name == action) else {
            return false;
        };
        let mut allowed = false;
        for group in groups {
            let Some(prefixes) = self.groups.get(group) else {
                continue;
            };
            for (prefix, allow) in &prefixes[action] {
                if path.starts_with(&**prefix) {
                    if !allow {
                        return false;
                    }
                    allowed = true;
                }
            }
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::{Floor, Request, Rule, SIZES, matches_on_average};

    #[test]
    fn a_request_matches_about_three_rules_at_every_size() {
        for size in SIZES {
            let requests = Request::seeded(size);
            let average = matches_on_average(&Rule::seeded(size), &requests[..64]);
            assert!((2.0..4.0).contains(&average), "{average} of {size} rules match");
        }
    }

    /// Deny overrides, the path must lie under the prefix, and no group means no access.
    #[test]
    fn the_floor_obeys_the_rules() {
        let rule =
            |allow, group: &str, prefix: &str| Rule { allow, group: group.into(), action: 0, prefix: prefix.into() };
        let floor = Floor::new(&[rule(true, "a", "/x/"), rule(false, "b", "/x/secret/")]);
        let decide = |groups: &[&str], action: &str, path: &str| {
            let groups = groups.iter().map(|group| (*group).to_owned()).collect();
            let request = Request { subject_id: "u".into(), groups, action: action.into(), path: path.into() };
            let bytes = serde_json::to_vec(&request.to_json()).unwrap();
            assert_eq!(floor.decide(&request), floor.decide_bytes(&bytes));
            floor.decide(&request)
        };
        assert!(decide(&["a"], "files:read", "/x/secret/1"));
        assert!(!decide(&["a", "b"], "files:read", "/x/secret/1"));
        assert!(decide(&["a", "b"], "files:read", "/x/1"));
        assert!(!decide(&["a"], "files:write", "/x/1"));
        assert!(!decide(&["a"], "files:read", "/xx/1"));
        assert!(!decide(&[], "files:read", "/x/1"));
    }
}
