//! Guided procedures: Markdown with a head of YAML, built in and from a folder of one's own.
//!
//! A step is a heading of the second rank. Its fenced block is what is run: ```` ```sh look ````
//! changes nothing, ```` ```sh change ```` does, ```` ```backout ```` is a command that asks for its
//! own word and is typed by a person. Items of a list that begin with `Expect:`, `Danger:` or
//! `Matches:` say what is to be seen, what may go wrong, and what the output must hold.

use std::path::Path;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use serde::Deserialize;

use crate::adapters::{Error, Kind};
use crate::model::guide::{Act, Guide, GuideStep};
use crate::model::ids::Digest;
use crate::text::SafeText;

use super::take::Table;

mod built_in;

/// The head of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    title: String,
    #[serde(default)]
    rows: Vec<String>,
    #[serde(default)]
    words: Vec<String>,
    #[serde(default)]
    platforms: Vec<String>,
    version: String,
    reviewed: chrono::NaiveDate,
    review_days: u16,
    /// Each step is to be done again after so many days (P-77).
    #[serde(default)]
    every_days: Option<u16>,
}

/// `procedures_dir: DIR`: read at once, so that a mistake in it is said when the configuration is.
pub(super) fn folder(root: &mut Table<'_>) -> Option<std::path::PathBuf> {
    let item = root.take("procedures_dir")?;
    let path = item.path()?;
    if let Err(error) = load(Some(&path)) {
        item.wrong_with(&error.message, "mend the file, or leave procedures_dir out");
        return None;
    }
    Some(path)
}

/// All of them by title: the built-in ones, and those of `own`, which replace built-in ones of the
/// same name. Fails on the first file that cannot be read, naming it and the line.
pub fn load(own: Option<&Path>) -> Result<Vec<Guide>, Error> {
    let mut all = Vec::new();
    for (id, text) in built_in::ALL {
        all.push(read(id, text)?);
    }
    if let Some(own) = own {
        let failed = |e: &std::io::Error| Error::io("read the procedures in", own.display(), e);
        for entry in std::fs::read_dir(own).map_err(|e| failed(&e))? {
            let path = entry.map_err(|e| failed(&e))?.path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path)
                .map_err(|e| Error::io("read the procedure", path.display(), &e))?;
            let guide = read(&id, &text)?;
            all.retain(|known: &Guide| known.id != id);
            all.push(guide);
        }
    }
    all.sort_by(|a, b| a.title.as_str().cmp(b.title.as_str()));
    Ok(all)
}

/// Reads one; says what is wrong and on which line.
fn read(id: &str, text: &str) -> Result<Guide, Error> {
    let wrong = |at: usize, why: &str| {
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        let message = format!("could not read the procedure {id}.md: line {line}: {why}");
        Error::new(Kind::Local, message)
    };
    let mut page = Page::default();
    let parser = Parser::new_ext(text, Options::ENABLE_YAML_STYLE_METADATA_BLOCKS);
    for (event, range) in parser.into_offset_iter() {
        page.take(event).map_err(|why| wrong(range.start, &why))?;
    }
    page.end_step().map_err(|why| wrong(text.len(), &why))?;
    if page.head.is_empty() {
        return Err(wrong(0, "it has no head: begin with ---, title, version, reviewed and ---"));
    }
    let head: Head = crate::yaml::one(&page.head).map_err(|why| wrong(0, &why))?;
    if page.steps.is_empty() {
        return Err(wrong(text.len(), "it has no steps: begin one with ## and a title"));
    }
    if page.steps.len() > usize::from(u8::MAX) {
        return Err(wrong(text.len(), "it has more than 255 steps"));
    }
    Ok(Guide {
        id: id.to_owned(),
        title: SafeText::new(&head.title),
        rows: head.rows,
        words: head.words,
        platforms: head.platforms,
        version: SafeText::new(&head.version),
        reviewed: head.reviewed,
        review_days: head.review_days,
        every_days: head.every_days,
        intro: page.intro,
        steps: page.steps,
        digest: Digest::of(text.as_bytes()),
    })
}

