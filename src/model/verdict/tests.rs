use proptest::prelude::*;

use super::super::entry::{Abort, Command, Event, Leftover, Outcome, Standing, StepEnd};
use super::super::ids::Digest;
use super::super::live::{LiveStep, LiveWatch};
use super::super::plan::{Level, LevelCard, LevelStanding, Plan, Preflight, PreflightAnswer};
use super::super::reading::Reason;
use super::super::sample::*;
use super::super::signal::Signal;
use super::super::tree::{Answer, assess, built_in};
use super::super::watch::Verdict;
use super::*;
use crate::text::{SafeText, width};

/// A situation with numbers, seen at its own time.
mod held;

struct Scene {
    tape: Tape,
    live: Live,
}

impl Scene {
    fn new() -> Self {
        let mut tape = Tape::new();
        tape.now = 40;
        Self { tape, live: Live::default() }
    }

    fn check(mut self, id: &str, status: Status, note: &str) -> Self {
        self.tape.event(Event::CheckChanged {
            check: id.into(),
            status,
            reason: (status == Status::Unknown).then_some(Reason::NoPermission),
            note: note.into(),
            since: at(24),
            critical: true,
        });
        self
    }

    fn signals(mut self, changed: Vec<Signal>) -> Self {
        self.live.signals = with(all_well(), changed);
        self.assessed()
    }

    fn assessed(self) -> Self {
        let assessment = assess(
            &built_in(),
            &self.live.signals,
            &self.tape.situation.said,
            self.tape.situation.assessment.as_ref(),
            at(self.tape.now),
        );
        self.event(Event::Assessed { assessment: Box::new(assessment) })
    }

    fn event(mut self, event: Event) -> Self {
        self.tape.event(event);
        self
    }

    fn command(mut self, command: Command) -> Self {
        self.tape.command(command);
        self
    }

    fn later(mut self, seconds: i64) -> Self {
        self.tape.now += seconds;
        self
    }

    fn cards(self, cards: Vec<LevelCard>) -> Self {
        self.event(Event::LevelsJudged { cards })
    }

    /// The drawing: v2.5.0 at 10 s, errors from 24 s on.
    fn failing() -> Self {
        let mut scene = Self::new();
        scene.tape.deploy(10);
        scene
            .check("api", Status::Fail, "503")
            .signals(vec![number("error_rate", 14.2), flag("failed_health_checks", true)])
    }

    fn ready() -> Self {
        Self::failing()
            .event(Event::HelpTested { test: help_test(14, 20, None) })
            .cards(vec![card(Level::Switch, LevelStanding::Ready, "switch to blue")])
    }

    fn opened(self) -> Self {
        self.event(Event::IncidentOpened { incident: 142, why: "errors".into() })
    }

    fn planned(self, plan: Plan, preflight: Vec<Preflight>) -> Self {
        self.opened().event(Event::PlanMade { plan: Box::new(plan), by: "alice".into(), preflight })
    }

    fn started(self) -> Self {
        let plan = level_one();
        let digest = plan.digest();
        self.planned(plan, Vec::new()).event(Event::RunStarted {
            run: run_id(),
            plan: digest,
            by: "alice".into(),
            reason: "errors".into(),
            accept_loss: None,
        })
    }

    fn begin(self, step: &str) -> Self {
        self.event(Event::StepStarted {
            run: run_id(),
            step: step.into(),
            attempt: 1,
            effect: String::new(),
            boot: "b1".into(),
        })
    }

    fn end(self, step: &str, end: StepEnd) -> Self {
        self.event(Event::StepEnded {
            run: run_id(),
            step: step.into(),
            attempt: 1,
            end,
            took: std::time::Duration::from_secs(2),
            note: SafeText::default(),
        })
    }

    fn needs(self, step: Option<&str>, why: &str, offer: Option<Level>) -> Self {
        self.event(Event::NeedsPerson {
            run: run_id(),
            step: step.map(Into::into),
            why: why.into(),
            offer,
        })
    }

