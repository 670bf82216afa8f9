//! The safety backup: what it holds, where it goes, and that it is taken once.

use serde_json::json;

use super::*;
use crate::adapters::sqlite::SqliteDatabase;
use crate::evidence::manifest::PointKind;
use crate::evidence::points;

/// A context with data, settings and a database.
async fn cx(stage: &Stage) -> StepCx {
    use sqlx::{ConnectOptions as _, Connection as _};
    let at = |name: &str| stage.dir.path().join(name);
    fs::create_dir_all(at("state")).unwrap();
    fs::create_dir_all(at("data")).unwrap();
    fs::write(at("data/avatar"), "png").unwrap();
    fs::write(at(".env"), "TOKEN=1\n").unwrap();
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(at("app.db")).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    let sql = "CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY)";
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let mut cx = stage.cx();
    cx.look.points = Some(at("points"));
    cx.look.database = Some(Arc::new(SqliteDatabase::new(at("app.db"))));
    cx.look.saved = Saved {
        base: stage.dir.path().to_owned(),
        files: vec![at(".env"), at("gone.conf")],
        data: Some(at("data")),
        key: None,
        state: at("state"),
    };
    cx
}

#[tokio::test]
async fn it_holds_states_settings_data_and_database_and_is_named_by_the_pointer() {
    let stage = Stage::new().await;
    let cx = cx(&stage).await;
    let step = kind(json!({"safety_backup": {"colors": ["blue", "green"]}}));
    let step = step.as_step();
    assert_eq!(step.standing(&cx.look).await, Standing::NotDone);
    let note = step.run(&cx).await.unwrap();
    assert!(note.as_str().contains("not kept: gone.conf"), "{note}");
    assert_eq!(step.standing(&cx.look).await, Standing::Done);

    let found = points::list(&stage.dir.path().join("points")).unwrap();
    let [point] = found.as_slice() else { panic!("{found:?}") };
    assert!(point.id.as_str().starts_with("rollback-safety-"), "{}", point.id);
    assert_eq!(point.kind, PointKind::Safety);
    let verified = points::verify(point, None, &|_, _| {}).unwrap();
    let names: Vec<&str> = verified.names().collect();
    for name in
        ["images.txt", "containers.json", ".env", "data.tar.gz", "database.sql.gz", "timestamp.txt"]
    {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert_eq!(verified.manifest.unwrap().tables[0].name, "users");
    let pointer = fs::read_to_string(stage.dir.path().join("state/last_safety_backup")).unwrap();
    assert_eq!(pointer.trim_end(), point.path.display().to_string());

    // Cut off after the point and before the pointer: it is seen, and no second point is taken.
    fs::remove_file(stage.dir.path().join("state/last_safety_backup")).unwrap();
    assert!(matches!(step.standing(&cx.look).await, Standing::Partly(_)));
    step.run(&cx).await.unwrap();
    assert_eq!(step.standing(&cx.look).await, Standing::Done);
    assert_eq!(points::list(&stage.dir.path().join("points")).unwrap().len(), 1);

    // The next attempt of this step finds it; another run takes its own.
    let mut other = cx.clone();
    other.look.effect = "142-k7qd-1.step.2".to_owned();
    assert_eq!(step.standing(&other.look).await, Standing::Done);
    other.look.effect = "142-k7qd-2.step.1".to_owned();
    assert_eq!(step.standing(&other.look).await, Standing::NotDone);
    // Also within the same second: names are seconds.
    step.run(&other).await.unwrap();
    assert_eq!(points::list(&stage.dir.path().join("points")).unwrap().len(), 2);
}

#[tokio::test]
async fn without_a_place_for_it_nothing_is_done_and_ended_now_leaves_nothing() {
    let stage = Stage::new().await;
    let mut cx = cx(&stage).await;
    let step = kind(json!({"safety_backup": {"colors": ["green"]}}));
    stage.cancel.send_replace(true);
    cx.cancel = stage.cancel.subscribe();
    let ended = step.as_step().run(&cx).await.unwrap_err();
    assert_eq!(ended.message, "ended now on request");
    assert!(!stage.dir.path().join("points").exists());
    stage.cancel.send_replace(false);
    cx.look.points = None;
    let error = step.as_step().run(&cx).await.unwrap_err();
    assert!(error.message.contains("restore_points"), "{error}");
}
