//! A process is killed while it makes resources on this machine. Started again with its store and world folder, it
//! reaches the same final state, without orphans.

use crate::run::{Ran, SECRETS_KEY, run_with};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Default number of kills, each in a separate run.
const KILLS_DEFAULT: u32 = 10;

/// The folders of a store and a world.
struct Folders(tempfile::TempDir);

impl Folders {
    fn make() -> Folders {
        Folders(tempfile::tempdir().expect("a folder"))
    }

    fn args(&self, command: &[&str]) -> Vec<String> {
        let path = |name: &str| self.0.path().join(name).display().to_string();
        let mut all: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        all.extend(["--providers", "local", "--world"].map(str::to_owned));
        all.extend([path("world"), "--store".to_owned(), path("store.db")]);
        all
    }

    /// Plays the whole scenario.
    fn play(&self) -> Ran {
        run_with(&self.args(&["replay", "--native", &life().display().to_string()]), b"", &[SECRETS_KEY])
    }

    /// Plays the scenario until the kill. Returns false if the process ended before the kill.
    fn play_killed(&self, after: Duration) -> bool {
        let log = || File::create(self.0.path().join("log")).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_provisioner"))
            .args(self.args(&["replay", "--native", &life().display().to_string()]))
            .envs([SECRETS_KEY])
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(after);
        // The kill fails if the process has already ended.
        let _ = child.kill();
        !child.wait().expect("it ends").success()
    }
}

/// Returns the hash of the state that a run printed.
fn state(ran: &Ran) -> &str {
    let line = ran.stdout.lines().find_map(|line| line.split_once("; state "));
    line.unwrap_or_else(|| panic!("no state: {ran:?}")).1
}

fn life() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/kill/life.yml")
}

#[test]
fn a_replay_killed_at_any_time_reaches_the_same_state_and_leaves_no_orphan() {
    let kills = test_support::count("KILLS", KILLS_DEFAULT as usize) as u32;
    let began = Instant::now();
    let undisturbed = Folders::make().play();
    let took = began.elapsed();
    assert_eq!(undisturbed.code, 0, "{undisturbed:?}");
    let mut killed = 0;
    for number in 0..kills {
        let place = Folders::make();
        killed += u32::from(place.play_killed(took * number / kills));
        // The second run continues where the killed run stopped.
        killed += u32::from(place.play_killed(took / 3));
        let ended = place.play();
        assert_eq!((ended.code, state(&ended)), (0, state(&undisturbed)), "kill {number}: {ended:?}");
        let drift = run_with(&place.args(&["drift"]), b"", &[SECRETS_KEY]);
        assert_eq!((drift.code, drift.stdout.as_str()), (0, "0 recorded, 0 there, 0 differences\n"), "{drift:?}");
    }
    assert!(killed >= kills / 2, "{killed} of {} processes were killed before they ended", 2 * kills);
}