/// What is read so far.
#[derive(Default)]
struct Page {
    head: String,
    intro: Vec<SafeText>,
    steps: Vec<GuideStep>,
    step: Option<GuideStep>,
    text: String,
    place: Place,
}

/// Where the text that comes belongs.
#[derive(Default, PartialEq)]
enum Place {
    /// Between things.
    #[default]
    Nowhere,
    Head,
    Title,
    Words,
    Item,
    /// With what stands behind the fence.
    Code(String),
}

impl Page {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Start(tag) => self.begin(tag)?,
            Event::End(tag) => self.end(tag)?,
            Event::Text(text) | Event::Code(text) => self.text.push_str(&text),
            Event::SoftBreak | Event::HardBreak => self.text.push(' '),
            Event::Html(_)
            | Event::InlineHtml(_)
            | Event::Rule
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => return Err("only text, lists and code are read".into()),
        }
        Ok(())
    }

    fn begin(&mut self, tag: Tag<'_>) -> Result<(), String> {
        let place = match tag {
            Tag::MetadataBlock(_) => Place::Head,
            Tag::Heading { level: HeadingLevel::H2, .. } => {
                self.end_step()?;
                Place::Title
            }
            Tag::Heading { .. } => return Err("a step's title is of the second rank: ##".into()),
            Tag::Item => Place::Item,
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => Place::Code(info.to_string()),
            // A paragraph in an item is part of it.
            Tag::Paragraph if self.place == Place::Item => return Ok(()),
            Tag::Paragraph => Place::Words,
            Tag::List(_) | Tag::Emphasis | Tag::Strong | Tag::Link { .. } => return Ok(()),
            _ => return Err("only text, lists and code are read".into()),
        };
        self.place = place;
        self.text.clear();
        Ok(())
    }

    fn end(&mut self, tag: TagEnd) -> Result<(), String> {
        let ends = matches!(
            tag,
            TagEnd::MetadataBlock(_) | TagEnd::Heading(_) | TagEnd::Item | TagEnd::CodeBlock
        ) || tag == TagEnd::Paragraph && self.place == Place::Words;
        if !ends {
            return Ok(());
        }
        let text = std::mem::take(&mut self.text);
        match std::mem::take(&mut self.place) {
            Place::Nowhere => {}
            Place::Head => self.head = text,
            Place::Title => self.step = Some(step(&text)),
            Place::Words => match &mut self.step {
                Some(step) => step.text.push(SafeText::new(&text)),
                None => self.intro.push(SafeText::new(&text)),
            },
            Place::Item => self.item(&text)?,
            Place::Code(info) => self.code(&info, text.trim())?,
        }
        Ok(())
    }

    fn item(&mut self, text: &str) -> Result<(), String> {
        let Some(step) = &mut self.step else {
            self.intro.push(SafeText::new(&format!("- {text}")));
            return Ok(());
        };
        if let Some(expect) = text.strip_prefix("Expect: ") {
            step.expect = SafeText::new(expect);
        } else if let Some(danger) = text.strip_prefix("Danger: ") {
            step.danger = SafeText::new(danger);
        } else if let Some(wanted) = text.strip_prefix("Matches: ") {
            if let Err(error) = regex::Regex::new(wanted) {
                return Err(format!("{wanted} is no regular expression: {error}"));
            }
            step.matches = Some(wanted.to_owned());
        } else {
            step.text.push(SafeText::new(&format!("- {text}")));
        }
        Ok(())
    }

    fn code(&mut self, info: &str, line: &str) -> Result<(), String> {
        let Some(step) = &mut self.step else {
            return Err("a command stands before the first step".into());
        };
        if step.act != Act::Hand {
            return Err("a step has one command: begin another step".into());
        }
        step.act = match info {
            "sh look" => Act::Look(line.to_owned()),
            "sh change" => Act::Change(line.to_owned()),
            "backout" => Act::Command(line.to_owned()),
            other => {
                return Err(format!("{other:?}: say `sh look`, `sh change` or `backout`"));
            }
        };
        Ok(())
    }

    /// Ends the step that is being read; one that changes something must say what may go wrong.
    fn end_step(&mut self) -> Result<(), String> {
        let Some(step) = self.step.take() else { return Ok(()) };
        if matches!(step.act, Act::Change(_)) && step.danger.is_empty() {
            return Err(format!(
                "step {:?} changes something: say its Danger:",
                step.title.as_str()
            ));
        }
        if !matches!(step.act, Act::Hand | Act::Command(_)) && step.expect.is_empty() {
            return Err(format!("step {:?} runs something: say Expect:", step.title.as_str()));
        }
        self.steps.push(step);
        Ok(())
    }
}

