//! A YAML file as a tree in which every scalar and every key knows its place.
//!
//! Scalars stay text: what they mean is decided where they are taken, so `no`, `1.10` and `0123`
//! are what people wrote. Duplicate keys, tags and aliases are looked after here.

use std::collections::BTreeMap;
use std::path::Path;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::problem::Problem;

/// A place in a file, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Where it begins.
    pub(super) at: Position,
    /// What it is.
    pub(super) value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A scalar as written; `plain` when it is not in quotes.
    Scalar {
        /// The text.
        text: String,
        /// Not in quotes: it may be a number, true, false or null.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// Its name.
    pub(super) name: String,
    /// Where it begins.
    pub(super) at: Position,
}

/// Nodes beyond which a file is a bomb, aliases counted as often as they are used.
const NODES: usize = 100_000;
/// Levels beyond which it is one.
const DEPTH: usize = 64;

/// Reads `text` into its tree. Mistakes that leave the tree readable (duplicate keys, tags, a
/// second document) are added to `problems`; without a tree one of them says why.
pub(super) fn parse(file: &Path, text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder {
        file,
        parser: Parser::new_from_str(text),
        anchors: BTreeMap::new(),
        nodes: 0,
        problems,
    };
    builder.document().unwrap_or_default()
}

/// A mistake after which nothing more can be read; it is in the problems.
struct Stop;

struct Builder<'a> {
    file: &'a Path,
    parser: Parser<'a, serde_saphyr::granit_parser::StrInput<'a>>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let mut root = None;
        loop {
            let (event, at) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                _ if root.is_some() => {
                    let message = "a second document begins here; one file is one document";
                    self.problem(at, message, Some("remove the --- before it"));
                    return Ok(root);
                }
                event => root = Some(self.node(event, at, 0)?),
            }
        }
    }

    /// The next event that is not a comment.
    fn next(&mut self) -> Result<(Event<'a>, Position), Stop> {
        loop {
            match self.parser.next() {
                None => return Ok((Event::StreamEnd, Position::default())),
                Some(Ok((Event::Comment(..) | Event::Anchor(..), _))) => {}
                Some(Ok((event, span))) => return Ok((event, start(&span))),
                Some(Err(error)) => return Err(self.scan_error(&error)),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, at: Position, depth: usize) -> Result<Node, Stop> {
        self.count(1, at)?;
        if depth > DEPTH {
            self.problem(at, &format!("nested deeper than {DEPTH} levels"), None);
            return Err(Stop);
        }
        let (value, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let text = text.into_owned();
                (Value::Scalar { text, plain }, anchor, tag)
            }
            Event::SequenceStart(_, anchor, tag) => (self.list(depth)?, anchor, tag),
            Event::MappingStart(_, anchor, tag) => (self.map(depth)?, anchor, tag),
            Event::Alias(anchor) => return self.alias(anchor, at),
            _ => {
                self.problem(at, "is not YAML that can be read", None);
                return Err(Stop);
            }
        };
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            let message = format!("the tag {}{} is not used here", tag.handle(), tag.suffix());
            self.problem(at, &message, Some("remove it"));
        }
        let node = Node { at, value };
        if anchor != 0 {
            // The copy that aliases are made from counts too: anchors within anchors add up.
            self.count(size(&node), at)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Value, Stop> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, at) => items.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Stop> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut merged: Vec<Node> = Vec::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        loop {
            let (event, at) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, at, depth + 1)?;
            let (event, value_at) = self.next()?;
            let value = self.node(event, value_at, depth + 1)?;
            let Value::Scalar { text: name, plain } = key.value else {
                self.problem(at, "a key has to be a word, not a list or a map", None);
                continue;
            };
            if plain && name == "<<" {
                merged.push(value);
            } else if let Some(first) = seen.get(&name) {
                let message = format!("{name:?} is given twice, first on line {first}");
                self.problem(at, &message, Some("keep one of them"));
            } else {
                seen.insert(name.clone(), at.line);
                entries.push((Key { name, at }, value));
            }
        }
        for node in merged {
            self.merge(&mut entries, &mut seen, node)?;
        }
        Ok(Value::Map(entries))
    }

    /// `<<: *base` adds the keys of `base` that the map does not have.
    fn merge(
        &mut self,
        entries: &mut Vec<(Key, Node)>,
        seen: &mut BTreeMap<String, usize>,
        node: Node,
    ) -> Result<(), Stop> {
        match node.value {
            Value::Map(more) => {
                for (key, value) in more {
                    if seen.insert(key.name.clone(), key.at.line).is_none() {
                        entries.push((key, value));
                    }
                }
                Ok(())
            }
            Value::List(maps) => {
                for map in maps {
                    if let Value::List(_) = map.value {
                        self.problem(map.at, "<< takes a map or a list of maps", None);
                    } else {
                        self.merge(entries, seen, map)?;
                    }
                }
                Ok(())
            }
            Value::Scalar { .. } => {
                self.problem(node.at, "<< takes a map or a list of maps", None);
                Ok(())
            }
        }
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Result<Node, Stop> {
        let Some(node) = self.anchors.get(&anchor) else {
            self.problem(at, "names an anchor that holds this very place", None);
            return Err(Stop);
        };
        let size = size(node);
        let node = node.clone();
        self.count(size, at)?;
        Ok(node)
    }

    fn count(&mut self, more: usize, at: Position) -> Result<(), Stop> {
        self.nodes += more;
        if self.nodes <= NODES {
            return Ok(());
        }
        let message = format!("holds more than {NODES} values, aliases counted each time");
        self.problem(at, &message, None);
        Err(Stop)
    }

    fn scan_error(&mut self, error: &ScanError) -> Stop {
        let at = Position { line: error.marker().line(), column: error.marker().col() + 1 };
        let message = format!("is not YAML: {}", error.info());
        self.problem(at, &message, None);
        Stop
    }

    fn problem(&mut self, at: Position, message: &str, hint: Option<&str>) {
        let problem = Problem::at(self.file, at, "", message);
        self.problems.push(match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
    }
}

fn start(span: &Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}

/// How many nodes a tree has; the depth is bounded, so is this.
fn size(node: &Node) -> usize {
    match &node.value {
        Value::Scalar { .. } => 1,
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|(_, value)| 1 + size(value)).sum::<usize>(),
    }
}
