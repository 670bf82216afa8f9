//! `${NAME}`, `$${literal}`, `{file: …}`, `{credential: …}`: values that are not in the file. A
//! variable is that of the environment, else that of the Compose project's own file.

use std::path::{Path, PathBuf};

use crate::adapters::secret::{Secret, masked};

use super::credentials::Origin;
use super::file;
use super::node::Value;
use super::problem::did_you_mean;
use super::shape::Asked;
use super::take::Item;

/// The most bytes of a secret's own file.
const LIMIT: u64 = 64 * 1024;

impl Item<'_> {
    /// A text that may hold secrets: what comes from the environment or from a file shows as
    /// `***`.
    pub(super) fn secret(&self) -> Option<Secret> {
        if self.is_map() {
            let kept = self.kept_elsewhere()?;
            self.desk.secrets.borrow_mut().push(kept.clone());
            return Some(Secret::new(kept));
        }
        let (value, shown) = self.expanded(Asked::Text)?;
        self.desk.secrets.borrow_mut().extend(super::telling::within(&value));
        if value.trim().is_empty() {
            self.wrong("is empty");
            return None;
        }
        Some(Secret::parts(value, &shown))
    }

    /// A text that is secret as a whole, wherever it comes from and whatever it is called: it is
    /// taken out of all that is kept.
    pub(super) fn key(&self) -> Option<Secret> {
        let secret = self.secret()?;
        self.desk.secrets.borrow_mut().push(secret.reveal().to_owned());
        Some(Secret::new(secret.reveal()))
    }

    /// The scalar with the environment's values in place of `${NAME}`, and once more with `***`
    /// there. What a variable holds is not looked at again.
    pub(super) fn expanded(&self, asked: Asked) -> Option<(String, String)> {
        let mut rest = self.scalar_of(asked)?;
        let (mut value, mut shown) = (String::new(), String::new());
        let mut whole = true;
        while let Some(at) = rest.find("${") {
            let (before, found) = rest.split_at(at);
            let (literal, before) = match before.strip_suffix('$') {
                Some(before) => (true, before),
                None => (false, before),
            };
            value.push_str(before);
            shown.push_str(before);
            let Some(end) = found.find('}') else {
                self.wrong_with("${ is not closed", "write ${NAME}, or $${ for the text itself");
                return None;
            };
            let (inner, after) = found.split_at(end + 1);
            let name = inner.get(2..end).unwrap_or_default();
            rest = after;
            if literal {
                value.push_str(inner);
                shown.push_str(inner);
            } else if let Some(found) = self.variable(name) {
                value.push_str(found);
                shown.push_str("***");
            } else {
                whole = false;
            }
        }
        value.push_str(rest);
        shown.push_str(rest);
        whole.then_some((value, shown))
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let good = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !good {
            let message = format!("${{{name}}} is not the name of a variable");
            self.wrong_with(&message, "write $${…} for the text itself");
            return None;
        }
        let environment = self.desk.environment;
        let found = environment.get(name);
        if let Some(value) = found {
            self.desk.used(self, Origin::Variable(name.to_owned()), value);
            if super::telling::may_be_secret(name, &self.path) {
                self.desk.secrets.borrow_mut().push(value.to_owned());
            }
        } else if let Some((path, value)) = self.of_project(name) {
            self.desk.used(self, Origin::File(path.clone()), value);
            if super::telling::may_be_secret(name, &self.path) {
                self.desk.secrets.borrow_mut().push(value.clone());
            }
            return Some(value);
        } else if environment.is_without_secrets() {
            return Some("unset");
        } else {
            let why = if environment.has(name) { "is empty" } else { "is not set" };
            let hint = match did_you_mean(name, environment.names()) {
                Some(meant) => format!("did you mean ${{{meant}}}?"),
                None => format!(
                    "set {name} before the start, or write $${{{name}}} for the text itself"
                ),
            };
            self.wrong_with(&format!("the variable {name} {why}"), hint);
        }
        found
    }

    /// What the file of the Compose project's variables says.
    fn of_project(&self, name: &str) -> Option<(&PathBuf, &String)> {
        let (path, variables) = self.desk.project.get()?;
        Some((path, variables.get(name)?))
    }

    /// `{file: …}` or `{credential: …}`.
    fn kept_elsewhere(&self) -> Option<String> {
        let mut table = self.table()?;
        let (file, credential) = (table.take("file"), table.take("credential"));
        table.finish();
        match (file, credential) {
            (Some(file), None) => {
                let path = file.path()?;
                file.read_secret(&path)
            }
            (None, Some(credential)) => {
                let name = credential.raw()?;
                let dir = self.desk.environment.get("CREDENTIALS_DIRECTORY");
                if dir.is_none() && self.desk.environment.is_without_secrets() {
                    return Some("unset".to_owned());
                }
                let Some(dir) = dir else {
                    credential.wrong_with(
                        "there are no credentials: CREDENTIALS_DIRECTORY is not set",
                        "start under systemd with LoadCredential=, or use {file: …}",
                    );
                    return None;
                };
                if name.contains('/') || name.starts_with('.') {
                    credential.wrong("is not the name of a credential");
                    return None;
                }
                credential.read_secret(&Path::new(dir).join(name))
            }
            (None, None) => {
                self.wrong_with("is a map", "write a text, {file: …} or {credential: …}");
                None
            }
            (Some(_), Some(_)) => {
                self.wrong_with("names a file and a credential", "keep one of them");
                None
            }
        }
    }

    fn read_secret(&self, path: &Path) -> Option<String> {
        let contents = match file::read(path, LIMIT) {
            Ok(contents) => contents,
            Err(_) if self.desk.environment.is_without_secrets() => {
                return Some("unset".to_owned());
            }
            Err(problem) => {
                self.wrong(&format!("{}: {}", path.display(), problem.message));
                return None;
            }
        };
        if let Some(mode) = contents.loose {
            let note = format!("{} can be changed by others (mode {mode})", path.display());
            self.desk.note(note);
        }
        let text = String::from_utf8(contents.bytes).ok();
        let text = text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
        let text = text.filter(|text| !text.is_empty());
        if text.is_none() {
            self.wrong(&format!("{} holds no text", path.display()));
        }
        if let Some(text) = &text {
            self.desk.used(self, Origin::File(path.to_owned()), text);
        }
        text
    }

    /// Notes a password that is written openly in the file.
    pub(super) fn note_open_password(&self, secret: &Secret) {
        let written = match &self.node.value {
            Value::Scalar { text, .. } => text,
            Value::List(_) | Value::Map(_) => return,
        };
        if !written.contains("${") && masked(written) != *written {
            self.desk.note(format!(
                "{}: a password is written in the file ({}); ${{NAME}} keeps it out",
                self.path,
                secret.shown()
            ));
        }
    }
}
