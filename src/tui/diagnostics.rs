//! F12: what backout itself has to say, for whoever looks after backout. Never evidence, never a
//! service's log: under a flood this keeps only the newest lines.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::theme::Role;
use super::widgets::Look;

/// Lines that are kept between two drawings, and in all.
const DEPTH: usize = 1_000;

/// Sends this process's diagnostics here. No thread is started: [`collect`] moves what came.
pub fn listen() {
    tui_logger::set_hot_buffer_depth(DEPTH);
    tui_logger::set_buffer_depth(DEPTH);
    tui_logger::set_default_level(tui_logger::LevelFilter::Info);
    // A second set-up in one process (tests) keeps the first.
    let layer = tui_logger::TuiTracingSubscriberLayer;
    tracing_subscriber::registry().with(layer).try_init().ok();
}

/// Takes in what came since the last time.
pub fn collect() {
    tui_logger::move_events();
}

/// Draws the newest lines.
pub fn draw(area: Rect, buffer: &mut Buffer, look: &Look) {
    tui_logger::TuiLoggerWidget::default()
        .output_timestamp(Some("%H:%M:%S".to_owned()))
        .output_file(false)
        .output_line(false)
        .style_error(look.theme.style(Role::LogE))
        .style_warn(look.theme.style(Role::LogW))
        .style_info(look.theme.style(Role::LogI))
        .render(area, buffer);
}
