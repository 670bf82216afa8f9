//! What is held is said in front, and never cut; what can be held is offered where there is room.

use super::*;
use crate::model::hold::{CanHold, HoldPart};

impl Scene {
    fn held(self, part: HoldPart) -> Self {
        self.command(Command::Hold { parts: vec![part], reason: "charged twice".into() }).event(
            Event::HoldEnded {
                part,
                held: true,
                end: StepEnd::Done,
                took: Duration::from_millis(40),
                note: "".into(),
            },
        )
    }

    fn can(mut self) -> Self {
        let can = |part: HoldPart| CanHold { part, can: true, text: part.cost().into() };
        self.live.can_hold = HoldPart::ALL.map(can).to_vec();
        self
    }
}

#[test]
fn what_is_held_stands_before_what_fails_and_cuts_none_of_its_help() {
    let scene = Scene::ready();
    let free = scene.lines();
    let scene = scene.held(HoldPart::Writers).later(70);
    let held = scene.lines();
    assert!(held.what.starts_with("HELD writes. api fails 14.2 %"), "{}", held.what);
    assert!(held.what.ends_with("v2.4.9 answers 20/20."), "{}", held.what);
    assert!(free.what.ends_with("v2.4.9 answers 20/20."), "{}", free.what);
    let scene = scene.held(HoldPart::Page);
    assert!(scene.lines().what.starts_with("HELD writes+page 1:10. api fails 14.2 %"));
    let calm = Scene::new().signals(Vec::new()).held(HoldPart::Consumers).later(5);
    let calm = calm.lines().what;
    assert!(calm.starts_with("HELD workers 0:05. "), "with its time where there is room: {calm}");
}

#[test]
fn stopping_the_bleeding_is_offered_while_something_fails_and_can_be_held() {
    let scene = Scene::failing();
    assert!(!scene.lines().next.contains("Stop the bleeding"), "nothing is known to be holdable");
    let scene = scene.can();
    assert_eq!(scene.lines().next, "Level 1 is being looked at. Press L.  Stop the bleeding: H");
    let ready = "Level 1 is ready: about 0:20, no data change. Press L.  Stop the bleeding: H";
    assert_eq!(Scene::ready().can().lines().next, ready);
    let held = scene.held(HoldPart::Writers).lines().next;
    assert!(!held.contains("Stop the bleeding"), "{held}");
}
