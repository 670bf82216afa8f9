//! Finds rows that only moved up or down, and lets the terminal move them: a log that grows by a
//! line then costs a line, not the pane.

use ratatui::buffer::{Buffer, Cell};

/// The most rows a picture is moved by.
const MOST: u16 = 200;

/// A stretch of rows that moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moved {
    top: u16,
    /// The row after the last.
    bottom: u16,
    /// Rows up, or down when negative.
    up: i32,
    saved: usize,
}

/// When most of a stretch of rows of `before` stands in `after` a few rows higher or lower: the
/// bytes that move it there. `before` is then what the terminal shows after them. Needs a terminal
/// with margins and line deletion, as the VT102 and all after it have.
pub fn shift(before: &mut Buffer, after: &Buffer) -> Option<Vec<u8>> {
    if before.area != after.area || before.area.height < 3 {
        return None;
    }
    let moved = best(before, after)?;
    // Below this, drawing the cells anew is cheaper than the sequences.
    if moved.saved < 48 {
        return None;
    }
    let (count, letter) = if moved.up > 0 { (moved.up, 'M') } else { (-moved.up, 'L') };
    let (top, bottom) = (moved.top + 1, moved.bottom);
    let bytes = format!("\x1b[0m\x1b[{top};{bottom}r\x1b[{top};1H\x1b[{count}{letter}\x1b[r");
    apply(before, moved);
    Some(bytes.into_bytes())
}

fn row(buffer: &Buffer, y: u16) -> &[Cell] {
    let width = usize::from(buffer.area.width);
    let start = usize::from(y) * width;
    buffer.content.get(start..start + width).unwrap_or_default()
}

