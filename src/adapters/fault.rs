//! Dying on purpose at a named boundary (B1 to B9), for crash tests. Without the feature `faults`
//! every call is empty.

#[cfg(feature = "faults")]
mod armed {
    use std::path::PathBuf;
    use std::sync::OnceLock;

    use rustix::process::Signal;

    struct Armed {
        signal: Signal,
        point: String,
        step: Option<String>,
        once: Option<PathBuf>,
    }

    static ARMED: OnceLock<Armed> = OnceLock::new();

    /// Arms `die-at:B4` or `die-at:B4:switch`, or `sleep-at:…`, which stops the process until
    /// somebody wakes it; anything else arms nothing. With `once`, the file made there keeps the
    /// next process from dying again. Says whether it is armed.
    pub fn install(fault: &str, once: Option<PathBuf>) -> bool {
        let (rest, signal) = match (fault.strip_prefix("die-at:"), fault.strip_prefix("sleep-at:"))
        {
            (Some(rest), _) => (rest, Signal::KILL),
            (None, Some(rest)) => (rest, Signal::STOP),
            (None, None) => return false,
        };
        let (point, step) = match rest.split_once(':') {
            Some((point, step)) => (point, Some(step.to_owned())),
            None => (rest, None),
        };
        let armed = Armed { signal, point: point.to_owned(), step, once };
        ARMED.set(armed).is_ok()
    }

    /// Whether a fault `point[:step]` strikes at `point` of `who`: a step's name, or an effect key
    /// that holds it between dots.
    fn strikes(armed: &Armed, point: &str, who: Option<&str>) -> bool {
        armed.point == point
            && match (&armed.step, who) {
                (None, _) => true,
                (Some(step), Some(who)) => who.split('.').any(|part| part == step),
                (Some(_), None) => false,
            }
    }

    pub(super) fn reached(point: &str, who: Option<&str>) {
        let Some(armed) = ARMED.get().filter(|armed| strikes(armed, point, who)) else {
            return;
        };
        if let Some(once) = &armed.once
            && std::fs::File::options().write(true).create_new(true).open(once).is_err()
        {
            return;
        }
        rustix::process::kill_process(rustix::process::getpid(), armed.signal).ok();
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn armed(point: &str, step: Option<&str>) -> Armed {
            let (point, step) = (point.to_owned(), step.map(str::to_owned));
            Armed { signal: Signal::KILL, point, step, once: None }
        }

        #[test]
        fn a_fault_strikes_at_its_point_and_its_step_only() {
            let at = armed("B4", Some("switch"));
            assert!(strikes(&at, "B4", Some("switch")));
            assert!(strikes(&at, "B4", Some("142-k7qd-1.switch.1")));
            assert!(!strikes(&at, "B4", Some("142-k7qd-1.switch-back.1")));
            assert!(!strikes(&at, "B5", Some("switch")));
            assert!(!strikes(&at, "B4", None));
            assert!(strikes(&armed("B4", None), "B4", Some("drain")));
        }
    }
}

#[cfg(feature = "faults")]
pub use armed::install;

/// A boundary that belongs to no step is reached.
#[cfg(feature = "faults")]
pub fn at(point: &str) {
    armed::reached(point, None);
}

/// A boundary of a step is reached; `who` is the step's name or its effect key.
#[cfg(feature = "faults")]
pub fn at_step(point: &str, who: &str) {
    armed::reached(point, Some(who));
}

/// Nothing: this program was built without faults.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub const fn at(_point: &str) {}

/// Nothing: this program was built without faults.
#[cfg(not(feature = "faults"))]
#[inline(always)]
pub const fn at_step(_point: &str, _who: &str) {}
