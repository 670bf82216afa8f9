//! Releases laid on a service in its place.

use std::time::Duration;

use backout::adapters::{DeployOrder, Kind, Workload};
use backout::model::ids::{Color, Digest};

use super::lab::{Lab, lab};

/// An order for green, with the digest of the image that a tag points at.
pub(super) async fn order(version: &str, effect: &str) -> DeployOrder {
    let image = Lab::docker().image(&format!("spacetime:{version}")).await.unwrap();
    DeployOrder {
        color: "green".into(),
        version: version.into(),
        digest: Digest(image.id.trim_start_matches("sha256:").to_owned()),
        runs: true,
        grace: Duration::from_secs(5),
        effect: effect.to_owned(),
    }
}

#[tokio::test]
async fn the_recorded_image_runs_and_nothing_else_is_touched() {
    let Some(lab) = lab() else { return };
    let (compose, green, blue) = (lab.compose(), Color::from("green"), Color::from("blue"));
    let others = compose.look(&blue).await.unwrap().identity;
    let new = order("v2.5.0", "7-k7qd-1.deploy.1").await;
    compose.deploy(&new).await.unwrap();
    assert_eq!(compose.released(&green).await.unwrap().digest, Some(new.digest.clone()));
    assert_eq!(lab.variable("IMAGE_TAG").as_deref(), Some("v2.5.0"));
    let life = compose.look(&green).await.unwrap().identity;
    let again = compose.deploy(&new).await.unwrap();
    assert!(again.as_str().contains("already"), "{again}");
    assert_eq!(compose.look(&green).await.unwrap().identity, life);

    let text = std::fs::read_to_string(lab.dir.join(".env")).unwrap();
    let old = order("v2.4.9", "7-k7qd-2.deploy.1").await;
    let note = compose.deploy(&old).await.unwrap();
    let kept = format!("{}-app-green-failed:7-k7qd-2", lab.project);
    assert!(note.as_str().contains(&kept), "{note}");
    let failed = Lab::docker().image(&kept).await;
    Lab::client(&["rmi", &kept]);
    assert!(failed.is_ok(), "what failed is kept");
    let replaced = lab.runs().join("7-k7qd-2.deploy.1.compose.1/replaced");
    assert!(replaced.join("container.log").is_file() && replaced.join("inspect.json").is_file());
    let there = compose.released(&green).await.unwrap();
    assert_eq!((there.version.as_str(), there.digest), ("v2.4.9", Some(old.digest.clone())));
    assert!(compose.look(&green).await.unwrap().running);
    let after = std::fs::read_to_string(lab.dir.join(".env")).unwrap();
    assert_eq!(after, text.replace("IMAGE_TAG=v2.5.0", "IMAGE_TAG=v2.4.9"), "to the byte");
    assert_eq!(compose.look(&blue).await.unwrap().identity, others, "blue was never touched");

    let asleep = DeployOrder { runs: false, effect: "7-k7qd-3.deploy.1".to_owned(), ..old };
    compose.deploy(&asleep).await.unwrap();
    let lies = compose.look(&green).await.unwrap();
    assert!(!lies.running && lies.kept, "{lies:?}");
}

#[tokio::test]
async fn a_tag_that_was_moved_is_refused_with_both_ids_and_nothing_changes() {
    let Some(lab) = lab() else { return };
    let moved = format!("moved-{}", std::process::id());
    Lab::client(&["tag", "spacetime:v2.4.9", &format!("spacetime:{moved}")]);
    let (wrong, right) = (order("v2.5.0", "e.deploy.1").await, order("v2.4.9", "e").await);
    let order = DeployOrder { version: moved.as_str().into(), ..wrong.clone() };
    let before = std::fs::read(lab.dir.join(".env")).unwrap();
    let compose = lab.compose();
    // What lies there already would need no name.
    let other = compose.released(&order.color).await.unwrap().digest;
    let error = compose.deploy(&order).await;
    let releases = compose.releases().await.unwrap();
    Lab::client(&["rmi", &format!("spacetime:{moved}")]);
    assert_ne!(other, Some(order.digest.clone()));
    let error = error.unwrap_err();
    assert_eq!(error.kind, Kind::Rejected);
    assert!(error.message.contains(&wrong.digest.0), "{error}");
    assert!(error.message.contains(&right.digest.0), "{error}");
    assert_eq!(std::fs::read(lab.dir.join(".env")).unwrap(), before);
    let has = |version: &str, digest: &Digest| {
        releases.iter().any(|one| one.version.as_str() == version && one.digest == *digest)
    };
    assert!(has("v2.5.0", &wrong.digest) && has("v2.4.9", &right.digest), "{releases:?}");

    let gone = DeployOrder { digest: Digest("0".repeat(64)), ..order };
    assert_eq!(compose.deploy(&gone).await.unwrap_err().kind, Kind::NotFound);
}

#[tokio::test]
async fn restore_points_name_releases_and_say_what_is_missing() {
    let Some(lab) = lab() else { return };
    let point = lab.dir.join("backups/20250101-000000");
    std::fs::create_dir_all(&point).unwrap();
    let list =
        "nginx:1.22\nspacetime:v2.4.9\nspacetime:v1.0.0\nregistry.local:5000/x/spacetime:v9\n";
    std::fs::write(point.join("images.txt"), list).unwrap();
    std::fs::write(point.join("schema_version.txt"), "104\n").unwrap();
    let releases = lab.compose().releases().await;
    std::fs::remove_dir_all(&point).unwrap();
    let releases = releases.unwrap();
    let of = |version: &str| releases.iter().find(|one| one.version.as_str() == version);
    let kept = of("v2.4.9").unwrap();
    assert_eq!((kept.schema, &kept.broken), (Some(104), &None));
    let missing = of("v1.0.0").unwrap().broken.clone().unwrap();
    assert!(missing.as_str().contains("20250101-000000"), "{missing}");
    assert!(of("v9").is_none() && of("1.22").is_none(), "{releases:?}");
}

#[tokio::test]
async fn a_container_that_somebody_removed_is_made_again() {
    let Some(lab) = lab() else { return };
    let (compose, green) = (lab.compose(), Color::from("green"));
    compose.deploy(&order("v2.4.9", "e.again.1").await).await.unwrap();
    let id = Lab::docker().of_service(&lab.project, "app-green").await.unwrap().id;
    Lab::client(&["rm", "-f", &id]);
    let gone = compose.look(&green).await.unwrap();
    assert!(!gone.running && !gone.kept, "{gone:?}");
    assert_eq!(compose.start(&green, "e").await.unwrap_err().kind, Kind::NotFound);
    compose.deploy(&order("v2.4.9", "e.again.2").await).await.unwrap();
    let back = compose.look(&green).await.unwrap();
    assert!(back.running && back.kept, "{back:?}");
}
