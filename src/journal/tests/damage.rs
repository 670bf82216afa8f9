//! Whatever happens to the file: what is read is what was written, or an error says where not.

use super::*;

/// A small generator, so that a failure can be repeated from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// Reads everything in every way; `None` when some way said that there is damage.
async fn read_all(state: &Path) -> Option<Vec<Entry>> {
    let mut reader = match Reader::open(state).await {
        Ok(reader) => reader,
        Err(refused) => return says_so(&refused),
    };
    let verified = reader.verify().await;
    let entries = reader.after(0, 10_000).await;
    let situation = reader.situation().await;
    let refusals = [verified.as_ref().err(), entries.as_ref().err(), situation.as_ref().err()];
    if let Some(refused) = refusals.into_iter().flatten().next() {
        return says_so(refused);
    }
    Some(entries.unwrap())
}

fn says_so(refused: &Error) -> Option<Vec<Entry>> {
    assert!(
        matches!(
            refused,
            Error::Damaged { .. }
                | Error::Newer { .. }
                | Error::Store { .. }
                | Error::Missing { .. }
        ),
        "{refused}"
    );
    None
}

async fn damage_a_copy(rounds: u64, mut damage: impl FnMut(&mut Random, &mut Vec<u8>)) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original");
    let all = closed_journal(&original, 60).await;
    let bytes = std::fs::read(original.join("journal.db")).unwrap();
    let mut detected = 0;
    for seed in 1..=rounds {
        let state = dir.path().join("copy");
        std::fs::create_dir(&state).unwrap();
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut changed = bytes.clone();
        damage(&mut random, &mut changed);
        std::fs::write(state.join("journal.db"), &changed).unwrap();
        std::fs::copy(original.join("journal.head"), state.join("journal.head")).unwrap();
        match read_all(&state).await {
            Some(entries) => assert!(entries == all, "seed {seed}: changed and not noticed"),
            None => detected += 1,
        }
        std::fs::remove_dir_all(&state).unwrap();
    }
    detected
}

#[tokio::test]
async fn a_flipped_byte_is_detected_or_changes_nothing_that_was_written() {
    let rounds = if long() { 10_000 } else { 400 };
    let detected = damage_a_copy(rounds, |random, bytes| {
        let at = random.below(bytes.len());
        bytes[at] ^= u8::try_from(1 + random.below(255)).unwrap();
    })
    .await;
    // The rest hit bytes that mean nothing: every entry was read as it was written.
    assert!(detected * 4 > rounds * 3, "{detected} of {rounds}");
    say!("{rounds} flipped bytes: {detected} detected, {} changed nothing", rounds - detected);
}

#[tokio::test]
async fn a_flipped_byte_in_the_file_s_header_is_never_a_panic() {
    let mut at = 0;
    damage_a_copy(100, |random, bytes| {
        bytes[at] ^= u8::try_from(1 + random.below(255)).unwrap();
        at += 1;
    })
    .await;
}

#[tokio::test]
async fn a_zeroed_page_is_detected() {
    let rounds = if long() { 1_000 } else { 200 };
    let detected = damage_a_copy(rounds, |random, bytes| {
        let page = random.below(bytes.len() / 4096) * 4096;
        bytes[page..page + 4096].fill(0);
    })
    .await;
    assert!(detected * 20 >= rounds * 19, "{detected} of {rounds}");
    say!("{rounds} zeroed pages: {detected} detected");
}

#[tokio::test]
async fn a_file_that_was_cut_is_detected() {
    let detected = damage_a_copy(200, |random, bytes| {
        let length = random.below(bytes.len());
        bytes.truncate(length);
    })
    .await;
    assert_eq!(detected, 200);
}

