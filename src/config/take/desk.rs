//! What is shared while one file is read.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::adapters::secret::Secret;
use crate::redact::SHORTEST;

use super::super::environment::Environment;
use super::super::node::Position;
use super::super::problem::Problem;
use super::super::shape::Shapes;

/// What is shared while one file is read: where problems and notes go.
pub(in crate::config) struct Desk<'a> {
    pub(in crate::config) file: &'a Path,
    /// The folder of the file, absolute: relative paths begin there.
    pub(in crate::config) dir: PathBuf,
    pub(in crate::config) environment: &'a Environment,
    pub(in crate::config) problems: RefCell<Vec<Problem>>,
    pub(in crate::config) notes: RefCell<Vec<String>>,
    pub(in crate::config) credentials: RefCell<Vec<super::super::credentials::Credential>>,
    /// What the file and the environment gave where a secret may stand.
    pub(in crate::config) secrets: RefCell<Vec<String>>,
    /// The file of a Compose project's variables and what it says; known once its section is read.
    pub(in crate::config) project: OnceCell<(PathBuf, BTreeMap<String, String>)>,
    /// Words of commands that become steps: where each stands, and what it is.
    pub(in crate::config) words: RefCell<Vec<(Position, String, String)>>,
    /// What was asked of which place.
    pub(in crate::config) shapes: RefCell<Shapes>,
}

impl<'a> Desk<'a> {
    /// For `file`, of whose tree these mistakes are known.
    pub(in crate::config) fn new(
        file: &'a Path,
        environment: &'a Environment,
        problems: Vec<Problem>,
    ) -> Self {
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        Self {
            file,
            dir: absolute.parent().map(Path::to_owned).unwrap_or_default(),
            environment,
            problems: RefCell::new(problems),
            notes: RefCell::default(),
            credentials: RefCell::default(),
            secrets: RefCell::default(),
            project: OnceCell::new(),
            words: RefCell::default(),
            shapes: RefCell::default(),
        }
    }

    pub(in crate::config) fn problem(
        &self,
        at: Position,
        path: &str,
        message: &str,
        hint: Option<String>,
    ) {
        let problem = Problem::at(self.file, at, path, message);
        self.problems.borrow_mut().push(Problem { hint, ..problem });
    }

    pub(in crate::config) fn note(&self, note: String) {
        let mut notes = self.notes.borrow_mut();
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// Refuses the words of commands that hold one of `secrets`: a plan is kept as it was approved,
    /// and who lists processes reads them too.
    pub(in crate::config) fn refuse_told(&self, secrets: &[Secret]) {
        for (at, path, word) in self.words.take() {
            let known = |secret: &Secret| {
                let secret = secret.reveal();
                secret.len() >= SHORTEST && word.contains(secret)
            };
            if secrets.iter().any(known) {
                let hint = "let the command read it from its environment or from a file";
                let message = "holds a secret, which a plan and a list of processes would show";
                self.problem(at, &path, message, Some(hint.to_owned()));
            }
        }
    }

    /// `path` from the folder of the file.
    pub(in crate::config) fn resolve(&self, path: &str) -> PathBuf {
        let joined = self.dir.join(path);
        joined.components().collect()
    }
}
