//! A curve over time as inline SVG. Colours come from the page's style, so that it is light or dark
//! with it.

use crate::model::ids::Time;
use crate::report::series::{Point, Series};

use super::escape;

const WIDTH: f64 = 900.0;
const PLOT: f64 = 150.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 20.0;
const BOTTOM: f64 = 24.0;
/// Rows for the names of markers.
const ROWS: usize = 4;
const ROW: f64 = 15.0;
/// How wide a letter of a marker's name is, roughly.
const LETTER: f64 = 6.4;

/// A moment that is marked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Marker {
    pub(super) at: Time,
    pub(super) class: &'static str,
    pub(super) name: String,
}

/// One curve.
#[derive(Clone, Copy)]
pub(super) struct Chart<'a> {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) class: &'static str,
    pub(super) series: &'a Series,
    pub(super) value: fn(&Point) -> Option<f64>,
    /// The top of the scale for the greatest value, and how a value is written on it.
    pub(super) scale: fn(f64) -> Scale,
    /// A line that is not to be crossed, drawn where it is on the scale.
    pub(super) limit: Option<(f64, &'static str)>,
    pub(super) markers: &'a [Marker],
}

/// The upright axis.
pub(super) struct Scale {
    top: f64,
    write: fn(f64) -> String,
}

/// Percent, from a scale that shows small rates as small.
pub(super) fn percent(greatest: f64) -> Scale {
    let tops = [2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 80.0];
    let top = tops.into_iter().find(|top| greatest <= *top).unwrap_or(100.0);
    Scale { top, write: |value| format!("{value} %") }
}

/// Seconds, written as milliseconds below one.
pub(super) fn seconds(greatest: f64) -> Scale {
    let steps = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0];
    let tops = steps.into_iter().flat_map(|unit| [unit, unit * 2.0, unit * 5.0]);
    let top = tops.into_iter().find(|top| greatest <= *top).unwrap_or(greatest * 1.1);
    let write = |value: f64| {
        if value == 0.0 {
            "0".to_owned()
        } else if value < 1.0 {
            format!("{} ms", (value * 10_000.0).round() / 10.0)
        } else {
            format!("{} s", (value * 10.0).round() / 10.0)
        }
    };
    Scale { top, write }
}

