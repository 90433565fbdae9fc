//! The limits on what a request brings: how many values, how many bytes, and how deep.
//!
//! It is added up first, in one walk that looks for nothing: almost every request is within its limits. Only where it is
//! not, a second walk says which limit was met first.

use super::view::Source;
use super::{Attributes, RequestError, RequestView};
use crate::limits::Limits;
use crate::value::{Fields, Map, Value, View};

/// Refuses attributes that no JSON could bring: beyond a limit, not finite, or made by an evaluation.
#[inline]
pub(super) fn check(request: &RequestView<'_>, limits: &Limits) -> Result<(), RequestError> {
    let mut brought = Brought { values: 0, bytes: 0, values_max: limits.request_values_max };
    if brought.all(request, limits).is_some() && brought.bytes <= limits.request_bytes_max {
        return Ok(());
    }
    first_beyond(request, limits)
}

/// How many levels the values of `properties` may have below them. In JSON, they are at the third level from the top.
const fn below_properties(limits: &Limits) -> usize {
    limits.request_depth_max.saturating_sub(3)
}

/// Likewise those of `context`, which are at the second.
const fn below_context(limits: &Limits) -> usize {
    limits.request_depth_max.saturating_sub(2)
}

/// What a request brings, as far as it was added up. Each step gives nothing where it cannot be within the limits.
struct Brought {
    values: usize,
    bytes: usize,
    values_max: usize,
}

impl Brought {
    #[inline]
    fn all(&mut self, request: &RequestView<'_>, limits: &Limits) -> Option<()> {
        for properties in [&request.subject.properties, &request.action.properties, &request.resource.properties] {
            if !properties.is_empty() {
                self.attributes(properties, below_properties(limits))?;
            }
        }
        if request.context.is_empty() { Some(()) } else { self.attributes(&request.context, below_context(limits)) }
    }

    fn attributes(&mut self, attributes: &Attributes<'_>, levels: usize) -> Option<()> {
        match attributes.0 {
            Source::Map(map) => self.map(map, levels),
            Source::Fields(fields) => self.fields(fields, levels),
        }
    }

    #[inline]
    fn map(&mut self, map: &Map, levels: usize) -> Option<()> {
        self.more(map.len())?;
        for (name, value) in map.entries() {
            self.text(name);
            self.value(value, levels)?;
        }
        Some(())
    }

    #[inline]
    fn fields(&mut self, fields: Fields<'_>, levels: usize) -> Option<()> {
        self.more(fields.len())?;
        for (name, value) in fields.entries() {
            self.text(name);
            self.view(*value, levels)?;
        }
        Some(())
    }

    /// So many values more. They are counted before they are walked, so that the walk ends where the limit does.
    #[inline]
    fn more(&mut self, count: usize) -> Option<()> {
        self.values = self.values.saturating_add(count);
        (self.values <= self.values_max).then_some(())
    }

    #[inline]
    const fn text(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len());
    }

    #[inline]
    fn value(&mut self, value: &Value, levels: usize) -> Option<()> {
        match value {
            Value::String(text) => self.text(text),
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::UInt(_) => {}
            Value::Double(number) => return number.is_finite().then_some(()),
            Value::List(_) | Value::Map(_) => return self.inside(View::from(value), levels),
        }
        Some(())
    }

    #[inline]
    fn view(&mut self, view: View<'_>, levels: usize) -> Option<()> {
        match view {
            View::Str(text) => self.text(text),
            View::Null | View::Bool(_) | View::Int(_) | View::UInt(_) => {}
            View::Double(number) => return number.is_finite().then_some(()),
            view => return self.inside(view, levels),
        }
        Some(())
    }

    /// What is inside a value; nothing for one that no request can have.
    #[inline(never)]
    fn inside(&mut self, view: View<'_>, levels: usize) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        match view {
            View::List(items) => {
                self.more(items.len())?;
                for item in items {
                    self.value(item, levels)?;
                }
                Some(())
            }
            View::Items(items) => {
                self.more(items.len())?;
                for item in items {
                    self.view(*item, levels)?;
                }
                Some(())
            }
            View::Map(map) => self.map(map, levels),
            View::Fields(fields) => self.fields(fields, levels),
            _ => None,
        }
    }
}

/// The first value that is beyond a limit, if there is one.
#[cold]
fn first_beyond(request: &RequestView<'_>, limits: &Limits) -> Result<(), RequestError> {
    let mut left = Left { values: limits.request_values_max, bytes: limits.request_bytes_max };
    let parts = [
        ("subject.properties", &request.subject.properties, below_properties(limits)),
        ("action.properties", &request.action.properties, below_properties(limits)),
        ("resource.properties", &request.resource.properties, below_properties(limits)),
        ("context", &request.context, below_context(limits)),
    ];
    parts.into_iter().try_for_each(|(member, attributes, levels)| {
        left.attributes(attributes, levels).map_err(|beyond| beyond.error(member, limits))
    })
}

