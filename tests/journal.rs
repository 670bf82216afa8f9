//! The journal: one story for both of its stores, a file and a server, and what only a server has to
//! stand: engines on several hosts, restarts, lost lines, a pooler, and roles.

use std::sync::Arc;
use std::time::Duration;

use backout::clock::Clock;
use backout::journal::{Draft, ENTRY_LIMIT, Error, Place, Reader, Server, Writer};
use backout::model::entry::{Author, Body, Entry, Event};
use backout::model::situation::Situation;
use sqlx::ConnectOptions as _;

use super::postgres::cluster::{Bench, Cluster};

mod away;
mod clients;
mod consoles;
mod engines;
mod hosts;
mod pooler;
mod servers;

/// What the owner of the database runs once.
const TABLES: &str = include_str!("../config/journal-postgres.sql");

/// Roles belong to the whole server: two databases are not made ready at the same moment.
static READY: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// One journal, and the hosts that come to it.
pub(super) struct Home {
    dir: tempfile::TempDir,
    pub(super) bench: Option<Bench>,
}

impl Home {
    fn in_files() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), bench: None }
    }

    /// A journal on the shared server.
    async fn on_server() -> Option<Self> {
        Some(Self::of(Bench::new().await?).await)
    }

    /// A journal on a server of its own.
    async fn on_own_server() -> Option<Self> {
        let cluster = Cluster::own().await?;
        Some(Self::of(Bench::on(cluster).await).await)
    }

    async fn of(bench: Bench) -> Self {
        let ready = READY.lock().await;
        bench.root(&bench.name, TABLES).await;
        bench.root(&bench.name, &format!("GRANT backout_engine TO user_{}", bench.name)).await;
        drop(ready);
        Self { dir: tempfile::tempdir().unwrap(), bench: Some(bench) }
    }

    /// Lets the role of the engine ask, too: that of a person whose host may become the engine's.
    async fn both_roles(&self) {
        let bench = self.bench.as_ref().unwrap();
        bench.root(&bench.name, &format!("GRANT backout_engineer TO user_{}", bench.name)).await;
    }

    fn cluster(&self) -> Arc<Cluster> {
        Arc::clone(&self.bench.as_ref().unwrap().cluster)
    }

    fn url(&self) -> String {
        self.bench.as_ref().unwrap().place().url().reveal().to_owned()
    }

    /// The journal as `host` has it. Where it is a file there is one host only.
    fn place(&self, host: &str) -> Place {
        match &self.bench {
            None => Place::from(self.dir.path()),
            Some(_) => self.place_at(host, &self.url()),
        }
    }

    /// The same, by another address.
    fn place_at(&self, host: &str, url: &str) -> Place {
        let server = Server::new(url, "the journal of the test", Clock::real()).unwrap();
        Place::new(self.dir.path().join(host), Some(server))
    }

    /// What takes the lease from a living engine: its lock file is replaced, its time is over.
    async fn depose(&self) {
        match &self.bench {
            None => std::fs::remove_file(self.dir.path().join("engine.lock")).unwrap(),
            Some(bench) => {
                let over = "UPDATE backout.lease SET expires = clock_timestamp()";
                bench.root(&bench.name, over).await;
            }
        }
    }

    /// Changes an entry behind the journal's back.
    async fn forge(&self, seq: u64) {
        let change = |is: &str| format!("UPDATE {is} SET kind = 'forged' WHERE seq = {seq}");
        match &self.bench {
            None => {
                let options = sqlx::sqlite::SqliteConnectOptions::new()
                    .filename(self.dir.path().join("journal.db"));
                let mut connection = options.connect().await.unwrap();
                let change = sqlx::AssertSqlSafe(change("entries"));
                sqlx::raw_sql(change).execute(&mut connection).await.unwrap();
            }
            Some(bench) => {
                let change = change("backout.entries");
                let off = "ALTER TABLE backout.entries DISABLE TRIGGER only_insert";
                bench.root(&bench.name, &format!("{off}; {change}")).await;
            }
        }
    }
}

