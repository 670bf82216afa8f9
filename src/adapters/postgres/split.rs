//! Cuts a script of `PostgreSQL` into its statements while it is read: strings, dollar quotes,
//! nested comments, and the bodies of functions are whole. Commands of `psql` are told apart.

/// Where the reading stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Code,
    /// A string or a quoted name; its closing mark, and whether a backslash hides the next byte.
    Quoted(u8, bool),
    /// `$tag$`, and how much of the closing one was read.
    Dollar(Vec<u8>, usize),
    LineComment,
    /// How deep.
    BlockComment(usize),
    /// A command of `psql`, to the end of its line.
    Command,
    /// Rows of COPY, to a line that is `\.`.
    Rows,
}

/// What was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A statement without its semicolon and comments.
    Statement(String),
    /// A command of `psql`: `\restrict abc`.
    Command(String),
}

/// Cuts what it is fed.
#[derive(Debug, Default)]
pub struct Splitter {
    inside: Inside,
    statement: Vec<u8>,
    /// The line of a command, or of rows of COPY as far as it can be their end.
    line: Vec<u8>,
    hidden: bool,
    last: u8,
    /// How many brackets are open: a rule has semicolons in them.
    brackets: usize,
    /// The name between two dollars, while it is read.
    tag: Option<Vec<u8>>,
    /// Whether this is a function with a body of statements, and how many BEGIN and CASE are open.
    atomic: usize,
    word: Vec<u8>,
    word_before: Vec<u8>,
    /// How much of a statement is kept; the rest of a longer one is read and dropped.
    keep: Option<usize>,
}

impl Splitter {
    /// One that keeps only the first `bytes` of a statement.
    pub fn keeping(bytes: usize) -> Self {
        Self { keep: Some(bytes), ..Self::default() }
    }

    /// The pieces that end in `part`.
    pub fn feed(&mut self, part: &[u8]) -> Result<Vec<Piece>, String> {
        let mut found = Vec::new();
        let mut rest = part;
        while let Some((byte, after)) = rest.split_first() {
            if self.inside == Inside::Rows {
                rest = self.rows(rest);
                continue;
            }
            rest = after;
            if let Some(piece) = self.take(*byte)? {
                found.push(piece);
            }
        }
        Ok(found)
    }

    /// What is left when the script ends: a last statement without a semicolon, or nothing.
    pub fn finish(mut self) -> Result<Option<Piece>, String> {
        match self.inside {
            Inside::Code | Inside::LineComment => Ok(Some(text(self.statement)?)
                .filter(|last| !last.is_empty())
                .map(Piece::Statement)),
            Inside::Command => Ok(Some(Piece::Command(text(std::mem::take(&mut self.line))?))),
            Inside::Quoted(..) | Inside::Dollar(..) => Err("it ends inside a string".to_owned()),
            Inside::BlockComment(_) => Err("it ends inside a comment".to_owned()),
            Inside::Rows => Err("it ends inside the rows of a table".to_owned()),
        }
    }