    fn watching(self, verdict: Option<(Verdict, f64)>) -> Self {
        let mut scene = self.started().later(9).event(Event::WatchOpened {
            run: run_id(),
            window: std::time::Duration::from_secs(30),
        });
        if let Some((verdict, now)) = verdict {
            scene.live.watch = Some(LiveWatch {
                counted: std::time::Duration::from_secs(12),
                window: std::time::Duration::from_secs(30),
                before: Some(14.2),
                now: Some(now),
                p95: Some(0.041),
                failing: Vec::new(),
                verdict,
            });
        }
        scene
    }

    fn ended(self, outcome: Outcome, why: &str) -> Self {
        self.watching(None).later(30).event(Event::RunEnded {
            run: run_id(),
            outcome,
            took: std::time::Duration::from_secs(9),
            why: why.into(),
            history: String::new(),
        })
    }

    fn lines(&self) -> Lines {
        let now = at(self.tape.now);
        let live = Live { at: now, ..self.live.clone() };
        let lines = lines(&self.tape.situation, Some(&live), &BTreeMap::new(), now);
        for row in [&lines.what, &lines.next] {
            assert!(width(row) <= 78, "{} columns: {row}", width(row));
            assert!(!row.is_empty());
        }
        lines
    }

    #[track_caller]
    fn says(&self, what: &str, next: &str) {
        let lines = self.lines();
        assert_eq!((lines.what.as_str(), lines.next.as_str()), (what, next));
    }
}

#[test]
fn before_anything_is_known() {
    let lines = lines(&Situation::default(), None, &BTreeMap::new(), at(0));
    assert_eq!(lines.what, "No engine has looked here yet.");
    Scene::new().says(
        "Asking: 0 of 0 checks have answered.",
        "Nothing to press: the first verdict takes a few seconds.",
    );
}

#[test]
fn detect_quiet() {
    let quiet = Scene::new()
        .check("api", Status::Ok, "200")
        .check("web", Status::Ok, "200")
        .signals(Vec::new());
    quiet.says("Nothing fails: 2 of 2 checks ok.", "Nothing to do. q leaves; ? shows the keys.");
    quiet.check("web", Status::Warn, "slow").says(
        "Nothing fails: 1 of 2 checks ok, 1 warned.",
        "Nothing to do. q leaves; ? shows the keys.",
    );
}

#[test]
fn detect_with_something_unknown_is_not_all_well() {
    Scene::new()
        .check("api", Status::Ok, "200")
        .check("pg", Status::Unknown, "")
        .signals(vec![not_known("database_failure", Reason::NoPermission)])
        .says(
            "Nothing known to fail; pg is unknown: no permission. Could be CRITICAL.",
            "To do: give this user the right to look.",
        );
}

#[test]
fn detect_failing_without_help_test_or_cards() {
    Scene::failing().says(
        "api fails 14.2 % since 14 s after v2.5.0 (ci#4711 dana).",
        "Level 1 is being looked at. Press L. Time for a fix: 5:00.",
    );
}

#[test]
fn without_a_known_deploy_it_says_when() {
    Scene::new().check("api", Status::Fail, "503").signals(vec![number("error_rate", 14.2)]).says(
        "api fails 14.2 % since 23:50:24Z, no deploy known before it.",
        "Level 1 is being looked at. Press L. Time for a fix: 5:00.",
    );
}

#[test]
fn assess_with_the_help_test_is_the_drawing() {
    Scene::ready().says(
        "api fails 14.2 % since 14 s after v2.5.0 (ci#4711 dana). v2.4.9 answers 20/20.",
        "Level 1 is ready: about 0:20, no data change. Press L. Time for a fix: 5:00.",
    );
}

#[test]
fn nothing_about_data_before_the_help_test_has_answered() {
    let scene =
        Scene::failing().cards(vec![card(Level::Switch, LevelStanding::Ready, "switch to blue")]);
    scene.says(
        "api fails 14.2 % since 14 s after v2.5.0 (ci#4711 dana).",
        "Level 1 is ready: about 0:20. Would it help? Being tested. Press L.",
    );
}

