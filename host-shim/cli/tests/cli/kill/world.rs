//! A process that is killed while it makes things on this machine: started again over its store and its world, it comes to the
//! same end, and nothing is left that no record has.

use crate::run::{Ran, SECRETS_KEY, run_with};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Kills unless `KILLS` says so, each of a life of its own.
const KILLS_DEFAULT: u32 = 10;

/// A store and a world.
struct Place(tempfile::TempDir);

impl Place {
    fn make() -> Place {
        Place(tempfile::tempdir().expect("a folder"))
    }

    fn args(&self, command: &[&str]) -> Vec<String> {
        let path = |name: &str| self.0.path().join(name).display().to_string();
        let mut all: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
        all.extend(["--providers", "local", "--world"].map(str::to_owned));
        all.extend([path("world"), "--store".to_owned(), path("store.db")]);
        all
    }

    /// The whole life.
    fn play(&self) -> Ran {
        run_with(&self.args(&["replay", "--native", &life().display().to_string()]), b"", &[SECRETS_KEY])
    }

    /// The life until somebody kills it; false if it had come to its end by then.
    fn play_killed(&self, after: Duration) -> bool {
        let log = || File::create(self.0.path().join("log")).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_host-shim"))
            .args(self.args(&["replay", "--native", &life().display().to_string()]))
            .envs([SECRETS_KEY])
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(after);
        // Of a process that has ended there is nothing left to kill.
        let _ = child.kill();
        !child.wait().expect("it ends").success()
    }
}

/// The hash of the state that a run told.
fn state(ran: &Ran) -> &str {
    let told = ran.stdout.lines().find_map(|line| line.split_once("; state "));
    told.unwrap_or_else(|| panic!("no state: {ran:?}")).1
}

fn life() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/kill/life.yml")
}

#[test]
fn a_life_that_is_killed_at_any_time_ends_alike_and_leaves_nothing() {
    let kills = super::number("KILLS", KILLS_DEFAULT as usize) as u32;
    let began = Instant::now();
    let undisturbed = Place::make().play();
    let took = began.elapsed();
    assert_eq!(undisturbed.code, 0, "{undisturbed:?}");
    let mut killed = 0;
    for number in 0..kills {
        let place = Place::make();
        killed += u32::from(place.play_killed(took * number / kills));
        // Once more, wherever the one before had come to.
        killed += u32::from(place.play_killed(took / 3));
        let ended = place.play();
        assert_eq!((ended.code, state(&ended)), (0, state(&undisturbed)), "kill {number}: {ended:?}");
        let drift = run_with(&place.args(&["drift"]), b"", &[SECRETS_KEY]);
        assert_eq!((drift.code, drift.stdout.as_str()), (0, "0 recorded, 0 there, 0 differences\n"), "{drift:?}");
    }
    assert!(killed >= kills / 2, "{killed} of {} processes were killed before they ended", 2 * kills);
}