pub(super) fn note(text: &str) -> Draft {
    Draft {
        incident: None,
        at: chrono::DateTime::UNIX_EPOCH,
        author: Author::default(),
        body: Body::Event(Box::new(Event::Noted { by: "alice".into(), text: text.into() })),
    }
}

pub(super) fn text(entry: &Entry) -> String {
    match &entry.body {
        Body::Event(event) => match event.as_ref() {
            Event::Noted { text, .. } => text.to_string(),
            _ => String::new(),
        },
        Body::Command(..) | Body::Newer { .. } => String::new(),
    }
}

/// Reads the whole chain and gives it.
pub(super) async fn chain(place: &Place) -> Vec<Entry> {
    let mut reader = Reader::open(place).await.unwrap();
    let last = reader.verify().await.unwrap();
    let all = reader.after(0, 100_000).await.unwrap();
    // An engine that lives writes on.
    let end = all.last().map_or(0, |entry| entry.seq);
    assert!(end >= last && all.iter().map(|entry| entry.seq).eq(1..=end), "one line without a gap");
    all
}

fn run(story: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(story);
}

#[test]
fn the_story_of_a_journal_in_a_file() {
    run(Box::pin(story(Home::in_files())));
}

#[test]
fn the_story_of_a_journal_on_a_server() {
    run(async {
        if let Some(home) = Home::on_server().await {
            Box::pin(story(home)).await;
        }
    });
}

/// What holds of every store.
async fn story(home: Home) {
    let (a, b) = (home.place("a"), home.place("b"));
    assert!(matches!(Reader::open(&a).await, Err(Error::Missing { .. })));
    let mut all = begun(&a, &b).await;
    all.extend(carried(&a, &b, &all).await);
    limits(&a).await;
    replaced(&home, &a, &b).await;
    dropped(&a).await;
    // An edit behind its back is found, by a reader and before the next write.
    home.forge(2).await;
    let found = Reader::open(&b).await.unwrap().verify().await.unwrap_err();
    assert!(matches!(found, Error::Damaged { seq: 2, .. }), "{found}");
    for _ in 0..2 {
        let refused = Writer::open(&a).await.unwrap_err();
        assert!(matches!(refused, Error::Damaged { seq: 2, .. }), "{refused}");
    }
}

/// What was appended is read back while the writer lives and after, and there is one writer.
async fn begun(a: &Place, b: &Place) -> Vec<Entry> {
    let mut writer = Writer::open(a).await.unwrap();
    let first = writer.epoch();
    assert_eq!((writer.head().0, first), (0, 1));
    assert_eq!(writer.append(Vec::new()).await.unwrap(), []);
    let written = writer.append(vec![note("one"), note("ü 'two' \\ \u{1F600}")]).await.unwrap();
    let mut reader = Reader::open(b).await.unwrap();
    assert_eq!(reader.after(0, 10).await.unwrap(), written);
    assert_eq!(reader.after(1, 10).await.unwrap(), written[1..]);
    assert_eq!(reader.after(0, 1).await.unwrap(), written[..1]);
    assert_eq!(reader.after(9, 10).await.unwrap(), []);
    for place in [a, b] {
        let refused = Writer::open(place).await.unwrap_err();
        let held = matches!(refused, Error::Held { .. } | Error::HeldElsewhere { .. });
        assert!(held && refused.to_string().contains(&std::process::id().to_string()), "{refused}");
    }
    writer.renew().await.unwrap();
    writer.append(vec![note("three")]).await.unwrap();
    assert_eq!(reader.after(2, 10).await.unwrap().len(), 1);
    drop(reader);
    writer.close().await.unwrap();
    let mut writer = Writer::open(b).await.unwrap();
    assert!(writer.epoch() > first, "{}", writer.epoch());
    writer.append(vec![note("again")]).await.unwrap();
    writer.close().await.unwrap();
    chain(a).await
}