impl Chart<'_> {
    /// The figure with its caption.
    pub(super) fn figure(&self) -> String {
        let (name, what) = (escape(self.name), escape(self.what));
        let greatest = self.greatest();
        let scale = (self.scale)(greatest);
        let most = (scale.write)((greatest * 1000.0).round() / 1000.0);
        let marks = self.marks();
        let head = ROW * f64::from(u32::try_from(marks.1).unwrap_or(0)) + 8.0;
        let height = head + PLOT + BOTTOM;
        let parts = [
            self.upright(&scale, head),
            self.level(head),
            self.curve(&scale, head),
            marks.0.replace("{BOTTOM}", &format!("{}", head + PLOT)),
        ];
        format!(
            "<figure><figcaption>{name} <span>{what}; at most {most}</span></figcaption>\n\
             <svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{name} over time, at \
             most {most}\">\n{}</svg></figure>\n",
            parts.concat()
        )
    }

    fn greatest(&self) -> f64 {
        let values = self.series.points.iter().filter_map(self.value);
        values.fold(0.0, f64::max)
    }

    fn x(&self, at: Time) -> f64 {
        let seconds = |from: Time, to: Time| (to - from).to_std().unwrap_or_default().as_secs_f64();
        let all = seconds(self.series.from, self.series.to).max(0.001);
        let part = (seconds(self.series.from, at) / all).min(1.0);
        LEFT + part * (WIDTH - LEFT - RIGHT)
    }

    /// Three lines across with what they stand for, and the limit where the scale reaches it.
    fn upright(&self, scale: &Scale, head: f64) -> String {
        let right = WIDTH - RIGHT;
        let mut svg = String::new();
        for part in [0.0, 0.5, 1.0] {
            let (y, text) = (head + PLOT * (1.0 - part), (scale.write)(scale.top * part));
            svg.extend([format!(
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>\n",
                LEFT - 8.0,
                y + 4.0
            )]);
        }
        if let Some((limit, name)) = self.limit.filter(|(limit, _)| *limit < scale.top) {
            let y = head + PLOT * (1.0 - limit / scale.top);
            svg.extend([format!(
                "<line class=\"limit\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text class=\"limit-name\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>\n",
                LEFT + 4.0,
                y - 4.0
            )]);
        }
        svg
    }

    /// Times along the bottom.
    fn level(&self, head: f64) -> String {
        const STEPS: [i64; 17] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600,
            43_200,
        ];
        let (from, to) = (self.series.from.timestamp(), self.series.to.timestamp());
        let step = STEPS.into_iter().find(|step| (to - from) / step <= 8).unwrap_or(86_400);
        let form = if step < 60 { "%H:%M:%S" } else { "%H:%M" };
        let y = head + PLOT + 17.0;
        let first = from.div_euclid(step) + 1;
        let ticks = (first..).map(|tick| tick * step).take_while(|tick| *tick <= to);
        let texts = ticks.filter_map(|tick| {
            let at = Time::from_timestamp(tick, 0)?;
            let (x, said) = (self.x(at), at.format(form));
            let room = (LEFT + 20.0..WIDTH - RIGHT - 8.0).contains(&x);
            room.then(|| {
                format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{said}</text>\n")
            })
        });
        texts.collect()
    }

    /// The curve in its stretches; a point alone is a dot.
    fn curve(&self, scale: &Scale, head: f64) -> String {
        let bottom = head + PLOT;
        let y = |value: f64| head + PLOT * (1.0 - (value / scale.top).min(1.0));
        let class = self.class;
        let mut svg = String::new();
        for stretch in self.series.stretches(self.value) {
            let points: Vec<(f64, f64)> =
                stretch.iter().map(|(at, value)| (self.x(*at), y(*value))).collect();
            let (Some(first), Some(last)) = (points.first(), points.last()) else { continue };
            if points.len() == 1 {
                let (x, y) = first;
                svg.extend([format!(
                    "<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>\n"
                )]);
                continue;
            }
            let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let path = path.join(" ");
            svg.extend([format!(
                "<polygon class=\"area {class}\" points=\"{:.1},{bottom} {path} {:.1},{bottom}\"/>\
                 \n<polyline class=\"curve {class}\" points=\"{path}\"/>\n",
                first.0, last.0
            )]);
        }
        svg
    }

    /// The markers with their names in rows, so that none stands on another; and how many rows.
    fn marks(&self) -> (String, usize) {
        let inside = |at: Time| at >= self.series.from && at <= self.series.to;
        let mut ends = [f64::NEG_INFINITY; ROWS];
        let mut svg = String::new();
        let mut rows = 0;
        for marker in self.markers.iter().filter(|marker| inside(marker.at)) {
            let x = self.x(marker.at);
            let wide = LETTER * f64::from(u32::try_from(marker.name.chars().count()).unwrap_or(0));
            let left = x + 4.0 + wide > WIDTH - RIGHT;
            let (start, end) = if left { (x - 4.0 - wide, x) } else { (x, x + 4.0 + wide) };
            let free = ends.iter().position(|taken| *taken + 4.0 <= start).unwrap_or(ROWS - 1);
            if let Some(taken) = ends.get_mut(free) {
                *taken = end;
            }
            rows = rows.max(free + 1);
            let top = ROW * f64::from(u32::try_from(free).unwrap_or(0)) + 4.0;
            let (class, name) = (marker.class, escape(&marker.name));
            let (tx, anchor) = if left { (x - 4.0, "end") } else { (x + 4.0, "start") };
            svg.extend([format!(
                "<line class=\"mark {class}\" x1=\"{x:.1}\" y1=\"{top:.1}\" x2=\"{x:.1}\" \
                 y2=\"{{BOTTOM}}\"/><text class=\"mark-name\" x=\"{tx:.1}\" y=\"{:.1}\" \
                 text-anchor=\"{anchor}\">{name}</text>\n",
                top + 9.0
            )]);
        }
        (svg, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_is_as_high_as_it_must_be() {
        for (greatest, top) in [(0.0, 2.0), (1.9, 2.0), (14.2, 20.0), (34.0, 40.0), (100.0, 100.0)]
        {
            assert!((percent(greatest).top - top).abs() < 1e-9, "{greatest}");
        }
        let scale = seconds(0.038);
        assert_eq!(((scale.write)(scale.top), (scale.write)(0.0)), ("50 ms".into(), "0".into()));
        assert_eq!((seconds(6.0).write)(10.0), "10 s");
    }
}
