//! Every size, and nothing foreign on its way to the terminal.

use super::samples;
use super::{Bench, ascii, dark, text};

#[test]
fn every_state_draws_at_every_size() {
    let mut sizes = Vec::new();
    for width in
        [1, 2, 3, 5, 8, 13, 20, 39, 40, 41, 59, 60, 61, 79, 80, 81, 109, 110, 150, 200, 300]
    {
        for height in [1, 2, 3, 5, 9, 10, 11, 14, 15, 16, 23, 24, 31, 32, 48, 80, 100] {
            sizes.push((width, height));
        }
    }
    let look = dark();
    for (number, sample) in samples::all().into_iter().enumerate() {
        for (at, size) in sizes.iter().enumerate() {
            let mut bench = Bench::new(sample.clone(), *size);
            // A twelfth of the sizes for each state, so that together they see every size twice.
            if (at + number) % 12 != 0 {
                continue;
            }
            assert_eq!(bench.frame(&look).buffer.area.width, size.0);
            for keys in ["?", "R", "x", "a", "z"] {
                bench.keys(keys);
                bench.frame(&look);
                bench.keys("Esc");
            }
        }
    }
}

#[test]
fn what_a_log_says_never_reaches_the_cells_as_a_control() {
    for size in [(60, 15), (80, 24), (120, 40)] {
        let mut bench = Bench::at("hostile", size);
        for keys in ["", "j", "Tab", "F6", "?"] {
            bench.keys(keys);
            for look in [ascii(), dark()] {
                let frame = bench.frame(&look);
                let shown = text(&frame);
                let bad = shown.chars().find(|c| c.is_control() && *c != '\n');
                assert_eq!(bad, None, "{shown}");
                assert!(!frame.title.chars().any(char::is_control));
            }
        }
    }
}