/// How much a request may still bring.
struct Left {
    values: usize,
    bytes: usize,
}

/// What a value is beyond.
#[derive(Clone, Copy)]
enum Beyond {
    Values,
    Bytes,
    Levels,
    Json,
}

impl Beyond {
    const fn error(self, member: &'static str, limits: &Limits) -> RequestError {
        match self {
            Self::Values => RequestError::Limit { max: limits.request_values_max, unit: "values" },
            Self::Bytes => RequestError::Limit { max: limits.request_bytes_max, unit: "bytes" },
            Self::Levels => RequestError::Limit { max: limits.request_depth_max, unit: "levels" },
            Self::Json => {
                RequestError::Member { member, expected: "values that JSON has: numbers are finite, maps have names" }
            }
        }
    }
}

impl Left {
    fn attributes(&mut self, attributes: &Attributes<'_>, levels: usize) -> Result<(), Beyond> {
        attributes.iter().try_for_each(|(name, value)| {
            self.text(name)?;
            self.value(value, levels)
        })
    }

    fn value(&mut self, value: View<'_>, levels: usize) -> Result<(), Beyond> {
        self.values = self.values.checked_sub(1).ok_or(Beyond::Values)?;
        match value {
            View::Null | View::Bool(_) | View::Int(_) | View::UInt(_) => Ok(()),
            View::Double(number) if number.is_finite() => Ok(()),
            View::Str(text) => self.text(text),
            _ => self.inside(value, levels),
        }
    }

    fn inside(&mut self, value: View<'_>, levels: usize) -> Result<(), Beyond> {
        let below = || levels.checked_sub(1).ok_or(Beyond::Levels);
        match value {
            View::List(items) => {
                let levels = below()?;
                items.iter().try_for_each(|item| self.value(View::from(item), levels))
            }
            View::Items(items) => {
                let levels = below()?;
                items.iter().try_for_each(|item| self.value(*item, levels))
            }
            View::Map(map) => self.attributes(&Attributes::from(map), below()?),
            View::Fields(fields) => self.attributes(&Attributes(Source::Fields(fields)), below()?),
            _ => Err(Beyond::Json),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Beyond> {
        self.bytes = self.bytes.checked_sub(text.len()).ok_or(Beyond::Bytes)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{ActionView, PartyView};

    fn request<'a>(context: &'a mut [(&'a str, View<'a>)]) -> RequestView<'a> {
        let party = PartyView { party_type: "t", id: "i", properties: Attributes::NONE };
        let action = ActionView { name: "a", properties: Attributes::NONE };
        RequestView { subject: party, action, resource: party, context: Attributes::new(context).unwrap() }
    }

    /// What the sums say is what the careful walk says: of values at, below and beyond each limit.
    #[test]
    fn what_is_added_up_is_refused_exactly_where_a_limit_is_met() {
        let owned: Value = (&serde_json::json!([1, "two", [3.5, null], {"four": [true]}])).into();
        let items = [View::Str("x"), View::Int(1), View::from(&owned), View::Double(1.5)];
        let shapes: [View<'_>; 9] = [
            View::Null,
            View::Str("text"),
            View::Double(f64::NAN),
            View::Double(f64::INFINITY),
            View::from(&owned),
            View::Items(&items),
            View::Fields(Fields::NONE),
            View::Bytes(b"no JSON"),
            View::Entries(&[]),
        ];
        let (mut fine, mut refused) = (0, 0);
        for shape in shapes {
            for values in 0..14 {
                for bytes in 0..20 {
                    for depth in 0..7 {
                        let limits = Limits {
                            request_values_max: values,
                            request_bytes_max: bytes,
                            request_depth_max: depth,
                            ..Limits::DEFAULT
                        };
                        let mut context = [("a", shape), ("b", View::Bool(true))];
                        let request = request(&mut context);
                        let (said, careful) = (check(&request, &limits), first_beyond(&request, &limits));
                        assert_eq!(said, careful, "{shape:?} {values} {bytes} {depth}");
                        if said.is_ok() { fine += 1 } else { refused += 1 }
                    }
                }
            }
        }
        assert!(fine > 1_000 && refused > 1_000, "{fine} {refused}");
    }

    #[test]
    fn a_walk_ends_where_the_limit_does() {
        // Thirty lists, each twice in the next: a thousand million values, of which few are looked at.
        let leaf = [View::Int(1), View::Int(2)];
        let lists = bumpalo::Bump::new();
        let mut inner: &[View<'_>] = &leaf;
        for _ in 0..29 {
            inner = lists.alloc([View::Items(inner), View::Items(inner)]);
        }
        let mut context = [("a", View::Items(inner))];
        let limits = Limits { request_depth_max: 64, ..Limits::DEFAULT };
        let refused = check(&request(&mut context), &limits);
        assert_eq!(refused, Err(RequestError::Limit { max: limits.request_values_max, unit: "values" }));
    }
}