#[test]
fn a_shared_database_that_fails_advises_against_level_1() {
    Scene::failing()
        .signals(vec![
            number("error_rate", 100.0),
            number("outage", 2.0),
            Signal { evidence: vec!["db refused".into()], ..flag("database_failure", true) },
        ])
        .event(Event::HelpTested { test: help_test(0, 0, Some("database")) })
        .cards(vec![card(Level::Switch, LevelStanding::Ready, "switch")])
        .says(
            "Database fails (db refused) since 14 s after v2.5.0. v2.4.9 needs it too.",
            "Level 1 is advised against: database fails for both. Mend that; L for levels.",
        );
}

#[test]
fn a_target_that_fails_too_advises_against_level_1() {
    Scene::failing().event(Event::HelpTested { test: help_test(0, 0, None) }).says(
        "api fails 14.2 % since 14 s after v2.5.0 (ci#4711 dana). v2.4.9 answers 0/20.",
        "Level 1 is advised against: the target fails as well. L shows the levels.",
    );
}

#[test]
fn a_crash_says_down() {
    Scene::failing().signals(vec![number("error_rate", 100.0), number("outage", 2.0)]).says(
        "api is down since 14 s after v2.5.0 (ci#4711 dana).",
        "Level 1 is being looked at. Press L.",
    );
}

#[test]
fn slow_answers_say_how_slow() {
    Scene::failing().signals(vec![number("p95", 6.25)]).says(
        "api answers in 6.2 s since 14 s after v2.5.0 (ci#4711 dana).",
        "Level 1 is being looked at. Press L. Time for a fix: 5:00.",
    );
}

#[test]
fn an_unknown_database_says_what_it_could_be() {
    Scene::failing()
        .signals(vec![
            number("error_rate", 14.2),
            not_known("database_failure", Reason::NoPermission),
        ])
        .says(
            "api fails 14.2 % since 14 s after v2.5.0 (ci#4711 dana). Could be CRITICAL.",
            "Level 1 is being looked at. Press L. Time for a fix: 5:00.",
        );
}

#[test]
fn medium_may_be_mended_and_after_fifteen_minutes_a_rollback_is_considered() {
    let medium = Scene::failing().signals(vec![number("error_rate", 7.0)]);
    // HIGH was reached before: its clock goes on until MEDIUM has held.
    let held = medium.later(31).assessed();
    held.says(
        "api fails 7.0 % since 14 s after v2.5.0 (ci#4711 dana).",
        "No rollback is called for yet: L shows the levels. Time for a fix: 14:29.",
    );
}

#[test]
fn the_deadline_of_medium_asks() {
    Scene::new()
        .check("api", Status::Fail, "503")
        .signals(vec![number("error_rate", 7.0)])
        .later(900)
        .event(Event::SeverityDeadline)
        .cards(vec![card(Level::Switch, LevelStanding::Ready, "switch")])
        .says(
            "api fails 7.0 % since 23:50:24Z, no deploy known before it.",
            "Level 1 is ready: about 0:20. Would it help? Being tested. Press L.",
        );
}

#[test]
fn low_is_monitored() {
    Scene::new().check("api", Status::Ok, "200").signals(vec![number("error_rate", 2.0)]).says(
        "Traffic fails 2.0 % since 23:50:40Z, no deploy known before it.",
        "Monitor: no rollback is called for. L shows the levels.",
    );
}

#[test]
fn an_open_question_is_the_next_key() {
    Scene::new()
        .check("api", Status::Ok, "200")
        .signals(vec![number("error_rate", 2.0), not_known("corruption", Reason::NoPermission)])
        .says(
            "Traffic fails 2.0 % since 23:50:40Z. Could be CRITICAL.",
            "Question 4 is open: Corrupt data? Press a.",
        );
}

#[test]
fn a_breach_comes_before_everything() {
    Scene::ready()
        .command(Command::Answer { node: "0".into(), assessment: 1, answer: Answer::Yes })
        .assessed()
        .says(
            "BREACH reported by alice at 23:50Z: preserve, isolate, wait.",
            "No level starts until another person answers question 0 with no: a.",
        );
}

#[test]
fn corrupt_data_points_to_level_3() {
    Scene::failing()
        .signals(vec![flag("corruption", true)])
        .cards(vec![card(Level::PointInTime, LevelStanding::NotProven, "never test-restored")])
        .says(
            "Data is corrupt since 14 s after v2.5.0 (ci#4711 dana).",
            "Level 3 is not proven: never test-restored. Press L.",
        );
}

