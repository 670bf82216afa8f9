//! The tools where the server is: inside its container, by way of the engine.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use async_trait::async_trait;

use crate::adapters::docker::{DockerTools, Exec, ExecInput, ExecOutput};
use crate::adapters::{Error, Kind};

use super::place::PostgresPlace;
use super::tools::{PgTools, Pumps, ToolCall, ToolEnded};

/// The tools in the container of the server itself; they come to it by its own socket.
#[derive(Clone, Debug)]
pub struct ContainerTools {
    tools: DockerTools,
    place: PostgresPlace,
}

impl ContainerTools {
    /// The tools of the container that `tools` stands for, as the user of `place`.
    pub fn new(tools: DockerTools, place: PostgresPlace) -> Self {
        Self { tools, place }
    }
}

fn pipe() -> Result<(std::io::PipeReader, std::io::PipeWriter), Error> {
    std::io::pipe().map_err(|e| Error::io("make", "a pipe", &e))
}

fn file(end: impl Into<OwnedFd>) -> Arc<File> {
    Arc::new(File::from(end.into()))
}

#[async_trait]
impl PgTools for ContainerTools {
    fn called(&self, effect: &str) -> Arc<dyn PgTools> {
        Arc::new(Self { place: self.place.called(effect), ..self.clone() })
    }

    async fn run(&self, call: ToolCall) -> Result<ToolEnded, Error> {
        if let Some(folder) = &call.folder {
            let message = format!(
                "could not use {}: a dump that is a folder needs PostgreSQL's tools on this host \
                 (database.postgres without service)",
                folder.display()
            );
            return Err(Error::new(Kind::Rejected, message));
        }
        let argv: Vec<String> =
            [call.tool.program().to_owned()].into_iter().chain(call.args.iter().cloned()).collect();
        let mut env = vec![
            ("PGUSER".to_owned(), self.place.user.clone()),
            ("PGDATABASE".to_owned(), call.database.clone()),
            ("PGAPPNAME".to_owned(), self.place.session.clone()),
        ];
        if let Some(password) = &self.place.password {
            env.push(("PGPASSWORD".to_owned(), password.reveal().to_owned()));
        }
        let (input, stdin) = if call.stdin.is_some() {
            let (reader, writer) = pipe()?;
            (ExecInput::Pipe(file(reader)), Some(writer))
        } else {
            (ExecInput::Nothing, None)
        };
        let ((stdout, out), (stderr, err)) = (pipe()?, pipe()?);
        let pumps = Pumps::start(&call, stdin, Some(stdout), stderr)?;
        let ended = {
            let output = ExecOutput::Pipes(file(out), file(err));
            let container = self.tools.container().await;
            match container {
                Ok(container) => {
                    let exec = Exec {
                        argv: &argv,
                        env: &env,
                        user: None,
                        input,
                        output,
                        limit: call.limit,
                    };
                    self.tools.docker().exec(&container, &exec).await
                }
                Err(error) => Err(error),
            }
        };
        // Its ends of the pipes are closed by now: the pumps end, too.
        let code = ended.as_ref().ok().and_then(|ended| i32::try_from(ended.code).ok());
        let pumped = pumps.ended(code).await;
        ended?;
        pumped
    }
}
