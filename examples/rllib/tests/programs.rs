//! The programs as a user meets them: output on a pipe, exit codes, files.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TRAIN: &str = env!("CARGO_BIN_EXE_ppo_cartpole");
const PLAY: &str = env!("CARGO_BIN_EXE_play");

fn run(program: &str, folder: &Path, args: &[&str]) -> Output {
    Command::new(program).current_dir(folder).args(args).output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

/// The only entry of a folder.
fn only(folder: &Path) -> PathBuf {
    let entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    let [only] = &entries[..] else { panic!("{entries:?}") };
    only.clone()
}

#[test]
fn ppo_solves_cartpole_and_play_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(TRAIN, folder.path(), &["--env-runners", "2"]);
    let said = lines(&output);
    let [.., before, last] = &said[..] else { panic!("{output:?}") };
    assert!(output.status.success(), "{said:?}");
    assert!(said[0].starts_with("iteration    1  steps     256  return "), "{}", said[0]);
    let folder_of_run = only(&folder.path().join("runs"));
    let name = folder_of_run.file_name().unwrap().to_str().unwrap();
    assert_eq!(*before, format!("run folder: runs/{name}"));
    let mean = last.strip_prefix("evaluation: mean return ").unwrap();
    let mean: f64 = mean.split(' ').next().unwrap().parse().unwrap();
    assert!(mean >= 475.0 && last.ends_with(") over 20 greedy episodes: solved"), "{last}");

    let checkpoint = only(&folder_of_run.join("checkpoints"));
    let checkpoint = checkpoint.to_str().unwrap();
    let output = run(PLAY, folder.path(), &[checkpoint, "--record", "pole.gif", "--ascii"]);
    let said = lines(&output);
    assert!(output.status.success(), "{output:?}");
    assert!(said[0].starts_with("CartPole-v1 after "), "{}", said[0]);
    let last = said.last().unwrap();
    assert!(last.starts_with("episode 3: return ") && last.ends_with(" steps"), "{last}");
    let gif = std::fs::read(folder.path().join("pole.gif")).unwrap();
    assert!(gif.starts_with(b"GIF89a") && gif.len() > 10_000);
}

#[test]
fn what_is_not_solved_ends_with_1_and_can_be_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        TRAIN,
        folder.path(),
        &["--total-env-steps", "512", "--quiet", "--seed", "3", "--envs", "4"],
    );
    assert_eq!(output.status.code(), Some(1));
    let said = lines(&output);
    let [only_line] = &said[..] else { panic!("quiet is quiet: {said:?}") };
    assert!(only_line.ends_with("over 20 greedy episodes: not solved"), "{only_line}");
    let checkpoint = only(&only(&folder.path().join("runs")).join("checkpoints"));
    let checkpoint = checkpoint.to_str().unwrap();
    // The seed and the number of environments are those of the checkpoint.
    let args = ["--checkpoint", checkpoint, "--total-env-steps", "1024"];
    let said = lines(&run(TRAIN, folder.path(), &args));
    assert!(said[0].starts_with("iteration    5  steps     640  "), "{said:?}");
    let sampled = || lines(&run(PLAY, folder.path(), &[checkpoint, "--sample"]));
    assert_eq!(sampled(), sampled());
}

#[test]
fn mistakes_are_told_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ppo.toml"), "epoch = 3\n").unwrap();
    let message = |args: &[&str]| {
        let output = run(TRAIN, folder.path(), args);
        assert!(!output.status.success() && output.stdout.is_empty());
        let text = String::from_utf8(output.stderr).unwrap();
        text.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        message(&["--config", "ppo.toml"]),
        "Error: ppo.toml has the unknown key `epoch`: did you mean `epochs`?"
    );
    assert_eq!(
        message(&["--env-runners", "9"]),
        "Error: `env_runners` is 9, but must be 1 to 8, the number of `envs` they divide"
    );
    let missing = message(&["--checkpoint", "nowhere"]);
    assert!(missing.starts_with("Error: cannot read nowhere/spec.json: "), "{missing}");
    assert!(!folder.path().join("runs").exists(), "nothing is left behind");
}