#[test]
fn a_blocked_level_says_why() {
    Scene::failing()
        .cards(vec![card(
            Level::Switch,
            LevelStanding::Blocked,
            "blue does not answer at its own address",
        )])
        .says(
            "api fails 14.2 % since 14 s after v2.5.0 (ci#4711 dana).",
            "Level 1 is blocked: blue does not answer at its own address. Press L.",
        );
}

#[test]
fn a_refused_plan_says_why_and_what_is_offered() {
    Scene::ready()
        .event(Event::PlanRefused {
            level: Level::Switch,
            why: "blue is stopped.".into(),
            offer: Some(Level::Full),
        })
        .says(
            "api fails 14.2 % since 14 s after v2.5.0 (ci#4711 dana). v2.4.9 answers 20/20.",
            "Level 1 is refused: blue is stopped. Level 2 (full rollback) is offered: L.",
        );
}

fn preflight(answer: PreflightAnswer) -> Vec<Preflight> {
    vec![Preflight { name: "backup folder".into(), answer, text: "it does not exist".into() }]
}

#[test]
fn an_open_plan_names_r_and_the_word() {
    let digest = level_one().digest().short();
    let what = format!("Plan {digest}: level 1, v2.5.0 -> v2.4.9, about 0:20 of 5:00.");
    let plan = |lines| Scene::ready().planned(level_one(), lines);
    plan(Vec::new()).says(&what, "Press R, read, type ROLLBACK. Data: none changed, none lost.");
    plan(preflight(PreflightAnswer::Warn))
        .says(&what, "Press R, read, type ROLLBACK. Data: none changed, none lost. 1 warned.");
    plan(preflight(PreflightAnswer::Block))
        .says(&what, "Blocked: backup folder: it does not exist. Esc goes back.");
    plan(preflight(PreflightAnswer::Unknown))
        .says(&what, "Not known: backup folder: it does not exist. Esc goes back.");
}

#[test]
fn a_plan_over_its_budget_says_over() {
    let mut plan = level_one();
    plan.face.estimate = std::time::Duration::from_secs(372);
    let digest = plan.digest().short();
    Scene::ready().planned(plan, Vec::new()).says(
        &format!("Plan {digest}: level 1, v2.5.0 -> v2.4.9, about 6:12 OVER by 1:12."),
        "Press R, read, type ROLLBACK. Data: none changed, none lost.",
    );
}

#[test]
fn a_plan_against_nothing_says_so() {
    let digest = level_one().digest().short();
    Scene::new()
        .check("api", Status::Ok, "200")
        .signals(Vec::new())
        .planned(level_one(), Vec::new())
        .says(
            &format!(
                "Plan {digest}: level 1, v2.5.0 -> v2.4.9, about 0:20 of 5:00. No failure known."
            ),
            "Press R, read, type ROLLBACK. Data: none changed, none lost.",
        );
}

#[test]
fn each_running_step_is_named_with_its_time() {
    let mut scene = Scene::ready().started().begin("verify").later(3);
    scene.says(
        "Step 1/7 verify it, 0:03 of 0:10.",
        "0:03 of 5:00. p pauses after this step, x stops or takes back.",
    );
    scene.live.steps.insert(
        "verify".into(),
        LiveStep { text: "probe 2 of 6".into(), part: Some((2, 6)), left: None },
    );
    scene.says(
        "Step 1/7 verify it: probe 2 of 6, 0:03 of 0:10.",
        "0:03 of 5:00. p pauses after this step, x stops or takes back.",
    );
    let beside = Scene::ready().started().begin("gate").begin("preserve");
    beside.later(400).says(
        "Step 3/7 gate it, 6:40 of 0:10, 1 beside it.",
        "OVER by 1:40. p pauses after this step, x stops or takes back.",
    );
    Scene::ready().started().says(
        "Level 1 runs; the next step is about to begin.",
        "0:00 of 5:00. p pauses after this step, x stops or takes back.",
    );
}

