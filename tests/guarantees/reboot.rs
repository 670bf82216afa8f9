//! After a restart of the machine (G4): level 1 goes on, levels 2 and 3 wait for a person.

use std::time::Duration;

use backout::model::entry::Event;
use backout::model::plan::{Level, Plan};

use super::super::support::Stack;
use super::{alone, begun, left_behind, plan_for};

/// A run of that level which another boot left in the middle of its switch.
fn cut_off(stack: &Stack, level: Level) {
    let mut plan: Plan = plan_for(stack, &["rollback", "--quick"]);
    plan.core.level = level;
    alone(stack);
    let situation = stack.situation();
    let run = super::RunId(format!("{}-{}-1", situation.last_incident + 1, situation.journal));
    let first = plan.core.steps.iter().find(|step| step.needs.is_empty()).unwrap().id.clone();
    left_behind(stack, plan, "before", vec![begun(&run, first.as_str(), 1)]);
}

#[test]
fn level_1_goes_on_by_itself_under_another_boot() {
    let stack = Stack::up(Some("errors:0.3"));
    cut_off(&stack, Level::Switch);
    stack.run_with("boot:after", &["rollback", "--quick", "--reason", "again"]);
    let ended = || stack.run(&["history"]).out.contains("STATUS=success");
    stack.wait("the run ends", Duration::from_secs(40), ended);
    assert_eq!(stack.status()["active"], "blue");
}

#[test]
fn levels_2_and_3_wait_under_another_boot_until_a_person_says_resume() {
    for level in [Level::Full, Level::PointInTime] {
        let stack = Stack::up(Some("errors:0.3"));
        let before = stack.ledger();
        cut_off(&stack, level);
        // A listing starts nothing.
        let shown = stack.run(&["run", "show"]);
        assert!(shown.out.contains("pending") && shown.out.contains("running (1)"), "{shown:?}");
        stack.run_with("boot:after", &["rollback", "--quick", "--reason", "again"]);
        let waits = || {
            stack.situation().open_run().is_some_and(|run| {
                run.waiting.as_ref().is_some_and(|asked| asked.why.as_str().contains("restarted"))
            })
        };
        stack.wait("it asks", Duration::from_secs(20), waits);
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(stack.ledger(), before, "nothing was changed without a person");
        let shown = stack.run(&["run"]);
        assert!(
            shown.out.contains("does not go on by itself") && shown.out.contains("run resume"),
            "{shown:?}"
        );
        let said = stack.run(&["run", "resume", "--reason", "looked: nobody touched it"]);
        assert_eq!(said.code, 0, "{said:?}\n{}", stack.log());
        // A plan of level 1 under another level's name has no proofs of that level: it only ends.
        let ended = || stack.run(&["history"]).out.contains("STATUS=");
        stack.wait("the run ends", Duration::from_secs(40), ended);
        assert_eq!(stack.status()["active"], "blue");
        let resumed = super::entries(&stack).into_iter().filter(|entry| {
            matches!(&entry.body, backout::model::entry::Body::Event(event)
                if matches!(event.as_ref(), Event::Resumed))
        });
        assert_eq!(resumed.count(), 1);
    }
}