    /// Skips rows; returns what comes after this line, or nothing where it goes on.
    fn rows<'a>(&mut self, part: &'a [u8]) -> &'a [u8] {
        let Some(end) = memchr::memchr(b'\n', part) else {
            let room = 4_usize.saturating_sub(self.line.len());
            self.line.extend(part.iter().take(room));
            return &[];
        };
        let (line, after) = part.split_at(end);
        let room = 4_usize.saturating_sub(self.line.len());
        self.line.extend(line.iter().take(room));
        if matches!(self.line.as_slice(), b"\\." | b"\\.\r") {
            self.inside = Inside::Code;
            self.last = b'\n';
        }
        self.line.clear();
        after.get(1..).unwrap_or_default()
    }

    fn put(&mut self, byte: u8) {
        if self.keep.is_none_or(|keep| self.statement.len() < keep) {
            self.statement.push(byte);
        }
    }

    fn take(&mut self, byte: u8) -> Result<Option<Piece>, String> {
        let last = std::mem::replace(&mut self.last, byte);
        match &mut self.inside {
            Inside::Code => return self.code(last, byte),
            Inside::LineComment => {
                if byte == b'\n' {
                    self.inside = Inside::Code;
                    self.put(byte);
                }
            }
            Inside::BlockComment(depth) => match (last, byte) {
                (b'/', b'*') => {
                    *depth += 1;
                    self.last = 0;
                }
                (b'*', b'/') => {
                    *depth -= 1;
                    self.last = 0;
                    if *depth == 0 {
                        self.inside = Inside::Code;
                        self.put(b' ');
                    }
                }
                _ => {}
            },
            Inside::Quoted(close, escapes) => {
                let (close, escapes) = (*close, *escapes);
                self.put(byte);
                if self.hidden {
                    self.hidden = false;
                } else if escapes && byte == b'\\' {
                    self.hidden = true;
                } else if byte == close {
                    // A doubled mark closes and opens again; in an escaped string too, for the
                    // letter before it is not looked at again.
                    self.inside = Inside::Code;
                    self.last = if escapes { b'E' } else { byte };
                    if !escapes {
                        self.word.clear();
                    }
                }
            }
            Inside::Dollar(tag, read) => {
                *read = if tag.get(*read) == Some(&byte) {
                    *read + 1
                } else {
                    usize::from(byte == b'$')
                };
                let ended = *read == tag.len();
                self.put(byte);
                if ended {
                    self.inside = Inside::Code;
                    self.last = 0;
                }
            }
            Inside::Command => {
                if byte == b'\n' {
                    self.inside = Inside::Code;
                    return text(std::mem::take(&mut self.line))
                        .map(|line| Some(Piece::Command(line)));
                }
                self.line.push(byte);
            }
            Inside::Rows => {}
        }
        Ok(None)
    }

    fn code(&mut self, last: u8, byte: u8) -> Result<Option<Piece>, String> {
        if self.tag.is_some() {
            self.dollar(byte);
            if self.inside != Inside::Code {
                return Ok(None);
            }
        }
        let of_word = byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        match byte {
            b'\'' => {
                // E'…' has backslashes that hide; a string that goes on after '' keeps its kind.
                let escapes = last == b'E' && self.word.is_empty()
                    || matches!(self.word.as_slice(), b"E" | b"e");
                self.inside = Inside::Quoted(byte, escapes);
            }
            b'"' => self.inside = Inside::Quoted(byte, false),
            b'$' if self.word.is_empty() => self.tag = Some(vec![b'$']),
            b'-' if last == b'-' => {
                self.statement.pop();
                self.inside = Inside::LineComment;
                return Ok(None);
            }
            b'*' if last == b'/' => {
                self.statement.pop();
                self.inside = Inside::BlockComment(1);
                self.last = 0;
                return Ok(None);
            }
            b'\\' => {
                self.inside = Inside::Command;
                self.line = vec![b'\\'];
                return Ok(None);
            }
            b'(' => self.brackets += 1,
            b')' => self.brackets = self.brackets.saturating_sub(1),
            b';' => {
                self.end_word();
                if self.brackets == 0 && self.atomic == 0 {
                    return self.end();
                }
            }
            _ => {}
        }
        if of_word {
            self.word.push(byte);
        } else {
            self.end_word();
        }
        self.put(byte);
        Ok(None)
    }

    /// Reads on in what may be `$tag$`.
    fn dollar(&mut self, byte: u8) {
        let Some(mut tag) = self.tag.take() else { return };
        tag.push(byte);
        if byte == b'$' {
            self.put(byte);
            self.word.clear();
            self.inside = Inside::Dollar(tag, 0);
        } else if byte == b'_'
            || byte >= 0x80
            || byte.is_ascii_alphabetic()
            || byte.is_ascii_digit() && tag.len() > 2
        {
            self.tag = Some(tag);
        }
    }

    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let word = std::mem::take(&mut self.word).to_ascii_uppercase();
        match word.as_slice() {
            b"ATOMIC" if self.word_before == b"BEGIN" => self.atomic = 1,
            b"CASE" if self.atomic > 0 => self.atomic += 1,
            b"END" => self.atomic = self.atomic.saturating_sub(1),
            _ => {}
        }
        self.word_before = word;
    }

    fn end(&mut self) -> Result<Option<Piece>, String> {
        self.word_before.clear();
        let statement = text(std::mem::take(&mut self.statement))?;
        if copies_in(&statement) {
            self.inside = Inside::Rows;
            self.line = vec![0; 4];
        }
        Ok(Some(statement).filter(|found| !found.is_empty()).map(Piece::Statement))
    }
}

