//! Postures: ordered by rank, each with what it permits, how it is entered and how it is left.

use std::collections::BTreeMap;

use super::{ByName, Compiler, Pattern, escape};
use crate::condition::program::Program;
use crate::condition::{Attribute, ClockUse, Entity, Names, PostureNames, cel};
use crate::error::{Code, Diagnostic, nearest, quoted};
use crate::name::{self, Name};
use crate::policy::approver::Group;
use crate::policy::format::{self, Pack, Permits, PermitsSome, Whole};
use crate::policy::posture::{EnterSpec, LeaveSpec, PostureSpec, Postures, ScopeSpec};
use crate::policy::schema::Schema;
use crate::policy::signal::BUILT_IN;
use crate::time::Ttl;
use crate::value::Value;
use crate::value_type::ValueType;

/// The posture that every system is in, unless its pack gives it another name.
const NORMAL: &str = "normal";

/// The postures of a pack by rank, before their conditions are compiled.
pub(super) struct Ranked<'p> {
    /// The name of the normal posture.
    normal: Name,
    /// The others, ascending by rank, each with its place in the pack.
    others: Vec<(usize, Name, &'p format::Posture)>,
}

impl Ranked<'_> {
    /// What conditions may know of the names.
    pub(super) fn names(&self) -> PostureNames<'_> {
        let strictest = self.others.last().map_or(&self.normal, |(_, name, _)| name);
        PostureNames { laxest: &self.normal, strictest }
    }

    /// The names of those that can be entered.
    pub(super) fn entered(&self) -> impl Iterator<Item = &str> {
        self.others.iter().map(|(_, name, _)| name.as_str())
    }

    /// The number of the posture of that name, if it is not the normal one.
    pub(super) fn number(&self, name: &str) -> Option<u16> {
        let at = self.others.iter().position(|(_, known, _)| known.as_str() == name)?;
        u16::try_from(at.saturating_add(1)).ok()
    }
}

/// What the conditions of postures may name.
pub(super) struct Vocabulary<'c> {
    pub(super) schema: &'c mut Schema,
    pub(super) signals: &'c ByName,
    pub(super) data: Option<&'c Value>,
    /// Nothing where the posture itself may not be read, since it hangs on the condition.
    pub(super) postures: Option<PostureNames<'c>>,
}

