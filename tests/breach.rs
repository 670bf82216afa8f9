//! A security breach is on record until another user releases it.

use super::people::{GROUP, add, bob, can_be_others, open_for_others, text};
use super::support::Stack;

#[test]
fn nothing_starts_until_another_user_gives_the_security_release() {
    if !can_be_others("nothing_starts_until_another_user_gives_the_security_release") {
        return;
    }
    let stack = Stack::up(Some("errors:0.3"));
    open_for_others(&stack);
    add(&stack, &format!("share: {{group: {GROUP}}}\n"));
    let none = stack.run(&["breach", "release", "--reason", "x"]);
    assert_eq!((none.code, none.out.as_str()), (0, "no breach is on record\n"), "{none:?}");
    let said = stack.run(&["breach", "report", "--reason", "a login nobody knows"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("Nothing starts until another person releases it"), "{said:?}");
    let rollback = ["rollback", "--quick", "--reason", "test"];
    let refused = stack.run(&rollback);
    assert_eq!(refused.code, 10, "{refused:?}");
    assert!(refused.err.contains("security_release"), "{refused:?}");
    let deploy = stack.run(&["deploy", "begin", "--version", "v9"]);
    assert_eq!(deploy.code, 10, "{deploy:?}");
    let own = stack.run(&["breach", "release", "--reason", "it was me"]);
    assert_eq!(own.code, 10, "{own:?}");
    assert!(own.err.contains("another person must release it"), "{own:?}");
    let released = bob(&stack, &["breach", "release", "--reason", "a false alarm: the auditor"]);
    assert_eq!(released.status.code(), Some(0), "{}", text(&released));
    let timeline = stack.situation().timeline;
    let has = |words: &str| timeline.iter().any(|moment| moment.text.as_str().contains(words));
    assert!(has("security_release by bob"), "{timeline:?}");
    assert!(has("security_release: a false alarm: the auditor"), "{timeline:?}");
    let done = stack.run(&rollback);
    assert_eq!(done.code, 0, "{done:?}\n{}", stack.log());
}
