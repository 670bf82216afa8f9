//! What can be made wrong with a stack, and the words for it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A share in millionths, so that counting with it is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u32);

impl Share {
    const WHOLE: u32 = 1_000_000;

    /// Half of everything.
    pub const HALF: Self = Self(Self::WHOLE / 2);
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / f64::from(Self::WHOLE))
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let share: f64 = word.parse().map_err(|_| format!("{word:?} is not a number"))?;
        if !(0.0..=1.0).contains(&share) {
            return Err(format!("{word} is not between 0 and 1"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and a million, checked above"
        )]
        Ok(Self((share * f64::from(Self::WHOLE)).round() as u32))
    }
}

/// Picks a share of requests evenly: of any N in a row, N times the share, give or take one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Picker {
    gathered: u32,
}

impl Picker {
    /// Whether the next one belongs to the share.
    pub fn picks(&mut self, share: Share) -> bool {
        self.gathered += share.0;
        let picked = self.gathered >= Share::WHOLE;
        if picked {
            self.gathered -= Share::WHOLE;
        }
        picked
    }
}

/// Something that is made wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Fault {
    /// The app logs a stack trace and ends with 134.
    Crash,
    /// This share of what is read below `/api` is answered with 500.
    Errors(Share),
    /// Every answer comes this much later.
    Latency(Duration),
    /// Connections are accepted and never answered.
    Hang,
    /// The database cannot be opened by anybody.
    DbDown,
    /// The deployed `.env` names a database that is not there.
    BadConfig,
    /// Resident memory grows until the app starts again, to 200 MiB at most.
    Leak,
    /// The table `sessions` was dropped by hand.
    TableDropped,
    /// Rows are broken, and the app has left its marker.
    Corruption,
    /// Migration 105 refuses every write.
    BadMigration(DownScript),
    /// Migration 105 drops a column with values.
    DestructiveUp,
}

/// Whether the way down of a bad migration works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownScript {
    /// It takes everything back.
    Whole,
    /// It has a slip in its middle.
    Broken,
}

impl Fault {
    /// Whether it is part of the deploy: it cannot be made on a stack that runs already.
    pub fn comes_with_the_deploy(self) -> bool {
        match self {
            Self::BadMigration(_) | Self::DestructiveUp => true,
            Self::Crash
            | Self::Errors(_)
            | Self::Latency(_)
            | Self::Hang
            | Self::DbDown
            | Self::BadConfig
            | Self::Leak
            | Self::TableDropped
            | Self::Corruption => false,
        }
    }
}

/// The forms a person can type.
pub const FORMS: &str = "crash, errors:P (0 to 1), latency:MS, hang, db-down, bad-config, leak, \
    table-dropped, corruption; and of a new stack bad-migration, bad-migration:broken-down, \
    destructive-up";

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash => f.write_str("crash"),
            Self::Errors(share) => write!(f, "errors:{share}"),
            Self::Latency(by) => write!(f, "latency:{}", by.as_millis()),
            Self::Hang => f.write_str("hang"),
            Self::DbDown => f.write_str("db-down"),
            Self::BadConfig => f.write_str("bad-config"),
            Self::Leak => f.write_str("leak"),
            Self::TableDropped => f.write_str("table-dropped"),
            Self::Corruption => f.write_str("corruption"),
            Self::BadMigration(DownScript::Whole) => f.write_str("bad-migration"),
            Self::BadMigration(DownScript::Broken) => f.write_str("bad-migration:broken-down"),
            Self::DestructiveUp => f.write_str("destructive-up"),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let (kind, value) =
            word.split_once(':').map_or((word, None), |(kind, value)| (kind, Some(value)));
        match (kind, value) {
            ("crash", None) => Ok(Self::Crash),
            ("hang", None) => Ok(Self::Hang),
            ("db-down", None) => Ok(Self::DbDown),
            ("bad-config", None) => Ok(Self::BadConfig),
            ("leak", None) => Ok(Self::Leak),
            ("table-dropped", None) => Ok(Self::TableDropped),
            ("corruption", None) => Ok(Self::Corruption),
            ("bad-migration", None) => Ok(Self::BadMigration(DownScript::Whole)),
            ("bad-migration", Some("broken-down")) => Ok(Self::BadMigration(DownScript::Broken)),
            ("destructive-up", None) => Ok(Self::DestructiveUp),
            ("errors", Some(share)) => share.parse().map(Self::Errors),
            ("latency", Some(ms)) => match ms.parse() {
                Ok(ms) if ms <= 600_000 => Ok(Self::Latency(Duration::from_millis(ms))),
                Ok(_) | Err(_) => Err(format!("{ms:?} is not 0 to 600000 milliseconds")),
            },
            _ => Err(format!("{word:?} is not a fault, use one of {FORMS}")),
        }
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> Self {
        fault.to_string()
    }
}

impl TryFrom<String> for Fault {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        word.parse()
    }
}

/// `D/<color>/fault.json`; no file means healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultFile {
    /// What is wrong.
    pub fault: Fault,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_reads_as_it_is_written() {
        for word in [
            "crash",
            "errors:0.3",
            "latency:250",
            "hang",
            "db-down",
            "bad-config",
            "leak",
            "table-dropped",
            "corruption",
            "bad-migration",
            "bad-migration:broken-down",
            "destructive-up",
        ] {
            let fault: Fault = word.parse().unwrap();
            assert_eq!(fault.to_string(), word);
            let file = serde_json::to_string(&FaultFile { fault }).unwrap();
            assert_eq!(file, format!(r#"{{"fault":"{word}"}}"#));
            assert_eq!(serde_json::from_str::<FaultFile>(&file).unwrap().fault, fault);
        }
    }

    #[test]
    fn what_is_no_fault_is_refused_with_the_reason() {
        for word in [
            "",
            "crash:1",
            "errors",
            "errors:1.1",
            "errors:-0.1",
            "errors:NaN",
            "errors:x",
            "latency:",
            "latency:-1",
            "latency:600001",
            "hang:",
            "bad-migration:no-down",
            "leak:",
            "flood",
        ] {
            let refused = word.parse::<Fault>().unwrap_err();
            assert!(refused.contains("is not"), "{word}: {refused}");
        }
    }

    #[test]
    fn shares_are_exact_over_a_thousand_and_even_in_every_ten() {
        for (word, of_thousand) in [("0", 0), ("0.3", 300), ("0.05", 50), ("0.007", 7), ("1", 1000)]
        {
            let share: Share = word.parse().unwrap();
            let mut picker = Picker::default();
            let picked: Vec<bool> = (0..1000).map(|_| picker.picks(share)).collect();
            let count = |part: &[bool]| part.iter().filter(|p| **p).count();
            assert_eq!(count(&picked), of_thousand, "{word}");
            for ten in picked.windows(10) {
                assert!(count(ten).abs_diff(of_thousand / 100) <= 1, "{word}");
            }
        }
    }
}