/// The situation is the same from the last carried one as from the beginning.
async fn carried(a: &Place, b: &Place, before: &[Entry]) -> Vec<Entry> {
    let mut folded = Situation::default();
    for entry in before {
        folded.apply(entry);
    }
    let mut writer = Writer::open(a).await.unwrap();
    let mut all = Vec::new();
    for number in 0..300 {
        let draft = if number % 50 == 7 {
            let situation = Box::new(folded.clone());
            Draft { body: Body::Event(Box::new(Event::Carried { situation })), ..note("") }
        } else {
            note(&format!("note {number}"))
        };
        let written = writer.append(vec![draft]).await.unwrap();
        for entry in &written {
            folded.apply(entry);
        }
        all.extend(written);
    }
    writer.close().await.unwrap();
    assert_eq!(Reader::open(b).await.unwrap().situation().await.unwrap(), folded);
    assert_eq!(chain(b).await.len(), before.len() + all.len());
    all
}

/// What is too large is refused whole; what is newer is kept as it is.
async fn limits(a: &Place) {
    let mut writer = Writer::open(a).await.unwrap();
    let before = writer.head();
    let raw = serde_json::json!({"event": {"teleported": "x".repeat(ENTRY_LIMIT)}});
    let large = Draft { body: Body::Newer { kind: "teleported".to_owned(), raw }, ..note("") };
    let refused = writer.append(vec![note("small"), large]).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, Error::TooLarge { .. }), "{refused}");
    assert_eq!(writer.head(), before);
    let raw = serde_json::json!({"event": {"teleported": {"to": "mars"}}});
    let newer = Draft { body: Body::Newer { kind: "teleported".to_owned(), raw }, ..note("") };
    let many: Vec<Draft> = (0..200).map(|number| note(&"y".repeat(number * 40))).collect();
    writer.append(vec![newer.clone()]).await.unwrap();
    writer.append(many).await.unwrap();
    let mut reader = Reader::open(a).await.unwrap();
    assert_eq!(reader.after(before.0, 1).await.unwrap()[0].body, newer.body);
    writer.close().await.unwrap();
}

/// An engine that was replaced while it slept cannot append, nor say that it is there.
async fn replaced(home: &Home, a: &Place, b: &Place) {
    let mut old = Writer::open(a).await.unwrap();
    old.append(vec![note("mine")]).await.unwrap();
    home.depose().await;
    let mut new = Writer::open(b).await.unwrap();
    assert!(new.epoch() > old.epoch());
    new.append(vec![note("now mine")]).await.unwrap();
    for _ in 0..3 {
        let refused = old.append(vec![note("still mine?")]).await.unwrap_err();
        assert!(matches!(refused, Error::Zombie { .. }), "{refused}");
    }
    new.append(vec![note("and this")]).await.unwrap();
    if home.bench.is_some() {
        assert!(matches!(old.renew().await, Err(Error::Zombie { .. })));
    }
    drop(old);
    new.close().await.unwrap();
    assert!(chain(a).await.iter().all(|entry| text(entry) != "still mine?"));
}

/// An append that nobody waited for neither breaks nor forks the chain.
async fn dropped(a: &Place) {
    let mut writer = Writer::open(a).await.unwrap();
    let before = writer.head().0;
    for round in 0..30 {
        let patience = Duration::from_micros(round * 150);
        let append = Box::pin(writer.append(vec![note("dropped")]));
        Clock::real().timeout(patience, append).await.ok();
        let written = writer.append(vec![note(&format!("kept {round}"))]).await.unwrap();
        assert_eq!(written[0].seq, writer.head().0);
    }
    writer.close().await.unwrap();
    let all = chain(a).await;
    let kept = all.iter().filter(|entry| entry.seq > before && text(entry).starts_with("kept"));
    assert_eq!(kept.count(), 30);
}
