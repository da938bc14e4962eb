//! A Debian machine for a test: the real systemd in namespaces of its own, on a copy of this machine's file system that is kept in
//! memory. It has no network besides 127.0.0.1. All that happens on the machine ends with it.

use counterparts::run;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Mounts the file systems of the machine in the folder `$1`, and becomes its systemd.
const BOOT: &str = r#"
set -e
mount -t tmpfs -o mode=755 tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay root
cd root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
for device in null zero full random urandom tty; do
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
: > etc/machine-id
# This file would forbid packages to start services.
rm -f usr/sbin/policy-rc.d
pivot_root . mnt
umount -l mnt
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=sysinit.target
"#;
/// Enters the control group `$1`, and runs the script `$3` in namespaces of its own. They end with this process.
const ISOLATE: &str = r#"echo $$ > "$1/cgroup.procs" && exec setpriv --pdeathsig KILL \
    unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup sh -c "$3" boot "$2""#;
/// Time limit for the start of the machine.
const START: Duration = Duration::from_secs(60);
/// Time limit of one command on the machine: an unoptimised server compiles its component for a minute on a quiet machine.
const LIMIT: Duration = Duration::from_secs(300);

/// A running machine. It ends when it is dropped.
pub struct Machine {
    process: Child,
    /// Process id of its systemd.
    init: u32,
    cgroup: PathBuf,
    _folder: TempDir,
}

impl Machine {
    /// Starts a machine.
    pub fn boot() -> Machine {
        assert_eq!(xtask::package::untestable(), None);
        let folder = tempfile::tempdir().expect("a folder");
        let cgroup = cgroups().join(format!("test-machine-{}", std::process::id()));
        fs::create_dir(&cgroup).expect("a control group");
        let mut command = Command::new("sh");
        command.args(["-c", ISOLATE, "isolate"]).arg(&cgroup).arg(folder.path()).arg(BOOT).stdin(Stdio::null());
        let process = command.spawn().expect("a shell");
        let mut machine = Machine { process, init: 0, cgroup, _folder: folder };
        let begun = Instant::now();
        while !machine.is_up() {
            let ended = machine.process.try_wait().expect("a child that was started can be asked");
            assert!(ended.is_none() && begun.elapsed() < START, "the machine does not start: {ended:?}");
            thread::sleep(Duration::from_millis(50));
        }
        machine
    }

    fn is_up(&mut self) -> bool {
        let id = self.process.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        self.init = children.trim().parse().unwrap_or_default();
        self.init != 0 && self.try_run("systemctl is-active --quiet sysinit.target").status.success()
    }

    /// Returns the path by which this process reaches a file of the machine.
    pub fn path(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{file}", self.init))
    }

    /// Writes a file of the machine. Keeps owner and mode of a file that exists.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of the machine");
        fs::write(path, text).expect("a file of the machine");
    }

    /// Reads a file of the machine.
    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Runs the lines of a script as root. Returns what they wrote.
    pub fn try_run(&self, script: &str) -> Output {
        run(&mut self.shell(script), LIMIT)
    }

    /// Runs the lines of a script as root, of which none may fail. Returns what they wrote to their standard output.
    pub fn run(&self, script: &str) -> String {
        let output = self.try_run(script);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "{script}\n{}{}\n{}",
            text(&output.stdout),
            text(&output.stderr),
            self.journal()
        );
        text(&output.stdout)
    }

    /// Runs the lines of a script as root, with this standard input. None of them may fail.
    pub fn run_with_input(&self, script: &str, input: &str) {
        let mut child = self.shell(script).stdin(Stdio::piped()).spawn().expect("a shell");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("a shell that reads its input");
        assert!(child.wait().expect("a shell").success(), "{script}\n{}", self.journal());
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.init.to_string()).args(["--all", "--root", "--wd", "env", "-i"]);
        command.args([
            "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME=/root",
            "DEBIAN_FRONTEND=noninteractive",
        ]);
        command.args(["CURL_CA_BUNDLE=/etc/caddy/certificate.pem", "bash", "-c"]);
        command.arg(format!("set -euo pipefail; cd /root\n{script}")).stdin(Stdio::null());
        command
    }

    /// Returns the end of the server's log.
    fn journal(&self) -> String {
        let output = self.shell("journalctl --unit provisioner --unit caddy --lines 20 --no-pager").output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The death of `unshare` kills the first process of the machine, and with it all others.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let begun = Instant::now();
        while remove_cgroup(&self.cgroup).is_err_and(|error| error.kind() == ErrorKind::ResourceBusy) {
            if begun.elapsed() > START {
                eprintln!("{} has processes that do not end", self.cgroup.display());
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Returns the folder of this machine's control groups.
fn cgroups() -> PathBuf {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("the list of mounts");
    let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let mount = mounts.find(|mount| mount.get(2) == Some(&"cgroup2"));
    mount.expect("this test needs a mount of the type cgroup2")[1].into()
}

fn remove_cgroup(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_cgroup(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}