/// Equal rows have equal prints; most others do not. Comparing each row with each cell by cell
/// would cost more than drawing them.
fn print(cells: &[Cell]) -> u64 {
    let bytes = cells.iter().flat_map(|cell| cell.symbol().bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |print, byte| {
        (print ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// How many cells of a row would have to be drawn: those that differ.
fn differ(one: &[Cell], other: &[Cell]) -> usize {
    one.iter().zip(other).filter(|(one, other)| one != other).count()
}

fn best(before: &Buffer, after: &Buffer) -> Option<Moved> {
    let height = before.area.height;
    let mut best: Option<Moved> = None;
    let blank: Vec<bool> = (0..height).map(|y| row(before, y) == row(after, y)).collect();
    let (first, last) =
        (blank.iter().position(|same| !same)?, blank.iter().rposition(|same| !same)?);
    let (first, last) = (u16::try_from(first).ok()?, u16::try_from(last).ok()?);
    let span = i32::from(last - first).min(i32::from(MOST));
    let prints = |buffer| (0..height).map(|y| print(row(buffer, y))).collect::<Vec<u64>>();
    let (old, new) = (prints(before), prints(after));
    let alike = |from: u16, y: u16| {
        old.get(usize::from(from)) == new.get(usize::from(y)) && row(before, from) == row(after, y)
    };
    for up in (1..=span).flat_map(|by| [by, -by]) {
        let mut run: Option<Moved> = None;
        for y in first..=last {
            let from = i32::from(y) + up;
            let source = u16::try_from(from).ok().filter(|from| (first..=last).contains(from));
            let here = source.filter(|from| alike(*from, y));
            let Some(from) = here else {
                keep(&mut best, run.take());
                continue;
            };
            let saved = differ(row(before, y), row(after, y));
            let (low, high) = (y.min(from), y.max(from) + 1);
            run = Some(match run {
                Some(run) => Moved {
                    top: run.top.min(low),
                    bottom: run.bottom.max(high),
                    saved: run.saved + saved,
                    ..run
                },
                None => Moved { top: low, bottom: high, up, saved },
            });
        }
        keep(&mut best, run);
    }
    best
}

fn keep(best: &mut Option<Moved>, run: Option<Moved>) {
    let Some(run) = run else { return };
    if best.is_none_or(|best| run.saved > best.saved) {
        *best = Some(run);
    }
}

fn apply(buffer: &mut Buffer, moved: Moved) {
    let width = usize::from(buffer.area.width);
    let (top, bottom) = (usize::from(moved.top) * width, usize::from(moved.bottom) * width);
    let by = usize::try_from(moved.up.unsigned_abs()).unwrap_or(0) * width;
    let Some(part) = buffer.content.get_mut(top..bottom) else { return };
    let by = by.min(part.len());
    let empty = if moved.up > 0 {
        part.rotate_left(by);
        let kept = part.len() - by;
        part.get_mut(kept..)
    } else {
        part.rotate_right(by);
        part.get_mut(..by)
    };
    for cell in empty.unwrap_or_default() {
        cell.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn screen(lines: &[&str]) -> Buffer {
        let height = u16::try_from(lines.len()).unwrap();
        let mut buffer = Buffer::empty(Rect::new(0, 0, 60, height));
        for (y, line) in lines.iter().enumerate() {
            buffer.set_string(0, u16::try_from(y).unwrap(), line, Style::default());
        }
        buffer
    }

    /// What a terminal shows after the bytes, by vt100.
    fn shown(before: &Buffer, bytes: &[u8]) -> Vec<String> {
        let size = |cells| std::num::NonZero::new(cells).unwrap();
        let (rows, columns) = (size(before.area.height), size(before.area.width));
        let mut terminal = vt100::Parser::new(rows, columns, 0);
        for y in 0..before.area.height {
            let text: String = row(before, y).iter().map(Cell::symbol).collect();
            terminal.process(format!("\x1b[{};1H{text}", y + 1).as_bytes());
        }
        terminal.process(bytes);
        terminal.screen().rows(0, before.area.width).map(|row| row.trim_end().to_owned()).collect()
    }

    fn text(buffer: &Buffer) -> Vec<String> {
        let line = |y| row(buffer, y).iter().map(Cell::symbol).collect::<String>();
        (0..buffer.area.height).map(|y| line(y).trim_end().to_owned()).collect()
    }

    const LINES: [&str; 8] = [
        "the head stays",
        "| the first line of a log, as wide as a pane |",
        "| the second line, which says something else |",
        "| a third one, about the database |",
        "| a fourth one, about nothing at all |",
        "| a fifth one, with an error in it |",
        "+----------------------------------------------+",
        "the keys stay",
    ];

    #[test]
    fn a_log_that_grew_is_moved_and_the_terminal_agrees() {
        let before = screen(&LINES);
        let mut lines = LINES;
        lines[1..6].rotate_left(2);
        lines[4] = "| new |";
        lines[5] = "| newer |";
        let after = screen(&lines);
        let mut moved = before.clone();
        let bytes = shift(&mut moved, &after).unwrap();
        assert_eq!(shown(&before, &bytes), text(&moved));
        assert_eq!(text(&moved)[1], LINES[3]);
        assert!(moved.diff(&after).len() < 30, "{} cells", moved.diff(&after).len());
    }

    #[test]
    fn scrolling_back_moves_down() {
        let before = screen(&LINES);
        let mut lines = LINES;
        lines[1..6].rotate_right(1);
        lines[1] = "| older |";
        let after = screen(&lines);
        let mut moved = before.clone();
        let bytes = shift(&mut moved, &after).unwrap();
        assert_eq!(shown(&before, &bytes), text(&moved));
        assert_eq!(text(&moved)[2], LINES[1]);
    }

    #[test]
    fn what_did_not_move_is_left_alone() {
        let before = screen(&LINES);
        let mut lines = LINES;
        lines[3] = "| another third one |";
        assert_eq!(shift(&mut before.clone(), &screen(&lines)), None);
        assert_eq!(shift(&mut before.clone(), &before), None);
    }
}
