//! A security breach on real containers: what they wrote is kept before they are cut off, and nothing
//! of this host is (S-53, W-05, W-06).

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

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

#[test]
#[ignore = "an engine may never end the commit of a container that is under load"]
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
    let image = images.lines().find(|line| line.contains("green")).unwrap();
    let image = image.split(' ').next().unwrap();
    let left =
        ["run", "--rm", "--network", "none", "--entrypoint", "cat", image, "/tmp/left-behind"];
    assert_eq!(site.stack.docker(&left), "marker-4712");

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