#[test]
fn paused() {
    let scene = Scene::ready().started().begin("verify").event(Event::Paused);
    scene.says(
        "Pausing: step 1/7 verify it ends first.",
        "0:00 of 5:00. p goes on, x stops or takes back.",
    );
    scene.end("verify", StepEnd::Done).says(
        "PAUSED: no step runs, none will start. The outage goes on meanwhile.",
        "0:00 of 5:00. p goes on, x stops or takes back.",
    );
}

#[test]
fn aborting() {
    let next = "Nothing to press: it ends by itself and says where things stand.";
    let scene = |verb| Scene::ready().started().begin("switch").command(Command::Abort { verb });
    scene(Abort::Stop)
        .says("ABORTING (stop after the running step): step 2/7 switch it runs.", next);
    scene(Abort::Undo)
        .begin("switch_back")
        .says("ABORTING (stop and take back what was done): step 2/7 switch it runs.", next);
    scene(Abort::Now)
        .end("switch", StepEnd::Failed("ended".into()))
        .says("ABORTING: end the running step now.", next);
}

#[test]
fn waiting_for_you_about_a_failed_step() {
    Scene::ready()
        .started()
        .begin("verify")
        .end("verify", StepEnd::Failed("503 at its own address".into()))
        .needs(Some("verify"), "503 at its own address", Some(Level::Full))
        .says(
            "WAITING FOR YOU: step 1/7 verify it FAILED: 503 at its own address.",
            "t try again, d it is done, x stop or take back. L shows the levels.",
        );
}

#[test]
fn waiting_for_you_about_a_step_nobody_can_vouch_for() {
    Scene::ready()
        .started()
        .begin("switch")
        .event(Event::StepLooked {
            run: run_id(),
            step: "switch".into(),
            attempt: 1,
            standing: Standing::CannotTell("refused".into()),
        })
        .end("switch", StepEnd::Unknown("the proxy refuses connections".into()))
        .needs(Some("switch"), "the proxy refuses connections", None)
        .later(3)
        .says(
            "WAITING FOR YOU: step 2/7 switch it UNKNOWN: the proxy refuses connections.",
            "Looked 3 s ago. d it is done, t try again, x stop or take back.",
        );
}

#[test]
fn waiting_for_you_about_the_verdict_offers_the_next_level() {
    Scene::ready()
        .watching(Some((Verdict::NoEffect, 14.0)))
        .needs(None, "NO EFFECT: errors 14.2 % before, 14.0 % now", Some(Level::Full))
        .says(
            "WAITING FOR YOU: NO EFFECT: errors 14.2 % before, 14.0 % now.",
            "v ends the run with that, then L for the next level; x takes it back.",
        );
}

#[test]
fn the_watch_window_says_before_and_now() {
    Scene::ready().watching(None).says(
        "Traffic was moved to v2.4.9; its first numbers are being taken.",
        "Watching for 0:30. x takes it back.",
    );
    let table = [
        (Verdict::Stable, "so far good"),
        (Verdict::Worse, "so far WORSE"),
        (Verdict::NoEffect, "so far NO EFFECT"),
        (Verdict::CannotTell, "too early to tell"),
    ];
    for (verdict, words) in table {
        Scene::ready().watching(Some((verdict, 0.3))).says(
            "Traffic on v2.4.9: errors 0.3 % (was 14.2 %), p95 41 ms.",
            &format!("Watched 0:12 of 0:30, {words}. v ends it, x takes it back."),
        );
    }
}

#[test]
fn a_stable_end_says_the_time_and_what_is_left_over() {
    let scene = Scene::ready().ended(Outcome::Done, "STABLE").signals(Vec::new());
    scene.says(
        "STABLE on v2.4.9 after 0:09 of 5:00.",
        "Nothing is left over. The history line is written. q leaves.",
    );
    let scene = scene.event(Event::LeftoverNoted {
        leftover: Leftover {
            name: "green stopped".into(),
            owner: "alice".into(),
            undo: "backout demo start green".into(),
            due: None,
            ..Leftover::default()
        },
    });
    scene.says(
        "STABLE on v2.4.9 after 0:09 of 5:00.",
        "1 left over, first: green stopped. Release: backout demo start green",
    );
    scene.event(Event::IncidentClosed { why: "stable".into() }).says(
        "Nothing fails: 0 of 1 checks ok. INC-0142 ended: done.",
        "Nothing to do. q leaves; ? shows the keys.",
    );
}

