//! A security breach on real containers: what they wrote is kept before they are cut off, and nothing
//! of this host is (S-53, W-05, W-06).

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use backout::model::guide::{Act, Guide};

use super::lab::lab;
use super::site::Site;

/// A line there and back again over a connection: a session of ours.
fn speaks(session: &mut TcpStream) {
    session.write_all(b"still here\n").unwrap();
    let mut heard = [0; 11];
    session.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"still here\n");
}

fn echo() -> u16 {
    let server = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for session in server.incoming().flatten() {
            std::thread::spawn(move || {
                let mut writes = session.try_clone().unwrap();
                std::io::copy(&mut &session, &mut writes).ok();
            });
        }
    });
    port
}

/// What the archive of the files that a container changed holds of ours.
fn layer(kept: &Path, container: &str) -> String {
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("evidence-layer-") && name.contains("green")
    };
    let mut found = std::fs::read_dir(kept).unwrap().map(|entry| entry.unwrap().path());
    let archive = found
        .find(named)
        .unwrap_or_else(|| panic!("no layer of {container} in {}", kept.display()));
    let mut tar = Command::new("tar");
    let said = tar.arg("-xzOf").arg(archive).arg("./tmp/left-behind").output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// Runs a step of the procedure with an engine that makes no images, and fails at once.
fn without_images(site: &Site<'_>, guide: &Guide, number: usize) {
    let broken = site.dir.path().join("broken");
    std::fs::create_dir(&broken).unwrap();
    let script = "#!/bin/sh\n[ \"$1\" != commit ] || exit 1\nexec /usr/bin/docker \"$@\"\n";
    std::fs::write(broken.join("docker"), script).unwrap();
    let execute = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(broken.join("docker"), execute).unwrap();
    let Act::Change(script) = &guide.steps[number - 1].act else { panic!("{number}") };
    let mut again = site.stack.place.command("sh");
    again.args(["-c", script]).current_dir(site.state());
    again.env("BACKOUT_PROJECT", &site.stack.project);
    again.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", broken.display()));
    let again = again.output().unwrap();
    assert!(again.status.success(), "{again:?}");
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(said.contains("no image could be made"), "{said}");
}

#[test]
fn evidence_is_kept_before_the_containers_are_cut_off_and_our_session_lives() {
    let Some(lab) = lab() else { return };
    let site = Site::fresh(&lab.stack);
    let port = echo();
    let mut session = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let green = site.stack.container("app-green");
    let mark = "echo marker-4711 > /proc/1/fd/1; echo marker-4712 > /tmp/left-behind";
    site.stack.docker(&["exec", &green, "sh", "-c", mark]);
    let said = site.run(&["breach", "report", "--reason", "a shell of somebody"]);
    assert_eq!(said.code, 0, "{}", said.text);
    for level in ["1", "2", "3"] {
        let said = site.run(&["rollback", "--level", level, "--auto-confirm", "--reason", "x"]);
        assert_eq!(said.code, 10, "{}", said.text);
        assert!(said.text.contains("breach"), "{}", said.text);
    }
    let other = site.run(&["guide", "run", "complete-outage", "4", "--change"]);
    assert_eq!(other.code, 10, "nothing else changes anything: {}", other.text);

    let guides = backout::config::guides::load(None).unwrap();
    let guide = guides.iter().find(|guide| guide.id == "security-breach").unwrap();
    let number = |title: &str| {
        let at = guide.steps.iter().position(|step| step.title.as_str().starts_with(title));
        (at.unwrap() + 1).to_string()
    };
    let step = |title: &str, more: &[&str]| {
        let said = site.run(&[&["guide", "run", "security-breach", &number(title)], more].concat());
        assert_eq!(said.code, 0, "{title}: {}", said.text);
        said.text
    };
    step("Preserve logs", &["--change"]);
    step("Keep an image", &["--change"]);
    step("Copy the volumes", &["--change"]);
    step("Cut the containers off", &["--change"]);
    step("Nobody reaches it", &[]);

    let kept = site.state().join("breach/last").canonicalize().unwrap();
    let log = std::fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path());
    let log = log.into_iter().find(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("incident-logs-") && name.contains("green")
    });
    let log = std::fs::read_to_string(log.unwrap()).unwrap();
    assert!(log.contains("marker-4711"), "{log}");
    let mut sums = site.stack.place.command("sha256sum");
    sums.args(["--quiet", "-c", "SHA256SUMS"]).current_dir(&kept);
    let sums = sums.output().unwrap();
    assert!(sums.status.success(), "{sums:?}");
    let images = std::fs::read_to_string(kept.join("forensic-images.txt")).unwrap();
    match images.lines().find(|line| line.contains("green")) {
        Some(image) => {
            let image = image.split(' ').next().unwrap();
            let run = ["run", "--rm", "--network", "none", "--entrypoint", "cat", image];
            let left = [&run[..], &["/tmp/left-behind"]].concat();
            assert_eq!(site.stack.docker(&left), "marker-4712");
        }
        // An engine under load may make none in time.
        None => assert_eq!(layer(&kept, &green), "marker-4712"),
    }
    without_images(&site, guide, number("Keep an image").parse().unwrap());
    assert_eq!(layer(&kept, &green), "marker-4712");

    // Cut off and still running; nobody of this host is.
    let state = "{{.State.Running}} {{len .NetworkSettings.Networks}}";
    assert_eq!(site.stack.docker(&["inspect", "-f", state, &green]), "true 0");
    speaks(&mut session);
    speaks(&mut TcpStream::connect(("127.0.0.1", port)).unwrap());
    // Every start is refused until another person releases it; whoever reported it cannot.
    let own = site.run(&["breach", "release", "--reason", "it was nothing"]);
    assert_eq!(own.code, 10, "{}", own.text);
    assert!(own.text.contains("another person must release it"), "{}", own.text);
    let undo = kept.join("reconnect.sh");
    site.stack.place.said("sh", &[undo.to_str().unwrap()]);
    assert_eq!(site.stack.docker(&["inspect", "-f", state, &green]), "true 1");
}