fn step(title: &str) -> GuideStep {
    GuideStep {
        title: SafeText::new(title),
        text: Vec::new(),
        act: Act::Hand,
        expect: SafeText::default(),
        danger: SafeText::default(),
        matches: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "---\ntitle: Outage\nversion: \"1\"\nreviewed: 2026-11-22\nreview_days: 90\n---\n";

    #[test]
    fn the_built_in_ones_are_all_there_and_can_be_read() {
        let all = load(None).unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/procedures");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        let mut known: Vec<String> = all.iter().map(|guide| guide.id.clone()).collect();
        files.sort();
        known.sort();
        assert_eq!(known, files);
        for guide in &all {
            assert!(!guide.intro.is_empty(), "{}: when is it used?", guide.id);
            assert!(!guide.words.is_empty(), "{}: how is it found?", guide.id);
            assert!(!guide.rows.is_empty(), "{}: where is it from?", guide.id);
        }
    }

    #[test]
    fn a_step_has_its_command_what_is_expected_and_its_danger() {
        let text = format!(
            "{HEAD}\nWhen it is\ndown.\n\n## Look\n\nAt `it`.\n\n```sh look\nnginx -t\n```\n\n\
             - Expect: ok\n- Matches: ^ok$\n- and so on\n\n## Reload\n\n```sh change\nnginx -s \
             reload\n```\n\n- Expect: ok\n- Danger: drops lines\n\n## Tell\n\n## Go\n\n```backout\n\
             backout rollback --level 1\n```\n"
        );
        let guide = read("outage", &text).unwrap();
        assert_eq!(guide.intro, ["When it is down.".into()]);
        let [look, reload, tell, go] = guide.steps.as_slice() else { panic!("{guide:?}") };
        assert_eq!(look.act, Act::Look("nginx -t".into()));
        assert_eq!((look.matches.as_deref(), look.expect.as_str()), (Some("^ok$"), "ok"));
        assert_eq!(look.text, ["At it.".into(), "- and so on".into()]);
        assert_eq!(reload.act, Act::Change("nginx -s reload".into()));
        assert_eq!((tell.act.clone(), tell.title.as_str()), (Act::Hand, "Tell"));
        assert_eq!(go.act.line(), Some("backout rollback --level 1"));
    }

    #[test]
    fn what_is_wrong_in_a_file_is_said_with_its_line() {
        let cases = [
            ("", "it has no head"),
            (HEAD, "it has no steps"),
            ("## Look\n", "it has no head"),
            ("---\ntitle: A\n---\n## Look\n", "missing field"),
            (&format!("{HEAD}# Big\n"), "line 7: a step's title is of the second rank"),
            (&format!("{HEAD}## A\n```sh\nls\n```\n"), "line 8: \"sh\": say `sh look`"),
            (&format!("{HEAD}## A\n```sh look\nls\n```\n"), "say Expect:"),
            (&format!("{HEAD}## A\n```sh change\nrm x\n```\n- Expect: x\n"), "say its Danger:"),
            (&format!("{HEAD}## A\n- Matches: (\n"), "no regular expression"),
            (&format!("{HEAD}<b>\n## A\n"), "only text, lists and code"),
            (&HEAD.replace("title", "titel"), "unknown field `titel`"),
        ];
        for (text, why) in cases {
            let error = read("outage", text).unwrap_err();
            assert!(error.message.contains(why), "{}: {why}", error.message);
            assert!(error.message.starts_with("could not read the procedure outage.md: line "));
        }
    }
}
