//! The example of a workflow that rolls back from a page of the pipeline (M-21, W-60).

use serde_json::Value;

use super::support::{Stack, said};

#[test]
fn the_example_of_a_workflow_runs_what_it_says_and_puts_no_input_into_a_shell() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/github-actions-rollback.yml");
    let file: Value = backout::yaml::one(&std::fs::read_to_string(path).unwrap()).unwrap();
    let inputs = &file["on"]["workflow_dispatch"]["inputs"];
    assert_eq!(inputs["environment"]["default"], "staging");
    assert_eq!(inputs["environment"]["options"], serde_json::json!(["staging", "production"]));
    assert_eq!(
        inputs["rollback_type"]["options"],
        serde_json::json!(["application", "database", "infrastructure"])
    );
    assert_eq!(inputs["target_revision"]["required"], false);
    assert!(file["concurrency"]["group"].as_str().unwrap().contains("inputs.environment"));
    let steps = file["jobs"]["rollback"]["steps"].as_array().unwrap();
    let script = |step: &Value| step["run"].as_str().unwrap_or_default().to_owned();
    assert!(steps.iter().all(|step| !script(step).contains("${{")), "no input in a shell");
    let last = steps.last().unwrap();
    assert_eq!(last["if"], "always()");
    assert!(script(last).contains("#deployments"));

    // Its lines, run by a shell as they stand, beside the embedded stack.
    let stack = Stack::up(Some("errors:0.3"));
    let bin = stack.dir().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_backout"), bin.join("backout")).unwrap();
    let shell = |line: &str| {
        let like = stack.command(&[]);
        let mut command = std::process::Command::new("bash");
        command.args(["-eo", "pipefail", "-c", line]).env_clear();
        command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("ENVIRONMENT", "demo")
            .env("ROLLBACK_TYPE", "application")
            .env("TARGET", "")
            .env("REASON", "run 1 of nobody")
            .current_dir(stack.dir());
        said(command)
    };
    let ours: Vec<String> =
        steps.iter().map(script).filter(|run| run.contains("backout ")).collect();
    assert_eq!(ours.len(), 3, "{ours:?}");
    for line in &ours {
        let said = shell(line);
        assert_eq!(said.code, 0, "{line}: {said:?}\n{}", stack.log());
    }
    assert!(std::fs::read_to_string(stack.dir().join("plan.txt")).unwrap().contains("level 1"));
    assert_eq!(stack.situation().history.len(), 1, "the plan alone changed nothing");
}
