//! A server asked through its own tool, where it runs, and what it said when it ended.

use std::path::Path;
use std::time::Duration;

use crate::adapters::docker::{DockerHost, Exec, ExecInput, ExecOutput};
use crate::adapters::{Error, Kind};
use crate::text::{SafeText, fit};

use super::PostgresCluster;
use super::host::HostPlace;
use super::seat::Seat;

/// Rows of columns, as the tool writes them.
fn rows(said: &[u8]) -> Vec<Vec<String>> {
    let columns = |line: &str| line.split('\t').map(str::to_owned).collect();
    let text = String::from_utf8_lossy(said);
    text.lines().filter(|line| !line.is_empty()).map(columns).collect()
}

/// How long a look through the server's own tool may take.
const LOOK: Duration = Duration::from_secs(20);

impl PostgresCluster {
    /// Asks a server through its own tool; rows of columns.
    pub(super) async fn psql(&self, container: &str, sql: &str) -> Result<Vec<Vec<String>>, Error> {
        let (docker, place) = match &self.seat {
            Seat::Engine(docker, _) => (docker, &self.place),
            Seat::Host(host) => return self.psql_here(host, container, sql).await,
        };
        let argv: Vec<String> = [
            "psql",
            "-X",
            "-q",
            "-A",
            "-t",
            "-w",
            "-F",
            "\t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            &place.user,
            "-d",
            &place.database,
            "-c",
            sql,
        ]
        .map(str::to_owned)
        .to_vec();
        let mut env = vec![
            ("PGCONNECT_TIMEOUT".to_owned(), "5".to_owned()),
            ("PGAPPNAME".to_owned(), place.session.clone()),
        ];
        env.extend(place.password.iter().map(|w| ("PGPASSWORD".to_owned(), w.reveal().to_owned())));
        let exec = Exec {
            argv: &argv,
            env: &env,
            user: None,
            input: ExecInput::Nothing,
            output: ExecOutput::Kept(64 * 1024),
            limit: LOOK,
        };
        let ended = Box::pin(docker.exec(container, &exec)).await?;
        if ended.code != 0 {
            let said = fit(ended.stderr.as_str().trim(), 300);
            let message = format!("could not ask the server in container {container}: {said}");
            return Err(Error::new(Kind::Rejected, message));
        }
        Ok(rows(&ended.stdout))
    }

    async fn psql_here(
        &self,
        host: &HostPlace,
        data: &str,
        sql: &str,
    ) -> Result<Vec<Vec<String>>, Error> {
        let argv = host.psql(Path::new(data), &self.place.database, sql)?;
        let ended = host.run(&argv, LOOK, &self.clock).await?;
        if ended.code == Some(0) {
            return Ok(rows(&ended.stdout));
        }
        let said = fit(SafeText::from_bytes(ended.stderr.trim_ascii()).as_str(), 300);
        let message = format!("could not ask the server in {data}: {said}");
        Err(Error::new(Kind::Rejected, message))
    }

    /// The first column of the first row.
    pub(super) async fn ask(&self, container: &str, sql: &str) -> Result<String, Error> {
        let rows = self.psql(container, sql).await?;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or_default())
    }

    /// The last lines of a container.
    async fn lines(&self, docker: &DockerHost, container: &str) -> Option<Vec<String>> {
        use futures_util::StreamExt as _;
        let mut lines = docker.logs(container, None, Some(60), false).await.ok()?;
        let mut read = Vec::new();
        while let Ok(Some(Ok(line))) = self.clock.timeout(LOOK, lines.next()).await {
            read.push(SafeText::from_bytes(&line.text).to_string());
        }
        Some(read)
    }

    /// What a server that ended said last.
    pub(super) async fn last_words(&self, id: &str) -> String {
        let text = match &self.seat {
            Seat::Engine(docker, _) => self.lines(docker, id).await,
            Seat::Host(_) => Some(HostPlace::said(Path::new(id))),
        };
        let Some(text) = text else { return "its log cannot be read".to_owned() };
        let telling = ["FATAL", "PANIC", "last completed transaction", "recovery stopping"];
        let told: Vec<&str> = text
            .iter()
            .map(String::as_str)
            .filter(|line| telling.iter().any(|word| line.contains(word)))
            .filter(|line| !line.contains("the database system is"))
            .collect();
        let from = told.len().saturating_sub(3);
        let told = told.get(from..).unwrap_or_default();
        match (told, text.last()) {
            ([], Some(last)) => fit(last, 300),
            ([], None) => "it said nothing".to_owned(),
            (told, _) => fit(&told.join("; "), 600),
        }
    }
}
