//! The SVG as pixels, with the typeface inside the program.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, fontdb};

use crate::diagram::{Diagram, NodeKind};
use crate::{NODES_MAX, svg};

/// Most pixels of a picture, 32 MiB while it is made: a larger one is scaled down as a whole.
pub const PIXELS_MAX: u32 = 8_000_000;
/// Longest side in pixels; browsers and image libraries refuse much longer ones.
const SIDE_MAX_PX: f32 = 16_384.0;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The diagram has more than [`NODES_MAX`] visible nodes.
    #[error(
        "the workflow has {nodes} nodes, too many to draw (the limit is {NODES_MAX}); ask for the dot format instead"
    )]
    TooManyNodes {
        /// How many there are.
        nodes: usize,
    },
    /// The drawing library refused what [`svg()`](crate::svg()) made.
    #[error("the picture of the workflow could not be drawn: {0}; ask for the svg format instead")]
    Drawing(#[from] usvg::Error),
    /// The pixels could not be packed, or had no room in memory.
    #[error(
        "the picture of the workflow could not be encoded as png: {0}; ask for the svg format instead"
    )]
    Encoding(String),
}

/// Hack alone: it covers Latin, Greek and Cyrillic; other letters appear as empty boxes.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(epaint_default_fonts::HACK_REGULAR.to_vec());
    Arc::new(fonts)
});

/// The diagram as a PNG of the size of its SVG, scaled down where that exceeds [`PIXELS_MAX`].
pub fn png(diagram: &Diagram) -> Result<Vec<u8>, Error> {
    let visible =
        diagram.nodes.iter().filter(|node| diagram.show_kill || node.kind != NodeKind::Kill);
    let nodes = visible.count();
    if nodes > NODES_MAX {
        return Err(Error::TooManyNodes { nodes });
    }
    let options = usvg::Options {
        fontdb: Arc::clone(&FONTS),
        font_family: "Hack".to_owned(),
        ..usvg::Options::default()
    };
    let tree = usvg::Tree::from_str(&svg(diagram), &options)?;
    let scale = scale(tree.size().width(), tree.size().height());
    let side = |length: f32| ((length * scale).floor() as u32).max(1);
    let mut pixmap = Pixmap::new(side(tree.size().width()), side(tree.size().height()))
        .ok_or_else(|| Error::Encoding("no room for its pixels".to_owned()))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| Error::Encoding(error.to_string()))
}

/// 1, or what makes the picture fit the bounds.
fn scale(width_px: f32, height_px: f32) -> f32 {
    let by_pixels = (PIXELS_MAX as f32 / (width_px * height_px)).sqrt();
    let by_side = SIDE_MAX_PX / width_px.max(height_px);
    by_pixels.min(by_side).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_pictures_keep_their_size_and_huge_ones_fit_both_bounds() {
        assert!((scale(800.0, 2_000.0) - 1.0).abs() < f32::EPSILON);
        for (width, height) in [(300_000.0, 90.0), (160.0, 190_000.0), (20_000.0, 20_000.0)] {
            let scale = scale(width, height);
            let (width, height) = ((width * scale).floor(), (height * scale).floor());
            assert!(
                width <= SIDE_MAX_PX
                    && height <= SIDE_MAX_PX
                    && width * height <= PIXELS_MAX as f32
            );
        }
    }
}
