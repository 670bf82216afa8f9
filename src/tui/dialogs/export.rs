//! Keeping what is known: what a bundle would hold and what would be taken out of it, before
//! anything is written; or only this screen.

use crate::model::entry::Command;
use crate::model::live::BundlePreview;
use crate::tui::input::{Code, Key};
use crate::tui::state::{Cx, Effect, Ui};
use crate::tui::theme::Role;
use crate::tui::view::View;
use crate::tui::widgets::{Row, fact};
use crate::tui::words;

use super::{Dialog, Sheet, Turn};

/// Opens the dialog and has the engine count; where none can be asked, the screen is written.
pub fn open(ui: &mut Ui, cx: Cx<'_>) -> Vec<Effect> {
    if cx.world.hindered().is_some() {
        return vec![Effect::Export];
    }
    ui.open(Dialog::Export, cx.now);
    vec![Effect::Send(Command::Export { write: false })]
}

/// Takes a key.
pub fn key(key: Key) -> Turn {
    match key.code {
        Code::Enter => Turn::Do(vec![Effect::Send(Command::Export { write: true })]),
        Code::Char('s') => Turn::Do(vec![Effect::Export]),
        _ => Turn::Stay,
    }
}

/// What it shows.
pub fn sheet(view: &View<'_>, width: usize) -> Sheet {
    let live = view.world.live.as_ref();
    let preview = live.and_then(|live| live.bundle.as_deref());
    let mut facts = match preview {
        Some(preview) if !preview.busy => counted(preview, view, width),
        Some(_) | None => vec![Row::of(Role::Info, "counting what would be kept …")],
    };
    if let Some(last) = view.world.situation.bundles.last() {
        facts.extend(fact("last one", &last.words(), width));
    }
    Sheet {
        title: "Keep what is known".to_owned(),
        remark: "nothing is written yet".to_owned(),
        facts,
        pinned: vec![
            Row::of(Role::Base, "Enter = write the bundle.  s = only this screen, to a file"),
            Row::of(Role::Muted, "Esc = nothing is written"),
        ],
        ..Sheet::default()
    }
}

fn counted(preview: &BundlePreview, view: &View<'_>, width: usize) -> Vec<Row> {
    #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
    let size = preview.bytes as f64 / 1e6;
    let age = words::short(words::since(preview.at, view.now));
    let sources = preview.sources as usize;
    let cut = match preview.cut {
        0 => String::new(),
        1 => "; of 1 the middle is left out".to_owned(),
        cut => format!("; of {cut} the middle is left out"),
    };
    let kept = format!(
        "{}, {size:.1} MB before compression{cut} (counted {age} ago)",
        words::count(sources, "source")
    );
    let mut rows = fact("kept", &kept, width);
    let taken: u64 = preview.redactions.values().sum();
    let text = if taken == 0 {
        "no secrets were found".to_owned()
    } else {
        let rules: Vec<String> =
            preview.redactions.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
        format!("{taken} secrets: {}", rules.join(", "))
    };
    rows.extend(fact("taken out", &text, width));
    for missing in preview.missing.iter().take(6) {
        rows.extend(fact("not kept", missing.as_str(), width));
    }
    if preview.missing.len() > 6 {
        rows.extend(fact("", &format!("and {} more", preview.missing.len() - 6), width));
    }
    if let Some(error) = &preview.error {
        rows.extend(fact("failed", error.as_str(), width));
    }
    rows
}
