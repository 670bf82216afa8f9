//! The environment variables, read once. Nothing else in the program reads one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The variables of this process, as they were at its start. Their values are never printed.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    user_id: u32,
    account: Option<String>,
    lenient: bool,
}

impl Environment {
    /// The variables of this process; one that is not UTF-8 counts as not set.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    pub fn read() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let user_id = rustix::process::getuid().as_raw();
        Self { variables, user_id, account: account(user_id), lenient: false }
    }

    /// A closed environment of these variables, of a user who is not root.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self {
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            user_id: 1000,
            account: None,
            lenient: false,
        }
    }

    /// The same variables for a client that only attaches: a secret it cannot get is no mistake.
    #[must_use]
    pub fn without_secrets(&self) -> Self {
        Self { lenient: true, ..self.clone() }
    }

    /// Whether a secret that cannot be had is no mistake.
    pub fn is_without_secrets(&self) -> bool {
        self.lenient
    }

    /// A variable, where it is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// The values of variables whose names tell that they are secret, and the passwords in those
    /// that are addresses.
    pub fn telling(&self) -> Vec<String> {
        let telling = |(name, value): (&String, &String)| {
            let mut found = super::telling::within(value);
            found.extend(super::telling::is_telling(name).then(|| value.clone()));
            found
        };
        self.variables.iter().flat_map(telling).collect()
    }

    /// Whether a variable is set at all, even to nothing.
    pub fn has(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// The names of all variables, for a did-you-mean.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// The user that this process runs as.
    pub fn user_id(&self) -> u32 {
        self.user_id
    }

    /// Where state is kept that is not configured otherwise (design 8).
    pub fn state_home(&self) -> PathBuf {
        if self.user_id == 0 {
            return PathBuf::from("/var/lib/backout");
        }
        let base = self
            .absolute("XDG_STATE_HOME")
            .or_else(|| self.home().map(|home| home.join(".local/state")));
        base.unwrap_or_else(|| PathBuf::from("/var/tmp")).join("backout")
    }

    /// Where people's own settings are (`XDG_CONFIG_HOME`).
    pub fn config_home(&self) -> Option<PathBuf> {
        self.absolute("XDG_CONFIG_HOME").or_else(|| self.home().map(|home| home.join(".config")))
    }

    /// Where sockets go (`XDG_RUNTIME_DIR`).
    pub fn runtime_dir(&self) -> Option<PathBuf> {
        self.absolute("XDG_RUNTIME_DIR")
    }

    /// The user's own folder (`HOME`).
    pub fn home(&self) -> Option<PathBuf> {
        self.absolute("HOME")
    }

    /// The configuration to use (`BACKOUT_CONFIG`).
    pub fn config_file(&self) -> Option<PathBuf> {
        self.get("BACKOUT_CONFIG").map(PathBuf::from)
    }

    /// Whether colours are wanted and can be shown (`NO_COLOR`, `TERM`).
    pub fn wants_color(&self) -> bool {
        self.get("NO_COLOR").is_none() && !self.is_dumb()
    }

    /// The terminal (`TERM`).
    pub fn term(&self) -> &str {
        self.get("TERM").unwrap_or("dumb")
    }

    /// Whether the terminal cannot move its cursor (`TERM=dumb`, or none named).
    pub fn is_dumb(&self) -> bool {
        self.term() == "dumb"
    }

    /// What the terminal says of its colours (`COLORTERM`).
    pub fn color_term(&self) -> Option<&str> {
        self.get("COLORTERM")
    }

    /// Whether text may hold more than ASCII (`LC_ALL`, `LC_CTYPE`, `LANG`).
    pub fn is_utf8(&self) -> bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .find_map(|name| self.get(name))
            .unwrap_or("C")
            .to_lowercase();
        locale.ends_with("utf-8") || locale.ends_with("utf8")
    }

    /// Where the person comes from (`SSH_CONNECTION`); claimed, not attested.
    pub fn ssh_connection(&self) -> Option<&str> {
        self.get("SSH_CONNECTION")
    }

    /// The person's name (`USER`, `LOGNAME`, else the account's); claimed, not attested.
    pub fn user(&self) -> Option<&str> {
        self.get("USER").or_else(|| self.get("LOGNAME")).or(self.account.as_deref())
    }

    /// Whether this runs inside tmux (`TMUX`).
    pub fn tmux(&self) -> bool {
        self.get("TMUX").is_some()
    }

    /// The folder of restore points (`BACKUP_DIR`, S-68).
    pub fn backup_dir(&self) -> Option<&str> {
        self.get("BACKUP_DIR")
    }

    /// One of the numbers that a rollback is limited by (`ROLLBACK_…`, P-52, P-65), as written.
    pub fn limit(&self, name: &str) -> Option<&str> {
        self.get(name)
    }

    /// The time limit of a level 1 (`LEVEL1_TIMEOUT`, S-70), as written.
    pub fn level1_timeout(&self) -> Option<&str> {
        self.get("LEVEL1_TIMEOUT")
    }

    /// The fault to play (`BACKOUT_FAULT`); a program that is built for use has none.
    pub fn fault(&self) -> Option<&str> {
        if cfg!(feature = "faults") { self.get("BACKOUT_FAULT") } else { None }
    }

    /// A folder; the XDG rules say that one which is not absolute counts as not set.
    fn absolute(&self, name: &str) -> Option<PathBuf> {
        let path = self.get(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("variables", &self.variables.keys())
            .field("user_id", &self.user_id)
            .field("account", &self.account)
            .field("lenient", &self.lenient)
            .finish()
    }
}

/// The account's name of `user_id` in the local user file, where it has one.
fn account(user_id: u32) -> Option<String> {
    let text = std::fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(user_id)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_printed() {
        let environment = Environment::of([("TOKEN", "hunter2")]);
        assert!(!format!("{environment:?}").contains("hunter2"));
    }

    #[test]
    fn the_locale_that_counts_is_the_first_one_set() {
        assert!(Environment::of([("LANG", "en_GB.UTF-8")]).is_utf8());
        assert!(!Environment::of([("LANG", "en_GB.UTF-8"), ("LC_ALL", "C")]).is_utf8());
        assert!(!Environment::of([]).is_utf8());
    }
}
