//! How an engine is reached: one that runs, one that is started, or one of this process for as
//! long as a look takes.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::engine;
use crate::failure::{Exit, Failure};
use crate::link::{self, Client, ClientKind, FromEngine, Hello, Linger, Pair, Welcome};

use super::World;
use super::place::Place;
use super::session::gone;

/// Ends it, and its task.
pub(super) type Own = (watch::Sender<bool>, tokio::task::JoinHandle<Result<Exit, Failure>>);

/// Starts it: it ends when it is asked to.
pub(super) fn start_own(world: &World, place: &Place) -> Own {
    let (stop, mut stopped) = watch::channel(false);
    let start = engine::Start {
        program: world.program.clone(),
        state: place.config.state_dir.clone(),
        socket: place.socket.clone(),
        linger: Duration::ZERO,
        keeper: None,
        watches: false,
        reload: None,
        notify: None,
        #[cfg(feature = "faults")]
        faults: crate::journal::Faults::default(),
    };
    let stop_asked = async move {
        stopped.wait_for(|stop| *stop).await.ok();
    };
    let run = engine::run::run(start, place.config.clone(), world.clock.clone(), stop_asked);
    (stop, tokio::spawn(run))
}

/// The hello of this person.
pub(crate) fn hello(world: &World, kind: ClientKind) -> Hello {
    let name = world.environment.user().unwrap_or("somebody");
    Hello::new(kind, name, world.environment.ssh_connection().map(str::to_owned))
}

pub(super) type Connected = (Client, Welcome, mpsc::Receiver<FromEngine>);

pub(super) async fn connect(
    world: &World,
    place: &Place,
    kind: ClientKind,
) -> Result<Connected, Failure> {
    let socket = link::address(&place.config.state_dir, &place.socket);
    Client::connect(&socket, hello(world, kind), &world.clock)
        .await
        .map_err(|error| Failure::new(Exit::Unknown, error.to_string()))
}

/// Makes sure that an engine answers, starting a pair when none does.
pub(crate) async fn ensure(pair: &Pair, world: &World) -> Result<(), Failure> {
    link::ensure(pair, &world.clock).await.map_err(|error| {
        Failure::new(Exit::Unknown, error.to_string())
            .hint("look at engine.log in the state folder, then try again")
    })
}

/// The pair that would serve this place.
pub(crate) fn pair(world: &World, place: &Place, linger: Linger) -> Pair {
    Pair {
        program: world.program.clone(),
        config: place.config.file.clone(),
        state: place.config.state_dir.clone(),
        socket: place.socket.clone(),
        linger,
    }
}

pub(super) async fn connect_soon(
    world: &World,
    place: &Place,
    mut own: Option<&mut Own>,
) -> Result<Connected, Failure> {
    for _ in 0..250 {
        if let Ok(connected) = connect(world, place, ClientKind::Cli).await {
            return Ok(connected);
        }
        if let Some((_, task)) = own.as_deref_mut()
            && task.is_finished()
        {
            return match task.await {
                Ok(Err(failure)) => Err(failure),
                Ok(Ok(_)) | Err(_) => Err(gone()),
            };
        }
        world.clock.sleep(Duration::from_millis(20)).await;
    }
    Err(gone())
}