/// Edits by someone who knows SQL, each on its own copy.
#[tokio::test]
async fn deleted_swapped_and_edited_rows_are_detected() {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original");
    closed_journal(&original, 30).await;
    let first = "DELETE FROM entries WHERE seq = 1";
    let last = "DELETE FROM entries WHERE seq = 30";
    let edits = [
        "UPDATE entries SET bytes = CAST(replace(CAST(bytes AS TEXT), 'alice', 'mallo') AS BLOB) \
         WHERE seq = ?",
        "UPDATE entries SET hash = zeroblob(32) WHERE seq = ?",
        "UPDATE entries SET epoch = epoch + 1 WHERE seq = ?",
        "UPDATE entries SET kind = CASE kind WHEN 'carried' THEN 'noted' ELSE 'carried' END \
         WHERE seq = ?",
        "UPDATE entries SET seq = 1000 WHERE seq = ?",
        "UPDATE entries SET seq = -seq WHERE seq = ?",
        "DELETE FROM entries WHERE seq = ?",
        "DELETE FROM entries WHERE seq >= ?",
        "INSERT INTO entries SELECT -1, epoch, kind, hash, bytes FROM entries WHERE seq = ?",
        "INSERT INTO entries SELECT 31, epoch, kind, hash, bytes FROM entries WHERE seq = ?",
        "UPDATE entries SET seq = CASE seq WHEN ?1 THEN -?1 ELSE seq END;; \
         UPDATE entries SET seq = ?1 WHERE seq = 1 + ?1 % 30;; \
         UPDATE entries SET seq = 1 + ?1 % 30 WHERE seq = -?1",
    ];
    let mut tried = 0;
    for edit in edits {
        for seq in 1..=30_i64 {
            let kind_is_carried = seq % 10 == 0;
            if kind_is_carried && edit.contains("mallo") {
                continue; // a carried situation does not name alice in every form
            }
            tried += 1;
            expect_damage(&original, dir.path(), edit, Some(seq)).await;
        }
    }
    for edit in [
        first,
        last,
        "DELETE FROM entries",
        "CREATE TABLE more (x)",
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END",
        "DROP INDEX carried",
        "PRAGMA application_id = 1",
        "PRAGMA user_version = 0",
    ] {
        tried += 1;
        expect_damage(&original, dir.path(), edit, None).await;
    }
    assert!(tried > 300, "{tried}");
}

async fn expect_damage(original: &Path, dir: &Path, edit: &'static str, seq: Option<i64>) {
    let state = dir.join("copy");
    std::fs::create_dir(&state).unwrap();
    for file in ["journal.db", "journal.head"] {
        std::fs::copy(original.join(file), state.join(file)).unwrap();
    }
    let file = state.join("journal.db");
    let mut store = Box::new(store::sqlite::SqliteStore::open_write(&file).await.unwrap());
    store.edit(edit, seq).await;
    store.settle().await.unwrap();
    let mut found = match Reader::open(&state).await {
        Ok(mut reader) => reader.verify().await,
        Err(refused) => Err(refused),
    };
    let says_so = matches!(found, Err(Error::Damaged { .. }));
    assert!(says_so, "{edit} {seq:?}: {found:?}");
    found = Writer::open(&state).await.map(|writer| writer.head().0);
    let says_so = matches!(found, Err(Error::Damaged { .. }));
    assert!(says_so, "writer, {edit} {seq:?}: {found:?}");
    std::fs::remove_dir_all(&state).unwrap();
}

#[tokio::test]
async fn a_whole_chain_made_anew_is_detected_by_whoever_holds_a_head() {
    let dir = tempfile::tempdir().unwrap();
    closed_journal(&dir.path().join("one"), 20).await;
    let mut writer = Writer::open(&dir.path().join("two")).await.unwrap();
    for _ in 0..25 {
        writer.append(vec![note("another story")]).await.unwrap();
    }
    writer.close().await.unwrap();
    std::fs::copy(dir.path().join("two/journal.db"), dir.path().join("one/journal.db")).unwrap();
    let mut reader = Reader::open(&dir.path().join("one")).await.unwrap();
    let found = reader.verify().await;
    assert!(matches!(found, Err(Error::Damaged { seq: 20, .. })), "{found:?}");
}

#[tokio::test]
async fn entries_that_were_acknowledged_and_are_gone_from_the_log_are_missed() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(7);
    for round in 0..60 {
        let state = dir.path().join(round.to_string());
        let copy = dir.path().join(format!("{round}-copy"));
        std::fs::create_dir(&copy).unwrap();
        let mut writer = Writer::open(&state).await.unwrap();
        let mut all = Vec::new();
        for number in 0..12 {
            all.extend(writer.append(vec![note(&format!("note {number}"))]).await.unwrap());
        }
        // What a kill leaves behind: the log was never written into the file.
        for file in ["journal.db", "journal.db-wal", "journal.head"] {
            std::fs::copy(state.join(file), copy.join(file)).unwrap();
        }
        let log = copy.join("journal.db-wal");
        let mut bytes = std::fs::read(&log).unwrap();
        let at = random.below(bytes.len());
        bytes[at] ^= 0x10;
        std::fs::write(&log, bytes).unwrap();
        if let Some(entries) = read_all(&copy).await {
            assert!(entries == all, "round {round}, byte {at}");
        }
        if let Ok(writer) = Writer::open(&copy).await {
            assert_eq!(writer.head().0, 12, "round {round}, byte {at}");
        }
    }
}