#[test]
fn ends_that_are_not_good_say_what_and_what_next() {
    let end = |outcome, why| Scene::ready().ended(outcome, why);
    end(Outcome::Failed, "NO EFFECT: 14.2 % before, 14.0 % now").says(
        "The rollback to v2.4.9 FAILED: NO EFFECT: 14.2 % before, 14.0 % now.",
        "It still fails. Level 2 (full rollback) is the next step. Press L.",
    );
    end(Outcome::Aborted, "stopped, 2 of 7 steps done")
        .signals(Vec::new())
        .later(31)
        .assessed()
        .says(
            "The rollback to v2.4.9 was stopped: stopped, 2 of 7 steps done.",
            "Nothing is left over. The history line is written. q leaves.",
        );
    end(Outcome::Undone, "").says(
        "The rollback to v2.4.9 was taken back: v2.5.0 has the traffic again.",
        "It still fails. Level 1 is ready: about 0:20, no data change. Press L.",
    );
    end(Outcome::Unknown, "nobody can vouch for switch").says(
        "How the rollback ended is NOT KNOWN: nobody can vouch for switch.",
        "It still fails. Level 2 (full rollback) is the next step. Press L.",
    );
}

#[test]
fn a_failure_after_a_stable_end_is_said_first() {
    Scene::ready()
        .ended(Outcome::Done, "STABLE")
        .signals(Vec::new())
        .later(31)
        .assessed()
        .later(10)
        .signals(vec![number("error_rate", 80.0)])
        .says(
            "api fails 80.0 % since 14 s after v2.5.0 (ci#4711 dana). v2.4.9 answers 20/20.",
            "Level 1 is ready: about 0:20, no data change. Press L.",
        );
}

#[test]
fn numbers_of_a_silent_engine_are_dated() {
    let scene = Scene::failing();
    let live = Live { at: at(scene.tape.now - 40), ..scene.live.clone() };
    let now = at(scene.tape.now);
    let lines = lines(&scene.tape.situation, Some(&live), &BTreeMap::new(), now);
    assert_eq!(
        lines.what,
        "(as of 0:40 ago) api fails 14.2 % since 14 s after v2.5.0 (ci#4711 dana)."
    );
}

fn any_text() -> impl Strategy<Value = SafeText> {
    "\\PC{0,90}".prop_map(|text: String| SafeText::new(&text))
}

proptest! {
    #[test]
    fn no_words_make_a_row_too_long(
        texts in proptest::collection::vec(any_text(), 8),
        rate in 0.0..100.0f64,
        stage in 0..12usize,
        seconds in 0..100_000u32,
    ) {
        let text = |at: usize| texts[at].clone();
        let mut plan = level_one();
        (plan.core.from, plan.core.to) = (text(0), text(1));
        plan.face.data = text(2);
        for face in &mut plan.face.steps {
            face.title = text(3);
        }
        let mut change = change(10);
        (change.version, change.by, change.reference) = (text(0), text(4), text(5));
        let mut test = help_test(3, 20, (stage % 2 == 0).then_some(texts[6].as_str()));
        test.target.as_mut().unwrap().version = text(1);
        let mut card = card(Level::Switch, LevelStanding::Ready, texts[7].as_str());
        card.data = text(2);
        let mut blocks = preflight(PreflightAnswer::Block);
        (blocks[0].name, blocks[0].text) = (text(6), text(7));
        let scene = Scene::new()
            .event(Event::ChangeSeen { change })
            .check(texts[4].as_str(), Status::Fail, texts[5].as_str())
            .event(Event::HelpTested { test })
            .cards(vec![card])
            .signals(vec![number("error_rate", rate), flag("failed_health_checks", true)]);
        let digest = plan.digest();
        let begun = |scene: Scene, plan: Plan| scene.planned(plan, Vec::new()).event(Event::RunStarted {
            run: run_id(), plan: Digest::clone(&digest), by: "a".into(), reason: "r".into(), accept_loss: None,
        });
        let scene = match stage {
            0 => scene,
            1 => scene.planned(plan, blocks),
            2 => scene.planned(plan, Vec::new()),
            3 => scene.event(Event::PlanRefused { level: Level::Full, why: text(7), offer: Some(Level::Full) }),
            4 => begun(scene, plan).begin("switch").begin("gate"),
            5 => begun(scene, plan).begin("switch").event(Event::Paused),
            6 => begun(scene, plan).begin("switch").command(Command::Abort { verb: Abort::Undo }),
            7 => begun(scene, plan)
                .begin("switch")
                .end("switch", StepEnd::Unknown(text(6)))
                .needs(Some("switch"), texts[7].as_str(), Some(Level::PointInTime)),
            8 => begun(scene, plan).needs(None, texts[7].as_str(), Some(Level::PointInTime)),
            9 => begun(scene, plan).event(Event::WatchOpened {
                run: run_id(), window: std::time::Duration::from_mins(15),
            }),
            _ => begun(scene, plan).event(Event::RunEnded {
                run: run_id(),
                outcome: [Outcome::Done, Outcome::Failed, Outcome::Aborted, Outcome::Undone, Outcome::Unknown]
                    [(seconds % 5) as usize],
                took: std::time::Duration::from_secs(seconds.into()),
                why: text(6),
                history: String::new(),
            }),
        };
        scene.later(seconds.into()).lines();
    }
}