/// Whether rows follow a statement: `COPY t (a) FROM stdin`.
fn copies_in(statement: &str) -> bool {
    // Most statements are something else: only what begins like one is looked through.
    let is_copy = statement.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("copy"));
    is_copy && words(statement).windows(2).any(|two| two == ["FROM", "STDIN"])
}

/// The words of a statement in upper case, without what is quoted.
pub fn words(statement: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted: Option<char> = None;
    for c in statement.chars().chain([' ']) {
        match quoted {
            Some(mark) => quoted = (c != mark).then_some(mark),
            None if c == '\'' || c == '"' => quoted = Some(c),
            None if c.is_alphanumeric() || c == '_' => word.extend(c.to_uppercase()),
            None if word.is_empty() => {}
            None => words.push(std::mem::take(&mut word)),
        }
    }
    words
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.trim().to_owned()),
        // A statement of which only the beginning is kept may be cut inside a letter.
        Err(e) => match e.utf8_error().error_len() {
            None => Ok(String::from_utf8_lossy(e.as_bytes()).trim().to_owned()),
            Some(_) => Err("it is not UTF-8".to_owned()),
        },
    }
}

/// The pieces of a whole script.
pub fn pieces(script: &str) -> Result<Vec<Piece>, String> {
    // A mark of the byte order at the beginning is not part of the first word.
    let script = script.strip_prefix('\u{feff}').unwrap_or(script);
    let mut splitter = Splitter::default();
    let mut found = splitter.feed(script.as_bytes())?;
    found.extend(splitter.finish()?);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text: &str) -> Piece {
        Piece::Statement(text.to_owned())
    }

    #[test]
    fn strings_comments_dollars_and_bodies_are_whole() {
        let script = "-- a; b\nINSERT INTO t VALUES ('a;''b', E'c\\';d', \"e;f\"); /* x /* y; */ ; */ ;;\n\
            CREATE FUNCTION f() RETURNS int AS $b$ SELECT $$;$$; $b $b$ LANGUAGE sql;\n\
            CREATE FUNCTION g() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; \
            SELECT 2; END;\nCREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);\n\
            SELECT $1 - -1, a$b, 'x\\'; SELECT '' ;SELECT E'a''\\';';SELECT 2";
        let found = pieces(script).unwrap();
        assert_eq!(found.len(), 8, "{found:#?}");
        assert_eq!(found[0], statement("INSERT INTO t VALUES ('a;''b', E'c\\';d', \"e;f\")"));
        assert_eq!(found[4], statement("SELECT $1 - -1, a$b, 'x\\'"));
        assert_eq!(found[6], statement("SELECT E'a''\\';'"));
        assert_eq!(found[7], statement("SELECT 2"));
    }

    #[test]
    fn rows_of_copy_are_no_statements_and_commands_are_told_apart() {
        let script = "\\restrict abc\nCOPY public.t (a, b) FROM stdin;\n1\t'; DROP TABLE t;\n\
            \\.x\n\\! rm\n\\.\n\nSELECT 1;\n\\unrestrict abc\n";
        let wanted = [
            Piece::Command("\\restrict abc".into()),
            statement("COPY public.t (a, b) FROM stdin"),
            statement("SELECT 1"),
            Piece::Command("\\unrestrict abc".into()),
        ];
        assert_eq!(pieces(script).unwrap(), wanted);
        for at in 0..script.len() {
            let (one, two) = script.as_bytes().split_at(at);
            let mut splitter = Splitter::default();
            let mut found = splitter.feed(one).unwrap();
            found.extend(splitter.feed(two).unwrap());
            found.extend(splitter.finish().unwrap());
            assert_eq!(found, wanted, "{at}");
        }
    }

    #[test]
    fn a_script_that_is_cut_is_not_read_to_its_end() {
        for cut in ["SELECT 'abc", "SELECT $x$ a", "SELECT 1; /* a", "COPY t FROM stdin;\n1\n"] {
            assert!(pieces(cut).is_err(), "{cut}");
        }
        assert!(copies_in("COPY \"FROM\" FROM STDIN WITH (FORMAT csv)"));
        assert!(!copies_in("COPY t TO STDOUT") && !copies_in("COPY t FROM '/stdin'"));
    }
}