#[tokio::test]
async fn the_damaged_file_is_copied_aside_once_and_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    closed_journal(dir.path(), 20).await;
    let file = dir.path().join("journal.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.windows(7).position(|w| w == b"note 13").unwrap();
    bytes[at + 5] = b'7';
    std::fs::write(&file, &bytes).unwrap();
    for _ in 0..3 {
        let refused = Writer::open(dir.path()).await.unwrap_err();
        assert!(matches!(refused, Error::Damaged { seq: 13, .. }), "{refused}");
        let said = refused.to_string();
        assert!(said.contains("copy was kept as") && said.contains("to go on"), "{said}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    let copies: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".damaged-"))
        .collect();
    assert_eq!(copies.len(), 1);
    assert_eq!(std::fs::read(&copies[0]).unwrap(), bytes);
}

/// The start of a long journal is not read before the first write, and damage there is found by
/// whoever reads all of it.
#[tokio::test]
async fn a_long_journal_opens_on_its_tail_and_the_rest_is_read_by_verify() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path()).await.unwrap();
    let mut situation = Situation::default();
    for number in 0..30 {
        let mut drafts: Vec<Draft> = (0..100).map(|_| note("x")).collect();
        if number == 25 {
            drafts[0] = carried(&situation);
        }
        for entry in writer.append(drafts).await.unwrap() {
            situation.apply(&entry);
        }
    }
    writer.close().await.unwrap();
    for (seq, opens) in [(700, true), (2501, false), (2900, false)] {
        let state = dir.path().join(format!("copy-{seq}"));
        std::fs::create_dir(&state).unwrap();
        for file in ["journal.db", "journal.head"] {
            std::fs::copy(dir.path().join(file), state.join(file)).unwrap();
        }
        let file = state.join("journal.db");
        let mut store = Box::new(store::sqlite::SqliteStore::open_write(&file).await.unwrap());
        store.edit("UPDATE entries SET hash = zeroblob(32) WHERE seq = ?", Some(seq)).await;
        store.settle().await.unwrap();
        match Writer::open(&state).await {
            Ok(writer) => assert!(opens && !writer.was_read_whole(), "{seq}"),
            Err(refused) => {
                assert!(!opens && matches!(refused, Error::Damaged { .. }), "{refused}");
            }
        }
        let found = Reader::open(&state).await.unwrap().verify().await;
        assert!(matches!(found, Err(Error::Damaged { .. })), "{seq}: {found:?}");
    }
}

/// G20: whoever can write every file can make the whole chain anew. Without a head that was noted
/// elsewhere nobody can tell, which is said here; with one every edit is found.
#[tokio::test]
async fn a_chain_made_anew_by_root_is_found_if_and_only_if_a_head_was_noted_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let original = dir.path().join("original");
    let all = closed_journal(&original, 20).await;
    let anchored = super::folder::Anchor::read(&original).unwrap();
    let rounds = if long() { 1_000 } else { 40 };
    let mut random = Random(20);
    for round in 0..rounds {
        let forged = dir.path().join("forged");
        let mut writer = Writer::open(&forged).await.unwrap();
        let edited = random.below(all.len());
        // One entry is another one, or is left out, or the tail is cut; every hash is right again.
        let kind = random.below(3);
        for (at, entry) in all.iter().enumerate() {
            let mut draft = Draft {
                incident: entry.incident,
                at: entry.at,
                author: entry.author.clone(),
                body: entry.body.clone(),
            };
            match kind {
                0 if at == edited => draft = note("another story"),
                1 if at == edited => continue,
                2 if at >= edited.max(1) => break,
                _ => {}
            }
            writer.append(vec![draft]).await.unwrap();
        }
        writer.close().await.unwrap();
        let own_head = Reader::open(&forged).await.unwrap().verify().await;
        assert!(own_head.is_ok(), "round {round}: nobody can tell without a head: {own_head:?}");
        // The head that a person, a screen or another machine noted.
        let line = format!("{:020} {}\n", anchored.seq, anchored.hash);
        std::fs::write(forged.join("journal.head"), line).unwrap();
        let found = match Reader::open(&forged).await {
            Ok(mut reader) => reader.verify().await,
            Err(refused) => Err(refused),
        };
        assert!(
            matches!(found, Err(Error::Damaged { .. })),
            "round {round}, kind {kind}, at {edited}: {found:?}"
        );
        std::fs::remove_dir_all(&forged).unwrap();
    }
    say!("{rounds} forged chains: each found by the noted head, none without");
}
