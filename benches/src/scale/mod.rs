//! Scale: what a decision, and whatever else an engine does, costs by how much there is of something.
//!
//! [`worlds`] builds an engine with so many rules, quarantines, signals, scopes, cached decisions or proposals, and says
//! what is asked of it. [`measure`] takes the times and the memory, [`growth`] fits the exponent, [`chart`] draws it and
//! [`page`] writes it down. What a request does not match may cost it no more than a logarithm.

pub mod chart;
pub mod growth;
pub mod measure;
pub mod page;
pub mod worlds;

use std::error::Error;

pub use worlds::World;

/// Something that there may be much of.
#[derive(Clone, Copy, Debug)]
pub struct Dimension {
    /// Its name in file names and paths.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// One of it, in words.
    pub unit: &'static str,
    /// How many there are, from few to many.
    pub sizes: &'static [usize],
    /// Makes an engine with so many.
    pub world: fn(usize) -> Result<World, Box<dyn Error>>,
}

/// All of them.
pub const DIMENSIONS: [Dimension; 6] = [
    Dimension {
        name: "rules",
        title: "Rules",
        unit: "rule",
        sizes: &[100, 1_000, 10_000, 100_000],
        world: worlds::rules,
    },
    Dimension {
        name: "quarantines",
        title: "Quarantined subjects",
        unit: "quarantined subject",
        sizes: &[100, 1_000, 10_000, 100_000],
        world: worlds::quarantines,
    },
    Dimension {
        name: "signals",
        title: "Signals",
        unit: "signal",
        sizes: &[3, 10, 100, 1_000],
        world: worlds::signals,
    },
    Dimension {
        name: "scopes",
        title: "Scopes with a posture of their own",
        unit: "scope",
        sizes: &[1, 10, 100, 1_000],
        world: worlds::scopes,
    },
    Dimension {
        name: "cached",
        title: "Cached decisions",
        unit: "cached decision",
        sizes: &[1_000, 10_000, 100_000, 1_000_000],
        world: worlds::cached,
    },
    Dimension {
        name: "proposals",
        title: "Proposals that wait",
        unit: "proposal",
        sizes: &[10, 100, 1_000, 10_000],
        world: worlds::proposals,
    },
];

/// The dimension of that name.
#[must_use]
pub fn dimension(name: &str) -> Option<&'static Dimension> {
    DIMENSIONS.iter().find(|dimension| dimension.name == name)
}
