//! Cuts a script into its statements while it is read: strings, comments and triggers are whole.

/// Where the reading stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Inside {
    #[default]
    Code,
    /// A string or a quoted name; its closing mark.
    Quoted(u8),
    LineComment,
    BlockComment,
}

/// Cuts what it is fed.
#[derive(Debug, Default)]
pub struct Splitter {
    inside: Inside,
    statement: Vec<u8>,
    /// The word that is being read, in upper case.
    word: Vec<u8>,
    /// Words of this statement, as many as tell a trigger.
    words: Vec<Vec<u8>>,
    /// How many BEGIN and CASE of a trigger's body are open.
    depth: usize,
    last: u8,
}

impl Splitter {
    /// The statements that end in `part`, without their semicolons; comments are left out.
    pub fn feed(&mut self, part: &[u8]) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        for byte in part {
            if let Some(statement) = self.take(*byte)? {
                found.push(statement);
            }
        }
        Ok(found)
    }

    /// What is left when the script ends: a last statement without a semicolon, or nothing.
    pub fn finish(self) -> Result<String, String> {
        match self.inside {
            Inside::Code | Inside::LineComment => text(self.statement)
                .map(|last| if last.trim().is_empty() { String::new() } else { last }),
            Inside::Quoted(_) => Err("it ends inside a string".to_owned()),
            Inside::BlockComment => Err("it ends inside a comment".to_owned()),
        }
    }

    fn take(&mut self, byte: u8) -> Result<Option<String>, String> {
        let last = std::mem::replace(&mut self.last, byte);
        match self.inside {
            Inside::LineComment => {
                if byte == b'\n' {
                    self.inside = Inside::Code;
                    self.statement.push(byte);
                }
            }
            Inside::BlockComment => {
                if last == b'*' && byte == b'/' {
                    self.inside = Inside::Code;
                    self.statement.push(b' ');
                    self.last = 0;
                }
            }
            Inside::Quoted(close) => {
                self.statement.push(byte);
                // A doubled mark closes and opens again: the same in the end.
                if byte == close {
                    self.inside = Inside::Code;
                }
            }
            Inside::Code => return self.code(last, byte),
        }
        Ok(None)
    }

    fn code(&mut self, last: u8, byte: u8) -> Result<Option<String>, String> {
        if !(byte.is_ascii_alphanumeric() || byte == b'_') {
            self.end_word();
        }
        match byte {
            b'\'' | b'"' | b'`' => self.inside = Inside::Quoted(byte),
            b'[' => self.inside = Inside::Quoted(b']'),
            b'-' if last == b'-' => {
                self.statement.pop();
                self.inside = Inside::LineComment;
                return Ok(None);
            }
            b'*' if last == b'/' => {
                self.statement.pop();
                self.inside = Inside::BlockComment;
                self.last = 0;
                return Ok(None);
            }
            b';' if self.depth == 0 => {
                self.words.clear();
                let statement = text(std::mem::take(&mut self.statement))?;
                return Ok(Some(statement).filter(|found| !found.trim().is_empty()));
            }
            _ if byte.is_ascii_alphanumeric() || byte == b'_' => {
                self.word.push(byte.to_ascii_uppercase());
            }
            _ => {}
        }
        self.statement.push(byte);
        Ok(None)
    }

    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        if word.is_empty() {
            return;
        }
        let is_trigger = self.words.first().is_some_and(|first| first == b"CREATE")
            && self.words.iter().any(|word| word == b"TRIGGER");
        if is_trigger {
            match word.as_slice() {
                b"BEGIN" | b"CASE" => self.depth += 1,
                b"END" => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        if self.words.len() < 4 {
            self.words.push(word);
        }
    }
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    String::from_utf8(bytes)
        .map(|text| text.trim().to_owned())
        .map_err(|_| "it is not UTF-8".to_owned())
}

/// The statements of a whole script.
pub fn statements(script: &str) -> Result<Vec<String>, String> {
    // A mark of the byte order at the beginning is not part of the first word.
    let script = script.strip_prefix('\u{feff}').unwrap_or(script);
    let mut splitter = Splitter::default();
    let mut found = splitter.feed(script.as_bytes())?;
    let last = splitter.finish()?;
    if !last.is_empty() {
        found.push(last);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_comments_and_triggers_are_whole() {
        let script = "-- a; b\nINSERT INTO t VALUES ('a;''b', \"c;d\"); /* x; y */ ;;\n\
                      CREATE TRIGGER g AFTER INSERT ON t BEGIN\n  UPDATE t SET a = CASE WHEN 1 \
                      THEN 2 END;\n  DELETE FROM u;\nEND;\nSELECT 1 - -1; SELECT 2";
        let found = statements(script).unwrap();
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0], "INSERT INTO t VALUES ('a;''b', \"c;d\")");
        assert!(found[1].starts_with("CREATE TRIGGER") && found[1].ends_with("END"));
        assert_eq!(found[2], "SELECT 1 - -1");
        assert_eq!(found[3], "SELECT 2");
    }

    #[test]
    fn a_script_that_is_cut_in_a_string_is_not_read_to_its_end() {
        assert!(statements("INSERT INTO t VALUES ('abc").is_err());
        assert!(statements("SELECT 1; /* never closed").is_err());
    }

    #[test]
    fn where_a_script_is_cut_into_parts_does_not_matter() {
        let script = "BEGIN; INSERT INTO t VALUES ('ü;'); -- end;\nCOMMIT;";
        for at in 0..script.len() {
            let (one, two) = script.as_bytes().split_at(at);
            let mut splitter = Splitter::default();
            let mut found = splitter.feed(one).unwrap();
            found.extend(splitter.feed(two).unwrap());
            assert_eq!(found, ["BEGIN", "INSERT INTO t VALUES ('ü;')", "COMMIT"], "{at}");
        }
    }
}
