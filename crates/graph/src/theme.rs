//! Colours and measures: the one place to change how pictures look.
//!
//! A status has one hue in every shape: green for what went well, blue for what is going on, red for what went
//! wrong, amber for what will be tried again, violet for what waits for a person, grey for what has not begun.

use crate::diagram::{EdgeKind, NodeKind};

pub(crate) const CANVAS: &str = "#ffffff";
pub(crate) const INK: &str = "#0f172a";
pub(crate) const INK_SOFT: &str = "#64748b";

/// Colours of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint {
    pub(crate) fill: &'static str,
    pub(crate) border: &'static str,
    pub(crate) name: &'static str,
    pub(crate) note: &'static str,
}

/// What a status means to somebody who looks at the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Neutral,
    Waiting,
    Going,
    Well,
    Wrong,
    Again,
    Manual,
}

impl Mood {
    fn of(status: Option<&str>) -> Self {
        match status {
            Some("OK" | "SUCCEEDED" | "DONE") => Self::Well,
            Some("RUNNING") => Self::Going,
            Some("ERROR" | "KILLED" | "FAILED") => Self::Wrong,
            Some("USER_RETRY" | "START_RETRY" | "END_RETRY") => Self::Again,
            Some("START_MANUAL" | "END_MANUAL" | "SUSPENDED") => Self::Manual,
            Some(_) => Self::Waiting,
            None => Self::Neutral,
        }
    }

    /// Tint and full colour.
    fn hue(self) -> (&'static str, &'static str) {
        match self {
            Self::Neutral => ("#ffffff", "#94a3b8"),
            Self::Waiting => ("#f1f5f9", "#94a3b8"),
            Self::Going => ("#eff6ff", "#2563eb"),
            Self::Well => ("#f0fdf4", "#16a34a"),
            Self::Wrong => ("#fef2f2", "#dc2626"),
            Self::Again => ("#fffbeb", "#d97706"),
            Self::Manual => ("#f5f3ff", "#7c3aed"),
        }
    }
}

pub(crate) fn paint(kind: NodeKind, status: Option<&str>) -> Paint {
    let mood = Mood::of(status);
    match kind {
        NodeKind::Action => light(mood.hue()),
        NodeKind::Decision if mood == Mood::Neutral => light(("#fefce8", "#ca8a04")),
        NodeKind::Decision => light(mood.hue()),
        NodeKind::Kill if mood == Mood::Neutral => {
            Paint { fill: "#fff1f2", border: "#e11d48", name: "#be123c", note: "#be123c" }
        }
        NodeKind::Kill => solid("#dc2626"),
        NodeKind::Start | NodeKind::End | NodeKind::Fork | NodeKind::Join => match mood {
            Mood::Neutral | Mood::Waiting => solid("#475569"),
            Mood::Going | Mood::Well | Mood::Wrong | Mood::Again | Mood::Manual => {
                solid(mood.hue().1)
            }
        },
    }
}

fn light((fill, border): (&'static str, &'static str)) -> Paint {
    Paint { fill, border, name: INK, note: INK_SOFT }
}

fn solid(colour: &'static str) -> Paint {
    Paint { fill: colour, border: colour, name: "#ffffff", note: "#ffffff" }
}

/// Colour of the small disc that shows an action's status; none where there is no status to show.
pub(crate) fn disc(status: Option<&str>) -> Option<&'static str> {
    status.map(|_| Mood::of(status).hue().1)
}

/// Colour of an edge and, where it is dashed, the pattern.
pub(crate) fn stroke(kind: &EdgeKind) -> (&'static str, Option<&'static str>) {
    match kind {
        EdgeKind::Ok | EdgeKind::Path => ("#64748b", None),
        EdgeKind::Error => ("#f43f5e", Some("5 4")),
        EdgeKind::Case(_) => ("#a16207", None),
        EdgeKind::Default => ("#a16207", Some("2 3")),
    }
}