#[test]
fn before_every_check_has_answered_nothing_is_said_to_be_well() {
    let mut scene = Scene::new().signals(Vec::new());
    scene.live.at = at(41);
    for id in ["api", "web"] {
        scene.tape.event(Event::CheckChanged {
            check: id.into(),
            status: Status::Unknown,
            reason: Some(Reason::NeverRan),
            note: SafeText::default(),
            since: at(40),
            critical: true,
        });
    }
    let said = |scene: &Scene| {
        lines(&scene.tape.situation, Some(&scene.live), &BTreeMap::new(), at(41)).what
    };
    assert_eq!(said(&scene), "Asking: 0 of 2 checks have answered.");
    scene = scene.check("api", Status::Ok, "200");
    assert_eq!(said(&scene), "Asking: 1 of 2 checks have answered.");
    scene = scene.check("web", Status::Ok, "200");
    let looks = super::super::reading::Looks { seen: 1, needed: 2 };
    scene.live.looks = BTreeMap::from([("web".into(), looks)]);
    assert_eq!(said(&scene), "Nothing fails so far: 2 of 2 checks ok (1 of 2 looks).");
    scene.live.looks.clear();
    assert_eq!(said(&scene), "Nothing fails: 2 of 2 checks ok.");
}

#[test]
fn what_rests_on_one_look_says_so() {
    let mut scene =
        Scene::new().check("api", Status::Warn, "503").signals(vec![number("error_rate", 100.0)]);
    let looks = super::super::reading::Looks { seen: 1, needed: 3 };
    scene.live.at = at(41);
    scene.live.looks = BTreeMap::from([("api".into(), looks)]);
    let what = lines(&scene.tape.situation, Some(&scene.live), &BTreeMap::new(), at(41)).what;
    assert!(what.starts_with("Traffic fails 100.0 % (1 of 3 looks)"), "{what}");
}

#[test]
fn a_doubt_about_our_own_line_is_said_before_anything_fails() {
    for (proven, words) in [(true, "OUR OWN LINE IS DOWN since"), (false, "IS IT US?")] {
        let doubt = super::super::line::LineDoubt {
            since: at(30),
            why: "4 of 5 remote checks on 4 hosts began to fail within 4 s".into(),
            proven,
        };
        let mut scene = Scene::ready().opened().event(Event::LineDoubted { doubt: Some(doubt) });
        scene.live.at = at(41);
        let lines = lines(&scene.tape.situation, Some(&scene.live), &BTreeMap::new(), at(41));
        assert!(lines.what.starts_with(words), "{lines:?}");
        assert!(lines.next.starts_with("Nothing starts by itself."), "{lines:?}");
        assert!(width(&lines.what) <= WIDTH && width(&lines.next) <= WIDTH);
    }
}
