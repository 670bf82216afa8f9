//! Engines that end by themselves: whoever comes in that moment is heard, and a configuration that
//! was changed since is the one in force.

use std::process::Command;
use std::time::Duration;

use backout::clock::Clock;

use super::support::Stack;

/// Leaves an engine behind that nobody needs; its process id.
fn left_behind(stack: &Stack) -> String {
    let taken = stack.run(&["lock", "acquire", "--for", "20m", "--reason", "a look"]);
    assert_eq!(taken.code, 0, "{taken:?}");
    std::fs::read_to_string(stack.state().join("engine.lock")).unwrap().trim().to_owned()
}

fn send(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
}

#[tokio::test]
async fn whoever_comes_as_an_engine_ends_is_heard() {
    let stack = Stack::up(None);
    let pid = left_behind(&stack);
    send("-STOP", &pid);
    // When it goes on, its time alone is over, and somebody is at its door.
    let begun = stack.start(&["lock", "release", "--reason", "seen"]);
    Clock::real().sleep(Duration::from_millis(3500)).await;
    send("-CONT", &pid);
    let said = begun.wait_with_output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(stack.run(&["lock", "check"]).code, 0);
}

#[test]
fn a_configuration_that_was_changed_is_in_force_for_the_next_command() {
    let stack = Stack::up(None);
    left_behind(&stack);
    let text = std::fs::read_to_string(stack.config()).unwrap();
    assert!(text.contains("environment: demo"), "{text}");
    std::fs::write(stack.config(), text.replace("environment: demo", "environment: renamed"))
        .unwrap();
    let plan = stack.run(&["lock", "acquire", "--for", "1h", "--reason", "under the new name"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let engine = stack.situation().engine.unwrap();
    assert_eq!(engine.environment.as_str(), "renamed");
}
