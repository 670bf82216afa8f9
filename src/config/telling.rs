//! Which values are secret: those that are taken out of everything that is kept.

use crate::adapters::secret::Secret;

use super::environment::Environment;

/// Names of variables that hold a secret.
const NAMES: [&str; 9] = [
    "PASSWORD",
    "PASSWD",
    "SECRET",
    "TOKEN",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "WEBHOOK",
];
/// Names of variables that are put into addresses and hold none.
const PLAIN: [&str; 10] =
    ["HOST", "PORT", "USER", "HOME", "DOMAIN", "REGION", "DIR", "PATH", "NAME", "STAGE"];

/// Whether the name of a variable says that it is secret.
pub(super) fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let place = ["_FILE", "_PATH", "_DIR", "_NAME", "_ID"].iter().any(|end| name.ends_with(end));
    !place && NAMES.iter().any(|word| name.contains(word))
}

/// Whether the variable `name`, used at `path` of the file, may be one: where it stands alone in a
/// header, a query or a password it is, whatever it is called.
pub(super) fn may_be_secret(name: &str, path: &str) -> bool {
    if is_telling(name) {
        return true;
    }
    let upper = name.to_ascii_uppercase();
    let plain = PLAIN.iter().any(|word| upper.ends_with(word));
    let places = ["header", "password", "query", "url", "endpoint", "dsn", "connection"];
    !plain && places.iter().any(|place| path.contains(place))
}

/// The password of an address.
pub(super) fn password(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let (user, _) = rest.rsplit_once('@')?;
    let (_, password) = user.split_once(':')?;
    Some(password).filter(|password| !password.is_empty())
}

/// What is secret in a value that is written openly: the password of its address, as it stands
/// there and as it is meant.
pub(super) fn within(value: &str) -> Vec<String> {
    let Some(password) = password(value) else { return Vec::new() };
    let meant = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
    vec![password.to_owned(), meant.into_owned()]
}

/// All of them: what the file used, and what the environment holds beside it.
pub(super) fn secrets(environment: &Environment, used: Vec<String>) -> Vec<Secret> {
    let used: Vec<String> =
        used.into_iter().flat_map(|value| [within(&value), vec![value]].concat()).collect();
    let mut all: Vec<String> = used.into_iter().chain(environment.telling()).collect();
    all.sort();
    all.dedup();
    all.retain(|value| !value.trim().is_empty() && value != "unset");
    all.into_iter().map(Secret::new).collect()
}
