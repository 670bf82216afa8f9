//! nginx's processes, as `ps -eo pid,ppid,etimes,args` tells them.

/// A worker that still ends its last requests, or one that takes new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Worker {
    /// Its pid on the host.
    pub(super) pid: u32,
    /// For how long it has run, in whole seconds.
    pub(super) age: i64,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Workers {
    /// Those that take new connections.
    pub(super) current: Vec<Worker>,
    /// Those that were told to end, and still have requests.
    pub(super) old: Vec<Worker>,
}

impl Workers {
    /// Takes lines of pid, parent, seconds, command line apart.
    pub(super) fn read(lines: &[Vec<String>]) -> Self {
        let mut all = Self::default();
        for line in lines {
            let [pid, _, age, rest @ ..] = line.as_slice() else { continue };
            let title = rest.join(" ");
            let (Ok(pid), Ok(age)) = (pid.parse(), age.parse()) else { continue };
            if !title.starts_with("nginx: worker process") {
                continue;
            }
            let kind =
                if title.contains("shutting down") { &mut all.old } else { &mut all.current };
            kind.push(Worker { pid, age });
        }
        all
    }

    /// How long the youngest that takes connections has run, in seconds.
    pub(super) fn youngest(&self) -> Option<i64> {
        self.current.iter().map(|worker| worker.age).min()
    }

    /// Whether none of those that took connections `before` takes them any more.
    pub(super) fn replaced(&self, before: &Self) -> bool {
        let same = |one: &Worker| before.current.iter().any(|other| other.pid == one.pid);
        !self.current.is_empty() && !self.current.iter().any(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_workers_are_told_from_new_ones() {
        let line = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        let workers = Workers::read(&[
            line("10 1 90 nginx: master process nginx -g daemon off;"),
            line("11 10 80 nginx: worker process is shutting down"),
            line("12 10 3 nginx: worker process"),
        ]);
        assert_eq!(workers.old, [Worker { pid: 11, age: 80 }]);
        assert_eq!(workers.youngest(), Some(3));
        let before = Workers { current: vec![Worker { pid: 11, age: 79 }], old: Vec::new() };
        assert!(workers.replaced(&before) && !before.replaced(&before));
    }
}
