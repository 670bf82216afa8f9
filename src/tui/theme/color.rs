//! Colours as numbers: what a terminal shows of them, how far two are apart, and for whom.

use ratatui::style::Color;

use super::Depth;

/// Red, green and blue of sRGB, linear, 0 to 1.
type Light = [f64; 3];

/// What a person with a colour vision deficiency sees: the matrices of Machado, Oliveira and
/// Fernandes (2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
/// table 1), severity 1.0, for linear sRGB.
pub(super) const DEFICIENCIES: [(&str, [Light; 3]); 3] = [
    (
        "protanopia",
        [
            [0.152_286, 1.052_583, -0.204_868],
            [0.114_503, 0.786_281, 0.099_216],
            [-0.003_882, -0.048_116, 1.051_998],
        ],
    ),
    (
        "deuteranopia",
        [
            [0.367_322, 0.860_646, -0.227_968],
            [0.280_085, 0.672_501, 0.047_413],
            [-0.011_820, 0.042_940, 0.968_881],
        ],
    ),
    (
        "tritanopia",
        [
            [1.255_528, -0.076_749, -0.178_779],
            [-0.078_411, 0.930_809, 0.147_602],
            [0.004_733, 0.691_367, 0.303_900],
        ],
    ),
];

/// Reads a colour's name and brings it down to what the terminal has.
pub(super) fn read(name: &str, depth: Depth) -> Result<Color, String> {
    let color: Color = name
        .parse()
        .map_err(|_| format!("{name} is no colour: write red, light blue, 208 or #d55e00"))?;
    Ok(match (color, depth) {
        (Color::Rgb(r, g, b), Depth::Many) => Color::Indexed(cube(r, g, b)),
        (Color::Rgb(r, g, b), Depth::Sixteen) => nearest(r, g, b),
        (Color::Indexed(16..), Depth::Sixteen) => match known(color) {
            Some([r, g, b]) => nearest(r, g, b),
            None => Color::Reset,
        },
        (color, _) => color,
    })
}

/// The levels of xterm's 6x6x6 cube.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The nearest of the 6x6x6 cube.
fn cube(r: u8, g: u8, b: u8) -> u8 {
    let step = |value: u8| {
        let near = (0_u8..).zip(LEVELS).min_by_key(|(_, level)| value.abs_diff(*level));
        near.map_or(0, |(at, _)| at)
    };
    16 + 36 * step(r) + 6 * step(g) + step(b)
}

/// The nearest of the terminal's own colours, by which channels are up.
fn nearest(r: u8, g: u8, b: u8) -> Color {
    match (r > 127, g > 127, b > 127) {
        (false, false, false) => Color::DarkGray,
        (true, false, false) => Color::Red,
        (false, true, false) => Color::Green,
        (true, true, false) => Color::Yellow,
        (false, false, true) => Color::Blue,
        (true, false, true) => Color::Magenta,
        (false, true, true) => Color::Cyan,
        (true, true, true) => Color::Gray,
    }
}

/// What a colour looks like; nothing for the terminal's own sixteen, which people set.
pub(super) fn known(color: Color) -> Option<[u8; 3]> {
    match color {
        Color::Rgb(r, g, b) => Some([r, g, b]),
        Color::Indexed(index @ 16..=231) => {
            let at = index - 16;
            let level = |step: u8| LEVELS.get(usize::from(step % 6)).copied();
            Some([level(at / 36)?, level(at / 6)?, level(at)?])
        }
        Color::Indexed(index @ 232..) => Some([8 + 10 * (index - 232); 3]),
        _ => None,
    }
}

fn light(color: [u8; 3]) -> Light {
    color.map(|channel| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
}

fn dot(one: Light, other: Light) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// The contrast of two colours, 1 to 21 (WCAG 2.2, relative luminance).
pub fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let luminance = |color| dot(light(color), [0.2126, 0.7152, 0.0722]) + 0.05;
    let (one, other) = (luminance(one), luminance(other));
    one.max(other) / one.min(other)
}

/// How far two colours are apart for everybody, then for each deficiency: the name and ΔE*ab
/// (CIE 1976, white D65).
pub(super) fn distances(one: [u8; 3], other: [u8; 3]) -> Vec<(&'static str, f64)> {
    let (one, other) = (light(one), light(other));
    let apart = |one: Light, other: Light| {
        let (one, other) = (lab(one), lab(other));
        one.iter().zip(other).map(|(one, other)| (one - other).powi(2)).sum::<f64>().sqrt()
    };
    let mut list = vec![("full colour vision", apart(one, other))];
    list.extend(DEFICIENCIES.iter().map(|(name, matrix)| {
        let seen = |color: Light| matrix.map(|row| dot(row, color).clamp(0.0, 1.0));
        (*name, apart(seen(one), seen(other)))
    }));
    list
}

/// CIE L*a*b* of a linear sRGB colour.
fn lab(color: Light) -> Light {
    let part = |row: Light, white: f64| {
        let value = dot(row, color) / white;
        if value > 216.0 / 24_389.0 {
            value.cbrt()
        } else {
            (24_389.0 / 27.0 * value + 16.0) / 116.0
        }
    };
    let x = part([0.412_456_4, 0.357_576_1, 0.180_437_5], 0.950_47);
    let y = part([0.212_672_9, 0.715_152_2, 0.072_175_0], 1.0);
    let z = part([0.019_333_9, 0.119_192_0, 0.950_304_1], 1.088_83);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_comes_down_to_what_the_terminal_has() {
        assert_eq!(read("#d55e00", Depth::Many), Ok(Color::Indexed(166)));
        assert_eq!(read("#d55e00", Depth::Sixteen), Ok(Color::Red));
        assert_eq!(read("208", Depth::Sixteen), Ok(Color::Yellow));
        assert!(read("reddish", Depth::True).is_err());
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 1e-9);
        // The grey that WCAG's own examples give 4.5:1 on white.
        assert!((contrast([0x76; 3], [255; 3]) - 4.54).abs() < 0.01);
    }

    #[test]
    fn red_and_green_of_one_lightness_meet_without_the_green_cones() {
        let apart = distances([0xc0, 0x50, 0x30], [0x70, 0x80, 0x30]);
        let of = |name| apart.iter().find(|(known, _)| *known == name).unwrap().1;
        assert!(of("full colour vision") > 40.0);
        assert!(of("deuteranopia") < of("full colour vision") / 3.0);
    }

    #[test]
    fn greys_are_grey_for_everybody() {
        for (_, matrix) in DEFICIENCIES {
            for row in matrix {
                assert!((dot(row, [1.0; 3]) - 1.0).abs() < 1e-4);
            }
        }
    }
}
