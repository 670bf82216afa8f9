//! Before, during and now as a table: which check changed with the deploy, and by how much.

use std::fmt::Write as _;

use crate::model::compare::{Compared, Comparison};
use crate::model::figures::{Figures, Reached};
use crate::text::{fit, width};

/// The table of `compare`, the most changed first.
pub fn table(comparison: &Comparison) -> String {
    let mut out = head(comparison);
    let names = comparison.rows.iter().map(|row| width(row.check.as_str()));
    let name = names.max().unwrap_or(0).clamp(5, 24);
    let line = |cells: [&str; 6]| {
        let [check, group, before, during, now, says] = cells;
        let text = format!(
            "{}  {group:<9}  {before:<15}  {during:<15}  {now:<15}  {says}",
            pad(&fit(check, name), name)
        );
        format!("{}\n", text.trim_end())
    };
    out.push_str(&line(["check", "group", "before", "during", "now", ""]));
    for row in &comparison.rows {
        let [before, during, now] =
            [&row.before, &row.during, &row.now].map(|one| cell(one.as_ref()));
        let says = format!("{}: {}", row.change.words(), row.says);
        out.push_str(&line([
            row.check.as_str(),
            row.dimension.words(),
            &before,
            &during,
            &now,
            &says,
        ]));
    }
    out
}

fn head(comparison: &Comparison) -> String {
    let mut out = String::new();
    let said = match &comparison.deploy {
        None => "No deploy is known: nothing can be held against a time before it.".to_owned(),
        Some(deploy) => {
            let before = deploy.baseline_from.map_or_else(
                || "nobody looked before it".to_owned(),
                |from| format!("before: since {}", from.format("%H:%M:%SZ")),
            );
            let until = comparison.until.map_or_else(String::new, |until| {
                format!(", switched away {}", until.format("%H:%M:%SZ"))
            });
            format!(
                "Deploy {} at {}{until}; {before}",
                deploy.version,
                deploy.at.format("%H:%M:%SZ")
            )
        }
    };
    let _: Result<(), std::fmt::Error> = writeln!(out, "{said}");
    out
}

/// `14.2 %  1.90 s`, `83.0 percent`, `-`.
pub fn cell(figures: Option<&Figures>) -> String {
    let Some(figures) = figures else { return "-".to_owned() };
    match (figures.error_percent(), figures.p95_answered, figures.value) {
        (Some(errors), Some(p95), _) => {
            format!("{errors:.1} %  {}", Reached::Seconds(p95).words())
        }
        (Some(errors), None, _) => format!("{errors:.1} %"),
        (None, _, Some(value)) => format!("{value:.1} {}", figures.unit).trim_end().to_owned(),
        (None, _, None) => format!("{} of {} bad", figures.bad, figures.looks),
    }
}

fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// One row in one line, for a timeline or a message.
pub fn row(row: &Compared) -> String {
    format!("{} {}: {}", row.check, row.change.words(), row.says)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::bearing::Dimension;
    use crate::model::compare::{Sources, baseline, compare};
    use crate::model::sample::*;
    use crate::model::signal::Recent;

    #[test]
    fn the_table_shows_the_three_times_and_says_what_moved() {
        let mut recent = Recent::default();
        for second in 0..60 {
            recent.push(burst("api", second, (0, 10), 40));
        }
        for second in 60..120 {
            recent.push(burst("api", second, (3, 10), 45));
        }
        let deploy = change(60);
        let before = baseline(&deploy, ["api".into()].into_iter(), &recent);
        let table = table(&compare(Sources {
            deploy: Some(&deploy),
            baseline: before.as_ref(),
            recent: &recent,
            dimensions: &BTreeMap::from([("api".into(), Dimension::Api)]),
            switched: None,
            now: at(120),
        }));
        assert!(table.starts_with("Deploy v2.5.0 at "), "{table}");
        let row = table.lines().last().unwrap();
        for part in ["api", "0.0 %  40 ms", "30.0 %  45 ms", "worse: errors 30.0 %, were 0.0 %"] {
            assert!(row.contains(part), "{part} is not in {row}");
        }
        assert!(table.is_ascii());
    }
}
