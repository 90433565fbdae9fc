//! The picture: the lanes one below the other over one axis of time, and below them the decisions by reason.
//!
//! It is drawn here, so that it stands on paper and without a script. What is narrower than can be seen is drawn as wide
//! as can, and what would fall on what is drawn already is left out: so a lane has as many shapes as it has room for,
//! whatever the length of the drill. The page's table has every span.

use std::collections::BTreeMap;

use fallgate::Reason;
use maud::{Markup, html};

use super::denied::Asked;
use super::lanes::{Group, Lane, Lanes};
use super::moments::Moments;
use super::mood::Mood;
use crate::telling::since_start;

/// How wide the picture is, in its own units; a letter is about 6.
const WIDTH: f64 = 1_200.0;
/// Where the axis begins: left of it stand the names.
pub(super) const LEFT: f64 = 190.0;
/// How long the axis is.
pub(super) const LENGTH: f64 = WIDTH - LEFT - 10.0;
/// How high a lane is.
const LANE: f64 = 20.0;
/// How high the heading of a group is.
const HEADING: f64 = 22.0;
/// How high the axis is.
const AXIS: f64 = 26.0;
/// The narrowest shape that can be seen.
const NARROW: f64 = 2.5;
/// How wide a letter is, about.
const LETTER: f64 = 6.2;
/// How many columns the decisions are counted in.
const COLUMNS: usize = 250;
/// The most letters of a name that have room beside its lane.
const NAME: usize = 28;

/// The picture of a drill.
pub(super) fn chart(lanes: &Lanes, asked: &[Asked<'_>], moments: &Moments, label: &str) -> Markup {
    let rows = by_reason(asked, moments);
    let shown: Vec<&Lane> = lanes.all.iter().filter(|lane| !lane.spans.is_empty()).collect();
    let groups = shown.chunk_by(|a, b| a.group == b.group).count();
    let lines = shown.len().saturating_add(rows.len());
    let headings = groups.saturating_add(usize::from(!rows.is_empty()));
    let height = AXIS + lines as f64 * LANE + headings as f64 * HEADING + 6.0;
    let mut top = AXIS;
    html! {
        svg.chart viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(label) {
            (axis(moments, height))
            @for group in shown.chunk_by(|a, b| a.group == b.group) {
                (heading(group.first().map_or("", |lane| lane.group.title()), &mut top))
                @for lane in group {
                    (lane_row(lane, moments, &mut top))
                }
            }
            @if !rows.is_empty() {
                (heading("Decisions", &mut top))
                @for (reason, counts) in &rows {
                    (reason_row(*reason, counts, &mut top))
                }
            }
            line.cursor x1=(LEFT) x2=(LEFT) y1=(AXIS - 6.0) y2=(height) {}
        }
    }
}

fn axis(moments: &Moments, height: f64) -> Markup {
    html! {
        @for (at, place) in moments.marks(0.075) {
            @let x = rounded(LEFT + place * LENGTH);
            line.grid x1=(x) x2=(x) y1=(AXIS - 6.0) y2=(height) {}
            // What stands too far to the right to end on the page ends where its line is.
            text.tick.end[place > 0.93] x=(x) y=(AXIS - 10.0) { (since_start(at)) }
        }
    }
}

fn heading(title: &str, top: &mut f64) -> Markup {
    *top += HEADING;
    html! { text.heading x="4" y=(rounded(*top - 6.0)) { (title) } }
}

fn lane_row(lane: &Lane, moments: &Moments, top: &mut f64) -> Markup {
    let y = *top;
    *top += LANE;
    let mut covered = f64::MIN;
    // Of what falls on one place the worst is drawn.
    let mut shapes: Vec<(f64, f64, Mood, &str, &str)> = Vec::new();
    for span in &lane.spans {
        let from = LEFT + moments.place(span.from) * LENGTH;
        let to = LEFT + span.to.map_or(1.0, |to| moments.place(to)) * LENGTH;
        let to = to.max(from + NARROW);
        if to <= covered {
            if let Some(last) = shapes.last_mut().filter(|last| last.2 < span.mood && to - last.0 <= 2.0 * NARROW) {
                last.2 = span.mood;
            }
            continue;
        }
        shapes.push((from.max(covered), to, span.mood, &span.state, &span.said));
        covered = to;
    }
    html! {
        text.name x="12" y=(rounded(y + 14.0)) {
            @if lane.name.chars().count() > NAME { title { (lane.name) } }
            (shortened(&lane.name, NAME))
        }
        @for (from, to, mood, state, said) in shapes {
            g class=(format!("span {}", mood.class())) {
                title { (said) }
                rect x=(rounded(from)) y=(rounded(y + 2.0)) width=(rounded(to - from)) height=(LANE - 4.0) rx="2" {}
                @if lane.group != Group::Signals || mood != Mood::Good {
                    @let room = ((to - from - 8.0) / LETTER).max(0.0) as usize;
                    @if room >= state.chars().count() || room >= 6 {
                        text x=(rounded(from + 4.0)) y=(rounded(y + 14.0)) { (shortened(state, room)) }
                    }
                }
            }
        }
    }
}

/// By reason, allows first: how many decisions fell into each column.
fn by_reason(asked: &[Asked<'_>], moments: &Moments) -> Vec<(Reason, Vec<usize>)> {
    let mut rows: BTreeMap<(Mood, &str), (Reason, Vec<usize>)> = BTreeMap::new();
    for one in asked {
        let reason = one.decision.reason();
        let row = rows.entry((Mood::of_reason(reason), reason.code())).or_insert_with(|| (reason, vec![0; COLUMNS]));
        let column = (moments.place(one.at) * COLUMNS as f64) as usize;
        if let Some(count) = row.1.get_mut(column.min(COLUMNS.saturating_sub(1))) {
            *count = count.saturating_add(1);
        }
    }
    rows.into_values().collect()
}

fn reason_row(reason: Reason, counts: &[usize], top: &mut f64) -> Markup {
    let y = *top;
    *top += LANE;
    let most = counts.iter().copied().max().unwrap_or(0) as f64;
    let all: usize = counts.iter().sum();
    let wide = LENGTH / COLUMNS as f64;
    html! {
        text.name x="12" y=(rounded(y + 14.0)) { (reason.code()) " · " (all) }
        @for (column, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            // One among a thousand has to be seen too: heights are as the root of the count.
            @let height = ((*count as f64 / most).sqrt() * (LANE - 3.0)).max(4.0);
            g class=(format!("span {}", Mood::of_reason(reason).class())) {
                title { (count) " × " (reason.code()) }
                rect x=(rounded(LEFT + column as f64 * wide)) y=(rounded(y + LANE - 1.0 - height))
                    width=(rounded((wide - 0.4).max(NARROW))) height=(rounded(height)) {}
            }
        }
    }
}

/// The patterns that tell moods apart without colour; once on the page.
pub(super) fn patterns() -> Markup {
    html! {
        svg.patterns width="0" height="0" aria-hidden="true" focusable="false" {
            defs {
                pattern #hatch width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect.ground width="6" height="6" {}
                    line.stroke x1="0" y1="0" x2="0" y2="6" {}
                }
                pattern #dots width="6" height="6" patternUnits="userSpaceOnUse" {
                    rect.ground width="6" height="6" {}
                    circle.stroke cx="3" cy="3" r="1.2" {}
                }
            }
        }
    }
}

/// A number with one decimal: nobody sees more, and the page stays small.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(letters.saturating_sub(1)).collect();
    format!("{kept}…")
}
