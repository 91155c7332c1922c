//! Pictures of workflows: Graphviz text, SVG and PNG.
//!
//! ```text
//!  Diagram ──► View ──► layout: layers ─► order ─► place ─► route ──► svg ──► png
//!                 └───► dot                                 (boxes, strokes, labels)
//! ```
//!
//! Everything here is a pure function of the [`Diagram`]: the same diagram gives the same bytes on every machine.
//! The PNG carries its own typeface, so no fonts have to be installed. Sizes are bounded: see [`NODES_MAX`] and
//! [`PIXELS_MAX`].

mod diagram;
mod dot;
mod layout;
mod png;
mod svg;
mod text;
mod theme;

pub use diagram::{Diagram, Edge, EdgeKind, Node, NodeKind};
pub use dot::dot;
pub use png::{Error, PIXELS_MAX, png};
pub use svg::svg;

/// Most nodes of a diagram that is laid out; a definition of Oozie's largest size (100 000 characters) has fewer.
/// Above it [`svg()`] gives a short note and [`png()`] an error; [`dot()`] has no such bound, for it lays nothing out.
pub const NODES_MAX: usize = 2_000;
