//! Asks the witnesses: hosts that have nothing to do with the target. When all of them are silent
//! it is our own line that is down.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use crate::checks::CheckKind;
use crate::clock::Clock;
use crate::config::Witness;
use crate::model::ids::Time;
use crate::model::reading::Finding;

use super::run::Seen;

/// The longest a witness may take.
const LIMIT: Duration = Duration::from_secs(2);
/// Between looks while all is well, and while something changes.
const CALM: Duration = Duration::from_secs(10);
const QUICK: Duration = Duration::from_secs(2);
/// Between two looks that are asked for.
const LEAST: Duration = Duration::from_millis(500);

/// What the witnesses said together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// When they were asked.
    pub(super) at: Time,
    /// Whether every one of them was silent. One that could not be asked is not silent.
    pub(super) down: bool,
    /// What was seen, for people.
    pub(super) why: String,
}

/// Asks all of `witnesses` again and again, sooner when `ask` is notified.
pub(super) fn follow(
    witnesses: Vec<Witness>,
    mut fast: watch::Receiver<bool>,
    ask: Arc<Notify>,
    clock: Clock,
    to: mpsc::Sender<Seen>,
) {
    if witnesses.is_empty() {
        return;
    }
    tokio::spawn(async move {
        loop {
            let said = look(&witnesses, &clock).await;
            if to.send(Seen::Witness(said)).await.is_err() {
                return;
            }
            clock.sleep(LEAST).await;
            let pause = if *fast.borrow_and_update() { QUICK } else { CALM };
            tokio::select! {
                () = clock.sleep(pause.saturating_sub(LEAST)) => {}
                () = ask.notified() => {}
                changed = fast.changed() => if changed.is_err() { return },
            }
        }
    });
}

/// Asks all of them side by side.
pub(super) async fn look(witnesses: &[Witness], clock: &Clock) -> Said {
    let at = clock.now();
    let mut looks = JoinSet::new();
    for witness in witnesses {
        let (name, kind, clock) = (witness.name.clone(), witness.kind.clone(), clock.clone());
        looks.spawn(async move { (name, one(&kind, &clock).await) });
    }
    let mut silent = Vec::new();
    while let Some(ended) = looks.join_next().await {
        if let Ok((name, Some(why))) = ended {
            silent.push(format!("{name} ({why})"));
        }
    }
    silent.sort();
    let down = silent.len() == witnesses.len();
    let why = if down {
        format!("no witness answers: {}", silent.join(", "))
    } else {
        format!("{} of {} witnesses answer", witnesses.len() - silent.len(), witnesses.len())
    };
    Said { at, down, why }
}

/// Why this one is silent; nothing when it answered, or could not be asked at all.
async fn one(kind: &CheckKind, clock: &Clock) -> Option<String> {
    let seen = if let CheckKind::Tcp(settings) = kind {
        settings.probe(LIMIT, clock).await
    } else if let CheckKind::HttpResponse(settings) = kind {
        settings.probe(LIMIT, clock).await
    } else {
        // The configuration makes no others.
        return None;
    };
    match seen.finding {
        Finding::Bad { .. } => Some(seen.note.to_string()),
        Finding::Good | Finding::Warn { .. } | Finding::Unknown { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::checks::tcp;

    fn witness(port: u16) -> Witness {
        let place = format!("127.0.0.1:{port}");
        let settings = tcp::Settings::parse(&place).unwrap();
        Witness { name: format!("tcp {place}"), kind: CheckKind::Tcp(settings) }
    }

    #[tokio::test]
    async fn our_line_is_down_only_when_every_witness_is_silent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap().port();
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = gone.local_addr().unwrap().port();
        drop(gone);
        let clock = Clock::real();
        let said = look(&[witness(open), witness(closed)], &clock).await;
        assert!(!said.down, "{said:?}");
        let said = look(&[witness(closed)], &clock).await;
        assert!(said.down && said.why.contains("refused"), "{said:?}");
    }
}
