//! Whether a theme can be read: enough contrast, and no two states that look alike to anybody.

use ratatui::style::{Color, Modifier, Style};

use super::file::Sheet;
use super::{Depth, Role, color};

/// The least contrast of text (WCAG 2.2, 1.4.3).
pub const CONTRAST: f64 = 4.5;

/// How far two states must be apart in ΔE*ab: five times the difference that is just noticed, 2.3
/// (Mahy, Van Eycken and Oosterlinck 1994, "Evaluation of Uniform Color Spaces Developed after the
/// Adoption of CIELAB and CIELUV"). The factor is ours: words on a screen are not patches in a lab.
pub const APART: f64 = 11.5;

/// The roles that say how something is.
const STATES: [Role; 5] = [Role::Ok, Role::Warn, Role::Fail, Role::Unknown, Role::Stale];

/// What is wrong with a theme.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// On terminals with so many colours.
    pub depth: Depth,
    /// The role or the two roles.
    pub roles: Vec<Role>,
    /// What.
    pub text: String,
}

/// Everything that is wrong with a theme, on each terminal that it is made for. Colours that the
/// terminal's owner sets (the sixteen) are not known: there only equal looks are found.
pub fn lint(sheet: &Sheet) -> Result<Vec<Finding>, String> {
    let mut found = Vec::new();
    for depth in &sheet.depths {
        let theme = sheet.theme(*depth)?;
        let base = theme.style(Role::Base);
        for role in Role::ALL {
            let style = base.patch(theme.style(role));
            if let Some((fg, bg)) = both(style) {
                let contrast = color::contrast(fg, bg);
                if contrast < sheet.contrast {
                    let text = format!(
                        "{}: contrast {contrast:.2}:1 is below {}:1",
                        role.name(),
                        sheet.contrast
                    );
                    found.push(Finding { depth: *depth, roles: vec![role], text });
                }
            }
        }
        for (at, one) in STATES.iter().enumerate() {
            for other in STATES.iter().skip(at + 1) {
                let styles = [one, other].map(|role| base.patch(theme.style(*role)));
                if let Some(why) = alike(styles) {
                    let text = format!("{} and {} {why}", one.name(), other.name());
                    found.push(Finding { depth: *depth, roles: vec![*one, *other], text });
                }
            }
        }
    }
    Ok(found)
}

/// Letters and ground, where both are known.
fn both(style: Style) -> Option<([u8; 3], [u8; 3])> {
    Some((color::known(style.fg?)?, color::known(style.bg?)?))
}

/// Why two looks are taken for each other.
fn alike([one, other]: [Style; 2]) -> Option<String> {
    let look = |style: Style| (style.fg, style.bg, style.add_modifier);
    if look(one) == look(other) {
        return Some("look the same".to_owned());
    }
    // Reversed, the colour is the ground; it is the same colour.
    let known = |style: Style| {
        let reversed = style.add_modifier.contains(Modifier::REVERSED) && style.fg.is_none();
        color::known(if reversed { style.bg? } else { style.fg.unwrap_or(Color::Reset) })
    };
    let (one, other) = (known(one)?, known(other)?);
    let near = color::distances(one, other).into_iter().filter(|(_, apart)| *apart < APART);
    let nearest = near.min_by(|(_, one), (_, other)| one.total_cmp(other))?;
    let (who, apart) = nearest;
    Some(format!("are only {apart:.1} apart with {who}, less than {APART}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Themes;
    use crate::tui::theme::file::BUILT_IN;

    fn mine(slots: &str) -> Vec<Finding> {
        let dir = tempfile::tempdir().unwrap();
        let text = format!("name: mine\nparent: cvd-dark\nslots:\n{slots}");
        std::fs::write(dir.path().join("mine.yaml"), text).unwrap();
        let themes = Themes { folders: vec![dir.path().to_owned()] };
        lint(&themes.sheet("mine").unwrap()).unwrap()
    }

    #[test]
    fn every_shipped_theme_passes() {
        for (name, _) in BUILT_IN {
            let sheet = Themes::default().sheet(name).unwrap();
            assert!(!sheet.depths.is_empty());
            assert_eq!(lint(&sheet).unwrap(), [], "{name}");
        }
    }

    #[test]
    fn high_contrast_is_held_to_seven() {
        let sheet = Themes::default().sheet("high-contrast").unwrap();
        assert!(sheet.contrast >= 7.0);
        let theme = sheet.theme(Depth::True).unwrap();
        let base = theme.style(Role::Base);
        for role in Role::ALL {
            let (fg, bg) = both(base.patch(theme.style(role))).unwrap();
            assert!(color::contrast(fg, bg) >= 7.0, "{role:?}");
        }
    }

    #[test]
    fn grey_on_grey_is_found() {
        let found = mine("  muted: {fg: \"#444444\"}\n");
        assert!(found.iter().any(|one| one.roles == [Role::Muted]), "{found:?}");
        assert!(found[0].text.contains("below 4.5:1"), "{found:?}");
    }

    #[test]
    fn red_against_green_is_found_for_those_who_mix_them_up() {
        let found = mine("  ok: {fg: \"#8f9a2e\"}\n  fail: {fg: \"#c98a2e\"}\n");
        let found = found.iter().find(|one| one.roles == [Role::Ok, Role::Fail]).unwrap();
        assert!(found.text.contains("anopia"), "{found:?}");
    }

    #[test]
    fn two_states_of_the_same_look_are_found_even_in_unknown_colours() {
        let found = mine("  warn: {fg: red}\n  fail: {fg: red}\n");
        let text: Vec<&str> = found.iter().map(|one| one.text.as_str()).collect();
        assert!(text.contains(&"warn and fail look the same"), "{text:?}");
    }
}