impl Compiler<'_> {
    /// The postures in the order of their ranks.
    pub(super) fn ranked<'p>(&mut self, pack: &'p Pack) -> Ranked<'p> {
        // The normal one counts, written or not.
        let unwritten = usize::from(pack.postures.iter().all(|posture| posture.rank > 0));
        let count = pack.postures.len().saturating_add(unwritten);
        self.limit("/postures", "postures", count, self.limits.postures_max);
        let mut normal = name::name(NORMAL).unwrap_or_default();
        let mut others: Vec<(usize, Name, &format::Posture)> = Vec::new();
        let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
        let mut by_rank: BTreeMap<u32, &str> = BTreeMap::new();
        for (at, posture) in pack.postures.iter().enumerate().take(self.limits.postures_max) {
            let pointer = format!("/postures/{at}");
            if let Some(before) = by_name.insert(&posture.name, at) {
                let message =
                    format!("the posture {} stands twice: here and at /postures/{before}", quoted(&posture.name));
                self.fault(
                    Code::DuplicateName,
                    format!("{pointer}/name"),
                    message,
                    "give each posture a name of its own",
                );
            }
            if let Some(other) = by_rank.insert(posture.rank, &posture.name) {
                let message =
                    format!("{} and {} have the same rank {}", quoted(other), quoted(&posture.name), posture.rank);
                let help = "give each posture a rank of its own: of two the higher is the stricter one";
                self.fault(Code::PostureRankTie, format!("{pointer}/rank"), message, help);
            }
            let Some(name) = self.name(format_args!("{pointer}/name"), &posture.name, "") else { continue };
            if posture.rank == 0 {
                self.check_normal(&pointer, posture);
                normal = name;
            } else {
                others.push((at, name, posture));
            }
        }
        if let Some(at) = by_name.get(normal.as_str()).copied()
            && pack.postures.get(at).is_some_and(|posture| posture.rank != 0)
        {
            let message = format!("the posture {} is not the one of rank 0", quoted(&normal));
            self.fault(Code::DuplicateName, format!("/postures/{at}/name"), message, "give it rank 0, or another name");
        }
        others.sort_by_key(|(_, _, posture)| posture.rank);
        Ranked { normal, others }
    }

    fn check_normal(&mut self, pointer: &str, posture: &format::Posture) {
        if !matches!(posture.permits, Permits::Whole(Whole::All)) {
            let help = "write `permits: all`, and let rules say what is allowed";
            self.fault(Code::InvalidValue, format!("{pointer}/permits"), "the normal posture caps nothing", help);
        }
        let fields = [
            ("enter", posture.enter.is_some()),
            ("leave", posture.leave.is_some()),
            ("escalate", posture.escalate.is_some()),
        ];
        for (field, _) in fields.into_iter().filter(|(_, there)| *there) {
            let message = "the normal posture is neither entered nor left: it is what is there without the others";
            self.fault(Code::InvalidValue, format!("{pointer}/{field}"), message, "leave it out");
        }
    }

    /// The postures, compiled.
    pub(super) fn postures(
        &mut self,
        pack: &Pack,
        ranked: &Ranked<'_>,
        groups: &[Group],
        vocabulary: &mut Vocabulary<'_>,
    ) -> Postures {
        let everything = vec![true; pack.actions.len()].into_boxed_slice();
        let mut specs = vec![PostureSpec {
            name: ranked.normal,
            rank: 0,
            permits: everything,
            when: None,
            enter: None,
            leave: LeaveSpec::default(),
            escalate: None,
        }];
        for (at, name, posture) in &ranked.others {
            let pointer = format!("/postures/{at}");
            let (named, when) = self.permits(&format!("{pointer}/permits"), posture, pack, vocabulary);
            let laxer = specs.last().map(|spec| &spec.permits);
            let wider = |(permitted, laxer): (&bool, &bool)| *permitted && !*laxer;
            let is_part =
                matches!(&posture.permits, Permits::Some(some) if some.classes.is_some() || some.actions.is_some());
            if is_part && laxer.is_some_and(|laxer| named.iter().zip(laxer).any(wider)) {
                let message = format!("the posture {} names actions that a laxer one does not permit", quoted(name));
                self.warnings.push(
                    Diagnostic::new(Code::PostureWider, format!("{pointer}/permits"), message)
                        .with_help("a request needs the permission of both: name them in the laxer one too"),
                );
            }
            let permits = named.iter().zip(laxer.into_iter().flatten()).map(|(own, laxer)| *own && *laxer).collect();
            specs.push(PostureSpec {
                name: *name,
                rank: posture.rank,
                permits,
                when,
                enter: self.enter(&format!("{pointer}/enter"), posture, vocabulary),
                leave: self.leave(&pointer, posture, groups, vocabulary.signals),
                escalate: self.escalate(&pointer, posture, ranked, pack),
            });
        }
        let scopes = self.scopes(pack, vocabulary.schema);
        Postures { specs, scopes }
    }

    /// By action, whether the posture itself permits it, and the condition besides.
    fn permits(
        &mut self,
        pointer: &str,
        posture: &format::Posture,
        pack: &Pack,
        vocabulary: &mut Vocabulary<'_>,
    ) -> (Vec<bool>, Option<Program>) {
        let some = match &posture.permits {
            Permits::Whole(whole) => return (vec![*whole == Whole::All; pack.actions.len()], None),
            Permits::Some(some) => some,
        };
        if some.classes.is_none() && some.actions.is_none() && some.when.is_none() {
            let help = "write `all`, `none`, or `classes`, `actions` or `when`";
            self.fault(Code::InvalidValue, pointer, "this says nothing of what is permitted", help);
        }
        let patterns = self.permitted_patterns(pointer, some, pack);
        let permitted = pack.actions.iter().map(|(name, action)| {
            let by_class = |classes: &Vec<String>| action.class.as_ref().is_some_and(|class| classes.contains(class));
            (some.classes.is_none() && some.actions.is_none())
                || some.classes.as_ref().is_some_and(by_class)
                || patterns.iter().any(|pattern| pattern.admits(name))
        });
        let permitted = permitted.collect();
        let when = some.when.as_ref().and_then(|text| {
            let pointer = format!("{pointer}/when");
            let program = self.condition_of_posture(&pointer, text, vocabulary)?;
            if let Some(span) = program.rises() {
                let message = "what is permitted could become more when what this tests is lost";
                self.found.push(
                    Diagnostic::new(Code::InformationLoss, pointer, message)
                        .with_span(span)
                        .with_help("test for presence, not for absence, or make the attribute required"),
                );
            }
            Some(program)
        });
        (permitted, when)
    }

    fn permitted_patterns(&mut self, pointer: &str, some: &PermitsSome, pack: &Pack) -> Vec<Pattern> {
        for (at, class) in some.classes.iter().flatten().enumerate() {
            let classes = || pack.actions.values().filter_map(|action| action.class.as_deref());
            if !classes().any(|known| known == class) {
                let help = nearest(class, classes()).map_or_else(
                    || "give some action this `class`".to_owned(),
                    |meant| format!("did you mean `{meant}`?"),
                );
                let message = format!("no action is of the class {}", quoted(class));
                self.fault(Code::UnknownAction, format!("{pointer}/classes/{at}"), message, help);
            }
        }
        match &some.actions {
            None => Vec::new(),
            Some(texts) => {
                let each = texts.iter().enumerate();
                each.map(|(at, text)| self.action_pattern(format_args!("{pointer}/actions/{at}"), text, pack)).collect()
            }
        }
    }

    fn enter(
        &mut self,
        pointer: &str,
        posture: &format::Posture,
        vocabulary: &mut Vocabulary<'_>,
    ) -> Option<EnterSpec> {
        let enter = posture.enter.as_ref()?;
        let pointer = format!("{pointer}/when");
        let Vocabulary { schema, signals, data, .. } = vocabulary;
        // The posture hangs on this condition, so this condition cannot hang on the posture.
        let mut own = Vocabulary { schema, signals, data: *data, postures: None };
        let when = self.condition_of_posture(&pointer, &enter.when, &mut own)?;
        if !when.reads().slots.is_empty() {
            let message = "a posture is entered by what signals say, not by what a request says";
            self.fault(Code::ConditionUnsupported, &pointer, message, "read `signals` alone");
        }
        if when.reads().clock != ClockUse::None {
            let message = "a posture is not entered by `now` or by the age of a signal";
            let help = "use the signal's `ttl`, or `for`, so that it is known when time alone changes something";
            self.fault(Code::ConditionUnsupported, &pointer, message, help);
        }
        if let Some(span) = when.falls() {
            let message =
                format!("the posture {} could fail to be entered when what this tests is lost", quoted(&posture.name));
            self.found.push(
                Diagnostic::new(Code::InformationLoss, pointer, message)
                    .with_span(span)
                    .with_help("enter it on absence, not on presence, as in `!signals.NAME.ok`"),
            );
        }
        Some(EnterSpec { when, held_for: enter.for_.unwrap_or_default() })
    }

    fn condition_of_posture(&mut self, pointer: &str, text: &str, vocabulary: &mut Vocabulary<'_>) -> Option<Program> {
        match cel::compile(text, vocabulary, self.limits) {
            Ok(program) => Some(program),
            Err(found) => {
                self.found.extend(found.into_iter().map(|found| Diagnostic { pointer: pointer.to_owned(), ..found }));
                None
            }
        }
    }

    fn leave(&mut self, pointer: &str, posture: &format::Posture, groups: &[Group], signals: &ByName) -> LeaveSpec {
        let Some(leave) = &posture.leave else {
            let message = format!("nobody could leave the posture {}", quoted(&posture.name));
            let help = "add `leave:` with what it takes, or `leave: {}` for an operator's word alone";
            self.fault(Code::PostureNoWayOut, pointer, message, help);
            return LeaveSpec::default();
        };
        let pointer = format!("{pointer}/leave");
        if leave.stable.is_some() && posture.enter.is_none() {
            let message = "`stable` is about the condition of `enter`, and there is none";
            self.fault(Code::InvalidValue, format!("{pointer}/stable"), message, "use `dwell`, or leave it out");
        }
        let checks = self.checks(&pointer, &leave.checks, signals);
        let back_off = leave.back_off.as_ref().map(|back_off| (back_off.within, back_off.max));
        if let Some((within, max)) = back_off {
            let pointer = format!("{pointer}/back_off");
            let dwell = leave.dwell.unwrap_or_default();
            if dwell == Ttl::ZERO {
                let message = "a back-off doubles `dwell`, and there is none";
                self.fault(Code::InvalidValue, &pointer, message, "give `leave` a `dwell`");
            } else if max < dwell || within == Ttl::ZERO {
                let message = "a back-off that lengthens nothing";
                self.fault(
                    Code::InvalidValue,
                    &pointer,
                    message,
                    "let `max` be longer than `dwell`, and `within` not zero",
                );
            }
        }
        let approvals = leave.approvals.as_ref();
        let approvals = approvals.and_then(|one| self.approvals(&format!("{pointer}/approvals"), one, groups));
        LeaveSpec {
            stable: leave.stable.unwrap_or_default(),
            dwell: leave.dwell.unwrap_or_default(),
            checks,
            approvals,
            back_off,
        }
    }

    /// The numbers of the signals that have to be ok before a posture is left.
    pub(super) fn checks(&mut self, pointer: &str, names: &[String], signals: &ByName) -> Box<[u16]> {
        let mut checks = Vec::new();
        for (at, name) in names.iter().enumerate() {
            match signals.get(name.as_str()) {
                Some(number) => checks.push(*number),
                None => {
                    let help = nearest(name, signals.keys().map(|name| &**name)).map_or_else(
                        || "declare it under `signals`".to_owned(),
                        |meant| format!("did you mean `{meant}`?"),
                    );
                    let message = format!("no signal is named {}", quoted(name));
                    self.fault(Code::UnknownSignal, format!("{pointer}/checks/{at}"), message, help);
                }
            }
        }
        checks.into()
    }

    fn escalate(
        &mut self,
        pointer: &str,
        posture: &format::Posture,
        ranked: &Ranked<'_>,
        pack: &Pack,
    ) -> Option<(u16, Ttl)> {
        let escalate = posture.escalate.as_ref()?;
        let pointer = format!("{pointer}/escalate");
        if escalate.after == Ttl::ZERO {
            let message = "nobody can acknowledge in no time at all";
            self.fault(Code::InvalidValue, format!("{pointer}/after"), message, "write a length of time");
        }
        let to = format!("{pointer}/to");
        let Some(target) = pack.postures.iter().find(|one| one.name == escalate.to) else {
            let names = ranked.others.iter().map(|(_, name, _)| name.as_str());
            let help = nearest(&escalate.to, names)
                .map_or_else(|| "declare it under `postures`".to_owned(), |meant| format!("did you mean `{meant}`?"));
            let message = format!("no posture is named {}", quoted(&escalate.to));
            self.fault(Code::UnknownPosture, to, message, help);
            return None;
        };
        if target.rank <= posture.rank {
            let message = format!(
                "the posture {} escalates to {}, which is not stricter: that goes in a circle at last",
                quoted(&posture.name),
                quoted(&escalate.to)
            );
            self.fault(Code::PostureCycle, to, message, "name a posture of a higher rank");
            return None;
        }
        Some((ranked.number(&escalate.to)?, escalate.after))
    }

    fn scopes(&mut self, pack: &Pack, schema: &mut Schema) -> Vec<ScopeSpec> {
        self.limit("/scopes", "scopes", pack.scopes.len(), self.limits.scopes_max);
        let mut scopes = Vec::with_capacity(pack.scopes.len());
        for (name, path) in pack.scopes.iter().take(self.limits.scopes_max) {
            let pointer = format!("/scopes/{}", escape(name));
            let name = self.name(&pointer, name, "");
            let attribute = path.split_once('.').and_then(|(entity, attribute)| {
                let entities = [Entity::Subject, Entity::Action, Entity::Resource, Entity::Context];
                let entity = entities.into_iter().find(|known| known.name() == entity)?;
                schema.attribute(entity, attribute, None).ok()
            });
            match attribute {
                Some(Attribute { slot, value_type: ValueType::String, .. }) => {
                    scopes.extend(name.map(|name| ScopeSpec { name, slot }));
                }
                Some(Attribute { value_type, .. }) => {
                    let message = format!("{} is of type `{value_type}`, expected `string`", quoted(path));
                    self.fault(Code::TypeMismatch, pointer, message, "name an attribute that is text in every type");
                }
                None => {
                    let message = format!("the schema declares no attribute {}", quoted(path));
                    self.fault(Code::UnknownAttribute, pointer, message, "write it as in `resource.tenant`");
                }
            }
        }
        if !scopes.is_empty() && pack.postures.is_empty() {
            self.fault(Code::InvalidValue, "/scopes", "scopes without postures do nothing", "declare `postures`");
        }
        scopes
    }
}

impl Names for Vocabulary<'_> {
    fn attribute(&mut self, entity: Entity, name: &str) -> Result<Attribute, Option<String>> {
        self.schema.attribute(entity, name, None)
    }

    fn signal(&mut self, name: &str) -> Result<u16, Option<String>> {
        self.signals.get(name).copied().ok_or_else(|| nearest(name, self.signals.keys().map(|name| &**name)))
    }

    fn fails_by_loss(&self, signal: u16) -> bool {
        usize::from(signal) < BUILT_IN.len()
    }

    fn postures(&self) -> Option<PostureNames<'_>> {
        self.postures
    }

    fn data(&self) -> Option<&Value> {
        self.data
    }
}
