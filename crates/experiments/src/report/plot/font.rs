//! The one font of plots, which comes with the program: pictures are the same on every machine.
use anyhow::{Context, Result, anyhow};
use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};
use resvg::{tiny_skia, usvg};

/// A subset of Arimo; see `assets/OFL.txt`.
const BYTES: &[u8] = include_bytes!("../../../assets/Arimo-Regular.ttf");
/// Fonts whose glyphs are as wide stand in where an SVG's reader has no Arimo.
const FAMILY: &str = "Arimo, Liberation Sans, Arial, Helvetica, sans-serif";
/// Arimo's ascent less its descent; plotters measures glyphs in units of it.
const HEIGHT_PER_EM: f64 = (1854.0 + 434.0) / 2048.0;
/// What plotters divides a font's size by in an SVG.
const PLOTTERS_PER_EM: f64 = 1.24;
/// Pixels of a PNG per pixel of the SVG.
const PNG_SCALE: f32 = 2.0;

/// The font, known to plotters.
pub(super) struct Font(());

impl Font {
    /// Makes it known.
    pub fn load() -> Result<Self> {
        let known = register_font(FAMILY, FontStyle::Normal, BYTES);
        known.map_err(|_| anyhow!("the font of plots cannot be read"))?;
        Ok(Self(()))
    }

    /// For text whose em is so many units.
    pub fn sized(&self, em: f64) -> FontDesc<'static> {
        desc(em * PLOTTERS_PER_EM)
    }

    /// Width of a text whose em is `em`.
    pub fn width(&self, text: &str, em: f64) -> Result<f64> {
        // plotters rounds to whole units: measured large.
        const LARGE: f64 = 100.0;
        let (_, (width, _)) = desc(LARGE * HEIGHT_PER_EM).layout_box(text).context("no width of a text")?;
        Ok(f64::from(width) * em / LARGE)
    }

    /// The text in lines at most `width` wide, broken between words; a longer word has a line of its own.
    pub fn wrap(&self, text: &str, em: f64, width: f64) -> Result<Vec<String>> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            let longer = lines.last().map(|l| format!("{l} {word}"));
            match longer {
                Some(l) if self.width(&l, em)? <= width => {
                    *lines.last_mut().expect("it was made longer") = l;
                }
                _ => lines.push(word.into()),
            }
        }
        Ok(lines)
    }
}

fn desc(size: f64) -> FontDesc<'static> {
    FontDesc::new(FontFamily::Name(FAMILY), size, FontStyle::Normal)
}

/// The SVG as PNG.
pub(super) fn rasterise(svg: &str) -> Result<Vec<u8>> {
    let mut options = usvg::Options::default();
    options.fontdb_mut().load_font_data(BYTES.to_vec());
    let tree = usvg::Tree::from_str(svg, &options).context("the plot's SVG cannot be read")?;
    let size = tree.size().to_int_size().scale_by(PNG_SCALE).context("the plot has no size")?;
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height()).context("the plot is too large")?;
    let scale = tiny_skia::Transform::from_scale(PNG_SCALE, PNG_SCALE);
    resvg::render(&tree, scale, &mut pixels.as_mut());
    pixels.encode_png().context("the plot cannot be written as PNG")
}
